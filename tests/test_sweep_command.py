"""`python -m labkit sweep`: grids by name, one table, and what may go wrong in the middle."""

import errno
import json
import os
import signal
import sys

import pytest
from tiny import program, until

from labkit import files
from labkit.cli import main
from labkit.cli.sweep_command import as_text, grid_file
from labkit.errors import LabError
from labkit.experiments import run as runs
from labkit.experiments.records import read_runs, summary
from labkit.experiments.sweep import Grid, sweep
from labkit.files import home
from tools.kill import fingerprint

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")
BASE = {"model": {"name": "rnn", "hidden": 4}, "recipe": {"epochs": 2, "batch": 8}}


@pytest.fixture
def grids(tmp_path):
    """Two grids with one member in common, as files."""
    found = {}
    for name, rates in (("fast", [0.01, 0.02]), ("slow", [0.001, 0.01])):
        found[name] = tmp_path / f"{name}.json"
        found[name].write_text(json.dumps({"base": BASE, "axes": {"recipe.lr": rates}, "seeds": [0, 1]}))
    return found


def command(made, tmp_path, *words):
    where = ["--data", str(made), "--results", str(tmp_path / "out"), "--device", "cpu"]
    return main(["sweep", *map(str, words), *where])


# Names


def test_a_grid_of_the_lab_is_called_by_its_name():
    assert grid_file("windows") == home() / "results" / "windows.json"
    assert len(Grid.read(grid_file("windows")).experiments()) == 3 * 2 * 4 * 3
    with pytest.raises(LabError, match="no grid called 'window'. Did you mean 'windows'"):
        grid_file("window")


def test_each_grid_of_the_lab_can_be_read():
    paths = sorted((home() / "results").glob("*.json"))
    assert len(paths) >= 5 and all(map(Grid.read, paths))  # its members are made


# Several grids, one table


@pytest.mark.slow
def test_several_grids_share_members_and_one_table(grids, made, tmp_path, capsys):
    assert command(made, tmp_path, grids["fast"], grids["slow"]) == 0
    said = capsys.readouterr().out
    assert len(read_runs(tmp_path / "out")) == 6, "the member in common is trained once"
    assert "6/6" in said and "Validation chose in fast:" in said and "Validation chose in slow:" in said
    table = said.split("\n\n")[1]
    assert len(table.splitlines()) == 1 + 3 and table.split()[:3] == ["model", "seeds", "parameters"]
    assert table == as_text(summary([run for run in read_runs_in_order(said, tmp_path)]))


def read_runs_in_order(said, tmp_path):
    """The records in the order of the sweep, as its lines name them."""
    runs = {run.id: run for run in read_runs(tmp_path / "out")}
    return [runs[line.split("Run ")[1].split(":")[0]] for line in said.splitlines() if "/6 Run" in line]


def test_where_members_are_unlike_tasks_nothing_is_chosen_and_all_can_be_tested(grids, made, tmp_path, capsys):
    splits = [{"protocol": "official"}, {"protocol": "by_clip_leaky", "validation": 0.3, "test": 0.3}]
    grids["slow"].write_text(json.dumps({"base": BASE, "axes": {"split": splits}, "seeds": [0]}))
    assert command(made, tmp_path, grids["slow"], "--test", "all") == 0
    said = capsys.readouterr().out
    assert "Nothing is chosen in slow: These runs differ" in said and "Validation chose" not in said
    assert [run.tested for run in read_runs(tmp_path / "out")] == [True, True] and "by_clip_leaky" in said


def test_grids_of_different_corpora_are_swept_one_by_one(grids, made, tmp_path, capsys):
    other = json.loads(grids["slow"].read_text())
    grids["slow"].write_text(json.dumps(other | {"base": BASE | {"corpus": {"name": "folder"}}}))
    assert command(made, tmp_path, *grids.values()) == 2
    assert "different corpora (folder, speech_commands)" in capsys.readouterr().err


# In the middle of a sweep


def lasting(folder):
    """All records below a folder, without what two equal trainings may differ in."""
    found = {}
    for run in read_runs(folder):
        record = {
            key: value for key, value in run.record.items() if key not in ("date", "command", "seconds_per_epoch")
        }
        history = [{key: value for key, value in row.items() if key != "seconds"} for row in record["history"]]
        found[run.id] = record | {"history": history}
    return found


@pytest.mark.slow
def test_a_disk_that_fills_up_in_mid_sweep_loses_nothing(corpus, tmp_path, monkeypatch):
    experiments = Grid(BASE, {"recipe.lr": [0.01, 0.001]}, (0, 1)).experiments()
    sweep(experiments, corpus, tmp_path / "undisturbed", report=str)
    rename, lines = os.replace, []

    def full(source, target):  # from the second epoch of the second member on, until the second has failed
        if "1/4" in "".join(lines) and "2/4" not in "".join(lines) and history():
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    def history():
        return list((tmp_path / "out").glob("*/*/checkpoint.safetensors"))

    monkeypatch.setattr(files.os, "replace", full)
    runs, failed = sweep(experiments, corpus, tmp_path / "out", report=lines.append)
    assert [experiment for experiment, _ in failed] == [experiments[1]] and len(runs) == 3
    assert "No space left on device" in lines[1] and "Free some disk space" in lines[1]
    assert len(history()) == 1, "its first epoch is kept"
    assert list((tmp_path / "out").rglob("*.partial")) == []
    monkeypatch.setattr(files.os, "replace", rename)
    runs, failed = sweep(experiments, corpus, tmp_path / "out", report=str)
    assert len(runs) == 4 and not failed and history() == []
    assert lasting(tmp_path / "out") == lasting(tmp_path / "undisturbed")


TWO = """
import json, sys
from labkit.experiments import run as runs
from labkit.cli import main
trained = []
fit = runs.fit
runs.fit = lambda *given, **more: trained.append(1) or fit(*given, **more)
print("ready", flush=True)
code = main(["sweep", sys.argv[1], "--data", sys.argv[2], "--results", sys.argv[3], "--device", "cpu", "--test", "all"])
print("trained", len(trained))
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.weekly  # two kernels that train one member at once are in test_runs.py
def test_two_sweeps_at_once_share_the_work_and_lose_nothing(grids, made, tmp_path, monkeypatch, capsys):
    other = program(TWO, grids["fast"], made, tmp_path / "out", wait=False)
    assert other.stdout.readline() == "ready\n"
    trained, fit = [], runs.fit
    monkeypatch.setattr(runs, "fit", lambda *given, **more: trained.append(1) or fit(*given, **more))
    assert command(made, tmp_path, grids["fast"], "--test", "all") == 0
    out, err = other.communicate(timeout=600)  # against a hang; a busy machine takes its time
    assert other.returncode == 0, err
    texts = [capsys.readouterr().out, out]
    assert len(trained) + int(out.split("trained ")[1]) == 4, "each member is trained by one of them"
    assert all("All 4 records" in text for text in texts) and list((tmp_path / "out").rglob("*.partial")) == []
    assert len(read_runs(tmp_path / "out")) == 4 and all(run.tested for run in read_runs(tmp_path / "out"))


PARENT = """
import sys, time
import os
from labkit.experiments.engines import engine
if __name__ == "__main__":
    with engine("local:1", ".") as executor:
        print(executor.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_workers_end_with_the_process_that_started_them():
    process = program(PARENT, wait=False)
    number = int(process.stdout.readline())
    assert number != process.pid and alive(number)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    until(lambda: not alive(number))


def alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    status = f"/proc/{number}/stat"  # one that nobody has asked after is a zombie, not alive
    return not (os.path.exists(status) and open(status).read().rsplit(")", 1)[1].split()[0] == "Z")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="SIGKILL is POSIX")
@pytest.mark.weekly  # below one is killed at one moment
def test_a_sweep_killed_at_any_moment_gives_the_records_of_an_undisturbed_one(tmp_path):
    from tools.kill import survive_kills

    survive_kills(tmp_path, times=6, seed=2, job="sweep")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_sweep_killed_after_its_first_record_gives_the_records_of_an_undisturbed_one(grids, made, tmp_path):
    other = program(TWO, grids["fast"], made, tmp_path / "out", wait=False)
    until(lambda: list((tmp_path / "out").rglob("run.json")) or other.poll() is not None)
    other.kill()
    _, err = other.communicate(timeout=60)
    assert other.returncode == -signal.SIGKILL, err
    assert 1 <= len(read_runs(tmp_path / "out")) < 4, "it was in the middle"
    for place in (tmp_path, tmp_path / "undisturbed"):
        assert command(made, place, grids["fast"], "--test", "all") == 0
    assert fingerprint(tmp_path / "out") == fingerprint(tmp_path / "undisturbed" / "out")


TUNED = {"tune": {"recipe.lr": [1e-6, 0.01]}, "seeds": (0, 1)}


def test_a_grid_that_tunes_gives_every_network_the_same_trials(corpus, tmp_path):
    """Each network keeps the rate that was best for it on validation, and only that one gets all seeds."""
    grid = Grid(BASE, {"model": [{"name": "rnn", "hidden": 8}, {"name": "gru", "hidden": 8}]}, **TUNED)
    assert [(each.model.name, each.recipe.lr, each.seed) for each in grid.trials()] == [
        ("rnn", 1e-6, 0), ("rnn", 0.01, 0), ("gru", 1e-6, 0), ("gru", 0.01, 0)
    ]  # fmt: skip
    tried, failed = sweep(grid.trials(), corpus, tmp_path, report=str)
    assert not failed
    members = grid.experiments(tried)
    assert [(each.model.name, each.seed) for each in members] == [("rnn", 0), ("rnn", 1), ("gru", 0), ("gru", 1)]
    for name in ("rnn", "gru"):
        trials = {
            run.validation["accuracy"]: run.experiment.recipe.lr for run in tried if run.experiment.model.name == name
        }
        assert {each.recipe.lr for each in members if each.model.name == name} == {trials[max(trials)]}
    with pytest.raises(LabError, match="1 of 2 trials of rnn .* are not trained"):
        grid.experiments(tried[1:])
    partly = grid.experiments(tried[1:], partly=True)  # what reads records while others still train
    assert partly == [member for member in members if member.model.name == "gru"]


def test_a_grid_that_tunes_refuses_unequal_terms():
    for unequal in ({"epochs": 3}, {"batch": 2}, {"augmentation": {"gain": 6.0}}):
        with pytest.raises(LabError, match=f"not on equal terms: they differ in recipe.{next(iter(unequal))}"):
            Grid(BASE, {"recipe": [{}, unequal]}, **TUNED)
    Grid(BASE, {"recipe": [{}, {"optimiser": "adam"}]}, **TUNED)  # which is no advantage
