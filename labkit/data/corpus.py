"""What every corpus is: a table with one row per clip, and what the table means."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from ..errors import LabError, choose
from ..synthetic import MARKER as SYNTHETIC_MARKER

COLUMNS = ("path", "label", "speaker", "split", "seconds", "bytes")
PARTS = ("train", "validation", "test")
OTHER = "other"  # the class of all that is no word of the vocabulary


@dataclass(frozen=True, eq=False)
class Corpus:
    """What was said, by whom, and where the recordings lie.

    Parameters
    ----------
    name : str
        The name of the folder it was found in, or of the corpus.
    root : Path
        Folder that the paths of `clips` start from.
    sample_rate : int
        Rate most clips have on disk, in Hz. The waveform store resamples whatever differs.
    labels : tuple of str
        All classes, in the order of a model's outputs.
    licence : str
    synthetic : bool
        True if the voices are made by a program; everything shown from it is then stamped so.
    clips : pandas.DataFrame
        One row per clip: `path` (relative, with forward slashes), `label`, `speaker`, `split` ("train",
        "validation" or "test"), `seconds`, `bytes` (size of the file), and whatever else the corpus knows.
    noises : tuple of str
        Paths of background noises, which are not clips.
    skipped : tuple of str
        One sentence for each kind of file that was left out, with counts.
    protocol : str
        How the clips were split; "by_clip_leaky" means that speakers are shared between parts.
    whole : pandas.DataFrame, optional
        Paths and sizes of all clips of the corpus this is a part of, which share one waveform store.
    """

    name: str
    root: Path
    sample_rate: int
    labels: tuple
    licence: str
    synthetic: bool
    clips: pd.DataFrame = field(repr=False)
    noises: tuple = ()
    skipped: tuple = ()
    protocol: str = "official"
    whole: pd.DataFrame = field(default=None, repr=False)

    def __post_init__(self):
        missing = [column for column in COLUMNS if column not in self.clips]
        if missing:
            raise LabError(
                f"The table of {self.name} lacks the columns {missing}. Every corpus module must fill {list(COLUMNS)}."
            )
        if self.clips.path.duplicated().any():
            twice = self.clips.path[self.clips.path.duplicated()].iloc[0]
            raise LabError(f"{self.name} lists {twice} twice. Each clip may have one row: remove the second.")
        unknown = sorted(set(self.clips.label) - set(self.labels))
        if unknown:
            raise LabError(
                f"{self.name} has clips of {unknown[:5]}, which are not among its labels. Add them to `labels`."
            )
        bad = sorted(set(self.clips.split) - set(PARTS))
        if bad:
            raise LabError(f"{self.name} has clips in the parts {bad[:5]}. A clip is in one of {PARTS}.")
        nameless = ~self.clips.speaker.map(lambda name: isinstance(name, str) and name != "")
        if nameless.any():
            raise LabError(
                f"{self.name} does not say in words who speaks in {self.clips.path[nameless].iloc[0]}. "
                "Give each row of the table a speaker as text, or nobody can tell whether a voice was trained on."
            )
        if self.whole is None:
            object.__setattr__(self, "whole", self.clips[["path", "bytes"]])

    def __len__(self):
        return len(self.clips)

    def __repr__(self):
        parts = ", ".join(f"{part} {len(self.part(part)):,}" for part in PARTS)
        made = ", synthetic" if self.synthetic else ""
        return (
            f"{self.name}: {len(self):,} clips of {self.clips.speaker.nunique():,} speakers, "
            f"{len(self.labels)} labels, {self.sample_rate:,} Hz{made} ({self.protocol}: {parts})"
        )

    @cached_property
    def fingerprint(self):
        """Hash of the whole table (file sizes included), so that a result names exactly its data."""
        table = self.clips[sorted(self.clips.columns)].sort_values("path")
        table = table.assign(seconds=table.seconds.astype(float).round(3))
        text = f"{self.sample_rate} {list(self.labels)}\n{table.to_csv(index=False, lineterminator=chr(10))}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def part(self, part):
        """The rows of `clips` in one part: "train", "validation" or "test"."""
        choose(part, dict.fromkeys(PARTS), "part")
        return self.clips[self.clips.split == part]

    def with_clips(self, clips, **changes):
        """A copy with another table, rows renumbered from zero."""
        return replace(self, clips=clips.reset_index(drop=True), **changes)

    def only(self, labels=None, speakers=None, clips_per_label=None):
        """A smaller corpus, chosen the same way every time.

        Parameters
        ----------
        labels : iterable of str, optional
            Keep these labels, in this order.
        speakers : iterable of str, optional
            Keep these speakers.
        clips_per_label : int, optional
            Keep at most so many clips of each label *in each part*, chosen by a hash of their path.

        Returns
        -------
        Corpus
        """
        clips, kept = self.clips, self.labels
        if labels is not None:
            kept = tuple(dict.fromkeys(labels))
            for label in kept:
                choose(label, dict.fromkeys(self.labels), f"label of {self.name}")
            clips = clips[clips.label.isin(kept)]
        if speakers is not None:
            clips = clips[clips.speaker.isin(set(speakers))]
        if clips_per_label is not None:
            order = clips.path.map(lambda path: hashlib.sha256(path.encode()).hexdigest())
            rank = order.groupby([clips.label, clips.split]).rank()
            clips = clips[rank <= clips_per_label]
        if clips.empty:
            raise LabError(f"Nothing of {self.name} is left after this choice. Ask for more labels, speakers or clips.")
        return self.with_clips(clips, labels=kept)

    def without(self, problems):
        """The corpus without the clips in `problems` (a dict from path to reason), which it reports."""
        if not problems:
            return self
        first = next(iter(problems.items()))
        note = f"{len(problems)} clips could not be read and are left out, the first: {first[0]} ({first[1]})."
        return self.with_clips(self.clips[~self.clips.path.isin(problems)], skipped=(*self.skipped, note))


def parts_by_speaker(speakers, validation=0.1, test=0.1, seed=0):
    """Assign whole speakers to parts by a hash of their name, as Speech Commands does.

    A speaker keeps their part when others are added or removed.

    Parameters
    ----------
    speakers : pandas.Series of str
    validation, test : float
        Share of speakers, between 0 and 1, to expect in each part.
    seed : int
        Another seed gives another assignment.

    Returns
    -------
    pandas.Series of str
        "train", "validation" or "test" for each row.
    """

    def part(speaker):
        share = int(hashlib.sha256(f"{seed} {speaker}".encode()).hexdigest()[:12], 16) / 16**12
        return "validation" if share < validation else "test" if share < validation + test else "train"

    return speakers.map({speaker: part(speaker) for speaker in speakers.unique()})
