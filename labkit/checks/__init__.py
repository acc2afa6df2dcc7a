"""Self-checks for the exercises, a module for each notebook.

A check takes what the student made and yields one sentence for each mistake in it. Several answers are right.
"""

import functools
from contextlib import contextmanager
from numbers import Real

import torch


class Wrong(Exception):
    """A mistake after which a check cannot go on; its text is the sentence."""


def check(praise):
    """Decorator: a function that yields mistakes prints them instead, or the praise; it returns whether all is well."""

    def decorate(mistakes):
        @functools.wraps(mistakes)
        def run(*given, **named):
            found = []
            try:
                for sentence in mistakes(*given, **named) or ():
                    found.append(sentence)
            except Wrong as wrong:
                found.append(wrong)
            print("\n".join(f"Not yet: {sentence}" for sentence in found) or f"Right. {praise}")
            return not found

        return run

    return decorate


@contextmanager
def attempt(said):
    """What the student's code raises in this block becomes a sentence; `said` is what is called, in words."""
    try:
        yield
    except Exception as error:
        raise Wrong(f"{said} fails: {type(error).__name__}: {error}") from error


def number(said, call, *given):
    """What the student's function returns, which has to be one number (a tensor or array of one value will do)."""
    with attempt(said):
        answer = call(*given)
        answer = answer.item() if hasattr(answer, "item") else answer
    if isinstance(answer, bool) or not isinstance(answer, Real):
        raise Wrong(f"{said} should be a number, not {answer!r}.")
    return answer


def compare(said, call, given, right, mistakes, otherwise, off=1e-6):
    """Does the student's function return the number `right`? `mistakes` says of some wrong numbers what they mean."""
    answer = number(said, call, *given)
    if abs(answer - right) > off:
        said += f" = {answer:.4g}" if isinstance(answer, float) else f" = {answer:,}"
        known = [sentence for wrong, sentence in mistakes.items() if abs(answer - wrong) <= off]
        raise Wrong(f"{said}: {known[0]}" if known else f"{said}, but {otherwise}")


def shape(answer):
    """Shape of a tensor as a tuple; of anything else, the name of its type."""
    return tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
