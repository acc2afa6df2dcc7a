"""The panel for any function that draws, and the panels of the notebooks, driven without a browser."""

import io
import math
import random

import chapters
import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
from test_widgets import SMALL, STAMP, WIDGET, texts

import labkit
from labkit.errors import LabError
from labkit.widgets import TinkerPanel

pytest_plugins = ["tiny"]
CALLS = []


@pytest.fixture
def lab(made, own_folders, monkeypatch):
    monkeypatch.setenv("LABKIT_FIGURES", str(made.parent / "figures"))
    return labkit.start("panels", data=made, device="cpu")


def decay(factor=0.5, frames=20, kind="power", shown=True, guess=3.0):
    """A function as a student would write it: what is left of a gradient."""
    CALLS.append((factor, frames, kind, shown, guess))
    if factor == 2.0:
        raise IndexError("it grows")
    figure, ax = plt.subplots()
    left = factor ** np.arange(frames)
    ax.plot(left if shown else left[:1], label=kind)
    return figure, f"{left[-1]:.3g} is left.", {"a tone": (left.astype(np.float32), 8000)}


CHOICES = {"factor": [0.5, 0.9, 2.0], "frames": range(5, 50, 5), "kind": ["power", "line"], "shown": [False, True]}


@pytest.fixture
def panel(lab):
    CALLS.clear()
    return TinkerPanel(lab, decay, units={"frames": "frames of 10 ms"}, **CHOICES)


def test_it_starts_with_the_functions_own_defaults_and_draws_what_the_controls_say(panel):
    assert panel.settings == {"factor": 0.5, "frames": 20, "kind": "power", "shown": True, "guess": 3.0}
    assert len(panel.figure.axes[0].lines[0].get_xdata()) == 20
    assert panel.said.startswith(
        "factor 0.5, frames 20 frames of 10 ms, kind power, shown on, guess 3. 1.91e-06 is left"
    )
    panel.controls["frames"].value, panel.controls["shown"].value = 45, False
    assert CALLS[-1] == (0.5, 45, "power", False, 3.0) and len(panel.figure.axes[0].lines[0].get_xdata()) == 1
    assert (
        panel.said.startswith("factor 0.5, frames 45 frames of 10 ms, kind power, shown off")
        and panel.alt == panel.said
    )
    assert f'alt="{panel.alt}"' in panel.picture.value


def test_numbers_are_sliders_words_are_lists_and_true_or_false_is_a_box(panel):
    kinds = {name: type(control).__name__ for name, control in panel.controls.items()}
    assert kinds == {
        "factor": "SelectionSlider", "frames": "SelectionSlider", "kind": "Dropdown", "shown": "Checkbox",
        "guess": "FloatText",
    }  # fmt: skip


def test_what_was_drawn_once_is_not_drawn_again(panel):
    first, picture = panel.figure, panel.picture.value
    panel.controls["factor"].value = 0.9
    count = len(CALLS)
    panel.controls["factor"].value = 0.5
    assert len(CALLS) == count and panel.figure is first and panel.picture.value == picture


def test_the_axes_stay_where_they_stand(panel):
    places = [ax.get_position().bounds for ax in panel.figure.axes]
    panel.controls["frames"].value = 5
    assert [ax.get_position().bounds for ax in panel.figure.axes] == places


def test_the_code_gives_the_same_picture(panel):
    panel.controls["kind"].value = "line"
    figure, seen, _ = eval(panel.code_view.value)
    plt.close(figure)
    assert seen in panel.said and CALLS[-1] == (0.5, 20, "line", True, 3.0)


def test_reset_goes_back_to_the_start_and_keeps_the_guess(panel):
    panel.controls["factor"].value, panel.controls["guess"].value = 0.9, 7.0
    panel.reset.click()
    assert panel.settings == {"factor": 0.5, "frames": 20, "kind": "power", "shown": True, "guess": 7.0}
    assert "guess 7" in panel.said


def test_a_function_that_fails_leaves_no_picture_of_other_settings(panel):
    before = panel.figure
    panel.controls["factor"].value = 2.0
    assert "IndexError: it grows" in panel.said and panel.figure is not before and not panel.figure.axes
    assert panel.players[0].layout.display == "none"
    panel.controls["factor"].value = 0.9
    assert "is left" in panel.said and panel.figure.axes


def test_its_sounds_can_be_heard(panel):
    samples, sample_rate = soundfile.read(io.BytesIO(panel.sounds[0].value))
    assert sample_rate == 8000 and len(samples) == 20 and panel.players[0].children[0].value == "a tone"
    assert panel.players[0].layout.display is None


def test_no_picture_is_left_for_the_next_cell_to_show(panel):
    panel.controls["frames"].value = 10
    assert plt.get_fignums() == []


def test_a_generator_makes_the_picture_grow(lab):
    def growing(steps=3):
        for step in range(1, steps + 1):
            shown.append(panel and panel.picture.value)
            figure, ax = plt.subplots()
            ax.plot(range(step))
            yield figure, f"step {step}."

    panel, shown = None, []
    panel = TinkerPanel(lab, growing, steps=[3, 5])
    assert panel.said == "steps 3. step 3."
    panel.controls["steps"].value = 5
    assert len(set(shown[3:])) == 5, "each piece was on the page before the next was made"
    assert panel.said == "steps 5. step 5." and len(panel.figure.axes[0].lines[0].get_xdata()) == 5


def test_a_choice_that_the_function_does_not_take_is_named(lab):
    with pytest.raises(LabError, match="no argument of decay called 'factors'. Did you mean 'factor'"):
        TinkerPanel(lab, decay, factors=[1])
    with pytest.raises(LabError, match=r"starts at factor=0.5, which is no choice"):
        TinkerPanel(lab, decay, factor=[1, 2])


def test_synthetic_speech_is_stamped_unless_the_picture_rests_on_records(lab):
    assert STAMP in texts(TinkerPanel(lab, decay, synthetic=True).figure)
    assert STAMP not in texts(TinkerPanel(lab, decay).figure)


@pytest.mark.slow
def test_train_this_one_opens_a_trainer_with_this_setting_which_asks_for_a_guess(lab):
    def such(factor, frames, kind, shown):
        return SMALL.change(recipe={"lr": factor / 100}, seed=frames)

    panel = TinkerPanel(lab, decay, such, **CHOICES)
    assert panel.trainer is None and panel.train in panel.rows()[1]
    panel.controls["factor"].value = 0.9
    panel.train.click()
    assert panel.trainer.experiment == such(0.9, 20, "power", True) and panel.below.children
    assert "First write your guess" in panel.trainer.said and panel.trainer.thread is None
    panel.trainer.controls["guess"].value = "50"
    panel.controls["factor"].value = 0.5
    panel.train.click()
    run = panel.trainer.wait(120)
    assert run.experiment == such(0.5, 20, "power", True)


def test_a_page_without_a_kernel_shows_its_picture(panel):
    data, metadata = panel._repr_mimebundle_()
    assert WIDGET in data and panel.said in data["text/plain"] and len(metadata["image/png"]["alt"]) > 20


def monkey(panel, moves, seed=0):
    """Move controls at random; after each move the caption is that of the settings, and the picture is theirs."""
    chance, seen = random.Random(seed), {}
    for _ in range(moves):
        name = chance.choice([*panel.controls, "reset"])
        control = panel.controls.get(name)
        if name == "reset":
            panel.reset.click()
        elif hasattr(control, "options"):
            control.index = chance.randrange(len(control.options))
        elif isinstance(control.value, bool):
            control.value = not control.value
        else:
            control.value = chance.choice([-1.0, 0.0, 50.0, 1e9])
        labels = {name: getattr(control, "label", None) for name, control in panel.controls.items()}
        for name, value in panel.settings.items():
            word = labels[name] or (("off", "on")[value] if isinstance(value, bool) else f"{value:g}")
            assert f"{name.replace('_', ' ')} {word}" in panel.said, (name, value, panel.said)
        assert panel.alt == panel.said and panel.code_view.value.count("=") == len(panel.settings)
        key = tuple(panel.settings.values())
        assert seen.setdefault(key, panel.said) == panel.said, "the same settings say the same"
        yield key


@pytest.mark.slow
@pytest.mark.parametrize("moves", [80, pytest.param(500, marks=pytest.mark.weekly)])
def test_random_moves_leave_no_error_and_no_wrong_caption(moves, panel):
    for factor, frames, kind, shown, _ in monkey(panel, moves):
        if factor == 2.0:
            assert "it grows" in panel.said
            continue
        (line,) = panel.figure.axes[0].lines
        assert line.get_label() == kind and len(line.get_xdata()) == (frames if shown else 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in chapters.LONG else [pytest.mark.weekly]) for name in chapters.SHORTER],
)
def test_the_panel_of_each_notebook_survives_random_moves(name, own_folders, monkeypatch, tmp_path, request):
    monkeypatch.setenv("LABKIT_FIGURES", str(tmp_path))
    monkeypatch.setenv("LABKIT_DATA", "synthetic")
    panel = chapters.panel(name)  # it is drawn
    request.getfixturevalue("unseen")
    keys = set()
    for key in monkey(panel, chapters.MOVES):
        assert "<b>Note" not in panel.message.value and panel.figure.axes, panel.said
        keys.add(key)
    fresh = panel.function(**panel.settings)
    *_, (figure, words, *_) = fresh if hasattr(fresh, "__next__") else [fresh]
    plt.close(figure)
    assert words in panel.said, "the caption is what the function says of these settings"
    possible = math.prod(len(getattr(control, "options", (False, True))) for control in panel.controls.values())
    assert len(keys) > min(chapters.MOVES, 40, possible) // 4


@pytest.mark.slow
def test_ones_own_voice_can_be_the_tested_one(own_folders, monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_FIGURES", str(tmp_path))
    monkeypatch.setenv("LABKIT_DATA", "synthetic")
    monkeypatch.setattr("labkit.data.recordings.yours", lambda labels: mine)
    corpus = labkit.start("own", corpus="audiomnist").data
    mine = corpus.with_clips(corpus.clips[corpus.clips.split == "test"].head(20))
    panel = chapters.panel("06_voice_mnist")
    panel.controls["tested"].value, panel.controls["voices"].value = "you", 1
    assert "2 network(s)" in panel.said and "of section 4, seed" in panel.said
