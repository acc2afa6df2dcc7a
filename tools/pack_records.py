"""Pack the folders of runs into the few files of a sweep, and write a packed run as a folder again.

    python -m tools.pack_records pack windows windows_audit results/local
    python -m tools.pack_records unpack 01cc6fa0d5a8 results/local
    python -m tools.pack_records times

`pack` takes the runs of these grids below the folder to results/records/CORPUS/GRID.* and leaves the folders alone;
labkit/experiments/packed.py says what is in these files. A run of several grids is kept once: where it is already, else
with the first grid named. "other" takes the runs that belong to no grid. What was packed before stays; packing twice
changes no byte. The header is written last: if the program is killed before, the old sweep is still whole.
`times` writes into docs/RESULTS.md how long each packed sweep took.
"""

import argparse
import json
import re
from math import ceil
from pathlib import Path

import pandas as pd

from labkit.errors import LabError, choose
from labkit.experiments.packed import CLIP, SAID, PackedRun, Sweep
from labkit.experiments.records import read_runs
from labkit.experiments.sweep import Grid
from labkit.files import atomic_file, digest, home, read_json, read_table, write_json, write_table, write_text

OTHER = "other"
BETWEEN = re.compile(r"(<!-- times -->\n)(.*?)(<!-- end of times -->)", re.DOTALL)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=home() / "results" / "records", help="where packed sweeps lie")
    jobs = parser.add_subparsers(dest="job", required=True)
    job = jobs.add_parser("pack", help="run folders -> files of a sweep")
    job.add_argument("grids", nargs="+", metavar="GRID", help='name of a grid of results/, or "other"')
    job.add_argument("folder", type=Path, help="where the runs lie")
    job = jobs.add_parser("unpack", help="a packed run -> a folder")
    job.add_argument("run", help="its id")
    job.add_argument("folder", type=Path, help="where it goes, as FOLDER/CORPUS/MODEL-ID")
    jobs.add_parser("times", help="write how long each packed sweep took into docs/RESULTS.md")
    args = parser.parse_args(argv)
    if args.job == "pack":
        for sweep, runs in pack(args.grids, args.folder, args.records):
            print(f"{sweep.path}: {runs} runs")
    elif args.job == "times":
        page = home() / "docs" / "RESULTS.md"
        table = times(args.records)
        write_text(page, BETWEEN.sub(rf"\g<1>{table}\n\n\g<3>", page.read_text(encoding="utf-8")))
    else:
        runs = {run.id: run for run in read_runs(args.records)}
        print(unpack(choose(args.run, runs, f"run in {args.records}"), args.folder))


def times(records):
    """The Markdown table of the packed sweeps: networks, updates of the longest, hours of training on one core.

    "22 of 33" networks: the other members of the grid were trained on no corpus yet. (Of a grid that tunes only its
    trials could tell what its members are.)
    """
    rows, planned = [], {}
    sweeps = {path: list(Sweep(path).runs()) for path in sorted(records.glob("*/*.jsonl"))}
    trained = {run.experiment for runs in sweeps.values() for run in runs}
    for path in (home() / "results").glob("*.json"):
        grid = Grid.read(path)
        planned[path.stem] = set() if grid.tune else set(grid.experiments())
    for path, runs in sweeps.items():
        hours = sum(run.record["seconds_per_epoch"] * len(run.history) for run in runs) / 3600
        batches = [ceil(run.record["clips"]["train"] / run.experiment.recipe.batch) for run in runs]
        updates = max(len(run.history) * each for run, each in zip(runs, batches, strict=True))
        missing = planned.get(path.stem, set()) - trained
        number = f"{len(runs)} of {len(runs) + len(missing)}" if missing else len(runs)
        rows.append(f"| {path.stem} | {path.parent.name} | {number} | {updates:,} | {hours:.2f} |")
    head = ["| sweep | corpus | networks | updates of the longest | hours |", "|---|---|---:|---:|---:|"]
    return "\n".join([*head, *rows])


def grids_of_results():
    """The experiments that a sweep of each grid in results/ may train, by its name."""
    return {path.stem: Grid.read(path).candidates() for path in sorted((home() / "results").glob("*.json"))}


def pack(names, folder, records, grids=None):
    """Pack the runs of grids (names) below `folder` into sweeps below `records`: pairs of a Sweep and its runs' number.

    `grids` leads from a name to experiments; by default those in results/.
    """
    grids = grids_of_results() if grids is None else grids
    known = {experiment for experiments in grids.values() for experiment in experiments}
    wanted = {name: set(choose(name, grids | {OTHER: []}, "grid")) for name in names}
    placed = {}  # file of a sweep: runs that go there
    for run in [run for run in read_runs(folder) if not isinstance(run, PackedRun)]:
        place = Path(records) / run.folder.parent.name
        mine = [
            name for name in wanted if run.experiment in wanted[name] or (name == OTHER and run.experiment not in known)
        ]
        if mine:
            homes = [path for path in sorted(place.glob("*.jsonl")) if f'"id":"{run.id}"' in path.read_text("utf-8")]
            placed.setdefault([*homes, place / f"{mine[0]}.jsonl"][0], []).append(run)
    if not placed:
        raise LabError(f"No run of {', '.join(names)} lies in a folder of its own below {folder}. Train them first.")
    return [write(Sweep(path), runs, grids.get(path.stem, [])) for path, runs in placed.items()]


def write(sweep, runs, order):
    """Add runs to the files of a sweep, in the order of its grid's experiments; returns it and how many it has."""
    packed = list(sweep.runs()) if sweep.path.exists() else []
    contents = {run.id: content(run) for run in packed}
    for run in runs:
        record, tables = content(run)
        if run.id in contents:
            old, old_tables = contents[run.id]
            if digest(record["history"]) != digest(old["history"]):
                mend = "Move away the folder, or take the run out of the sweep (the commits remember it)."
                raise LabError(f"{run.folder} was trained another time than run {run.id} in {sweep.path}. {mend}")
            record = old | record | {"tests": old["tests"] | record["tests"]}
            tables = old_tables | tables
        contents[run.id] = record, tables
        keep_sounds(run, sweep.path.parent)
    rank = {experiment: number for number, experiment in enumerate(order)}
    ranks = {run.id: (rank.get(run.experiment, len(rank)), run.id) for run in [*packed, *runs]}
    whole = [contents[run_id] for run_id in sorted(contents, key=ranks.get)]
    keep_speakers([record["training_speakers"] for record, _ in whole], sweep.files["speakers"])
    write_table(sweep.files["history"], as_histories(whole))
    write_table(sweep.files["predictions"], as_predictions(whole))
    write_text(sweep.path, "".join(as_line(*one) for one in whole))
    return Sweep(sweep.path), len(whole)


def content(run):
    """What is kept of a run: its record with tests and audit, and its predictions by part, as text."""
    record = {name: value for name, value in run.record.items() if name != "tables"}
    record["history"] = run.history.to_dict("records")  # which has the names of today
    record["folder"] = run.name
    if isinstance(run, PackedRun):
        parts = list(run.record["tables"])
    else:
        record["tests"] = {test: run.read_test(test) for test in run.tests}
        if (run.folder / "audit.json").exists():
            record["audit"] = read_json(run.folder / "audit.json")
        parts = sorted(path.name.removesuffix(".csv.gz") for path in run.folder.glob("*.csv.gz"))
    tables = {}
    for part in parts:
        table = run.read_predictions(part).copy()  # which compares hashes
        if "confidence" in table:
            table["confidence"] = table.confidence.astype(str)
        if list(table) not in ([*CLIP, *SAID], [*CLIP, SAID[0]]) or (table == "").any(axis=None):
            raise LabError(f"The table {part!r} in {run.folder} has other columns, or empty cells. Leave this run out.")
        tables[part] = table.sort_values("path", ignore_index=True)
    return record, tables


def epochs(record):
    """A row per epoch; a cell is JSON, so that each number is read as it was."""
    return pd.DataFrame([{name: json.dumps(value) for name, value in epoch.items()} for epoch in record["history"]])


def as_line(record, tables):
    """The line of a run in the header."""
    line = record | {"tables": {part: digest(tables[part].to_dict("list")) for part in sorted(tables)}}
    line["history"] = digest(epochs(record).to_dict("list"))
    line["training_speakers"] = digest({"speaker": record["training_speakers"]})
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def as_histories(runs):
    """A row per run and epoch."""
    rows = [epochs(record) for record, _ in runs]
    return pd.concat(rows, keys=[record["id"] for record, _ in runs], names=["run"]).reset_index("run").fillna("")


def as_predictions(runs):
    """A row per clip of a part, two columns per run."""
    columns = []
    for record, tables in runs:
        said = pd.concat([table.assign(part=part) for part, table in tables.items()]).set_index(["part", *CLIP])
        said = said.reindex(columns=SAID)
        columns.append(said.rename(columns=lambda name, run=record["id"]: f"{run}.{name}"))
    return pd.concat(columns, axis=1).sort_index().fillna("").reset_index()


def keep_speakers(lists, path):
    """Add lists of training speakers to those that are kept for a corpus."""
    tables = {}
    if path.exists():
        kept = read_table(path, "Get it again: git checkout -- results.", dtype=str)
        tables = {name: rows[["speaker"]] for name, rows in kept.groupby("list")}
    lists = [{"speaker": speakers} for speakers in lists]
    tables |= {digest(speakers): pd.DataFrame(speakers) for speakers in lists}
    write_table(path, pd.concat(dict(sorted(tables.items())), names=["list"]).reset_index("list"))


def keep_sounds(run, place):
    """Copy the hashes of the clips that a run met."""
    if name := run.record.get("sounds"):
        here, there = (list((at / "sounds").glob(f"{name}.csv.?z")) for at in (run.folder.parent, place))
        if here and not there:  # .xz, or .gz of an older lab
            with atomic_file(place / "sounds" / here[0].name) as temporary:
                temporary.write_bytes(here[0].read_bytes())


def unpack(run, folder):
    """Write a packed run as a folder of its own below FOLDER/CORPUS, as training and testing do; returns its path."""
    place = Path(folder) / run.folder.parent.name / run.name
    if (place / "run.json").exists():
        raise LabError(f"{place} is there already. Name another folder.")
    hashes = {}
    for part in run.record["tables"]:
        write_table(place / f"{part}.csv.gz", run.read_predictions(part))
        hashes[part] = digest((place / f"{part}.csv.gz").read_bytes())
    for test, metrics in run.record["tests"].items():
        write_json(place / f"{test}.json", metrics | {"of": {"run": run.id, "table": hashes[test]}})
    if "audit" in run.record:
        write_json(place / "audit.json", run.record["audit"])
    keep_sounds(run, place.parent)
    record = {name: value for name, value in run.record.items() if name not in ("folder", "tests", "audit")}
    write_json(place / "run.json", record | {"tables": {"validation": hashes["validation"]}})  # last: now it exists
    return place


if __name__ == "__main__":
    main()
