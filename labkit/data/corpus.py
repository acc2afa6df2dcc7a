"""What every corpus is: a table with one row per clip, and what the table means; and more voices to train on."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from ..errors import LabError, choose
from ..files import digest

COLUMNS = ["path", "label", "speaker", "split", "seconds", "bytes"]
PARTS = ("train", "validation", "test")
OWN = "its own lists"  # protocol of a corpus that says who is in which part, but not as its publisher does
UNKNOWN = "unknown"  # the class of all that is no word of the vocabulary
EXTRA = "extra"  # column: "" for a clip of the main corpus, else the name of the corpus that it came from
DIGITS = {name: str(i) for i, name in enumerate("zero one two three four five six seven eight nine".split())}


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
    protocol: str = OWN  # how the clips were split; "by_clip_leaky": speakers are shared between parts
    changed: pd.Series = field(default=None, repr=False)  # by path: when its file was last changed, in nanoseconds
    more: tuple = ()  # other corpora that an experiment may train on as well (join)

    def __post_init__(self):
        clips = self.clips
        if missing := [column for column in COLUMNS if column not in clips]:
            raise LabError(f"{self.name} lacks the columns {missing}. A corpus module must fill {COLUMNS}.")
        labels, parts = set(clips.label.unique()), set(clips.split.unique())
        unnamed = [not isinstance(name, str) or not name for name in clips.speaker.tolist()]
        for found, wrong in (
            (clips.path[clips.path.duplicated()], "lists {} twice. Each clip may have one row: remove the second."),
            (labels.difference(self.labels), "has clips of {}, which are not among its labels. Add them there."),
            (parts.difference(PARTS), f"has clips in the parts {{}}. A clip is in one of {PARTS}."),
            (clips.path[unnamed], "does not say in words who speaks in {}. Give each row a speaker, as text."),
        ):
            if len(found):
                raise LabError(f"{self.name} {wrong.format(', '.join(map(str, sorted(found)[:5])))}")

    def __len__(self):
        return len(self.clips)

    def __repr__(self):
        parts = ", ".join(f"{part} {len(self.part(part)):,}" for part in PARTS)
        holds = f"{len(self):,} clips of {self.clips.speaker.nunique():,} speakers, {len(self.labels)} labels"
        made = ", synthetic" if self.synthetic else ""
        return f"{self.name}: {holds}, {self.sample_rate:,} Hz{made} ({self.protocol}: {parts})"

    @cached_property
    def fingerprint(self):
        """Hash of the whole table (file sizes included), so that a result names exactly its data."""
        table = self.clips[sorted(self.clips.columns)].sort_values("path")
        table = table.assign(seconds=table.seconds.astype(float).round(3))
        head = f"{self.sample_rate} {list(self.labels)}\n"
        return digest((head + table.to_csv(index=False, lineterminator="\n")).encode())

    def part(self, part):
        """The rows of `clips` in one part: "train", "validation" or "test"."""
        choose(part, dict.fromkeys(PARTS), "part")
        return self.clips[self.clips.split == part]

    def with_clips(self, clips, **changes):
        """A copy with another table, rows renumbered from zero."""
        return replace(self, clips=clips.reset_index(drop=True), **changes)

    def only(self, labels=None, speakers=None, clips_per_label=None):
        """These labels, in this order, and these speakers; at most `clips_per_label` clips of a label in each part."""
        kept = self.labels if labels is None else tuple(dict.fromkeys(labels))
        for label in kept:
            choose(label, dict.fromkeys(self.labels), f"label of {self.name}")
        clips = self.clips[self.clips.label.isin(kept)]
        if speakers is not None:
            clips = clips[clips.speaker.isin(set(speakers))]
        if clips_per_label is not None:
            order = clips.path.map(lambda path: digest(path.encode(), 64))  # the same clips every time
            clips = clips[order.groupby([clips.label, clips.split]).rank() <= clips_per_label]
        if clips.empty:
            raise LabError(f"Nothing of {self.name} is left after this choice. Ask for more labels, speakers or clips.")
        return self.with_clips(clips, labels=kept)

    def drop(self, out, why, labels=None):
        """The corpus without the clips where `out` is True, and with these labels only; it reports what is lost."""
        labels = self.labels if labels is None else labels
        if labels == self.labels and not out.any():
            return self
        note = f"{out.sum():,} clips of {self.clips.speaker[out].nunique():,} speakers are {why}."
        return self.with_clips(self.clips[~out], labels=labels, skipped=(*self.skipped, note))

    def without(self, problems):
        """The corpus without the clips in `problems` (a dict from path to reason), which it reports."""
        if not problems:
            return self
        path, reason = next(iter(problems.items()))
        note = f"{len(problems)} clips could not be read and are left out, the first: {path} ({reason})."
        return self.with_clips(self.clips[~self.clips.path.isin(problems)], skipped=(*self.skipped, note))


def parts_by_speaker(speakers, validation=0.1, test=0.1, seed=0):
    """The part of each row, by a hash of its speaker's name: it stays when others are added or removed."""
    parts = {}
    for name in speakers.unique():
        place = int(digest(f"{seed} {name}".encode(), 12), 16) / 16**12  # between 0 and 1
        parts[name] = "validation" if place < validation else "test" if place < validation + test else "train"
    return speakers.map(parts)


def join(main, others):
    """The main corpus with others of the same folder in `more`: experiments that name them train on their clips, too.

    Words for digits become digits; labels that the main corpus lacks are left out, and counted.
    """
    more, changed = [], [main.changed]
    for other in others:
        clips = other.clips.assign(label=other.clips.label.replace(DIGITS), split="train", **{EXTRA: other.name})
        clips = clips[clips.label.isin(main.labels)]
        if clips.empty:
            raise LabError(f"{other.name} has no clip of {', '.join(main.labels)}. Join a corpus that has.")
        if other.root.parent != main.root.parent:  # a run id may not depend on where corpora lie
            wrong = f"{other.root} does not lie beside {main.root}."
            raise LabError(f"{wrong} Put both corpora into one data folder, or a link there.")
        made = " (synthetic speech)" if other.synthetic else ""
        voices = f"{clips.speaker.nunique():,} voices of {other.name}{made}"
        out = f"{len(other.clips) - len(clips):,} with labels that {main.name} lacks are not"
        note = f"{len(clips):,} clips of {voices} are trained on, too; {out}."
        place = f"../{other.root.name}/"
        clips = clips.assign(path=place + clips.path, speaker=f"{other.name}/" + clips.speaker)
        more.append(replace(other, clips=clips, labels=main.labels, skipped=(note,), changed=None))
        changed.append(None if other.changed is None else other.changed.rename(lambda path, place=place: place + path))
    known = all(part is not None for part in changed)
    return replace(main, more=tuple(more), changed=pd.concat(changed) if known else None)


def chosen(corpus, extra):
    """A corpus with the clips of those of its `more` corpora that `extra` names."""
    if missing := set(extra) - {other.name for other in corpus.more}:
        wrong = f"The experiment wants more voices, of {', '.join(sorted(missing))}, and {corpus.name} came without."
        mend = "Join it with labkit.data.join(corpus, [other]), or say `python -m labkit sweep ... --extra FOLDER`."
        raise LabError(f"{wrong} {mend}")
    more = [other for other in corpus.more if other.name in extra]
    if not more:
        return corpus
    own = corpus.clips.assign(**{EXTRA: ""})
    for gap in {column for other in more for column in own.columns.difference(other.clips.columns)}:
        own[gap] = own[gap].astype(object)  # else the gaps would make 3 into 3.0
    return replace(
        corpus,
        name="+".join([corpus.name, *(other.name for other in more)]),
        licence="; ".join(dict.fromkeys([corpus.licence, *(other.licence for other in more)])),
        clips=pd.concat([own, *(other.clips for other in more)], ignore_index=True)[list(own)],
        skipped=(*corpus.skipped, *(note for other in more for note in other.skipped)),
    )
