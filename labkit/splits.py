"""Who is in train, validation and test.

Each protocol takes a Corpus and returns it with the column `split` replaced. All but the one called leaky keep
every speaker in one part, and `split` proves it each time.
"""

import hashlib
from dataclasses import dataclass

from .corpora.base import PARTS, Corpus, parts_by_speaker
from .errors import LabError, check_types, choose


@dataclass(frozen=True)
class Split:
    """Settings of a split.

    Parameters
    ----------
    protocol : str
        A key of `PROTOCOLS`.
    fold : int
        For "folds": which of the `folds` groups of speakers is tested; the next one validates.
    folds : int
    speaker : str
        For "leave_one_speaker_out": who is tested; the next speaker in order validates.
    validation, test : float
        Shares of speakers (or of clips, for the leaky one) for "by_speaker" and "by_clip_leaky".
    seed : int
        Of the hash that assigns speakers or clips.
    """

    protocol: str = "official"
    fold: int = 0
    folds: int = 5
    speaker: str = ""
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self):
        check_types(self)


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
    """Test on one speaker, validate on the next in order, train on the rest."""
    names = sorted(corpus.clips.speaker.unique())
    choose(settings.speaker, dict.fromkeys(names), f"speaker of {corpus.name}")
    if len(names) < 3:
        raise LabError(f"{corpus.name} has {len(names)} speakers; leaving one out needs three. Add speakers.")
    following = names[(names.index(settings.speaker) + 1) % len(names)]
    return corpus.clips.speaker.map(lambda name: {settings.speaker: "test", following: "validation"}.get(name, "train"))


def by_clip_leaky(corpus, settings):
    """Clips at random, whoever speaks: for audits only, since the same voice is trained on and tested."""
    clips = corpus.clips.path  # each for itself, as if it were a speaker
    return parts_by_speaker(clips, settings.validation, settings.test, settings.seed)


PROTOCOLS = {
    "official": official,
    "by_speaker": by_speaker,
    "folds": folds,
    "leave_one_speaker_out": leave_one_speaker_out,
    "by_clip_leaky": by_clip_leaky,
}
LEAKY = ("by_clip_leaky",)


def split(corpus: Corpus, settings: Split) -> Corpus:
    """Apply a protocol.

    Returns
    -------
    Corpus
        With its `split` column replaced and `protocol` set.

    Raises
    ------
    LabError
        If a part would be empty, or a speaker would be in two parts of a protocol that is not leaky.
    """
    protocol = choose(settings.protocol, PROTOCOLS, "split protocol")
    name = corpus.protocol if settings.protocol == "official" else settings.protocol
    result = corpus.with_clips(corpus.clips.assign(split=protocol(corpus, settings)), protocol=name)
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


def shared_speakers(corpus):
    """Speakers that are in more than one part, sorted."""
    parts = corpus.clips.groupby("speaker").split.nunique()
    return sorted(parts[parts > 1].index)


def _hash(seed, name):
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
