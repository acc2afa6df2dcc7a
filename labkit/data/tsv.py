"""Read tab-separated tables that people have edited, line by line, so that no line is lost in silence.

Common Voice quotes its sentences in old releases and does not in new ones. A reader that believes in quotes swallows
all lines up to the next quote; one that does not leaves quotes in the text. Here each line is judged on its own.
"""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..errors import LabError

LONGEST = 5  # lines that one quoted cell may run over


@dataclass
class Reading:
    """What was found in a table: its rows, and line numbers of what had to be mended or left out, by kind."""

    rows: pd.DataFrame = None
    mended: dict = field(default_factory=dict)
    lost: dict = field(default_factory=dict)

    def notes(self, name):
        """One sentence for each kind of line that is not as it should be."""
        kinds = [*((kind, "were mended", lines) for kind, lines in self.mended.items())]
        kinds += [(kind, "were left out", lines) for kind, lines in self.lost.items()]
        return tuple(
            f"{name}: {len(lines):,} lines {what} ({kind}), the first: line {lines[0]}." for kind, what, lines in kinds
        )


def read_tsv(path, needed, plausible, text):
    """Read a table of tab-separated values.

    Parameters
    ----------
    path : Path
        UTF-8, with or without a byte-order mark, with any line ends.
    needed : tuple of str
        Columns it must have.
    plausible : callable
        Says of a row (a dict) whether its cells stand in their columns.
    text : str
        The column of free text, in which a tab may have been typed.

    Returns
    -------
    Reading
        `rows` holds text, indexed by line number.

    Raises
    ------
    LabError
        If it is no text, has no head, or lacks a column.
    """
    path = Path(path)
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabError(
            f"{path} is not a text in UTF-8 ({error}). Copy it from the release again, or save it as UTF-8."
        ) from error
    except OSError as error:
        raise LabError(f"{path} cannot be read ({error.strerror}). Copy it from the release again.") from error
    lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # splitlines() would also cut at U+2028
    head = [name.strip() for name in lines[0].split("\t")]
    missing = [name for name in needed if name not in head]
    if missing:
        raise LabError(
            f"{path} lacks the columns {missing}: its first line has {head[:12]}. "
            "Copy the file from the release again; columns are separated by tabs."
        )
    if len(set(head)) < len(head):
        raise LabError(f"{path} has two columns of one name: {head}. Rename one of them.")
    reading, rows, number = Reading(), {}, 1
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.strip():
            continue
        cells, kind, more = _cells(line, lines[number : number + LONGEST], head, plausible, text)
        if cells is None:
            reading.lost.setdefault(kind, []).append(number)
            continue
        if kind:
            reading.mended.setdefault(kind, []).append(number)
        rows[number] = cells
        number += more
    reading.rows = pd.DataFrame(list(rows.values()), columns=head, index=list(rows), dtype=str)
    return reading


def _cells(line, following, head, plausible, text):
    """(cells or None, what was wrong or "", how many of the following lines belong to it)."""
    quoted, raw = _quoted(line), line.split("\t")
    if quoted is not None and _fits(quoted, head, plausible):
        return quoted, "", 0
    if _fits(raw, head, plausible):
        return raw, "quotes that do not close, read as they stand", 0
    for more in range(1, len(following) + 1):  # a quoted cell may hold a line end
        if '"' not in line:
            break
        joined = _quoted("\n".join([line, *following[:more]]))
        if joined is not None and _fits(joined, head, plausible):
            return joined, "a line end inside quotes", more
    extra = len(raw) - len(head)
    if extra > 0 and text in head:
        place = head.index(text)
        cells = [*raw[:place], " ".join(raw[place : place + extra + 1]), *raw[place + extra + 1 :]]
        if _fits(cells, head, plausible):
            return cells, f"a tab inside {text}", 0
        return None, "too many cells", 0
    if extra < 0:
        cells = [*raw, *[""] * -extra]  # an editor that cuts white space cuts empty cells at the end
        if _fits(cells, head, plausible):
            return cells, "empty cells at the end are missing", 0
        return None, "too few cells", 0
    return None, "cells that do not fit their columns", 0


def _fits(cells, head, plausible):
    return len(cells) == len(head) and plausible(dict(zip(head, cells, strict=True)))


def _quoted(text):
    """The cells of one row if its quotes are in order, else None."""
    try:
        rows = list(csv.reader([text] if "\n" not in text else text.splitlines(True), delimiter="\t", strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
