"""Intervals hold the truth as often as they say: over speakers and over seeds, of an accuracy and of a difference."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labkit.errors import LabError
from labkit.metrics import by_chance, interval, metrics_of, percent, verdict
from tools import coverage


def table(right, speakers, label="yes"):
    """Predictions with so many right answers, clip by clip."""
    columns = {"path": [f"{number:04}.wav" for number in range(len(right))], "speaker": speakers, "label": label}
    return pd.DataFrame(columns).assign(predicted=np.where(right, label, "-"))


def seeds_of(clips, side, label="yes"):
    """The predictions of simulated networks, a table per seed: `side` (seeds, speakers) are right answers."""
    speakers = np.repeat([f"s{number}" for number in range(len(clips))], clips)
    place = np.concatenate([np.arange(number) for number in clips])
    return [table(place < np.repeat(right, clips), speakers, label) for right in side]


def simulated(accuracy=0.9, speakers=24, seeds=(3, 3), seed=0):
    """The tables of two equal configurations, as lists."""
    clips, sides = coverage.simulate(accuracy, speakers, seeds, 1, rng=np.random.default_rng(seed))
    return [seeds_of(clips[0, 0], side[0]) for side in sides]


# Coverage


@pytest.fixture(scope="module")
def simulation():
    return coverage.rows(draws=3000)


@pytest.mark.slow
def test_intervals_hold_the_truth_in_at_least_93_of_100_cases(simulation):
    assert len(simulation) == 27 and {(row["seeds"], row["speakers"]) for row in simulation} >= {(3, 6), (10, 126)}
    for row in simulation:
        most = 0.995 if row["speakers"] == 6 else 0.985  # with six of them an interval is wide, and still
        assert 0.93 <= row["coverage"] <= most, row


@pytest.mark.slow
def test_at_most_seven_of_100_comparisons_of_equals_show_a_difference(simulation):
    for row in simulation:
        assert row["false alarms"] <= 0.07, row


@pytest.mark.slow
def test_more_speakers_and_more_seeds_make_intervals_narrower(simulation):
    widths = {(row["accuracy"], row["seeds"], row["speakers"]): row["width"] for row in simulation}
    for accuracy in coverage.ACCURACIES:
        assert widths[accuracy, 3, 6] > widths[accuracy, 3, 24] > widths[accuracy, 3, 126] > widths[accuracy, 10, 126]


@pytest.mark.parametrize("seed_std", [0.0, 0.3])
def test_it_holds_where_seeds_are_alike_and_where_they_are_not(seed_std):
    for speakers in (6, 126):
        row = coverage.row(0.9, speakers, 3, 3000, seed_std)
        assert row["coverage"] >= 0.93 and row["false alarms"] <= 0.07, row


def test_without_the_seeds_differences_would_be_seen_that_are_not_there():
    clips, sides = coverage.simulate(0.9, 126, (3, 3), 2000, seed_std=0.3)
    means = [side.mean(1, keepdims=True) for side in sides]  # as if the mean over seeds were one network
    _, low, high = coverage.ends(clips, means)
    assert ((low > 0) | (high < 0)).mean() > 0.3


def test_one_seed_carries_the_speakers():
    for speakers in (24, 126):
        clips, sides = coverage.simulate(0.9, speakers, (1,), 3000, seed_std=0.0)
        _, low, high = coverage.ends(clips, sides)
        assert 0.93 <= ((low <= 0.9) & (high >= 0.9)).mean() <= 0.97


def test_the_simulation_is_of_the_function_that_the_lab_uses():
    clips, sides = coverage.simulate(0.9, 24, (3, 5), 4)
    one, difference = coverage.ends(clips, sides[:1]), coverage.ends(clips, sides)
    for draw in range(4):
        tables, others = (seeds_of(clips[draw, 0], side[draw]) for side in sides)
        for found, known in ((interval(tables), one), (interval(tables, others), difference)):
            assert [found[key] for key in ("mean", "low", "high")] == pytest.approx([end[draw] for end in known])


RESULTS = (Path(__file__).parents[1] / "docs" / "RESULTS.md").read_text(encoding="utf-8")


def test_the_table_that_is_shown_is_that_of_the_simulation():
    (shown,) = re.findall(r"<!-- coverage -->\n(.*?)<!-- end of coverage -->", RESULTS, re.DOTALL)
    shown = [[float(cell.strip(" %")) for cell in line.strip("|").split("|")] for line in shown.split("\n")[3:-2]]
    assert len(shown) == 27 and all(row[3] >= 93 and row[5] <= 7 for row in shown)
    for accuracy, seeds, speakers, *figures in shown:
        if speakers == 6:  # the quick ones
            row = coverage.row(accuracy / 100, int(speakers), int(seeds), 4000)
            found = [100 * row[key] for key in ("coverage", "width", "false alarms", "width of difference")]
            assert figures == pytest.approx(found, abs=0.2)


def test_balanced_accuracy_of_rare_classes_is_covered():
    rng = np.random.default_rng(0)
    labels = np.repeat([f"word {number}" for number in range(10)], [40, 40, 40, 40, 2, 2, 2, 1, 1, 1])
    chance = np.repeat(rng.uniform(0.4, 0.95, 10), [40, 40, 40, 40, 2, 2, 2, 1, 1, 1])
    people = np.array([f"s{number}" for number in range(24)])
    truth, hits = np.mean([chance[labels == label][0] for label in np.unique(labels)]), 0
    for _ in range(150):
        speakers = rng.choice(people, len(labels))
        tables = [table(rng.random(len(labels)) < chance, speakers, labels) for _ in range(3)]
        found = interval(tables, metric="balanced_accuracy")
        hits += found["low"] <= truth <= found["high"]
    assert hits >= 0.93 * 150


# What an interval is


def test_of_equal_speakers_and_one_seed_it_is_students():
    from scipy.special import expit, logit
    from scipy.stats import t

    right = [8, 6, 9, 7, 4]
    found = interval(seeds_of([10] * 5, [right]))
    mean, error = np.mean(right) / 10, np.std(right, ddof=1) / 10 / 5**0.5
    half = t.ppf(0.975, 4) * error / (mean * (1 - mean))
    assert found["mean"] == pytest.approx(mean) and (found["speakers"], found["seeds"]) == (5, 1)
    assert [found["low"], found["high"]] == pytest.approx(expit(logit(mean) + np.array([-half, half])))
    other = [5, 6, 7, 7, 6]
    found = interval(seeds_of([10] * 5, [right]), seeds_of([10] * 5, [other]))
    apart = (np.array(right) - other) / 10
    half = t.ppf(0.975, 4) * apart.std(ddof=1) / 5**0.5
    assert [found["low"], found["high"]] == pytest.approx([apart.mean() - half, apart.mean() + half])


def test_an_interval_says_over_what_it_runs():
    tables, _ = simulated()
    found = interval(tables)
    accuracies = [(one.label == one.predicted).mean() for one in tables]
    assert found["mean"] == pytest.approx(np.mean(accuracies)) and found["low"] < found["mean"] < found["high"]
    assert found["speakers"] == 24 and found["seeds"] == 3 and all(type(found[key]) is float for key in ("low", "high"))
    narrow = interval(tables, level=0.5)
    assert found["low"] < narrow["low"] < narrow["high"] < found["high"]


def test_single_seeds_of_3_14_and_19_points_are_no_sure_12():
    clips = np.full(126, 20)
    rng = np.random.default_rng(0)
    base = [rng.binomial(clips, 0.70) for _ in range(3)]
    other = [rng.binomial(clips, 0.70 + points / 100) for points in (3, 14, 19)]
    found = interval(seeds_of(clips, other), seeds_of(clips, base))
    assert found["mean"] == pytest.approx(0.12, abs=0.01) and found["low"] < 0
    assert verdict(found).endswith("over 126 speakers and 3 seeds: no difference shown.")


def test_people_with_more_clips_weigh_more_as_they_do_in_accuracy():
    found = interval([table([True] * 90 + [False] * 10, ["a"] * 90 + ["b"] * 10)])
    assert found["mean"] == pytest.approx(0.9) and found["low"] < 0.01 and found["high"] > 0.99


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong_leaves_doubt_about_other_people(right):
    found = interval([table([right] * 8, list("aabbccdd"))] * 3)
    doubt = 1 - 0.05 ** (1 / 4)  # if more than these were otherwise, four alike would be met once in twenty times
    known = (1, 1 - doubt, 1) if right else (0, 0, doubt)
    assert (found["mean"], found["low"], found["high"]) == pytest.approx(known)
    sure = interval([table([right] * 1000, np.repeat(np.arange(500), 2).astype(str))])
    assert sure["high"] - sure["low"] == pytest.approx(3 / 500, rel=0.01), "the rule of three"


def test_two_networks_with_the_same_answers_are_not_surely_equal():
    tables, _ = simulated()
    found = interval(tables[:1], tables[:1])
    assert found["mean"] == 0 and found["low"] == pytest.approx(-found["high"]) and found["high"] > 0.05


def test_the_order_of_the_rows_plays_no_role():
    tables, others = simulated()
    mixed = [one.sample(frac=1, random_state=0) for one in tables]
    assert interval(mixed) == interval(tables) and interval(mixed, others) == interval(tables, others)


def test_a_paired_comparison_sees_what_two_intervals_do_not():
    clips = np.full(60, 8)
    rng = np.random.default_rng(3)
    base = [rng.binomial(clips, np.clip(rng.normal(0.75, 0.18, 60), 0, 1))]
    better = [base[0] + rng.binomial(clips - base[0], 0.25)]
    sides = [seeds_of(clips, side) for side in (better, base)]
    alone = [interval(side) for side in sides]
    assert alone[1]["high"] > alone[0]["low"], "the two intervals overlap"
    difference, opposite = interval(*sides), interval(*sides[::-1])
    assert difference["low"] > 0 and difference["mean"] == pytest.approx(alone[0]["mean"] - alone[1]["mean"])
    assert [opposite["low"], opposite["mean"]] == pytest.approx([-difference["high"], -difference["mean"]])


def test_seeds_are_paired_only_where_both_sides_are_the_same_networks():
    clips, rng = np.full(24, 20), np.random.default_rng(0)
    before = [rng.binomial(clips, chance) for chance in (0.6, 0.75, 0.9)]
    after = [np.maximum(right - rng.integers(0, 3, 24), 0) for right in before]
    sides = seeds_of(clips, after), seeds_of(clips, before)
    apart, paired = interval(*sides), interval(*sides, same_networks=True)
    assert apart["mean"] == pytest.approx(paired["mean"]) and paired["seeds"] == 3
    assert apart["low"] < 0 < apart["high"] and paired["high"] < 0


def test_balanced_accuracy_is_the_mean_over_classes():
    rng = np.random.default_rng(0)
    labels = np.repeat(["no", "yes", "up"], [300, 60, 12])
    speakers = rng.permutation(np.resize([f"s{number}" for number in range(24)], len(labels)))
    chance = pd.Series(labels).map({"no": 0.95, "yes": 0.7, "up": 0.4}).to_numpy()
    tables = [table(rng.random(len(labels)) < chance, speakers, labels) for _ in range(3)]
    found, plain = interval(tables, metric="balanced_accuracy"), interval(tables)
    known = [metrics_of(one, ["no", "yes", "up"])["balanced_accuracy"] for one in tables]
    assert found["mean"] == pytest.approx(np.mean(known)) and found["metric"] == "balanced_accuracy"
    assert found["high"] - found["low"] > 2 * (plain["high"] - plain["low"]), "twelve clips decide a third of it"
    rows = [one.assign(predicted=one.label.where(one.label == "no", "-")) for one in tables]
    assert interval(tables, rows, metric="balanced_accuracy")["mean"] == pytest.approx(np.mean(known) - 1 / 3)


def test_sides_tested_on_different_clips_are_not_compared():
    (one, *_), _ = simulated()
    with pytest.raises(LabError, match="The two sides were tested on different clips. Test both"):
        interval([one], [one[1:]])
    with pytest.raises(LabError, match="The seeds were tested on different clips. Use the same split"):
        interval([one, one.assign(path="x" + one.path)])


# Sentences


def test_of_one_speaker_there_is_a_mean_and_no_interval():
    one = simulated()[0][0].assign(speaker="ana")
    found = interval([one])
    assert found["mean"] == pytest.approx((one.label == one.predicted).mean())
    assert (found["speakers"], found["seeds"]) == (1, 1) and np.isnan(found["low"]) and np.isnan(found["high"])
    assert percent(found).endswith("% [one speaker: no interval; one seed]")
    difference = interval([one.assign(predicted=one.label)], [one.assign(predicted="-")])
    assert verdict(difference, "GRU", "LSTM").startswith("GRU minus LSTM: +100.0 points for one speaker: no difference")


def test_percent_says_what_it_is_of():
    found = {"mean": 0.9, "low": 0.85, "high": 0.95}
    assert percent(found) == "90.0% [85.0, 95.0]" == percent(found | {"metric": "accuracy", "seeds": 3})
    assert percent(found | {"metric": "balanced_accuracy", "seeds": 1}) == "90.0% balanced [85.0, 95.0; one seed]"


@pytest.mark.parametrize(
    ("low", "mean", "high", "words"),
    [
        (0.01, 0.02, 0.03, "GRU minus LSTM: +2.0 points [+1.0, +3.0] over 12 speakers and 3 seeds: GRU is ahead."),
        (-0.03, -0.02, -0.01, "GRU minus LSTM: -2.0 points [-3.0, -1.0] over 12 speakers and 3 seeds: LSTM is ahead."),
        (
            -0.01,
            0.02,
            0.05,
            "GRU minus LSTM: +2.0 points [-1.0, +5.0] over 12 speakers and 3 seeds: no difference shown.",
        ),
        (0, 0.02, 0.05, "GRU minus LSTM: +2.0 points [+0.0, +5.0] over 12 speakers and 3 seeds: no difference shown."),
    ],
)
def test_a_verdict_names_a_winner_only_where_the_interval_excludes_zero(low, mean, high, words):
    found = {"low": low, "mean": mean, "high": high, "speakers": 12, "seeds": 3}
    assert verdict(found, "GRU", "LSTM") == words


def test_one_seed_is_never_ahead():
    found = {"low": 0.01, "mean": 0.02, "high": 0.03, "speakers": 12, "seeds": 1, "metric": "balanced_accuracy"}
    unknown = "how much another seed would change is not known."
    over = "points of balanced accuracy [+1.0, +3.0] over 12 speakers and one seed"
    assert verdict(found, "GRU", "LSTM") == f"GRU minus LSTM: +2.0 {over}: GRU does better with this one; {unknown}"
    assert verdict(found | {"low": -0.01}).endswith(f"and one seed: no difference shown; {unknown}")


def test_few_speakers_are_called_few():
    found = {"low": 0.01, "mean": 0.02, "high": 0.03, "speakers": 9, "seeds": 3}
    assert "over 9 speakers (too few to say much about others) and 3 seeds: the first is ahead." in verdict(found)
    assert "few" not in verdict(found | {"speakers": 10})


def test_many_comparisons_show_some_differences_by_chance():
    assert by_chance(11) == "Of 11 comparisons about 0.6 would look like a difference by chance alone."
    assert by_chance(40).startswith("Of 40 comparisons about 2.0 would")
