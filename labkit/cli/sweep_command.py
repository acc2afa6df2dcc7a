"""`python -m labkit sweep NAME ...`: train what grids describe, choose on validation, test the chosen; one table."""

import os
from pathlib import Path

from ..errors import LabError, choose
from ..files import home


def add_arguments(parser):
    parser.add_argument(
        "grids", nargs="+", metavar="NAME", help="a grid of results/ such as windows, or a JSON file of your own"
    )
    parser.add_argument(
        "--data", default=os.environ.get("LABKIT_DATA") or "auto", help="auto, real, synthetic or a folder"
    )
    parser.add_argument(
        "--extra", nargs="+", default=[], metavar="FOLDER", help="corpora to train on, too, where a grid names them"
    )
    parser.add_argument("--scale", default=os.environ.get("LABKIT_SCALE") or "lab", choices=("lab", "full"))
    parser.add_argument("--results", type=Path, default=None, help="where records go (default: results/local)")
    parser.add_argument(
        "--also", nargs="*", default=[], metavar="DATA", help="test the chosen ones on these corpora too"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    parser.add_argument("--workers", type=int, default=1, help="processes that train side by side (default: 1)")
    parser.add_argument(
        "--test", choices=("chosen", "all", "none"), default="chosen", help="which runs to test (default: chosen)"
    )
    parser.add_argument(
        "--audit",
        action="store_true",
        help="of the tested, keep also the accuracy on training clips and without eval()",
    )


def grid_file(name):
    """The file of a grid: a path, or the name of one in the repository's results/.

    Examples
    --------
    >>> grid_file("windws")
    Traceback (most recent call last):
    labkit.errors.LabError: There is no grid called 'windws'. Did you mean 'windows'? Choose one of: ...
    """
    path = Path(name)
    if path.suffix == ".json":
        return path
    return choose(str(name), {path.stem: path for path in sorted((home() / "results").glob("*.json"))}, "grid")


def main(args):
    from ..data import find, join, read
    from ..device import settle
    from ..experiments.sweep import Grid, workers

    grids = {Path(name).stem: Grid.read(grid_file(name)) for name in args.grids}
    names = {grid.base.corpus.name for grid in grids.values()}
    if len(names) > 1:
        raise LabError(f"These grids are for different corpora ({', '.join(sorted(names))}). Sweep them one by one.")
    device = settle(args.device)
    corpus = find(names.pop(), args.data, args.scale)
    if args.extra:
        corpus = join(corpus, [read(folder) for folder in args.extra])
    print(corpus)
    for note in corpus.skipped:
        print(f"note: {note}")
    results = args.results or Path(os.environ.get("LABKIT_RESULTS") or home() / "results" / "local")
    if args.workers > 1:
        with workers(args.workers) as executor:
            return _sweep_all(args, grids, corpus, results, device, executor)
    return _sweep_all(args, grids, corpus, results, device)


def _sweep_all(args, grids, corpus, results, device, executor=None):
    """Train the members of all grids, test, and print one table for all."""
    from ..data import find
    from ..data.store import open_store
    from ..evaluation.audit import audit
    from ..experiments.records import elsewhere, elsewhere_in_words, in_words, summary
    from ..experiments.sweep import best, sweep
    from ..plots import TrainingBar

    wanted = list(dict.fromkeys(member for grid in grids.values() for member in grid.experiments()))
    if executor:
        for rate in {member.feature.sample_rate for member in wanted}:
            open_store(corpus, rate)  # once, before they all ask for it
        runs, failed = sweep(wanted, corpus, results, device, executor=executor)
    else:
        runs, failed = sweep(wanted, corpus, results, device, lambda experiment: TrainingBar(str(experiment)))
    if not failed:
        chosen = {}
        for name, grid in grids.items():
            members = set(grid.experiments())
            try:
                chosen[name] = best([run for run in runs if run.experiment in members])
            except LabError as error:  # one that varies the split, say: its members are there to be looked at
                print(f"\nNothing is chosen in {name}: {error}")
        winners = list({run.id: run for some in chosen.values() for run in some}.values())
        for run in {"chosen": winners, "all": runs, "none": []}[args.test]:
            run.test()
            if args.audit:
                audit(run)
        for data in args.also:
            other = find(corpus_name(grids), data, args.scale)
            for run in winners:
                run.test(other)
    print(f"\n{as_text(summary(runs))}" if runs else "")
    if failed:
        print(f"\n{len(failed)} of {len(wanted)} failed (see FAILED above): nothing is chosen or tested yet.")
        return 1
    for name, some in chosen.items():
        print(f"\nValidation chose in {name}:")
        for row in summary(some).to_dict("records"):
            print(in_words(row))
    if args.also:
        print("\nOn other corpora:")
        for row in elsewhere(winners).to_dict("records"):
            print(elsewhere_in_words(row))
    print(f"\nAll {len(runs)} records are in {results}. `python -m labkit results {results}` shows them as a table.")
    return 0


def corpus_name(grids):
    return next(iter(grids.values())).base.corpus.name


def as_text(table):
    """A summary of runs, without what all of its rows share and what the records tell in more detail."""
    from ..plots import formatted

    varied = [name for name in ("split", "feature") if table[name].nunique() > 1]
    shown = [*varied, "model", "seeds", "parameters", "s_per_epoch", "validation", "validation_spread"]
    shown += [name for name in ("test", "test_low", "test_high") if name in table]
    return formatted(table[shown]).to_string(index=False)
