"""`python -m labkit notebooks`: execute the notebooks and store their outputs in them, for readers on the web."""

import shutil

from ..files import home
from . import execute as notebooks
from .lab_command import make_corpora


def add_arguments(parser):
    parser.add_argument("notebooks", nargs="*", help="only these, by name or number (03); all without")


def main(args):
    paths = notebooks.find(args.notebooks)

    def keep(path, node, outcome):
        if not outcome.error:
            notebooks.write(node, path)

    results = home() / "build" / "results"
    shutil.rmtree(results, ignore_errors=True)  # training really happens, each time
    notebooks.set_environment(LABKIT_RESULTS=results)
    make_corpora()
    outcomes = notebooks.run_all(paths, keep)
    failed = [outcome.name for outcome in outcomes if outcome.error]
    if failed:
        print(f"Left as they were: {', '.join(failed)}. Mend the cells named above and run this again.")
    return int(bool(failed))
