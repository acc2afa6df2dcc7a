"""Self-checks for the exercises of 01_exploration."""

from numbers import Real

import pandas as pd
import torch
from scipy.fft import idct

from . import Wrong, attempt, check, need

PARTS = ("train", "validation", "test")


@check("From 13 of 40 numbers the smooth shape comes back, and nothing else.")
def check_smoothing(smooth):
    """Does `smooth(log_mel, n)` rebuild a log-mel spectrum (frames, bands) from its first n cosine coefficients?"""
    bands = 40
    log_mel = 20 * torch.randn(7, bands, generator=torch.Generator().manual_seed(0)) - 40  # (frames, bands), dB
    waves = torch.tensor(idct(torch.eye(bands).numpy(), norm="ortho"))  # (coefficients, bands)
    answers, off = {}, {}  # off: largest error in dB
    for n in (bands, 13, 1):
        with attempt(f"smooth(log_mel, {n})"):
            answer = torch.as_tensor(smooth(log_mel.clone(), n)).float()
        cut = answer.shape == (len(log_mel), n) and n < bands
        need(not cut, f"with n={n} you return the {n} coefficients. Multiply by the cosines once more to go back.")
        sizes = f"log_mel has the shape {tuple(log_mel.shape)}, your answer {tuple(answer.shape)}"
        need(answer.shape == log_mel.shape, f"{sizes}. Keep the shape.")
        answers[n], off[n] = answer, (answer - log_mel @ waves[:n].T @ waves[:n]).abs().max()
    if torch.allclose(answers[1], answers[bands]):
        raise Wrong("the answer is the same for 1 and for 40 coefficients. Use n: keep the first n, drop the rest.")
    over_time = (log_mel.mean(0) - answers[1]).abs().max() < 0.01
    need(not over_time, "you smooth over time. The cosines run over the bands: the last axis.")
    scaled = "Are the cosines scaled (norm='ortho'), and do you go back with their transpose?"
    for n, hint in ((bands, scaled), (13, "Keep the *first* n coefficients."), (1, "Keep the *first* n coefficients.")):
        need(off[n] <= 0.01, f"with n={n} one value is off by {off[n]:.2g} dB. {hint}")


@check("One can see both: the two tones and the two clicks.")
def check_window(window_ms, hertz=40.0, seconds=0.06):
    """Does a Hann window of `window_ms` tell two tones `hertz` apart, and two clicks `seconds` apart as well?"""
    if isinstance(window_ms, bool) or not isinstance(window_ms, Real) or not 1 <= window_ms <= 1000:
        raise Wrong(f"a window is a number of milliseconds between 1 and 1000, not {window_ms!r}.")
    sample_rate = 16_000
    window = torch.hann_window(round(window_ms * sample_rate / 1000), dtype=torch.float64)
    # Power that a tone leaves so many Hz away from it. The tones beat: over time, their powers add up.
    leak = torch.fft.rfft(window, sample_rate).abs().square()
    valley, peak = 2 * leak[round(hertz / 2)], leak[0] + leak[round(hertz)]
    need(valley <= peak / 2, f"in {window_ms:g} ms two tones {hertz:g} Hz apart melt into one. Try a longer window.")
    # a frame centred between the clicks has both of them at this distance from its middle
    middle, distance = len(window) // 2, round(seconds / 2 * sample_rate)
    apart = distance >= middle or 2 * window[middle + distance] ** 2 <= 0.5
    need(apart, f"in {window_ms:g} ms two clicks {1000 * seconds:g} ms apart melt into one. Try a shorter window.")


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
