"""The benchmark of cells: every side does a whole training step, and all columns are there."""

import pytest
import torch
from torch import nn

from tools.bench import BENCHES, cells

SMALL = (4, 3, 5)  # batch, frames, features


def test_it_is_a_benchmark_by_name():
    assert "cells" in BENCHES


@pytest.fixture(scope="module")
def rows():
    return cells.measure(6, 2, cells=("lstm_cell", "coupled"), size=SMALL)


def test_each_side_has_a_row_with_all_columns(rows):
    assert [row["name"] for row in rows] == ["nn.LSTM", "nn.GRU", "lstm_cell", "coupled"]
    for row in rows:
        low, high = row["range"]
        assert low <= row["ratio"] <= high and row["seconds"] > 0 and row["memory"] > 0
    assert rows[0]["ratio"] == rows[0]["memory"] == 1


def test_a_step_trains():
    layer = nn.LSTM(5, 6, batch_first=True)
    step = cells.training_step(layer, size=SMALL)
    before = [parameter.clone() for parameter in layer.parameters()]
    step()
    assert all((a != b).any() for a, b in zip(before, layer.parameters(), strict=True))


def test_peak_memory_is_the_largest_sum_at_one_time():
    def step():
        for _ in range(3):  # one after the other, so they count once
            torch.empty(1 << 20).fill_(0)

    two = cells.peak_memory(lambda: [torch.empty(1 << 20) for _ in range(2)])
    assert 4 << 20 <= cells.peak_memory(step) < 6 << 20 and 8 << 20 <= two < 10 << 20


def test_a_step_of_a_cell_needs_no_more_memory_than_one_and_a_half_of_torchs():
    peaks = {}
    for name, layer in {"torch": nn.LSTM(13, 60, batch_first=True), "own": cells.CellLayer("peephole", 13, 60)}.items():
        step = cells.training_step(layer, size=(32, 20, 13))
        step()
        peaks[name] = cells.peak_memory(step)
    assert peaks["own"] <= 1.5 * peaks["torch"]
