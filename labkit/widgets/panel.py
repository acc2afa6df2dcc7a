"""What all panels share: controls, a picture, a message; and a picture for readers without a kernel."""

import base64
import html

from ..errors import LabError
from ..plots import render, stamp

NARROW = {"description_width": "6.5em"}
WIDE = "20.5em"  # of a control with its label: three beside each other in a usual window


class Panel:
    """Base of the panels: a subclass fills `controls` and `draw`.

    Parameters
    ----------
    lab : Lab
        As `labkit.start` returns it.

    Attributes
    ----------
    controls : dict of str to ipywidgets.Widget
        The inputs, by name.
    figure : matplotlib.figure.Figure
        The picture of the present state.
    said : str
        The message below the picture.
    alt : str
        The picture in words.
    """

    def __init__(self, lab):
        import ipywidgets

        self.lab = lab
        self.controls = {}
        self.figure = None
        self.said = ""
        self.alt = type(self).__name__
        # a picture of its own, never an Output widget: that one catches what other cells print, and tests cannot run it
        self._picture = ipywidgets.HTML()
        self._png = b""
        self._message = ipywidgets.HTML()

    @property
    def synthetic(self):
        """Whether what the panel shows rests on synthetic speech."""
        return self.lab.data.synthetic

    def draw(self):
        """Return the picture of the present state and its description: (Figure, str)."""
        raise NotImplementedError

    def redraw(self):
        """Draw the present state; a mistake that a student can mend becomes the message, and the old picture stays."""
        try:
            figure, self.alt = self.draw()
        except (LabError, ValueError) as error:
            self.say(str(error), wrong=True)
            return
        self.figure = figure
        self._png = self.render(figure)
        self._picture.value = picture(self._png, self.alt)

    def render(self, figure):
        """A figure as PNG bytes, stamped if it rests on synthetic speech."""
        if self.synthetic:
            stamp(figure)
        return render(figure)

    def say(self, text, wrong=False):
        """Show a message below the picture."""
        self.said = text
        # a bar beside the words, which keep the colour of the theme: legible on white and on black
        bar = "border-left: 5px solid #d55e00; padding-left: 8px; " if wrong else ""
        style = f"{bar}line-height: 1.5; white-space: normal; max-width: 60em"
        words = f"{'<b>Note:</b> ' if wrong else ''}{html.escape(text)}"
        self._message.value = f'<div role="status" aria-live="polite" style="{style}">{words}</div>'

    @property
    def view(self):
        """The panel as one ipywidgets box."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include=None, exclude=None):
        """The live panel, and beside it its picture: what a web page shows when no kernel runs."""
        _let_colab_show_widgets()
        data = self.view._repr_mimebundle_() or {}
        data["text/plain"] = f"{type(self).__name__}: {self.said}"
        png, alt = self.still()
        data["image/png"] = base64.b64encode(png).decode()
        return data, {"image/png": {"alt": alt}}

    def still(self):
        """What a page shows where no kernel runs: (PNG, description)."""
        return self._png, self.alt


def picture(png, alt, width="100%"):
    """A PNG as HTML. (The Image widget knows no description for those who cannot see it.)"""
    data = base64.b64encode(png).decode()
    return f'<img style="max-width: {width}" alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def column(*widgets):
    """Widgets below each other, as wide as the page allows."""
    from ipywidgets import Layout, VBox

    return VBox(widgets, layout=Layout(width="100%"))


def row(*widgets):
    """Widgets side by side; what does not fit goes to the next line, as it does when the page is zoomed."""
    from ipywidgets import HBox, Layout

    return HBox(widgets, layout=Layout(flex_flow="row wrap", width="100%"))


def empty_figure(width, height):
    """A figure outside of pyplot, so that no notebook draws it a second time (inches)."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=100)


def empty_picture(width, height, words):
    """A figure that holds nothing but a sentence."""
    figure = empty_figure(width, height)
    ax = figure.subplots()
    ax.axis("off")
    ax.text(0.5, 0.5, words, ha="center", va="center", color="0.35", transform=ax.transAxes)
    return figure


def _let_colab_show_widgets():
    """Colab shows widgets that are not its own, such as the microphone, only when asked."""
    import sys

    if "google.colab" in sys.modules:
        from google.colab import output

        output.enable_custom_widget_manager()
