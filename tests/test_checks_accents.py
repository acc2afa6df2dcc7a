"""The self-checks of notebook 07: right answers pass, and each planted mistake is named."""

import collections
import math
import re
import runpy
from pathlib import Path

import pandas as pd
import pytest

from labkit.checks.accent_classification import check_floor, check_rioplatense, check_vote

SOLUTIONS = Path(__file__).resolve().parents[1] / "notebooks" / "solutions" / "07_accent_classification.py"
ANSWERS = runpy.run_path(str(SOLUTIONS))
CONSONANT = "ptkbdgfmnlrBDGQRxXhCSZTJN"


def counted(predicted, confidence):
    found = collections.Counter()
    for name, sure in zip(predicted, confidence, strict=True):
        found[name] += sure
    return found.most_common(1)[0][0]


def grouped(predicted, confidence):
    return pd.Series(confidence).groupby(predicted).sum()


VOTES = [ANSWERS["vote"], counted, lambda predicted, confidence: grouped(predicted, confidence).idxmax()]
NO_VOTES = [
    (lambda predicted, confidence: predicted[0], "arabic 0.7"),
    (lambda predicted, confidence: predicted[-1], "english 0.9"),
    (lambda predicted, confidence: predicted[confidence.index(max(confidence))], "add up"),
    (lambda predicted, confidence: predicted[confidence.index(min(confidence))], "add up"),
    (lambda predicted, confidence: collections.Counter(predicted).most_common(1)[0][0], "english 0.9"),
    (lambda predicted, confidence: pd.Series(confidence).groupby(predicted).mean().idxmax(), "add up"),
    (lambda predicted, confidence: grouped(predicted, confidence).idxmin(), "add up"),
    (lambda predicted, confidence: grouped(predicted, confidence).max(), "not a float"),
    (lambda predicted, confidence: grouped(predicted, confidence), "not a Series"),
    (lambda predicted, confidence: [grouped(predicted, confidence).idxmax()], "not a list"),
    (lambda predicted, confidence: confidence.index(max(confidence)), "not a int"),
    (lambda predicted, confidence: None, "not a NoneType"),
    (lambda predicted, confidence: sorted(predicted)[-1], "add up"),
    (lambda predicted, confidence: "english", "no piece said that"),
    (lambda predicted: predicted[0], "TypeError"),
]
FLOORS = [
    ANSWERS["floor"],
    lambda classes: math.log(math.e + classes - 1) - 1,
    lambda classes: math.log1p((classes - 1) / math.e),
]
NO_FLOORS = [
    (lambda classes: 0.0, "after"),
    (lambda classes: math.log(classes), "knows nothing"),
    (lambda classes: math.log(math.e + classes - 1), "Mind the 1"),
    (lambda classes: 1 - math.log(math.e + classes - 1), "Change the sign"),
    (lambda classes: math.e / (math.e + classes - 1), "minus its logarithm"),
    (lambda classes: math.log(math.e + classes) - 1, "classes - 1"),
    (lambda classes: math.log2(math.e + classes - 1) - math.log2(math.e), "bits"),
    (lambda classes: "low", "should be a number"),
    (lambda classes: 7.0, "should be"),
    (lambda classes: 1 / 0, "fails: ZeroDivisionError"),
    (lambda classes: None, "not None"),
    (lambda classes: math.nan, "it should be"),
    (lambda classes: 1.817, "it should be 0.313"),
]


def rioplatense(seseo="s", ll="S", y="S", aspirated=f"s(?= ?[',]*[{CONSONANT}])", by="h", first=False):
    """A function that follows the rules, or others."""

    def say(sounds):
        if first:
            sounds = re.sub(aspirated, by, sounds)
        sounds = sounds.replace("T", seseo).replace("l^", ll).replace("J^", y)
        return sounds if first else re.sub(aspirated, by, sounds)

    return say


def letter_by_letter(sounds):
    sounds = sounds.replace("T", "s").replace("l^", "S").replace("J^", "S")
    said = ""
    for place, sound in enumerate(sounds):
        after = sounds[place + 1 :].lstrip(" ',")[:1]
        said += "h" if sound == "s" and after and after in CONSONANT else sound
    return said


RULES = [ANSWERS["rioplatense"], rioplatense(), letter_by_letter]
NO_RULES = [
    (lambda sounds: sounds, "seseo"),
    (rioplatense(seseo="T"), "seseo"),
    (rioplatense(ll="l^"), "ll as [ʃ]"),
    (rioplatense(y="J^"), "y as [ʃ]"),
    (rioplatense(aspirated="%"), "s is [h] before a consonant"),
    (rioplatense(aspirated="s"), "nowhere else"),
    (rioplatense(aspirated=f"s(?=[',]*[{CONSONANT}])"), "also of the next word"),
    (rioplatense(aspirated="s(?= |$)"), "before a consonant"),
    (rioplatense(aspirated="s( ?)(?=[ktm])", by=r"h\1"), "before a consonant"),
    (rioplatense(first=True), "Last of all"),
    (rioplatense(by=""), "should become"),
    (rioplatense(ll="Z", y="Z"), "should become"),
    (rioplatense(seseo="S"), "should become"),
    (lambda sounds: None, "not a NoneType"),
    (lambda sounds: list(rioplatense()(sounds)), "not a list"),
    (lambda sounds: sounds.sub("T", "s"), "AttributeError"),
]
CHECKS = {
    "vote": (check_vote, VOTES, NO_VOTES),
    "floor": (check_floor, FLOORS, NO_FLOORS),
    "rioplatense": (check_rioplatense, RULES, NO_RULES),
}


@pytest.mark.parametrize(("name", "number"), [(name, n) for name, (_, right, _) in CHECKS.items() for n in range(3)])
def test_right_answers_pass(name, number, capsys):
    check, right, _ = CHECKS[name]
    assert check(right[number]) is right[number], capsys.readouterr().out
    assert capsys.readouterr().out.startswith("Right. ")


@pytest.mark.parametrize(
    ("name", "number"), [(name, n) for name, (*_, wrong) in CHECKS.items() for n in range(len(wrong))]
)
def test_each_planted_mistake_is_named(name, number, capsys):
    check, _, mistakes = CHECKS[name]
    wrong, word = mistakes[number]
    check(wrong)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and word in said, said


@pytest.mark.parametrize("consonant", "ptkfmnlBDQRxS")
def test_an_s_before_each_consonant_that_spanish_has_there_is_tried(consonant, capsys):
    check_rioplatense(rioplatense(aspirated=f"s(?= ?[',]*[{CONSONANT.replace(consonant, '')}])"))
    assert "s is [h] before a consonant" in capsys.readouterr().out


def test_three_right_answers_and_ten_mistakes_are_tried_for_each():
    assert all(len(right) >= 3 and len(wrong) >= 10 for _, right, wrong in CHECKS.values())
