"""`python -m tools.notebooks`: execute the notebooks and store their outputs in them, for readers on the web.

`--build` leaves them as they are, and writes copies and web pages into build/ (`python -m labkit lab` is this).
`--site` executes nothing: it writes what is stored as web pages. `--repository` writes another address of the lab.
"""

import argparse
import re
import sys

import nbformat

from labkit.errors import LabError
from labkit.files import home, read_json, write_json, write_text

from . import execute
from .execute import TIMES
from .pages import write_index, write_page


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="only these, by name or number (03); all without")
    parser.add_argument("--build", action="store_true", help="write what they show into build/, as web pages too")
    parser.add_argument("--site", action="store_true", help="only write the stored notebooks as pages, in build/site")
    parser.add_argument("--repository", help="only write this address, OWNER/NAME on GitHub, wherever the lab's stands")
    args = parser.parse_args(words)
    if args.repository:
        return move(args.repository)
    if args.build:
        return build(args.notebooks)
    return site() if args.site else refresh(args.notebooks)


def build(wanted):
    """Execute notebooks into build/, with a web page for each and an index of all that are there."""
    folder, names = home() / "build", [path.stem for path in execute.find()]

    def keep(path, node, error):
        execute.write(node, folder / "notebooks" / path.name)
        write_page(node, folder / "html" / f"{path.stem}.html", names)

    failed, _ = execute.run_all(execute.find(wanted), keep, LABKIT_FIGURES=folder / "figures")
    paths = sorted((folder / "notebooks").glob("[0-9]*.ipynb"))
    write_index({path.stem: nbformat.read(path, as_version=4) for path in paths}, folder / "html")
    print(f"Web pages: {folder / 'html' / 'index.html'}\nNotebooks: {folder / 'notebooks'}")
    print("To work with them yourself: `make jupyter`, or `python -m jupyter lab notebooks`.")
    return int(bool(failed))


def refresh(wanted):
    """Execute notebooks, and store their outputs and what each took."""

    def keep(path, node, error):
        if not error:
            execute.write(node, path)

    failed, took = execute.run_all(execute.find(wanted), keep, LABKIT_FIGURES=home() / "figures")
    before = read_json(home() / TIMES) if (home() / TIMES).exists() else {}
    times = dict(sorted({**before, **took}.items()))
    write_json(home() / TIMES, times)
    write_minutes(times)
    if failed:
        print(f"Left as they were: {', '.join(failed)}. Mend the cells named above and run this again.")
    return int(bool(failed))


def site():
    """Write the stored notebooks as web pages, with an index."""
    folder = home() / "build" / "site"
    nodes = {path.stem: nbformat.read(path, as_version=4) for path in execute.find()}
    for name, node in nodes.items():
        write_page(node, folder / f"{name}.html", list(nodes))
    write_index(nodes, folder)
    print(f"Web pages: {folder / 'index.html'}")
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
