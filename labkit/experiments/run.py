"""What a run leaves behind, and how it comes to be: exists -> loaded; else trained; interrupted -> resumed."""

import platform
import sys
import time
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd
import torch

from .. import metrics
from ..data.corpus import OTHER, PARTS
from ..data.splits import split
from ..device import device_name
from ..errors import LabError, LabWarning, choose
from ..evaluation.predictions import predictions, readable
from ..files import alone, read_json, write_json, write_table
from ..models import count_parameters
from ..models.classifier import Classifier
from ..training.batches import source
from ..training.loop import Watch, fit
from ..training.tensors import read_tensors, write_tensors
from .experiment import SCHEMA, Experiment


@dataclass(frozen=True, eq=False)
class Run:
    """A trained and validated experiment, and its one test."""

    folder: Path  # run.json, validation.csv.gz; test.json and test.csv.gz once tested; weights.safetensors, if kept
    record: dict  # contents of run.json
    corpus: object = None  # split as in training; needed to test and predict, absent when only the record was read
    device: torch.device = torch.device("cpu")

    def __repr__(self):
        made = " (synthetic speech)" if self.synthetic else ""
        return self.record.get("in_words") or (
            f"Run {self.id}: {self.experiment} on {self.record['corpus']['name']}{made}, validation "
            f"{100 * self.validation['accuracy']:.1f}%, best epoch {self.record['best_epoch']} of {len(self.history)}"
        )

    def __getstate__(self):
        """What travels between processes: the weights stay in their file."""
        return {key: value for key, value in self.__dict__.items() if key != "network"}

    @property
    def id(self):
        return self.record["id"]

    @property
    def name(self):
        return self.folder.name

    @cached_property
    def experiment(self):
        return Experiment.from_dict(self.record["experiment"])

    @property
    def synthetic(self):
        return self.record["corpus"]["synthetic"]

    @property
    def labels(self):
        return tuple(self.record["labels"])

    @property
    def words(self):
        """The labels without "other", which stands for whatever is none of them."""
        return tuple(label for label in self.labels if label != OTHER)

    @property
    def history(self):
        """One row per epoch: losses, accuracies, rate, seconds."""
        return pd.DataFrame(self.record["history"])

    @property
    def validation(self):
        """Scores on the validation part, with the weights of the best epoch."""
        return self.record["validation"]

    @property
    def tested(self):
        return (self.folder / "test.json").exists()

    def test(self, other=None):
        """Scores on the test part, or that of another corpus: computed at the first call, read from then on."""
        name = "test" if other is None else f"test-{other.name}"
        path = self.folder / f"{name}.json"
        if not path.exists():
            table, figures = self.evaluate(other)
            write_table(self.folder / f"{name}.csv.gz", table)
            write_json(path, figures if other is None else figures | {"corpus": about(other)})
        figures = read_json(path)
        if other is not None and figures["corpus"]["fingerprint"] != other.fingerprint:
            mend = "Rename this one's folder, or move that record away."
            raise LabError(f"{path} is of another corpus that was called {other.name}, too. {mend}")
        return figures

    def tests_elsewhere(self):
        """Scores on the test parts of other corpora, by the corpus' name, as far as `test(other)` recorded them."""
        found = sorted(self.folder.glob("test-*.json"))
        return {path.stem.removeprefix("test-"): read_json(path) for path in found}

    def predictions(self, part="test"):
        """Per clip of "validation", "test" or "test-NAME": `path`, `speaker`, `label`, `predicted`, `confidence`."""
        if part == "test":
            self.test()
        tables = {path.name.removesuffix(".csv.gz"): path for path in sorted(self.folder.glob("*.csv.gz"))}
        path = choose(part, tables, f"table of predictions in {self.folder}")
        text = dict.fromkeys(("path", "speaker", "label", "predicted"), str)  # a digit is a name here, not a number
        return pd.read_csv(path, keep_default_na=False, dtype=text)

    def confusion(self, part="test"):
        """Confusion matrix in clips: true labels down, predicted ones across."""
        return metrics.confusion(self.predictions(part), self.labels)

    def scores(self, table):
        """Scores of predictions of this run, as `metrics.scores` gives them."""
        return metrics.scores(table, self.labels, self.record["majority"])

    def evaluate(self, corpus=None, part="test"):
        """(predictions per clip, scores) on another corpus or part; LabError if a speaker of it was trained on."""
        table = predictions(self, part, corpus)
        return table, self.scores(table)

    @cached_property
    def network(self):
        """The trained network, in eval mode on its device."""
        weights = self.folder / "weights.safetensors"
        if not weights.exists():
            mend = "To have them, train it into another folder: labkit.train(run.experiment, corpus, results=...)."
            raise LabError(f"Run {self.id} is a record without weights ({self.folder}). {mend}")
        tensors, _ = read_tensors(weights, f"Delete the folder {self.folder} and train again.")
        normalise = self.experiment.feature.normalise
        statistics = (tensors["front.mean"], tensors["front.spread"]) if normalise else None
        network = new_network(self.experiment, len(self.labels), statistics, self.device)
        network.load_state_dict(tensors)
        return network.eval()

    def with_network(self, network, name, **changes):
        """A run like this one with another network, in memory only; `changes` go into its record."""
        other = replace(self, folder=self.folder.with_name(name), record=self.record | changes)
        other.__dict__["network"] = network.eval()
        return other

    @torch.no_grad()
    def probabilities(self, waveforms, lengths=None):
        """Class probabilities (batch, classes), on the CPU, of waveforms (batch, samples) between -1 and 1.

        Their rate is `experiment.feature.sample_rate`; lengths are in samples, shape (batch,), by default all of them.
        """
        waveforms = torch.as_tensor(waveforms, dtype=torch.float32, device=self.device)
        if waveforms.ndim != 2:
            shape = tuple(waveforms.shape)
            raise LabError(f"Sounds come as (batch, samples), not {shape}. For one sound write sound[None].")
        if lengths is None:
            lengths = torch.full((len(waveforms),), waveforms.shape[1])
        extract = self.experiment.feature.build()
        extract = extract.to(self.device) if isinstance(extract, torch.nn.Module) else extract
        return self.network(*extract(waveforms, torch.as_tensor(lengths, device=self.device))).softmax(1).cpu()


def train(experiment, corpus, results, device="cpu", watch=None, memory=1_000_000_000):
    """The run of an experiment: loaded if it exists, resumed if it was interrupted, else trained.

    The experiment chooses from a corpus that was opened whole, and splits it; records lie in the folder `results`. The
    features of one part may take `memory` bytes on the device before they are computed batch by batch. If the
    `training.Watch` stops it the result is None; what was learnt is kept, and the next call goes on from there.
    """
    device = torch.device(device)
    corpus, run_id, folder = place(experiment, corpus, results)
    corpus = split(corpus, experiment.split)
    if not (folder / "run.json").exists():
        lock = Path(results) / ".locks" / f"{run_id}.lock"
        with alone(lock, waiting=f"Another kernel is training run {run_id}; waiting for it."):
            if not (folder / "run.json").exists():  # else the other kernel finished it
                return _train(experiment, corpus, run_id, folder, device, watch or Watch(), memory)
    return Run(folder, read_record(folder), corpus, device)


def place(experiment, corpus, results):
    """The corpus as an experiment chooses from it, before the split; the run's id; the folder where it is kept."""
    corpus = experiment.target.apply(experiment.corpus.apply(corpus))
    run_id = experiment.id(corpus.fingerprint)
    return corpus, run_id, Path(results) / corpus.name / f"{experiment.model.name}-{run_id}"


def new_network(experiment, classes, statistics, device):
    """An experiment's model, with first weights that its seed decides, behind the normalisation of its features."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(experiment.seed)
        network = experiment.model.build(experiment.feature.shape, classes)
    return Classifier(network, statistics).to(device)


def _train(experiment, corpus, run_id, folder, device, watch, memory):
    write_json(folder / "experiment.json", experiment.to_dict())  # what an interrupted training was of
    for stale in folder.glob(".*.partial"):  # of a killed training; we hold the lock, so nobody writes there
        stale.unlink(missing_ok=True)
    feature, recipe, classes = experiment.feature, experiment.recipe, len(corpus.labels)
    corpus, store = readable(corpus, feature, PARTS)
    if store.problems:
        warnings.warn(corpus.skipped[-1], LabWarning, stacklevel=3)
    train_part = source(corpus, "train", feature, device, memory, store, recipe.augmentation)
    validation_part = source(corpus, "validation", feature, device, memory, store)
    statistics = train_part.statistics() if feature.normalise else None
    network = new_network(experiment, classes, statistics, device)
    checkpoint = folder / "checkpoint.safetensors"
    try:
        fitted = fit(network, train_part, validation_part, recipe, classes, experiment.seed, checkpoint, watch)
    finally:
        watch.close()
    if fitted.stopped:
        return None
    record = {
        "id": run_id,
        "schema": SCHEMA,
        "experiment": experiment.to_dict(),
        **parts(corpus),
        "parameters": count_parameters(network),
        "best_epoch": fitted.best_epoch,
        "history": fitted.history,
        "validation": None,
        "seconds_per_epoch": float(pd.DataFrame(fitted.history).seconds.median()),
        **origin(device),
        "skipped": [*corpus.skipped, *store.notes],
    }
    write_tensors(folder / "weights.safetensors", network.state_dict())
    run = Run(folder, record, corpus, device)
    run.__dict__["network"] = network.eval()
    table, record["validation"] = run.evaluate(part="validation")
    write_table(folder / "validation.csv.gz", table)
    write_json(folder / "run.json", record)  # last: from here on the run exists
    checkpoint.unlink(missing_ok=True)
    (folder / "experiment.json").unlink(missing_ok=True)
    return run


def read_record(folder, mend=None):
    """Contents of a run's `run.json`."""
    mend = mend or f"Delete {folder / 'run.json'} and run again: training takes up where it can."
    record = read_json(folder / "run.json", mend)
    if not isinstance(record, dict) or not {"id", "experiment", "corpus", "history"} <= set(record):
        raise LabError(f"{folder / 'run.json'} is not a run record. {mend}")
    return record


def about(corpus):
    """What a record says of a corpus."""
    return {key: getattr(corpus, key) for key in ("name", "fingerprint", "synthetic", "licence")}


def parts(corpus):
    """What a record says of a corpus that was split: how many of what are in each part, and who trains."""
    train = corpus.part("train")
    return {
        "corpus": about(corpus),
        "protocol": corpus.protocol,
        "clips": {part: len(corpus.part(part)) for part in PARTS},
        "speakers": {part: corpus.part(part).speaker.nunique() for part in PARTS},
        "labels": list(corpus.labels),
        "majority": train.label.mode()[0],
        "training_speakers": sorted(train.speaker.unique()),
    }


def origin(device):
    """What a record says of how it was made. Where folders lie concerns nobody else: the command has their names."""
    program, *words = sys.argv or [""]
    words = ["python -m labkit", *(Path(word).name if Path(word).is_absolute() else word for word in words)]
    return {
        "device": device_name(device),
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(words) if Path(program).name == "__main__.py" else "labkit.train",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
