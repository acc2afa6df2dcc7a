"""Self-checks for the blanks and exercises of 08_live."""

import math

import numpy as np
import pandas as pd

from . import attempt, check, need, number

CUTS = ((60,), (1,) * 60, (7, 0, 23, 30), (3, 57))  # how 60 values may come in blocks


@check("The same numbers, however the stream is cut: that is all of streaming.", blank="08_live.step")
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


@check("No alarm in a short test is a weak promise.", blank="08_live.at_most")
def check_at_most(at_most):
    """Does `at_most(hours)` give the alarms an hour that a test of `hours` without one still allows, at 95%?"""
    for hours in (0.1, 0.5, 2.0, 10.0):
        answer = number(f"at_most({hours:g})", at_most, hours)
        right = [-math.log(0.05) / hours, 3 / hours]  # the exact one, and the rule of three
        mistakes = {
            0.0: "no alarm was seen, but a detector with one alarm in that time is often silent in it, too.",
            1 / hours: "with this rate the test stays silent in 37 of 100 cases. Only 5 may remain.",
            -math.log(0.05): "this is how many alarms may be expected in the test. Divide by its hours.",
            -math.log(0.05) * hours: "a longer test promises more. Divide by the hours.",
            -math.log(0.95) / hours: "with this rate the test is silent in 95 of 100 cases; it should be 5.",
            -math.log10(0.05) / hours: "the logarithm is the natural one, math.log.",
            math.log(0.05) / hours: "a rate is not negative: mind the sign.",
            0.05 / hours: "solve exp(-rate * hours) = 0.05 for the rate, in alarms an hour and not a minute.",
            -math.log(0.025) / hours: "this is the end of a two-sided interval: 2.5 of 100 cases remain. Leave 5.",
            0.95 / hours: "the rate is not the probability. Solve exp(-rate * hours) = 0.05.",
            -math.log(0.05) / hours / 3600: "this is a rate per second. Give alarms an hour.",
        }
        named = [text for wrong, text in mistakes.items() if np.isclose(answer, wrong, rtol=5e-3)]
        fits = any(np.isclose(answer, each, rtol=5e-3) for each in right)
        need(fits, (named or [f"at_most({hours:g}) gives {answer:g}; {right[0]:.3g} is the rate that is meant."])[0])


@check("Chosen on validation. Now measure it once on the test part.", blank="08_live.choose")
def check_threshold(choose, most=2.0):
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
