"""`python -m labkit notebooks`: execute the notebooks and store their outputs in them, for readers on the web."""

from . import execute as notebooks
from .execute import add_arguments as add_arguments


def main(args):
    def keep(path, node, error):
        if not error:
            notebooks.write(node, path)

    failed = notebooks.run_all(notebooks.find(args.notebooks), keep)
    if failed:
        print(f"Left as they were: {', '.join(failed)}. Mend the cells named above and run this again.")
    return int(bool(failed))
