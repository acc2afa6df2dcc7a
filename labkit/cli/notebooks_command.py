"""`python -m labkit notebooks`: execute the notebooks and store their outputs in them, for readers on the web."""

import re

from ..errors import LabError
from ..files import home, read_json, write_json, write_text
from . import execute as notebooks
from .pages import TIMES


def add_arguments(parser):
    notebooks.add_arguments(parser)
    parser.add_argument("--repository", help="only write this address, OWNER/NAME on GitHub, wherever the lab's stands")


def main(args):
    if args.repository:
        return move(args.repository)

    def keep(path, node, error):
        if not error:
            notebooks.write(node, path)

    failed, took = notebooks.run_all(notebooks.find(args.notebooks), keep, LABKIT_FIGURES=home() / "figures")
    before = read_json(home() / TIMES) if (home() / TIMES).exists() else {}
    times = dict(sorted({**before, **took}.items()))
    write_json(home() / TIMES, times)
    write_minutes(times)
    if failed:
        print(f"Left as they were: {', '.join(failed)}. Mend the cells named above and run this again.")
    return int(bool(failed))


def write_minutes(times):
    """Write into the README's table how many minutes each notebook runs."""
    text = (home() / "README.md").read_text(encoding="utf-8")
    for name, took in times.items():
        row = re.compile(rf"^(\| \[{name}\].*\| )[\d.]+ \|$", re.MULTILINE)
        text = row.sub(rf"\g<1>{took['seconds'] / 60:.1f} |", text)
    write_text(home() / "README.md", text)


def move(address):
    """Write the repository's address, which pyproject.toml knows, in all places where it stands."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", address):
        raise LabError(f"{address!r} is no address on GitHub. Write OWNER/NAME, as in --repository ana/speech-lab.")
    project = (home() / "pyproject.toml").read_text(encoding="utf-8")
    before = re.search(r'^Repository = "https://github.com/(.+)"$', project, re.MULTILINE)[1]
    places = ("*.*", ".github/**/*.*", "docs/*.md", "notebooks/**/*.ipynb")
    for path in sorted(path for place in places for path in home().glob(place)):
        old = path.read_text(encoding="utf-8")
        if before in old:
            write_text(path, old.replace(before, address))
            print(path.relative_to(home()))
    return 0
