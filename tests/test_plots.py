"""Pictures: axes in seconds and hertz, nothing on top of anything, and the stamp on synthetic speech."""

import base64
import io
import itertools
import re

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from PIL import Image

from labkit import plots
from labkit.features import MFCC, LogMel

RATE = 16_000
WORDS = (
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero"
).split()


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        plots.set_style()
        yield
    plt.close("all")


def sine(hertz, seconds=1.0):
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


def feature_of(setting, samples):
    return setting.build()(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))[0]


def history(epochs=6):
    names = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
    return [{"epoch": epoch, **dict.fromkeys(names, 1 / (1 + epoch))} for epoch in range(1, epochs + 1)]


def counted(words, seed=0):
    table = np.random.default_rng(seed).integers(0, 30, (len(words), len(words)))
    return pd.DataFrame(table, pd.Index(words, name="true"), pd.Index(words, name="predicted"))


def interval_table():
    rows = {"mean": [0.91, 0.955, 0.3], "low": [0.88, 0.93, 0.2], "high": [0.93, 0.97, 0.4]}
    return pd.DataFrame(rows, index=["GRU, 40 ms", "LSTM, 40 ms", "plain RNN, 20 ms"])


CHIRP = sine(300) * np.linspace(0.1, 1, RATE, dtype=np.float32)
DRAWN = {
    "waveform": lambda: plots.waveform(CHIRP, RATE),
    "spectrogram": lambda: plots.spectrogram(CHIRP, RATE),
    "spectrogram, marked": lambda: plots.spectrogram(CHIRP, RATE, sounds=[("s", 0.1), ("a", 0.25)]),
    "log_mel": lambda: plots.log_mel(feature_of(LogMel(), CHIRP), LogMel()),
    "log_mel 128": lambda: plots.log_mel(feature_of(LogMel(n_mels=128, n_fft=2048), CHIRP), LogMel(n_mels=128)),
    "mfcc": lambda: plots.mfcc(feature_of(MFCC(), CHIRP), MFCC()),
    "deltas": lambda: plots.deltas(feature_of(MFCC(), CHIRP), MFCC()),
    "training_curves": lambda: plots.training_curves(history()),
    "training_curves of two": lambda: plots.training_curves({"gru, 20 ms": history(), "lstm, 40 ms": history(3)}),
    "training_curves, none yet": lambda: plots.training_curves([]),
    "confusion": lambda: plots.confusion(counted(["yes", "no", "up", "down"])),
    "confusion 12": lambda: plots.confusion(counted(WORDS[:12])),
    "confusion 35": lambda: plots.confusion(counted(WORDS)),
    "accuracies": lambda: plots.accuracies(interval_table(), chance=0.25, majority=0.27, guess=0.8),
    "effects": lambda: plots.effects(interval_table() - 0.9, guess=["GRU, 40 ms"]),
    "by_voice": lambda: plots.by_voice(interval_table(), chance=0.1),
    "ranking": lambda: plots.ranking(
        pd.Series(range(35), WORDS), groups=dict.fromkeys(WORDS, "one") | {"yes": "other"}, marked=["yes"], unit="dB"
    ),
}


def figure_of(name):
    drawn = DRAWN[name]()
    return drawn if isinstance(drawn, Figure) else drawn.figure


def texts(figure):
    """All words that a figure shows."""
    found = [*figure.texts, figure._suptitle, figure._supxlabel, figure._supylabel]
    legends = list(figure.legends)
    for ax in figure.axes:
        found += [ax.title, ax._left_title, ax._right_title, *ax.texts]
        legends += [artist for artist in ax.get_children() if isinstance(artist, Legend)]
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)  # shared axes have none
            shown = [label for place, label in ticks if min(limits) <= place <= max(limits)]
            found += [axis.label, *shown] if axis.get_visible() else []
    found += [text for legend in legends for text in legend.get_texts()]
    return [text for text in found if text is not None and text.get_visible() and text.get_text().strip()]


def boxes(figure):
    figure.draw_without_rendering()
    return [(text.get_text(), text.get_window_extent()) for text in texts(figure)]


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_words_are_legible_and_never_on_top_of_one_another(name):
    figure = figure_of(name)
    plots.stamp(figure)
    assert min(text.get_fontsize() for text in texts(figure)) >= 9
    found = boxes(figure)
    assert len(found) > 5
    for (one, a), (other, b) in itertools.combinations(found, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide <= 1 or high <= 1, f"{one!r} and {other!r} overlap by {wide:.0f} x {high:.0f} pixels"


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_every_axis_says_what_it_shows(name):
    figure = figure_of(name)
    figure.draw_without_rendering()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels() if label.get_visible()]
            words = any(re.search("[a-z]{2}", label.replace("mathdefault", "")) for label in labels)
            bare = ax.get_label() == "<colorbar>" or not labels
            assert bare or words or axis.label.get_text().strip(), f"{labels} of what?"


def test_a_tone_is_where_the_axes_say():
    samples = np.concatenate([np.zeros(RATE // 2, "float32"), sine(3000, 0.5)])
    ax = plots.spectrogram(samples, RATE, window_ms=20)
    image = ax.images[0]
    values = image.get_array()
    left, right, bottom, top = image.get_extent()
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert bottom + (row + 0.5) / values.shape[0] * (top - bottom) == pytest.approx(3000, abs=20)
    assert 0.5 < left + (column + 0.5) / values.shape[1] * (right - left) < 1.0
    begun = left + (np.flatnonzero(values[row] > -12)[0] + 0.5) / values.shape[1] * (right - left)
    assert begun == pytest.approx(0.5, abs=0.01)
    assert ax.get_xlabel() == "time (s)" and ax.get_ylabel() == "frequency (Hz)" and ax.get_ylim() == (0, RATE / 2)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("hertz", [500, 1000, 4000])
def test_the_marks_of_a_mel_axis_lie_on_the_band_of_their_tone(scale, hertz):
    setting = LogMel(n_mels=40, mel_scale=scale, mel_norm=None)
    positions, names = plots.mel_ticks(setting)
    loudest = feature_of(setting, sine(hertz))[0, 0].mean(dim=1).argmax().item()
    assert abs(positions[names.index(f"{hertz:,}")] - loudest) <= 0.75


def test_a_sine_of_full_scale_has_zero_decibels():
    level, frequency, time = plots.levels(sine(1000), RATE, window_ms=40)
    assert level.shape == (len(frequency), len(time)) and time[100] == pytest.approx(0.5)
    assert frequency[level[:, 100].argmax()] == 1000 and abs(level[:, 100].max()) < 0.05


def test_a_mel_axis_is_marked_where_there_is_room():
    assert plots.mel_ticks(LogMel(n_mels=40))[1] == ["100", "500", "1,000", "2,000", "4,000"]


def test_a_waveform_keeps_its_time():
    samples = np.zeros(RATE // 2)
    samples[RATE // 4] = 1
    ax = plots.waveform(samples, RATE)
    assert ax.get_xlim() == pytest.approx((0, 0.5), abs=1e-3) and ax.get_xlabel() == "time (s)"
    assert ax.lines[0].get_xdata()[ax.lines[0].get_ydata().argmax()] == 0.25


def test_mfcc_rows_are_the_coefficients_they_say():
    x = feature_of(MFCC(), CHIRP)
    assert np.allclose(plots.mfcc(x, MFCC()).images[0].get_array(), x[0, :, 1:13].T)
    assert np.allclose(plots.mfcc(x, MFCC(), block=2).images[0].get_array(), x[0, :, 26:].T)


def test_the_sounds_of_a_word_are_marked_where_they_begin():
    ax = plots.spectrogram(CHIRP, RATE, sounds=[("s", 0.1), ("a", 0.25)])
    assert [line.get_xdata()[0] for line in ax.lines] == [0.1, 0.25]
    assert [(text.get_text(), text.xy[0]) for text in ax.texts] == [("s", 0.1), ("a", 0.25)]


def test_confusion_is_in_percent_of_the_true_words_clips():
    table = pd.DataFrame([[3, 1], [0, 0]], index=["yes", "no"], columns=["yes", "no"])
    figure = plots.confusion(table)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == ["75", "25", "0", "0"], "a word without clips should give zeros"
    assert figure.axes[1].get_ylabel() == "percent of the true class's clips"
    assert plots.confusion(table, of="speakers").axes[1].get_ylabel() == "percent of the true class's speakers"


def test_the_kept_epoch_is_ringed():
    class Run:
        record = {"best_epoch": 4}
        history = pd.DataFrame(history())

    ring = plots.training_curves({"one": Run()}).axes[1].lines[-1]
    assert ring.get_xdata()[0] == 4 and ring.get_markerfacecolor() == "none"


LAYOUTS = {
    "constrained": {"layout": "constrained"},
    "tight": {"layout": "tight"},
    "none": {"layout": "none"},
}


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_stamp_has_a_strip_of_its_own(layout):
    def draw():
        figure, ax = plt.subplots(figsize=(4, 3), **LAYOUTS[layout])
        ax.set(xlabel="time (s)", ylabel="level (dB)")
        figure.suptitle("A title")
        figure.supxlabel("written at the very bottom, to the right", ha="right", x=1)
        figure.text(1, -0.03, "and even below", ha="right", va="top")
        return figure

    plain, stamped = draw(), draw()
    plots.stamp(stamped)
    plots.stamp(stamped)  # a second time changes nothing
    before, after = (
        np.asarray(Image.open(io.BytesIO(plots.render(figure))).convert("RGB")) for figure in (plain, stamped)
    )
    grown = after.shape[0] - before.shape[0]
    assert 10 < grown < 30
    width = before.shape[1]
    same = np.abs(after[: before.shape[0] - 1, :width].astype(int) - before[:-1]) < 40  # but for the palette
    assert same.mean() > 0.999, "the stamp changed the picture above it"
    strip = after[before.shape[0] :]
    assert (strip.min(axis=2) < 128).any(), "nothing is written on the strip"
    assert [text.get_text() for text in stamped.texts].count(plots.STAMP) == 1


def test_savefig_with_the_labs_style_does_not_cut_the_stamp_off():
    figure = figure_of("waveform")
    sizes = []
    for _ in range(2):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        sizes.append(Image.open(buffer).height)
        plots.stamp(figure)
    assert sizes[1] > sizes[0] + 10


def test_what_sticks_out_of_a_figure_is_kept():
    figure, _ = plt.subplots(figsize=(3, 2), layout="none")
    inside = Image.open(io.BytesIO(plots.render(figure))).size
    figure.text(1.2, 0.5, "far to the right")
    outside = Image.open(io.BytesIO(plots.render(figure))).size
    assert outside[0] > inside[0] + 60


def test_the_same_figure_gives_the_same_bytes_and_few_of_them():
    samples = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    one, other = (plots.render(plots.spectrogram(samples, RATE).figure) for _ in range(2))
    assert one == other and len(one) < 120_000, "noise is the worst case"


class Shown:
    """Catches what is displayed."""

    def __init__(self, monkeypatch):
        import IPython.display

        def display(what, metadata=None, raw=False):
            self.all.append(what)
            self.metadata.append(metadata)

        self.all, self.metadata = [], []
        monkeypatch.setattr(IPython.display, "display", display)


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_figure_is_shown_with_alt_text_and_kept(tmp_path, monkeypatch, synthetic):
    shown = Shown(monkeypatch)
    ax = plots.waveform(sine(100), RATE)
    plots.show(ax, tmp_path / "wave", "A caption", "A wave in words", synthetic)
    picture, caption = shown.all
    assert base64.b64decode(picture["image/png"]) == (tmp_path / "wave.png").read_bytes()
    assert shown.metadata == [{"image/png": {"alt": "A wave in words"}}, None]
    assert ("synthetic speech" in caption.data) == synthetic
    assert (plots.STAMP in [text.get_text() for text in ax.figure.texts]) == synthetic
    assert not plt.get_fignums(), "a figure that stays open is drawn a second time"


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_table_is_shown_rounded_and_kept_whole(tmp_path, monkeypatch, synthetic):
    shown = Shown(monkeypatch)
    table = pd.DataFrame({"model": ["gru"], "accuracy": [0.9534567], "clips": [12345], "sample_rate": [0.0003]})
    plots.show(table, tmp_path / "table", "A caption", "", synthetic)
    words, caption = shown.all
    for kind in ("text/html", "text/plain"):
        assert all(text in words[kind] for text in ("95.3%", "12,345", "0.0003")) and "0.95345" not in words[kind]
    kept = pd.read_csv(tmp_path / "table.csv")
    assert kept.accuracy[0] == 0.9534567 and ("data" in kept) == synthetic
    assert not synthetic or kept.data[0] == plots.STAMP and plots.STAMP in caption.data


def test_a_table_may_hold_anything():
    table = pd.DataFrame(
        {
            "accuracy": [1.0, None],
            "seconds": [1.0, 0.04],
            "sample_rate": [1e-4, 3.0],
            "whole": [20.0, 3.0],
            "seed": [2018, 1],
            "good": [True, False],
            "word": ["a<b", None],
        }
    )
    words = plots.formatted(table)
    assert words.iloc[0].tolist() == ["100.0%", "1.00", "0.0001", "20", "2018", "True", "a<b"]
    assert words.iloc[1].tolist() == ["–", "0.04", "3", "3", "1", "False", "–"]
    assert plots.formatted(table.iloc[:0]).empty
    page = plots.as_html(table)
    assert page == plots.as_html(table) and "100.0%" in page
