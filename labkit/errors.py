"""The one kind of error that speaks to a student."""

import difflib
from dataclasses import fields
from numbers import Integral, Real
from typing import get_args

SHOWN = 40  # options that a message lists
NUMBERS = {int: Integral, float: Real}
WORDS = {
    **{bool: "True or False", int: "a whole number", float: "a number", str: "a word", tuple: "a tuple"},
    type(None): "None",
}


class LabError(Exception):
    """Something a student can mend.

    The message names the thing (a file, a clip, an option) and its last sentence is the next step.
    In a notebook and on the command line only the message is shown, not the stack of internals.
    """

    def _render_traceback_(self):  # IPython calls this instead of drawing a traceback
        return [f"{type(self).__name__}: {self}"]


class LabWarning(UserWarning):
    """Something was skipped or adapted; the message says what, how often, and what to do."""


def choose(name, options, what):
    """Look `name` up in the dict `options`; an unknown name raises LabError with the known ones.

    Examples
    --------
    >>> choose("gru", {"gru": 1, "lstm": 2}, "model")
    1
    """
    if name in options:
        return options[name]
    near = difflib.get_close_matches(str(name), [str(option) for option in options], n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    known = [str(option) for option in options]
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    raise LabError(f"There is no {what} called {name!r}.{guess} Choose one of: {', '.join(known[:SHOWN])}{more}.")


def check_types(settings):
    """Raise LabError if a field of a settings dataclass holds a value of another kind than it declares.

    Whole numbers pass for float, numpy's numbers for Python's; True is no number.
    """
    for field in fields(settings):
        value = getattr(settings, field.name)
        kinds = get_args(field.type) or (field.type,)
        if not any(fits(value, kind) for kind in kinds):
            wanted = " or ".join(WORDS.get(kind, str(kind)) for kind in kinds)
            name = f"{type(settings).__name__}.{field.name}"
            raise LabError(f"{name} cannot be {value!r}: it takes {wanted}. Change it.")


def fits(value, kind):
    """Whether a value is of a kind: bool, int, float, str, tuple or None."""
    if isinstance(value, bool):
        return kind is bool
    if kind is tuple:
        return isinstance(value, tuple | list)
    return isinstance(value, NUMBERS.get(kind, kind))
