"""Scores are scikit-learn's; the one that comes first fits the classes."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as theirs

from labkit.errors import LabError
from labkit.metrics import absent, confusion, headline, in_percent, metrics_of


def answers(true, predicted):
    return pd.DataFrame({"label": list(true), "predicted": list(predicted)})


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    for classes in (2, 4, 9):
        labels = [f"word {number}" for number in range(classes)]
        true = np.r_[np.arange(classes), rng.integers(0, classes, 200) // rng.integers(1, 3, 200)]
        predicted = np.where(rng.random(len(true)) < 0.6, true, rng.integers(0, classes, len(true)))
        found = metrics_of(answers(np.array(labels)[true], np.array(labels)[predicted]), labels, majority="word 1")
        assert found == {
            "clips": len(true),
            "accuracy": pytest.approx(theirs.accuracy_score(true, predicted)),
            "balanced_accuracy": pytest.approx(theirs.balanced_accuracy_score(true, predicted)),
            "macro_f1": pytest.approx(theirs.f1_score(true, predicted, average="macro")),
            "classes_present": classes,
            "chance": 1 / classes,
            "majority": pytest.approx((true == 1).mean()),
        }


def test_scores_of_an_example_by_hand():
    found = metrics_of(answers("aaabbc", "aabbac"), ["a", "b", "c"], majority="a")
    assert found["accuracy"] == 4 / 6 and found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3) and found["majority"] == 0.5


def test_classes_that_are_absent_are_not_counted_as_failures():
    found = metrics_of(answers("aacc", "abcc"), ["a", "b", "c", "d"])
    assert found["classes_present"] == 2 and found["chance"] == 0.25 and found["majority"] is None
    assert found["balanced_accuracy"] == 0.75 and found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert metrics_of(answers("d", "d"), ["a", "b", "c", "d"])["balanced_accuracy"] == 1


def test_scores_can_be_written_as_json():
    found = metrics_of(answers("ab", "aa"), ["a", "b"], "b")
    assert all(type(value) in (int, float) for value in found.values())


def test_no_clips_no_score():
    with pytest.raises(LabError, match="no clips to score. Choose a part"):
        metrics_of(answers("", ""), ["a"])


def test_confusion_counts_clips_and_keeps_classes_nobody_said():
    predictions = pd.DataFrame({"label": list("aaabb"), "predicted": list("aabbc")})
    found = confusion(predictions, ["c", "b", "a", "d"])
    assert found.values.tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]]
    assert list(found.index) == list(found.columns) == ["c", "b", "a", "d"] and found.values.dtype.kind == "i"
    expected = theirs.confusion_matrix(predictions.label, predictions.predicted, labels=["c", "b", "a", "d"])
    assert (found.values == expected).all()


def test_confusion_of_several_runs_counts_each_row():
    """Rows of concatenated tables have the same numbers twice; pandas 2 cannot cross such columns."""
    one = pd.DataFrame({"label": ["a", "b"], "predicted": ["a", "a"]})
    assert (confusion(pd.concat([one, one]), ["a", "b"]).to_numpy() == [[2, 0], [2, 0]]).all()


def test_balanced_accuracy_comes_first_where_the_majority_is_above_one_and_a_half_times_chance():
    even = {"accuracy": 0.9, "balanced_accuracy": 0.5, "chance": 0.25, "majority": 0.375}
    assert headline(even) == "accuracy" and in_percent(even) == "accuracy 90.0%"
    uneven = even | {"majority": 0.376}
    assert headline(uneven) == "balanced_accuracy"
    assert in_percent(uneven) == "balanced accuracy 50.0% (accuracy 90.0%)"
    assert headline(even | {"majority": None}) == "accuracy", "nobody knows what is frequent in training"


def test_classes_without_clips_are_named():
    predictions = answers("aac", "abc")
    assert absent(predictions, ["a", "b", "c", "d"]) == "; no clips of b, d"
    assert absent(predictions, ["a", "c"]) == ""
    assert absent(predictions, list("abcdefghijkl")) == "; no clips of b, d, e, f, g, h, i, j and 2 more"
