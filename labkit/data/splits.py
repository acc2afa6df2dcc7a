"""Who is in train, validation and test.

Each protocol takes a Corpus and returns it with the column `split` replaced. All but the one called leaky keep
every speaker in one part, and `split` proves it each time.
"""

import hashlib
from dataclasses import dataclass

import pandas as pd

from . import audiomnist, extra_voices as joined
from .corpus import PARTS, Corpus, parts_by_speaker
from ..errors import LabError, check_types, choose


@dataclass(frozen=True)
class Split:
    """Settings of a split.

    Parameters
    ----------
    protocol : str
        A key of `PROTOCOLS`.
    fold : int
        For "folds": which of the `folds` groups of speakers is tested; the next one validates. For "audiomnist_digit"
        and "audiomnist_gender": which of the published five or four.
    folds : int
    speaker : str
        For "leave_one_speaker_out": who is tested.
    validation_speaker : str
        For "leave_one_speaker_out": who validates; by default the next speaker in order.
    validation, test : float
        Shares of speakers (or of clips, for the leaky one) for "by_speaker", "stratified" and "by_clip_leaky".
    seed : int
        Of the hash that assigns speakers or clips.
    most_clips : int, optional
        Keep at most so many clips of a speaker, chosen by a hash of their path; None keeps all.
    fewest_speakers : int
        Set aside labels that fewer people say. "stratified" sets aside those that are not in all three parts, too.
    """

    protocol: str = "official"
    fold: int = 0
    folds: int = 5
    speaker: str = ""
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    most_clips: int | None = None
    fewest_speakers: int = 0
    validation_speaker: str = ""

    def __post_init__(self):
        check_types(self)
        if (self.most_clips is not None and self.most_clips < 1) or self.fewest_speakers < 0:
            raise LabError(
                f"most_clips={self.most_clips}, fewest_speakers={self.fewest_speakers}: the first is at least 1 or "
                "None, the second not below zero. Change these."
            )


def official(corpus, settings):
    """The publisher's own parts, as the corpus module read them."""
    return corpus.clips.split


def by_speaker(corpus, settings):
    """Each speaker to a part by a hash of the name."""
    return parts_by_speaker(corpus.clips.speaker, settings.validation, settings.test, settings.seed)


def folds(corpus, settings):
    """Speakers in `folds` groups of equal number; group `fold` is tested, the next validates, the rest train."""
    names = sorted(corpus.clips.speaker.unique(), key=lambda name: _hash(settings.seed, name))
    if not 0 <= settings.fold < settings.folds or len(names) < settings.folds or settings.folds < 3:
        raise LabError(
            f"{corpus.name} has {len(names)} speakers: fold {settings.fold} of {settings.folds} cannot be made. "
            "Choose folds between 3 and the number of speakers, and fold below folds."
        )
    group = {name: i % settings.folds for i, name in enumerate(names)}
    parts = {settings.fold: "test", (settings.fold + 1) % settings.folds: "validation"}
    return corpus.clips.speaker.map(lambda name: parts.get(group[name], "train"))


def leave_one_speaker_out(corpus, settings):
    """Test on one speaker, validate on another (by default the next in order), train on the rest."""
    names = sorted(corpus.clips.speaker.unique())
    for name in (settings.speaker, settings.validation_speaker or settings.speaker):
        choose(name, dict.fromkeys(names), f"speaker of {corpus.name}")
    if settings.validation_speaker == settings.speaker:
        raise LabError(f"{settings.speaker!r} cannot be tested and validate, too. Name another validation_speaker.")
    if len(names) < 3:
        raise LabError(f"{corpus.name} has {len(names)} speakers; leaving one out needs three. Add speakers.")
    following = settings.validation_speaker or names[(names.index(settings.speaker) + 1) % len(names)]
    return corpus.clips.speaker.map(lambda name: {settings.speaker: "test", following: "validation"}.get(name, "train"))


def stratified(corpus, settings):
    """Whole speakers, so that each label has about the same share of its speakers in each part.

    A speaker counts for the label of most of their clips. Of the speakers of a label, in the order of a hash, the first
    are tested, the next validate, at least one each; the rest, at least one, train. A label of fewer than three
    speakers cannot be in all parts and is set aside.
    """
    label = corpus.clips.groupby("speaker").label.agg(lambda labels: labels.mode()[0])
    parts = {}
    for _, names in label.groupby(label):
        names = sorted(names.index, key=lambda name: _hash(settings.seed, name))
        held = [max(1, round(share * len(names))) for share in (settings.test, settings.validation)]
        while sum(held) >= len(names):
            held[held.index(max(held))] -= 1
        for place, name in enumerate(names):
            parts[name] = "test" if place < held[0] else "validation" if place < sum(held) else "train"
    return corpus.clips.speaker.map(parts)


def audiomnist_digit(corpus, settings):
    """AudioMNIST's five published folds: twelve speakers are tested, twelve validate, 36 train."""
    return _published(corpus, "digit", settings.fold)


def audiomnist_gender(corpus, settings):
    """AudioMNIST's four published folds of the gender task: of 24 speakers, half of them women, six are tested."""
    return _published(corpus, "gender", settings.fold)


def _published(corpus, task, fold):
    """Parts as published; speakers who are in none of them have None."""
    parts = audiomnist.fold(task, fold)
    if missing := sorted(set(parts) - set(corpus.clips.speaker)):
        raise LabError(
            f"{corpus.name} lacks {len(missing)} of the {len(parts)} speakers of AudioMNIST's {task} folds: "
            f"{', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}. Use AudioMNIST with all of its speakers, "
            "or the protocol 'folds', which makes folds of the speakers that are there."
        )
    return corpus.clips.speaker.map(parts.get)


def by_clip_leaky(corpus, settings):
    """Clips at random, whoever speaks: for audits only, since the same voice is trained on and tested."""
    clips = corpus.clips.path  # each for itself, as if it were a speaker
    return parts_by_speaker(clips, settings.validation, settings.test, settings.seed)


PROTOCOLS = {
    "official": official,
    "by_speaker": by_speaker,
    "folds": folds,
    "leave_one_speaker_out": leave_one_speaker_out,
    "stratified": stratified,
    "audiomnist_digit": audiomnist_digit,
    "audiomnist_gender": audiomnist_gender,
    "by_clip_leaky": by_clip_leaky,
}
LEAKY = ("by_clip_leaky",)


def split(corpus: Corpus, settings: Split) -> Corpus:
    """Apply a protocol.

    Returns
    -------
    Corpus
        With its `split` column replaced and `protocol` set. Clips beyond `most_clips`, and labels with too few
        speakers, are left out; `skipped` says how many.

    Raises
    ------
    LabError
        If a part would be empty, or a speaker would be in two parts of a protocol that is not leaky.
    """
    protocol = choose(settings.protocol, PROTOCOLS, "split protocol")
    name = corpus.protocol if settings.protocol == "official" else settings.protocol
    corpus = _enough_speakers(_capped(corpus, settings), settings)
    result = _without_part(corpus, _parts(corpus, protocol, settings), name)
    if settings.protocol == "stratified":
        result = _in_all_parts(result)
    sizes = {part: len(result.part(part)) for part in PARTS}
    if not all(sizes.values()):
        raise LabError(
            f"The split {settings.protocol!r} of {corpus.name} gives {sizes}, and every part needs clips. "
            "Use more speakers, or another protocol."
        )
    if settings.protocol not in LEAKY and (both := shared_speakers(result)):
        raise LabError(
            f"{len(both)} speakers of {corpus.name} are in more than one part, {both[0]} for one. "
            "Use the protocol 'by_speaker', or 'by_clip_leaky' if the leak is what you study."
        )
    return result


def _parts(corpus, protocol, settings):
    """What the protocol makes of the corpus' own clips; those of corpora that were joined (`join`) all train."""
    if joined.COLUMN not in corpus.clips:
        return protocol(corpus, settings)
    own = corpus.clips[joined.COLUMN] == ""
    parts = protocol(corpus.with_clips(corpus.clips[own]), settings)
    return pd.Series(parts.values, corpus.clips.index[own]).reindex(corpus.clips.index, fill_value="train")


def _without_part(corpus, parts, protocol):
    """The corpus with these parts, and without the clips that have none."""
    out = parts.isna()
    note = f"{out.sum():,} clips of {corpus.clips.speaker[out].nunique()} speakers are in no part of {protocol}."
    return corpus.with_clips(
        corpus.clips.assign(split=parts)[~out], protocol=protocol, skipped=(*corpus.skipped, *[note][: int(out.any())])
    )


def _capped(corpus, settings):
    """At most `most_clips` of a speaker."""
    if settings.most_clips is None:
        return corpus
    clips = corpus.clips
    rank = clips.path.map(lambda path: _hash(settings.seed, path)).groupby(clips.speaker).rank()
    out = rank > settings.most_clips
    note = (
        f"{out.sum():,} clips of {clips.speaker[out].nunique():,} speakers are left out: the split takes at most "
        f"{settings.most_clips} of each."
    )
    return corpus.with_clips(clips[~out], skipped=(*corpus.skipped, *[note][: int(out.any())]))


def _enough_speakers(corpus, settings):
    """Without the labels that too few people say."""
    people = corpus.clips.groupby("label").speaker.nunique()
    few = [label for label in corpus.labels if people.get(label, 0) < settings.fewest_speakers]
    listed = ", ".join(f"{label} ({people.get(label, 0)})" for label in few)
    return _set_aside(corpus, few, f"fewer than {settings.fewest_speakers} speakers: {listed}")


def _in_all_parts(corpus):
    """Without the labels that are not in every part: those of one or two speakers."""
    parts = corpus.clips.groupby("label").split.nunique()
    few = [label for label in corpus.labels if parts.get(label, 0) < len(PARTS)]
    return _set_aside(corpus, few, f"too few speakers for three parts: {', '.join(few)}")


def _set_aside(corpus, labels, why):
    """Without some labels, saying so."""
    if not labels:
        return corpus
    kept = tuple(label for label in corpus.labels if label not in labels)
    if not kept:
        raise LabError(f"No label of {corpus.name} is left: all have {why}. Take wider classes, or more data.")
    clips = corpus.clips[corpus.clips.label.isin(kept)]
    note = f"{len(labels)} labels are set aside, with {len(corpus) - len(clips):,} clips ({why})."
    return corpus.with_clips(clips, labels=kept, skipped=(*corpus.skipped, note))


def shared_speakers(corpus):
    """Speakers that are in more than one part, sorted."""
    parts = corpus.clips.groupby("speaker").split.nunique()
    return sorted(parts[parts > 1].index)


def _hash(seed, name):
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
