"""Pictures of sweeps say what the numbers say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from labkit import plots

TABLE = pd.DataFrame([[0.25, 0.7712], [0.9, 0.92], [0.3, 0.8]], index=["RNN", "GRU", "RNN bi"], columns=[20, 120])


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_heatmaps_write_each_number_and_name_what_is_across():
    figure = plots.heatmaps({"published": TABLE, "ours": TABLE / 2})
    first, second = figure.axes[:2]
    assert [text.get_text() for text in first.texts] == ["25.0", "77.1", "90.0", "92.0", "30.0", "80.0"]
    assert [text.get_text() for text in second.texts][1] == "38.6"
    assert [label.get_text() for label in first.get_yticklabels()] == list(TABLE.index)
    assert first.get_xlabel() == "window (ms)" and [label.get_text() for label in first.get_xticklabels()] == [
        "20",
        "120",
    ]
    assert len(figure.axes) == 4 and figure.axes[2].get_xlabel() == "accuracy (%)", "each has its own scale"


def test_gradients_are_drawn_over_milliseconds_relative_to_their_largest():
    ax = plots.gradients({"RNN": (torch.tensor([4.0, 0.4, torch.nan]), 20.0), "GRU": (torch.tensor([1.0, 2.0]), 10.0)})
    rnn, gru = ax.lines[:2]
    np.testing.assert_allclose(rnn.get_xdata(), [0, 20])
    np.testing.assert_allclose(rnn.get_ydata(), [1, 0.1])
    np.testing.assert_allclose(gru.get_ydata(), [0.5, 1])
    assert ax.get_yscale() == "log" and "(ms)" in ax.get_xlabel()


def test_a_gradient_that_is_nothing_stays_on_the_axis():
    ax = plots.gradients({"RNN": (torch.tensor([1.0, 0.0]), 20.0)})
    assert ax.lines[0].get_ydata().min() > 0 and ax.get_ylim()[0] == pytest.approx(1e-12)
