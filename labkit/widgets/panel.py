"""What all panels share: controls, a picture, a message; and a picture for readers without a kernel."""

import html

from ..errors import LabError
from ..plots import render, stamp

NARROW = {"description_width": "6.5em"}


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
        self._picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))
        self._message = ipywidgets.HTML()

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
        if self.lab.data.synthetic:
            stamp(figure)
        self.figure = figure
        self._picture.value = render(figure)

    def say(self, text, wrong=False):
        """Show a message below the picture."""
        self.said = text
        colour = "#b34700" if wrong else "inherit"
        self._message.value = f'<div style="line-height: 1.5; color: {colour}">{html.escape(text)}</div>'

    @property
    def view(self):
        """The panel as one ipywidgets box."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include=None, exclude=None):
        """The live panel, and beside it its picture: what a web page shows when no kernel runs."""
        import base64

        data = self.view._repr_mimebundle_() or {}
        data["text/plain"] = f"{type(self).__name__}: {self.said}"
        data["image/png"] = base64.b64encode(self._picture.value).decode()
        return data, {"image/png": {"alt": self.alt}}


def empty_figure(width, height):
    """A figure outside of pyplot, so that no notebook draws it a second time (inches)."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=100)
