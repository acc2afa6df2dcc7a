"""Self-checks for the exercises of 05_audiomnist_audionet."""

from itertools import combinations

import torch

from ..data.splits import GROUPS
from ..models import Model, count_parameters
from . import Wrong, attempt, check, compare, need, shape

WINDOW = 8000  # samples
NETWORKS = ((100, 64, 128, 128, 128, 128), (100, 64, 128, 128, 128, 128, 128), (16, 32), (8,))  # channels


@check("You can now say what a layer costs before you build it.")
def check_parameters(count):
    """Does `count(widths)` give the parameters of AudioNet with these channels, 8,000 samples and ten digits?"""
    for widths in NETWORKS:
        network = Model("audionet", widths=widths).build((1, WINDOW), 10)
        right, flat = count_parameters(network), network.linears[0].weight
        biases = sum(parameter.numel() for parameter in network.parameters() if parameter.dim() == 1)
        unpooled = right + WINDOW * widths[-1] * flat.shape[0] - flat.numel()
        mistakes = {
            right - biases: "the biases are missing, one for each channel and each output.",
            unpooled: "each pool halves the samples before the first linear layer.",
        }
        compare(f"count({widths})", count, [widths], right, mistakes, f"there are {right:,}.")


@check("A network that sees this cannot rely on where the word begins.")
def check_placing(place):
    """Does `place(clip, generator)` put a clip of shape (n,) at a random place of 8,000 zeros?"""
    generator, starts = torch.Generator().manual_seed(0), set()
    for length in (8000, 7999, *[3000] * 40):
        clip = torch.rand(length, generator=torch.Generator().manual_seed(length)) + 0.1
        kept = clip.clone()
        with attempt(f"place(clip, generator), for a clip of {length} samples,"):
            window = place(clip, generator)
        need(shape(window) == (WINDOW,), f"give back a tensor of {WINDOW} samples, also for a clip of {length}.")
        need(torch.equal(clip, kept), "you change the clip you were given. Make new zeros, and write into those.")
        filled = window.nonzero()[:, 0]  # samples that are not 0; the clip has no zeros
        lost = f"of {length} samples, {len(filled)} are in the window. The whole clip must fit in."
        need(len(filled) == length, lost)
        same = torch.equal(window[filled[0] : filled[0] + length], clip)
        need(same, "the clip should stand in the window as it is: the same samples in the same order.")
        if length == 3000:
            starts.add(int(filled[0]))
    few, last = len(starts), max(starts)
    need(few >= 5, f"forty clips begin at {few} different places. Draw the place with torch.randint.")
    need(last >= 3500, f"no clip begins after sample {last}, though there is room up to {WINDOW - 3000}.")


@check("Nobody is tested who was trained on, and everybody is tested once.")
def check_fold(parts):
    """Does `parts(fold)` give the speakers of "train", "validation" and "test" in AudioMNIST's five digit folds?"""
    groups = [set(group) for group in GROUPS["audiomnist_digit"]]
    tested = []
    for fold in range(5):
        with attempt(f"parts({fold}) or one of its parts"):
            found = {name: set(parts(fold)[name]) for name in ("train", "test", "validation")}
        for one, other in combinations(found, 2):
            if both := found[one] & found[other]:
                raise Wrong(f"fold {fold}: speaker {min(both)} is in {one} and in {other}.")
        if missing := set().union(*groups).difference(*found.values()):
            raise Wrong(f"fold {fold}: {len(missing)} speakers are in no part, {min(missing)} for one.")
        whole = found["test"] in groups and found["validation"] in groups
        need(whole, f"fold {fold}: the published folds test one whole group, and validate on another.")
        tested.append(found["test"])
    need(all(group in tested for group in groups), "two folds test the same group. Each group is tested once.")
