"""The self-checks of 07_accent_classification: several right answers pass, and each usual mistake is named."""

import math

import pytest

from labkit.checks.accent_classification import check_accent, check_cap, check_floor

LOUD = "la l^'uBja en las k'al^es"


@pytest.mark.parametrize(
    "cap",
    [
        lambda clips, most: clips.groupby("speaker").head(most),
        lambda clips, most: clips[clips.groupby("speaker").cumcount() < most],
        lambda clips, most: clips.sample(frac=1, random_state=0).groupby("speaker").head(most),
    ],
)
def test_a_cap_may_be_written_in_several_ways(cap, capsys):
    assert check_cap(cap) and capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(
    "cap, words",
    [
        (lambda clips, most: clips, "ana still has 7 clips"),
        (lambda clips, most: clips.head(most), "keeps 1 with most=3: too few"),
        (lambda clips, most: clips.groupby("speaker").head(most).speaker, "should return rows"),
        (lambda clips, most: clips.groupby("nobody"), "fails: KeyError"),
        (lambda clips, most: clips.assign(path="x"), "not in the table"),
    ],
)
def test_a_wrong_cap_is_told_what_is_wrong(cap, words, capsys):
    assert not check_cap(cap) and words in capsys.readouterr().out


def test_the_floor_may_be_written_in_several_ways():
    assert check_floor(lambda classes: math.log(math.e + classes - 1) - 1)
    assert check_floor(lambda classes: -math.log(math.e / (math.e + classes - 1)))
    assert not check_floor(lambda classes: math.nan)


@pytest.mark.parametrize(
    "floor, words",
    [
        (lambda classes: 0.0, "after"),
        (lambda classes: math.log(classes), "knows nothing"),
        (lambda classes: math.log(math.e + classes - 1), "Mind the 1"),
        (lambda classes: "low", "should be a number"),
        (lambda classes: 7.0, "should be"),
        (lambda classes: 1 / 0, "fails: ZeroDivisionError"),
    ],
)
def test_a_wrong_floor_is_told_what_is_wrong(floor, words, capsys):
    assert not check_floor(floor) and words in capsys.readouterr().out


def test_accents_are_compared_with_their_rules(capsys):
    assert check_accent({"rioplatense": "la S'uBja en lah k'aSes"}, LOUD)
    assert not check_accent({"rioplatense": LOUD}, LOUD)
    assert "sheísmo: ll as [ʃ]" in capsys.readouterr().out
    assert not check_accent({"asturiano": LOUD}, LOUD) and not check_accent({}, LOUD)
