"""Measuring speed: sides of a comparison take turns in one process, and what is reported are ratios.

`python -m tools.bench NAME` runs the module of that name. To add one, write a module with `main(args) -> int` and a
line in `BENCHES`.
"""

import statistics
import time

import torch

from labkit.errors import LabError

BENCHES = {
    "accents": "an epoch over sentences of their own length, against five seconds for all",
    "audionet": "a training step of AudioNet, against nn.Conv1d",
    "cells": "LSTM cells written as equations, against nn.LSTM",
    "cnn": "an epoch of M3 and of the modern CNN, against the usual layout with features one by one",
    "features": "WAV files to MFCC with deltas, against librosa clip by clip",
    "live": "a stream in blocks of 80 ms, against the same network run again on the last second",
    "training": "an epoch, the share of it outside the model, and a DataLoader that computes features per item",
}


def take_turns(sides, rounds=5):
    """Time functions in turns, so that a slow minute of the machine hits all of them.

    Parameters
    ----------
    sides : dict
        From a name to a function without arguments. Each is called once before, uncounted.
    rounds : int

    Returns
    -------
    dict
        From name to the list of seconds, one per round.
    """
    if rounds < 1:
        raise LabError(f"rounds={rounds}: at least one is needed.")
    times = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            if number:
                times[name].append(time.perf_counter() - started)
    return times


def ratio(times, slow, fast):
    """How many times faster `fast` is: (median, lowest, highest) over the rounds, each round compared with itself."""
    each = [a / b for a, b in zip(times[slow], times[fast], strict=True)]
    return statistics.median(each), min(each), max(each)


def training_step(network, optimiser, x, lengths, targets, bf16):
    """One step of training on the CPU, the forward pass in bf16 if wanted."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = network(x, lengths)
    loss = torch.nn.functional.cross_entropy(logits.float(), targets)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
