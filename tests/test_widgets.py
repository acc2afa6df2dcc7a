"""The panels, driven without a browser."""

import base64
import io
import threading

import matplotlib.figure
import pytest
from PIL import Image
from tiny import SPEAKERS, until

import labkit
from labkit import runs
from labkit.errors import LabError
from labkit.experiment import Experiment
from labkit.features import MFCC, LogMel
from labkit.models import Model
from labkit.plots import STAMP
from labkit.training import Recipe
from labkit.widgets import ExplorerPanel, TrainerPanel
from labkit.widgets.trainer import as_code

pytest_plugins = ["tiny"]
WIDGET = "application/vnd.jupyter.widget-view+json"
SMALL = Experiment(
    feature=MFCC(n_mels=20, deltas=0, seconds=0.5),
    model=Model("gru", hidden=8),
    recipe=Recipe(epochs=2, batch=16, rate=0.01),
)


@pytest.fixture
def lab(made, own_folders, monkeypatch):
    monkeypatch.setenv("LABKIT_FIGURES", str(made.parent / "figures"))
    return labkit.start("panels", data=made, device="cpu")


@pytest.fixture
def trainer(lab):
    return TrainerPanel(lab, SMALL)


class Gate:
    """Lets a training go on batch by batch: the first batch of `epoch` waits until the gate is opened."""

    def __init__(self, monkeypatch, epoch):
        self.reached, self.open = threading.Event(), threading.Event()
        watch = labkit.widgets.trainer.PanelWatch
        batch = watch.batch

        def waiting(this, number, done, total):
            if number == epoch:
                self.reached.set()
                assert self.open.wait(60)
            batch(this, number, done, total)

        monkeypatch.setattr(watch, "batch", waiting)


def size(png):
    return Image.open(io.BytesIO(png)).size


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_the_explorer_draws_the_clip_that_is_chosen(lab):
    panel = ExplorerPanel(lab)
    first = panel.figure
    assert isinstance(first, matplotlib.figure.Figure) and panel.clip.label == "fall"
    panel.controls["word"].value = "rise"
    assert panel.clip.label == "rise" and panel.figure is not first
    panel.controls["speaker"].value = SPEAKERS[10]
    assert panel.clip.speaker == SPEAKERS[10] and "(test part)" in panel.said and "'rise'" in panel.alt
    panel.controls["word"].value = "hold"
    assert panel.clip.speaker == SPEAKERS[10], "another word should keep the speaker"


def test_the_explorers_sliders_change_the_features(lab):
    panel = ExplorerPanel(lab, word="hold", speaker=SPEAKERS[0])
    panel.controls["window"].value = 80
    panel.controls["bands"].value = 20
    log_mel, mfcc = panel.features
    assert isinstance(log_mel, LogMel) and (log_mel.window, log_mel.n_mels, mfcc.n_mels) == (1280, 20, 20)
    assert "80 ms is 1280 samples" in panel.said and "20 mel bands" in panel.said
    image = next(ax for ax in panel.figure.axes if ax.get_title(loc="left") == "mel spectrogram").images[0]
    assert image.get_array().shape == (20, 51)  # half a second, a frame each 10 ms


def test_too_many_bands_for_a_window_become_a_note_in_the_panel(lab):
    panel = ExplorerPanel(lab)
    panel.controls["window"].value = 10
    panel.controls["bands"].value = 80
    assert "mel bands are empty" in panel.said


def test_a_clip_that_cannot_be_read_is_a_message_and_the_picture_stays(folder, own_folders):
    lab = labkit.start("panels", data=folder, device="cpu")
    panel = ExplorerPanel(lab, word="fall")
    before = panel.figure
    (folder / "hold" / f"{panel.clip.speaker}_nohash_0.wav").write_bytes(b"no sound")
    panel.controls["word"].value = "hold"
    assert "cannot be read as audio" in panel.said and panel.figure is before
    panel.controls["word"].value = "rise"
    assert "cannot be read" not in panel.said and panel.figure is not before


def test_the_explorer_plays_what_it_draws(lab):
    import soundfile

    panel = ExplorerPanel(lab, word="fall", speaker=SPEAKERS[2])
    samples, rate = soundfile.read(io.BytesIO(panel._sound.value))
    assert rate == 16_000 and len(samples) == 8_000


def test_an_unknown_word_or_speaker_is_named(lab):
    with pytest.raises(LabError, match="no label of .* called 'rice'. Did you mean 'rise'"):
        ExplorerPanel(lab, word="rice")
    with pytest.raises(LabError, match="no speaker who says 'rise' called 'Ana'"):
        ExplorerPanel(lab, word="rise", speaker="Ana")


def test_a_panel_shows_its_widget_and_a_picture_for_pages_without_a_kernel(lab):
    for panel in (ExplorerPanel(lab), TrainerPanel(lab, SMALL)):
        data, metadata = panel._repr_mimebundle_()
        assert WIDGET in data and panel.said in data["text/plain"]
        width, height = size(base64.b64decode(data["image/png"]))
        assert width > 700 and height > 250
        assert len(metadata["image/png"]["alt"]) > 20


def test_panels_on_synthetic_speech_are_stamped(made, own_folders, tmp_path):
    import shutil

    folder = shutil.copytree(made, tmp_path / "synthetic_tones")
    (folder / "SYNTHETIC.txt").write_text("made by a program")
    lab = labkit.start("panels", data=folder, device="cpu")
    for panel in (ExplorerPanel(lab), TrainerPanel(lab, SMALL)):
        assert STAMP in texts(panel.figure)
    assert STAMP not in texts(ExplorerPanel(labkit.start("panels", data=made, device="cpu")).figure)


def test_training_by_button_gives_a_run_a_curve_and_a_line_in_the_list(trainer):
    assert "press Train" in texts(trainer.figure)
    trainer.train.click()
    run = trainer.wait(60)
    assert trainer.error is None and len(run.history) == 2 and trainer.runs == [run]
    assert "validation accuracy" in trainer.said and "Trained" in trainer.said
    assert trainer.bar.value == trainer.bar.max
    loss, accuracy = trainer.figure.axes
    assert len(loss.lines[1].get_xdata()) == 2 and "2 epochs" in trainer.alt
    assert trainer.table().loc[1, ["model", "width", "epochs"]].tolist() == ["gru", 8, 2]


def test_the_same_settings_are_loaded_and_others_are_trained(trainer):
    trainer.train.click()
    first = trainer.wait(60)
    trainer.train.click()
    again = trainer.wait(60)
    assert again.id == first.id and len(trainer.runs) == 1 and "loaded" in trainer.said
    trainer.controls["model"].value = "lstm"
    trainer.controls["width"].value = 4
    trainer.controls["rate"].value = 0.02
    trainer.controls["epochs"].value = 1
    trainer.train.click()
    other = trainer.wait(60)
    assert other.experiment == SMALL.change(model=Model("lstm", hidden=4), recipe={"rate": 0.02, "epochs": 1})
    assert trainer.table().model.tolist() == ["gru", "lstm"]


def test_stop_keeps_what_was_learnt_and_train_goes_on(trainer, monkeypatch, lab):
    whole = runs.train(SMALL.change(seed=3), lab.data, lab.results.parent / "whole", "cpu").history
    trainer.base = SMALL.change(seed=3)
    gate = Gate(monkeypatch, epoch=2)
    trainer.train.click()
    until(gate.reached.is_set)
    trainer.stop.click()
    gate.open.set()
    assert trainer.wait(60) is None and trainer.runs == []
    assert "Stopped after epoch 1 of 2" in trainer.said
    assert len(trainer.figure.axes[0].lines[1].get_xdata()) == 1, "the curve of the first epoch should stay"
    trainer.train.click()
    run = trainer.wait(60)
    assert trainer.error is None
    same = ["train_loss", "validation_loss", "validation_accuracy"]
    assert run.history[same].to_dict() == whole[same].to_dict(), "the numbers should be those without a stop"


def test_stop_before_the_first_batch_is_over(trainer, monkeypatch):
    gate = Gate(monkeypatch, epoch=1)
    trainer.train.click()
    until(gate.reached.is_set)
    trainer.stop.click()
    gate.open.set()
    trainer.wait(60)
    assert "before the first epoch" in trainer.said and trainer.error is None
    trainer.train.click()
    assert trainer.wait(60) is not None


def test_train_pressed_twice_trains_once(trainer, monkeypatch):
    gate = Gate(monkeypatch, epoch=1)
    trainer.train.click()
    until(gate.reached.is_set)
    thread = trainer._thread
    trainer.train.click()
    assert "under way already" in trainer.said and trainer._thread is thread
    gate.open.set()
    trainer.wait(60)
    assert len(trainer.runs) == 1


def test_stop_without_training_says_so(trainer):
    trainer.stop.click()
    assert "Nothing is being trained" in trainer.said


@pytest.mark.parametrize(
    "name, value, words",
    [("width", 0, "width is 0"), ("epochs", -1, "epochs is -1"), ("rate", 0.0, "rate"), ("rate", float("nan"), "rate")],
)
def test_wrong_values_are_a_message_and_nothing_is_trained(trainer, name, value, words):
    trainer.controls[name].value = value
    assert words in trainer.said
    trainer.train.click()
    assert words in trainer.said and trainer._thread is None
    with pytest.raises(LabError):
        trainer.code  # noqa: B018


def test_a_training_that_fails_is_a_message(trainer, monkeypatch):
    def fail(*_, **__):
        raise MemoryError("no room")

    monkeypatch.setattr(runs, "train", fail)
    trainer.train.click()
    assert trainer.wait(60) is None
    assert "MemoryError: no room" in trainer.said and "Train again" in trainer.said


def test_a_loss_that_explodes_is_explained_in_the_panel(trainer):
    trainer.base = SMALL.change(recipe={"optimiser": "sgd", "clip_norm": None, "schedule": "constant"})
    trainer.controls["rate"].value = 1e38
    trainer.train.click()
    assert trainer.wait(60) is None
    assert "Lower the rate" in trainer.said and isinstance(trainer.error, LabError)


def test_the_code_makes_the_same_experiment(trainer):
    trainer.controls["model"].value = "rnn"
    trainer.controls["width"].value = 16
    for experiment in (trainer.experiment, Experiment(), SMALL.change(corpus={"labels": ("rise", "hold")}, seed=2)):
        words = {"labkit": labkit, "lab": Recorder()}
        exec(as_code(experiment), words)
        assert words["experiment"] == experiment and words["run"] == experiment
    assert trainer._code.value == trainer.code == as_code(trainer.experiment)


def test_a_trainer_may_learn_a_few_words_only(lab):
    panel = TrainerPanel(lab, SMALL, words=["rise", "hold"])
    panel.train.click()
    run = panel.wait(60)
    assert run.labels == ("rise", "hold") and "labels=('rise', 'hold')" in panel.code
    assert run.validation["chance"] == 0.5 and "50.0%" in panel._listed.value


class Recorder:
    def train(self, experiment):
        return experiment
