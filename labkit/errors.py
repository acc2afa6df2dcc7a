"""The one kind of error that speaks to a student."""

import difflib

SHOWN = 40  # options that a message lists


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
    """Look `name` up in the dict `options`; an unknown name raises LabError with the known ones."""
    try:
        return options[name]
    except (KeyError, TypeError):  # or a list, which is no name
        pass
    known = [str(option) for option in options]
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    raise LabError(f"There is no {what} called {name!r}.{hint} Choose one of: {', '.join(known[:SHOWN])}{more}.")
