"""Settings: what a field takes is checked, and the error names the field."""

import dataclasses
import pickle
from typing import Literal

import numpy as np
import pytest

from labkit.errors import LabError
from labkit.settings import Count, NotNegative, Positive, as_json, one_of, settings

COLOURS = {"red": 1, "green": 2}


@settings
class Inner:
    shift: NotNegative = 0.0


@settings
class Outer:
    rate: Count = 16_000
    seconds: Positive | None = 1.0
    normalise: bool = True
    colour: one_of(COLOURS, "colour") = "red"
    scale: Literal["htk", "slaney"] = "htk"
    labels: tuple[str, ...] | None = None
    pairs: tuple[tuple[str, str], ...] | None = None
    inner: Inner = Inner()


@pytest.mark.parametrize(
    "values, name",
    [
        ({"rate": 0}, "Outer.rate cannot be 0"),
        ({"rate": True}, "Outer.rate cannot be True"),
        ({"rate": "3"}, "Outer.rate"),
        ({"normalise": 1}, "Outer.normalise"),
        ({"seconds": float("nan")}, "Outer.seconds cannot be nan"),
        ({"seconds": -1}, "Outer.seconds"),
        ({"colour": "gren"}, "Did you mean 'green'"),
        ({"scale": "mel"}, "Outer.scale cannot be 'mel'"),
        ({"labels": ["a", 3]}, "Outer.labels"),
        ({"pairs": [["a"]]}, "Outer.pairs"),
        ({"inner": {"shift": -1}}, "Inner.shift cannot be -1"),
        ({"inner": {"shif": 1}}, "Did you mean 'shift'"),
        ({"ratee": 3}, "Did you mean 'rate'"),
    ],
)
def test_a_wrong_setting_is_named(values, name):
    with pytest.raises(LabError) as told:
        Outer(**values)
    assert name in str(told.value) and len(str(told.value)) < 200


def test_too_many_settings_and_a_wrong_change_are_refused():
    with pytest.raises(LabError, match="8 settings"):
        Outer(*range(9))
    with pytest.raises(LabError, match="Outer.rate"):
        dataclasses.replace(Outer(), rate=0)


def test_values_are_kept_as_python_has_them_and_stay_hashable():
    made = Outer(np.int64(8000), 2, labels=["a", "b"], pairs=[["a", "b"]], inner={"shift": 1})
    assert (made.rate, type(made.rate), repr(made.seconds)) == (8000, int, "2.0")
    assert made.labels == ("a", "b") and made.pairs == (("a", "b"),) and made.inner == Inner(1.0)
    assert hash(made) == hash(dataclasses.replace(made)) and pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.rate = 3


def test_only_what_differs_from_the_defaults_is_written():
    assert as_json(Outer()) == {}
    assert as_json(Outer(seconds=2, labels=("a",), inner=Inner(1))) == {
        "seconds": 2.0,
        "labels": ["a"],
        "inner": {"shift": 1.0},
    }
