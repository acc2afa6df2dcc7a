"""A model whose training goes on only as far as a test lets it, in whatever process it is trained."""

import multiprocessing
import time
from pathlib import Path

from torch import nn

from labkit.models import MODELS, register


class Gated(nn.Module):
    """A linear layer on the mean frame, with dropout. While `gate` names a folder, each training step waits there.

    Step number n leaves the file `reached n` there and goes on when there is `open n`, or `open`.
    """

    def __init__(self, shape, classes, gate="", dropout=0.2):
        super().__init__()
        self.gate, self.steps = gate, 0
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(shape[1], classes)

    def forward(self, x, lengths):
        if self.training and self.gate:
            self.steps += 1
            (Path(self.gate) / f"reached {self.steps}").touch()
            while not (Path(self.gate) / "open").exists() and not (Path(self.gate) / f"open {self.steps}").exists():
                time.sleep(0.005)
        return self.linear(self.dropout(x.mean(1)))


def known():
    """Make it a model of this process. A test does so for itself alone, since others look at the list of models."""
    register("gated")(Gated)


if multiprocessing.parent_process() is not None:  # a process that trains for a panel
    known()


def trained_here(monkeypatch):
    """A list to which each model is added that is trained in this process, by its name."""
    from labkit.experiments import run as runs

    names, fit = [], runs.fit

    def counted(network, *arguments):
        names.append(next(name for name, kind in MODELS.items() if kind is type(network.network)))
        return fit(network, *arguments)

    monkeypatch.setattr(runs, "fit", counted)
    return names


class Gate:
    """The test's side: `reached(step)` waits until a step begins, `open(step)` lets it go on, `open()` all of them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()

    def __str__(self):
        return str(self.folder)

    def reached(self, step):
        from tiny import until

        until((self.folder / f"reached {step}").exists, seconds=120)

    def open(self, *steps):
        for name in [f"open {step}" for step in steps] or ["open"]:
            (self.folder / name).touch()
