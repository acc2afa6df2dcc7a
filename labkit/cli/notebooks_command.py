"""`python -m labkit notebooks`: execute the notebooks and store their outputs in them, for readers on the web."""

import shutil

from ..files import home
from . import execute as notebooks
from .lab_command import add_arguments as add_arguments


def main(args):
    paths = notebooks.find(args.notebooks)

    def keep(path, node, outcome):
        if not outcome.error:
            notebooks.write(node, path)

    results = home() / "build" / "results"
    shutil.rmtree(results, ignore_errors=True)  # training really happens, each time
    notebooks.prepare(LABKIT_RESULTS=results)
    failed = [outcome.name for outcome in notebooks.run_all(paths, keep) if outcome.error]
    if failed:
        print(f"Left as they were: {', '.join(failed)}. Mend the cells named above and run this again.")
    return int(bool(failed))
