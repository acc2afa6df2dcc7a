"""A panel for any function that draws: each of its arguments becomes a slider, a choice or a box."""

import inspect
from functools import lru_cache

import ipywidgets
import matplotlib.pyplot as plt

from ..errors import LabError, choose
from ..plots import quick
from ..settings import plain
from .panel import Panel, empty_picture, image
from .trainer import TrainerPanel

KEPT = 60  # pictures: what was drawn once is there at once
GUESS = "guess"  # an argument of this name is the student's: Reset leaves it


class TinkerPanel(Panel):
    """Sliders and choices for the arguments of a function that draws: what is drawn follows them.

    Below the picture stand the settings, what the function says of them, and the same settings as code.

    Parameters
    ----------
    lab : Lab
    function : callable
        It takes the settings by name; their defaults are where the panel starts. It returns a figure and what can be
        seen there, in words; perhaps also sounds, a dict from names to (samples, sample rate in Hz). It is called for
        each move of a slider, so it should take less than 0.2 s; what takes longer may be a generator that yields all
        this several times: the picture grows.
    experiment : callable, optional
        It takes the same settings and returns the Experiment that trains such a network: "Train this one".
    units : dict of str to str, optional
        Units of the settings, as in {"window": "ms"}.
    synthetic : bool, optional
        Whether the picture rests on synthetic speech; by default as the chapter's corpus.
    **choices
        The values of each argument, in their order: numbers make a slider, words a list, (False, True) a box to tick.
        An argument without choices is typed in.

    `panel.settings` is what the controls say, `panel.trainer` what the button "Train this one" has opened.
    """

    synthetic = False

    def __init__(self, lab, function, experiment=None, units=None, synthetic=None, **choices):
        super().__init__(lab)
        self.function, self.experiment, self.trainer, self.units = function, experiment, None, units or {}
        self.synthetic = lab.data.synthetic if synthetic is None else synthetic
        self.start = {name: argument.default for name, argument in inspect.signature(function).parameters.items()}
        for name in choices:
            choose(name, self.start, f"argument of {function.__name__}")
        self.boxes = []  # where the axes of the first figure stand: those of the others stay there
        self.make, self.quick = lru_cache(KEPT)(self.make), lru_cache(KEPT)(self.quick)
        self.code_view = ipywidgets.Textarea(description="as code", rows=2, layout={"width": "99%"})
        self.below = ipywidgets.VBox(layout={"width": "100%"})  # room for the trainer
        self.reset = self.button("Reset", "undo", self._reset)
        self.train = self.button("Train this one", "play", self._train, button_style="primary")
        self.add_player()
        with self.drawn_once():
            for name, value in self.start.items():
                self._add(name, name.replace("_", " "), value, choices.get(name))

    @property
    def settings(self):
        """What the controls say: a dict by the names of the arguments."""
        return {name: control.value for name, control in self.controls.items()}

    def draw(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        self.code_view.value = f"{self.function.__name__}({arguments})"
        try:
            figure, seen, sounds = self.make(*self.settings.values())
            self._say(seen)
        except Exception as error:  # a function of the student's own may fail in any way; an old picture would be wrong
            figure, sounds = empty_picture(9.5, 1.5, "no picture: see the note below"), {}
            said = error if isinstance(error, LabError) else f"{type(error).__name__}: {error}."
            self._say(f"{said} Change a setting, or press Reset.", wrong=True)
        self.play(sounds)
        return figure, self.said

    def rows(self):
        buttons = (self.reset, self.train) if self.experiment else (self.reset,)
        return tuple(self.controls), buttons, self.picture, *self.players, self.message, self.code_view, self.below

    def make(self, *values):
        """What the function makes of its arguments: (figure, words, sounds)."""
        drawn = self.function(**dict(zip(self.start, values, strict=True)))
        grows = inspect.isgenerator(drawn)
        for piece in drawn if grows else [drawn]:
            figure, seen, *sounds = piece
            plt.close(figure)  # else the next cell would show it once more
            if grows:
                self._say(seen)
                self.picture.value = image(self.quick(figure), self.said)
        return figure, seen, (sounds or [{}])[0]

    def quick(self, figure):
        png = quick(figure, self.synthetic, self.boxes)
        self.boxes = self.boxes or [ax.get_position() for ax in figure.axes]
        return png

    def _add(self, name, label, value, choices):
        """The input of an argument."""
        if choices is None:
            kind = "Text" if isinstance(value, str) else "FloatText"
            return self.add(name, kind, self.redraw, label, value=value, continuous_update=False)
        choices = plain(list(choices))
        if value not in choices:
            raise LabError(f"{self.function.__name__} starts at {name}={value!r}, which is no choice of it. Add it.")
        if all(isinstance(choice, bool) for choice in choices):
            return self.add(name, "Checkbox", self.redraw, label, value=value, indent=False)
        kind = "Dropdown" if any(isinstance(choice, str) for choice in choices) else "SelectionSlider"
        options = [(self._worded(name, choice), choice) for choice in choices]
        return self.add(name, kind, self.redraw, label, options=options, value=value)

    def _worded(self, name, value):
        """A value in words, as in "20 ms"."""
        if isinstance(value, bool):
            return "on" if value else "off"
        return f"{value if isinstance(value, str) else f'{value:.4g}'} {self.units.get(name, '')}".strip()

    def _say(self, seen, wrong=False):
        settings = [f"{name.replace('_', ' ')} {self._worded(name, value)}" for name, value in self.settings.items()]
        self.say(f"{', '.join(settings)}. {seen}", wrong)

    def _reset(self):
        with self.drawn_once():
            for name in self.start.keys() - {GUESS}:
                self.controls[name].value = self.start[name]

    def _train(self):
        """Open a trainer with the experiment of these settings, and press its button."""
        experiment = self.experiment(**{name: value for name, value in self.settings.items() if name != GUESS})
        if self.trainer is None:
            self.trainer = TrainerPanel(self.lab, experiment)
            self.below.children = [self.trainer.view()]
        self.trainer.take(experiment)
        self.trainer.train.click()
