"""Settings as frozen values: each field says what it takes, and a value that does not fit is an error that names it."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, dataclass_transform

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from .errors import LabError, choose

# Upper bounds are far above what means something: a number beyond them is a slip, and would only be slow to fail.
Positive = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]  # of learning: one that is too high shows in the loss, and is named there
Decibel = Annotated[float, Field(ge=0, le=200)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
WholeNumber = Annotated[int, Field(ge=0, le=1_000_000)]
Counts = Annotated[tuple[Count, ...], Field(max_length=100)]
Few = Annotated[int, Field(ge=0, le=100)]
Layers = Annotated[int, Field(ge=1, le=100)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Hertz = Annotated[int, Field(ge=1_000, le=384_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


@dataclass_transform(frozen_default=True)
def settings(cls):
    """Class decorator: a frozen dataclass whose fields are checked against their annotations (pydantic, strict).

    Whole numbers pass for float and become one, numpy's numbers for Python's, lists for tuples; True is no number.
    """
    config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)
    cls = dataclass(frozen=True, config=config)(cls)
    check = cls.__init__

    def __init__(self, *args, **values):
        kinds = {field.name: field.type for field in fields(cls)}
        if len(args) > len(kinds):
            raise LabError(f"{cls.__name__} has {len(kinds)} settings, not {len(args)}. Give them by name.")
        values = {**dict(zip(kinds, args, strict=False)), **values}
        for name, value in values.items():
            kind = choose(name, kinds, f"setting of {cls.__name__}")
            written = isinstance(value, dict) and is_dataclass(kind)  # as JSON
            values[name] = kind(**value) if written else plain(value)
        try:
            check(self, **values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"]))
            wants = first["msg"].removeprefix("Input ")
            raise LabError(f"{cls.__name__}.{name} cannot be {first['input']!r}: it {wants}. Change it.") from None

    __init__.__signature__ = getattr(cls, "__signature__", None)
    cls.__init__ = __init__
    return cls


def one_of(options, what):
    """Annotation of a string that is a key of the dict `options`, which may still grow; panels read them from it."""

    def known(name):
        choose(name, options, what)  # which raises LabError
        return name

    return Annotated[str, options, AfterValidator(known)]


def plain(value):
    """A value as settings keep it: tuples for lists, Python's numbers for numpy's."""
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


def as_json(value):
    """A setting as JSON has it: lists for tuples, of settings those that differ from their defaults.

    So a setting that is added later, with a default, changes no run id.
    """
    if isinstance(value, tuple):
        return [as_json(item) for item in value]
    if not is_dataclass(value):
        return value
    usual = defaults(type(value))
    return {name: as_json(getattr(value, name)) for name in usual if getattr(value, name) != usual[name]}


@cache
def defaults(kind):
    """Defaults of the settings of a class, by name."""
    made = {field.name: field.default_factory for field in fields(kind) if callable(field.default_factory)}
    return {field.name: made[field.name]() if field.name in made else field.default for field in fields(kind)}
