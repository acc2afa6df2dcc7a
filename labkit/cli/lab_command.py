"""`python -m labkit lab`: run every notebook into build/ and say where to look."""

import nbformat

from ..files import home
from . import execute as notebooks
from .execute import add_arguments as add_arguments
from .pages import write_index, write_page


def main(args):
    build, names = home() / "build", [path.stem for path in notebooks.find()]

    def keep(path, node, error):
        notebooks.write(node, build / "notebooks" / path.name)
        write_page(node, build / "html" / f"{path.stem}.html", names)

    failed, _ = notebooks.run_all(notebooks.find(args.notebooks), keep, LABKIT_FIGURES=build / "figures")
    done = {path.stem: nbformat.read(path, as_version=4) for path in sorted((build / "notebooks").glob("[0-9]*.ipynb"))}
    write_index(done, build / "html")
    print(f"Web pages: {build / 'html' / 'index.html'}\nNotebooks: {build / 'notebooks'}")
    print("To work with them yourself: `make jupyter`, or `python -m jupyter lab notebooks`.")
    return int(bool(failed))
