"""What the readers of all corpora share.

A publisher's layout is a pattern that the paths of its clips match: who speaks, and what is said, stand in the path.
`read_layout` makes a table of them, a reader adds what its corpus knows besides, and `make_corpus` makes the Corpus.
"""

import csv
import io

from ..errors import LabError
from .corpus import SYNTHETIC_MARKER, Corpus
from .headers import audio_files, counted, scan, usable

NOISE = "_background_noise_"  # a folder of noises, which are not clips


def read_layout(root, pattern, layout, name, mend):
    """(table of the clips below `root` with a column for each group of the pattern, what was left out as sentences)."""
    files = [path for path in audio_files(root) if not path.startswith(NOISE)]
    named = [path for path in files if pattern.fullmatch(path)]
    if not named:
        raise LabError(f"{root} holds no clips named {layout}. {mend}")
    table, problems = usable(scan(root, named), name)
    odd = sorted(set(files) - set(named))
    notes = [*counted(odd, f"files left out (the name is not {layout})", f"{name}: "), *problems]
    if table.empty:
        raise LabError(f"No clip in {root} can be used. {' '.join(notes)} Get the corpus again.")
    return table.assign(**table.path.str.extract(pattern).astype({"repetition": int})), notes


def make_corpus(root, clips, notes, *, licence, name="", labels=(), sample_rate=None, protocol="official"):
    """The Corpus of a table; by default with the labels and the sample rate that the table has."""
    synthetic = any((folder / SYNTHETIC_MARKER).exists() for folder in (root, root.parent))
    noises = audio_files(root / NOISE) if (root / NOISE).is_dir() else []
    return Corpus(
        name=name or root.name,
        root=root,
        sample_rate=sample_rate or int(clips.rate.mode()[0]),
        labels=tuple(labels or sorted(clips.label.unique())),
        licence="see LICENSE in its folder" if synthetic else licence,
        synthetic=synthetic,
        clips=clips.drop(columns=["rate", "channels"]).reset_index(drop=True),
        noises=tuple(f"{NOISE}/{path}" for path in noises),
        skipped=tuple(notes),
        protocol=protocol,
    )


def read_text(path, mend):
    """The text of a file, with or without a byte-order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabError(f"{path} is not a text in UTF-8 ({error}). {mend}") from error
    except OSError as error:
        raise LabError(f"{path} cannot be read ({error.strerror}). {mend}") from error


def read_cells(path, needed, mend, quoting=csv.QUOTE_MINIMAL):
    """(column names, cells of each other line by its number) of a table that commas, semicolons or tabs separate."""
    text = read_text(path, mend)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max("\t,;", key=first.count), quoting=quoting, strict=True)
    try:
        lines = dict((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
    except csv.Error as error:
        raise LabError(f"Line {reader.line_num} of {path} cannot be read ({error}). {mend}") from error
    head = [cell.lower() for cell in lines.pop(1, [])]
    if missing := [column for column in needed if column not in head]:
        raise LabError(f"{path} lacks the columns {missing}: it has {head[:12]}. {mend}")
    if twice := [name for name in head if name and head.count(name) > 1]:
        raise LabError(f"{path} has two columns of one name, {twice[0]}. Rename one of them.")
    return head, {number: cells for number, cells in lines.items() if any(cells)}
