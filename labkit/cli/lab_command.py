"""`python -m labkit lab`: run every notebook into build/ and say where to look."""

from ..files import home, write_text
from . import execute as notebooks
from .execute import add_arguments as add_arguments

PAGE = '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>The lab</title>\n'
PAGE += "<h1>The notebooks, as executed here</h1>\n<ul>\n{}\n</ul>\n"


def main(args):
    build = home() / "build"

    def keep(path, node, error):
        notebooks.write(node, build / "notebooks" / path.name)
        notebooks.write_html(node, build / "html" / f"{path.stem}.html")

    failed, _ = notebooks.run_all(notebooks.find(args.notebooks), keep, LABKIT_FIGURES=build / "figures")
    pages = sorted(path.stem for path in (build / "html").glob("[0-9]*.html"))
    links = "\n".join(f'<li><a href="{name}.html">{name}</a></li>' for name in pages)
    write_text(build / "html" / "index.html", PAGE.format(links))
    print(f"Web pages: {build / 'html' / 'index.html'}\nNotebooks: {build / 'notebooks'}")
    print("To work with them yourself: `make jupyter`, or `python -m jupyter lab notebooks`.")
    return int(bool(failed))
