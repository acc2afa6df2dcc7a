"""A tiny corpus of tones in the layout of Speech Commands, and the fixtures that tests of the core share.

Three "words" (a falling, a level and a rising tone) by twelve "speakers" (pitch, level, some noise), two clips each:
small enough for a test, and learnable by a small network in a few epochs. A test module asks for the fixtures with
`pytest_plugins = ["tiny"]`. (PYTEST_DONT_REWRITE: it may be imported before pytest knows that it is a plugin.)
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from labkit.data.corpus import Corpus
from labkit.errors import LabWarning
from labkit.training.loop import Callback

RATE = 16_000
WORDS = {"fall": (2400, 600), "hold": (1200, 1200), "rise": (600, 2400)}  # Hz at the start and at the end
SPEAKERS = tuple(hashlib.sha256(f"speaker {number}".encode()).hexdigest()[:8] for number in range(12))
VALIDATION, TEST = SPEAKERS[6:9], SPEAKERS[9:]  # the first six train
REPETITIONS = 2


def tone(word, speaker, repetition=0, seconds=0.5):
    """One clip, float between -1 and 1, shape (samples,)."""
    number = SPEAKERS.index(speaker)
    rng = np.random.default_rng([number, repetition, list(WORDS).index(word)])
    start, end = np.array(WORDS[word]) * (0.8 + 0.04 * number)
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * (start * time + (end - start) * time**2 / (2 * seconds))
    return (0.1 + 0.02 * number) * np.sin(phase) + 0.02 * rng.standard_normal(len(time))


def name(word, speaker, repetition=0):
    return f"{word}/{speaker}_nohash_{repetition}.wav"


def length(speaker, repetition):
    """Most clips last half a second, a few are shorter or longer."""
    return {0: 0.4, 5: 0.55, 9: 0.45}.get(SPEAKERS.index(speaker), 0.5) if repetition else 0.5


def make(folder):
    """Write the corpus to `folder`; returns it."""
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for word in WORDS:
        (folder / word).mkdir(parents=True)
        for speaker in SPEAKERS:
            for repetition in range(REPETITIONS):
                path = name(word, speaker, repetition)
                soundfile.write(folder / path, tone(word, speaker, repetition, length(speaker, repetition)), RATE)
                if speaker in VALIDATION + TEST:
                    lists["validation_list.txt" if speaker in VALIDATION else "testing_list.txt"].append(path)
    for file, paths in lists.items():
        (folder / file).write_text("\n".join(paths) + "\n", encoding="utf-8")
    noise = folder / "_background_noise_"
    noise.mkdir()
    soundfile.write(noise / "hiss.wav", 0.1 * np.random.default_rng(0).standard_normal(RATE), RATE)
    return folder


def quick():
    """An experiment on the tiny corpus that takes a fraction of a second."""
    from labkit.experiments.experiment import Experiment
    from labkit.features import MFCC
    from labkit.models import Model
    from labkit.training.recipe import Recipe

    return Experiment(
        feature=MFCC(seconds=0.55, hop_ms=40, n_mfcc=8, deltas=0),
        model=Model("gru", hidden=8, dropout=0.2),
        recipe=Recipe(epochs=3, batch=16, lr=0.01),
    )


def table_corpus(speakers=30, clips=4, labels=("no", "yes"), seed=0, split=None, **columns):
    """A corpus that exists as a table only, with speakers that have more or fewer clips."""
    rng = np.random.default_rng(seed)
    rows = [
        {"path": f"{label}/s{number:03}_{clip}.wav", "label": label, "speaker": f"s{number:03}", "seconds": 0.5}
        for number in range(speakers)
        for label in labels
        for clip in range(rng.integers(1, clips + 1))
    ]
    table = pd.DataFrame(rows).assign(split="train", bytes=1000, **columns)
    if split is not None:
        table["split"] = table.speaker.map(split)
    return Corpus("table", Path("nowhere"), RATE, tuple(labels), "none", False, table)


class Interrupt(Callback):
    """Ends a training after an epoch: asks it to stop, or raises."""

    def __init__(self, after, how="stop"):
        super().__init__()
        self.after, self.how = after, how

    def epoch(self, history):
        if len(history) == self.after:
            if self.how == "stop":
                self.stop = True
            else:
                raise KeyboardInterrupt


def quietly(call, *arguments, **options):
    """The call's result, without the lab's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabWarning)
        return call(*arguments, **options)


def program(source, *arguments, wait=True):
    """Run a Python program in a process of its own, with this module and labkit at hand.

    With `wait`, it must succeed, and its output is returned; else the process is.
    """
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), str(root / "tests"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    if not wait:
        return process
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def until(condition, seconds=60):
    """Wait until a condition holds, or fail."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The tiny corpus' folder; tests that change files take `folder`."""
    return make(tmp_path_factory.mktemp("data") / "tiny")


def set_folders(patch, place):
    """Cache and results below `place`, whatever the environment says; progress bars off."""
    for variable in ("LABKIT_DATA", "LABKIT_SCALE", "LABKIT_FIGURES"):
        patch.delenv(variable, raising=False)
    patch.setenv("LABKIT_CACHE", str(place / "cache"))
    patch.setenv("LABKIT_RESULTS", str(place / "results"))
    patch.setenv("LABKIT_BARS", "off")


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    """Cache and results of this test alone."""
    set_folders(monkeypatch, tmp_path)


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the tiny corpus that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "tiny"))


@pytest.fixture(scope="session")
def decoded_once(made, tmp_path_factory):
    """A folder that no test may change: in `cache` what the lab keeps of the tiny corpus."""
    from labkit.data.speech_commands import load
    from labkit.data.store import open_store

    place = tmp_path_factory.mktemp("decoded")
    with pytest.MonkeyPatch.context() as patch:
        set_folders(patch, place)
        open_store(load(made))
    return place


@pytest.fixture
def corpus(made, decoded_once, own_folders, tmp_path):
    """The tiny corpus, loaded; its clips are decoded already."""
    from labkit.data.speech_commands import load

    shutil.copytree(decoded_once, tmp_path, dirs_exist_ok=True)
    return load(made)


@pytest.fixture(scope="session")
def trained_once(made, tmp_path_factory):
    """A folder that no test may change: in `results` two trainings of `quick()`, seeds 0 and 1, tested."""
    from labkit.data.speech_commands import load
    from labkit.experiments.run import train

    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        set_folders(patch, place)
        for seed in (0, 1):
            train(quick().change(seed=seed), load(made), place / "results").test()
    shutil.rmtree(place / "cache")
    return place


@pytest.fixture
def two_runs(trained_once, corpus, tmp_path):
    """These two tested runs, in the results folder of this test alone."""
    from labkit.experiments.run import train

    shutil.copytree(trained_once, tmp_path, dirs_exist_ok=True)
    return [train(quick().change(seed=seed), corpus, tmp_path / "results") for seed in (0, 1)]


@pytest.fixture
def one_run(two_runs):
    """The first of them alone, and not tested."""
    first, second = two_runs
    shutil.rmtree(second.folder)
    for path in first.folder.glob("test.*"):
        path.unlink()
    return first


@pytest.fixture
def unseen(monkeypatch):
    """The figures of panels are made and not turned into pixels, which takes longer than all else of a panel."""
    dot = io.BytesIO()
    Image.new("RGB", (1, 1)).save(dot, "png")
    for name in ("panel.quick", "panel.render", "tinker.quick"):
        monkeypatch.setattr(f"labkit.widgets.{name}", lambda *given: dot.getvalue())


@pytest.fixture
def as_before(own_folders, monkeypatch):
    """`labkit.start` sets what a process has once; put it back."""
    import random

    import matplotlib
    import torch

    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    threads, style = torch.get_num_threads(), dict(matplotlib.rcParams)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    yield
    torch.set_num_threads(threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcParams.update(style)
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
