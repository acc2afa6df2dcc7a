"""An experiment: everything that decides a result, as one frozen value that can be written as JSON."""

from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from numbers import Integral

import numpy as np

from ..data.extra_voices import chosen
from ..data.splits import Split
from ..errors import LabError, check_types, choose
from ..features import FEATURES, MFCC, Feature
from ..files import digest
from ..models import Model, code_of
from ..training.loop import Recipe

SCHEMA = 1  # raise it when the meaning of a setting changes: all run ids change with it


@dataclass(frozen=True)
class Choice:
    """Which corpus, and how much of it.

    Parameters
    ----------
    name : str
        A key of `data.CORPORA`.
    labels : tuple of str, optional
        Only these classes.
    clips_per_label : int, optional
        At most so many clips of a label in each part.
    extra : tuple of str
        Names of other corpora, joined to this one (`data.join`), whose clips are trained on, too.
    """

    name: str = "speech_commands"
    labels: tuple | None = None
    clips_per_label: int | None = None
    extra: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "labels", _frozen(self.labels))
        object.__setattr__(self, "extra", _frozen(self.extra))
        check_types(self)

    def apply(self, corpus):
        """The chosen part of a corpus that was opened whole."""
        return chosen(corpus, self.extra).only(self.labels, clips_per_label=self.clips_per_label)


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Parameters
    ----------
    column : str
        Column of the corpus' table.
    classes : tuple of (str, str), optional
        Class table: pairs of a value of the column and the class it counts as. Other values are left out, and counted.
    """

    column: str = "label"
    classes: tuple | None = None

    def __post_init__(self):
        pairs = self.classes.items() if isinstance(self.classes, dict) else self.classes
        object.__setattr__(self, "classes", None if pairs is None else _frozen(list(pairs)))
        check_types(self)
        if any(not isinstance(pair, tuple) or len(pair) != 2 for pair in self.classes or ()):
            raise LabError(f"classes={pairs!r} is no class table. Write pairs of a value and its class.")

    def apply(self, corpus):
        """The corpus with this target as its label."""
        if self.column == "label" and self.classes is None:
            return corpus
        choose(self.column, dict.fromkeys(corpus.clips.columns), f"column of {corpus.name}")
        value = corpus.clips[self.column]
        value = value.astype(str).where(value.notna() & (value.astype(str) != ""))
        table = dict(self.classes) if self.classes else {name: name for name in sorted(value.dropna().unique())}
        label = value.map(table)
        out = int(label.isna().sum())
        note = f"{out} clips of {corpus.name} have no {self.column}, or one outside the class table, and are left out."
        return corpus.with_clips(
            corpus.clips.assign(label=label)[label.notna()],
            labels=tuple(dict.fromkeys(table.values())),
            skipped=(*corpus.skipped, *([note] if out else [])),
        )


@dataclass(frozen=True)
class Experiment:
    """Corpus, target, split, feature, model, recipe and seed: the whole description of a run.

    Examples
    --------
    >>> Experiment(model=Model("lstm", hidden=64), recipe=Recipe(epochs=5)).to_dict()
    {'model': {'name': 'lstm', 'hidden': 64}, 'recipe': {'epochs': 5}}
    """

    corpus: Choice = field(default_factory=Choice)
    target: Target = field(default_factory=Target)
    split: Split = field(default_factory=Split)
    feature: object = field(default_factory=MFCC)
    model: Model = field(default_factory=lambda: Model("gru"))
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0

    def __post_init__(self):
        for name, (kind, example) in PARTS_OF_IT.items():
            if not isinstance(value := getattr(self, name), kind):
                raise LabError(f"An experiment's {name} cannot be {value!r}. Write, for example, {name}={example}.")

    def to_dict(self):
        """What differs from the defaults, ready for JSON. (So a later setting with a default changes no run id.)"""
        full = {
            "corpus": _changed(self.corpus),
            "target": _changed(self.target),
            "split": _changed(self.split),
            "feature": {"name": _name(self.feature), **_changed(self.feature)},
            "model": {"name": self.model.name, **{key: _plain(value) for key, value in self.model.options}},
            "recipe": _changed(self.recipe),
            "seed": _plain(self.seed),
        }
        plain = {"feature": {"name": "mfcc"}, "model": {"name": "gru"}, "seed": 0}
        return {key: value for key, value in full.items() if value != plain.get(key, {})}

    @classmethod
    def from_dict(cls, values):
        """The inverse of `to_dict`; unknown settings raise LabError with the known ones."""
        if not isinstance(values, dict):
            raise LabError(f'An experiment is written as its parts by name, as in {{"seed": 1}}, not as {values!r}.')
        for key, value in values.items():
            choose(key, dict.fromkeys(part.name for part in fields(cls)), "part of an experiment")
            if key != "seed" and not isinstance(value, dict):
                raise LabError(f"The {key} of an experiment is written as its settings by name, not as {value!r}.")
        parts = {"corpus": Choice, "target": Target, "split": Split, "recipe": Recipe}
        made = {key: _make(kind, values[key], key) for key, kind in parts.items() if key in values}
        if "feature" in values:
            feature = dict(values["feature"])
            made["feature"] = _make(choose(feature.pop("name", "mfcc"), FEATURES, "feature"), feature, "feature")
        if "model" in values:
            model = dict(values["model"])
            made["model"] = Model(model.pop("name", "gru"), **{key: _frozen(value) for key, value in model.items()})
        return cls(**made, seed=values.get("seed", 0))

    def id(self, fingerprint):
        """Run id: hash of this experiment, the corpus' fingerprint and the schema version.

        A model that a student registered counts with its code too, so that a changed one is trained anew.
        """
        parts = {"experiment": self.to_dict(), "corpus": fingerprint, "schema": SCHEMA}
        if code := code_of(self.model.name):
            parts["code"] = code
        return digest(parts, 12)

    def change(self, **changes):
        """A copy with some parts replaced; a dict changes single settings of a part.

        Examples
        --------
        >>> Experiment().change(recipe={"rate": 0.01}, seed=3).recipe.rate
        0.01
        """
        values = {}
        for key, value in changes.items():
            part = getattr(self, choose(key, {part.name: part.name for part in fields(self)}, "part of an experiment"))
            if isinstance(value, dict) and key == "model":
                value = {**dict(part.options), **value}
                value = Model(value.pop("name", part.name), **value)
            elif isinstance(value, dict):
                for setting in value:
                    choose(setting, dict.fromkeys(item.name for item in fields(part)), f"setting of {key}")
                value = _fitting(key, partial(replace, part), value)
            values[key] = value
        return replace(self, **values)

    def __str__(self):
        options = ", ".join(f"{key}={value}" for key, value in self.model.options)
        return f"{self.model.name}{f' ({options})' if options else ''} on {_name(self.feature)}, seed {self.seed}"


PARTS_OF_IT = {
    "corpus": (Choice, 'Choice("speech_commands")'),
    "target": (Target, 'Target("label")'),
    "split": (Split, 'Split("by_speaker")'),
    "feature": (Feature, "MFCC(n_mfcc=20)"),
    "model": (Model, 'Model("gru", hidden=64)'),
    "recipe": (Recipe, "Recipe(epochs=10)"),
    "seed": (Integral, "1"),
}


def _name(feature):
    return next((name for name, kind in FEATURES.items() if kind is type(feature)), type(feature).__name__)


def _changed(settings):
    """Settings of a dataclass that differ from their defaults."""
    return {
        part.name: _plain(getattr(settings, part.name), "float" in str(part.type))
        for part in fields(settings)
        if getattr(settings, part.name) != part.default
    }


def _plain(value, point=False):
    """What JSON can say; equal values give equal texts: with `point`, 1 is written as 1.0."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if point and isinstance(value, int):
        value = float(value)
    return _changed(value) if is_dataclass(value) else value


def _frozen(value):
    return tuple(_frozen(item) for item in value) if isinstance(value, tuple | list) else value


def _make(kind, values, what):
    known = dict.fromkeys(part.name for part in fields(kind))
    for key in values:
        choose(key, known, f"setting of {what}")
    return _fitting(what, kind, values)


def _fitting(what, make, values):
    """Call `make` with the values; its complaint about one of the wrong kind is put into words."""
    try:
        return make(**{key: _frozen(value) for key, value in values.items()})
    except TypeError as error:
        raise LabError(
            f"The settings {values} of {what} do not fit ({error}). Compare them with its defaults."
        ) from error
