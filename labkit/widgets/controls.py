"""Inputs for the settings of an experiment (model, feature, recipe, augmentation), and the same settings as code."""

import ast
import inspect
import math
from dataclasses import is_dataclass
from typing import Annotated, Literal, get_args, get_origin

import ipywidgets
import torch

from ..errors import LabError
from ..experiments.experiment import Experiment
from ..features import FEATURES
from ..models import MODELS, count_parameters, parameters
from ..training.augment import Augmentation
from ..training.recipe import Recipe
from .panel import LOOK, Panel

SECTIONS = ("model", "feature", "recipe", "augmentation")
ABOVE = ("recipe.epochs", "recipe.lr", "recipe.batch", "model.hidden", "model.dropout")  # what matters first is above
RANGES = {"lr": (1e-5, 1.0), "weight_decay": (1e-5, 1.0), "epochs": (1, 128), "batch": (4, 512), "hidden": (4, 512)}
RANGES |= {"dropout": (0, 0.95), "momentum": (0, 0.95)}  # of sliders beside numbers: logarithmic, from 0 on linear
PLAIN = {bool: ipywidgets.Checkbox, int: ipywidgets.IntText, float: ipywidgets.FloatText}


class SettingsPanel(Panel):
    """All settings of an experiment as controls, named by their path ("model.hidden"), and as code."""

    def __init__(self, lab, experiment):
        super().__init__(lab)
        self.base, self.busy = experiment, False  # what has no control stays as in `base`
        self.classes = len(experiment.corpus.labels or lab.data.labels)
        self.inputs = {}  # by path, all that were ever shown: a page never frees what is made anew
        self.code_view = ipywidgets.Textarea(description="as code", continuous_update=False, layout={"width": "99%"})
        self._above, self._settings = self.row(), self.row()
        self.add("model", "Dropdown", self._renew, options=sorted(MODELS))
        self.add("feature", "Dropdown", self._renew, options=sorted(FEATURES))
        self.add("seed", "IntText", self.changed)
        self.add("section", "ToggleButtons", self._turn, "settings of", options=SECTIONS, layout={})

    @property
    def experiment(self):
        """The experiment that the controls describe; LabError if they do not fit together."""
        parts = {section: {} for section in SECTIONS}
        for path, control in self.controls.items():
            section, dot, name = path.partition(".")
            if dot:
                parts[section][name] = read(control)
            elif path in parts:
                parts[path]["name"] = control.value
        parts["recipe"]["augmentation"] = parts.pop("augmentation")
        return Experiment(**{**vars(self.base), **parts, "seed": self.controls["seed"].value})

    def check(self):
        """The experiment, and its model in words; LabError if no such network can be built."""
        experiment = self.experiment
        if self.busy:  # perhaps in this process: building a network would change the training's random numbers
            return experiment, experiment.model.name
        try:
            with torch.random.fork_rng([]), torch.device("meta"):  # shapes without numbers: takes no memory
                network = experiment.model.build(experiment.feature.shape, self.classes)
        except LabError:
            raise
        except Exception:  # a student's model may need numbers, not only shapes: training will tell
            return experiment, experiment.model.name
        return experiment, f"{experiment.model.name} with {count_parameters(network):,} parameters"

    def changed(self):
        """A control moved: show the new settings as code, or what is wrong with them."""
        if self.held:
            return
        try:
            experiment, words = self.check()
            code, words, wrong = as_code(experiment), f"{words}. Press Train.", False
        except LabError as error:
            code, words, wrong = "", str(error), True
        self.code_view.value, self.code_view.rows = code, code.count("\n") + 2
        if not self.busy:
            self.say(words, wrong)

    def show(self, experiment):
        """Set all controls to the settings of an experiment."""
        feature, recipe = experiment.feature, experiment.recipe
        with self.drawn_once():
            self.controls["model"].value = experiment.model.name
            self.controls["feature"].value = next(name for name, kind in FEATURES.items() if kind is type(feature))
            self.controls["seed"].value = experiment.seed
            values = experiment.model.full, vars(feature), vars(recipe), vars(recipe.augmentation)
            self._renew(dict(zip(SECTIONS, values, strict=True)))
        self.changed()

    def _renew(self, values=None):
        """Show the inputs for the chosen model and feature; a setting that means the same as before keeps its value."""
        kinds = FEATURES[self.controls["feature"].value], Recipe, Augmentation
        settings = [parameters(self.controls["model"].value), *(inspect.signature(kind).parameters for kind in kinds)]
        for path in [path for path in self.controls if "." in path]:
            del self.controls[path]
        for section, named in zip(SECTIONS, settings, strict=True):
            for name, setting in named.items():
                path = f"{section}.{name}"
                if is_dataclass(setting.default):
                    continue  # it has inputs of its own
                known = self.inputs.setdefault(path, [])
                control = next((one for one in known if one.setting == setting), None)
                if control is None:
                    control = input_for(setting)
                    control.observe(lambda change: self.changed(), "value")
                    known.append(control)
                if values is not None:
                    control.value = shown(values[section][name], control)
                self.controls[path] = control
        self._above.children = [self._with_slider(path) for path in ABOVE if path in self.controls]
        self._turn()
        self.changed()

    def _turn(self):
        """Show the section that is chosen."""
        chosen = f"{self.controls['section'].value}."
        mine = [path for path in self.controls if path.startswith(chosen) and path not in ABOVE]
        self._settings.children = [self._with_slider(path) for path in mine]

    def _with_slider(self, path):
        """The input of a setting, and beside it a slider where a range makes sense; any number can still be typed."""
        number, name = self.controls[path], path.partition(".")[2]
        if name in RANGES and type(number) in (PLAIN[int], PLAIN[float]) and not hasattr(number, "beside"):
            number.slider = slider_beside(number, *RANGES[name])
            number.beside = ipywidgets.HBox([number, number.slider], layout={"flex_flow": "row wrap"})
        return getattr(number, "beside", number)


def input_for(setting):
    """An input for a setting (an inspect.Parameter), which it keeps as `setting`."""
    kind = type(setting.default) if setting.annotation is setting.empty else setting.annotation
    kind, *about = get_args(kind) if get_origin(kind) is Annotated else [kind]
    words = [name for options in about if isinstance(options, dict) for name in options]
    for choice in (kind, *get_args(kind)):  # alone, or beside None
        if get_origin(choice) is Literal:
            words = get_args(choice)
    look = {"description": setting.name.replace("_", " "), **LOOK}
    if kind in PLAIN:
        control = PLAIN[kind](**look)
    else:  # another word may be typed: the settings name what they accept
        control = ipywidgets.Combobox(options=words, continuous_update=False, **look)
    control.setting, control.value = setting, shown(setting.default, control)
    return control


def slider_beside(number, low, high):
    """A slider that moves a number, and follows it as far as its range goes."""
    look = {"value": low, "readout": False, "layout": {"width": "9em"}, "continuous_update": False, "step": 0.05}
    if low:
        slider = ipywidgets.FloatLogSlider(min=math.log10(low), max=math.log10(high), **look)
    else:
        slider = ipywidgets.FloatSlider(min=low, max=high, **look)

    def follow(change=None):
        slider.value = min(max(low, number.value), high)  # low for a value that is no number

    def move(change):
        if slider.value != min(max(low, number.value), high):  # else it has only followed
            number.value = round(slider.value) if isinstance(number.value, int) else float(f"{slider.value:.2g}")

    follow()
    number.observe(follow, "value")
    slider.observe(move, "value")
    return slider


def read(control):
    """The value of an input; where the setting is not a word, the text "none" is None, and "64, 64" a tuple."""
    if not isinstance(control, ipywidgets.Combobox) or isinstance(control.setting.default, str):
        return control.value
    text = control.value.strip()
    try:
        return None if text.lower() in ("none", "") else ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # a word, or a mistake: the settings name it


def shown(value, control):
    """A setting as its input shows it."""
    if not isinstance(control, ipywidgets.Combobox):
        return value
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) + ("," if len(value) == 1 else "")
    return "none" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def as_code(experiment):
    """An experiment as Python that makes it again and trains it.

    >>> print(as_code(Experiment().change(model={"name": "lstm", "hidden": 64}, recipe={"epochs": 5})))
    experiment = labkit.Experiment(
        model={'name': 'lstm', 'hidden': 64},
        recipe={'epochs': 5},
    )
    run = lab.train(experiment)
    """
    parts = "".join(f"\n    {name}={part!r}," for name, part in experiment.to_dict().items())
    return f"experiment = labkit.Experiment({parts}\n)\nrun = lab.train(experiment)"
