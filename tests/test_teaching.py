"""Copies for students, what an update brings them, and points: thirty made-up copies, some of them hostile."""

import ast
import csv
import re
import socket
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from around import required
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labkit import cli
from labkit.checks import exploration
from labkit.errors import LabError
from tools import blanks, execute, grading, sandbox, students
from tools.execute import normalise, write
from tools.grading import plan

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("0*.ipynb"))
SMOOTH = """def smooth(log_mel, n):
    from scipy.fft import dct, idct
    coefficients = dct(log_mel, norm="ortho")
    coefficients[:, n:] = 0
    return idct(coefficients, norm="ortho")"""
WINDOW = "def shortest_window(hertz):\n    return 2000 / hertz"
SECONDS = 8  # of work that a graded copy may take
PLACEHOLDER = "def smooth(log_mel, n):\n    return log_mel", "def shortest_window(hertz):\n    return 40"


def inside(code, answer=SMOOTH):
    """An answer that does something else before it answers rightly; `code` is indented lines."""
    return answer.replace("):\n", f"):\n{code}\n", 1)


# name: (first answer, second answer, points, a word of the reason). The checks are those of notebook 01.
COPIES = {
    "right": (SMOOTH, WINDOW, 2, ""),
    "right_otherwise": (
        "import numpy as np\nk, b = np.arange(40), np.arange(40)[:, None]\n"
        "waves = np.sqrt(2 / 40) * np.cos(np.pi / 40 * k * (b + 0.5))\nwaves[:, 0] /= np.sqrt(2)\n"
        "def smooth(log_mel, n):\n    return log_mel @ waves[:, :n] @ waves[:, :n].T",
        "def shortest_window(hertz):\n    return 1000 * (2 / hertz)",
        2,
        "",
    ),
    "helpers": (
        "from scipy import fft\ndef first(c, n):\n    c = c.copy()\n    c[:, n:] = 0\n    return c\n"
        "def smooth(log_mel, n):\n    return fft.idct(first(fft.dct(log_mel, norm='ortho'), n), norm='ortho')",
        "HALF = 1000\ndef shortest_window(hertz):\n    return 2 * HALF / hertz",
        2,
        "",
    ),
    "lambda": (SMOOTH, "shortest_window = lambda hertz: 2000 / hertz", 2, ""),
    "twice": (PLACEHOLDER[0] + "\n" + SMOOTH, WINDOW, 2, ""),
    "prints_much": (inside("    print('x' * 10_000_000)"), WINDOW, 2, ""),
    "empty": ("", "", 0, "NameError"),
    "untouched": (*PLACEHOLDER, 0, "the same for 1 and for 40"),
    "half_done": (SMOOTH, PLACEHOLDER[1], 1, "the same for 20 and for 100"),
    "seconds": (SMOOTH, "def shortest_window(hertz):\n    return 2 / hertz", 1, "is in seconds"),
    "first_bands": ("def smooth(log_mel, n):\n    return log_mel[:, :n]", WINDOW, 1, "Multiply by the cosines"),
    "returns_none": ("def smooth(log_mel, n):\n    log_mel * 2", WINDOW, 1, "returns None"),
    "raises": ("def smooth(log_mel, n):\n    return log_mel / nothing", WINDOW, 1, "NameError"),
    "no_python": ("def smooth(log_mel, n)\n    return log_mel", WINDOW, 1, "is not Python"),
    "other_name": (SMOOTH.replace("smooth", "smoothe"), WINDOW, 1, "NameError"),
    "recursion": ("def smooth(log_mel, n):\n    return smooth(log_mel, n)", WINDOW, 1, "RecursionError"),
    "exits": (inside("    raise SystemExit(0)"), WINDOW, 1, "SystemExit"),
    "endless_loop": (SMOOTH, "def shortest_window(hertz):\n    while True: pass", 1, f"{SECONDS} seconds of work"),
    "sleeps": (inside("    import time; time.sleep(600)"), WINDOW, 0, "not reached within"),
    "crashes": (SMOOTH, "def shortest_window(hertz):\n    import os; os.abort()", 1, "ended first"),
    "segfault": ("import ctypes\ndef smooth(log_mel, n):\n    return ctypes.string_at(0)", WINDOW, 0, "ended first"),
    "deletes_files": (
        "import os, pathlib\nfor path in pathlib.Path(os.environ['TARGET_FOLDER']).iterdir():\n    path.unlink()\n"
        "def smooth(log_mel, n):\n    os.remove(os.path.join(TARGET, 'precious.txt'))\n    return log_mel",
        WINDOW,
        1,
        "Error",
    ),
    "socket": (inside("    import socket; socket.create_connection(ADDRESS)"), WINDOW, 1, "Error"),
    "starts_program": (
        SMOOTH,
        inside("    import subprocess; subprocess.run(['touch', TARGET + '/seen'])", WINDOW),
        1,
        "Perm",
    ),
    "writes_10_GB": (
        inside("    with open('big', 'wb') as f:\n        for _ in range(10_000): f.write(bytes(1_000_000))"),
        WINDOW,
        1,
        "Error",
    ),
    "takes_40_GB": (SMOOTH, inside("    import numpy as np; np.ones(5_000_000_000)", WINDOW), 1, "Memory"),
    "reads_answers": (
        SMOOTH,
        inside("    import runpy; runpy.run_path(LAB + '/notebooks/solutions/01_exploration.py')", WINDOW),
        1,
        "PermissionError",
    ),
    "patches_check": (
        "import labkit.checks.exploration as e\ndef smooth(log_mel, n):\n    e.need = print\n    return log_mel",
        WINDOW,
        0,
        "replaced labkit.checks.exploration.need",
    ),
    "patches_numpy": (
        "import numpy as np\ndef smooth(log_mel, n):\n    np.allclose = lambda *given, **named: 1\n    return log_mel",
        WINDOW,
        0,
        "replaced numpy.allclose",
    ),
    "own_check": (
        PLACEHOLDER[0] + "\ndef check_smoothing(smooth):\n    return True",
        PLACEHOLDER[1] + "\ncheck_window = check_smoothing",
        0,
        "the same for",
    ),
    "forges_result": (
        inside(
            "    import os\n    for fd in range(3, 64):\n        try:\n"
            '            os.write(fd, b\'["check_smoothing", 1, "right"]\\n\')\n'
            "        except OSError:\n            pass\n"
            "    return log_mel"
        ),
        WINDOW,
        1,
        "the same for 1 and for 40",
    ),
    "floods": (
        inside(
            "    import os\n    block, tried = b'x' * 100_000, list(range(3, 64))\n    while tried:\n"
            "        for fd in list(tried):\n            try:\n                os.write(fd, block)\n"
            "            except OSError:\n                tried.remove(fd)"
        ),
        WINDOW,
        0,
        "wrote without end",
    ),
    "colours": (inside("    raise ValueError('\\x1b[2J\\ud800')"), WINDOW, 1, "ValueError:  [2J "),
    "overwrites_labkit": (
        SMOOTH,
        inside("    import labkit.checks as c\n    open(c.__file__, 'a').write('#')", WINDOW),
        1,
        "Error",
    ),
}
# One process for two: the first answer of the one and the second of the other, neither of which ends the process.
PAIRS = {
    "deletes_files": "starts_program",
    "socket": "reads_answers",
    "writes_10_GB": "takes_40_GB",
    "forges_result": "overwrites_labkit",
    "colours": "crashes",
}
COPIES |= {
    f"{one}, {other}": (COPIES[one][0], COPIES[other][1], 0, (COPIES[one][3], COPIES[other][3]))
    for one, other in PAIRS.items()
}


# What these do ends with their process, or the test takes it back: their code may run in the process of the tests.
HARMLESS = list(COPIES)[: list(COPIES).index("exits")] + ["exits", "patches_check", "patches_numpy", "own_check"]
# The others need a process, 3 s of work; `right` and `no_python` are graded among them. What is one of a pair, or like
# `crashes`, or waits for the clock, has a process of its own every week only, as have all copies.
RARELY = {*HARMLESS, *PAIRS, *PAIRS.values(), "sleeps", "segfault"} - {"right", "no_python"}
GRADED = [name for name in COPIES if required("weekly") or name not in RARELY]


def small_lab(folder):
    """Two exercises of notebook 01 as a notebook of the lab, so that thirty copies need no corpus."""
    first, second = (f"{source}  # change me" for source in PLACEHOLDER)
    cells = [
        new_code_cell("from labkit.checks.exploration import check_smoothing, check_window"),
        new_code_cell(f"{first}\n\n\nright_1 = check_smoothing(smooth)"),
        new_code_cell(f"{second}\n\n\nright_2 = check_window(shortest_window)"),
    ]
    path = folder / "01_exploration.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The table of the made-up copies, {name: (points, why)}, and the files and the port that were in danger."""
    folder = tmp_path_factory.mktemp("graded")
    precious = folder / "target" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("kept")
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    facts = f"TARGET = {str(precious.parent)!r}\nLAB = {str(ROOT)!r}\nADDRESS = {server.getsockname()!r}\n"
    works = []
    for name in GRADED:
        first, second, _, _ = COPIES[name]
        cells = [new_code_cell(source) for source in (facts + first, second)]
        cells = cells if name != "no_python" else [new_code_cell(first), new_code_cell(second)]
        works.append(folder / "works" / name)
        works[-1].mkdir(parents=True)
        nbformat.write(new_notebook(cells=cells), works[-1] / "01_exploration.ipynb")
    (folder / "works" / "no_notebook").mkdir()
    (folder / "works" / "no_notebook" / "01_exploration.ipynb").write_text("%PDF")
    (folder / "works" / "absent").mkdir()
    works += [folder / "works" / "no_notebook", folder / "works" / "absent"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "find", lambda wanted: [small_lab(folder)])
        patch.setattr(grading, "rehearse", lambda *given: None)
        patch.setattr(grading, "answers", lambda name: (f"{SMOOTH}\n{WINDOW}", {}))
        patch.setattr(grading, "PATIENCE", 20)  # on a loaded machine, too, work is what ends the endless loop
        before = {path: path.read_bytes() for path in (ROOT / "labkit" / "checks").glob("*.py")}
        grading.main([*map(str, works), "-o", str(folder / "grades.csv"), "--seconds", str(SECONDS)])
    with (folder / "grades.csv").open(encoding="utf-8") as file:
        rows = {row["copy"]: (int(row["points"]), row["01_exploration feedback"]) for row in csv.DictReader(file)}
    assert before == {path: path.read_bytes() for path in before}
    yield rows, folder, precious, server
    server.close()


@pytest.mark.slow
def test_each_copy_gets_its_points_and_a_reason(graded):
    rows, *_ = graded
    asked = {name: COPIES[name] for name in rows if name in COPIES}
    both = {name for pair in asked for name in pair.split(", ")}
    assert both >= {*PAIRS, *PAIRS.values()} and len(both | set(HARMLESS)) >= 30
    assert {name: rows[name][0] for name in asked} == {name: points for name, (_, _, points, _) in asked.items()}, rows
    words = {name: (word,) if isinstance(word, str) else word for name, (*_, word) in asked.items()}
    assert {name: rows[name] for name in asked if any(word not in rows[name][1] for word in words[name])} == {}
    assert rows["no_notebook"][0] == 0 and "is no notebook" in rows["no_notebook"][1]
    assert rows["absent"] == (0, "check_smoothing: not handed in | check_window: not handed in")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HARMLESS if name != "no_python"])
def test_answers_and_mistakes_are_told_apart(name, tmp_path, monkeypatch):
    first, second, points, word = COPIES[name]
    monkeypatch.setattr(np, "allclose", np.allclose)  # two copies replace these
    monkeypatch.setattr(exploration, "need", exploration.need)
    lab = [one for cell in blanks.code_cells(small_lab(tmp_path)) for one in blanks.statements(cell)]
    checks = {}
    exec(lab[0].source, checks)  # the import of the checks
    steps = plan(lab, [one for source in (first, second) for one in blanks.statements(source)])
    told = list(sandbox.judge(steps, checks, {}))
    assert sum(one for _, one, _ in told) == points
    assert word in " ".join(why for _, one, why in told if not one)


@pytest.mark.slow
def test_a_process_that_does_nothing_is_ended_by_the_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "PATIENCE", 1)
    grader = grading.Grader(tmp_path, 2, [])
    for ended in ("time.sleep(600)", "print('x', flush=True); time.sleep(600)"):
        said, why = grader.run([sys.executable, "-c", f"import time; {ended}"], str(tmp_path), "")
        assert why == "not reached within 2 seconds"
    assert said == "x\n"


@pytest.mark.slow
def test_a_hostile_copy_reached_nothing(graded):
    _, folder, precious, server = graded
    assert precious.read_text() == "kept" and [path.name for path in precious.parent.iterdir()] == ["precious.txt"]
    with pytest.raises(BlockingIOError):  # nobody called
        server.accept()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 1e6


@pytest.mark.slow
@pytest.mark.parametrize(
    "source", ["-" * 100_000 + "1", "(" * 500, "x = " + "[" * 90 + "]" * 90, "a.b" + ".c" * 50_000]
)
def test_a_cell_that_chokes_python_costs_only_its_row(source, tmp_path, monkeypatch):
    """Cells are read in the grader's own process: whatever they hold, it goes on."""
    work = tmp_path / "01_exploration.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source), new_code_cell(WINDOW)]), work)
    (tmp_path / "lab").mkdir()
    lab = [one for cell in blanks.code_cells(small_lab(tmp_path / "lab")) for one in blanks.statements(cell)]

    class Counted:
        def verdicts(self, lab, copy, answers):
            assert "def shortest_window" in "".join(one.source for one in copy)
            return {"check_window": (1, "right")}

    class Broken:
        def verdicts(self, *given):
            raise UnicodeError("\x1b")

    told = grading.grade(Broken(), work, "01_exploration", lab, SMOOTH)
    assert told["check_window"] == (0, "it could not be graded: UnicodeError:  ")
    told = grading.grade(Counted(), work, "01_exploration", lab, SMOOTH)
    assert told["check_window"] == (1, "right") and told["check_smoothing"][0] == 0
    monkeypatch.setattr(grading, "LARGEST", 100)
    assert "is no notebook" in grading.grade(Counted(), work, "01_exploration", lab, SMOOTH)["check_window"][1]


def test_a_folder_names_the_student(tmp_path):
    (tmp_path / "j.smith").mkdir()
    (tmp_path / "j.smith" / "00_from_scratch.ipynb").write_text("{}")
    assert grading.student(tmp_path / "j.smith") == "j.smith"
    assert grading.student(tmp_path / "j.smith" / "00_from_scratch.ipynb") == "j.smith"


def test_answers_in_the_translated_notebook_count(tmp_path):
    lab_path = small_lab(tmp_path)
    lab = [one for cell in blanks.code_cells(lab_path) for one in blanks.statements(cell)]
    spanish = tmp_path / "ana" / "notebooks" / "es" / "01_exploration.ipynb"
    spanish.parent.mkdir(parents=True)
    for path, first in ((spanish.parents[1] / spanish.name, PLACEHOLDER[0]), (spanish, SMOOTH)):
        nbformat.write(new_notebook(cells=[new_code_cell(first), new_code_cell(PLACEHOLDER[1])]), path)

    class Kept:
        def verdicts(self, lab, copy, answers):
            self.steps = plan(lab, copy)
            return {}

    grader = Kept()
    grading.grade(grader, tmp_path / "ana", "01_exploration", lab, SMOOTH)
    given = [step["source"] for step in grader.steps if step.get("source", "").startswith("def smooth")]
    assert "idct" in given[-1]


@pytest.mark.slow
def test_moodle_and_canvas_find_their_columns(graded):
    _, folder, *_ = graded
    with (folder / "grades.moodle.csv").open(encoding="utf-8") as file:
        moodle = list(csv.DictReader(file))
    assert {"Username", "01_exploration", "01_exploration feedback"} == set(moodle[0])
    assert moodle[0]["Username"] == "right" and moodle[0]["01_exploration"] == "2"
    with (folder / "grades.canvas.csv").open(encoding="utf-8") as file:
        header, possible, first, *_ = csv.reader(file)
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01_exploration"]
    assert possible[0].strip() == "Points Possible" and possible[-1] == "2"
    assert first[3] == "right" and first[-1] == "2"


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@x", "\tx"])
def test_a_spreadsheet_runs_no_formula_of_a_copy(text):
    assert grading.harmless(text) == f"'{text}"
    assert grading.harmless("fine") == "fine" and grading.harmless(-2) == -2


@pytest.mark.slow
def test_python_alone_guards_where_the_system_builds_no_wall(tmp_path, monkeypatch):
    """What macOS, Windows and many containers have: the same points, and nothing outside is changed."""
    monkeypatch.setattr(grading, "UNSHARE", ["no-such-program"])
    precious = tmp_path / "precious.txt"
    precious.write_text("kept")
    lab = [one for cell in blanks.code_cells(small_lab(tmp_path)) for one in blanks.statements(cell)]
    tries = ["import os; os.remove(TARGET)", "open(TARGET, 'w')", "import os; os.rename(TARGET, TARGET + 'x')"]
    tries += ["import socket; socket.create_connection(('127.0.0.1', 9))", "import os; os.system('true')"]
    tries += ["import runpy; runpy.run_path(LAB + '/notebooks/solutions/01_exploration.py')"]
    facts = f"TARGET = {str(precious)!r}\nLAB = {str(ROOT)!r}\n"
    said = "\n".join(f"    try:\n        {code}\n    except PermissionError:\n        done.append(0)" for code in tries)
    answer = (
        f"{facts}def shortest_window(hertz):\n    done = []\n{said}\n    return 2000 / hertz if len(done) == 6 else 0"
    )
    grader = grading.Grader(tmp_path / "run", 60, []) if (tmp_path / "run").mkdir() is None else None
    assert not grader.wall and "Python only" in grader.wall_in_words()
    found = grader.verdicts(lab, blanks.statements(f"{SMOOTH}\n{answer}"), "")
    assert found == {"check_smoothing": (1, "right"), "check_window": (1, "right")}
    assert precious.read_text() == "kept"


# ---- what is read from the notebooks


def test_the_names_of_a_statement():
    source = (
        "@mark\ndef blank(x, y=start):\n    z = x + other\n    return helper(z)  # change me\n\n\ntable['a'] = rows"
    )
    first, second = blanks.statements(source)
    assert first.blank and first.binds == {"blank"} and {"mark", "start", "other", "helper"} <= first.uses
    assert not {"x", "z"} & first.uses and (first.lines.start, first.lines.stop) == (0, 4)
    assert "table" in second.binds and "rows" in second.uses and not second.blank


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_plan_asks_each_check_of_a_notebook_and_trains_nothing(name):
    lab = [one for cell in blanks.code_cells(ROOT / "notebooks" / f"{name}.ipynb") for one in blanks.statements(cell)]
    steps = plan(lab, [])
    asked = [step["check"] for step in steps if "check" in step]
    assert asked == [re.search(r"check_\w+", one.source)[0] for one in lab if one.check]
    assert len(asked) >= 3
    code = "\n".join(step.get("source", "") for step in steps)
    assert not re.search(r"lab\.train\(|lab\.show\(|one_epoch\(network|\.click\(\)", code), code


@pytest.mark.slow
def test_every_blank_that_is_checked_has_an_answer():
    for name in CHAPTERS:
        known = blanks.answers(name)[1]
        for cell in blanks.code_cells(ROOT / "notebooks" / f"{name}.ipynb"):
            found = blanks.statements(cell)
            asked = set().union(*(blanks.statements(ast.unparse(one.check))[0].uses for one in found if one.check))
            wanted = [one.binds & asked for one in found if one.blank and one.binds & asked]
            assert all(names & set(known) for names in wanted) or not known, (name, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAPTERS)
def test_the_labs_own_answers_get_all_points(name, tmp_path, monkeypatch):
    """The answers in solutions/, at their places in the notebook, by the checks that students meet."""
    for variable, value in {"LABKIT_DATA": "synthetic", "LABKIT_RESULTS": tmp_path, "LABKIT_FIGURES": tmp_path}.items():
        monkeypatch.setenv(variable, str(value))
    cells = blanks.code_cells(ROOT / "notebooks" / f"{name}.ipynb")
    lab = [one for cell in cells for one in blanks.statements(cell)]
    known = blanks.answers(name)[1]
    right = [one for cell in cells for one in blanks.statements(blanks.with_answers(cell, known))]
    checks = {}
    exec("\n".join(one.source for one in lab if "labkit.checks" in one.source and not one.check), checks)
    told = list(sandbox.judge(plan(lab, right), checks, {}))
    assert len(told) >= 3 and [(check, why) for check, points, why in told if not points] == []


# ---- copies and updates


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab with one notebook and its answers; `change(old, new)` is an update by the lab's makers."""
    home = tmp_path / "lab"
    (home / "notebooks" / "solutions").mkdir(parents=True)
    (home / "notebooks" / "solutions" / "01_exploration.py").write_text(SMOOTH + "\n")
    (home / "docs").mkdir()
    (home / "docs" / "GLOSSARY.md").write_text("terms")
    path = small_lab(home / "notebooks")
    node = nbformat.read(path, as_version=4)
    node.cells = [new_markdown_cell("# 01"), *node.cells, new_markdown_cell("## The end")]
    write(normalise(node), path)
    for module in (students, blanks, execute):
        monkeypatch.setattr(module, "home", lambda: home)

    def change(old, new):
        node = nbformat.read(path, as_version=4)
        for cell in node.cells:
            cell.source = cell.source.replace(old, new)
        node.cells = [cell for cell in node.cells if cell.source]
        write(normalise(node), path)

    return change


def sources(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def edit(path, old, new):
    """What a student does in Jupyter: other text in a cell, whose id stays."""
    node = nbformat.read(path, as_version=4)
    for cell in node.cells:
        cell.source = cell.source.replace(old, new)
    nbformat.write(node, path)


def test_a_copy_has_no_answers_and_no_outputs(lab, tmp_path, capsys):
    work = tmp_path / "work"
    assert cli.main(["students", str(work), "--grade"]) == 0
    text = "\n".join(sources(work / "notebooks" / "01_exploration.ipynb"))
    assert "# change me" in text and "idct" not in text and not (work / "notebooks" / "solutions").exists()
    assert "2 checks of this notebook give one point each" in text and "answers are with your teacher" in text
    assert (work / "docs" / "GLOSSARY.md").read_text() == "terms"
    assert "0 conflicts" in capsys.readouterr().out


def test_a_teachers_copy_has_each_answer_at_its_place(lab, tmp_path):
    work = tmp_path / "work"
    assert cli.main(["students", str(work), "--with-answers"]) == 0
    text = sources(work / "notebooks" / "01_exploration.ipynb")
    assert f"{SMOOTH}\n\n\nright_1 = check_smoothing(smooth)" in text
    assert "return 40  # change me" in "\n".join(text)  # there is no answer to this one
    assert (work / "notebooks" / "solutions" / "01_exploration.py").is_file()


def test_an_update_brings_what_is_new_and_keeps_what_was_written(lab, tmp_path, capsys):
    """Three copies: one answered, one with cells of its own, one that changed what the lab changes, too."""
    works = [tmp_path / name for name in ("answered", "added", "clashing")]
    for work in works:
        cli.main(["students", str(work)])
    paths = [work / "notebooks" / "01_exploration.ipynb" for work in works]
    edit(paths[0], "return log_mel  # change me", "return mine_of_ana(log_mel, n)")
    node = nbformat.read(paths[1], as_version=4)
    node.cells.insert(4, new_code_cell("my_experiment = 1"))
    node.cells.append(new_markdown_cell("my notes"))
    nbformat.write(node, paths[1])
    edit(paths[2], "## The end", "## The end, I think")
    lab("## The end", "## The end of the chapter")
    lab("# 01", "# 01, second edition")
    capsys.readouterr()
    for work in works:
        assert cli.main(["students", str(work)]) == 0
    told = capsys.readouterr().out
    answered, added, clashing = map(sources, paths)
    answered.pop(1), added.pop(1), clashing.pop(1)  # what a copy says about itself
    assert all(text[0] == "# 01, second edition" for text in (answered, added, clashing))
    assert "mine_of_ana" in "\n".join(answered) and answered[-1] == "## The end of the chapter"
    assert added[3] == "my_experiment = 1" and added[-1] == "my notes" and added[-2] == "## The end of the chapter"
    assert clashing[-1] == "## The end, I think" and "## The end of the chapter" not in clashing
    beside = works[2] / "notebooks" / "01_exploration.from-the-lab.ipynb"
    assert sources(beside)[-1] == "## The end of the chapter" and beside.name in told
    assert told.count("0 conflicts") == 2 and told.count("1 conflicts") == 1
    before = [path.read_bytes() for path in paths]
    for work in works:  # once more changes nothing
        cli.main(["students", str(work)])
    assert [path.read_bytes() for path in paths] == before


def test_what_a_student_wrote_stays_when_the_lab_takes_its_cell_out(lab, tmp_path):
    work = tmp_path / "work"
    cli.main(["students", str(work)])
    path = work / "notebooks" / "01_exploration.ipynb"
    edit(path, "return 40  # change me", "return my_own(hertz)")
    node = nbformat.read(path, as_version=4)
    whole = next(cell.source for cell in node.cells if "my_own" in cell.source).replace(
        "my_own(hertz)", "40  # change me"
    )
    lab(whole, "")
    cli.main(["students", str(work)])
    assert "my_own(hertz)" in "\n".join(sources(path))


def test_two_answers_stay_when_the_lab_makes_one_cell_of_two(lab, tmp_path):
    work = tmp_path / "work"
    cli.main(["students", str(work)])
    path = work / "notebooks" / "01_exploration.ipynb"
    edit(path, "log_mel  # change me", "mine_one")
    edit(path, "40  # change me", "mine_two")
    texts = sources(path)
    node = nbformat.read(path, as_version=4)
    first, second = (next(cell for cell in node.cells if word in cell.source) for word in ("mine_one", "mine_two"))
    joined = first.source.replace("mine_one", "log_mel  # change me") + "\n\n\ndef shortest_window(hertz):\n    pass"
    lab(first.source.replace("mine_one", "log_mel  # change me"), joined)
    lab(second.source.replace("mine_two", "40  # change me"), "")
    assert cli.main(["students", str(work)]) == 0
    assert {text for text in texts if "mine_" in text} <= set(sources(path))


@pytest.mark.parametrize("text", ["", "{", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}'])
def test_a_file_that_is_no_notebook_any_more_is_left_alone(lab, tmp_path, text):
    work = tmp_path / "work"
    cli.main(["students", str(work)])
    path = work / "notebooks" / "01_exploration.ipynb"
    path.write_text(text)
    lab("# 01", "# 01, second edition")
    assert cli.main(["students", str(work)]) == 0
    if text.startswith('{"'):
        assert sources(path)[0] == "# 01, second edition"  # nothing of the student's was in it
    else:
        assert path.read_text() == text and path.with_name("01_exploration.from-the-lab.ipynb").exists()


def test_a_folder_with_other_files_is_refused(lab, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert cli.main(["students", str(tmp_path)]) == 2
    assert "no copy of the lab" in capsys.readouterr().err
    assert cli.main(["students", str(tmp_path / "lab")]) == 2
    assert "the lab itself" in capsys.readouterr().err


def test_a_notebook_leaves_its_figures_and_results_in_the_copy_it_runs_in(tmp_path, monkeypatch):
    from labkit.files import COPY, home, left_behind

    monkeypatch.chdir(tmp_path)
    assert left_behind("figures", "build/figures") == home() / "build" / "figures"
    (tmp_path / COPY).write_text("{}")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert left_behind("figures", "build/figures") == tmp_path / "figures"


def test_rehearsal_stops_where_the_labs_own_answers_fail(monkeypatch):
    class Broken:
        def verdicts(self, *given, **named):
            return {"check_smoothing": (0, "MemoryError: ")}

    with pytest.raises(LabError, match="own answers to 01_exploration fail here .check_smoothing: MemoryError"):
        grading.rehearse(Broken(), "01_exploration", [])
