"""Answers to the blanks of 04_mel_cnn: one of several right ones for each."""

import torch


def flat(bands, frames):
    for _ in range(2):
        bands, frames = (bands - 2) // 3, (frames - 2) // 3  # the convolution, then the pool
    return 16 * bands * frames


def hide(image, generator):
    width = int(torch.randint(1, 20, (1,), generator=generator))
    first = int(torch.randint(0, image.shape[1] - width, (1,), generator=generator))
    hidden = image.clone()
    hidden[:, first : first + width] = image.mean()
    return hidden


# Exercise 1: only the last pair tests dropout and nothing else. M1 and M3 differ in weight decay, too.
def differing(first, second):
    sides = []
    for experiment in (first, second):
        parts = {part: values for part, values in experiment.items() if isinstance(values, dict)}
        sides.append({f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()})
    absent = object()  # not None: None may be a value
    names = sorted({*sides[0], *sides[1]})
    return [name for name in names if sides[0].get(name, absent) != sides[1].get(name, absent)]
