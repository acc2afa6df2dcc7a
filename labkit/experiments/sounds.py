"""Which sound a run met: a hash of each clip, so that other sound under the same name is noticed.

(A run's id says of its clips what the table of the corpus says: names, sizes and seconds.) Runs of the same clips share
one file, `sounds/HASH.csv.xz` beside their folders; a record that was copied without it compares nothing.
"""

import re

from ..errors import LabError
from ..files import alone, digest, read_table, write_table


def keep(corpus, store, folder):
    """Write the hashes of all clips of a corpus below the `folder` of its runs; returns the hash of them all."""
    table = store.index.sound.reindex(corpus.clips.path).reset_index()  # columns: path, sound
    name = digest(table.to_numpy().tolist(), 12)
    path = folder / "sounds" / f"{name}.csv.xz"
    with alone(folder.parent / ".locks" / f"sounds-{name}.lock"):
        for left in path.parent.glob(f".{path.name}.*.partial"):  # by a killed process
            left.unlink(missing_ok=True)
        if not path.exists():
            write_table(path, table)
    return name


def refuse_other(name, corpus, store, folder, run_id):
    """LabError if a clip sounds otherwise than when `keep` returned `name` for a run."""
    whole = re.fullmatch("[0-9a-f]{12}", str(name))  # not so None, or what is no part of a path
    if not (path := whole and next((folder / "sounds").glob(f"{name}.csv.?z"), None)):  # .gz: an older lab
        return
    mend = "Delete it: the sound of the runs beside it is then not compared."
    table = read_table(path, mend, dtype=str)
    if digest(table.to_numpy().tolist(), 12) != name:
        raise LabError(f"{path} is damaged (it holds other hashes than its name says). {mend}")
    kept = table.set_index("path").sound
    other = kept.index[kept != store.index.sound.reindex(kept.index)]
    if len(other):
        raise LabError(
            f"{len(other)} clips of {corpus.name} hold other sound than run {run_id} met (the first: {other[0]}), "
            "so its numbers are not about them. Put the old files back, or train into another folder: "
            "labkit.train(..., results=...)."
        )
