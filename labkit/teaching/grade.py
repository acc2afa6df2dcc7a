"""`python -m labkit grade`: what of a copy counts, and the start of the program that runs it.

What counts is read from the lab's own notebooks: how the checks are called, and every cell that no student changes. A
copy gives its blanks, and what they need. Only those statements run, so a copy is graded in seconds. The program with
its walls is `tools/grading.py`: a teacher has the lab's folder, and students do not need it.
"""

import ast
import os
import subprocess
import sys
from collections import defaultdict

from ..files import home
from . import statements

PASSES_ON = True


def main(args):
    path = os.pathsep.join(filter(None, (str(home()), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "tools.grading", *args.rest], env={**os.environ, "PYTHONPATH": path}
    ).returncode


def plan(lab, copy):
    """What to run: the lab's statements, with a copy's own in the place of the blanks, as far as a check needs them."""
    asked = set().union(*(statements(ast.unparse(one.check))[0].uses for one in lab if one.check))
    blanks = {name: place for place, one in enumerate(lab) if one.blank for name in one.binds}
    given = needed([one for one in lab if not one.blank], asked - set(blanks))
    settled = set().union(*(one.binds for one in given)) - set(blanks)  # the lab's names: no copy changes them
    unchanged, own, waiting = {one.source for one in lab if not one.blank}, defaultdict(list), []
    for one in copy:
        if one.source not in unchanged and not one.binds & settled:
            waiting.append(one)
            if places := [blanks[name] for name in one.binds if name in blanks]:
                own[min(places)] += waiting
                waiting = []
    whole = [part for place, one in enumerate(lab) for part in (own[place] if one.blank else [one])]
    kept, steps = needed(whole, asked), []
    for one in whole:
        if one.check and one.source in unchanged:
            call, function = one.check, ast.unparse(one.check.func)
            given, named = (
                list(map(ast.unparse, call.args)),
                {word.arg: ast.unparse(word.value) for word in call.keywords},
            )
            step = {"check": function.split(".")[-1], "function": function, "given": given, "named": named}
            steps.append({**step, "sets": given[0] if given[0] in one.binds else None})
        elif one in kept:
            steps.append({"source": one.source})
    return steps


def needed(program, names):
    """The statements that define `names`, and those that define what these use, and so on."""
    names, kept, before = set(names), [], None
    while kept != before:
        before, kept = kept, [one for one in program if one.binds & names and not one.check]
        names |= set().union(*(one.uses for one in kept))
    return kept
