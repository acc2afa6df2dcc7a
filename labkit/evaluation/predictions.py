"""The one way from a run and clips to predictions: of its own corpus or another."""

import copy
import warnings

import torch

from ..data.splits import LEAKY
from ..data.store import open_store
from ..errors import LabError, LabWarning, choose
from ..files import read_json, write_json, write_table
from ..training.batches import batches_of
from ..training.loop import predict, seeded


def predictions(run, part="test", corpus=None, *, mode="eval", batch=64, leaky=False):
    """What a run says of each clip of a part: a table of `path`, `speaker`, `label`, `predicted`, `confidence`.

    Parameters
    ----------
    corpus : Corpus, optional
        By default the one it was trained on. Of another one, clips with labels that the run does not know are left out.
    mode : {"eval", "train"}
        "train" never calls `eval()`: batch normalisation takes its mean from the clips that share a batch, `batch` of
        them drawn at random (the table says which), and dropout goes on.
    leaky : bool
        Allow speakers that the run was trained on. Without it they raise LabError, unless the split is called leaky.
    """
    choose(mode, dict.fromkeys(("eval", "train")), "mode")
    feature, own = run.experiment.feature, corpus is None
    corpus = run.corpus if own else corpus
    if corpus is None:
        raise LabError(f"Run {run.id} was read without its corpus. Call labkit.train(run.experiment, ...) for both.")
    if corpus.labels != run.labels:  # else this target, or none, was applied before
        corpus = run.experiment.target.apply(corpus)
    if unknown := set(corpus.labels) - set(run.labels):
        corpus = corpus.only(labels=[label for label in run.labels if label in corpus.labels])
        said = f"{len(unknown)} labels of {corpus.name} are unknown to this run and left out."
        warnings.warn(said, LabWarning, stacklevel=3)
    corpus, store = readable(corpus.with_clips(corpus.clips, labels=run.labels), feature, [part])
    if own:
        run.refuse_other_sound(corpus, store)
    table = corpus.part(part)[["path", "speaker", "label"]]
    if not leaky:
        refuse_training_speakers(run, table)
    clips = batches_of(corpus, part, feature, run.device, store=store)
    if mode == "eval":
        logits, _ = predict(run.network, clips, run.experiment.recipe)
    else:
        logits, number = _in_training_mode(run, clips, batch)
        table = table.assign(batch=number)
    confidence, predicted = logits.softmax(1).max(1)
    names = [run.labels[number] for number in predicted.tolist()]
    return table.assign(predicted=names, confidence=confidence.cpu().numpy().round(4))


@torch.no_grad()
def _in_training_mode(run, clips, batch):
    """Logits (clips, classes) of the network without `eval()`, and the number of each clip's batch."""
    network = copy.deepcopy(run.network).train()  # a copy: its running statistics move with each batch
    logits = torch.empty(len(clips), len(run.labels), device=run.device)
    numbers = torch.empty(len(clips), dtype=torch.int64)
    with seeded(0, run.device):
        for number, index in enumerate(clips.batches(batch, seed=0)):
            x, lengths, _ = clips[index]
            logits[index], numbers[index] = network(x, lengths), number
    return logits, numbers.numpy()


def audit(run, batch=64):
    """Two habits that flatter or blur a result, measured on a run and kept beside its record.

    A dict of two sets of metrics. `train` counts clips that were trained on. `training_mode` is the test part without
    `eval()`, in batches of so many clips; its `mean_of_batches` is the mean of the batches' accuracies
    (which counts a clip of a short last batch more). `run.predictions` has their tables by these names.
    """
    path = run.folder / "audit.json"
    if "audit" in run.record:  # of a packed sweep
        return run.record["audit"]
    if not path.exists():
        train, train_metrics = run.evaluate(part="train", leaky=True)
        blurred, metrics = run.evaluate(mode="train", batch=batch)
        right = (blurred.label == blurred.predicted).groupby(blurred.pop("batch")).mean()
        metrics |= {"batch": batch, "mean_of_batches": float(right.mean())}
        write_table(run.folder / "train.csv.gz", train)
        write_table(run.folder / "training_mode.csv.gz", blurred)
        write_json(path, {"train": train_metrics, "training_mode": metrics})
    return read_json(path)


def readable(corpus, feature, parts):
    """The corpus without the clips that cannot be read, and its store; none of the parts may be empty."""
    store = open_store(corpus, feature.sample_rate)
    corpus = corpus.without(store.problems)
    for part in parts:
        need_clips(corpus, part)
    return corpus, store


def need_clips(corpus, part):
    if corpus.part(part).empty:
        mend = "Split it (labkit.split) or add clips."
        left_out = " ".join(corpus.skipped)
        raise LabError(f"{corpus.name} has no clips in its part {part!r} that can be read and used. {left_out} {mend}")


def refuse_training_speakers(run, clips):
    """A run is not tested on clips of those it was trained on, unless its split is called leaky."""
    known = set(run.record["training_speakers"]) & set(clips.speaker)
    if known and run.record["protocol"] not in LEAKY:
        raise LabError(
            f"{len(known)} of these speakers were trained on by run {run.id} ({min(known)} for one), so this would "
            "measure memory, not recognition. Test on other speakers, or study the leak with the split 'by_clip_leaky'."
        )
