"""The diagrams of the cells are there, and their equations are those of the code."""

import pytest
from matplotlib import pyplot as plt
from matplotlib.image import imread

from labkit.files import home
from labkit.models.lstm_cells import CELLS
from tools.draw_cells import EQUATIONS, draw


@pytest.mark.parametrize("name", ["lstm_cell", "peephole_full", "coupled", "no_forget", "no_input", "no_output"])
def test_each_cell_of_the_study_has_its_diagram(name):
    picture = imread(home() / "figures" / f"cell_{name}.png")
    assert picture.ndim == 3 and min(picture.shape[:2]) > 200 and picture.std() > 0.05


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_diagram_has_the_gates_of_its_cell(name):
    figure = draw(name)
    try:
        drawn = {text.get_text() for text in figure.axes[0].texts}
        assert {f"${gate}$" for gate in CELLS[name].gates} == {f"${gate}$" for gate in "figo"} & drawn
        written = {line[1] for line in EQUATIONS[name]} & set("fiog")
        assert written == set(CELLS[name].gates) | ({"i"} if name == "coupled" else set())
    finally:
        plt.close(figure)
