"""Who is in train, validation and test.

Each protocol takes a Corpus and says the part of each of its clips. All but the one called leaky keep every speaker in
one part, and `split` proves it each time.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from ..errors import LabError, choose
from ..files import digest
from ..settings import Count, Fraction, Seed, WholeNumber, one_of, settings
from .corpus import EXTRA, PARTS, Corpus, parts_by_speaker

# Of each published protocol, the groups of speakers that were tested together. AudioMNIST's two are from
# github.com/soerenab/AudioMNIST, audiomnist/train/splits.py; its gender task takes 24 speakers, half of them women.
GROUPS = {
    protocol: tuple(tuple(group.split()) for group in groups)
    for protocol, groups in pd.read_csv(Path(__file__).with_name("published_folds.csv")).groupby("protocol").speakers
}


def official(corpus, how):
    """The parts that came with the corpus: the publisher's (else `split` calls them its own lists)."""
    return corpus.clips.split


def by_speaker(corpus, how, who="speaker"):
    """Each speaker to a part by a hash of the name."""
    return parts_by_speaker(corpus.clips[who], how.validation, how.test, how.seed)


def folds(corpus, how):
    """Speakers in `folds` groups of equal number; group `fold` is tested, the next validates, the rest train."""
    names = sorted(corpus.clips.speaker.unique(), key=lambda name: _hash(how.seed, name))
    if not how.fold < how.folds <= len(names) or how.folds < 3:
        wrong = f"{corpus.name} has {len(names)} speakers: fold {how.fold} of {how.folds} cannot be made"
        raise LabError(f"{wrong}. Choose folds between 3 and {len(names)}, and fold below folds.")
    groups = [names[place :: how.folds] for place in range(how.folds)]
    return corpus.clips.speaker.map(_parts(groups, test=how.fold, validation=how.fold + 1))


def leave_one_speaker_out(corpus, how):
    """Test on one speaker, validate on another (by default the next in order), train on the rest."""
    names = sorted(corpus.clips.speaker.unique())
    place = {name: number for number, name in enumerate(names)}
    test = choose(how.speaker, place, f"speaker of {corpus.name}")
    named = how.validation_speaker or names[(test + 1) % len(names)]
    validation = choose(named, place, f"speaker of {corpus.name}")
    if len(names) < 3:
        raise LabError(f"{corpus.name} has {len(names)} speakers; leaving one out needs three. Add speakers.")
    if validation == test:
        raise LabError(f"{how.speaker!r} cannot both be tested and validate. Name another validation_speaker.")
    return corpus.clips.speaker.map(_parts([[name] for name in names], test, validation))


def new_voices(corpus, how):
    """Train on the named speakers and test on all others, but for every tenth of their clips, which validate.

    So one may also train on all speakers but one. But a choice on validation would know the tested speakers: there is
    none, for an Experiment with this split must keep its last epoch.
    """
    names = dict.fromkeys(corpus.clips.speaker, "train")
    tenth = corpus.clips.groupby("speaker").cumcount() % 10 == 9
    parts = tenth.map({True: "validation", False: "test"})
    for name in how.train:
        parts = parts.mask(corpus.clips.speaker == name, choose(name, names, f"speaker of {corpus.name}"))
    return parts


def stratified(corpus, how):
    """Whole speakers, so that each label has about the same fraction of its speakers in each part, and at least one."""
    # A speaker counts for the label of most of their clips. A label of one or two speakers has no part.
    label = corpus.clips.groupby("speaker").label.agg(lambda labels: labels.mode()[0])
    parts = {}
    for _, names in label.groupby(label):
        held = [max(1, round(fraction * len(names))) for fraction in (how.test, how.validation)]
        while sum(held) >= len(names):
            held[held.index(max(held))] -= 1
        for place, name in enumerate(sorted(names.index, key=lambda name: _hash(how.seed, name))):
            parts[name] = "test" if place < held[0] else "validation" if place < sum(held) else "train"
    parts = corpus.clips.speaker.map(parts)
    return parts.where(parts.groupby(corpus.clips.label).transform("nunique") == len(PARTS))


def published(corpus, how):
    """Folds as published: group `fold` validates, the next is tested; speakers who are in no group have no part."""
    parts = published_parts(how.protocol, how.fold)
    if missing := sorted(set(parts) - set(corpus.clips.speaker)):
        wrong = f"{corpus.name} lacks {len(missing)} of the {len(parts)} speakers of {how.protocol}"
        mend = "Use the corpus with all its speakers, or the protocol 'folds', which takes the speakers that are there."
        raise LabError(f"{wrong}: {', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}. {mend}")
    return corpus.clips.speaker.map(parts)


def published_parts(protocol, fold):
    """From each speaker of a published protocol to their part."""
    groups = GROUPS[protocol]
    if fold >= len(groups):
        raise LabError(f"{protocol} has no fold {fold}. Take one from 0 to {len(groups) - 1}.")
    return _parts(groups, test=fold + 1, validation=fold)


def _parts(groups, test, validation):
    """From each speaker of some groups to their part; a group's number counts on from the start after the last."""
    parts = {test % len(groups): "test", validation % len(groups): "validation"}
    return {name: parts.get(place, "train") for place, names in enumerate(groups) for name in names}


def _hash(seed, name):
    return digest(f"{seed} {name}".encode(), 64)


RULES = (official, by_speaker, folds, leave_one_speaker_out, new_voices, stratified)
PROTOCOLS = {rule.__name__: rule for rule in RULES}
PROTOCOLS |= dict.fromkeys(GROUPS, published)
# For audits only, since the same voice is trained on and tested: each clip is taken for a speaker.
PROTOCOLS["by_clip_leaky"] = partial(by_speaker, who="path")
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
    seed: Seed = 0  # of the hash that assigns speakers or clips
    most_clips: Count | None = None  # keep at most so many clips of a speaker, chosen by a hash of their path
    validation_speaker: str = ""  # who validates in "leave_one_speaker_out"; by default the next in order
    train: tuple[str, ...] = ()  # the speakers that "new_voices" trains on


def split(corpus: Corpus, how: Split) -> Corpus:
    """Apply a protocol: the corpus with its `split` column replaced, `protocol` set, and what is left out in `skipped`.

    It is an error if a part would be empty, or a speaker would be in two parts of a protocol that is not leaky.
    """
    name = corpus.protocol if how.protocol == "official" else how.protocol
    if how.most_clips is not None:
        rank = corpus.clips.path.map(lambda path: _hash(how.seed, path)).groupby(corpus.clips.speaker).rank()
        corpus = corpus.drop(rank > how.most_clips, f"left out: the split takes at most {how.most_clips} of each")
    own = corpus.clips[corpus.clips[EXTRA] == ""] if EXTRA in corpus.clips else corpus.clips
    parts = PROTOCOLS[how.protocol](replace(corpus, clips=own), how)
    labels, why = corpus.labels, f"in no part of {name}"
    if how.protocol == "stratified":
        labels = tuple(label for label in labels if parts[own.label == label].notna().any())
        why += f" (too few speakers for three parts: {', '.join(sorted(set(corpus.labels) - set(labels)))})"
    parts = parts.reindex(corpus.clips.index, fill_value="train")  # all clips of joined corpora
    parts = parts.where(corpus.clips.label.isin(labels))
    corpus = corpus.drop(parts.isna(), why, labels)
    corpus = corpus.with_clips(corpus.clips.assign(split=parts.dropna().to_numpy()), protocol=name)
    sizes = {part: len(corpus.part(part)) for part in PARTS}
    if not all(sizes.values()):
        wrong = f"The split {how.protocol!r} of {corpus.name} gives {sizes}, and every part needs clips."
        raise LabError(f"{wrong} Use more speakers, or another protocol.")
    apart = corpus
    if how.protocol == "new_voices":  # validation has speakers of the test, and chooses nothing
        apart = corpus.with_clips(corpus.clips.replace({"split": {"validation": "test"}}))
    if how.protocol not in LEAKY and (both := shared_speakers(apart)):
        wrong = f"{len(both)} speakers of {corpus.name} are in more than one part, {both[0]} for one."
        raise LabError(f"{wrong} Use the protocol 'by_speaker', or 'by_clip_leaky' if the leak is what you study.")
    return corpus


def shared_speakers(corpus):
    """Speakers that are in more than one part, sorted."""
    parts = corpus.clips.groupby("speaker").split.nunique()
    return sorted(parts[parts > 1].index)
