"""`python -m tools.slides`: slides for each chapter, from the committed notebook, in build/site/slides.

The author of a chapter chooses eight to twelve cells by a tag (in Jupyter: the cog wheels at the right, "Cell tags").
`slide` shows of a Markdown cell its last heading and the paragraphs behind it, as far as the last row can read them; of
a code cell its picture and caption, or what it printed. `slide-code` shows the code itself. Nothing is executed.
`--pdf` prints slides and chapters, with Chromium.
"""

import argparse
import base64
import html
import re
import struct
import sys
from pathlib import Path

import nbformat
from nbconvert.filters import markdown2html

from labkit.errors import LabError
from labkit.files import home, write_text

from . import execute
from .pages import with_mathml, write_page

WORDS, CAPTION = 60, 24  # what one slide holds
ROW, LIST = 5, 20  # a row of a table counts as so many words; so many more where it ends in a list
LINES, LETTERS = 16, 92  # of code, or of what was printed
ITEM = re.compile(r"- |\d+\. ")  # how an item of a list begins
FIRST = re.compile(r"(- |\d+\. )(.+?[.?!](?=\s)|.+)", re.DOTALL)  # its first sentence
TALL = 0.58  # from this height of a picture on, in widths, the text stands beside it and not above and below
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
html {{ scroll-snap-type: y mandatory; }}
body {{ margin: 0; font: 4.6vmin/1.35 sans-serif; color: #111; background: #fff; }}
section {{ box-sizing: border-box; height: 100vh; padding: 4vmin 7vmin 6vmin; position: relative; overflow: hidden;
  display: flex; flex-direction: column; justify-content: center; scroll-snap-align: start; break-after: page; }}
h1 {{ font-size: 6.4vmin; line-height: 1.15; margin: 0 0 3vmin; }}
p, ul, ol {{ margin: 0 0 2vmin; }}
img {{ min-height: 0; flex: 0 1 auto; height: 72vh; max-width: 100%; object-fit: contain; align-self: center; }}
section:has(.tall) {{ display: grid; grid-template: auto 1fr / minmax(50vmin, 1fr) auto; column-gap: 4vmin; }}
.tall {{ grid-area: 1 / 2 / 3 / 3; height: 88vh; max-width: 108vmin; align-self: center; }}
figcaption {{ font: italic 3.6vmin/1.3 sans-serif; margin-top: 2vmin; }}
pre {{ font: 2.9vmin/1.35 monospace; margin: 0; white-space: pre-wrap; }}
table {{ font-size: 3.2vmin; border-collapse: collapse; }} td, th {{ padding: .6vmin 2vmin; text-align: right; }}
table[class] td, table[id] td {{ white-space: nowrap; }}
small {{ position: absolute; bottom: 2vmin; right: 4vmin; font-size: 2.4vmin; color: #555; }}
@page {{ size: 297mm 167mm; margin: 0; }}
@media print {{ section {{ height: 167mm; width: 297mm; }} }}
</style></head>
<body>
{slides}
<script>
addEventListener("keydown", (event) => {{
  const step = {{ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1}}[event.key];
  if (!step) return;
  event.preventDefault();
  const here = Math.round(scrollY / innerHeight);
  document.querySelectorAll("section")[Math.max(0, here + step)]?.scrollIntoView();
}});
</script>
</body></html>
"""


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="only these, by name or number (03); all without")
    parser.add_argument("--pdf", action="store_true", help="print slides and chapters as PDF, too")
    args = parser.parse_args(words)
    folder, pages = home() / "build" / "site", []
    for path in execute.find(args.notebooks):
        node = nbformat.read(path, as_version=4)
        chosen = slides(node)
        if not chosen:
            print(f'{path.stem}: no cell has the tag "slide"')
            continue
        title = headings(node.cells[0].source)[-1]
        sections = [f"<section>\n{one}\n<small>{path.stem} · {n}</small></section>" for n, one in enumerate(chosen, 1)]
        pages.append(folder / "slides" / f"{path.stem}.html")
        write_text(pages[-1], PAGE.format(title=html.escape(title), slides="\n".join(sections)))
        print(f"{path.stem}: {len(chosen)} slides")
        if args.pdf:
            pages.append(folder / f"{path.stem}.html")
            write_page(node, pages[-1])
    if args.pdf:
        write_pdf(pages)
    print(f"Slides: {folder / 'slides'}")
    return 0


def slides(node):
    """The slides of a notebook, each as HTML, in the order of its cells."""
    found, heading = [], ""
    for cell in node.cells:
        tags = set(cell.metadata.get("tags", ()))
        heading = (headings(cell.source) or [heading])[-1] if cell.cell_type == "markdown" else heading
        if tags & {"slide", "slide-code"}:
            body = of_text(cell.source) if cell.cell_type == "markdown" else of_code(cell, "slide-code" in tags)
            found.append(f"<h1>{html.escape(heading)}</h1>\n{body}")
    return found


def headings(text):
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def of_text(source, most=WORDS):
    """What stands behind the last heading: paragraphs, then sentences, as long as they fit."""
    text = re.split(r"^#+ .+$", source, flags=re.MULTILINE)[-1]
    text = re.sub(r"\[!\[.*?\]\(.*?\)\]\(.*?\)", "", text)  # a badge
    text = re.sub(r"(?<!!)\[([^\]]+)\]\([^)]*\)", r"\1", text)  # nobody clicks on a slide
    kept, words = [], 0
    for paragraph in filter(None, map(str.strip, text.split("\n\n"))):
        for piece in pieces(paragraph, most - words + LIST):
            words += length(piece)
            if words > most + (LIST if ITEM.match(piece) else 0) and kept:
                return markdown2html(with_mathml("".join(kept)))
            kept.append(piece + ("\n" if ITEM.match(piece) else " "))
        kept.append("\n\n")
    return markdown2html(with_mathml("".join(kept)))


def length(piece):
    return ROW * len(piece.splitlines()) if piece.startswith("|") else len(piece.split())


def pieces(paragraph, most):
    """The sentences of a paragraph; the items of a list, or as much of each as fits: a sentence, what is bold."""
    if paragraph.startswith(("|", "$", "    ")):
        return [paragraph]
    if not ITEM.match(paragraph):
        return re.split(r"(?<=[.?!:])\s+(?=[A-Z*\"`(])", paragraph)
    items = re.split(r"\n(?=- |\d+\. )", paragraph)
    bold = [re.match(r"(- |\d+\. )\*\*[^*]{3,}\*\*", item) for item in items]
    shorter = [
        items,
        [re.match(FIRST, item)[0] for item in items],
        [one[0] for one in bold] if all(bold) else [],
    ]
    fitting = [each for each in shorter if each and sum(map(length, each)) <= most]
    return fitting[0] if fitting else [paragraph]


def of_code(cell, show_code):
    """The code of a cell, or its last picture and caption, or its last table, or what it printed."""
    if show_code:
        lines = [line for line in cell.source.splitlines() if not line.startswith("# NBVAL")]
        return f"<pre>{html.escape(fitting(lines))}</pre>"
    results = [output for output in cell.outputs if "data" in output]
    captions = [output.data["text/markdown"] for output in results if "text/markdown" in output.data]
    caption = f"<figcaption>{of_text(captions[-1].replace('*', ''), CAPTION)}</figcaption>" if captions else ""
    for output in reversed(results):
        if "image/png" in output.data:
            alt = html.escape(output.metadata.get("image/png", {}).get("alt", ""), quote=True)
            png = output.data["image/png"].strip()
            width, height = struct.unpack(">II", base64.b64decode(png)[16:24])
            tall = 'class="tall" ' if height > TALL * width else ""
            return f'<img {tall}alt="{alt}" src="data:image/png;base64,{png}">{caption}'
    for output in reversed(results):
        if "<table" in output.data.get("text/html", ""):
            return re.sub(r"<style.*?</style>", "", output.data["text/html"], flags=re.DOTALL) + caption
    printed = "".join(
        output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout"
    )
    if not printed:
        raise LabError(f"A cell with the tag slide shows nothing: {cell.source.splitlines()[0]!r}. Use slide-code.")
    return f"<pre>{html.escape(fitting(printed.splitlines()))}</pre>"


def fitting(lines):
    more = ["..."] if len(lines) > LINES else []
    return "\n".join([line[:LETTERS] for line in lines[:LINES]] + more)


def write_pdf(pages):
    """Print web pages with Chromium, each beside itself."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from around import QUIET, find_browser
    from playwright.sync_api import sync_playwright

    if not find_browser():
        raise LabError("There is no Chromium here to print with. Open the pages in a browser, and print them there.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(QUIET))
        page = browser.new_page()
        for path in pages:
            page.goto(path.as_uri())
            page.pdf(path=path.with_suffix(".pdf"), prefer_css_page_size=True, format="A4")
            print(path.with_suffix(".pdf"))
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
