"""Pictures of cells: wired as the equations say, and over time as a network computes them."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from labkit.models.cell_layer import CellLayer
from labkit.models.lstm_cells import CELLS, Cell
from labkit.plots import cell_diagram, cell_sheet, over_time
from labkit.plots.cell_states import places, wiring


def parents(cell, name):
    """Texts of the boxes that the quantity `name` is made of."""
    boxes, names, _ = wiring(cell)
    number = next(number for number, found in names.items() if found == name)
    return [boxes[parent].text for parent in boxes[number].parents]


def test_wires_follow_the_equations():
    boxes, names, results = wiring(CELLS["lstm_cell"])
    assert [box.text for box in boxes.values() if box.kind == "input"] == ["i", "f", "g", "o", "c"]
    assert parents(CELLS["lstm_cell"], "f") == ["f"] and parents(CELLS["lstm_cell"], "c") == ["×", "×"]
    assert names[results["h"]] == "h" and boxes[results["h"]].text == "×"
    assert sorted(box.text for box in wiring(CELLS["coupled"]).boxes.values()).count("1 −") == 1
    assert {"p_i ×", "p_f ×", "p_o ×"} <= {box.text for box in wiring(CELLS["peephole"]).boxes.values()}
    assert {"· p_i", "· p_f", "· p_o"} <= {box.text for box in wiring(CELLS["peephole_full"]).boxes.values()}


@pytest.mark.parametrize("name", ["lstm_cell", "peephole", "peephole_full", "coupled", "no_forget", "no_output"])
def test_no_box_lies_on_another_and_all_lead_to_the_right(name):
    boxes, _, results = wiring(CELLS[name])
    place = places(boxes, results)
    assert len(set(place.values())) == len(boxes)
    for number, box in boxes.items():
        assert all(place[parent][0] < place[number][0] for parent in box.parents)
    for a in boxes:
        for b in boxes:
            same_column = a < b and place[a][0] == place[b][0]
            assert not same_column or abs(place[a][1] - place[b][1]) > 0.7


def test_any_cell_can_be_drawn():
    def odd(pre, state, params):
        c = torch.relu(pre.g) - 0.5 * state.h / 2 + params.p
        return c, c

    ax = cell_diagram(Cell("odd", "g", odd, {"p": "vector"}))
    texts = [text.get_text() for text in ax.texts]
    assert {"relu", "h", "0.5 ×", "/ 2", "+ p", "new h", "new c"} <= set(texts)


def test_a_sheet_holds_each_cell_with_its_equations():
    figure = cell_sheet([CELLS["coupled"], CELLS["no_input"], CELLS["no_output"]])
    assert isinstance(figure, Figure)
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "\n".join(CELLS["coupled"].equations) in words
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")] == [
        *("coupled", "no_input", "no_output")
    ]


def test_what_gates_do_is_drawn_under_the_sound():
    torch.manual_seed(0)
    layer = CellLayer("coupled", 5, 8)
    x = torch.randn(20, 5)
    quantities = layer.quantities(x)
    assert list(quantities) == ["f", "o", "c", "h"] and all(values.shape == (20, 8) for values in quantities.values())
    outputs, (_, c) = layer(x)
    torch.testing.assert_close(quantities["h"], outputs)
    torch.testing.assert_close(quantities["c"][-1], c[0])
    samples = np.sin(np.arange(8000) / 10).astype("float32")
    figure = over_time(samples, 16_000, quantities, np.arange(20) * 0.025)
    labels = [ax.get_ylabel().split("\n")[0] for ax in figure.axes if ax.get_ylabel()]
    assert labels[-3:] == ["f", "o", "c"] and figure.axes[4].get_xlabel() == "time (s)"
