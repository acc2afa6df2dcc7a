"""Pictures of sweeps say what the numbers say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from labkit import plots

TABLE = pd.DataFrame(
    {
        "network": ["RNN", "RNN", "GRU"],
        "hop_ms": [40, 10, 10],
        "mean": [0.6, 0.4, 0.9],
        "low": [0.5, 0.3, 0.8],
        "high": [0.7, 0.5, 0.95],
        "seeds": [3, 1, 3],
    }
)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def drawn(ax, name):
    (line,) = [line for line in ax.lines if line.get_label() == name]
    return line


def test_accuracy_against_a_setting_is_a_line_per_name_in_order_and_percent():
    ax = plots.against(TABLE, "hop_ms", "network", chance=0.25)
    rnn = drawn(ax, "RNN")
    np.testing.assert_allclose(rnn.get_xdata(), [10, 40])
    np.testing.assert_allclose(rnn.get_ydata(), [40, 60])
    assert rnn.get_linestyle() == "-" and drawn(ax, "GRU").get_color() != rnn.get_color()
    np.testing.assert_allclose(drawn(ax, "chance: 25%").get_ydata(), [25, 25])
    spans = [segment[:, 1].tolist() for lines in ax.collections for segment in lines.get_segments()]
    np.testing.assert_allclose(sorted(spans), [[30, 50], [50, 70], [80, 95]])


def test_a_mark_of_one_seed_is_hollow_and_those_of_several_are_not():
    ax = plots.against(TABLE, "hop_ms", "network", joined=False)
    assert drawn(ax, "RNN").get_linestyle() == "None"
    assert drawn(ax, "RNN").get_markevery() == [1], "only the one of three seeds has a full mark"
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in hollow] == [(10, 40)]


def test_a_table_without_intervals_is_drawn_without_them():
    ax = plots.against(TABLE[["network", "hop_ms", "mean"]], "hop_ms", "network")
    assert not ax.collections and drawn(ax, "RNN").get_markevery() is None
