"""What of a notebook is a blank, an answer, a check: `tools.students` and `tools.grading` read it here, and only here.

A blank is a statement of a notebook that has `# change me` on one of its lines. Its answer has the same name in
`notebooks/solutions/`, its check is the call `check_...(...)` that takes it.
"""

import ast
import re
import symtable
from dataclasses import dataclass

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from labkit.files import home


@dataclass(frozen=True)
class Statement:
    """A statement of a code cell, and the names that tie it to others."""

    source: str  # without comments, in Python's own layout: two that say the same are equal
    lines: slice  # of its cell
    binds: frozenset  # names that it defines, or changes in place
    uses: frozenset  # names that it needs from the notebook, in its functions, too
    blank: bool  # whether the student is to change it
    check: ast.Call | None  # the call of a check in it


def statements(cell):
    """The statements of a code cell; a cell that is not Python raises SyntaxError."""
    cell = TransformerManager().transform_cell(cell)  # lines for IPython or the shell become calls
    lines, found = cell.splitlines(), []
    for node in ast.parse(cell).body:
        source, marks = ast.unparse(node), getattr(node, "decorator_list", [])
        own = slice(min(part.lineno for part in (node, *marks)) - 1, node.end_lineno)
        table = symtable.symtable(source, "cell", "exec")
        binds = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        uses = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
        parts = list(ast.walk(node))
        if isinstance(node, ast.Assign | ast.AugAssign):  # table["column"] = ... changes table
            places = [part for part in parts if isinstance(part, ast.Subscript | ast.Attribute)]
            binds |= {ast.unparse(place.value) for place in places if isinstance(place.ctx, ast.Store)}
        named = [part for part in parts if isinstance(part, ast.Call)]
        named = [call for call in named if re.search(r"(^|\.)check_\w+$", ast.unparse(call.func))]
        blank = any("# change me" in line for line in lines[own])
        uses |= set(_outer_names(table))
        found.append(Statement(source, own, frozenset(binds), frozenset(uses), blank, named[0] if named else None))
    return found


def _outer_names(table):
    """What the functions and classes inside a symbol table take from the notebook."""
    for inner in table.get_children():
        yield from (symbol.get_name() for symbol in inner.get_symbols() if symbol.is_global())
        yield from _outer_names(inner)


def code_cells(path):
    """Sources of the code cells of a notebook."""
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def answers(notebook):
    """The answers to the blanks: the whole file, and {name: source}, with the imports that the notebook lacks."""
    folder = home() / "notebooks"
    path = folder / "solutions" / f"{notebook}.py"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""  # a teacher may hold them back
    cells = code_cells(folder / f"{notebook}.ipynb") if text else []
    there = set().union(*(one.binds for cell in cells for one in statements(cell)))
    lines, whole, found = text.splitlines(), statements(text), {}
    for one in whole:
        brought = [more.source for more in whole if "import " in more.source and more.binds & one.uses - there]
        found |= dict.fromkeys(one.binds, "\n".join([*brought, *["", ""][: 2 * len(brought)], *lines[one.lines]]))
    return text, found


def with_answers(cell, known):
    """The source of a cell with each blank filled by the answer to its name, where `known` has one."""
    lines = cell.splitlines()
    for blank in reversed([statement for statement in statements(cell) if statement.blank]):
        if given := [known[name] for name in blank.binds if name in known]:
            lines[blank.lines] = given[0].splitlines()
    return "\n".join(lines)
