"""Inputs for settings: one for each hyperparameter of a model, each field of a feature, a recipe, an augmentation."""

import ast
from dataclasses import is_dataclass, replace
from typing import Literal, get_args, get_origin, get_type_hints

import ipywidgets
import torch
from ipywidgets import Layout

from ..errors import LabError
from ..features import FEATURES
from ..models import MODELS, Model, count_parameters, hyperparameters
from ..models.rnn import READOUTS
from ..training.recipe import LOSSES, OPTIMISERS, SCHEDULES
from .as_code import as_code
from .panel import LOOK, Panel

# Words that an input suggests, beside those of a Literal; others may be typed, and the settings name what they accept.
SUGGESTED = {
    "optimiser": OPTIMISERS,
    "schedule": SCHEDULES,
    "loss": LOSSES,
    "readout": READOUTS,
    "padding": ("masked", "signal"),
    "mel_scale": ("htk", "slaney"),
    "log": ("db", "ln", "none"),
}
SECTIONS = ("model", "feature", "recipe", "augmentation")
ABOVE = ("recipe.epochs", "recipe.rate")  # settings that are always in sight
PLAIN = {bool: ipywidgets.Checkbox, int: ipywidgets.IntText, float: ipywidgets.FloatText}


class SettingsPanel(Panel):
    """All settings of an experiment as controls, by their path ("model.hidden"); and as code that makes it again."""

    def __init__(self, lab, experiment):
        super().__init__(lab)
        self.base, self.busy = experiment, False  # what has no control stays as in `base`
        self.code_view = ipywidgets.Textarea(
            continuous_update=False, description="as code", style=LOOK["style"], layout=Layout(width="99%")
        )
        self._section = ipywidgets.ToggleButtons(options=SECTIONS, tooltips=[f"settings of the {s}" for s in SECTIONS])
        self._section.observe(self._turn, "value")
        self._above, self._settings = self.row(), self.row()
        model, feature, recipe = experiment.model, experiment.feature, experiment.recipe
        self.add("model", "Dropdown", self._new_model, options=sorted(MODELS), value=model.name)
        self.add("feature", "Dropdown", self._new_feature, options=sorted(FEATURES), value=_name(feature))
        self.add("seed", "IntText", self.changed, value=experiment.seed)
        self._fill("model", inputs(model.full, hyperparameters(model.name), {}))
        for section, part in (("feature", feature), ("recipe", recipe), ("augmentation", recipe.augmentation)):
            self._fill(section, inputs_of(part))

    @property
    def experiment(self):
        """The experiment that the controls describe; LabError if they do not fit together."""
        augmentation = type(self.base.recipe.augmentation)(**self._values("augmentation"))
        return self.base.change(
            model=Model(self.controls["model"].value, **self._values("model")),
            feature=FEATURES[self.controls["feature"].value](**self._values("feature")),
            recipe=replace(self.base.recipe, augmentation=augmentation, **self._values("recipe")),
            seed=self.controls["seed"].value,
        )

    @property
    def code(self):
        """The present settings as Python, ready to be copied into a cell."""
        return as_code(self.experiment)

    @property
    def classes(self):
        return len(self.base.corpus.labels or self.lab.data.labels)

    def check(self):
        """The experiment, and its model in words; LabError if no such network can be built."""
        experiment = self.experiment
        try:
            with torch.random.fork_rng([]), torch.device("meta"):  # shapes without numbers: takes no memory
                network = experiment.model.build(experiment.feature.shape, self.classes)
        except LabError:
            raise
        except Exception:  # a model may do what shapes alone cannot; then training tells
            return experiment, experiment.model.name
        return experiment, f"{experiment.model.name} with {count_parameters(network):,} parameters"

    def changed(self, change=None):
        """A control moved: show the new settings as code, or what is wrong with them."""
        try:
            experiment, words = self.check()
            self.code_view.value, words, wrong = as_code(experiment), f"{words}. Press Train.", False
            self.code_view.rows = self.code_view.value.count("\n") + 2
        except LabError as error:
            self.code_view.value, words, wrong = "", str(error), True
        if not self.busy:
            self.say(words, wrong)

    def show(self, experiment):
        """Set all controls to the settings of an experiment."""
        feature, recipe = experiment.feature, experiment.recipe
        self.controls["model"].value, self.controls["feature"].value = experiment.model.name, _name(feature)
        self.controls["seed"].value = experiment.seed
        sections = (experiment.model.full, vars(feature), vars(recipe), vars(recipe.augmentation))
        for section, values in zip(SECTIONS, sections, strict=True):
            for name, value in values.items():
                if (control := self.controls.get(f"{section}.{name}")) is not None:
                    control.value = value if control.kind in (*PLAIN, str) else _text(value)

    def _values(self, section):
        """The values of the inputs of one section, by name."""
        paths = [path for path in self.controls if path.startswith(f"{section}.")]
        return {path.partition(".")[2]: read(self.controls[path]) for path in paths}

    def _fill(self, section, found):
        """Inputs for one section instead of those it had; a setting that means the same in both keeps its value."""
        before = {path: self.controls.pop(path) for path in list(self.controls) if path.startswith(f"{section}.")}
        for setting, control in found.items():
            path = f"{section}.{setting}"
            old = before.get(path)
            if old is not None and (old.kind, old.default) == (control.kind, control.default):
                control = old
            else:
                control.observe(self.changed, "value")
            self.controls[path] = control
        self._above.children = [self.controls[path] for path in ABOVE if path in self.controls]
        self._turn()

    def _turn(self, change=None):
        """Show the section that is chosen."""
        mine = [path for path in self.controls if path.startswith(f"{self._section.value}.") and path not in ABOVE]
        self._settings.children = [self.controls[path] for path in mine]

    def _new_model(self):
        defaults = hyperparameters(self.controls["model"].value)
        self._fill("model", inputs(defaults, defaults, {}))
        self.changed()

    def _new_feature(self):
        self._fill("feature", inputs_of(FEATURES[self.controls["feature"].value]()))
        self.changed()


def inputs(values, defaults, types):
    """An input for each setting (dicts by name); a setting that is a dataclass has inputs of its own elsewhere."""
    found = {}
    for name, value in values.items():
        if not is_dataclass(value):
            kind = types.get(name, type(defaults[name]))
            found[name] = _input(name, value, kind)
            found[name].default = defaults[name]
    return found


def inputs_of(part):
    """The inputs for a settings dataclass."""
    return inputs(vars(part), vars(type(part)()), get_type_hints(type(part)))  # hints without their limits


def read(control):
    """The value of an input, in the kind that the setting takes: "none" is None, "64, 64" a tuple."""
    if control.kind in (*PLAIN, str):
        return control.value
    text = control.value.strip()
    if text.lower() in ("none", ""):
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # a word, or a mistake: the settings name it


def _input(name, value, kind):
    words = get_args(kind) if get_origin(kind) is Literal else tuple(SUGGESTED.get(name, ()))
    kind = str if get_origin(kind) is Literal else kind if kind in (*PLAIN, str) else "any"
    look = {"description": name.replace("_", " "), **LOOK}
    if kind in PLAIN:
        control = PLAIN[kind](value, **look)
    elif words:
        control = ipywidgets.Combobox(value=str(value), options=words, continuous_update=False, **look)
    else:
        control = ipywidgets.Text(_text(value), continuous_update=False, **look)
    control.kind = kind
    return control


def _text(value):
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) + ("," if len(value) == 1 else "")
    return "none" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _name(feature):
    return next(name for name, kind in FEATURES.items() if kind is type(feature))
