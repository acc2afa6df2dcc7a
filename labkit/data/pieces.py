"""Tables that grow: what was found out about files is kept in pieces, each written whole, and found out once.

A row holds until the size or the time of its file changes; then a new row takes its place. A killed process loses the
piece under way, and the next one goes on from there. Pieces that were written are never touched.
"""

import os
from contextlib import suppress

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ..errors import LabError
from ..files import alone, read_table, write_table
from .audio import bars

PIECE = 4096  # files
TEXT = ("path", "problem", "sound", "adapted")  # columns: a hash such as 1e5 is no number
STATE = ["bytes", "changed"]  # of a file
_read = {}  # by folder: names, sizes and times of its files, and the table that they hold; once in a process


def kept(folder, files, find_out, title, progress=True):
    """What is known of some files, a row for each: a table by path, with the column `piece`, the number of its piece.

    `files` has the columns `path`, `bytes` and `changed`. Those that are new are handed in pieces to
    `find_out(some of files, path of the piece without its ending, bar)`, which returns the table to keep.
    """
    table = known(folder)
    if not _holds(table, files).all():
        with alone(folder.with_name(f"{folder.name}.lock")):  # a second process waits, and then finds them
            for left in folder.glob(".*.partial"):  # by a killed process
                left.unlink(missing_ok=True)
            table = known(folder)
            new = files[~_holds(table, files)]
            first = int(table.piece.max()) + 1 if len(table) else 0
            quiet = not (progress and bars())
            with tqdm(total=len(new), desc=title, unit="file", leave=False, disable=quiet) as bar:
                for number, start in enumerate(range(0, len(new), PIECE), first):
                    path = folder / f"{number:05}"
                    write_table(path.with_suffix(".csv.gz"), find_out(new[start : start + PIECE], path, bar))
        table = known(folder)
    return table.reindex(files.path)


def known(folder):
    """All that is known in a folder, a row for each path; LabError if a piece is damaged."""
    files = []
    with suppress(FileNotFoundError, NotADirectoryError):
        files = [file for file in os.scandir(folder) if not file.name.startswith(".")]  # others are being written
    state = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    if _read.get(folder, [None])[0] != state:
        names = [name for name, _, _ in state if name.endswith(".csv.gz")]
        mend = f"Delete {folder} and run again."
        tables = [read_table(folder / name, mend, dtype=dict.fromkeys(TEXT, str)) for name in names]
        tables = [table.assign(piece=int(name[:5])) for name, table in zip(names, tables, strict=True)]
        if wrong := [name for name, table in zip(names, tables, strict=True) if not {"path", *STATE} <= {*table}]:
            raise LabError(f"{folder / wrong[0]} is damaged (columns are missing). {mend}")
        table = pd.concat(tables) if tables else pd.DataFrame(columns=["path", *STATE, "piece"])
        _read[folder] = state, table.drop_duplicates("path", keep="last").set_index("path")
    return _read[folder][1]


def _holds(table, files):
    """For each file whether the table has it as it is now."""
    if not len(table):
        return np.zeros(len(files), bool)
    place = table.index.get_indexer(files.path)  # -1: not there
    return (place >= 0) & (table[STATE].to_numpy()[place] == files[STATE].to_numpy()).all(axis=1)
