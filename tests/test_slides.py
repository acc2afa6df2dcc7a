"""Slides and printed pages of the chapters: enough of them, nothing cut off, letters that the last row can read."""

import base64
import io
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from labkit.errors import LabError
from tools import slides
from tools.pages import write_page

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_has_eight_to_twelve_slides(path):
    found = slides.slides(nbformat.read(path, as_version=4))
    assert 8 <= len(found) <= 12
    assert all(re.search(r"<img|<p>|<li>|<pre>|<td", one) for one in found)  # more than a heading


def test_a_slide_shows_what_fits():
    long = "One short sentence. " * 40
    text = new_markdown_cell(f"## A heading\n\nFirst.\n\n{long}", metadata={"tags": ["slide"]})
    picture = new_output("display_data", data={"image/png": DOT}, metadata={"image/png": {"alt": 'a "dot"'}})
    caption = new_output("display_data", data={"text/markdown": "Look at the dot."})
    draw = new_code_cell("draw()", outputs=[picture, caption], metadata={"tags": ["slide"]})
    code = new_code_cell("\n".join(f"x{i} = {i}" for i in range(40)), metadata={"tags": ["slide-code"]})
    stream = new_output("stream", name="stdout", text="a < b\n")
    said = new_code_cell("print()", outputs=[stream], metadata={"tags": ["slide"]})
    first, second, third, fourth = slides.slides(new_notebook(cells=[text, draw, code, said, new_markdown_cell("no")]))
    assert "<h1>A heading</h1>" in first and 5 < first.count("One short sentence.") <= slides.WORDS / 3
    assert 'alt="a &quot;dot&quot;"' in second and "Look at the dot." in second and "draw()" not in second
    assert "x15" in third and "x16" not in third and "..." in third
    assert "a &lt; b" in fourth and "<h1>A heading</h1>" in fourth


def test_a_list_is_shortened_until_it_fits():
    def said(*items):
        source = "## Repairs\n\nTwo of them:\n\n" + "\n".join(items)
        return re.sub(r"<.*?>", "", slides.of_text(source))

    more = "It takes " + "many " * slides.WORDS + "words."
    assert "a new seed" in said("1. **Seeds**: a new seed each.", "2. **Splits**: by speaker.")
    assert "a new seed each." in said(f"1. **Seeds**: a new seed each. {more}", "2. **Splits**: by speaker.")
    assert said(f"- **Seeds**: {more}", f"- **Splits**: {more}").split() == "Two of them: Seeds Splits".split()
    assert said(f"- **A**: {more}", f"- **B**: {more}").split() == "Two of them:".split()  # no letter alone


def test_a_tall_picture_has_its_text_beside_it():
    node = new_notebook(cells=[new_markdown_cell("# A")])
    for tall, height in ((False, 400), (True, 800)):
        buffer = io.BytesIO()
        Image.new("RGB", (800, height)).save(buffer, "PNG")
        picture = new_output("display_data", data={"image/png": base64.b64encode(buffer.getvalue()).decode()})
        node.cells = [new_code_cell("draw()", outputs=[picture], metadata={"tags": ["slide"]})]
        assert ('class="tall"' in slides.slides(node)[0]) is tall


def test_a_tag_on_a_cell_that_shows_nothing_is_named():
    silent = new_code_cell("x = 1", metadata={"tags": ["slide"]})
    with pytest.raises(LabError, match="x = 1.*slide-code"):
        slides.slides(new_notebook(cells=[silent]))


def test_slides_are_legible_and_whole_in_a_browser(tmp_path, page, monkeypatch):
    """Nothing is cut off at 16:9, no letter is below a fortieth of the height, and keys turn the slides."""
    monkeypatch.setattr(slides, "home", lambda: tmp_path)
    assert slides.main([]) == 0
    page.context.set_offline(True)
    page.set_viewport_size({"width": 1280, "height": 720})
    for path in sorted((tmp_path / "build" / "site" / "slides").glob("*.html")):
        page.goto(path.as_uri())
        page.wait_for_function("[...document.images].every(image => image.complete)")
        cut = page.evaluate(
            "[...document.querySelectorAll('section')].map((one, i) => [i + 1, one.scrollHeight - one.clientHeight,"
            " one.scrollWidth - one.clientWidth]).filter(([i, high, wide]) => high > 1 || wide > 1)"
        )
        assert cut == [], path.name
        above = "[...document.querySelectorAll('section')].map(one => one.firstElementChild.getBoundingClientRect().top"
        above += " - one.getBoundingClientRect().top)"  # what is too much overflows at both ends of a centred slide
        assert min(page.evaluate(above)) > 0, path.name
        small = "[...document.querySelectorAll('p, li, pre, td, th')].map(one => getComputedStyle(one).fontSize)"
        assert min(float(size.removesuffix("px")) for size in page.evaluate(small)) >= 720 / 40, path.name
        low = page.evaluate("Math.min(...[...document.images].map(image => image.getBoundingClientRect().height))")
        assert low >= 720 / 4, path.name
    page.keyboard.press("ArrowRight")
    page.wait_for_function("Math.round(scrollY / innerHeight) === 1")


def test_a_page_prints_without_navigation(tmp_path, page):
    node = new_notebook(cells=[new_markdown_cell("# A"), new_markdown_cell("## B"), new_code_cell("x = 1" * 80)])
    write_page(node, tmp_path / "01_b.html", ["00_a", "01_b"])
    page.goto((tmp_path / "01_b.html").as_uri())
    assert page.locator("nav >> nth=0").is_visible()
    page.emulate_media(media="print")
    assert not page.locator("nav >> nth=0").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1")
    assert len(page.pdf(format="A4")) > 1000
