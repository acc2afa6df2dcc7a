"""The panels, driven without a browser."""

import base64
import io

import matplotlib.figure
import pytest
from PIL import Image
from tiny import SPEAKERS

import labkit
from labkit.errors import LabError
from labkit.experiments.experiment import Experiment
from labkit.features import MFCC, LogMel
from labkit.models import Model
from labkit.plots import STAMP
from labkit.training.recipe import Recipe
from labkit.widgets import ConfusionsPanel, ExplorerPanel, GatesPanel, RecorderPanel, TrainerPanel

pytest_plugins = ["tiny"]
WIDGET = "application/vnd.jupyter.widget-view+json"
SMALL = Experiment(
    feature=MFCC(n_mels=20, deltas=0, seconds=0.5),
    model=Model("gru", hidden=8),
    recipe=Recipe(epochs=2, batch=16, lr=0.01),
)


@pytest.fixture
def lab(made, own_folders, monkeypatch):
    monkeypatch.setenv("LABKIT_FIGURES", str(made.parent / "figures"))
    return labkit.start("panels", data=made, device="cpu")


@pytest.fixture(autouse=True)
def unseen_but_where_drawing_is_asked_for(request):
    if request.function not in (
        test_a_panel_shows_its_widget_and_a_picture_for_pages_without_a_kernel,
        test_all_names_of_controls_and_pictures_are_texts_a_screen_reader_can_say,
        test_panels_on_synthetic_speech_are_stamped,
    ):
        request.getfixturevalue("unseen")


def size(png):
    return Image.open(io.BytesIO(png)).size


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_explorers_sliders_change_the_features(lab):
    panel = ExplorerPanel(lab, word="hold", speaker=SPEAKERS[0])
    panel.controls["window"].value = 80
    panel.controls["bands"].value = 20
    log_mel, mfcc = panel.features
    assert isinstance(log_mel, LogMel) and (log_mel.window, log_mel.n_mels, mfcc.n_mels) == (1280, 20, 20)
    assert "80 ms is 1280 samples" in panel.said and "20 mel bands" in panel.said
    image = next(ax for ax in panel.figure.axes if ax.get_title(loc="left") == "mel spectrogram").images[0]
    assert image.get_array().shape == (20, 51)  # half a second, a frame each 10 ms


@pytest.mark.slow
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
    samples, sample_rate = soundfile.read(io.BytesIO(panel.sounds[0].value))
    assert sample_rate == 16_000 and len(samples) == 8_000


def test_an_unknown_word_or_speaker_is_named(lab):
    with pytest.raises(LabError, match="no label of .* called 'rice'. Did you mean 'rise'"):
        ExplorerPanel(lab, word="rice")
    with pytest.raises(LabError, match="no speaker who says 'rise' called 'Ana'"):
        ExplorerPanel(lab, word="rise", speaker="Ana")


@pytest.mark.slow
def test_a_panel_shows_its_widget_and_a_picture_for_pages_without_a_kernel(lab, trained):
    for panel in (ExplorerPanel(lab), TrainerPanel(lab, SMALL), ConfusionsPanel(lab, trained), RecorderPanel(lab)):
        data, metadata = panel._repr_mimebundle_()
        assert WIDGET in data and panel.said in data["text/plain"]
        width, height = size(base64.b64decode(data["image/png"]))
        assert width > 450 and height > 140
        assert len(metadata["image/png"]["alt"]) > 20


@pytest.mark.slow
def test_panels_on_synthetic_speech_are_stamped(made, own_folders, tmp_path):
    import shutil

    folder = shutil.copytree(made, tmp_path / "synthetic_tones")
    (folder / "SYNTHETIC.txt").write_text("made by a program")
    lab = labkit.start("panels", data=folder, device="cpu")
    for panel in (ExplorerPanel(lab), TrainerPanel(lab, SMALL)):
        assert STAMP in texts(panel.figure)
    assert STAMP not in texts(ExplorerPanel(labkit.start("panels", data=made, device="cpu")).figure)


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory):
    """A run on the tiny corpus, tested; a short training, so that it makes mistakes."""
    from labkit.data.speech_commands import load
    from labkit.experiments import run as runs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        run = runs.train(SMALL.change(recipe={"epochs": 1}), load(made), tmp_path_factory.mktemp("runs"))
        run.test()
    return run


@pytest.mark.slow
def test_the_explorer_shows_other_corpora_of_the_data_folder(lab, folder, tmp_path, monkeypatch):
    import shutil

    data = tmp_path / "data"
    shutil.copytree(folder / "hold", data / "recordings" / "hold")
    for path in sorted((data / "recordings" / "hold").glob("*.wav")):
        path.rename(path.with_name(f"ana_{path.name}"))
    (data / "speech_commands").mkdir()  # empty: it cannot be read
    monkeypatch.setenv("LABKIT_DATA", str(data))
    panel = ExplorerPanel(lab, word="hold")
    assert panel.controls["corpus"].options == ("tiny", "speech_commands", "recordings")
    panel.controls["corpus"].value = "recordings"
    assert panel.clip.speaker == "ana" and panel.clip.label == "hold" and "'hold' by speaker ana" in panel.said
    panel.controls["corpus"].value = "speech_commands"
    assert "speech_commands" in panel.said and panel.controls["corpus"].value == "recordings"
    panel.controls["corpus"].value = "tiny"
    assert panel.controls["word"].options == lab.data.labels and panel.clip.speaker in SPEAKERS


def test_a_click_on_a_cell_shows_and_plays_its_clips(lab, trained):
    import soundfile

    panel = ConfusionsPanel(lab, trained)
    table = trained.confusion("validation")
    assert panel.matrix.labels == list(trained.labels) and panel.matrix.counts == table.to_numpy().tolist()
    said, heard = divmod(int(table.to_numpy().argmax()), len(table))
    panel.matrix.chosen = [said, heard]
    clips = panel.clips
    assert len(clips) == table.iloc[said, heard] and clips.confidence.is_monotonic_decreasing
    assert set(clips.label) == {table.index[said]} and set(clips.predicted) == {table.columns[heard]}
    assert panel.controls["said"].value == table.index[said] and panel.controls["heard"].value == table.columns[heard]
    shown = panel.shown
    for clip, sound in zip(shown.itertuples(), panel.sounds, strict=False):
        samples, sample_rate = soundfile.read(io.BytesIO(sound.value))
        assert abs(samples - soundfile.read(trained.corpus.root / clip.path)[0]).max() < 1e-3
    assert len(panel.figure.axes[1].images) + sum(len(ax.images) for ax in panel.figure.axes) >= len(shown)
    assert f"clips 1 to {len(shown)} of {len(clips)}" in panel.said


def test_the_confusions_start_at_the_worst_mistake_and_know_empty_cells(lab, trained):
    panel = ConfusionsPanel(lab, trained)
    table = trained.confusion("validation").to_numpy()
    said, heard = panel.matrix.chosen
    wrong = [table[i, j] for i in range(3) for j in range(3) if i != j]
    assert said != heard and table[said, heard] == max(wrong) > 0
    empty = next([i, j] for i in range(3) for j in range(3) if table[i, j] == 0)
    panel.matrix.chosen = empty
    assert panel.clips.empty and "No clip of" in panel.said and "Click another" in panel.said
    panel.matrix.chosen = [7, 0]
    assert panel.clips.empty, "a cell that does not exist is left alone"


@pytest.mark.slow
def test_cells_are_chosen_by_name_too_and_long_ones_are_turned_over(lab, trained):
    panel = ConfusionsPanel(lab, trained)
    table = trained.confusion("validation").to_numpy()
    said, heard = divmod(int(table.argmax()), len(table))
    panel.controls["said"].value, panel.controls["heard"].value = trained.labels[said], trained.labels[heard]
    assert panel.matrix.chosen == [said, heard] and len(panel.clips) > 4 and panel.controls["earlier"].disabled
    first = list(panel.shown.path)
    panel.controls["later"].click()
    assert not set(first) & set(panel.shown.path) and not panel.controls["earlier"].disabled
    panel.controls["later"].click()
    panel.controls["earlier"].click()
    panel.controls["earlier"].click()
    assert list(panel.shown.path) == first


@pytest.mark.slow
def test_confusions_never_test_a_run_by_looking(lab, made, tmp_path, trained):
    from labkit.data.speech_commands import load
    from labkit.experiments import run as runs

    run = runs.train(SMALL.change(recipe={"epochs": 1}), load(made), tmp_path / "untested")
    assert ConfusionsPanel(lab, run).controls["part"].options == ("validation",) and not run.tested
    with pytest.raises(LabError, match="'test'"):
        ConfusionsPanel(lab, run, part="test")
    panel = ConfusionsPanel(lab, trained)
    panel.controls["part"].value = "test"
    assert panel.matrix.counts == trained.confusion("test").to_numpy().tolist() and "test part" in panel.matrix.caption


def test_confusions_of_a_record_without_recordings_say_what_to_do(lab, trained):
    (record,) = labkit.read_runs(trained.folder)
    with pytest.raises(LabError, match="Pass what lab.train"):
        ConfusionsPanel(lab, record)


@pytest.mark.slow
def test_all_names_of_controls_and_pictures_are_texts_a_screen_reader_can_say(lab, trained, cells):
    panels = ExplorerPanel(lab), TrainerPanel(lab, SMALL), ConfusionsPanel(lab, trained), RecorderPanel(lab)
    for panel in (*panels, GatesPanel(lab, by_name(cells))):
        assert f'alt="{panel.alt.replace(chr(39), "&#x27;")}"' in panel.picture.value
        assert 'role="status"' in panel.message.value
        for name, control in panel.controls.items():
            assert control.description, name


@pytest.fixture(scope="module")
def cells(made, tmp_path_factory):
    """Two runs with LSTM cells on the tiny corpus."""
    from labkit.data.speech_commands import load
    from labkit.experiments import run as runs

    results, corpus = tmp_path_factory.mktemp("cells"), load(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return [runs.train(SMALL.change(model={"name": name}), corpus, results) for name in ("lstm", "coupled")]


@pytest.mark.slow
def test_the_gates_are_those_of_the_cell_and_the_word_that_are_chosen(lab, cells):
    import torch

    panel = GatesPanel(lab, by_name(cells), word="rise", speaker=SPEAKERS[2])
    assert set(panel.quantities) == {"i", "f", "g", "o", "c", "h"} and "'rise' by speaker" in panel.said
    for name in "ifo":
        assert 0 <= panel.quantities[name].min() and panel.quantities[name].max() <= 1
    before = panel.figure
    panel.controls["run"].value = "coupled"
    assert set(panel.quantities) == {"f", "o", "c", "h"} and panel.figure is not before
    panel.controls["word"].value = "hold"
    assert panel.clip.label == "hold" and panel.clip.speaker == SPEAKERS[2], "another word should keep the speaker"
    run = cells[0]
    panel.controls["run"].value = "lstm"
    x, frames = run.experiment.feature.build()(*_clip(run, panel.clip))
    h, _ = run.network.network.forwards[0](run.network.front(x))
    assert torch.allclose(panel.quantities["h"], h[0].detach(), atol=1e-5), "what torch's own LSTM says"


def by_name(runs):
    return {run.experiment.model.name: run for run in runs}


def _clip(run, clip):
    import soundfile
    import torch

    samples, _ = soundfile.read(run.corpus.root / clip.path, dtype="float32")
    return torch.from_numpy(samples)[None], torch.tensor([len(samples)])


@pytest.mark.slow
def test_one_unit_or_the_mean_of_all_is_drawn_as_a_line(lab, cells):
    import numpy as np

    assert GatesPanel(lab, cells).controls["run"].options == tuple(run.name for run in cells)
    panel = GatesPanel(lab, {"my cell": cells[1]})
    assert panel.controls["unit"].max == 8

    def line():
        over = [ax for ax in panel.figure.axes if len(ax.lines) == 2 and len(ax.lines[1].get_ydata()) > 2]
        return over[0].lines[1].get_ydata()  # black on white, on the first gate

    forget = panel.quantities["f"].numpy()
    assert np.allclose(line(), forget.mean(1))
    panel.controls["unit"].value = 3
    assert np.allclose(line(), forget[:, 2])


def test_a_network_without_gates_is_refused_with_a_way_on(lab, trained):
    with pytest.raises(LabError, match="'gru' has no LSTM cell .* Train 'lstm'"):
        GatesPanel(lab, trained)
    with pytest.raises(LabError, match="no run to look into"):
        GatesPanel(lab, [])
