"""The one way from a run and clips to predictions: of its own corpus or another."""

import warnings

from ..data.splits import LEAKY
from ..data.store import open_store
from ..errors import LabError, LabWarning
from ..training.batches import batches_of
from ..training.loop import predict


def predictions(run, part="test", corpus=None, *, leaky=False):
    """What a run says of each clip of a part: a table of `path`, `speaker`, `label`, `predicted`, `confidence`.

    Parameters
    ----------
    corpus : Corpus, optional
        By default the one it was trained on. Of another one, clips with labels that the run does not know are left out.
    leaky : bool
        Allow speakers that the run was trained on. Without it they raise LabError, unless the split is called leaky.
    """
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
    return with_predictions(run, table, predict(run.network, clips, run.experiment.recipe)[0])


def with_predictions(run, table, logits):
    """A table of clips with what a run says of them, from its logits (clips, classes)."""
    confidence, predicted = logits.softmax(1).max(1)
    names = [run.labels[number] for number in predicted.tolist()]
    return table.assign(predicted=names, confidence=confidence.cpu().numpy().round(4))


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
