"""Pictures of recognition over time: what is drawn is what was computed."""

import matplotlib
import numpy as np
import pytest

from labkit import plots
from labkit.streaming import Decider, Decision, Detection

matplotlib.use("Agg")
RATE = 16_000
DECISION = Decision(threshold=0.8, smoothing=0.2)
LABELS = ("yes", "no", "up", "unknown")


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


@pytest.fixture
def heard():
    """Ten seconds in which "yes" is probable from 4 to 5 s."""
    times = np.arange(0, 10, 0.1)
    probabilities = np.full((len(times), 4), 0.01)
    probabilities[40:50, 0] = 0.95
    return times, probabilities


def test_a_timeline_names_the_words_that_were_reported_and_those_that_were_said(heard):
    found = [Detection("yes", 3.6, 4.6, 4.6, 0.9)]
    figure = plots.timeline(
        np.zeros(10 * RATE), RATE, LABELS, *heard, found, decision=DECISION, spoken=[("up", 3.9, 4.4)]
    )
    words = texts(figure)
    assert {"yes", "up", "said", "reported", "threshold", "time (s)", "probability (%)"} <= set(words)
    assert "no" not in words and "unknown" not in words, "words that were never probable have no name"
    below = figure.axes[1]
    curve = next(line for line in below.lines if line.get_label() == "yes")
    assert np.allclose(curve.get_ydata(), 100 * Decider(LABELS, DECISION, 0.1).smooth(heard[1])[:, 0])
    assert below.get_xlim() == (0, 10)


def test_the_beginning_of_a_timeline_is_drawn_alone(heard):
    found = [Detection("yes", 3.6, 4.6, 4.6, 0.9)]
    samples = np.zeros(10 * RATE)
    for seconds, words in ((3.0, set()), (6.0, {"yes"})):
        figure = plots.timeline(
            samples, RATE, LABELS, *heard, found, decision=DECISION, spoken=[("yes", 3.9, 4.4)], seconds=seconds
        )
        assert set(texts(figure)) & {"yes"} == words and figure.axes[1].get_xlim() == (0, seconds)


def test_a_timeline_of_nothing_is_drawn():
    figure = plots.timeline(np.zeros(0), RATE, LABELS, np.zeros(0), np.zeros((0, 4)), [], decision=DECISION)
    assert len(figure.axes) == 2


def test_an_envelope_keeps_the_peaks_of_a_long_recording():
    samples = np.zeros(60 * RATE)
    samples[30 * RATE] = -0.8
    figure = plots.timeline(samples, RATE, LABELS, np.zeros(0), np.zeros((0, 4)), [], decision=DECISION)
    ax = figure.axes[0]
    box = ax.collections[0].get_datalim(ax.transData)
    assert box.y0 == pytest.approx(-0.8) and box.x1 == pytest.approx(60, abs=0.1)


def step(*rows):
    """A step of a record: (budget, false alarms an hour, fraction found)."""
    curve = [
        {"budget": budget, "running speech": {"per_hour": rate, "low": rate / 2, "high": rate + 3}}
        | {kind: {"hits": hits} for kind in ("words, 20 dB", "words, 5 dB")}
        for budget, rate, hits in rows
    ]
    return {"curve": curve}


def test_an_operating_curve_has_each_step_and_the_interval_at_the_budget():
    steps = {"before": step((2, 6.0, 0.5), (10, 40.0, 0.9)), "after": step((2, 0.0, 0.8), (10, 6.0, 0.95))}
    ax = plots.operating(steps, "words, 5 dB")
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["before"].get_xdata().tolist() == [6.0, 40.0] and lines["before"].get_ydata().tolist() == [50.0, 90.0]
    ring = lines["budget"]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (6.0, 50.0)
    whisker = ax.collections[0].get_segments()[0]
    assert whisker[:, 0].tolist() == [3.0, 9.0] and whisker[:, 1].tolist() == [50.0, 50.0]
    assert ax.get_xlim()[0] < 0, "an hour without a false alarm has its place"
    assert ax.get_ylabel().startswith("words, 5 dB")


def test_a_timeline_shows_the_threshold_of_each_word_in_its_colour(heard):
    decision = Decision(threshold=0.8, smoothing=0.2, thresholds=(("yes", 0.4), ("no", 0.99)))
    figure = plots.timeline(np.zeros(10 * RATE), RATE, LABELS, *heard, [], decision=decision)
    lines = figure.axes[1].lines
    curve = next(line for line in lines if line.get_label() == "yes")
    dashed = [line for line in lines if line.get_linestyle() == "--" and len(line.get_ydata())]
    assert [round(line.get_ydata()[0], 1) for line in dashed] == [40.0], "a word that was never probable has none"
    assert dashed[0].get_color() == curve.get_color()
