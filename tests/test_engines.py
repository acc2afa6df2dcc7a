"""Sweeps on engines: processes, threads, Dask, submitit. The same bits as one after the other, whatever happens."""

import json
import os
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import gated
import psutil
import pytest
from tiny import SPEAKERS, name, quick, until

from labkit.cli import main
from labkit.data import folder as own_folder
from labkit.data import join, speech_commands
from labkit.errors import LabError
from labkit.experiments.engines import engine, handed_over, open_corpus, train_member
from labkit.experiments.sweep import sweep
from labkit.models import MODELS, Model
from tools.kill import fingerprint

pytest_plugins = ["tiny"]
MEMBERS = [quick().change(model={"dropout": 0.5}, seed=seed) for seed in (0, 1)]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")


@pytest.fixture
def serial(corpus, tmp_path):
    """Hash of all files of the sweep, one member after the other (what two equal trainings may differ in apart)."""
    runs, failed = sweep(MEMBERS, corpus, tmp_path / "serial", report=str)
    assert len(runs) == 2 and not failed
    return fingerprint(tmp_path / "serial")


def swept(corpus, results, executor, members=MEMBERS):
    runs, failed = sweep(members, corpus, results, report=str, executor=executor)
    assert [run.experiment for run in runs] == members and not failed, failed
    assert all(run.test()["clips"] == 18 for run in runs[:1])
    return untested(results)


def untested(results):
    """Hash of all files of a sweep but those of tests."""
    for path in results.rglob("test*"):
        path.unlink()
    return fingerprint(results)


@pytest.mark.slow
def test_processes_give_the_same_bits(corpus, serial, tmp_path):
    with engine("local:2", tmp_path) as executor:
        assert swept(corpus, tmp_path / "together", executor) == serial


def test_threads_of_one_process_take_turns_and_give_the_same_bits(corpus, serial, tmp_path):
    with ThreadPoolExecutor(2) as executor:
        assert swept(corpus, tmp_path / "together", executor) == serial


@pytest.mark.slow
def test_threads_of_a_dask_worker_give_the_same_bits(corpus, serial, tmp_path):
    from distributed import Client, LocalCluster

    with LocalCluster(1, processes=False, threads_per_worker=2, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            assert swept(corpus, tmp_path / "together", client.get_executor(pure=False)) == serial


@pytest.mark.slow
@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.weekly)])
def test_a_dask_cluster_at_an_address_gives_the_same_bits(processes, corpus, serial, tmp_path):
    from distributed import LocalCluster

    where = {"protocol": "tcp://", "dashboard_address": None}
    with LocalCluster(1, processes=processes, threads_per_worker=1, **where) as cluster:
        address = cluster.scheduler_address.replace("tcp", "dask")
        with engine(address, tmp_path) as executor:
            assert swept(corpus, tmp_path / "together", executor) == serial


@pytest.mark.slow
@pytest.mark.weekly  # as they do below, where a stand-in for SLURM starts them
def test_jobs_of_submitit_give_the_same_bits(corpus, serial, tmp_path):
    from submitit import LocalExecutor

    executor = LocalExecutor(tmp_path / "jobs")
    assert swept(corpus, tmp_path / "together", executor) == serial
    assert len(list((tmp_path / "jobs").glob("*_submitted.pkl"))) == 2


def kill_oneself(*arguments):
    """What a worker does whose machine goes down at its first member."""
    if arguments[0].get("seed") is None:  # seed 0 is the default, and is not written
        os.kill(os.getpid(), signal.SIGKILL)
    return train_member(*arguments)


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("kind", ["local", pytest.param("submitit", marks=pytest.mark.weekly)])
def test_a_lost_worker_is_an_error_of_its_member_and_the_next_sweep_completes(
    kind, corpus, serial, tmp_path, monkeypatch
):
    monkeypatch.setattr("labkit.experiments.sweep.train_member", kill_oneself)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]))
    lines, results = [], tmp_path / "together"
    with engine("local:1", tmp_path) as executor:
        if kind == "submitit":
            from submitit import LocalExecutor

            executor = LocalExecutor(tmp_path / "jobs")
        runs, failed = sweep(MEMBERS, corpus, results, report=lines.append, executor=executor)
    assert [run.experiment.seed for run in runs] == [1] and [member.seed for member, _ in failed] == [0]
    assert "Run the sweep again" in str(failed[0][1]) and sum("FAILED" in line for line in lines) == 1
    again, failed = sweep(MEMBERS, corpus, results, report=str)
    assert len(again) == 2 and not failed and fingerprint(results) == serial


class Executor:
    """Does at once, here, what it is given: an engine whose `answer` takes the place of a training."""

    def __init__(self, answer=None):
        self.answer = answer

    def submit(self, call, *arguments):
        if self.answer == "gone":
            raise RuntimeError("the workers have ended")
        said = call(*arguments) if self.answer is None else self.answer
        return SimpleNamespace(done=lambda: True, result=lambda: said)


def one_error(corpus, results, executor=None, members=MEMBERS[:1]):
    runs, failed = sweep(members, corpus, results, report=str, executor=executor or Executor())
    assert not runs and len(failed) == 1
    return str(failed[0][1])


def test_workers_that_take_nothing_or_leave_nothing_are_named(corpus, tmp_path):
    assert "the workers have ended" in one_error(corpus, tmp_path, Executor("gone"))
    assert "its record is not in" in one_error(corpus, tmp_path, Executor(""))


def test_a_failing_member_says_why_and_the_others_go_on(corpus, tmp_path):
    bad = MEMBERS[0].change(recipe={"lr": 1e38, "clip_norm": None})
    runs, failed = sweep([bad, MEMBERS[1]], corpus, tmp_path, report=str, executor=Executor())
    assert len(runs) == 1 and "Lower the learning rate" in str(failed[0][1])


def test_a_folder_that_a_machine_lacks_is_said_in_a_sentence(folder, own_folders, tmp_path):
    corpus = speech_commands.load(folder)
    (sent,) = handed_over(MEMBERS[:1], corpus, tmp_path / "results", "cpu")
    (tmp_path / "results").rmdir()
    assert "The results folder" in train_member(*sent) and "is not on" in train_member(*sent)
    (tmp_path / "results").mkdir()
    folder.rename(tmp_path / "elsewhere")
    assert "The corpus folder" in train_member(*sent) and "is not on" in train_member(*sent)


def test_another_corpus_of_that_name_is_refused_by_a_worker(folder, own_folders, tmp_path):
    corpus = speech_commands.load(folder)
    (folder / name("rise", SPEAKERS[0])).unlink()
    assert "holds another tiny" in one_error(corpus, tmp_path / "results")
    assert not list((tmp_path / "results").rglob("run.json"))


def test_joined_corpora_travel_as_their_folders(folder, own_folders, tmp_path):
    more = tmp_path / "mine"
    for path in list(folder.glob("rise/*"))[:3]:
        (more / "rise").mkdir(parents=True, exist_ok=True)
        (more / "rise" / path.name.replace("_nohash", "")).write_bytes(path.read_bytes())
    corpus = join(speech_commands.load(folder), [own_folder.load(more)])
    (sent,) = handed_over(MEMBERS[:1], corpus, tmp_path / "results", "cpu")
    opened = open_corpus(*sent[2])
    assert [other.name for other in opened.more] == ["mine"] and opened.fingerprint == corpus.fingerprint


def test_a_model_of_a_notebook_is_refused_before_anything_is_sent(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "pooled", type("Pooled", (gated.Gated,), {"__module__": "__main__"}))
    members = [MEMBERS[1], quick().change(model=Model("pooled"))]
    with pytest.raises(LabError, match="'pooled' was written in a notebook.*Move its class into a .py file"):
        sweep(members, corpus, tmp_path, report=str, executor=Executor())
    assert not list(tmp_path.rglob("run.json"))


def test_a_worker_with_other_code_refuses(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "gated", gated.Gated)
    (sent,) = handed_over([quick().change(model=Model("gated"))], corpus, tmp_path, "cpu")
    assert "other code of gated" in train_member(*sent[:-1], "0" * 12)


def test_a_relative_results_folder_means_the_same_everywhere(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (sent,) = handed_over(MEMBERS[:1], corpus, "out", "cpu")
    assert sent[3] == str(tmp_path / "out")


@pytest.mark.parametrize(
    "on, words",
    [
        ("ray", "no engine 'ray'. Write --on local:N"),
        ("local", "no engine 'local'"),
        ("local:0", "no engine 'local:0'"),
        ("slurm", "There is no SLURM here"),
    ],
)
def test_an_engine_that_is_not_here_is_named(on, words, tmp_path):
    with pytest.raises(LabError, match=words), engine(on, tmp_path):
        pass


def test_a_missing_package_is_named(made, own_folders, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    grid = tmp_path / "one.json"
    grid.write_text("{}")
    assert main(["sweep", str(grid), "--data", str(made), "--on", "dask"]) == 2
    assert "'distributed' is missing. docs/CLUSTER.md says" in capsys.readouterr().err


SBATCH = """#!{python}
import os, re, shutil, subprocess, sys
shutil.copy(sys.argv[-1], "{place}/asked")
members = int(re.search(r"--array=0-(\\d+)", open(sys.argv[-1]).read())[1]) + 1
for number in range(members):
    where = dict(SLURM_JOB_ID=str(7 + number), SLURM_ARRAY_JOB_ID="7", SLURM_ARRAY_TASK_ID=str(number))
    where |= dict(SLURM_NTASKS="1", SLURM_JOB_NUM_NODES="1", SLURM_NODEID="0", SLURM_PROCID="0", SLURM_LOCALID="0")
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.Popen(["sh", "{place}/asked"], env=os.environ | where, **quiet)
print("Submitted batch job 7")
"""
SRUN = """#!/bin/sh
while true; do case "$1" in --unbuffered) shift;; --output|--error) shift 2;; *) exec "$@";; esac; done
"""


@pytest.mark.slow
@POSIX
def test_slurm_gets_one_array_of_jobs_in_the_partition_asked_for(serial, made, tmp_path, monkeypatch):
    """With a stand-in for SLURM's programs that starts at once what it is given; the same bits here, too."""
    place = tmp_path / "bin"
    place.mkdir()
    scripts = {"sbatch": SBATCH.format(python=sys.executable, place=place), "srun": SRUN}
    scripts |= {"sacct": "#!/bin/sh\necho 'JobID|State|NodeList'\n", "scancel": "#!/bin/sh\n"}
    for script, text in scripts.items():
        (place / script).write_text(text)
        (place / script).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    grid = tmp_path / "two.json"
    grid.write_text(json.dumps({"base": MEMBERS[0].to_dict(), "seeds": [0, 1]}))
    words = ["sweep", str(grid), "--data", str(made), "--device", "cpu", "--results", str(tmp_path / "out")]
    assert main([*words, "--on", "slurm:gpu"]) == 0
    asked = (place / "asked").read_text()
    assert "--partition=gpu" in asked and "--array=0-1" in asked and "--time=240" in asked
    shutil.rmtree(tmp_path / "out" / ".slurm")
    assert len(list((tmp_path / "out").rglob("run.json"))) == 2 and untested(tmp_path / "out") == serial


@pytest.mark.slow
@pytest.mark.weekly  # that no process outlives the one that started it is in test_sweep_command.py, too
def test_an_interrupted_engine_ends_its_processes(tmp_path):
    with pytest.raises(KeyboardInterrupt), engine("local:1", tmp_path) as executor:
        jobs = [executor.submit(os.getpid) for _ in range(3)]
        (number,) = {job.result() for job in jobs}  # one process, one task after the other
        assert number != os.getpid() and psutil.pid_exists(number)
        raise KeyboardInterrupt
    until(lambda: not psutil.pid_exists(number))
