"""`lab = labkit.start(...)`: the first cell of every notebook."""

import os
import random
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from . import plots
from .data import Corpus, find
from .device import device_name, settle
from .errors import LabWarning, choose
from .experiments import run as runs
from .files import home, left_behind
from .training.loop import TrainingBar


@dataclass(frozen=True, eq=False)
class Lab:
    """What a notebook needs to know about where it runs."""

    chapter: str  # name of the notebook
    data: Corpus  # the chapter's corpus, opened
    scale: str  # "lab" or "full"
    seed: int
    device: torch.device
    figures: Path  # folder for pictures
    results: Path  # folder for run records

    def train(self, experiment, corpus=None, callback=None):
        """The run of an experiment on the chapter's corpus: loaded, resumed or trained (see `labkit.train`)."""
        callback = callback or TrainingBar(str(experiment))
        return runs.train(experiment, corpus or self.data, self.results, self.device, callback)

    def show(self, what, name, caption, alt=None, synthetic=None):
        """Show a figure or a table with its caption, and keep it in `figures`.

        Parameters
        ----------
        what : matplotlib.figure.Figure, matplotlib.axes.Axes or pandas.DataFrame
        name, caption : str
            Of the file, without folder and ending; and what to look at.
        alt : str, optional
            The picture in words, for those who cannot see it; by default the caption.
        synthetic : bool, optional
            Whether it rests on synthetic speech; by default as the chapter's corpus. A record may rest on another.
        """
        stamped = self.data.synthetic if synthetic is None else synthetic
        plots.show(what, self.figures / f"{self.chapter}_{name}", caption, alt or caption, stamped)


def start(chapter, corpus="speech_commands", data="auto", scale="lab", seed=0, device="auto") -> Lab:
    """Set up a notebook: corpus, device, seed, memory, folders. Prints three lines.

    Parameters
    ----------
    chapter, corpus : str
        The notebook's name, for example "01_exploration", and a key of `data.CORPORA`.
    data : str or Path
        "auto" (the real corpus where it is present, else the synthetic one), "real", "synthetic", or a folder.
    scale : {"lab", "full"}
        The environment variables LABKIT_DATA and LABKIT_SCALE override these two.
    device : str
        "auto" (LABKIT_DEVICE if that is set; CUDA, then Apple's MPS, then the CPU) or a name that torch knows.
    """
    scale = choose(os.environ.get("LABKIT_SCALE") or scale, {"lab": "lab", "full": "full"}, "scale")
    device = settle(device)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (for code of a student's own that uses the old interface)
    torch.manual_seed(seed)
    warnings.formatwarning = _short_warning
    plots.set_style()
    opened = find(corpus, os.environ.get("LABKIT_DATA") or data, scale)
    # Absolute, since a notebook's working directory is not the repository.
    figures = Path(os.environ.get("LABKIT_FIGURES") or left_behind("figures", "build/figures")).absolute()
    results = Path(os.environ.get("LABKIT_RESULTS") or left_behind("results", "results/local")).absolute()
    print(f"{chapter}: scale {scale!r}, seed {seed}, on {device_name(device)}, torch {torch.__version__}")
    print(f"data: {opened}")
    print(f"results: {_short(results)}, figures: {_short(figures)}")
    for note in opened.skipped:
        print(f"note: {note}")
    if opened.synthetic:
        plots.banner()
    return Lab(chapter, opened, scale, seed, device, figures, results)


def _short(path):
    return path.relative_to(home()) if path.is_relative_to(home()) else path


def _short_warning(message, category, *_):
    return f"{'note' if issubclass(category, LabWarning) else category.__name__}: {message}\n"
