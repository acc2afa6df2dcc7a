"""Notebooks as web pages that need no network: one page each, and an index of their questions."""

import html
import re
from copy import deepcopy

from jinja2 import DictLoader
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html

from labkit.files import home, read_json, write_text

from .execute import TIMES

PAGE = """{%- extends "classic/index.html.j2" -%}
{%- block html_head_js -%}<style>pre { word-break: normal !important; overflow-wrap: anywhere; } @media print {
nav, audio { display: none !important; } pre, code { white-space: pre-wrap !important; }
a::after { content: none !important; } img, table { break-inside: avoid; max-width: 100%; }
h2, h3 { break-after: avoid; }
}</style>{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block body_header -%}{{ super() }}<nav>{{ resources.neighbours }}</nav>{%- endblock -%}
{%- block body_footer -%}<nav>{{ resources.neighbours }}</nav>{{ super() }}{%- endblock -%}
"""
INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Speech classification in PyTorch: a course lab</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 17px/1.5 sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }}
article {{ display: flex; gap: 1.5rem; margin: 2rem 0; flex-wrap: wrap; }}
article img {{ width: 15rem; height: 9rem; object-fit: cover; object-position: top left; border: 1px solid #ccc; }}
article div {{ flex: 1 1 20rem; }} h2 {{ font-size: 1.2rem; margin: 0; }}
</style></head>
<body><h1>Speech classification in PyTorch: a course lab</h1>
<p>Each page is a notebook with its outputs: text, figures, sounds. What was computed from synthetic speech says so.</p>
{articles}
</body></html>
"""
ARTICLE = """<article>{picture}<div><h2><a href="{name}.html">{title}</a></h2>
<p>{question}</p><p><small>{minutes}</small></p></div></article>"""
FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?!\s)(?P<inline>[^$\n]+?)(?<!\s)\$(?!\w)", re.DOTALL)
CODE = re.compile(r"(```.*?```|`[^`]*`)", re.DOTALL)


def write_page(node, path, names=()):
    """Write a notebook as one web page, with pictures, sounds and formulas inside, and links to others of `names`."""
    node = deepcopy(node)
    for cell in node.cells:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
    template = DictLoader({"page.html.j2": PAGE})  # over the one that gives each picture its description (alt)
    exporter = HTMLExporter(template_name="classic", template_file="page.html.j2", extra_loaders=[template])
    resources = {"metadata": {"name": path.stem}, "neighbours": neighbours(path.stem, names)}
    body, _ = exporter.from_notebook_node(node, resources=resources)
    body = re.sub(r'href="(\.\./)+docs/GLOSSARY\.md', 'href="glossary.html', body)
    write_text(path, re.sub(r'href="(\d\d_\w+)\.ipynb', r'href="\1.html', body))


def neighbours(name, names):
    """Links to the pages before and after one of `names`, and to the index."""
    if name not in names:
        return ""
    links, place = ['<a href="index.html">all notebooks</a>'], names.index(name)
    if place > 0:
        links.insert(0, f'<a href="{names[place - 1]}.html">&larr; {names[place - 1]}</a>')
    if place + 1 < len(names):
        links.append(f'<a href="{names[place + 1]}.html">{names[place + 1]} &rarr;</a>')
    return " | ".join(links)


def with_mathml(text):
    """Markdown with its LaTeX formulas as MathML, which browsers draw without any program."""

    def formula(match):
        block = match["block"]
        return convert(block or match["inline"], display="block" if block else "inline")

    pieces = CODE.split(text)  # code at odd places
    return "".join(piece if i % 2 else FORMULA.sub(formula, piece) for i, piece in enumerate(pieces))


def write_index(nodes, folder):
    """Write index.html for {name: notebook}: title, question, first picture, how long each takes; and the glossary."""
    times = read_json(home() / TIMES) if (home() / TIMES).exists() else {}
    articles = []
    for name, node in nodes.items():
        opening = node.cells[0].source
        question = re.search(r"\*\*One question:\*\* (.*)", opening)
        pictures = [
            output.data["image/png"]
            for cell in node.cells
            for output in cell.get("outputs", ())
            if "image/png" in output.get("data", {})
        ]
        article = {
            "name": name,
            "title": html.escape(opening.splitlines()[0].lstrip("# ")),
            "question": html.escape(question[1][:1].upper() + question[1][1:].replace("*", "")) if question else "",
            "picture": f'<img alt="" src="data:image/png;base64,{pictures[0]}">' if pictures else "",
            "minutes": f"{times[name]['seconds'] / 60:.1f} minutes to run, about 45 to read" if name in times else "",
        }
        articles.append(ARTICLE.format(**article))
    write_text(folder / "index.html", INDEX.format(articles="\n".join(articles)))
    glossary = home() / "docs" / "GLOSSARY.md"
    if glossary.exists():
        write_text(
            folder / "glossary.html", "<meta charset=utf-8>" + markdown2html(glossary.read_text(encoding="utf-8"))
        )
