"""Who is in train, validation and test.

Each protocol takes a Corpus and says the part of each of its clips. All but the one called leaky keep every speaker in
one part, and `split` proves it each time.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ..errors import LabError, choose
from ..settings import Count, Fraction, WholeNumber, one_of, settings
from .corpus import PARTS, Corpus, parts_by_speaker
from .extra_voices import COLUMN

# Of each published protocol, the groups of speakers that were tested together. AudioMNIST's two are from
# github.com/soerenab/AudioMNIST, audiomnist/train/splits.py; its gender task takes 24 speakers, half of them women.
GROUPS = {
    protocol: tuple(tuple(group.split()) for group in groups)
    for protocol, groups in pd.read_csv(Path(__file__).with_name("published_folds.csv")).groupby("protocol").speakers
}


def official(corpus, how):
    """The publisher's own parts, as the corpus module read them."""
    return corpus.clips.split


def by_speaker(corpus, how):
    """Each speaker to a part by a hash of the name."""
    return parts_by_speaker(corpus.clips.speaker, how.validation, how.test, how.seed)


def folds(corpus, how):
    """Speakers in `folds` groups of equal number; group `fold` is tested, the next validates, the rest train."""
    names = sorted(corpus.clips.speaker.unique(), key=lambda name: _hash(how.seed, name))
    if not how.fold < how.folds <= len(names) or how.folds < 3:
        wrong = f"{corpus.name} has {len(names)} speakers: fold {how.fold} of {how.folds} cannot be made."
        raise LabError(f"{wrong} Choose folds between 3 and the number of speakers, and fold below folds.")
    group = {name: place % how.folds for place, name in enumerate(names)}
    parts = {how.fold: "test", (how.fold + 1) % how.folds: "validation"}
    return corpus.clips.speaker.map(group).map(parts).fillna("train")


def leave_one_speaker_out(corpus, how):
    """Test on one speaker, validate on another (by default the next in order), train on the rest."""
    names = sorted(corpus.clips.speaker.unique())
    for name in (how.speaker, how.validation_speaker or how.speaker):
        choose(name, dict.fromkeys(names), f"speaker of {corpus.name}")
    if how.validation_speaker == how.speaker:
        raise LabError(f"{how.speaker!r} cannot be tested and validate, too. Name another validation_speaker.")
    if len(names) < 3:
        raise LabError(f"{corpus.name} has {len(names)} speakers; leaving one out needs three. Add speakers.")
    following = how.validation_speaker or names[(names.index(how.speaker) + 1) % len(names)]
    return corpus.clips.speaker.map({how.speaker: "test", following: "validation"}).fillna("train")


def stratified(corpus, how):
    """Whole speakers, so that each label has about the same fraction of its speakers in each part, and at least one.

    A speaker counts for the label of most of their clips. A label of fewer than three speakers is set aside later.
    """
    label = corpus.clips.groupby("speaker").label.agg(lambda labels: labels.mode()[0])
    parts = {}
    for _, names in label.groupby(label):
        names = sorted(names.index, key=lambda name: _hash(how.seed, name))
        held = [max(1, round(fraction * len(names))) for fraction in (how.test, how.validation)]
        while sum(held) >= len(names):
            held[held.index(max(held))] -= 1
        for place, name in enumerate(names):
            parts[name] = "test" if place < held[0] else "validation" if place < sum(held) else "train"
    return corpus.clips.speaker.map(parts)


def published(corpus, how):
    """Folds as published; speakers who are in none of them have no part."""
    parts = published_parts(how.protocol, how.fold)
    if missing := sorted(set(parts) - set(corpus.clips.speaker)):
        listed = f"{', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}"
        raise LabError(
            f"{corpus.name} lacks {len(missing)} of the {len(parts)} speakers of {how.protocol}: {listed}. Use the "
            "corpus with all of its speakers, or the protocol 'folds', which takes the speakers that are there."
        )
    return corpus.clips.speaker.map(parts)


def published_parts(protocol, fold):
    """From each speaker of a published protocol to their part: group `fold` validates, the next is tested."""
    groups = GROUPS[protocol]
    if fold >= len(groups):
        raise LabError(f"{protocol} has no fold {fold}. Take one from 0 to {len(groups) - 1}.")
    parts = {fold: "validation", (fold + 1) % len(groups): "test"}
    return {name: parts.get(place, "train") for place, names in enumerate(groups) for name in names}


def by_clip_leaky(corpus, how):
    """Clips at random, whoever speaks: for audits only, since the same voice is trained on and tested."""
    return parts_by_speaker(corpus.clips.path, how.validation, how.test, how.seed)  # each clip as if it were a speaker


PROTOCOLS = {rule.__name__: rule for rule in (official, by_speaker, folds, leave_one_speaker_out, stratified)}
PROTOCOLS |= {**dict.fromkeys(GROUPS, published), "by_clip_leaky": by_clip_leaky}
LEAKY = ("by_clip_leaky",)


@settings
class Split:
    """Which protocol says who is in which part, and how."""

    protocol: one_of(PROTOCOLS, "split protocol") = "official"
    fold: WholeNumber = 0  # of "folds": the group that is tested (the next validates); of a published protocol: which
    folds: WholeNumber = 5  # how many groups "folds" makes
    speaker: str = ""  # who is tested in "leave_one_speaker_out"
    validation: Fraction = 0.1  # of speakers, or of clips, in "by_speaker", "stratified" and "by_clip_leaky"
    test: Fraction = 0.1
    seed: int = 0  # of the hash that assigns speakers or clips
    most_clips: Count | None = None  # keep at most so many clips of a speaker, chosen by a hash of their path
    validation_speaker: str = ""  # who validates in "leave_one_speaker_out"; by default the next in order


def split(corpus: Corpus, how: Split) -> Corpus:
    """Apply a protocol: the corpus with its `split` column replaced, `protocol` set, and what is left out in `skipped`.

    It is an error if a part would be empty, or a speaker would be in two parts of a protocol that is not leaky.
    """
    name = corpus.protocol if how.protocol == "official" else how.protocol
    if how.most_clips is not None:
        rank = corpus.clips.path.map(lambda path: _hash(how.seed, path)).groupby(corpus.clips.speaker).rank()
        why = f"are left out: the split takes at most {how.most_clips} of each"
        corpus = _without(corpus, rank > how.most_clips, why)
    own = corpus.clips[corpus.clips[COLUMN] == ""] if COLUMN in corpus.clips else corpus.clips
    parts = PROTOCOLS[how.protocol](replace(corpus, clips=own), how)
    parts = parts.reindex(corpus.clips.index, fill_value="train")  # all clips of joined corpora
    corpus = _without(corpus, parts.isna(), f"are in no part of {name}")
    corpus = corpus.with_clips(corpus.clips.assign(split=parts.dropna().to_numpy()), protocol=name)
    if how.protocol == "stratified":
        corpus = _in_all_parts(corpus)
    sizes = {part: len(corpus.part(part)) for part in PARTS}
    if not all(sizes.values()):
        wrong = f"The split {how.protocol!r} of {corpus.name} gives {sizes}, and every part needs clips."
        raise LabError(f"{wrong} Use more speakers, or another protocol.")
    if how.protocol not in LEAKY and (both := shared_speakers(corpus)):
        wrong = f"{len(both)} speakers of {corpus.name} are in more than one part, {both[0]} for one."
        raise LabError(f"{wrong} Use the protocol 'by_speaker', or 'by_clip_leaky' if the leak is what you study.")
    return corpus


def _without(corpus, out, why):
    """The corpus without some clips, which it reports."""
    if not out.any():
        return corpus
    note = f"{out.sum():,} clips of {corpus.clips.speaker[out].nunique():,} speakers {why}."
    return corpus.with_clips(corpus.clips[~out], skipped=(*corpus.skipped, note))


def _in_all_parts(corpus):
    """The corpus without the labels that are not in every part: those of one or two speakers."""
    parts = corpus.clips.groupby("label").split.nunique().reindex(corpus.labels, fill_value=0)
    few, kept = list(parts.index[parts < len(PARTS)]), tuple(parts.index[parts == len(PARTS)])
    if not few:
        return corpus
    why = f"too few speakers for three parts: {', '.join(few)}"
    if not kept:
        raise LabError(f"No label of {corpus.name} is left: all have {why}. Take wider classes, or more data.")
    out = corpus.clips.label.isin(few)
    note = f"{len(few)} labels are set aside, with {out.sum():,} clips ({why})."
    return corpus.with_clips(corpus.clips[~out], labels=kept, skipped=(*corpus.skipped, note))


def shared_speakers(corpus):
    """Speakers that are in more than one part, sorted."""
    parts = corpus.clips.groupby("speaker").split.nunique()
    return sorted(parts[parts > 1].index)


def _hash(seed, name):
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
