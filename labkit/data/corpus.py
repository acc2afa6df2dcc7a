"""What every corpus is: a table with one row per clip, and what the table means."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from ..errors import LabError, choose
from ..synthetic import MARKER

COLUMNS = ("path", "label", "speaker", "split", "seconds", "bytes")
SYNTHETIC_MARKER = MARKER
PARTS = ("train", "validation", "test")
OTHER = "other"  # the class of all that is no word of the vocabulary


@dataclass(frozen=True, eq=False)
class Corpus:
    """What was said, by whom, and where the recordings lie."""

    name: str  # of the folder it was found in, or of the corpus
    root: Path  # the paths of clips start here
    sample_rate: int  # Hz, of most clips on disk; the waveform store resamples whatever differs
    labels: tuple  # all classes, in the order of a model's outputs
    licence: str
    synthetic: bool  # the voices are made by a program; everything shown from it is then stamped so
    # One row per clip: path (relative to root, with forward slashes), label, speaker, split (one of PARTS), seconds,
    # bytes (size of the file), and whatever else the corpus knows.
    clips: pd.DataFrame = field(repr=False)
    noises: tuple = ()  # paths of background noises, which are not clips
    skipped: tuple = ()  # a sentence for each kind of file that was left out, with counts
    protocol: str = "official"  # how the clips were split; "by_clip_leaky": speakers are shared between parts
    whole: pd.DataFrame = field(default=None, repr=False)  # paths and sizes of all that share one waveform store

    def __post_init__(self):
        clips = self.clips
        if missing := [column for column in COLUMNS if column not in clips]:
            raise LabError(
                f"The table of {self.name} lacks the columns {missing}. A corpus module must fill {list(COLUMNS)}."
            )
        unnamed = clips.path[[not isinstance(name, str) or not name for name in clips.speaker]]
        for found, wrong in (
            (clips.path[clips.path.duplicated()], "lists {} twice. Each clip may have one row: remove the second."),
            (set(clips.label) - set(self.labels), "has clips of {}, which are not among its labels. Add them there."),
            (set(clips.split) - set(PARTS), f"has clips in the parts {{}}. A clip is in one of {PARTS}."),
            (unnamed, "does not say in words who speaks in {}. Give each row of the table a speaker as text."),
        ):
            if len(found):
                raise LabError(f"{self.name} {wrong.format(', '.join(map(str, sorted(found)[:5])))}")
        if self.whole is None:
            object.__setattr__(self, "whole", clips[["path", "bytes"]])

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
        """A smaller corpus, chosen the same way every time: these labels, in this order, and these speakers.

        Of each label *in each part* at most `clips_per_label` clips are kept, chosen by a hash of their path.
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
            clips = clips[order.groupby([clips.label, clips.split]).rank() <= clips_per_label]
        if clips.empty:
            raise LabError(f"Nothing of {self.name} is left after this choice. Ask for more labels, speakers or clips.")
        return self.with_clips(clips, labels=kept)

    def without(self, problems):
        """The corpus without the clips in `problems` (a dict from path to reason), which it reports."""
        if not problems:
            return self
        path, reason = next(iter(problems.items()))
        note = f"{len(problems)} clips could not be read and are left out, the first: {path} ({reason})."
        return self.with_clips(self.clips[~self.clips.path.isin(problems)], skipped=(*self.skipped, note))


def parts_by_speaker(speakers, validation=0.1, test=0.1, seed=0):
    """The part of each row, by a hash of its speaker's name, as Speech Commands does it.

    So speakers keep their part when others are added or removed. `validation` and `test` are fractions of speakers.
    """

    def part(speaker):
        place = int(hashlib.sha256(f"{seed} {speaker}".encode()).hexdigest()[:12], 16) / 16**12
        return "validation" if place < validation else "test" if place < validation + test else "train"

    return speakers.map({speaker: part(speaker) for speaker in speakers.unique()})


def parts_filled(speakers):
    """`parts_by_speaker` with the first seed that leaves no part empty: of 20 people, one in ten is often nobody."""
    for seed in range(1000 if speakers.nunique() >= len(PARTS) else 0):
        parts = parts_by_speaker(speakers, seed=seed)
        if parts.nunique() == len(PARTS):
            return parts
    return parts_by_speaker(speakers)
