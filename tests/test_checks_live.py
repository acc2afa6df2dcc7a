"""The self-checks of 08_live: several right answers pass, and each usual mistake is named."""

import math

import numpy as np
import pytest

from labkit.checks.live import check_at_most, check_running_mean, check_threshold


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


def by_convolution(block, state):
    past = np.zeros(9) if state is None else state
    values = np.append(past, block)
    return np.convolve(values, np.ones(10) / 10, "valid")[: len(block)], values[-9:]


@pytest.mark.parametrize("step", [with_zeros, with_what_is_there, by_convolution])
def test_a_running_mean_with_a_state_passes(step, capsys):
    assert check_running_mean(step) is step
    assert "Right." in capsys.readouterr().out


def forgets(block, state):
    return with_zeros(block, None)


def keeps_too_little(block, state):
    means, kept = with_zeros(block, None if state is None else np.concatenate([np.zeros(1), state]))
    return means, kept[1:]


def keeps_the_block(block, state):
    return with_zeros(block, None if state is None else np.resize(state, 9))[0], block


def keeps_the_beginning(block, state):
    means, _ = with_zeros(block, state)
    return means, np.concatenate([np.zeros(9) if state is None else state, block])[:9]


def window_of_nine(block, state):
    past = np.zeros(8) if state is None else state
    values = np.concatenate([past, block])
    return np.convolve(values, np.ones(9) / 9, "valid"), values[len(values) - 8 :]


@pytest.mark.parametrize(
    "step, words",
    [
        (forgets, "in one block the means are right"),
        (keeps_too_little, "What does the next block need"),
        (keeps_the_block, "What does the next block need"),
        (keeps_the_beginning, "What does the next block need"),
        (window_of_nine, "already in one block"),
        (lambda block, state: (np.full(len(block), block.mean()), None), "one mean of everything"),
        (lambda block, state: (block, None), "already in one block"),
        (lambda block, state: (np.cumsum(block), None), "already in one block"),
        (lambda block, state: (block.mean(), None), "not the shape ()"),
        (lambda block, state: block, "step on a block of 60 values fails: ValueError"),
    ],
)
def test_wrong_running_means_are_told_what_is_wrong(step, words, capsys):
    check_running_mean(step)
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    "at_most", [lambda h: -math.log(0.05) / h, lambda h: 3 / h, lambda h: math.log(20) / h, lambda h: 2.9957 / h]
)
def test_a_right_bound_passes(at_most, capsys):
    assert check_at_most(at_most) is at_most
    assert "Right." in capsys.readouterr().out


@pytest.mark.parametrize(
    "at_most, words",
    [
        (lambda h: 0.0, "often silent in it"),
        (lambda h: 1 / h, "37 of 100"),
        (lambda h: 3.0, "Divide by its hours"),
        (lambda h: -math.log(0.05) * h, "Divide by the hours"),
        (lambda h: -math.log(0.95) / h, "it should be 5"),
        (lambda h: -math.log10(0.05) / h, "natural one"),
        (lambda h: math.log(0.05) / h, "mind the sign"),
        (lambda h: 0.05 / h, "solve exp"),
        (lambda h: 0.95 / h, "Solve exp"),
        (lambda h: math.log(40) / h, "two-sided"),
        (lambda h: 3 / h / 60, "not a minute"),
        (lambda h: 3 / h / 3600, "per second"),
        (lambda h: None, "should be a number, not None"),
        (lambda h: h.nothing, "AttributeError"),
        (lambda h: 17.0, "is the rate that is meant"),
    ],
)
def test_wrong_bounds_are_told_what_is_wrong(at_most, words, capsys):
    check_at_most(at_most)
    assert words in capsys.readouterr().out


def right_choice(table):
    return table[table.false_alarms_per_hour <= 2].sort_values("hits").threshold.iloc[-1]


def by_loop(table):
    best = None
    for row in table.itertuples():
        if row.false_alarms_per_hour <= 2 and (best is None or row.hits > best.hits):
            best = row
    return best.threshold


@pytest.mark.parametrize(
    "choose", [right_choice, by_loop, lambda t: t.threshold[t.hits.where(t.false_alarms_per_hour <= 2).idxmax()]]
)
def test_the_right_threshold_passes_whichever_way_it_was_found(choose, capsys):
    assert check_threshold(choose) is choose
    assert "Right." in capsys.readouterr().out


@pytest.mark.parametrize(
    "choose, words",
    [
        (lambda table: table.threshold[table.hits.idxmax()], "false alarms an hour; 2 are allowed"),
        (lambda table: table.threshold[table.false_alarms_per_hour.idxmax()], "false alarms an hour; 2 are allowed"),
        (lambda table: table.threshold.min(), "false alarms an hour; 2 are allowed"),
        (lambda table: table.threshold[(table.false_alarms_per_hour - 10).abs().idxmin()], "2 are allowed"),
        (lambda table: table.threshold.max(), "another one finds more words"),
        (lambda table: table.threshold[table.false_alarms_per_hour.idxmin()], "another one finds more words"),
        (lambda table: 0.777, "not among the thresholds"),
        (lambda table: table.hits.max(), "not among the thresholds"),
        (lambda table: table.threshold, "choose(table) fails: ValueError"),
        (lambda table: None, "should be a number, not None"),
    ],
)
def test_wrong_choices_are_told_what_is_wrong(choose, words, capsys):
    check_threshold(choose)
    assert words in capsys.readouterr().out
