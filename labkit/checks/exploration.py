"""Self-checks for the exercises: each takes what the student made and says what is wrong with it.

A check prints one line per problem, or that all is well, and returns whether it is. Several answers are right.
"""

from dataclasses import fields
from numbers import Real

import torch

from ..errors import choose


def tell(problems, praise):
    """Print the problems, or the praise; return whether there was nothing wrong."""
    for problem in problems:
        print(f"Not yet: {problem}")
    if not problems:
        print(f"Right. {praise}")
    return not problems


def check_recogniser(network, features, classes):
    """Is this a network that takes (batch, frames, features) and gives (batch, classes)?

    Parameters
    ----------
    network : torch.nn.Module
        Called as `network(x)`.
    features, classes : int

    Returns
    -------
    bool
    """
    return tell(_recogniser_problems(network, features, classes), "Train it with one_epoch, as in section 5.")


def _recogniser_problems(network, features, classes):
    if isinstance(network, type):
        return [f"{network.__name__} is a class. Call it to make a network: {network.__name__}()."]
    if not isinstance(network, torch.nn.Module):
        return [f"this is a {type(network).__name__}, not a torch.nn.Module. Derive your class from nn.Module."]
    network = network.eval()
    x = torch.randn(3, 51, features, generator=torch.Generator().manual_seed(0))  # (batch, frames, features)
    try:
        scores = network(x)
        alone = network(x[-1:])  # the last: a network that takes the batch for time mixes it with those before
        longer = network(torch.cat([x, x], dim=1))
    except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
        name = type(error).__name__
        return [f"forward fails on an input of shape {tuple(x.shape)} or twice as long: {name}: {error}"]
    problems = []
    if not isinstance(scores, torch.Tensor) or scores.shape != (3, classes):
        got = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        return [f"the scores of 3 clips should have the shape {(3, classes)}, not {got}."]
    if longer.shape != (3, classes):
        problems.append("a clip with more frames should give as many scores as a short one.")
    if not torch.isfinite(scores).all():
        problems.append("some scores are not finite numbers.")
    elif not torch.allclose(alone, scores[-1:], atol=1e-5):
        problems.append("a clip's scores change with its batch. Is dimension 0 the batch everywhere?")
    if scores.requires_grad:
        network.zero_grad()
        scores.logsumexp(1).sum().backward()
        idle = [name for name, weight in network.named_parameters() if weight.grad is None]
        if idle:
            problems.append(f"the parameters {idle[:3]} have no influence on the scores, so they cannot learn.")
        network.zero_grad()
    else:
        problems.append("the scores do not depend on any parameter, so nothing can be learnt.")
    return problems


def check_change(original, mine, part, setting):
    """Does `mine` differ from `original` in one setting of one part, and in nothing else?

    Parameters
    ----------
    original, mine : Experiment
    part, setting : str
        For example "feature" and "seconds".

    Returns
    -------
    bool
    """
    problems = []
    choose(part, {field.name: field for field in fields(original)}, "part of an experiment")
    before, after = getattr(original, part), getattr(mine, part)
    if getattr(before, setting) == getattr(after, setting):
        problems.append(f"{part}.{setting} is still {getattr(after, setting)!r}. Change it.")
    for field in fields(original):
        if field.name != part and getattr(original, field.name) != getattr(mine, field.name):
            problems.append(f"{field.name} differs too, so you could not say which change made the difference.")
    for field in fields(before):
        if field.name != setting and getattr(before, field.name) != getattr(after, field.name, None):
            problems.append(f"{part}.{field.name} differs too. Change one thing at a time.")
    return tell(problems, "One change: what differs in the result comes from it, or from chance.")


def check_smoothing(smooth):
    """Does `smooth(log_mel, n)` rebuild a log-mel spectrum from its first n cosine coefficients?

    Parameters
    ----------
    smooth : callable
        Takes a tensor of shape (frames, bands), in dB, and a number of coefficients; returns the same shape.

    Returns
    -------
    bool
    """
    praise = "From 13 of 40 numbers the smooth shape comes back, and nothing else."
    return tell(_smoothing_problems(smooth), praise)


def _smoothing_problems(smooth):
    frames, bands = 7, 40
    log_mel = 20 * torch.randn(frames, bands, generator=torch.Generator().manual_seed(0)) - 40  # (frames, bands)
    place = (torch.arange(bands) + 0.5) * torch.pi / bands
    waves = torch.cos(torch.arange(bands)[:, None] * place)  # (coefficients, bands)
    waves = waves / waves.norm(dim=1, keepdim=True)
    answers = {}
    for n in (bands, 13, 1):
        try:
            answer = torch.as_tensor(smooth(log_mel.clone(), n)).float()
        except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
            return [f"smooth(log_mel, {n}) fails: {type(error).__name__}: {error}"]
        if answer.shape == (frames, n) and n != bands:
            return [f"with n={n} you return the {n} coefficients. Multiply by the cosines once more to go back."]
        if answer.shape != log_mel.shape:
            return [f"log_mel has the shape {(frames, bands)}, what you return {tuple(answer.shape)}. Keep the shape."]
        answers[n] = answer
    if torch.allclose(answers[1], answers[bands]):
        return ["the answer is the same for 1 and for 40 coefficients. Use n: keep the first n, drop the rest."]
    along_time = (log_mel.mean(0, keepdim=True) - answers[1]).abs().max() < 0.01
    if along_time:
        return ["you smooth over time. The cosines run over the bands: the last axis."]
    error = (answers[bands] - log_mel).abs().max()
    if error > 0.01:
        return [
            f"with all {bands} coefficients you should get back what you put in, but one value is off by {error:.2g} "
            "dB. Are the cosines scaled (norm='ortho'), and do you go back with their transpose?"
        ]
    problems = []
    for n in (13, 1):
        error = (answers[n] - log_mel @ waves[:n].T @ waves[:n]).abs().max()
        if error > 0.01:
            problems.append(f"with n={n} one value is off by {error:.2g} dB. Keep the *first* n coefficients.")
    return problems


def check_window(window_ms, hertz=40.0, seconds=0.06):
    """Does a Hann window tell two tones apart, and two clicks as well?

    Parameters
    ----------
    window_ms : float
        Its length in milliseconds.
    hertz, seconds : float
        How far apart the tones and the clicks are.

    Returns
    -------
    bool
    """
    return tell(_window_problems(window_ms, hertz, seconds), "One can see both: the two tones and the two clicks.")


def _window_problems(window_ms, hertz, seconds, rate=16_000):
    if isinstance(window_ms, bool) or not isinstance(window_ms, Real) or not 1 <= window_ms <= 1000:
        return [f"a window is a number of milliseconds between 1 and 1000, not {window_ms!r}."]
    window = torch.hann_window(round(window_ms * rate / 1000), dtype=torch.float64)
    time = torch.arange(len(window)) / rate
    problems = []
    # the tones beat: look at them from several moments, and keep the mean power
    tones = [
        torch.cos(2 * torch.pi * 1000 * time) + torch.cos(2 * torch.pi * (1000 + hertz) * time + phase)
        for phase in torch.arange(8) * torch.pi / 4
    ]
    power = sum(torch.fft.rfft(window * tone, rate).abs().square() for tone in tones)  # a value per hertz
    between, beside = power[round(1000 + hertz / 2)], power[[1000, round(1000 + hertz)]].min()
    if between > beside / 2:
        problems.append(f"in {window_ms:g} ms two tones {hertz:g} Hz apart melt into one. Try a longer window.")
    # a frame centred between the clicks has both of them at this distance from its middle
    middle, distance = len(window) // 2, round(seconds / 2 * rate)
    between = 2 * window[middle + distance] ** 2 if distance < middle else 0.0
    if between > 0.5:
        problems.append(
            f"in {window_ms:g} ms two clicks {1000 * seconds:g} ms apart melt into one. Try a shorter window."
        )
    return problems


def check_parts(clips, parts):
    """Are these parts fit for an honest experiment: nobody in two of them, nobody forgotten, none too small?

    Parameters
    ----------
    clips : pandas.DataFrame
        With the column `speaker`.
    parts : sequence of str
        "train", "validation" or "test" for each clip, in the order of `clips`.

    Returns
    -------
    bool
    """
    return tell(_parts_problems(clips, parts), "Every clip has a part, and no voice is in two of them.")


def _parts_problems(clips, parts):
    import pandas as pd

    names = ("train", "validation", "test")
    if parts is None or isinstance(parts, str) or not hasattr(parts, "__len__"):
        return ["give the part of each clip: a list or a column of words, one per clip."]
    if len(parts) != len(clips):
        return [f"there are {len(clips):,} clips, but {len(parts):,} parts. Give each clip one."]
    given = pd.Series(list(parts), index=clips.index)
    unknown = given[~given.isin(names)]
    if len(unknown):
        return [f"{len(unknown):,} clips are in no part; one of them has {unknown.iloc[0]!r}. The parts are {names}."]
    problems = []
    many = given.groupby(clips.speaker).nunique()
    if len(shared := many[many > 1]):
        problems.append(
            f"{len(shared)} of {len(many)} speakers are in more than one part, {shared.index[0]} for one. "
            "Choose a part for each speaker, not for each clip."
        )
    for name in names:
        share = (given == name).mean()
        if share < 0.05:
            problems.append(f"the part {name!r} has {share:.1%} of the clips: too few to learn or to measure from.")
    if (given == "train").mean() < 0.5 and not problems:
        problems.append("less than half of the clips are for training. Leave more to learn from.")
    return problems
