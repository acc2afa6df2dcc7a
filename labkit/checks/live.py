"""Self-checks for the exercises of 08_live; see `checks`."""

import numpy as np
import pandas as pd

from ..features import MFCC
from ..streaming import StreamingFeature
from .exploration import tell

CUTS = ((60,), (1,) * 60, (7, 0, 23, 30), (3, 57))  # how 60 values may come in blocks


def check_running_mean(step, width=10):
    """Does `step(block, state)` give the mean of the last `width` values after each new one, however they are cut?

    Parameters
    ----------
    step : callable
        Takes an array of shape (values,), which may be empty, and what it returned as state before (None at first).
        Returns an array of as many means, and the state. At the beginning the mean of what is there, or with zeros for
        what is not there yet: both are right.
    width : int

    Returns
    -------
    bool
    """
    return tell(_mean_problems(step, width), "The same numbers, however the stream is cut: that is all of streaming.")


def _mean_problems(step, width):
    values = np.random.default_rng(0).standard_normal(sum(CUTS[0])) + 3
    sums = np.cumsum(np.concatenate([np.zeros(width), values]))
    sums = sums[width:] - sums[:-width]
    right = [sums / width, sums / np.minimum(np.arange(1, len(values) + 1), width)]
    for cut in CUTS:
        state, outputs, place = None, [], 0
        for size in cut:
            block = values[place : place + size].copy()
            place += size
            try:
                means, state = step(block, state)
                means = np.asarray(means, dtype=float)
            except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
                return [f"step fails on a block of {size} values: {type(error).__name__}: {error}"]
            if means.shape != (size,):
                return [f"for a block of {size} values give {size} means, not the shape {means.shape}."]
            outputs.append(means)
        outputs = np.concatenate(outputs)
        if any(np.allclose(outputs, each) for each in right):
            continue
        if len(cut) == 1:
            if np.allclose(outputs[width:], values[:-width].mean()) or np.allclose(outputs, values.mean()):
                return ["you give one mean of everything. Each new value has its own: of the last few up to it."]
            return [f"already in one block the means are wrong: value {width + 1} should give {right[0][width]:.3f}."]
        return [
            f"in one block the means are right, in blocks of {cut[:4]} ... they are not. What does the next block need "
            "of the past? Return it as the state."
        ]
    return []


def check_look_ahead(look_ahead):
    """Does `look_ahead(feature)` say how many seconds of sound after its time a frame of an MFCC needs?

    Parameters
    ----------
    look_ahead : callable
        Takes an `MFCC` with the settings `window`, `hop` (samples), `sample_rate`, `deltas` and `delta_width`.

    Returns
    -------
    bool
    """
    return tell(_look_ahead_problems(look_ahead), "No faster computer makes this wait shorter.")


def _look_ahead_problems(look_ahead):
    for settings in (
        {"deltas": 0},
        {"deltas": 0, "window_ms": 25.0},
        {"deltas": 1},
        {"hop_ms": 10.0, "delta_width": 5},
    ):
        feature = MFCC(n_mels=20, **settings)
        right = StreamingFeature(feature).look_ahead
        try:
            answer = float(look_ahead(feature))
        except Exception as error:  # as above
            return [f"look_ahead fails or gives no number: {type(error).__name__}: {error}"]
        if abs(answer - right) < 1e-3:
            continue
        shown = ", ".join(f"{name}={value}" for name, value in {"window_ms": 40.0, "deltas": 2, **settings}.items())
        if abs(answer / 1000 - right) < 1e-3 or abs(answer / feature.sample_rate - right) < 1e-3:
            return [f"{answer:g} for {shown}: give seconds, not milliseconds or samples."]
        if abs(answer - feature.window / feature.sample_rate) < 1e-3:
            return [
                f"{answer:g} s for {shown}: a frame stands in the middle of its window. Only half of it is to come."
            ]
        if feature.deltas and abs(answer - feature.window / 2 / feature.sample_rate) < 1e-3:
            return [f"{answer:g} s for {shown}: a slope at a frame needs delta_width // 2 frames after it, each time."]
        return [f"{answer:g} s for {shown}, but such a frame must wait {right:g} s."]
    return []


def check_threshold(choose, most=4.0):
    """Does `choose(table)` give the threshold that finds most words with at most so many false alarms an hour?

    Parameters
    ----------
    choose : callable
        Takes a DataFrame with `threshold`, `hits` and `false_alarms_per_hour`, measured on validation data.
    most : float
        False alarms an hour that are allowed.

    Returns
    -------
    bool
    """
    return tell(_threshold_problems(choose, most), "Chosen on validation. Now measure it once on the test part.")


def _threshold_problems(choose, most):
    dice = np.random.default_rng(0)
    for _ in range(5):
        threshold = np.linspace(0.3, 0.95, 14)
        hits = np.clip(1.1 - threshold**2 / 2 - 0.02 * dice.random(14), 0, 1)
        alarms = np.round(60 * (1 - threshold) ** 2 * dice.uniform(0.5, 1.5), 1)
        table = pd.DataFrame({"threshold": threshold, "hits": hits, "false_alarms_per_hour": alarms})
        table = table.sample(frac=1, random_state=0).reset_index(drop=True)  # in no order
        allowed = table[table.false_alarms_per_hour <= most]
        try:
            answer = float(choose(table.copy()))
        except Exception as error:  # as above
            return [f"choose fails or gives no number: {type(error).__name__}: {error}"]
        mine = table[np.isclose(table.threshold, answer)]
        if mine.empty:
            return [f"{answer:g} is not among the thresholds of the table. Return one of them."]
        if mine.false_alarms_per_hour.iloc[0] > most:
            return [
                f"{answer:g} gives {mine.false_alarms_per_hour.iloc[0]:g} false alarms an hour; {most:g} are allowed."
            ]
        if mine.hits.iloc[0] < allowed.hits.max():
            return [f"{answer:g} is allowed, but {len(allowed)} thresholds are, and another one finds more words."]
    return []
