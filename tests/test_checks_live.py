"""The self-checks of 08_live: several right answers pass, and each usual mistake is named."""

import numpy as np
import pytest

from labkit.checks.live import check_look_ahead, check_running_mean, check_threshold


def with_zeros(block, state):
    past = np.zeros(9) if state is None else state
    values = np.concatenate([past, block])
    means = np.array([values[end - 10 : end].mean() for end in range(10, len(values) + 1)])
    return means, values[len(values) - 9 :]


def with_what_is_there(block, state):
    state, means = list(state or []), []
    for value in block:
        state = [*state, value][-10:]
        means.append(sum(state) / len(state))
    return means, state


@pytest.mark.parametrize("step", [with_zeros, with_what_is_there])
def test_a_running_mean_with_a_state_passes(step, capsys):
    assert check_running_mean(step)
    assert "Right." in capsys.readouterr().out


def forgets(block, state):
    return with_zeros(block, None)


def keeps_too_little(block, state):
    means, kept = with_zeros(block, None if state is None else np.concatenate([np.zeros(1), state]))
    return means, kept[1:]


@pytest.mark.parametrize(
    "step, words",
    [
        (forgets, "in one block the means are right"),
        (keeps_too_little, "What does the next block need"),
        (lambda block, state: (np.full(len(block), block.mean()), None), "one mean of everything"),
        (lambda block, state: (block, None), "already in one block"),
        (lambda block, state: (block.mean(), None), "not the shape ()"),
        (lambda block, state: block, "step on a block of 60 values fails: ValueError"),
    ],
)
def test_wrong_running_means_are_told_what_is_wrong(step, words, capsys):
    assert not check_running_mean(step)
    assert words in capsys.readouterr().out


def right_look_ahead(feature):
    return (feature.window / 2 + feature.deltas * (feature.delta_width // 2) * feature.hop) / feature.sample_rate


def test_the_right_look_ahead_passes():
    assert check_look_ahead(right_look_ahead)


@pytest.mark.parametrize(
    "look_ahead, words",
    [
        (lambda feature: feature.window / feature.sample_rate, "Only half of it"),
        (lambda feature: feature.window / 2 / feature.sample_rate, "delta_width // 2"),
        (lambda feature: 1000 * right_look_ahead(feature), "give seconds"),
        (lambda feature: right_look_ahead(feature) * feature.sample_rate, "give seconds"),
        (lambda feature: 7.0, "must wait"),
        (lambda feature: None, "should be a number, not None"),
        (lambda feature: feature.nothing, "AttributeError"),
    ],
)
def test_wrong_look_aheads_are_told_what_is_wrong(look_ahead, words, capsys):
    assert not check_look_ahead(look_ahead)
    assert words in capsys.readouterr().out


def right_choice(table):
    return table[table.false_alarms_per_hour <= 4].sort_values("hits").threshold.iloc[-1]


def test_the_right_threshold_passes_whichever_way_it_was_found():
    assert check_threshold(right_choice)
    assert check_threshold(lambda t: t.threshold[t.hits.where(t.false_alarms_per_hour <= 4).idxmax()])


@pytest.mark.parametrize(
    "choose, words",
    [
        (lambda table: table.threshold[table.hits.idxmax()], "false alarms an hour; 4 are allowed"),
        (lambda table: table.threshold.max(), "another one finds more words"),
        (lambda table: 0.777, "not among the thresholds"),
        (lambda table: table.threshold, "choose(table) fails: ValueError"),
    ],
)
def test_wrong_choices_are_told_what_is_wrong(choose, words, capsys):
    assert not check_threshold(choose)
    assert words in capsys.readouterr().out
