"""The pieces that ipywidgets lacks, as anywidgets: JavaScript files of ours that any notebook program can show."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


def script(*names):
    """Several JavaScript files as the one that a widget is."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class Microphone(anywidget.AnyWidget):
    """A button that starts and stops the microphone, and its level; without `seconds` also the words that were heard.

    It sends {"kind": "start"}, then {"kind": "block"} with samples (int16, of any length) and the number `start` of
    their first one, and {"kind": "stop"}; meanwhile "problem" (with `name` and `message`), "resumed", "hidden" and
    "visible". Each message has its `session` (of one press of the button) and `sample_rate` (Hz). Python answers each
    block with {"kind": "heard", "upto": number of the next sample}, and may end a session with {"kind": "end"}.
    """

    _esm = script("element.js", "live_words.js", "microphone.js")
    _css = HERE / "style.css"
    seconds = traitlets.Float(None, allow_none=True).tag(sync=True)  # it stops after these; None: it goes on
    waiting = traitlets.Float(10.0).tag(sync=True)  # seconds of sound that wait for a slow kernel; more is left out
    heard = traitlets.List(traitlets.Dict()).tag(sync=True)  # the latest words, oldest first
    threshold = traitlets.Float(0.5).tag(sync=True)


class Matrix(anywidget.AnyWidget):
    """A confusion matrix with clickable cells."""

    _esm = script("element.js", "matrix.js")
    _css = HERE / "style.css"
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)  # true labels down
    chosen = traitlets.List(traitlets.Int(), default_value=[-1, -1]).tag(sync=True)  # [row, column]
    caption = traitlets.Unicode().tag(sync=True)
