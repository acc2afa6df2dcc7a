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
STATE = ["bytes", "changed"]  # of a file
TEXT = ("path", "problem", "sound", "adapted")  # columns: a hash such as 1e5 is no number
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
            new = files[~_holds(known(folder), files)]
            first = 1 + max((int(path.name[:5]) for path in folder.glob("*.csv.gz")), default=-1)
            with tqdm(total=len(new), desc=title, unit="file", leave=False, disable=not (progress and bars())) as bar:
                for number, start in enumerate(range(0, len(new), PIECE), first):
                    path = folder / f"{number:05}"
                    write_table(path.with_suffix(".csv.gz"), find_out(new[start : start + PIECE], path, bar))
        table = known(folder)
    return table.reindex(files.path)


def known(folder):
    """All that is known in a folder, a row for each path. A damaged piece is as if it were not there."""
    files, tables = [], [pd.DataFrame(columns=["path", *STATE, "piece"])]
    with suppress(FileNotFoundError, NotADirectoryError):
        files = [file for file in os.scandir(folder) if not file.name.startswith(".")]  # others are being written
    state = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    if _read.get(folder, [None])[0] != state:
        for name in [name for name, _, _ in state if name.endswith(".csv.gz")]:
            with suppress(LabError):
                table = read_table(folder / name, "", dtype=dict.fromkeys(TEXT, str))
                if {"path", *STATE} <= {*table}:
                    tables.append(table.assign(piece=int(name[:5])))
        table = pd.concat(tables[1:] or tables)
        _read[folder] = state, table.drop_duplicates("path", keep="last").set_index("path")
    return _read[folder][1]


def _holds(table, files):
    """For each file whether the table has it as it is now."""
    if not len(table):
        return np.zeros(len(files), bool)
    place = table.index.get_indexer(files.path)  # -1: not there
    return (place >= 0) & (table[STATE].to_numpy()[place] == files[STATE].to_numpy()).all(axis=1)
