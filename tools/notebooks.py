"""`python -m tools.notebooks`: execute the notebooks and store their outputs in them, for readers on the web.

`--site` executes nothing: it writes what is stored as web pages. `--repository` writes another address of the lab.
"""

import argparse
import re
import sys

import nbformat

from labkit.cli import execute
from labkit.cli.pages import TIMES, write_index, write_page
from labkit.errors import LabError
from labkit.files import home, read_json, write_json, write_text


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    execute.add_arguments(parser)
    parser.add_argument("--site", action="store_true", help="only write the stored notebooks as pages, in build/site")
    parser.add_argument("--repository", help="only write this address, OWNER/NAME on GitHub, wherever the lab's stands")
    args = parser.parse_args(words)
    if args.repository:
        return move(args.repository)
    return site() if args.site else refresh(args.notebooks)


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
