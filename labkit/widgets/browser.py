"""The two pieces that ipywidgets lacks, as anywidgets: JavaScript files of ours that any notebook program can show."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Microphone(anywidget.AnyWidget):
    """A Record button and a level meter; sends {"kind": "wav"} with a WAV file, or {"kind": "problem"} with its name.

    Traits: `seconds` (it stops after so many), `rate` (Hz, of the file).
    """

    _esm = HERE / "recorder.js"
    _css = HERE / "panel.css"
    seconds = traitlets.Float(2.0).tag(sync=True)
    rate = traitlets.Int(16_000).tag(sync=True)


class Matrix(anywidget.AnyWidget):
    """A confusion matrix with clickable cells.

    Traits: `labels`, `counts` (a list of rows, true labels down), `chosen` ([row, column]), `caption`.
    """

    _esm = HERE / "matrix.js"
    _css = HERE / "panel.css"
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    chosen = traitlets.List(traitlets.Int(), default_value=[-1, -1]).tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
