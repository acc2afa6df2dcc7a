"""The benchmark of cells: every side does a whole training step, and all columns are there."""

import math

import pytest
import torch
from torch import nn

from labkit.errors import LabError
from tools.bench import BENCHES, cells

SMALL = (4, 3, 5)  # batch, frames, features


def test_it_is_a_benchmark_by_name():
    assert "cells" in BENCHES


@pytest.fixture(scope="module")
def rows():
    return cells.measure(6, 2, cells=("lstm_cell", "coupled"), size=SMALL)


def test_each_side_has_a_row_with_all_columns(rows):
    names = [row["name"] for row in rows]
    assert names[:3] == ["nn.LSTM as installed", "nn.LSTM", "nn.GRU"]
    assert names[3:] == ["lstm_cell, fast", "lstm_cell, plain", "coupled, fast", "coupled, plain"]
    for row in rows:
        low, high = row["range"]
        assert low <= row["ratio"] <= high and row["seconds"] > 0 and row["floor"] > 0 and row["memory"] > 0
        assert len(cells.in_a_line(row)) == len(cells.HEAD)
    own = rows[1]
    assert own["ratio"] == own["memory"] == 1 and math.isnan(rows[0]["first"]) and own["first"] > 0


def test_a_step_trains():
    layers = []

    def kept(*sizes, **options):
        layers.append(nn.LSTM(*sizes, **options))
        return layers[0]

    step = cells.training_step(kept, 6, size=SMALL)
    before = [parameter.clone() for parameter in layers[0].parameters()]
    step()
    assert all((a != b).any() for a, b in zip(before, layers[0].parameters(), strict=True))


def test_peak_memory_is_the_largest_sum_at_one_time():
    def step():
        for _ in range(3):  # one after the other, so they count once
            torch.empty(1 << 20).fill_(0)

    two = cells.peak_memory(lambda: [torch.empty(1 << 20) for _ in range(2)])
    assert 4 << 20 <= cells.peak_memory(step) < 6 << 20 and 8 << 20 <= two < 10 << 20


def test_the_fast_path_needs_no_more_memory_than_one_and_a_half_of_torchs():
    peaks = {}
    for name, layer in {"torch": nn.LSTM, "fast": cells._builder("peephole", "fast")}.items():
        step = cells.training_step(layer, 60, size=(32, 20, 13))  # too small to be compiled
        step()
        peaks[name] = cells.peak_memory(step)
    assert peaks["fast"] <= 1.5 * peaks["torch"]


def test_a_helper_that_ended_is_said():
    helper = cells.Installed(6, SMALL)
    helper.step()
    helper.close()
    with pytest.raises((LabError, ValueError), match="ended|closed"):
        helper.step()
