"""An experiment: everything that decides a result, as one frozen value that can be written as JSON."""

from contextlib import contextmanager
from dataclasses import field, replace
from typing import Annotated

from pydantic import BeforeValidator

from ..data.corpus import chosen
from ..data.splits import Split
from ..errors import LabError, choose
from ..features import FEATURES, MFCC, Feature
from ..files import digest
from ..models import Model, code_of
from ..settings import Count, Seed, as_json, settings
from ..training.recipe import Recipe

# What records and grids of the first edition call these settings of a recipe, and what they are called now. Run ids are
# hashes of the old names still, so that they stay.
OLD_NAMES = {"rate": "lr", "noise_share": "noise_fraction"}
SCHEMA = 1  # raise it when the meaning of a setting changes: all run ids change with it


@settings
class Subset:
    """Which corpus, and how much of it."""

    name: str = "speech_commands"  # a key of data.CORPORA
    labels: tuple[str, ...] | None = None  # only these classes
    clips_per_label: Count | None = None  # at most so many clips of a label in each part
    extra: tuple[str, ...] = ()  # other corpora, joined to this one (data.join), that are trained on as well

    def apply(self, corpus):
        """The chosen part of a corpus that was opened whole."""
        return chosen(corpus, self.extra).only(self.labels, clips_per_label=self.clips_per_label)


@settings
class Target:
    """What is predicted."""

    column: str = "label"  # of the corpus' table
    # pairs of a value of the column and the class it counts as; other values are left out, and counted
    classes: tuple[tuple[str, str], ...] | None = None

    def apply(self, corpus):
        """The corpus with this target as its label."""
        if self.column == "label" and self.classes is None:
            return corpus
        value = choose(self.column, corpus.clips, f"column of {corpus.name}")
        value = value.astype(str).where(value.notna() & (value.astype(str) != ""))
        classes = dict(self.classes or [(name, name) for name in sorted(value.dropna().unique())])
        label = value.map(classes)
        skipped = corpus.skipped
        if out := int(label.isna().sum()):
            why = f"have no {self.column}, or one outside the class table, and are left out"
            skipped = (*skipped, f"{out} clips of {corpus.name} {why}.")
        clips = corpus.clips.assign(label=label)[label.notna()]
        return corpus.with_clips(clips, labels=tuple(dict.fromkeys(classes.values())), skipped=skipped)


def _feature(value):
    """A feature, also from JSON: its name and its settings."""
    if isinstance(value, dict):
        settings = {"name": "mfcc", **value}
        value = choose(settings.pop("name"), FEATURES, "feature")(**settings)
    return value


def _model(value):
    return Model(**{"name": "gru", **value}) if isinstance(value, dict) else value


@settings
class Experiment:
    """Corpus, target, split, feature, model, recipe and seed: the whole description of a run."""

    corpus: Subset = field(default_factory=Subset)
    target: Target = field(default_factory=Target)
    split: Split = field(default_factory=Split)
    feature: Annotated[Feature, BeforeValidator(_feature)] = field(default_factory=MFCC)
    model: Annotated[Model, BeforeValidator(_model)] = field(default_factory=lambda: Model("gru"))
    recipe: Recipe = field(default_factory=Recipe)
    seed: Seed = 0
    start: str = ""  # id of a run beside it, with whose weights training begins (fine-tuning); else with random ones

    def __post_init__(self):
        shift, seconds = self.recipe.augmentation.shift, self.feature.seconds
        if seconds is not None and shift >= seconds:
            raise LabError(f"shift={shift} moves clips out of their {seconds} seconds. Lower shift, or raise seconds.")
        if self.split.protocol == "new_voices" and self.recipe.select != "last":
            wrong = "The split 'new_voices' validates on the speakers that it tests, so no epoch may be chosen by them."
            raise LabError(f'{wrong} Keep the last one: recipe={{"select": "last"}}.')

    def to_dict(self):
        """What differs from the defaults, ready for JSON. (So a later setting with a default changes no run id.)"""
        values = as_json(self)
        if "feature" in values:
            values["feature"] = {"name": _name(self.feature), **values["feature"]}
        if "model" in values:
            values["model"] = {"name": self.model.name, **{key: as_json(value) for key, value in self.model.options}}
        return values

    @classmethod
    def from_dict(cls, values):
        """The inverse of `to_dict`; unknown settings raise LabError with the known ones."""
        if not isinstance(values, dict):
            raise LabError(f'An experiment is written as its parts by name, as in {{"seed": 1}}, not as {values!r}.')
        return cls(**_renamed(values, OLD_NAMES))

    def id(self, fingerprint):
        """Run id: hash of this experiment, the corpus' fingerprint and the schema version."""
        settings = _renamed(self.to_dict(), {new: old for old, new in OLD_NAMES.items()})
        parts = {"experiment": settings, "corpus": fingerprint, "schema": SCHEMA}
        if code := code_of(self.model.name):  # of a student's own model, so that a changed one is trained anew
            parts["code"] = code
        return digest(parts, 12)

    def change(self, **changes):
        """A copy with some parts replaced; a dict changes single settings: `change(recipe={"epochs": 5}, seed=3)`.

        A dict with the `name` of a feature is a new feature: what it does not say is as that feature has it.
        """
        for key, value in changes.items():
            part = choose(key, vars(self), "part of an experiment")
            if isinstance(value, dict) and key == "model":
                changes[key] = {"name": part.name, **dict(part.options), **value}
            elif isinstance(value, dict) and not (key == "feature" and "name" in value):
                changes[key] = replace(part, **value)
        return replace(self, **changes)

    def __str__(self):
        options = ", ".join(f"{key}={value}" for key, value in self.model.options)
        return f"{self.model.name}{f' ({options})' if options else ''} on {_name(self.feature)}, seed {self.seed}"


@contextmanager
def named(experiment):
    """Turn what torch says of one of the lab's own networks (no memory, an input too short) into a LabError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if code_of(experiment.model.name):
            raise  # a student's own code: the stack says where
        said = (str(error).splitlines() or ["there is not enough memory"])[0]
        mend = "It may be too large for this machine, or its input too short for its layers: change these settings."
        raise LabError(f"{experiment} cannot be trained ({said}). It has {experiment.to_dict()}. {mend}") from error


def _name(feature):
    return next((name for name, kind in FEATURES.items() if kind is type(feature)), type(feature).__name__)


def _renamed(values, names):
    """An experiment's dict with other names for the settings of its recipe."""

    def renamed(part):
        return {names.get(key, key): renamed(item) for key, item in part.items()} if isinstance(part, dict) else part

    return {key: renamed(part) if key == "recipe" else part for key, part in values.items()}
