"""`python -m labkit notebooks`: execute the notebooks and store their outputs in them, for readers on the web."""

from ..files import home, read_json, write_json
from . import execute as notebooks
from .execute import add_arguments as add_arguments


def main(args):
    def keep(path, node, error):
        if not error:
            notebooks.write(node, path)

    failed, took = notebooks.run_all(notebooks.find(args.notebooks), keep, LABKIT_FIGURES=home() / "figures")
    times = home() / notebooks.TIMES
    before = read_json(times) if times.exists() else {}
    write_json(times, dict(sorted({**before, **took}.items())))
    if failed:
        print(f"Left as they were: {', '.join(failed)}. Mend the cells named above and run this again.")
    return int(bool(failed))
