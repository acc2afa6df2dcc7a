"""Trying a trained network on a part of a corpus, if nobody in it was trained on."""

import warnings

from .. import metrics
from ..data.splits import LEAKY
from ..data.store import open_store
from ..errors import LabError, LabWarning
from ..training.batches import source
from ..training.loop import predict


def evaluate(run, part, corpus=None):
    """(predictions per clip, scores) of a run on one part of its own corpus or of another."""
    if corpus is None:
        corpus = own_corpus(run)
    elif corpus.labels != run.labels:  # else this target, or none, was applied before
        corpus = run.experiment.target.apply(corpus)
    if unknown := set(corpus.labels) - set(run.labels):
        corpus = corpus.only(labels=[label for label in run.labels if label in corpus.labels])
        warnings.warn(
            f"{len(unknown)} labels of {corpus.name} are unknown to this run and left out.", LabWarning, stacklevel=3
        )
    store = open_store(corpus, run.experiment.feature.sample_rate)
    corpus = corpus.with_clips(corpus.clips, labels=run.labels).without(store.problems)
    need_clips(corpus, part)
    refuse_training_speakers(run, corpus.part(part))
    clips = source(corpus, part, run.experiment.feature, run.device, store=store)
    scores, _ = predict(run.network, clips, run.experiment.recipe)
    confidence, guess = scores.softmax(1).max(1)
    guess = guess.cpu().numpy()
    table = corpus.part(part)[["path", "speaker", "label"]].assign(
        predicted=[run.labels[number] for number in guess], confidence=confidence.cpu().numpy().round(4)
    )
    return table, graded(run, clips, guess)


def own_corpus(run):
    """The corpus that a run was trained on."""
    if run.corpus is None:
        raise LabError(
            f"Run {run.id} was read without its corpus. Call labkit.train(run.experiment, ...) to have both."
        )
    return run.corpus


def graded(run, clips, guess):
    """Scores of class numbers that were guessed for a source's clips, as `metrics.scores` gives them."""
    majority = run.labels.index(run.record["majority"])
    return metrics.scores(clips.targets.cpu().numpy(), guess, run.labels, majority)


def need_clips(corpus, part):
    if corpus.part(part).empty:
        raise LabError(
            f"{corpus.name} has no clips in its part {part!r} that can be read and used here. "
            f"Split it (labkit.split) or add clips. {' '.join(corpus.skipped)}"
        )


def refuse_training_speakers(run, clips):
    """Raise LabError if a clip is of a speaker the run was trained on and its split is not called leaky."""
    known = set(run.record["training_speakers"]) & set(clips.speaker)
    if known and run.record["protocol"] not in LEAKY:
        raise LabError(
            f"{len(known)} of these speakers were trained on by run {run.id} ({sorted(known)[0]} for one), so this "
            "would measure memory, not recognition. Test on other speakers, "
            "or study the leak with the split 'by_clip_leaky'."
        )
