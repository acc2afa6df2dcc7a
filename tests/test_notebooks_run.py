"""Executing notebooks, and storing what they show so that two runs store the same."""

import os

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit import cli
from labkit.errors import LabError
from tools import execute as notebooks
from tools.pages import write_page
from tools.run_tests import set_environment


def save(folder, name, *sources):
    """Write a notebook of code cells."""
    path = folder / f"{name}.ipynb"
    node = new_notebook(cells=[new_code_cell(source) for source in sources])
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "old", "language": "python"}
    nbformat.write(node, path)
    return path


@pytest.fixture
def environment(monkeypatch, tmp_path):
    for name in ("LABKIT_DATA", "LABKIT_SCALE", "LABKIT_BARS", "LABKIT_RESULTS", "MPLBACKEND"):
        monkeypatch.setenv(name, "kept")  # so that monkeypatch puts back what was there
    monkeypatch.setattr(notebooks, "home", lambda: tmp_path)


@pytest.mark.slow
def test_a_failing_notebook_names_its_cell_and_the_next_one_still_runs(tmp_path, capsys, environment):
    paths = [save(tmp_path, "00_bad", "x = 1", "x / 0", "print(x)"), save(tmp_path, "01_good", "print('fine')")]
    seen = {}
    errors = {}

    def keep(path, node, error):
        seen[path.stem], errors[path.stem] = node, error

    failed, took = notebooks.run_all(paths, keep)
    assert failed == ["00_bad"] and took.keys() == {"00_bad", "01_good"}
    assert all(each["seconds"] > 0 and each["memory"] > 10 for each in took.values())
    assert errors["00_bad"].startswith("cell 2 of 00_bad") and "x / 0" in errors["00_bad"]
    assert errors["00_bad"].endswith("ZeroDivisionError: division by zero")
    assert not errors["01_good"] and seen["01_good"].cells[0].outputs[0].text == "fine\n"
    assert seen["00_bad"].cells[0].execution_count == 1 and seen["00_bad"].cells[2].execution_count is None
    printed = capsys.readouterr().out
    assert "FAILED" in printed and "x / 0" in printed
    assert "1 of 2 notebooks ran through" in printed


@pytest.mark.slow
def test_a_kernel_that_dies_is_a_failure_in_words(tmp_path):
    _, error, _ = notebooks.execute(save(tmp_path, "00_dies", "import os", "os._exit(1)"))
    assert error.startswith("cell 2") and "the kernel died" in error


@pytest.mark.slow
def test_a_cell_that_does_nothing_is_a_failure_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "STUCK", 2)
    _, error, _ = notebooks.execute(save(tmp_path, "00_stuck", "import threading; threading.Event().wait()"))
    assert error.startswith("cell 1 of 00_stuck") and error.endswith("the cell did nothing for 2 seconds")


@pytest.mark.slow
def test_a_cell_that_works_is_left_alone_and_one_that_works_without_end_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "STUCK", 2)
    work = "import time; end = time.monotonic() + 4\nwhile time.monotonic() < end: pass"
    _, error, took = notebooks.execute(save(tmp_path, "00_works", work))
    assert not error and took["processor"] >= 1
    monkeypatch.setattr(notebooks, "ENDLESS", 2)
    _, error, _ = notebooks.execute(save(tmp_path, "00_endless", "while True: pass"))
    assert error.endswith("used more than 2 seconds of processor time")


@pytest.mark.slow
def test_a_notebook_runs_in_its_own_folder_and_stores_the_same_twice(tmp_path):
    path = save(
        tmp_path,
        "00_same",
        "import pathlib, sys, warnings\nprint(pathlib.Path.cwd().name)",
        "from tqdm import tqdm\nfor _ in tqdm(range(3)): print('step')",
        "import ipywidgets\nipywidgets.IntSlider()",
        "warnings.warn('mind this')",
    )
    texts = []
    for _ in range(2):
        node, error, _ = notebooks.execute(path)
        assert not error
        notebooks.write(notebooks.normalise(node), path)
        texts.append(path.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    cells = nbformat.reads(texts[0], as_version=4).cells
    assert cells[0].outputs[0].text == f"{tmp_path.name}\n"
    assert [output.text for output in cells[1].outputs] == ["step\nstep\nstep\n"]
    assert cells[2].outputs == []
    assert cells[3].outputs[0].text.startswith("UserWarning: mind this")
    nbformat.validate(nbformat.read(path, as_version=4))


def test_a_panel_keeps_its_picture_and_loses_its_widget():
    data = {notebooks.WIDGET: {"model_id": "1"}, "image/png": "aGk=", "text/plain": "Panel()"}
    node = new_notebook(cells=[new_code_cell("panel", outputs=[new_output("display_data", data=data)])])
    (output,) = notebooks.normalise(node).cells[0].outputs
    assert set(output.data) == {"image/png", "text/plain"}


def test_what_changes_by_itself_is_taken_out_and_the_rest_is_kept():
    cell = new_code_cell("1", metadata={"execution": {"iopub.execute_input": "now"}, "tags": ["mine"]})
    node = new_notebook(cells=[cell, new_markdown_cell("Same"), new_markdown_cell("Same")])
    node.metadata.update(widgets={"state": {}}, language_info={"name": "python", "version": "3.11.7"})
    notebooks.normalise(node)
    assert cell.metadata == {"tags": ["mine"]}
    assert set(node.metadata) == {"kernelspec", "language_info"} and "version" not in node.metadata.language_info
    before = [cell.id for cell in node.cells]
    assert len(set(before)) == 3
    node.cells.insert(0, new_markdown_cell("New"))
    assert [cell.id for cell in notebooks.normalise(node).cells][1:] == before


def test_what_a_cell_prints_stays_before_and_after_its_pictures():
    printed = [new_output("stream", name="stdout", text=text) for text in ("a", "b\n", "c\n")]
    picture = new_output("display_data", data={"image/png": "aGk=", "text/plain": "picture"})
    node = new_notebook(cells=[new_code_cell("1", outputs=[*printed[:2], picture, printed[2]])])
    outputs = notebooks.normalise(node).cells[0].outputs
    assert [output.get("text", "picture") for output in outputs] == ["ab\n", "picture", "c\n"]


def test_a_web_page_has_the_pictures_description_and_leads_to_pages(tmp_path):
    picture = new_output("display_data", data={"image/png": "aGk="}, metadata={"image/png": {"alt": "A rising line"}})
    node = new_notebook(
        cells=[new_code_cell("1", outputs=[picture]), new_markdown_cell("[next](01_exploration.ipynb)")]
    )
    write_page(node, tmp_path / "00.html")
    text = (tmp_path / "00.html").read_text(encoding="utf-8")
    assert 'alt="A rising line"' in text and 'href="01_exploration.html"' in text


def test_notebooks_are_found_by_name_or_number(tmp_path, environment):
    with pytest.raises(LabError, match="no notebooks in"):
        notebooks.find([])
    (tmp_path / "notebooks").mkdir()
    first, second = save(tmp_path / "notebooks", "00_one"), save(tmp_path / "notebooks", "01_two")
    assert notebooks.find([]) == [first, second]
    assert notebooks.find(["01"]) == [second]
    assert notebooks.find(["notebooks/00_one.ipynb", "00"]) == [first]
    with pytest.raises(LabError, match="no notebook called '07'.*00_one, 01_two"):
        notebooks.find(["07"])


def test_the_lab_command_starts_the_tool(capfd, monkeypatch, tmp_path):
    assert cli.main(["lab", "no_such_notebook"]) == 2
    assert "no notebook called 'no_such_notebook'" in capfd.readouterr().err
    monkeypatch.setattr(cli, "home", lambda: tmp_path)
    assert cli.main(["lab"]) == 2
    assert "Run this in the folder of the lab." in capfd.readouterr().err


def test_what_the_user_set_stays(monkeypatch, environment):
    monkeypatch.setenv("LABKIT_DATA", "real")
    monkeypatch.delenv("LABKIT_SCALE")
    set_environment(LABKIT_RESULTS="somewhere else")
    assert os.environ["LABKIT_DATA"] == "real" and os.environ["LABKIT_RESULTS"] == "kept"
    assert os.environ["LABKIT_SCALE"] == "lab" and "MPLBACKEND" not in os.environ
