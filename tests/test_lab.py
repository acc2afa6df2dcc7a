"""The first cell of every notebook."""

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from threadpoolctl import threadpool_info

import labkit
from labkit import device as machine
from labkit import lab as room
from labkit.data import MARKER
from labkit.errors import LabError, LabWarning
from labkit.files import home
from labkit.lab import start
from labkit.training.loop import Callback

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("as_before")
QUICK = tiny.quick()


def test_starting_prints_three_lines_that_say_on_what_and_where(made, tmp_path, capsys):
    lab = start("01_exploration", data=made, device="cpu", seed=3)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("01_exploration: scale 'lab', seed 3, on CPU (") and torch.__version__ in lines[0]
    assert lines[1] == (
        "data: tiny: 72 clips of 12 speakers, 3 labels, 16,000 Hz (its own lists: train 36, validation 18, test 18)"
    )
    assert lines[2] == f"results: {tmp_path / 'results'}, figures: {Path('build', 'figures')}"
    assert lab.data.name == "tiny" and lab.scale == "lab" and lab.device == torch.device("cpu") and lab.seed == 3
    assert (
        lab.results == tmp_path / "results" and lab.figures == home() / "build" / "figures"
    )  # nothing that is committed
    assert labkit.start is start


def test_what_was_left_out_is_printed_below(folder, capsys):
    (folder / "fall" / "empty.wav").touch()
    (folder / "fall" / f"{tiny.SPEAKERS[0]}_nohash_7.wav").touch()
    start("x", data=folder, device="cpu")
    notes = capsys.readouterr().out.splitlines()[3:]
    assert len(notes) == 2 and all(note.startswith("note: tiny: 1 files left out") for note in notes)
    assert "fall/empty.wav" in notes[0] and "empty file" in notes[1]


def test_synthetic_voices_are_announced(folder, capsys):
    (folder / MARKER).write_text("made by a program")
    start("x", data=folder, device="cpu")
    out = capsys.readouterr().out
    assert "These voices are made by a program. Numbers here show that the code works" in out
    assert "<div" not in out, "a script prints words, no HTML"


def test_seeds_are_set_for_all_who_draw(made):
    draws = []
    for seed in (5, 5, 6, -1):
        start("x", data=made, device="cpu", seed=seed)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))  # noqa: NPY002
    assert draws[0] == draws[1] and all(one != other for one, other in zip(draws[0], draws[2], strict=True))


def test_the_environment_overrides_the_notebook(made, tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(made))
    monkeypatch.setenv("LABKIT_SCALE", "full")
    monkeypatch.setenv("LABKIT_RESULTS", str(tmp_path / "there"))
    monkeypatch.setenv("LABKIT_FIGURES", str(tmp_path / "pictures"))
    monkeypatch.setenv("LABKIT_THREADS", "2")
    torch.set_num_threads(1)
    lab = start("x", data=tmp_path / "not here", device="cpu")
    assert lab.data.name == "tiny" and lab.scale == "full" and torch.get_num_threads() == 2
    assert lab.results == tmp_path / "there" and lab.figures == tmp_path / "pictures"


def test_empty_variables_are_as_good_as_none(made, monkeypatch):
    for name in ("LABKIT_DATA", "LABKIT_SCALE", "LABKIT_RESULTS", "LABKIT_FIGURES", "LABKIT_THREADS"):
        monkeypatch.setenv(name, "")
    torch.set_num_threads(2)
    lab = start("x", data=made, device="cpu")
    assert lab.scale == "lab" and lab.results == home() / "results" / "local"
    assert torch.get_num_threads() == 1
    assert {pool["num_threads"] for pool in threadpool_info()} == {1}, "numpy's, too"


def test_folders_stay_when_the_notebook_goes_elsewhere(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABKIT_RESULTS", "mine")
    assert start("x", data=made, device="cpu").results == tmp_path / "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "gpu"}, "The device 'gpu' cannot be used .*Use device='auto' or device='cpu'"),
        ({"device": "cuda:77"}, "The device 'cuda:77' cannot be used .*device='cpu'"),
        ({"scale": "large"}, "no scale called 'large'. Choose one of: lab, full"),
        ({"corpus": "speach_commands"}, "no corpus called 'speach_commands'. Did you mean 'speech_commands'"),
    ],
)
def test_options_that_do_not_exist_say_what_does(options, message, made):
    with pytest.raises(LabError, match=message):
        start("x", **{"data": made, "device": "cpu"} | options)


def test_a_number_of_threads_that_is_none_is_named(made, monkeypatch):
    for threads in ("two", "0", "-1", "1.5"):
        monkeypatch.setenv("LABKIT_THREADS", threads)
        with pytest.raises(LabError, match=f"LABKIT_THREADS is '{threads}'.*unset it"):
            start("x", data=made, device="cpu")


@pytest.fixture
def gpus(monkeypatch):
    """Devices that are said to be there, and those on which something can be computed."""
    there, usable, tried = set(), {"cpu"}, []

    def ones(*_, device):
        tried.append(str(device))
        if device not in usable:
            raise RuntimeError("CUDA error: out of memory\nmore lines")
        return torch.zeros(1)

    monkeypatch.setattr(machine.torch, "ones", ones)
    monkeypatch.setattr(machine.torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(machine.torch.backends.mps, "is_available", lambda: "mps" in there)
    return there, usable, tried


def test_the_best_device_that_is_there_is_taken(gpus):
    there, usable, tried = gpus
    assert machine.settle() == torch.device("cpu")
    there |= {"mps"}
    usable |= {"mps", "cuda"}
    assert machine.settle() == torch.device("mps") and machine.settle("cpu") == torch.device("cpu")
    there |= {"cuda"}
    assert machine.settle("auto") == torch.device("cuda") and tried == ["mps", "cpu", "cuda"]
    assert machine.device_name(torch.device("mps")).startswith("Apple GPU (")


def test_a_gpu_on_which_nothing_can_be_computed_is_left_alone_with_a_note(gpus, monkeypatch):
    gpus[0].add("cuda")
    with pytest.warns(LabWarning, match="'cuda' cannot be used .CUDA error: out of memory.. The CPU is used"):
        assert machine.settle() == torch.device("cpu")
    with pytest.raises(LabError, match="'cuda' cannot be used"):  # who asks for it is told
        machine.settle("cuda")
    monkeypatch.setenv("LABKIT_DEVICE", "cuda")
    with pytest.raises(LabError, match="'cuda' cannot be used"):
        machine.settle()
    assert machine.settle("cpu") == torch.device("cpu")


# Where the data are


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_folder_that_is_missing_empty_or_a_file_is_named_with_the_next_step(how, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("not a corpus")
    (tmp_path / "other" / "words").mkdir(parents=True)
    (tmp_path / "other" / "words" / "readme.txt").write_text("no sound here")
    for name, message in {
        "missing": r"missing is not a folder. `python -m labkit check` says.*set LABKIT_DATA",
        "file": r"file is not a folder. `python -m labkit check` says.*set LABKIT_DATA",
        "empty": r"empty holds no clips .* named WORD/HASH_nohash_N\.wav. Run `python -m labkit download",
        "other": r"other holds no clips .* named WORD/HASH_nohash_N\.wav. Run `python -m labkit download",
    }.items():
        if how == "environment":
            monkeypatch.setenv("LABKIT_DATA", str(tmp_path / name))
        with pytest.raises(LabError, match=message):
            start("x", data="auto" if how == "environment" else tmp_path / name, device="cpu")


def test_a_download_that_was_interrupted_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.data.home", lambda: tmp_path)
    (tmp_path / "data" / "speech_commands_v0.02").mkdir(parents=True)
    with pytest.raises(LabError, match=r"speech_commands_v0\.02 holds no clips.*labkit download speech_commands"):
        start("x", data="real", device="cpu")


def test_real_data_that_are_not_there_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.data.home", lambda: tmp_path)
    with pytest.raises(LabError, match=r"speech_commands_v0\.02 is not in .*data: run `python -m labkit download"):
        start("x", data="real", device="cpu")


# Training in a notebook


def test_a_notebook_trains_on_its_corpus_into_its_folder(made, capsys):
    lab = start("x", data=made, device="cpu")
    run = lab.train(QUICK)
    assert run.folder.parent == lab.results / "tiny" and run.corpus.root == lab.data.root
    some = lab.data.only(labels=["rise", "fall"])
    assert lab.train(QUICK, corpus=some).labels == ("rise", "fall")
    callback = Callback(stop=True)
    assert lab.train(QUICK.change(seed=4), callback=callback) is None
    assert "it/s" not in capsys.readouterr().err, "bars are off"


def test_a_bar_is_closed_whatever_happens(made, monkeypatch):
    monkeypatch.setenv("LABKIT_BARS", "on")
    bars = []

    class Bar(room.TrainingBar):
        def __init__(self, *words):
            super().__init__(*words)
            bars.append(self)

    monkeypatch.setattr(room, "TrainingBar", Bar)
    lab = start("x", data=made, device="cpu")
    lab.train(QUICK)
    with pytest.raises(LabError):
        lab.train(QUICK.change(recipe={"lr": 1e30, "clip_norm": None, "optimiser": "sgd"}))
    assert len(bars) == 2 and all(bar.bar is not None and bar.bar.disable for bar in bars)


# What a student sees when something is wrong


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """IPython, as in a notebook's kernel, with its files out of the way."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def test_an_error_of_ours_shows_no_stack(shell, capsys):
    result = shell.run_cell("import labkit\nlabkit.Model('grub')")
    shown = capsys.readouterr()
    text = (shown.out + shown.err).strip()
    assert isinstance(result.error_in_exec, LabError) and "\n" not in text
    assert text.startswith("LabError: There is no model called 'grub'. Did you mean 'gru'? Choose one of: ")


def test_an_error_with_a_cause_shows_no_stack_either(shell, capsys, tmp_path):
    (tmp_path / "run.json").write_text("{")
    shell.run_cell(f"from labkit.files import read_json\nread_json({str(tmp_path / 'run.json')!r})")
    shown = capsys.readouterr()
    text = (shown.out + shown.err).strip()
    assert text.startswith("LabError: ") and text.endswith("Delete it and run again.") and "\n" not in text


def test_an_error_of_somebody_elses_shows_its_stack(shell, capsys):
    shell.run_cell("1 / 0")
    shown = capsys.readouterr()
    assert "Traceback" in shown.out + shown.err and "ZeroDivisionError" in shown.out + shown.err


def test_a_warning_of_ours_is_one_line(made, capsys):
    start("x", data=made, device="cpu")
    assert warnings.formatwarning("3 clips left out.", LabWarning, "a.py", 7) == "note: 3 clips left out.\n"
    assert warnings.formatwarning("Old.", DeprecationWarning, "a.py", 7) == "DeprecationWarning: Old.\n"


def test_every_name_that_labkit_offers_is_what_it_says_whatever_was_imported_before():
    import importlib
    import inspect
    import pkgutil

    import labkit

    for module in pkgutil.iter_modules(labkit.__path__):  # a module of the same name would hide the function
        importlib.import_module(f"labkit.{module.name}")
    assert [name for name in labkit.__all__ if inspect.ismodule(getattr(labkit, name))] == []


def test_a_data_folder_that_holds_only_synthetic_speech_serves_it(made, tmp_path, monkeypatch, own_folders):
    import shutil

    from labkit import data as corpora

    folder = shutil.copytree(made, tmp_path / "data" / "synthetic_speech_commands")
    (folder / corpora.MARKER).write_text("made by a program")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("labkit.data.make", lambda folder, size: folder)
    found = corpora.find("speech_commands", str(tmp_path / "data"))
    assert found.synthetic and found.root == folder
    (tmp_path / "data" / "fsdd").mkdir()  # a corpus of other chapters, and the synthetic one is not made yet
    monkeypatch.setattr("labkit.data.make", lambda asked, size: folder)
    shutil.move(folder, tmp_path / "made")
    folder = tmp_path / "made"
    assert corpora.find("speech_commands", str(tmp_path / "data")).synthetic
