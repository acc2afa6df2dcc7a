"""The pieces that ipywidgets lacks, as anywidgets: JavaScript files of ours that any notebook program can show."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent
# an upload of sounds, and the looks of its button
ACCEPTED = {"accept": "audio/*,.wav,.flac,.ogg,.mp3", "style": {}, "layout": {}}


def script(*names):
    """Several JavaScript files as the one that a widget is."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class Microphone(anywidget.AnyWidget):
    """A Record button and a level meter.

    It sends {"kind": "samples", "rate": Hz} with samples (int16), or {"kind": "problem", "name", "message"}; it stops
    after `seconds`.
    """

    _esm = script("microphone.js", "recording.js")
    _css = HERE / "style.css"
    seconds = traitlets.Float(2.0).tag(sync=True)


class LiveMicrophone(anywidget.AnyWidget):
    """A Start button, a level meter, the words that were recognised, and the last seconds as a picture.

    It sends {"kind": "start"}, then {"kind": "block"} with samples (int16, of any length) and the number `start` of
    their first one, and {"kind": "stop"}; and what happens meanwhile: "problem", "resumed", "hidden", "visible". Each
    message has its `session` (of one press of Start) and `rate` (Hz). Python answers each block with {"kind": "heard",
    "upto": number of the next sample, ...}: see `LivePanel`.
    """

    _esm = script("microphone.js", "live_microphone.js")
    _css = HERE / "style.css"
    heard = traitlets.List(traitlets.Dict()).tag(sync=True)  # the latest words, oldest first
    threshold = traitlets.Float(0.5).tag(sync=True)
    waiting = traitlets.Float(10.0).tag(sync=True)  # seconds of sound that wait for a slow kernel; more is left out


class Matrix(anywidget.AnyWidget):
    """A confusion matrix with clickable cells."""

    _esm = HERE / "matrix.js"
    _css = HERE / "style.css"
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)  # true labels down
    chosen = traitlets.List(traitlets.Int(), default_value=[-1, -1]).tag(sync=True)  # [row, column]
    caption = traitlets.Unicode().tag(sync=True)
