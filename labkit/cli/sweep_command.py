"""`python -m labkit sweep NAME ...`: train what grids describe, choose on validation, test the chosen; one table."""

import os
from contextlib import nullcontext
from pathlib import Path

from ..data import find, join, read
from ..device import settle
from ..errors import LabError, choose
from ..experiments.engines import FORMS, engine
from ..experiments.records import elsewhere, in_words, summary
from ..experiments.sweep import Grid, best, sweep
from ..files import home
from ..plots import formatted
from ..training.loop import TrainingBar


def add_arguments(parser):
    add, folder = parser.add_argument, os.environ.get("LABKIT_DATA") or "auto"
    add("grids", nargs="+", metavar="NAME", help="a grid of results/ such as windows, or a JSON file of your own")
    add("--data", default=folder, help="auto, real, synthetic or a folder")
    add("--extra", nargs="+", default=[], metavar="FOLDER", help="corpora to train on as well, where a grid names them")
    add("--scale", default=os.environ.get("LABKIT_SCALE") or "lab", choices=("lab", "full"))
    add("--results", type=Path, help="where records go (default: results/local)")
    add("--also", nargs="*", default=[], metavar="DATA", help="test the chosen ones on these corpora too")
    add("--device", default="auto", help="auto, cpu, cuda, mps")
    add("--on", metavar="ENGINE", help=f"train side by side: {FORMS} (default: here, one after the other)")
    add("--test", choices=("chosen", "all", "none"), default="chosen", help="which runs to test (default: chosen)")


def grid_file(name):
    """The file of a grid: a path, or the name of one in the repository's results/."""
    path = Path(name)
    if path.suffix == ".json":
        return path
    return choose(str(name), {path.stem: path for path in sorted((home() / "results").glob("*.json"))}, "grid")


def main(args):
    grids = {Path(name).stem: Grid.read(grid_file(name)) for name in args.grids}
    name, *others = sorted({grid.base.corpus.name for grid in grids.values()})
    if others:
        raise LabError(f"These grids are for different corpora ({', '.join([name, *others])}). Sweep them one by one.")
    device = settle("auto" if args.on else args.device)  # a worker chooses its own
    corpus = find(name, args.data, args.scale)
    if args.extra:
        corpus = join(corpus, [read(folder) for folder in args.extra])
    print(corpus, *(f"note: {note}" for part in (corpus, *corpus.more) for note in part.skipped), sep="\n")
    results = args.results or Path(os.environ.get("LABKIT_RESULTS") or home() / "results" / "local")
    trials = list(dict.fromkeys(trial for grid in grids.values() if grid.tune for trial in grid.trials()))
    with engine(args.on, results) if args.on else nullcontext() as executor:
        where = {"device": args.device if args.on else device, "executor": executor}
        where["callback"] = lambda experiment: TrainingBar(str(experiment))
        runs, failed = sweep(trials, corpus, results, **where)
        if not failed:  # of the trials: what each network keeps of them is trained with all seeds
            members = {name: grid.experiments(runs) for name, grid in grids.items()}
            wanted = list(dict.fromkeys(member for some in members.values() for member in some))
            runs, failed = sweep(wanted, corpus, results, **where)
    if failed:
        print(f"\n{as_text(summary(runs))}" if runs else "")
        print(f"\n{len(failed)} of {len(failed) + len(runs)} failed (see FAILED above): nothing is chosen or tested.")
        return 1
    chosen = {}
    for grid, some in members.items():
        try:
            chosen[grid] = best([run for run in runs if run.experiment in some])
        except LabError as error:  # one that varies the split, say: its members are there to be looked at
            print(f"\nNothing is chosen in {grid}: {error}")
    winners = list({run.id: run for some in chosen.values() for run in some}.values())
    for run in {"chosen": winners, "all": runs, "none": []}[args.test]:
        run.test()
    for other in [find(name, data, args.scale) for data in args.also]:
        for run in winners:
            run.test(other)
    print(f"\n{as_text(summary(runs))}")
    for grid, some in chosen.items():
        print(f"\nValidation chose in {grid}:", *map(in_words, summary(some).to_dict("records")), sep="\n")
    if args.also:
        print("\nOn other corpora:", *map(in_words, elsewhere(winners).to_dict("records")), sep="\n")
    print(f"\nAll {len(runs)} records are in {results}. `python -m labkit results {results}` shows them as a table.")


def as_text(table):
    """A summary of runs, without what all of its rows share and what the records tell in more detail."""
    varied = [name for name in ("split", "feature") if table[name].nunique() > 1]
    shown = [*varied, "model", "seeds", "parameters", "s_per_epoch", "metric", "validation", "validation_std"]
    shown += [name for name in ("test", "test_low", "test_high") if name in table]
    return formatted(table[shown]).to_string(index=False)
