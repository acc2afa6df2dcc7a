"""The trainer panel, driven without a browser."""

import dataclasses
import multiprocessing
import sys

import gated
import pytest
import torch
from tiny import program, until

import labkit
from labkit.errors import LabError
from labkit.experiments import records
from labkit.experiments import run as runs
from labkit.experiments.experiment import Experiment
from labkit.features import MFCC, LogMel
from labkit.models import MODELS, Model, register
from labkit.training.recipe import Recipe
from labkit.widgets import TrainerPanel
from labkit.widgets import trainer as trainers
from labkit.widgets.comparison import compared
from labkit.widgets.controls import as_code

pytest_plugins = ["tiny"]
SMALL = Experiment(
    feature=MFCC(n_mels=20, deltas=0, seconds=0.5),
    model=Model("gru", hidden=8),
    recipe=Recipe(epochs=2, batch=16, lr=0.01),
)
BATCHES = 3  # of one epoch of the tiny corpus
NUMBERS = ["train_loss", "validation_loss", "validation_accuracy"]


@pytest.fixture(scope="module", autouse=True)
def idle_processes_end():
    yield
    for process in multiprocessing.active_children():  # their memory is free for other tests
        process.kill()


@pytest.fixture(autouse=True)
def gated_is_a_model(monkeypatch):
    monkeypatch.setitem(MODELS, "gated", gated.Gated)


@pytest.fixture
def lab(made, own_folders, monkeypatch):
    monkeypatch.setenv("LABKIT_FIGURES", str(made.parent / "figures"))
    return labkit.start("panels", data=made, device="cpu")


@pytest.fixture
def trainer(lab):
    return TrainerPanel(lab, SMALL, guess=0.8)


@pytest.fixture(autouse=True)
def unseen_but_once(request):
    """One test draws all that a trainer shows; the others look at the figures, not at the pixels."""
    if request.function is not test_training_by_button_gives_a_run_a_curve_a_line_in_the_table_and_a_dot_in_the_chart:
        request.getfixturevalue("unseen")


@pytest.fixture
def gate(tmp_path):
    return gated.Gate(tmp_path / "gate")


def waiting(gate, **changes):
    """An experiment whose training waits at a gate."""
    return SMALL.change(model=Model("gated", gate=str(gate)), **changes)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


@pytest.mark.slow
def test_training_by_button_gives_a_run_a_curve_a_line_in_the_table_and_a_dot_in_the_chart(trainer):
    assert "press Train" in texts(trainer.figure)
    trainer.train.click()
    run = trainer.wait(120)
    assert trainer.error is None and len(run.history) == 2 and trainer.runs == [run]
    assert "validation accuracy" in trainer.said and "Trained" in trainer.said and "your guess was 80%" in trainer.said
    assert trainer.bar.value == trainer.bar.max
    loss, accuracy = trainer.figure.axes
    assert len(loss.lines[1].get_xdata()) == 2 and "2 epochs" in trainer.alt
    assert trainer.table.loc[1, ["model", "epochs"]].tolist() == ["gru", 2]
    assert "hidden=8" in trainer.table.settings[1] and "hidden=8" in trainer.table_view.value
    assert "Validation part of tiny, split: its own lists" in trainer.table_view.value
    assert [label.get_text() for label in trainer.chart.axes[0].get_yticklabels()] == ["1: gru"]
    assert 'alt="The runs' in trainer.chart_view.value and 'alt="Training curves of gru' in trainer.picture.value


def test_where_classes_are_uneven_balanced_accuracy_comes_first(trainer):
    trainer.train.click()
    run = trainer.wait(120)
    assert "validation_accuracy" in trainer.table and "validation accuracy" in repr(run)
    run.validation["majority"] = 0.9
    table, html, chart = compared([run])
    assert table.validation_balanced_accuracy[1] == run.validation["balanced_accuracy"]
    assert "validation_balanced_accuracy" in html and "balanced accuracy" in chart.axes[0].get_xlabel()
    assert f"validation balanced accuracy {run.validation['balanced_accuracy']:.1%} (accuracy" in repr(run)
    columns = list(records.table([run]))
    assert columns.index("balanced_accuracy") < columns.index("accuracy")


@pytest.mark.slow
def test_the_same_settings_are_loaded_and_others_are_trained(trainer):
    trainer.train.click()
    first = trainer.wait(120)
    trainer.train.click()
    again = trainer.wait(120)
    assert again.id == first.id and len(trainer.runs) == 1 and "loaded" in trainer.said
    trainer.controls["model"].value = "lstm"
    trainer.controls["model.hidden"].value = 4
    trainer.controls["recipe.lr"].value = 0.02
    trainer.controls["recipe.epochs"].value = 1
    trainer.train.click()
    other = trainer.wait(120)
    assert other.experiment == SMALL.change(model=Model("lstm", hidden=4), recipe={"lr": 0.02, "epochs": 1})
    assert trainer.table.model.tolist() == ["gru", "lstm"] and len(trainer.chart.axes[0].get_yticklabels()) == 2


def test_a_slider_moves_its_number_and_follows_as_far_as_its_range_goes(trainer):
    lr, epochs = trainer.controls["recipe.lr"], trainer.controls["recipe.epochs"]
    lr.slider.value = 0.000123
    assert lr.value == 0.00012 and trainer.experiment.recipe.lr == 0.00012 and "lr': 0.00012" in trainer.code_view.value
    lr.value = 0.01234
    assert lr.slider.value == 0.01234 and lr.value == 0.01234, "what was typed is not rounded"
    lr.value = 1e38
    assert lr.slider.value == 1.0 and lr.value == 1e38
    epochs.slider.value = 7.9
    assert epochs.value == 8 and trainer.experiment.recipe.epochs == 8
    trainer.controls["model.dropout"].slider.value = 0.35
    assert dict(trainer.experiment.model.options)["dropout"] == 0.35
    above = [path for path, control in trainer.controls.items() if getattr(control, "beside", None)]
    assert {"recipe.lr", "recipe.epochs", "recipe.batch", "model.hidden", "model.dropout"} <= set(above)


@pytest.mark.slow
def test_a_run_is_tested_by_a_second_click_only(trainer):
    trainer.test.click()
    assert "no run to test" in trainer.said
    trainer.train.click()
    run = trainer.wait(120)
    trainer.test.click()
    assert not run.tested and "press Test again" in trainer.said and "Is run 1 the one" in trainer.said
    trainer.test.click()
    assert run.tested and f"Test of run 1: accuracy {run.test()['accuracy']:.1%}" in trainer.said
    trainer.controls["recipe.lr"].value = 0.02
    trainer.train.click()
    other = trainer.wait(120)
    trainer.test.click()
    assert not other.tested and "Is run 2 the one" in trainer.said, "another run is asked for anew"


@pytest.mark.slow
def test_two_runs_are_compared_by_what_differs(trainer):
    trainer.train.click()
    trainer.wait(120)
    assert "What changed" not in trainer.said
    trainer.controls["recipe.lr"].value, trainer.controls["recipe.epochs"].value = 0.02, 1
    trainer.train.click()
    trainer.wait(120)
    assert trainer.table.changed.tolist() == ["", "epochs 2 to 1, lr 0.01 to 0.02"]
    assert "What changed: epochs 2 to 1, lr 0.01 to 0.02; run 2 minus run 1: " in trainer.said
    assert len(trainer.figure.axes[1].lines) > 3, "the earlier curve is there, in grey"


def test_every_model_and_every_feature_shows_its_own_settings(trainer):
    for name in sorted(MODELS):
        trainer.controls["model"].value = name
        mine = {path.partition(".")[2] for path in trainer.controls if path.startswith("model.")}
        assert mine == set(Model(name).full)
    trainer.controls["feature"].value = "log_mel"
    assert "feature.n_mfcc" not in trainer.controls and trainer.controls["feature.n_mels"].value == 20
    trainer.controls["feature"].value = "mfcc"
    assert trainer.controls["feature.n_mfcc"].value == 13


def test_a_model_that_comes_back_has_the_inputs_it_had(trainer):
    """Each input made anew would keep its elements on the page for as long as the page lives."""
    before = dict(trainer.controls)
    for name in ("word_cnn", "lstm", before["model"].value):
        trainer.controls["model"].value = name
    assert trainer.controls == before


@pytest.mark.parametrize(
    "path, typed, part, setting, value",
    [
        ("model.bidirectional", True, "model", "bidirectional", True),
        ("model.readout", "last", "model", "readout", "last"),
        ("feature.seconds", "none", "feature", "seconds", None),
        ("feature.n_fft", "1024", "feature", "n_fft", 1024),
        ("recipe.optimiser", "sgd", "recipe", "optimiser", "sgd"),
        ("recipe.clip_norm", "1.5", "recipe", "clip_norm", 1.5),
        ("recipe.class_weights", True, "recipe", "class_weights", True),
    ],
)
def test_each_kind_of_input_becomes_its_setting(trainer, path, typed, part, setting, value):
    trainer.controls[path].value = typed
    assert trainer.experiment == SMALL.change(**{part: {setting: value}})


def test_an_augmentation_and_a_tuple_can_be_typed(trainer):
    trainer.controls["augmentation.shift"].value = 0.1
    assert trainer.experiment.recipe.augmentation.shift == 0.1
    trainer.controls["feature"].value = "log_mel"
    trainer.controls["model"].value = "mel_cnn"
    trainer.controls["model.channels"].value = "4, 8"
    assert dict(trainer.experiment.model.options)["channels"] == (4, 8)


def test_a_panel_starts_from_any_experiment(lab):
    experiment = SMALL.change(
        model=Model("lstm", bidirectional=True, readout="ends"),
        feature=MFCC(top_db=80.0, seconds=None),
        recipe={"clip_norm": None, "schedule": "cosine"},
        split={"protocol": "by_speaker"},
        seed=3,
    )
    assert TrainerPanel(lab, experiment).experiment == experiment
    image = SMALL.change(model=Model("mel_cnn", channels=(4, 4)), feature=LogMel(seconds=0.5))
    assert TrainerPanel(lab, image).experiment == image


@pytest.mark.slow
def test_stop_keeps_what_was_learnt_and_resume_goes_on_to_the_same_numbers(lab, gate):
    experiment = waiting(gate)
    panel = TrainerPanel(lab, experiment, guess=0.5)
    assert panel.resume.disabled
    panel.train.click()
    gate.open(*range(1, BATCHES + 1))
    gate.reached(BATCHES + 1)
    panel.stop.click()
    gate.open()
    assert panel.wait(120) is None and panel.runs == []
    assert "Stopped after epoch 1 of 2" in panel.said and not panel.resume.disabled
    assert len(panel.figure.axes[0].lines[1].get_xdata()) == 1, "the curve of the first epoch should stay"
    panel.controls["recipe.lr"].value = 0.5  # Resume goes on with the training that was stopped
    panel.resume.click()
    run = panel.wait(120)
    assert panel.error is None and panel.resume.disabled and panel.controls["recipe.lr"].value == 0.01
    whole = runs.train(experiment, lab.data, lab.results.parent / "whole", "cpu").history
    assert run.history[NUMBERS].to_dict() == whole[NUMBERS].to_dict(), "the numbers should be those without a stop"


def test_train_with_the_same_settings_goes_on_too(lab, gate):
    panel = TrainerPanel(lab, waiting(gate), guess=0.5)
    panel.train.click()
    gate.open(*range(1, BATCHES + 1))
    gate.reached(BATCHES + 1)
    panel.stop.click()
    gate.open()
    panel.wait(120)
    for file in gate.folder.iterdir():
        file.unlink()
    gate.open()
    panel.train.click()
    assert len(panel.wait(120).history) == 2
    assert not (gate.folder / f"reached {BATCHES + 1}").exists(), "only the second epoch was left to train"


def test_stop_before_the_first_batch_is_over(lab, gate):
    panel = TrainerPanel(lab, waiting(gate), guess=0.5)
    panel.train.click()
    gate.reached(1)
    panel.stop.click()
    gate.open()
    panel.wait(120)
    assert "before the first epoch" in panel.said and panel.error is None and panel.run is None
    assert list(lab.results.rglob("run.json")) == []
    panel.resume.click()
    assert panel.wait(120) is not None


def test_train_pressed_twice_trains_once(lab, gate):
    panel = TrainerPanel(lab, waiting(gate), guess=0.5)
    panel.train.click()
    gate.reached(1)
    thread = panel.thread
    panel.train.click()
    assert "under way already" in panel.said and panel.thread is thread
    panel.resume.click()
    assert "under way already" in panel.said and panel.thread is thread
    gate.open()
    panel.wait(120)
    assert len(panel.runs) == 1


def test_stop_without_training_says_so(trainer):
    trainer.stop.click()
    assert "Nothing is being trained" in trainer.said
    trainer.resume.click()
    assert "No training was interrupted" in trainer.said


@pytest.mark.slow
def test_a_guess_is_asked_for_before_the_first_training_and_drawn_beside_it(lab):
    panel = TrainerPanel(lab, SMALL)
    panel.train.click()
    assert "First write your guess" in panel.said and panel.thread is None
    panel.controls["guess"].value = "a lot"
    assert "number from 0 to 100" in panel.said
    panel.train.click()
    assert panel.thread is None
    panel.controls["guess"].value = "70 %"
    panel.train.click()
    panel.wait(120)
    assert panel.guess == 0.7 and panel.controls["guess"].disabled, "it may not be mended afterwards"
    assert "your guess" in texts(panel.figure) and "your guess was 70%" in panel.said
    assert any("guess: 70%" in line.get_label() for line in panel.chart.axes[0].lines)


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("model.hidden", 0, "hidden of the model 'gru' cannot be 0"),
        ("model.readout", "first", "readout called 'first'"),
        ("recipe.epochs", -1, "Recipe.epochs cannot be -1"),
        ("recipe.lr", 0.0, "lr"),
        ("recipe.lr", float("nan"), "lr"),
        ("recipe.optimiser", "adamx", "optimiser called 'adamx'"),
        ("feature.seconds", "long", "seconds"),
        ("feature", "log_mel", "'mfcc'"),
    ],
)
def test_wrong_values_are_a_message_and_nothing_is_trained(trainer, name, value, words):
    trainer.controls[name].value = value
    assert words in trainer.said
    trainer.train.click()
    assert words in trainer.said and trainer.thread is None
    assert trainer.code_view.value == ""


def test_checking_the_size_of_a_network_draws_no_random_number(trainer):
    torch.manual_seed(5)
    trainer.controls["model.hidden"].value = 11
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))


def test_the_message_says_how_large_the_network_is(trainer):
    trainer.train.click()
    run = trainer.wait(120)
    trainer.controls["seed"].value = 1
    assert f"gru with {run.record['parameters']:,} parameters" in trainer.said


def test_a_training_that_fails_is_a_message_and_the_next_one_works(trainer):
    trainer.base = SMALL.change(recipe={"optimiser": "sgd", "clip_norm": None, "schedule": "constant"})
    for path, value in (("optimiser", "sgd"), ("clip_norm", "none"), ("schedule", "constant"), ("lr", 1e38)):
        trainer.controls[f"recipe.{path}"].value = value
    trainer.train.click()
    assert trainer.wait(120) is None
    assert "Lower the learning rate" in trainer.said and isinstance(trainer.error, LabError)
    assert trainer.bar.bar_style == "danger" and list(trainer.lab.results.rglob("run.json")) == []
    trainer.controls["recipe.lr"].value = 0.01
    trainer.train.click()
    assert trainer.wait(120) is not None and trainer.error is None


@pytest.mark.slow
def test_cells_that_draw_random_numbers_meanwhile_change_nothing(lab, gate):
    experiment = waiting(gate)
    panel = TrainerPanel(lab, experiment, guess=0.5)
    panel.train.click()
    for step in range(1, 2 * BATCHES + 1):
        gate.reached(step)
        torch.rand(1000)  # what a cell of the notebook may do; the model has dropout
        gate.open(step)
    run = panel.wait(120)
    alone = runs.train(experiment, lab.data, lab.results.parent / "alone", "cpu").history
    assert run.history[NUMBERS].to_dict() == alone[NUMBERS].to_dict()


@pytest.mark.slow
def test_two_panels_train_side_by_side_and_do_not_disturb_each_other(lab, tmp_path):
    gates = [gated.Gate(tmp_path / name) for name in ("one", "other")]
    panels = [TrainerPanel(lab, waiting(gate), guess=0.5) for gate in gates]
    for panel in panels:
        panel.train.click()
    for step in range(1, 2 * BATCHES + 1):  # step by step in turns
        for gate in gates:
            gate.reached(step)
        for gate in gates:
            gate.open(step)
    histories = [panel.wait(120).history[NUMBERS].to_dict() for panel in panels]
    assert histories[0] == histories[1], "the experiments differ in nothing but the gate"


@pytest.mark.slow
def test_a_model_written_in_the_notebook_is_trained_and_the_panel_says_where(lab, monkeypatch):
    monkeypatch.setitem(MODELS, "mine", None)

    @register("mine")
    class Mine(gated.Gated):
        pass

    here = gated.trained_here(monkeypatch)
    panel = TrainerPanel(lab, SMALL.change(model=Model("mine")), guess=0.5)
    panel.train.click()
    assert panel.wait(120) is not None, panel.said
    assert "written in the notebook" in panel.said and here == ["mine"]


def test_a_corpus_that_was_changed_in_the_notebook_is_trained_on_in_the_other_process_too(lab, monkeypatch):
    here = gated.trained_here(monkeypatch)
    fewer = dataclasses.replace(lab, data=lab.data.only(clips_per_label=5))
    panel = TrainerPanel(fewer, SMALL, guess=0.5)
    panel.train.click()
    run = panel.wait(120)
    assert run.record["clips"]["train"] == 15 and "written in the notebook" not in panel.said
    assert here == []


@pytest.mark.slow
def test_a_process_that_is_killed_is_a_message_and_resume_goes_on(lab, gate):
    panel = TrainerPanel(lab, waiting(gate), guess=0.5)
    panel.train.click()
    gate.open(*range(1, BATCHES + 1))
    gate.reached(BATCHES + 1)
    panel.process.process.kill()
    panel.wait(120)
    assert "has ended" in panel.said and "Resume" in panel.said and not panel.resume.disabled
    gate.open()
    panel.resume.click()
    assert len(panel.wait(120).history) == 2


KERNEL = """
import os, sys
import gated, labkit
from labkit.widgets import TrainerPanel
from test_widgets_trainer import waiting

if __name__ == "__main__":
    gated.known()
    lab = labkit.start("panels", data=sys.argv[1], device="cpu")
    panel = TrainerPanel(lab, waiting(sys.argv[2]), guess=0.5)
    panel.train.click()
    panel.wait()
"""


@pytest.mark.slow
@pytest.mark.weekly  # as in a browser, in test_browser_panels.py
def test_after_a_restart_of_the_kernel_the_panel_says_what_was_interrupted_and_goes_on(lab, made, gate):
    kernel = program(KERNEL, made, gate, wait=False)
    gate.open(*range(1, BATCHES + 1))
    gate.reached(BATCHES + 1)
    kernel.kill()
    kernel.communicate()
    panel = None

    def offered():
        nonlocal panel
        panel = TrainerPanel(lab, SMALL, guess=0.5)
        return not panel.resume.disabled

    until(offered)  # as soon as the training process noticed that its kernel has gone
    assert "interrupted after 1 of 2 epochs" in panel.said and "press Resume" in panel.said
    assert list(lab.results.rglob("run.json")) == []
    gate.open()
    panel.resume.click()
    run = panel.wait(120)
    assert run.experiment == waiting(gate) and panel.controls["model"].value == "gated"
    assert TrainerPanel(lab, SMALL).resume.disabled


@pytest.mark.slow
def test_a_training_under_way_elsewhere_is_not_offered(lab, gate):
    one = TrainerPanel(lab, waiting(gate), guess=0.5)
    one.train.click()
    gate.reached(1)
    assert TrainerPanel(lab, SMALL).resume.disabled
    gate.open()
    one.wait(120)


def test_the_code_makes_the_same_experiment(trainer):
    trainer.controls["model"].value = "rnn"
    trainer.controls["model.hidden"].value = 16
    trainer.controls["augmentation.gain"].value = 3.0
    for experiment in (trainer.experiment, Experiment(), SMALL.change(corpus={"labels": ("rise", "hold")}, seed=2)):
        words = {"labkit": labkit, "lab": Recorder()}
        exec(as_code(experiment), words)
        assert words["experiment"] == experiment and words["run"] == experiment
    assert trainer.code_view.value == as_code(trainer.experiment)


@pytest.mark.slow
def test_a_trainer_may_learn_a_few_words_only(lab):
    panel = TrainerPanel(lab, SMALL, words=["rise", "hold"], guess=0.5)
    panel.train.click()
    run = panel.wait(120)
    assert run.labels == ("rise", "hold") and "corpus={'labels': ['rise', 'hold']}" in panel.code_view.value
    assert run.validation["chance"] == 0.5 and "50.0%" in panel.table_view.value


def test_all_settings_of_an_experiment_have_an_input(trainer):
    for part, settings in (("recipe", Recipe()), ("augmentation", Recipe().augmentation), ("feature", MFCC())):
        names = {field.name for field in dataclasses.fields(settings)} - {"augmentation"}
        assert names == {path.partition(".")[2] for path in trainer.controls if path.startswith(f"{part}.")}


class Recorder:
    def train(self, experiment):
        return experiment


@pytest.mark.slow
def test_try_more_searches_shows_the_winner_and_adds_to_its_trials(lab, monkeypatch):
    monkeypatch.setattr(trainers, "MORE", 2)
    panel = TrainerPanel(lab, SMALL)
    panel.more.click()
    assert "First write your guess" in panel.said and panel.thread is None
    panel.controls["guess"].value = "50"
    panel.more.click()
    run = panel.wait(120)
    assert panel.error is None and f"{run.searched} on 18 clips" in panel.said, panel.said
    assert "(the best of 2 trials, 0 of them stopped early)" in panel.said and "your guess was 50%" in panel.said
    assert (
        panel.experiment == run.experiment and run.experiment != SMALL and len(list(lab.results.rglob("run.json"))) == 2
    )
    recipe = run.experiment.recipe
    assert 0.001 <= recipe.lr <= 0.1 and 1e-5 <= recipe.weight_decay <= 0.3 and run.experiment.model == SMALL.model
    panel.more.click()
    again = panel.wait(120)
    assert again.record["search"]["trials"] == 4 and "the best of 4 trials" in panel.said
    assert not list(lab.results.rglob("test*"))
    panel.test.click()
    panel.test.click()
    assert f"Test of run {len(panel.runs)} (the best of 4 trials" in panel.said
    panel.controls["model.hidden"].value = 4
    panel.more.click()
    assert panel.wait(120).record["search"]["trials"] == 2, "around other settings it is another search"


@pytest.mark.slow
def test_stop_ends_a_search_and_keeps_its_trials(lab, gate, monkeypatch):
    monkeypatch.setattr(trainers, "MORE", 3)
    panel = TrainerPanel(lab, waiting(gate), guess=0.5)
    panel.more.click()
    gate.open(*range(1, BATCHES + 1))
    gate.reached(BATCHES + 1)
    assert panel.said.startswith("Trial 1 of 3. Epoch 1: training loss")
    panel.stop.click()
    gate.open()
    assert panel.wait(120) is None and "Stopped after epoch 1 of 2" in panel.said and panel.error is None
    panel.more.click()
    run = panel.wait(120)
    assert run.record["search"] == {"trials": 3, "stopped_early": 0}
    assert len(list(lab.results.rglob("run.json"))) == 3, "the first trial went on, and two others were made"


def test_a_search_without_optuna_is_a_message(lab, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    panel = TrainerPanel(lab, SMALL, guess=0.5)
    panel.more.click()
    panel.wait(120)
    assert "A search needs Optuna, which is not here. Type `python -m pip install optuna`." in panel.said
