"""Inputs for settings: one for each hyperparameter of a model, each field of a feature, a recipe, an augmentation."""

import ast
import inspect
from dataclasses import is_dataclass, replace
from typing import Annotated, Literal, get_args, get_origin

import ipywidgets
import torch

from ..errors import LabError
from ..features import FEATURES
from ..models import MODELS, Model, count_parameters, parameters
from .as_code import as_code
from .panel import LOOK, Panel

SECTIONS = ("model", "feature", "recipe", "augmentation")
ABOVE = ("recipe.epochs", "recipe.rate")  # settings that are always in sight
PLAIN = {bool: ipywidgets.Checkbox, int: ipywidgets.IntText, float: ipywidgets.FloatText}


class SettingsPanel(Panel):
    """All settings of an experiment as controls, by their path ("model.hidden"); and as code that makes it again."""

    def __init__(self, lab, experiment):
        super().__init__(lab)
        self.base, self.busy = experiment, False  # what has no control stays as in `base`
        look = {"style": LOOK["style"], "layout": {"width": "99%"}}
        self.code_view = ipywidgets.Textarea(continuous_update=False, description="as code", **look)
        self._section = ipywidgets.ToggleButtons(options=SECTIONS, tooltips=[f"settings of the {s}" for s in SECTIONS])
        self._section.observe(lambda change: self._turn(), "value")
        self._above, self._settings = self.row(), self.row()
        self.add("model", "Dropdown", self._new_model, options=sorted(MODELS))
        self.add("feature", "Dropdown", self._new_feature, options=sorted(FEATURES))
        self.add("seed", "IntText", self.changed)
        self.show(experiment)

    @property
    def experiment(self):
        """The experiment that the controls describe; LabError if they do not fit together."""
        values = {section: {} for section in SECTIONS}
        for path, control in self.controls.items():
            section, dot, name = path.partition(".")
            if dot:
                values[section][name] = read(control)
        augmentation = type(self.base.recipe.augmentation)(**values["augmentation"])
        return self.base.change(
            model=Model(self.controls["model"].value, **values["model"]),
            feature=FEATURES[self.controls["feature"].value](**values["feature"]),
            recipe=replace(self.base.recipe, augmentation=augmentation, **values["recipe"]),
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
        model, feature, recipe = experiment.model, experiment.feature, experiment.recipe
        outer, self.held = self.held, True
        self.controls["model"].value = model.name
        self.controls["feature"].value = next(name for name, kind in FEATURES.items() if kind is type(feature))
        self.controls["seed"].value = experiment.seed
        self._fill("model", parameters(model.name), model.full)
        for section, part in (("feature", feature), ("recipe", recipe), ("augmentation", recipe.augmentation)):
            self._fill(section, inspect.signature(type(part)).parameters, vars(part))
        self.held = outer

    def _fill(self, section, settings, values=None):
        """Inputs for settings (inspect.Parameter by name), with these values, instead of those that the section had.

        Without values, a setting that means the same in both keeps its own, and the others begin at their defaults.
        """
        before = {path: self.controls.pop(path) for path in list(self.controls) if path.startswith(f"{section}.")}
        for name, setting in settings.items():
            if is_dataclass(setting.default):
                continue  # it has inputs of its own
            path = f"{section}.{name}"
            control = before.get(path)
            if control is None or control.setting != setting:
                control = input_for(setting)
                control.observe(lambda change: self.changed(), "value")
            if values is not None:
                control.value = shown(values[name], control)
            self.controls[path] = control
        self._above.children = [self.controls[path] for path in ABOVE if path in self.controls]
        self._turn()

    def _turn(self):
        """Show the section that is chosen."""
        mine = [path for path in self.controls if path.startswith(f"{self._section.value}.") and path not in ABOVE]
        self._settings.children = [self.controls[path] for path in mine]

    def _new_model(self):
        self._fill("model", parameters(self.controls["model"].value))
        self.changed()

    def _new_feature(self):
        self._fill("feature", inspect.signature(FEATURES[self.controls["feature"].value]).parameters)
        self.changed()


def input_for(setting):
    """An input for a setting (an inspect.Parameter), which it keeps as `setting`."""
    kind, words = meaning(setting)
    look = {"description": setting.name.replace("_", " "), **LOOK}
    if kind in PLAIN:
        control = PLAIN[kind](**look)
    elif words:  # any other may be typed: the settings name what they accept
        control = ipywidgets.Combobox(options=words, continuous_update=False, **look)
    else:
        control = ipywidgets.Text(continuous_update=False, **look)
    control.setting, control.kind = setting, kind
    control.value = shown(setting.default, control)
    return control


def meaning(setting):
    """The class that a setting takes (None: one of several), and the words to choose from, as its annotation says."""
    kind = type(setting.default) if setting.annotation is setting.empty else setting.annotation
    words = ()
    if get_origin(kind) is Annotated:
        kind, *about = get_args(kind)
        words = tuple(name for options in about if isinstance(options, dict) for name in options)
    for choice in (kind, *get_args(kind)):  # alone, or beside None
        if get_origin(choice) is Literal:
            words = get_args(choice)
    plain = kind in (*PLAIN, str) or get_origin(kind) is Literal
    return (str if words and plain else kind if plain else None), words


def read(control):
    """The value of an input, in the kind that the setting takes: "none" is None, "64, 64" a tuple."""
    if control.kind is not None:
        return control.value
    text = control.value.strip()
    if text.lower() in ("none", ""):
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # a word, or a mistake: the settings name it


def shown(value, control):
    """A setting as its input shows it."""
    if control.kind is not None:
        return value
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) + ("," if len(value) == 1 else "")
    return "none" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
