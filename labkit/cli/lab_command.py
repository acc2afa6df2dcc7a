"""`python -m labkit lab`: run every notebook into build/ and say where to look."""

import os
import shutil

from ..files import home, write_text
from . import execute as notebooks

PAGE = '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>The lab</title>\n'
PAGE += "<h1>The notebooks, as executed here</h1>\n<ul>\n{}\n</ul>\n"


def add_arguments(parser):
    parser.add_argument("notebooks", nargs="*", help="only these, by name or number (03); all without")


def main(args):
    build = home() / "build"
    paths = notebooks.find(args.notebooks)
    if not os.environ.get("LABKIT_RESULTS"):
        shutil.rmtree(build / "results", ignore_errors=True)  # training really happens, each time
    notebooks.prepare(LABKIT_RESULTS=build / "results", LABKIT_FIGURES=build / "figures")

    def keep(path, node, outcome):
        notebooks.write(node, build / "notebooks" / path.name)
        notebooks.write_html(node, build / "html" / f"{path.stem}.html")

    outcomes = notebooks.run_all(paths, keep)
    pages = sorted(path.stem for path in (build / "html").glob("[0-9]*.html"))
    links = "\n".join(f'<li><a href="{name}.html">{name}</a></li>' for name in pages)
    write_text(build / "html" / "index.html", PAGE.format(links))
    print(f"Web pages: {build / 'html' / 'index.html'}\nNotebooks: {build / 'notebooks'}")
    print("To work with them yourself: `make jupyter`, or `python -m jupyter lab notebooks`.")
    return int(any(outcome.error for outcome in outcomes))
