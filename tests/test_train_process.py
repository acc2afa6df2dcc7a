"""Training elsewhere than in the kernel: on the command line, and in the process that trains for a panel."""

import json
import os
import signal

import gated
import pytest
import torch
from tiny import quick

from labkit.cli import main
from labkit.experiments import run as runs
from labkit.experiments.train_process import TrainProcess
from labkit.models import MODELS, Model
from labkit.training.loop import Callback

pytest_plugins = ["tiny"]
NUMBERS = ["train_loss", "validation_loss", "validation_accuracy"]


def test_an_experiment_in_a_file_is_trained_like_any_other(made, corpus, tmp_path, capsys):
    file = tmp_path / "experiment.json"  # a grid of one member
    file.write_text(json.dumps({"base": quick().to_dict(), "seeds": [quick().seed]}), encoding="utf-8")
    words = ["sweep", str(file), "--data", str(made), "--results", str(tmp_path / "by hand"), "--device", "cpu"]
    assert main(words) == 0 and main(words) == 0  # the second time it is there
    (record,) = (tmp_path / "by hand").rglob("run.json")
    other = runs.train(quick(), corpus, tmp_path / "other")
    history = runs.Run(record.parent, runs.read_record(record.parent)).history
    assert history[NUMBERS].equals(other.history[NUMBERS])
    assert str(tmp_path / "by hand") in capsys.readouterr().out and not (record.parent / "experiment.json").exists()


def test_a_file_that_is_no_experiment_is_named(made, tmp_path, capsys):
    assert main(["sweep", str(tmp_path / "missing.json"), "--data", str(made)]) == 2
    assert "missing.json" in capsys.readouterr().err


class Seen(Callback):
    """Keeps what a training told, in order."""

    def __init__(self):
        super().__init__()
        self.told = []

    def batch(self, *place):
        self.told.append(("batch", place))

    def epoch(self, history):
        self.told.append(("epoch", history))

    def note(self, text):
        self.told.append(("note", text))


@pytest.mark.slow
def test_a_process_trains_one_experiment_after_the_other_and_ends_when_nobody_sends_any_more(
    corpus, tmp_path, monkeypatch
):
    class Changed(gated.Gated):
        """Of a module that the process can import, but of other code than what it finds there."""

        __module__ = "gated"

        def forward(self, x, lengths):
            return super().forward(x, lengths) + 1

    here = gated.trained_here(monkeypatch)
    where = corpus, tmp_path / "results", torch.device("cpu")
    process, first, second = TrainProcess(), Seen(), Seen()
    if hasattr(signal, "pthread_sigmask"):
        os.kill(process.process.pid, signal.SIGINT)  # "interrupt the kernel", while this one imports torch
    run = process.train(quick(), *where, first)
    kinds = [kind for kind, _ in first.told]
    assert kinds.count("epoch") == 3 and kinds.count("batch") >= 3 and "note" not in kinds
    assert runs.read_record(run.folder)["history"] == first.told[-1][1] and here == []
    assert process.train(quick(), *where, Seen()).id == run.id
    monkeypatch.setitem(MODELS, "gated", Changed)
    process.train(quick().change(model=Model("gated")), *where, second)
    notes = [text for kind, text in second.told if kind == "note"]
    assert len(notes) == 1 and "written in the notebook" in notes[0] and here == ["gated"]
    process.pipe.close()
    process.process.join(60)
    assert process.process.exitcode == 0
