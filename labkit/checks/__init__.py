"""Self-checks for the exercises, a module for each notebook.

A check takes what the student made and yields one sentence for each mistake in it. Several answers are right.
"""

import functools
from contextlib import contextmanager
from numbers import Real


class Wrong(Exception):
    """A mistake after which a check cannot go on; its text is the sentence."""


def check(praise):
    """Decorator: a function that yields mistakes, or raises `Wrong`, becomes one that prints them or the praise.

    It returns whether all is well.
    """

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
