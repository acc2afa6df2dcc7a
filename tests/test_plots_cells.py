"""Gates over time, as a network computes them; the diagrams of the cells are there."""

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from labkit.files import home
from labkit.models.cell_layer import CellLayer
from labkit.plots import over_time


@pytest.mark.parametrize("name", ["lstm_cell", "peephole_full", "coupled", "no_forget", "no_input", "no_output"])
def test_each_cell_of_the_study_has_its_diagram(name):
    picture = imread(home() / "figures" / f"cell_{name}.png")
    assert picture.ndim == 3 and min(picture.shape[:2]) > 200 and picture.std() > 0.05


def test_what_gates_do_is_drawn_under_the_sound():
    torch.manual_seed(0)
    layer = CellLayer("coupled", 5, 8)
    x = torch.randn(20, 5)
    quantities = layer.quantities(x)
    assert list(quantities) == ["f", "o", "c", "h"] and all(values.shape == (20, 8) for values in quantities.values())
    outputs, (_, c) = layer(x[None])
    torch.testing.assert_close(quantities["h"], outputs[0])
    torch.testing.assert_close(quantities["c"][-1], c[0])
    samples = np.sin(np.arange(8000) / 10).astype("float32")
    figure = over_time(samples, 16_000, quantities, np.arange(20) * 0.025)
    labels = [ax.get_ylabel().split("\n")[0] for ax in figure.axes if ax.get_ylabel()]
    assert labels[-3:] == ["f", "o", "c"] and figure.axes[4].get_xlabel() == "time (s)"
