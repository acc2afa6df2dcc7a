"""The committed sweeps of R1: found by the name of their grid, whole, and of the networks they say."""

import pytest

from labkit.errors import LabError
from labkit.experiments.sweep import Grid, committed, recorded
from labkit.files import home
from labkit.published.r1_rnn import PUBLISHED


def test_a_grid_without_records_says_where_they_come_from():
    with pytest.raises(LabError, match="no records of 'windows' on nothing in .*records. They come with the lab"):
        committed("windows", "nothing")


def test_committed_runs_come_in_the_order_of_their_grid():
    runs = committed("recurrent", "speech_commands_4words")
    order = Grid.read(home() / "results" / "recurrent.json").experiments()
    assert [run.experiment for run in runs] == order and len(runs) == 21


def test_the_window_sweep_is_of_the_published_networks_in_three_seeds_and_tested():
    runs = committed("windows", "speech_commands_4words")
    cells = {}
    for run in runs:
        one = run.experiment
        cell = one.model.name, one.model.full["bidirectional"], one.feature.window_ms
        cells.setdefault(cell, []).append(one.seed)
        assert run.tested and not run.synthetic and run.protocol == "official"
        assert not set(run.record["training_speakers"]) & set(run.predictions("test").speaker)
    assert all(seeds == [0, 1, 2] for seeds in cells.values())
    names = {network.lower() for network in PUBLISHED.index}
    assert {(f"{model[3:]}{' bi' if both else ''}", window) for model, both, window in cells} == {
        (name, window) for name in names for window in PUBLISHED.columns
    }


def test_records_of_several_grids_are_one_table_with_a_row_per_configuration():
    table = recorded("speech_commands_4words", "windows", "hops", "repair")
    assert len(table) == 24 + 5 + 5, "a configuration of two grids is one row"
    (row,) = [row for row in table.itertuples() if (row.window_ms, row.hop_ms) == (120, 20)]
    assert row.model == "r1_rnn" and not row.normalise and row.seeds == 3 and row.updates == 20 * 43
    assert row.mean == row.runs.accuracy["mean"] and row.text.startswith(f"{100 * row.mean:.1f}% [")


def test_a_grid_without_records_is_left_out_and_none_at_all_is_an_error():
    some = recorded("speech_commands_4words", "windows_audit", "r1_curves")
    assert len(some) == 6 and set(some.window_ms) == {80}
    with pytest.raises(LabError, match="no records of 'r1_curves' on speech_commands_4words"):
        recorded("speech_commands_4words", "r1_curves")
