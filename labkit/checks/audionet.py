"""Self-checks for the exercises of 05_audiomnist_audionet; see `checks`."""

import torch

from ..data.splits import GROUPS
from ..models import Model
from .exploration import tell

WINDOW = 8000
NETWORKS = ((100, 64, 128, 128, 128, 128), (100, 64, 128, 128, 128, 128, 128), (16, 32), (8,))


def check_parameters(count):
    """Does `count(widths)` say how many parameters AudioNet without batch norm has, for 8,000 samples and ten digits?

    Parameters
    ----------
    count : callable
        Takes the channels after each convolution, returns a whole number.

    Returns
    -------
    bool
    """
    return tell(_parameter_problems(count), "You can now say what a layer costs before you build it.")


def _parameter_problems(count):
    for widths in NETWORKS:
        network = Model("audionet", widths=widths).build((1, WINDOW), 10)
        right = sum(parameter.numel() for parameter in network.parameters())
        try:
            answer = count(widths)
        except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
            return [f"count({widths}) fails: {type(error).__name__}: {error}"]
        if answer == right:
            continue
        biases = sum(parameter.numel() for parameter in network.parameters() if parameter.dim() == 1)
        flat = network.linears[0].weight
        unpooled = WINDOW * widths[-1] * flat.shape[0] - flat.numel()
        if answer == right - biases:
            return [f"count({widths}) = {answer:,}: the biases are missing, one for each channel and each output."]
        if answer == right + unpooled:
            return [f"count({widths}) = {answer:,}: each pool halves the samples before the first linear layer."]
        return [f"count({widths}) = {answer!r}, but there are {right:,}."]
    return []


def check_placing(place):
    """Does `place(clip, generator)` put a clip at a random place of 8,000 zeros?

    Parameters
    ----------
    place : callable
        Takes samples of shape (n,), n at most 8,000, and a torch.Generator; returns samples of shape (8000,).

    Returns
    -------
    bool
    """
    return tell(_placing_problems(place), "A network that sees this cannot rely on where the word begins.")


def _placing_problems(place):
    dice, starts = torch.Generator().manual_seed(0), set()
    for length in (8000, 7999, *[3000] * 40):
        clip = torch.rand(length, generator=torch.Generator().manual_seed(length)) + 0.1
        kept = clip.clone()
        try:
            window = place(clip, dice)
        except Exception as error:  # as above
            return [f"place(clip, generator) fails for a clip of {length} samples: {type(error).__name__}: {error}"]
        if not isinstance(window, torch.Tensor) or window.shape != (WINDOW,):
            return [f"give back a tensor of {WINDOW} samples, also for a clip of {length}."]
        if not torch.equal(clip, kept):
            return ["you change the clip you were given. Make new zeros, and write into those."]
        if int(window.count_nonzero()) != length:
            return [
                f"of {length} samples, {int(window.count_nonzero())} are in the window. The whole clip must fit in."
            ]
        first = int(window.nonzero()[0])
        if not torch.equal(window[first : first + length], clip):
            return ["the clip should stand in the window as it is: the same samples in the same order."]
        starts |= {first} if length == 3000 else set()
    if len(starts) < 5:
        return [f"forty clips begin at {len(starts)} different places. Draw the place with torch.randint."]
    if max(starts) < 3500:
        return [f"no clip begins after sample {max(starts)}, though there is room up to {WINDOW - 3000}."]
    return []


def check_fold(parts):
    """Does `parts(fold)` say who trains, validates and is tested in AudioMNIST's published digit folds?

    Parameters
    ----------
    parts : callable
        Takes 0 to 4, returns a dict with the keys "train", "validation" and "test", each a collection of speakers.

    Returns
    -------
    bool
    """
    return tell(_fold_problems(parts), "Nobody is tested who was trained on, and everybody is tested once.")


def _fold_problems(parts):
    groups = [set(group) for group in GROUPS["audiomnist_digit"]]
    tested = []
    for fold in range(5):
        try:
            found = {name: set(parts(fold)[name]) for name in ("train", "validation", "test")}
        except Exception as error:  # as above
            return [f"parts({fold}) fails or lacks a part: {type(error).__name__}: {error}"]
        for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
            if both := sorted(found[one] & found[other]):
                return [f"fold {fold}: speaker {both[0]} is in {one} and in {other}."]
        if missing := sorted(set().union(*groups) - set().union(*found.values())):
            return [f"fold {fold}: {len(missing)} speakers are in no part, {missing[0]} for one."]
        if found["test"] not in groups or found["validation"] not in groups:
            return [f"fold {fold}: the published folds test one whole group, and validate on another."]
        tested.append(found["test"])
    if len({tuple(sorted(group)) for group in tested}) < 5:
        return ["two folds test the same group. Each group is tested once."]
    return []
