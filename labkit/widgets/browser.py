"""The pieces that ipywidgets lacks, as anywidgets: JavaScript files of ours that any notebook program can show."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


def script(*names):
    """Several JavaScript files as the one that a widget is."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class Microphone(anywidget.AnyWidget):
    """A Record button and a level meter; sends {"kind": "wav"} with a WAV file, or {"kind": "problem"} with its name.

    Traits: `seconds` (it stops after so many), `rate` (Hz, of the file).
    """

    _esm = script("microphone.js", "recording.js")
    _css = HERE / "style.css"
    seconds = traitlets.Float(2.0).tag(sync=True)
    rate = traitlets.Int(16_000).tag(sync=True)


class LiveMicrophone(anywidget.AnyWidget):
    """A Start button, a level meter, the words that were recognised, and the last seconds as a picture.

    It sends {"kind": "start"}, then {"kind": "block"} with samples (int16, of any length) and the number `start` of
    their first one, and {"kind": "stop"}; and what happens meanwhile: "problem", "resumed", "hidden", "visible". Each
    message has its `session` (of one press of Start) and `rate` (Hz). Python answers each block with {"kind": "heard",
    "upto": number of the next sample, ...}: see `LivePanel`.

    Traits: `heard` (the latest words, oldest first: dicts of number, word, start, end, time, confidence), `threshold`,
    `waiting` (seconds of sound that wait for a slow kernel; what would wait longer is left out).
    """

    _esm = script("microphone.js", "live_microphone.js")
    _css = HERE / "style.css"
    heard = traitlets.List(traitlets.Dict()).tag(sync=True)
    threshold = traitlets.Float(0.5).tag(sync=True)
    waiting = traitlets.Float(10.0).tag(sync=True)


class Matrix(anywidget.AnyWidget):
    """A confusion matrix with clickable cells.

    Traits: `labels`, `counts` (a list of rows, true labels down), `chosen` ([row, column]), `caption`.
    """

    _esm = HERE / "matrix.js"
    _css = HERE / "style.css"
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    chosen = traitlets.List(traitlets.Int(), default_value=[-1, -1]).tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
