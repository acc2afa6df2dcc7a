"""Your own recordings: a folder for each class, or a table of path, label and speaker.

    recordings/                      or    recordings/
        yes/ana_1.wav                          clips.csv       path,label,speaker
        yes/luis_1.wav                         take1.wav       take1.wav,yes,ana
        no/ana_1.flac                          take2.wav       take2.wav,yes,luis

In a file name, the speaker is what stands before the first `_`. Speakers are asked for because a network that is
tested on the people it was trained on looks much better than it is.
"""

import csv
import unicodedata
import warnings
from pathlib import Path, PurePosixPath

import pandas as pd

from ..errors import LabError, LabWarning, choose
from .corpus import PARTS, SYNTHETIC_MARKER, Corpus, parts_by_speaker
from .headers import audio_files, scan, usable

TABLE = "clips.csv"
NEEDED = ("path", "label", "speaker")
NOISE = "_background_noise_"
MEASURED = ("seconds", "bytes")  # columns that are filled from the files
OTHER_WORDS = {"training": "train", "val": "validation", "valid": "validation", "dev": "validation", "testing": "test"}
UNREADABLE = (".m4a", ".aac", ".mp4", ".mov", ".webm", ".wma", ".amr", ".3gp")  # what phones like to write
OUTSIDE = "/"  # no file has this name
WHY = "A model that has heard a person before knows that voice, so the lab keeps each person in one part only."
HOW = (
    f"Name the files SPEAKER_anything.wav, or write {TABLE} with the columns {', '.join(NEEDED)}; "
    'if all of them are one person, say so: load(folder, speaker="ana").'
)


def load(root, *, sample_rate=16_000, speaker=None):
    """Read recordings of your own.

    Parameters
    ----------
    root : Path
        A folder with a folder for each class; or a folder that holds `clips.csv`; or the table itself, whatever its
        name. The table has the columns path (relative to it), label and speaker; a column split ("train",
        "validation" or "test") is obeyed, all others are kept as text.
    sample_rate : int
        The rate in Hz that most of them have; the waveform store resamples the others.
    speaker : str, optional
        The one person who speaks in all clips.

    Returns
    -------
    Corpus
        Split by a hash of the speaker (`parts_by_speaker`, with the first seed that leaves no part empty) unless the
        table says otherwise. Files that cannot be used are left out and counted in `skipped`.

    Raises
    ------
    LabError
        If there is nothing to load, or nobody says who speaks.
    """
    root = Path(root)
    speaker = speaker and _same(speaker)
    table = root if root.is_file() else root / TABLE
    folder = table.parent
    if not root.exists():
        raise LabError(f"{root} does not exist. Make it, with one folder for each class: {root.name}/yes/ana_1.wav.")
    clips, skipped = _from_table(table, speaker) if table.is_file() else _from_folders(folder, speaker)
    headers = scan(folder, list(clips.path))
    scanned, problems = usable(headers, folder.name)
    clips = clips.merge(scanned[["path", "seconds", "bytes"]], on="path")
    skipped = (*skipped, *problems, *_advice(headers))
    if clips.empty:
        raise LabError(f"No recording in {root} can be used. {' '.join(skipped)} {HOW}")
    _need_speakers(clips, root)
    if "split" in clips:
        protocol = _obey(clips, table)
    else:
        protocol = "by_speaker"
        clips["split"] = _parts(clips.speaker)
        _warn(clips, folder)
    return Corpus(
        name=folder.resolve().name,
        root=folder,
        sample_rate=sample_rate,
        labels=tuple(sorted(clips.label.unique())),
        licence="your own: ask every speaker before you pass the recordings on",
        synthetic=(folder / SYNTHETIC_MARKER).exists(),
        clips=clips.reset_index(drop=True),
        noises=tuple(f"{NOISE}/{path}" for path in audio_files(folder / NOISE)) if (folder / NOISE).is_dir() else (),
        skipped=skipped,
        protocol=protocol,
    )


def _from_folders(root, speaker):
    """(clips, notes) of CLASS/SPEAKER_anything.*"""
    rows, loose, deep = [], [], []
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if not path.is_file() or inside.parts[0] == NOISE or any(part.startswith(".") for part in inside.parts):
            continue
        if len(inside.parts) == 2:
            label, stem = _same(inside.parts[0]), _same(path.stem)
            rows.append((inside.as_posix(), label, speaker or (stem.split("_")[0] if "_" in stem else "")))
        else:
            (loose if len(inside.parts) == 1 else deep).append(inside.as_posix())
    notes = []
    if deep:
        notes.append(f"{root.name}: {len(deep)} files left out (deeper than CLASS/file), the first: {deep[0]}.")
    if not rows:
        lie = f"{len(loose)} files lie in it without a class, the first: {loose[0]}." if loose else "It holds no files."
        raise LabError(
            f"{root} has no folder with recordings. {' '.join([lie, *notes])} "
            f"Make one folder for each class, such as {root.name}/yes/ana_1.wav, or write {TABLE} beside the files."
        )
    if loose:
        notes.append(f"{root.name}: {len(loose)} files left out (in no class folder), the first: {loose[0]}.")
    return pd.DataFrame(rows, columns=list(NEEDED)), notes


def _from_table(table, speaker):
    """(clips, notes) of a CSV file."""
    rows = _read(table)
    missing = [name for name in NEEDED if name not in rows and not (name == "speaker" and speaker)]
    if missing:
        about = f" {WHY} {HOW}" if missing == ["speaker"] else ""
        raise LabError(
            f"{table} lacks the columns {missing}: it has {list(rows.columns)}.{about} "
            f"The first line of the file must name {', '.join(NEEDED)} (others may follow)."
        )
    rows = rows.drop(columns=[name for name in MEASURED if name in rows])
    rows["label"] = rows.label.map(_same)
    rows["speaker"] = rows.speaker.map(_same) if "speaker" in rows else ""
    if speaker:
        others = sorted(set(rows.speaker) - {"", speaker})
        if others:
            raise LabError(
                f"{table} names the speakers {others[:5]}, but speaker={speaker!r} was given. Leave one out."
            )
        rows["speaker"] = speaker
    found = rows.path.map(lambda path: _find(table.parent, path))
    reasons = pd.Series("", rows.index)
    reasons[found == ""] = "missing file"
    reasons[found == OUTSIDE] = f"not below {table.parent.resolve().name}"
    reasons[rows.path == ""] = "no path"
    reasons[rows.label == ""] = "no label"
    notes = [
        f"{table.name}: {len(bad)} lines left out ({reason}), the first: line {bad.index[0]} ({bad.path.iloc[0]!r})."
        for reason, bad in rows[reasons != ""].groupby(reasons)
    ]
    return rows.assign(path=found)[reasons == ""].reset_index(drop=True), notes


def _read(table):
    """The table as text; Excel's byte order mark, semicolons and trailing empty lines are fine."""
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            lines = list(csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True))
    except UnicodeDecodeError as error:
        raise LabError(f"{table} is not UTF-8 text. Save it as `CSV UTF-8` in your spreadsheet program.") from error
    except (csv.Error, OSError) as error:
        raise LabError(
            f"{table} cannot be read as a table ({error}). Save it as CSV in your spreadsheet program."
        ) from error
    lines = {number: [cell.strip() for cell in line] for number, line in enumerate(lines, 1)}
    head = [name.lower() for name in lines.pop(1, [])]
    lines = {number: line for number, line in lines.items() if any(line)}
    uneven = [number for number, line in lines.items() if len(line) != len(head)]
    if uneven:
        raise LabError(
            f"Line {uneven[0]} of {table} has {len(lines[uneven[0]])} columns, the first line has {len(head)}. "
            "Put a name that holds a comma in double quotes."
        )
    if any(head.count(name) > 1 for name in head if name):
        raise LabError(f"{table} has two columns of one name: {head}. Rename one of them.")
    return pd.DataFrame(list(lines.values()), columns=head, index=list(lines), dtype=str).drop(
        columns="", errors="ignore"
    )


def _find(folder, path):
    """A path of the table as the corpus writes it; "" if there is no such file, OUTSIDE if it may not be used."""
    plain = path.replace("\\", "/")
    if Path(plain).is_absolute() and Path(plain).is_relative_to(folder.resolve()):
        plain = Path(plain).relative_to(folder.resolve()).as_posix()
    inside = PurePosixPath(plain)
    if inside.is_absolute() or ".." in inside.parts or plain[1:2] == ":":
        return OUTSIDE
    # An accented letter may be written as one sign or as two (macOS); the table and the disk need not agree.
    forms = (str(inside), *(unicodedata.normalize(form, str(inside)) for form in ("NFC", "NFD")))
    return next((form for form in forms if (folder / form).is_file()), "")


def _need_speakers(clips, place):
    """Nobody may be unknown, and a class is not a person."""
    unknown = clips[clips.speaker == ""]
    if len(unknown):
        raise LabError(
            f"Nobody says who speaks in {len(unknown):,} of {len(clips):,} clips of {place}, "
            f"the first: {unknown.path.iloc[0]}. {WHY} {HOW}"
        )
    same = clips[clips.speaker.str.lower() == clips.label.str.lower()]
    if len(same):
        raise LabError(
            f"In {same.path.iloc[0]} the speaker would be {same.speaker.iloc[0]!r}, which is the class "
            f"({len(same):,} clips of {place}). {WHY} {HOW}"
        )


def _obey(clips, table):
    """Use the table's own split; say so if it shares speakers between parts."""
    clips["split"] = clips.split.str.lower().replace(OTHER_WORDS)
    for part in clips.split.unique():
        choose(part, dict.fromkeys(PARTS), f"part (column split of {table})")
    parts = clips.groupby("speaker").split.nunique()
    shared = list(parts[parts > 1].index)
    if not shared:
        return "official"
    warnings.warn(
        f"The column split of {table} puts {len(shared)} speakers into more than one part, the first: {shared[0]}. "
        "The results will look better than they are; leave the column out to split by speaker.",
        LabWarning,
        stacklevel=3,
    )
    return "by_clip_leaky"


def _parts(speakers):
    """Parts by speaker. Among 20 people one in ten is often nobody, hence other seeds; many people get seed 0."""
    few = speakers.nunique() < len(PARTS)
    tries = (parts_by_speaker(speakers, seed=seed) for seed in range(1 if few else 1000))
    return next((parts for parts in tries if few or parts.nunique() == len(PARTS)), parts_by_speaker(speakers))


def _warn(clips, place):
    """What a split by these speakers cannot give, and names that look like no names."""
    speakers = clips.speaker.value_counts()
    names = f"{', '.join(sorted(speakers.index)[:5])}{' ...' if len(speakers) > 5 else ''}"
    if len(speakers) > 5 and speakers.max() == 1:
        warnings.warn(
            f"Each of the {len(clips)} clips of {place} seems to be spoken by another person ({names}). "
            f"If that is not so, the parts share voices. {HOW}",
            LabWarning,
            stacklevel=3,
        )
    if alike := [name for name in speakers.index if name != name.lower() and name.lower() in speakers.index]:
        warnings.warn(
            f"{place} has the speakers {alike[0]!r} and {alike[0].lower()!r}. If they are one person, the parts share "
            "a voice: write the name in one way.",
            LabWarning,
            stacklevel=3,
        )
    if empty := [part for part in PARTS if part not in set(clips.split)]:
        warnings.warn(
            f"{place} has clips of {len(speakers)} speaker{'s'[: len(speakers) != 1]} ({names}), so nobody is left for "
            f"{' and '.join(empty)}. Record more people, write a column split into {TABLE}, or use a protocol for few "
            "speakers (folds, leave_one_speaker_out).",
            LabWarning,
            stacklevel=3,
        )


def _advice(headers):
    """What to do about files that phones write and libsndfile cannot read."""
    bad = headers[headers.problem.notna()].path
    kinds = sorted({Path(path).suffix.lower() for path in bad} & set(UNREADABLE))
    return [f"Convert {kind} files to WAV (`ffmpeg -i clip{kind} clip.wav`)." for kind in kinds]


def _same(name):
    """One way of writing accented letters, so that a class is not two."""
    return unicodedata.normalize("NFC", name.strip())
