"""The committed sweeps of R1: found by the name of their grid, whole, and of the networks they say."""

import pytest

from labkit.errors import LabError
from labkit.experiments.sweep import Grid, committed
from labkit.files import home
from labkit.published.r1_rnn import PUBLISHED, WINDOWS


def test_a_grid_without_records_says_where_they_come_from():
    with pytest.raises(LabError, match="no records of 'windows' on nothing in .*records. They come with the lab"):
        committed("windows", "nothing")


def test_committed_runs_come_in_the_order_of_their_grid():
    runs = committed("recurrent", "speech_commands_4words")
    order = Grid.read(home() / "results" / "recurrent.json").experiments()
    assert [run.experiment for run in runs] == order and len(runs) == 21


RECORDED = sorted(sweep.parent.name for sweep in (home() / "results" / "records").glob("*/windows.jsonl"))


def test_the_window_sweep_was_made_on_real_recordings():
    assert "speech_commands_4words" in RECORDED


@pytest.mark.parametrize("corpus", RECORDED)
def test_the_window_sweep_is_of_the_published_networks_in_three_seeds_and_tested(corpus):
    runs = committed("windows", corpus)
    cells = {}
    for run in runs:
        one = run.experiment
        cell = one.model.name, one.model.full["bidirectional"], one.feature.window_ms
        cells.setdefault(cell, []).append(one.seed)
        known = "official" if corpus == "speech_commands_4words" else "its own lists"
        assert run.tested and not run.synthetic and run.protocol == known
        assert not set(run.record["training_speakers"]) & set(run.predictions("test").speaker)
    assert all(seeds == [0, 1, 2] for seeds in cells.values())
    assert set(cells) <= {(*network, window) for network in PUBLISHED for window in WINDOWS}
    assert len(cells) >= 9, "one direction at three windows, at the least"
