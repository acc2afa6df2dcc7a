"""`python -m labkit site`: write the committed notebooks as web pages; nothing is executed."""

import nbformat

from ..files import home
from .execute import find
from .pages import write_index, write_page


def main(args):
    folder = home() / "build" / "site"
    nodes = {path.stem: nbformat.read(path, as_version=4) for path in find()}
    for name, node in nodes.items():
        write_page(node, folder / f"{name}.html", list(nodes))
    write_index(nodes, folder)
    print(f"Web pages: {folder / 'index.html'}")
    return 0
