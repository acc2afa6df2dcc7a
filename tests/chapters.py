"""The panels of the notebooks, each made by the notebook's own lines, without all that stands between.

`panel("02_Resultados_1")` runs the statements that define what the panel needs, in a namespace of their own. What would
train for long is trained for a moment.
"""

import ast
import os
import symtable
import warnings
from contextlib import ExitStack, chdir, redirect_stdout
from pathlib import Path

import nbformat

MOVES = int(os.environ.get("LABKIT_MOVES", "10"))  # of the random moves on each panel, with a browser and without
FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
FEW = {"updates=200": "updates=2", "90, 0.003": "2, 0.003", "in (0, 1, 2)": "in (0,)", ".head(120)": ".head(12)"}
SHORTER = {  # of each panel (NOTEBOOK, or NOTEBOOK/VARIABLE): words of a long training, and what stands in for them
    "02_Resultados_1": {},
    "03_Resultados_2": {"epochs=12": "epochs=1", "(0, 1)": "(0,)", "[:1200]": "[:64]"},
    "04_mel_cnn": {},
    "04_mel_cnn/listener": FEW,
    "05_audiomnist_audionet": {},
    "06_voice_mnist": {
        "updates=160": "updates=1",
        "for number in (1, 4, 12, 36):": "for number in (1,):",
        "np.random.default_rng(seed).permutation(pool)": "pool",
        "['speaker', 'label']).head(4)": "['speaker', 'label']).head(4).groupby('split').head(40)",
    },
    "07_accent_classification": {
        "recipe={'epochs': 8})": "recipe={'epochs': 1}), "
        "lab.data.with_clips(lab.data.clips.groupby(['split', 'label']).head(12))",
    },
}
# Panels that take long to make: a run moves them without a browser, the others in one; every week it is all in both.
LONG = ("03_Resultados_2", "04_mel_cnn/listener", "05_audiomnist_audionet")


def statements(name):
    """The statements of a notebook that a panel of it needs, in their order: a list of str."""
    name, _, variable = name.partition("/")
    variable = variable or "panel"
    node = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    sources = [cell.source for cell in node.cells if cell.cell_type == "code" and "google.colab" not in cell.source]
    last = next(number for number, source in enumerate(sources) if f"{variable} = labkit.TinkerPanel(" in source)
    lines = [line for source in sources[: last + 1] for line in ast.parse(source).body]
    imports = [line for line in lines if isinstance(line, ast.Import | ast.ImportFrom)]
    imported = set().union(*(names(ast.unparse(line))[0] for line in imports))
    chosen, wanted = [], {variable}
    for statement in reversed(lines):
        text = ast.unparse(statement)
        given, used = names(text)
        simple = not isinstance(statement, ast.For | ast.With | ast.If | ast.AugAssign)
        if (given | changed(statement) - imported - {"lab"}) & wanted:
            chosen.insert(0, text)
            wanted = (wanted - given if simple else wanted) | (used if simple else used - given)
    return chosen


def names(text):
    """The names of the notebook that a statement defines, and those that it uses: two sets."""
    top = symtable.symtable(text, "cell", "exec")
    given = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used, tables = set(), [top]
    for table in tables:
        found = [symbol for symbol in table.get_symbols() if symbol.is_referenced()]
        used |= {symbol.get_name() for symbol in found if table is top or symbol.is_global()}
        tables += table.get_children()
    return given, used


def changed(statement):
    """What a statement changes in place, as trained[seed] = ..., rows.append(...)."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return set()
    nodes, found = list(ast.walk(statement)), set()
    targets = [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store)]
    targets += [node.value.func for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    for target in targets:
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
            found |= {target.id} if isinstance(target, ast.Name) else set()
    return found


def run(name, shorter=True):
    """Run these statements; returns their namespace."""
    space = {"__name__": name}
    with chdir(FOLDER), open(os.devnull, "w", encoding="utf-8") as nowhere, ExitStack() as quiet:
        quiet.enter_context(redirect_stdout(nowhere))
        quiet.enter_context(warnings.catch_warnings(action="ignore"))  # of clips that are cut off, and such
        texts = statements(name)
        for words, instead in SHORTER[name].items() if shorter else ():
            assert any(words in text for text in texts), f"{name} has no {words!r} any more"
            texts = [text.replace(words, instead) for text in texts]
        for text in texts:
            exec(compile(text, f"{name}.ipynb", "exec"), space)  # noqa: S102 (the lab's own notebook)
    return space


def panel(name):
    """The panel of a notebook."""
    return run(name)[name.partition("/")[2] or "panel"]
