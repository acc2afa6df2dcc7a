"""Self-checks for the exercises, a module for each notebook.

A check takes what the student made and says the first mistake that it finds. Several answers are right.
"""

import functools
import runpy
from contextlib import contextmanager
from numbers import Real
from pathlib import Path

import torch


class Wrong(Exception):
    """A mistake in the student's answer; its text is a sentence for the student."""


def check(praise, blank=None):
    """Decorator: the function prints the mistake that it raised, or the praise, and returns whether all is well.

    The check of a blank, such as "00_from_scratch.normalise", returns what the notebook goes on with: what the student
    wrote if it is right, else the lab's answer, which is in `solutions/00_from_scratch.py` beside the notebook.
    """

    def decorate(function):
        @functools.wraps(function)
        def run(*given, **named):
            try:
                function(*given, **named)
            except Wrong as mistake:
                print(f"Not yet: {mistake}")
                return answer(blank, given[0]) if blank else False
            print(f"Right. {praise}")
            return given[0] if blank else True

        return run

    return decorate


def answer(blank, mine):
    """The lab's answer to a blank; where a teacher holds the answers back, the student's own."""
    notebook, name = blank.split(".")
    places = [Path(folder, f"{notebook}.py") for folder in ("solutions", "../solutions")]  # ..: a translated notebook
    path = next(filter(Path.is_file, places), None)
    if not path:
        return mine
    print(f"Until yours is right, the notebook goes on with the answer in {path.as_posix()}.")
    return runpy.run_path(str(path))[name]


def need(condition, mistake):
    """Raise the sentence `mistake` unless the condition holds."""
    if not condition:
        raise Wrong(mistake)


@contextmanager
def attempt(said):
    """What the student's code raises in this block becomes a sentence; `said` is what is called, in words."""
    try:
        yield
    except Exception as error:
        raise Wrong(f"{said} fails: {type(error).__name__}: {error}") from error


def number(said, function, *given):
    """What the student's function returns, which has to be one number (a tensor or array of one value will do)."""
    with attempt(said):
        answer = function(*given)
        answer = answer.item() if hasattr(answer, "item") else answer
    need(isinstance(answer, Real) and not isinstance(answer, bool), f"{said} should be a number, not {answer!r}.")
    return answer


def compare(said, function, given, right, mistakes, otherwise, off=1e-6):
    """Does the student's function return the number `right`? `mistakes` says of some wrong numbers what they mean."""
    answer = number(said, function, *given)
    if not abs(answer - right) <= off:  # so that nan is wrong, too
        said += f" = {answer:.4g}" if isinstance(answer, float) else f" = {answer:,}"
        known = [f": {sentence}" for wrong, sentence in mistakes.items() if abs(answer - wrong) <= off]
        raise Wrong(said + (known[0] if known else f", but {otherwise}"))


def shape(answer):
    """Shape of a tensor as a tuple; of anything else, the name of its type."""
    return tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
