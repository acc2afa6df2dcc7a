"""`python -m labkit run SETTINGS`: train what a settings file describes, choose on validation, test the chosen one."""

import os
from pathlib import Path

from ..files import home


def add_arguments(parser):
    parser.add_argument(
        "settings", type=Path, help="JSON file with base, axes and seeds, such as results/recurrent.json"
    )
    parser.add_argument(
        "--data", default=os.environ.get("LABKIT_DATA") or "auto", help="auto, real, synthetic or a folder"
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


def main(args):
    from ..audio import open_store
    from ..corpora import find
    from ..machine import settle
    from ..plots import TrainingBar
    from ..records import elsewhere, elsewhere_in_words, in_words, summary
    from ..sweep import Grid, best, sweep, workers

    grid = Grid.read(args.settings)
    experiments = grid.experiments()
    device = settle(args.device)
    corpus = find(grid.base.corpus.name, args.data, args.scale)
    print(corpus)
    for note in corpus.skipped:
        print(f"note: {note}")
    results = args.results or Path(os.environ.get("LABKIT_RESULTS") or home() / "results" / "local")
    if args.workers > 1:
        open_store(corpus, grid.base.feature.sample_rate)  # once, before they all ask for it
        with workers(args.workers) as executor:
            runs, failed = sweep(experiments, corpus, results, device, executor=executor)
    else:
        runs, failed = sweep(experiments, corpus, results, device, lambda experiment: TrainingBar(str(experiment)))
    if failed:
        print(f"\n{len(failed)} of {len(experiments)} failed (see FAILED above): nothing is chosen or tested yet.")
        return 1
    chosen = best(runs)
    for run in {"chosen": chosen, "all": runs, "none": []}[args.test]:
        run.test()
    for data in args.also:
        other = find(grid.base.corpus.name, data, args.scale)
        for run in chosen:
            run.test(other)
    print("\nValidation chose:")
    for row in summary(chosen).to_dict("records"):
        print(in_words(row))
    if args.also:
        print("\nOn other corpora:")
        for row in elsewhere(chosen).to_dict("records"):
            print(elsewhere_in_words(row))
    print(f"\nAll {len(runs)} records are in {results}. `python -m labkit results {results}` shows them as a table.")
    return 0
