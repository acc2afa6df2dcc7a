"""Self-checks for the exercises of 08_live."""

import numpy as np
import pandas as pd

from ..features import MFCC
from ..streaming import StreamingFeature
from . import attempt, check, compare, need, number

CUTS = ((60,), (1,) * 60, (7, 0, 23, 30), (3, 57))  # how 60 values may come in blocks
FEATURES = (
    {"window_ms": 40.0, "deltas": 0},
    {"window_ms": 25.0, "deltas": 0},
    {"window_ms": 40.0, "deltas": 1},
    {"window_ms": 40.0, "deltas": 2, "hop_ms": 10.0, "delta_width": 5},
)


@check("The same numbers, however the stream is cut: that is all of streaming.")
def check_running_mean(step, width=10):
    """Does `step(block, state)` give the mean of the last `width` values after each value of a block, and the state?"""
    values = np.random.default_rng(0).standard_normal(sum(CUTS[0])) + 3
    sums = np.convolve(values, np.ones(width))[: len(values)]  # of the last values, with zeros before the first
    # both are right: with zeros for what was not there yet, and the mean of what was
    right = [sums / width, sums / np.minimum(np.arange(1, len(values) + 1), width)]
    for cut in CUTS:
        state, outputs = None, []
        for block in np.split(values, np.cumsum(cut)[:-1]):
            with attempt(f"step on a block of {len(block)} values"):
                means, state = step(block.copy(), state)
                means = np.asarray(means, dtype=float)
            sizes = f"for a block of {len(block)} values give {len(block)} means, not the shape {means.shape}."
            need(means.shape == block.shape, sizes)
            outputs.append(means)
        outputs = np.concatenate(outputs)
        mistake = f"already in one block the means are wrong: value {width + 1} should give {right[0][width]:.3f}."
        if len(cut) > 1:
            mistake = f"in one block the means are right, in blocks of {cut[:4]} ... they are not. "
            mistake += "What does the next block need of the past? Return it as the state."
        elif np.allclose(outputs[width:], values[:-width].mean()) or np.allclose(outputs, values.mean()):
            mistake = "you give one mean of everything. Each new value has its own: of the last few up to it."
        need(any(np.allclose(outputs, each) for each in right), mistake)


@check("No faster computer makes this wait shorter.")
def check_look_ahead(look_ahead):
    """Does `look_ahead(feature)` say how many seconds of sound after its time a frame of an MFCC needs?"""
    for settings in FEATURES:
        feature = MFCC(n_mels=20, **settings)
        window, right = feature.window / feature.sample_rate, StreamingFeature(feature).look_ahead  # seconds
        mistakes = {
            1000 * right: "give seconds, not milliseconds.",
            right * feature.sample_rate: "give seconds, not samples.",
            window: "a frame stands in the middle of its window. Only half of it is to come.",
            window / 2: "a slope at a frame needs delta_width // 2 frames after it, each time.",
        }
        said = f"look_ahead of an MFCC with {settings}"
        compare(said, look_ahead, [feature], right, mistakes, f"it must wait {right:g} s.", off=1e-3)


@check("Chosen on validation. Now measure it once on the test part.")
def check_threshold(choose, most=4.0):
    """Does `choose(table)` give the threshold with the most `hits` among those with few `false_alarms_per_hour`?"""
    rng = np.random.default_rng(0)
    for _ in range(5):
        threshold = np.linspace(0.3, 0.95, 14)
        hits = np.clip(1.1 - threshold**2 / 2 - 0.02 * rng.random(14), 0, 1)
        alarms = np.round(60 * (1 - threshold) ** 2 * rng.uniform(0.5, 1.5), 1)
        table = pd.DataFrame({"threshold": threshold, "hits": hits, "false_alarms_per_hour": alarms})
        table = table.sample(frac=1, random_state=0)  # in no order
        answer = number("choose(table)", choose, table.copy())
        found = table[np.isclose(table.threshold, answer)]
        need(len(found), f"{answer:g} is not among the thresholds of the table. Return one of them.")
        allowed, mine = table[table.false_alarms_per_hour <= most], found.iloc[0]
        rate = mine.false_alarms_per_hour
        need(rate <= most, f"{answer:g} gives {rate:g} false alarms an hour; {most:g} are allowed.")
        best = mine.hits == allowed.hits.max()
        need(best, f"{answer:g} is allowed, but {len(allowed)} thresholds are, and another one finds more words.")
