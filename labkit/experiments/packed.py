"""Sweeps as they come with the lab: the runs of a grid on a corpus in three files, not in four for each run.

`GRID.jsonl` has a line per run: its record, and the metrics of its tests and its audit. `GRID.history.csv.xz` has a
row per run and epoch. `GRID.predictions.csv.xz` has a row per clip of a part, and for each run the columns
`ID.predicted` and `ID.confidence`, empty where it was not asked. `speakers.csv.xz` beside them lists the training
speakers of all sweeps on the corpus, by the hash of the list that a record names. A hash in the header says which
history and predictions belong to a run. `python -m tools.pack_records` writes these files.
"""

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import LabError, choose
from ..files import digest, read_table
from .run import Run

CLIP = ["path", "speaker", "label"]
SAID = ["predicted", "confidence"]
MEND = "Get the files of this sweep again, with git checkout -- results, or pack its runs again."


class Sweep:
    """The files of a packed sweep; each is read when it is first needed. `path` is that of the header, `GRID.jsonl`."""

    def __init__(self, path):
        self.path, self._read = path, {}
        self.files = {kind: path.with_suffix(f".{kind}.csv.xz") for kind in ("history", "predictions")}
        self.files["speakers"] = path.with_name("speakers.csv.xz")

    def runs(self, wanted=None, **where):
        """Its runs, or those whose folders' names `wanted` accepts; `where`: corpus and device, if they are known."""
        lines = []
        try:
            for line in self.path.read_text(encoding="utf-8").splitlines():
                lines.append(json.loads(line))
        except (OSError, ValueError) as error:
            raise LabError(f"{self.path} is damaged after {len(lines)} whole lines ({error}). {MEND}") from error
        for line in lines:
            if not wanted or wanted(line["folder"]):
                history = self.rows("history", line["id"], line["history"])
                values = [json.loads(f"[{','.join(column)}]") for column in history.values()]
                epochs = [dict(zip(history, row, strict=True)) for row in zip(*values, strict=True)]
                people = self.rows("speakers", line["training_speakers"], line["training_speakers"])["speaker"]
                record = line | {"history": epochs, "training_speakers": people}
                yield PackedRun(self.path.with_name(line["folder"]), record, sweep=self, **where)

    def rows(self, kind, key, expected, run=None):
        """Columns of text, of the rows below a key; of predictions, those of a run. LabError if their hash differs."""
        if kind not in self._read:
            table = read_table(self.files[kind], MEND, dtype=object)  # plain strings are quicker than pandas' own
            columns = {name: table[name].to_numpy() for name in table.columns[1:]}
            below = table.groupby(table.columns[0]).indices
            self._read[kind] = {key: {name: columns[name][rows] for name in columns} for key, rows in below.items()}
        rows = self._read[kind].get(key, {})
        if run and f"{run}.predicted" in rows:
            asked = rows[f"{run}.predicted"] != ""
            names = {name: name for name in CLIP} | {name: f"{run}.{name}" for name in SAID}
            rows = {name: rows[column][asked] for name, column in names.items()}
        rows = {name: column.tolist() for name, column in rows.items() if any(column)}  # else it is of other runs only
        if digest(rows) != expected:  # of the text, however it was compressed
            what = f"{key!r} of run {run}" if run else key
            raise LabError(f"{self.files[kind]} is damaged, or is not what {self.path.name} says of {what}. {MEND}")
        return rows


@dataclass(eq=False)
class PackedRun(Run):
    """A run whose record and tables lie in the files of a sweep. It has no weights; `folder` is where it would lie."""

    sweep: Sweep = None
    compared: dict = field(default_factory=dict)  # tables that were read and compared with their hash

    @property
    def tests(self):
        return list(self.record["tests"])

    def read_test(self, name):
        self.read_predictions(name)  # which finds what is wrong with them
        return dict(self.record["tests"][name])

    def read_predictions(self, part):
        if part not in self.compared:
            expected = choose(part, self.record["tables"], f"table of predictions of {self.name}")
            rows = self.sweep.rows("predictions", part, expected, self.id)
            if "confidence" in rows:  # audits of the first edition have none
                rows["confidence"] = np.array(rows["confidence"], float)
            self.compared[part] = pd.DataFrame(rows)
        return self.compared[part]


def find(folder, **where):
    """The packed run that would lie in this folder; None if no sweep beside it has one."""
    for path in sorted(folder.parent.glob("*.jsonl")):
        for run in Sweep(path).runs(lambda name: name == folder.name, **where):
            return run
    return None
