"""Inputs for settings: one for each hyperparameter of a model, each field of a feature, a recipe, an augmentation."""

import ast
from dataclasses import fields, is_dataclass
from typing import get_args

from ..models.rnn import READOUTS
from ..training.loop import LOSSES, OPTIMISERS, SCHEDULES
from .panel import NARROW, WIDE

# Words that an input suggests; others may be typed, and what accepts the setting decides.
SUGGESTED = {
    "optimiser": OPTIMISERS,
    "schedule": SCHEDULES,
    "schedule_step": ("batch", "epoch"),
    "loss": LOSSES,
    "select": ("accuracy", "balanced_accuracy", "last"),
    "precision": ("float32", "bf16"),
    "readout": READOUTS,
    "padding": ("masked", "signal"),
    "mel_scale": ("htk", "slaney"),
    "log": ("db", "ln", "none"),
}
PLACES = 10  # digits of a number that are shown


def inputs(settings, kinds=None):
    """Inputs for settings by name.

    Parameters
    ----------
    settings : dict
        From name to present value; a value that is a dataclass has inputs of its own elsewhere, and gets none here.
    kinds : dict, optional
        From name to the type of the setting, where the value alone does not tell (None may also become a number).

    Returns
    -------
    dict of str to ipywidgets.Widget
        `read` gives their values.
    """
    plain = {name: value for name, value in settings.items() if not is_dataclass(value)}
    return {name: _input(name, value, (kinds or {}).get(name, type(value))) for name, value in plain.items()}


def kinds_of(settings):
    """From the name of a field of a settings dataclass to its type."""
    return {part.name: part.type for part in fields(settings)}


def read(control):
    """The value of an input, in the kind that the setting takes: "none" is None, "64, 64" a tuple."""
    if control.kind in (bool, int, float, str):
        return control.value
    text = str(control.value).strip()
    if text.lower() in ("none", ""):
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # a word, or a mistake: what accepts the setting names it
    return tuple(value) if isinstance(value, list) else value


def write(control, value):
    """Show a value in an input, as `read` will give it back."""
    control.value = value if control.kind in (bool, int, float, str) else _text(value)


def _input(name, value, kind):
    import ipywidgets

    look = {"description": name.replace("_", " "), "style": NARROW, "layout": ipywidgets.Layout(width=WIDE)}
    optional = get_args(kind) or kind in (tuple, type(None))
    if optional:
        made = ipywidgets.Text(_text(value), continuous_update=False, **look)
    elif kind is bool:
        made = ipywidgets.Checkbox(value, indent=True, **look)
    elif kind is int:
        made = ipywidgets.IntText(value, **look)
    elif kind is float:
        made = ipywidgets.FloatText(value, **look)
    elif name in SUGGESTED:
        made = ipywidgets.Combobox(value=value, options=list(SUGGESTED[name]), continuous_update=False, **look)
    else:
        made = ipywidgets.Text(str(value), continuous_update=False, **look)
    made.kind = "any" if optional else kind
    return made


def _text(value):
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) + ("," if len(value) == 1 else "")
    return f"{value:.{PLACES}g}" if isinstance(value, float) else str(value)
