"""Self-checks for the exercises of 01_exploration."""

import numpy as np
import pandas as pd
from scipy.fft import idct

from . import Wrong, attempt, check, need, number

PARTS = ("train", "validation", "test")


@check("From 13 of 40 numbers the smooth shape comes back, and nothing else.")
def check_smoothing(smooth):
    """Does `smooth(log_mel, n)` rebuild a log-mel spectrum (frames, bands) from its first n cosine coefficients?"""
    bands = 40
    log_mel = np.random.default_rng(0).normal(-40, 20, (7, bands))  # (frames, bands), dB
    waves = idct(np.eye(bands), norm="ortho")  # (coefficients, bands)
    answers, off = {}, {}  # off: largest error in dB
    for n in (bands, 13, 1):
        with attempt(f"smooth(log_mel, {n})"):
            returned = smooth(log_mel.copy(), n)
            answer = np.asarray(returned, dtype=float)
        need(returned is not None, "smooth returns None. Write return before your result.")
        cut = answer.shape == (len(log_mel), n) and n < bands
        need(not cut, f"with n={n} you return the {n} coefficients. Multiply by the cosines once more to go back.")
        sizes = f"log_mel has the shape {log_mel.shape}, your answer {answer.shape}"
        need(answer.shape == log_mel.shape, f"{sizes}. Keep the shape.")
        need(np.isfinite(answer).all(), f"with n={n} some values are not finite numbers.")
        answers[n], off[n] = answer, np.abs(answer - log_mel @ waves[:n].T @ waves[:n]).max()
    if np.allclose(answers[1], answers[bands]):
        raise Wrong("the answer is the same for 1 and for 40 coefficients. Use n: keep the first n, drop the rest.")
    over_time = np.allclose(answers[1], log_mel.mean(0), atol=0.01)
    need(not over_time, "you smooth over time. The cosines run over the bands: the last axis.")
    first = np.allclose(answers[13][:, :13], log_mel[:, :13], atol=0.01)
    need(not first, "with n=13 you keep the first 13 *bands*. Go to coefficients first: log_mel @ cosines.")
    level = abs(answers[bands].mean()) > 1  # the mean is coefficient 0
    need(level, "the level of each frame is gone: coefficient 0 is missing. Keep the coefficients 0 to n - 1.")
    scaled = "Are the cosines scaled (norm='ortho'), and do you go back with their transpose?"
    for n, hint in ((bands, scaled), (13, "Keep the *first* n coefficients."), (1, "Keep the *first* n coefficients.")):
        need(off[n] <= 0.01, f"with n={n} one value is off by {off[n]:.2g} dB. {hint}")


@check("A tone is 2,000 / window Hz wide, so the window must last 2,000 / distance ms.")
def check_window(shortest_window):
    """Is `shortest_window(hertz)` the length, in ms, of the shortest Hann window that parts two tones `hertz` apart?"""
    given = {hertz: number(f"shortest_window({hertz})", shortest_window, hertz) for hertz in (20, 40, 100)}
    for hertz, ms in given.items():
        need(0 < ms < np.inf, f"shortest_window({hertz}) = {ms:.4g} is no length: a positive number of ms is needed.")
    need(given[20] != given[100], "the answer is the same for 20 and for 100 Hz. Use hertz.")
    need(given[20] > given[100], "tones that are further apart need a *shorter* window; yours grows.")
    for hertz, ms in given.items():
        right = 2000 / hertz  # at half of its height, a tone is 2000 / window Hz wide
        said = f"shortest_window({hertz}) = {ms:.4g}"
        need(not np.isclose(ms, right / 1000, rtol=0.03), f"{said} is in seconds. Give milliseconds.")
        need(not np.isclose(ms, right / 2, rtol=0.03), f"{said} is half of it: one tone would be {2 * hertz} Hz wide.")
        need(ms >= 0.97 * right, f"{said} ms is too short: the two tones merge.")
        need(ms <= 1.03 * right, f"{said} ms shows both, but a shorter window does, too.")


@check("Every clip has a part, and no voice is in two of them.")
def check_parts(clips, parts):
    """Are `parts`, one word for each row of the table `clips`, fit for an honest experiment?"""
    words = hasattr(parts, "__len__") and not isinstance(parts, str)
    need(words, "give the part of each clip: a list or a column of words, one per clip.")
    counts = f"there are {len(clips):,} clips, but {len(parts):,} parts"
    need(len(parts) == len(clips), f"{counts}. Give each clip one.")
    given = pd.Series(list(parts), index=clips.index)
    if len(unknown := given[~given.isin(PARTS)]):
        raise Wrong(f"{len(unknown):,} clips have no part; one of them has {unknown.iloc[0]!r}. The parts are {PARTS}.")
    parts_of = given.groupby(clips.speaker).nunique()  # of each speaker
    if len(shared := parts_of[parts_of > 1]):
        found = f"{len(shared)} of {len(parts_of)} speakers are in more than one part, {shared.index[0]} for one"
        raise Wrong(f"{found}. Choose a part for each speaker, not for each clip.")
    for name in PARTS:
        fraction = (given == name).mean()
        need(fraction >= 0.05, f"{name!r} has {fraction:.1%} of the clips: too few to learn or to measure from.")
    few = "less than half of the clips are for training. Leave more to learn from."
    need((given == "train").mean() >= 0.5, few)
