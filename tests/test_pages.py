"""The notebooks as web pages, in a real browser without a network; and the lab's address in all its places."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit.errors import LabError
from tools import notebooks, pages

ROOT = Path(__file__).resolve().parents[1]
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def small(title, question):
    """A notebook with a formula, code that looks like one, a picture, and a link to another."""
    picture = new_output("display_data", data={"image/png": DOT}, metadata={"image/png": {"alt": "a dot"}})
    text = "Power $|X_k|^2$, not `$HOME` or $5; next: [01_second](01_second.ipynb)\n\n$$s = \\sum_k x_k$$"
    cells = [new_markdown_cell(f"# {title}\n\n**One question:** {question}"), new_markdown_cell(text)]
    return new_notebook(cells=[*cells, new_code_cell("draw()", outputs=[picture])])


def test_formulas_become_mathml_and_code_stays():
    told = pages.with_mathml("a $x^2$ and `$y$`, $$z$$ but 5$ and 6$ stay")
    assert told.count("<math") == 2
    assert 'display="block"' in told
    assert "`$y$`" in told and "5$ and 6$ stay" in told


def test_pages_need_no_network(tmp_path, monkeypatch, page):
    """Each page shows its pictures, formulas and neighbours in a browser that is offline."""
    (tmp_path / "notebooks").mkdir()
    for name in ("00_first", "01_second", "02_third"):
        nbformat.write(small(name, f"what is <{name}>?"), tmp_path / "notebooks" / f"{name}.ipynb")
    for module in (notebooks, pages):
        monkeypatch.setattr(module, "home", lambda: tmp_path)
    monkeypatch.setattr(notebooks.execute, "find", lambda: sorted((tmp_path / "notebooks").glob("*.ipynb")))
    assert notebooks.main(["--site"]) == 0
    page.context.set_offline(True)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "build" / "site" / "index.html").as_uri())
    assert "What is <01_second>?" in page.inner_text("body")
    page.click("text=01_second")
    assert page.locator("nav").count() == 2
    assert page.locator("nav >> nth=0 >> a").all_inner_texts() == ["← 00_first", "all notebooks", "02_third →"]
    assert page.locator("math").count() == 2
    assert page.locator("img[alt='a dot']").count() == 1
    page.click("p a[href='01_second.html']")
    assert [url for url in asked if url.startswith("http")] == []


def test_the_address_is_one_everywhere():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    address = re.search(r'^Repository = "https://github.com/(.+)"$', project, re.MULTILINE)[1]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert f"/github/{address}/blob/main/notebooks/{path.name})" in "".join(cells[0]["source"]), path.name
        assert f"https://github.com/{address} speech-lab\n" in "".join(cells[1]["source"]), path.name
    assert f"https://github.com/{address} " in (ROOT / "README.md").read_text(encoding="utf-8")


def test_one_command_writes_another_address(tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nRepository = "https://github.com/OWNER/speech-lab"\n')
    for path in (tmp_path / "README.md", tmp_path / "notebooks" / "00.ipynb"):
        path.write_text("git clone https://github.com/OWNER/speech-lab speech-lab\n")
    monkeypatch.setattr(notebooks, "home", lambda: tmp_path)
    assert notebooks.main(["--repository", "ana/lab"]) == 0
    told = {Path(line).as_posix() for line in capsys.readouterr().out.splitlines()}
    assert told == {"README.md", "notebooks/00.ipynb", "pyproject.toml"}
    for path in (tmp_path / "README.md", tmp_path / "notebooks" / "00.ipynb"):
        assert path.read_text() == "git clone https://github.com/ana/lab speech-lab\n"
    assert notebooks.main(["--repository", "bo/lab"]) == 0  # it knows where it stands now
    with pytest.raises(LabError, match="OWNER/NAME"):
        notebooks.move("https://github.com/ana/lab")
