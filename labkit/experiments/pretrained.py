"""Trained networks that come with the lab: weights, what they were trained on, and a card for people to read.

A folder `results/shipped/NAME/` holds `card.md` and `model.safetensors`, whose header says all that loading needs.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ..data.corpus import OTHER
from ..errors import LabError, choose
from ..evaluation.evaluate import evaluate
from ..files import home, write_text
from ..models.classifier import Classifier
from ..streaming import Decision
from ..training.tensors import read_tensors, write_tensors
from .experiment import Experiment

FORMAT = 1  # raise it when what the header says changes
LARGEST = 1_000_000  # bytes
NEEDED = ("experiment", "labels", "corpus", "training_speakers", "test", "majority", "protocol", "id")


@dataclass(frozen=True, eq=False)
class Shipped:
    """A shipped network, ready to be used.

    Parameters
    ----------
    name : str
    record : dict
        What the header says: experiment, labels, corpus, scores, training speakers.
    network : torch.nn.Module
        In eval mode on its device; takes features as `experiment.feature` makes them.
    device : torch.device
    """

    name: str
    record: dict
    network: torch.nn.Module
    device: torch.device
    corpus = None

    def __repr__(self):
        test = self.record["test"]
        return (
            f"{self.name}: {self.experiment.model.name} for {len(self.words)} words, trained on "
            f"{self.record['corpus']['name']}, test {100 * test['accuracy']:.1f}% on {test['clips']} clips"
        )

    @property
    def id(self):
        return self.record["id"]

    @property
    def experiment(self):
        return Experiment.from_dict(self.record["experiment"])

    @property
    def labels(self):
        return tuple(self.record["labels"])

    @property
    def words(self):
        """The labels without "other", which stands for whatever is none of them."""
        return tuple(label for label in self.labels if label != OTHER)

    @property
    def decision(self):
        """When a detector reports a word, as chosen on validation data; None where nobody chose."""
        return Decision(**self.record["decision"]) if self.record.get("decision") else None

    @torch.no_grad()
    def probabilities(self, waveforms, lengths=None):
        """What it thinks of some sounds.

        Parameters
        ----------
        waveforms : torch.Tensor
            Shape (batch, samples), between -1 and 1, at the rate `experiment.feature.sample_rate`.
        lengths : torch.Tensor, optional
            Shape (batch,), in samples; by default all of them.

        Returns
        -------
        torch.Tensor
            Shape (batch, classes), on the CPU; the classes are `labels`.
        """
        waveforms = torch.as_tensor(waveforms, dtype=torch.float32, device=self.device)
        if waveforms.ndim != 2:
            raise LabError(
                f"Sounds come as (batch, samples), not {tuple(waveforms.shape)}. For one sound write sound[None]."
            )
        if lengths is None:
            lengths = torch.full((len(waveforms),), waveforms.shape[1], device=self.device)
        extract = self.experiment.feature.build()
        extract = extract.to(self.device) if isinstance(extract, torch.nn.Module) else extract
        return self.network(*extract(waveforms, torch.as_tensor(lengths, device=self.device))).softmax(1).cpu()

    def evaluate(self, corpus, part="test"):
        """(predictions per clip, scores) on a corpus in which nobody was trained on; see `Run.evaluate`."""
        return evaluate(self, part, corpus)


def folder(place=None):
    """Where shipped networks lie."""
    return Path(place or home() / "results" / "shipped")


def names(place=None):
    """Names of the shipped networks."""
    return sorted(path.parent.name for path in folder(place).glob("*/model.safetensors"))


def load(name, device="cpu", place=None):
    """A shipped network by its name.

    Raises
    ------
    LabError
        If there is none of that name, its file is damaged, or it was made by another version of the lab.
    """
    path = choose(name, {each: folder(place) / each / "model.safetensors" for each in names(place)}, "shipped network")
    mend = f"Fetch the file again: git checkout -- results/shipped/{name}."
    tensors, header = read_tensors(path, mend)
    try:
        record = json.loads(header["labkit"])
        version = record["format"]
    except (KeyError, ValueError, TypeError) as error:
        raise LabError(f"{path} does not say what it holds. {mend}") from error
    if version != FORMAT:
        raise LabError(
            f"{path} has format {version}, and this version of the lab reads format {FORMAT}. "
            "Update the lab and the file together: git pull."
        )
    if missing := [key for key in NEEDED if key not in record]:
        raise LabError(f"{path} does not say its {missing[0]}. {mend}")
    try:
        experiment = Experiment.from_dict(record["experiment"])
        statistics = (tensors["front.mean"], tensors["front.spread"]) if experiment.feature.normalise else None
        network = Classifier(experiment.model.build(experiment.feature.shape, len(record["labels"])), statistics)
        network.load_state_dict(tensors)
        shipped = Shipped(name, record, network, torch.device(device))
        shipped.decision  # noqa: B018 (its settings may be of another version, too)
    except (LabError, KeyError, RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(
            f"The weights in {path} do not fit this version of the lab ({reason}). Update it: git pull."
        ) from error
    network.to(shipped.device).eval()
    return shipped


def ship(run, name, place=None, decision=None):
    """Write a tested run as a shipped network.

    Parameters
    ----------
    run : Run
        Trained on real recordings, tested, with its weights.
    name : str
    place : Path, optional
    decision : Decision, optional
        When a detector reports a word, chosen on the validation part.

    Returns
    -------
    Shipped
    """
    if run.synthetic:
        raise LabError(
            f"Run {run.id} was trained on synthetic speech. Ship one that was trained on recordings of people."
        )
    kept = ("id", "experiment", "corpus", "protocol", "clips", "speakers", "labels", "majority", "parameters")
    record = {"format": FORMAT, **{key: run.record[key] for key in (*kept, "date", "versions", "training_speakers")}}
    record |= {"validation": run.validation, "test": run.test()}
    record |= {} if decision is None else {"decision": asdict(decision)}
    tensors = run.network.state_dict()
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > 0.95 * LARGEST:
        raise LabError(
            f"Run {run.id} has {size / 1e6:.1f} MB of weights; {LARGEST / 1e6:.0f} MB is the most. Ship a smaller one."
        )
    target = folder(place) / name
    write_tensors(target / "model.safetensors", tensors, {"labkit": json.dumps(record)})
    write_text(target / "card.md", card(name, record))
    return load(name, place=place)


def card(name, record):
    """A model card (Mitchell et al., arXiv 1810.03993) in Markdown."""
    corpus = record["corpus"]
    shown = ("accuracy", "balanced_accuracy", "macro_f1", "chance", "majority")
    scores = "\n".join(
        f"| {part} | " + " | ".join(f"{100 * record[part][key]:.1f}%" for key in shown) + " |"
        for part in ("validation", "test")
    )
    rows = "\n".join(
        f"| {part} | {record['clips'][part]:,} | {record['speakers'][part]:,} |"
        for part in ("train", "validation", "test")
    )
    words = [label for label in record["labels"] if label != OTHER]
    others = "There is no class for anything else: other sounds get one of these names too."
    if OTHER in record["labels"]:
        others = f'A class "{OTHER}" stands for all else; it was taught with {_taught(record)}.'
    listening = ""
    if decision := record.get("decision"):
        listening = f"""
**In a stream** it reports a word whose probability, averaged over {decision["smoothing"]:g} s, reaches
{decision["threshold"]:g}, chosen on validation speakers, and then nothing for {decision["hold"]:g} s. How many words it
finds so, and how many that nobody said: `results/live/{name}.json`.
"""
    return f"""# {name}

Names one of {len(words)} spoken words: {", ".join(words)}.
{others}

**Network.** {record["experiment"]["model"]["name"]}, {record["parameters"]:,} parameters; settings, labels and training
speakers are in the header of `model.safetensors`. Trained on {record["date"]} with torch {record["versions"]["torch"]}.

**Recordings.** {corpus["name"]} (fingerprint {corpus["fingerprint"]}), split "{record["protocol"]}":

| part | clips | speakers |
|---|---|---|
{rows}

Nobody is in two parts.

**Test, once, on speakers never heard.** The epoch was chosen on validation.

| | accuracy | balanced accuracy | macro F1 | chance | always the commonest word |
|---|---|---|---|---|---|
{scores}
{listening}
**Fit for.** Lessons, and trying it on one's own voice. **Not fit for** anything that matters: it was tested on clips of
one second of this corpus only. Who these speakers are is not known; other accents, ages, rooms and microphones were not
measured.

**Licence.** Weights: MIT, as the lab. The recordings: {corpus["licence"]}; none of them is contained here.
"""


def _taught(record):
    """What the class "other" was made of, in words."""
    table = record["experiment"].get("target", {}).get("classes", [])
    words = [word for word, label in table if label == OTHER and word != OTHER]
    augmentation = record["experiment"]["recipe"].get("augmentation", {})
    parts = [f"{len(words)} other words of the corpus"] if words else []
    parts += ["pieces of words and noise alone"] if augmentation.get("pieces") else []
    parts += ["words played backwards"] if augmentation.get("backwards") else []
    return ", ".join(parts)
