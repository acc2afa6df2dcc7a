"""What a run leaves behind, and how it comes to be: exists -> loaded; else trained; interrupted -> resumed."""

import warnings
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import pandas as pd
import torch

from ..data.corpus import PARTS
from ..data.speech_commands import protocol_of
from ..data.splits import split
from ..errors import LabError, LabWarning, choose
from ..evaluation.predictions import predictions, readable
from ..files import alone, digest, read_json, read_table, unpacked, write_json, write_table
from ..metrics import confusion, in_percent, metrics_of
from ..models import count_parameters
from ..models.classifier import Classifier
from ..training.batches import batches_of
from ..training.loop import Callback, fit, seeded
from ..training.tensors import read_tensors, write_tensors
from . import sounds
from .experiment import OLD_NAMES, SCHEMA, Experiment, named
from .fine_tune import begin_with
from .schema import about, check, origin, parts


@dataclass(eq=False)
class Run:
    """A trained and validated experiment, and its one test. (One that was given a `network` is in memory only.)"""

    folder: Path  # run.json, validation.csv.gz; test.json and test.csv.gz once tested; weights.safetensors, if kept
    record: dict  # contents of run.json
    corpus: object = None  # split as in training; needed to test and predict, absent when only the record was read
    device: torch.device = torch.device("cpu")

    def __post_init__(self):
        self.id, self.name = self.record["id"], self.folder.name
        self.synthetic = self.record["corpus"]["synthetic"]
        self.experiment = Experiment.from_dict(self.record["experiment"])
        self.protocol = protocol_of(self.record)  # what the record says may be of the first edition
        self.labels = tuple(self.record["labels"])
        self.validation = self.record["validation"]  # metrics, with the weights of the best epoch

    @cached_property
    def history(self):
        """A row per epoch: losses, accuracies, learning rate, seconds."""
        return pd.DataFrame(self.record["history"]).rename(columns=OLD_NAMES)

    def __repr__(self):
        made = " (synthetic speech)" if self.synthetic else ""
        return self.record.get("in_words") or (
            f"Run {self.id}: {self.experiment} on {self.record['corpus']['name']}{made}, validation "
            f"{in_percent(self.validation)}{self.searched}, "
            f"best epoch {self.record['best_epoch']} of {len(self.history)}"
        )

    @property
    def searched(self):
        """Of how many trials it is the best, in brackets; "" if nobody searched."""
        words = " (the best of {trials} trials, {stopped_early} of them stopped early)"
        return words.format(**self.record["search"]) if "search" in self.record else ""

    @property
    def tests(self):
        """Which tests it has: "test", and "test-NAME" on another corpus."""
        return sorted(path.stem for path in self.folder.glob("test*.json"))

    @property
    def tested(self):
        return "test" in self.tests

    def test(self, other=None):
        """Metrics of the test part, or of that of another corpus: computed at the first call, read from then on."""
        name = "test" if other is None else f"test-{other.name}"
        path = self.folder / f"{name}.json"
        if name not in self.tests:
            table, metrics = self.evaluate(other)
            write_table(self.folder / f"{name}.csv.gz", table)
            of = {"run": self.id, "table": _hash(self.folder / f"{name}.csv.gz")}
            metrics |= {} if other is None else {"corpus": about(other)}
            write_json(path, metrics | {"of": of | {"metrics": digest(metrics)}})
        metrics = self.read_test(name)
        if other is not None and metrics["corpus"]["fingerprint"] != other.fingerprint:
            mend = "Rename this one's folder, or move that record away."
            raise LabError(f"{path} is of another corpus that was called {other.name}, too. {mend}")
        return metrics

    def read_test(self, name):
        """Metrics of a test from their file; LabError if they are of another run, or not of the table beside them."""
        path, table = self.folder / f"{name}.json", self.folder / f"{name}.csv.gz"
        mend = f"Delete {path.name} and {table.name} there and test again."
        metrics = read_json(path, mend)
        check(metrics, "a test record", path, mend)
        of = metrics.pop("of", None)  # the first edition wrote none
        if of and of["run"] != self.id:
            raise LabError(f"{path} belongs to run {of['run']}, not to {self.id}. {mend}")
        if of and of["table"] != _hash(table):
            raise LabError(f"{table} is missing, damaged, or not the table that {path.name} was computed from. {mend}")
        if of and of.get("metrics") not in (None, digest(metrics)):
            raise LabError(f"{path} was damaged after it was written: it has another hash. {mend}")
        if not of:
            unpacked(table, mend)
        return metrics

    def predictions(self, part="test"):
        """Per clip of "validation", "test" or "test-NAME": `path`, `speaker`, `label`, `predicted`, `confidence`."""
        if part == "test":
            self.test()
        return self.read_predictions(part).copy()  # the caller's own: a packed run keeps what it read

    def read_predictions(self, part):
        """The table of a part from its file; LabError if it is damaged, or of another run."""
        tables = {path.name.removesuffix(".csv.gz"): path for path in sorted(self.folder.glob("*.csv.gz"))}
        path = choose(part, tables, f"table of predictions in {self.folder}")
        mend = "Delete that folder and train again; one that came with the lab comes back with git checkout -- results."
        if part.startswith("test-"):
            self.read_test(part)
        elif part in self.record.get("tables", {}) and self.record["tables"][part] != _hash(path):
            raise LabError(f"{path} is damaged, or of another run than {self.id}. {mend}")
        text = dict.fromkeys(("path", "speaker", "label", "predicted"), str)  # a digit is a name here, not a number
        return read_table(path, mend, dtype=text)

    def confusion(self, part="test"):
        """Confusion matrix in clips: true labels down, predicted ones across."""
        return confusion(self.predictions(part), self.labels)

    def evaluate(self, corpus=None, part="test", **how):
        """(predictions per clip, metrics) on another corpus or part, `how` as `evaluation.predictions` takes it."""
        table = predictions(self, part, corpus, **how)
        return table, metrics_of(table, self.labels, self.record["majority"])

    @cached_property
    def network(self):
        """The trained network, in eval mode on its device."""
        weights = self.folder / "weights.safetensors"
        if not weights.exists():
            mend = "To have them, train it into another folder: labkit.train(run.experiment, corpus, results=...)."
            raise LabError(f"Run {self.id} is a record without weights ({self.folder}). {mend}")
        mend = f"Delete the folder {self.folder} and train again."
        tensors, _ = read_tensors(weights, mend, self.id)
        try:
            normalise = self.experiment.feature.normalise
            statistics = (tensors["front.mean"], tensors["front.std"]) if normalise else None
            network = new_network(self.experiment, len(self.labels), statistics, self.device)
            network.load_state_dict(tensors)
        except (KeyError, RuntimeError) as error:  # names or shapes of another network
            reason = " ".join(str(error).split())[:200]
            raise LabError(f"{weights} does not fit the model of run {self.id} ({reason}). {mend}") from error
        return network.eval()

    def refuse_other_sound(self, corpus, store):
        """LabError if clips of its corpus hold other sound than those it was trained with."""
        sounds.refuse_other(self.record.get("sounds"), corpus, store, self.folder.parent, self.id)

    @torch.no_grad()
    def probabilities(self, waveforms):
        """Class probabilities (batch, classes), on the CPU, of waveforms (batch, samples) between -1 and 1.

        The waveforms are sampled at `experiment.feature.sample_rate` and have no padding.
        """
        waveforms = torch.as_tensor(waveforms, dtype=torch.float32)
        if waveforms.ndim != 2:
            shape = tuple(waveforms.shape)
            raise LabError(f"Sounds come as (batch, samples), not {shape}. For one sound write sound[None].")
        lengths = torch.full((len(waveforms),), waveforms.shape[1])
        x, lengths = self.experiment.feature.build()(waveforms, lengths)
        return self.network(x.to(self.device), lengths.to(self.device)).softmax(1).cpu()


def train(experiment, corpus, results, device="cpu", callback=None):
    """The run of an experiment: loaded if it exists, resumed if it was interrupted, else trained.

    The experiment chooses from a corpus that was opened whole, and splits it; records lie in the folder `results`. If
    the `training.Callback` stops it, the result is None; what was learnt is kept, and the next call goes on from there.
    """
    device = torch.device(device)
    if run := found(experiment, corpus, results, device):
        _tidy(run.folder)
        if "sounds" in run.record:
            run.refuse_other_sound(*readable(run.corpus, experiment.feature, ()))
        return run
    corpus, run_id, folder = place(experiment, corpus, results)
    lock = Path(results) / ".locks" / f"{run_id}.lock"
    waiting = f"Another kernel is training run {run_id}; waiting for it."
    corpus = split(corpus, experiment.split)
    with alone(lock, waiting=waiting), named(experiment):
        if not (folder / "run.json").exists():  # else the other kernel finished it
            _train(experiment, corpus, run_id, folder, device, callback or Callback())
    return Run(folder, read_record(folder), corpus, device) if (folder / "run.json").exists() else None


def found(experiment, corpus, results, device="cpu"):
    """The run of an experiment, from its folder or packed with a sweep; None if it is not there."""
    from .packed import find  # here, since a packed run is a Run

    corpus, run_id, folder = place(experiment, corpus, results)
    corpus, record = split(corpus, experiment.split), folder / "run.json"
    run = Run(folder, read_record(folder), corpus, device) if record.exists() else None
    run = run or find(folder, corpus=corpus, device=device)
    if run and run.id != run_id:
        raise LabError(f"{record} is the record of run {run.id}, not of {run_id}. Delete it and train again.")
    return run


def place(experiment, corpus, results):
    """The corpus as an experiment chooses from it, before the split; the run's id; the folder where it is kept."""
    corpus = _chosen(corpus, experiment.corpus, experiment.target)
    if len(corpus.labels) < 2:
        raise LabError(f"The only label is {corpus.labels[0]!r}: there is nothing to tell apart. Choose two or more.")
    run_id = experiment.id(corpus.fingerprint)
    return corpus, run_id, Path(results) / corpus.name / f"{experiment.model.name}-{run_id}"


@lru_cache(1)  # the members of a sweep choose alike, and from a large corpus that takes seconds
def _chosen(corpus, subset, target):
    return target.apply(subset.apply(corpus))


def new_network(experiment, classes, statistics, device):
    """An experiment's model, with first weights that its seed decides, behind the normalisation of its features."""
    with seeded(experiment.seed, device):
        network = experiment.model.build(experiment.feature.shape, classes)
    return Classifier(network, statistics).to(device)


def _train(experiment, corpus, run_id, folder, device, callback):
    """Train, validate, and leave the record; if the callback stops it, a checkpoint from which it goes on."""
    begun, checkpoint = folder / "experiment.json", folder / "checkpoint.safetensors"
    write_json(begun, experiment.to_dict())  # what an interrupted training was of
    for stale in folder.glob(".*.partial"):  # of a killed training; we hold the lock, so nobody writes there
        stale.unlink(missing_ok=True)
    feature, recipe, classes = experiment.feature, experiment.recipe, len(corpus.labels)
    corpus, store = readable(corpus, feature, PARTS)
    if store.problems:
        warnings.warn(corpus.skipped[-1], LabWarning, stacklevel=3)
    if checkpoint.exists():
        kept = read_tensors(checkpoint, "Delete it, and training starts from the first epoch.")[1]
        sounds.refuse_other(kept.get("sounds"), corpus, store, folder.parent, run_id)
    identity = {"run": run_id, "sounds": sounds.keep(corpus, store, folder.parent)}
    train_part = batches_of(corpus, "train", feature, device, store=store, augmentation=recipe.augmentation)
    validation_part = batches_of(corpus, "validation", feature, device, store=store)
    network = new_network(experiment, classes, train_part.statistics() if feature.normalise else None, device)
    known = begin_with(network, experiment, corpus, folder.parent.parent)
    with closing(callback):
        fitted = fit(
            network, train_part, validation_part, recipe, classes, experiment.seed, checkpoint, callback, identity
        )
    if fitted.stopped:
        return
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
        "sounds": identity["sounds"],
    }
    record["training_speakers"] = sorted({*record["training_speakers"], *known})
    write_tensors(folder / "weights.safetensors", network.state_dict(), identity)
    table, record["validation"] = Run(folder, record, corpus, device).evaluate(part="validation")
    write_table(folder / "validation.csv.gz", table)
    record["tables"] = {"validation": _hash(folder / "validation.csv.gz")}
    record["hash"] = digest(record)
    write_json(folder / "run.json", record)  # last: from here on the run exists
    _tidy(folder)


def _tidy(folder):
    """Remove what only a training needs; one that was killed after its last step left it."""
    for path in (folder / "experiment.json", folder / "checkpoint.safetensors"):
        if path.exists():
            path.unlink(missing_ok=True)


def read_record(folder, mend=None):
    """Contents of a run's `run.json`."""
    path = folder / "run.json"
    mend = mend or f"Delete {path} and run again: training takes up where it can."
    record = read_json(path, mend)
    check(record, "a run record", path, mend)
    if record.pop("hash", None) not in (None, digest(record)):  # the first edition wrote none
        raise LabError(f"{path} was damaged after it was written: it has another hash. {mend}")
    return record


def _hash(path):
    """Hash of a file, None if there is none."""
    return digest(path.read_bytes()) if path.is_file() else None
