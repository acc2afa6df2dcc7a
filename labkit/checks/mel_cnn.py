"""Self-checks for the exercises of 04_mel_cnn; see `checks`."""

import torch

from ..models import Model
from .exploration import tell

PICTURES = ((128, 81), (80, 81), (40, 101), (128, 41), (17, 17), (30, 200))


def check_flat(flat):
    """Does `flat(bands, frames)` say how many numbers M1 to M3 flatten for a picture of that size?

    Parameters
    ----------
    flat : callable
        Takes two whole numbers, returns one.

    Returns
    -------
    bool
    """
    return tell(_flat_problems(flat), "You can now say which pictures fit which linear layer, before PyTorch does.")


def _flat_problems(flat):
    for bands, frames in PICTURES:
        right = Model("mel_cnn").build((1, bands, frames), 4).linear1.in_features
        try:
            answer = flat(bands, frames)
            number = int(answer)
        except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
            return [f"flat({bands}, {frames}) fails or gives no number: {type(error).__name__}: {error}"]
        if number == answer == right:
            continue
        if answer == right / 16:
            return [f"flat({bands}, {frames}) = {answer}: that is one channel. The second convolution makes 16."]
        if answer == 16 * (bands // 9) * (frames // 9):
            return [
                f"flat({bands}, {frames}) = {answer}: you count the pools only. A 3x3 kernel without padding cannot "
                "stand on the edge: each convolution takes 2 away, before its pool."
            ]
        if number != answer:
            return [f"flat({bands}, {frames}) = {answer}: sizes are whole numbers. A pool drops what is left over."]
        return [f"flat({bands}, {frames}) = {answer}, but M1 to M3 flatten {right:,} numbers there."]
    return []


def check_hiding(hide):
    """Does `hide(picture, generator)` hide one random stretch of time, as SpecAugment does?

    Parameters
    ----------
    hide : callable
        Takes a picture of shape (bands, frames) and a torch.Generator; returns a picture of the same shape.

    Returns
    -------
    bool
    """
    return tell(_hiding_problems(hide), "A network that sees this cannot rely on one moment of the word.")


def _hiding_problems(hide, bands=40, frames=101, widest=40):
    dice = torch.Generator().manual_seed(0)
    places, widths = set(), set()
    for number in range(40):
        picture = torch.randn(bands, frames, generator=torch.Generator().manual_seed(number)) + 50
        kept = picture.clone()
        try:
            hidden = hide(picture, dice)
        except Exception as error:  # as above
            return [f"hide(picture, generator) fails: {type(error).__name__}: {error}"]
        if not isinstance(hidden, torch.Tensor) or hidden.shape != picture.shape:
            return [f"give back a tensor of the shape {tuple(kept.shape)}, like the picture."]
        if not torch.equal(picture, kept):
            return ["you change the picture you were given. Work on picture.clone(): the next epoch needs it whole."]
        changed = hidden != kept  # (bands, frames)
        columns = changed.any(0)
        if not changed.any():
            widths.add(0)
            continue
        if changed.any(1).sum() < bands and columns.all():
            return ["you hide bands over the whole time. Time is the second axis: picture[:, start:end]."]
        if not changed[:, columns].all():
            return ["what is hidden should be hidden in every band: whole columns of the picture."]
        first, last = columns.nonzero()[0].item(), columns.nonzero()[-1].item()
        if not columns[first : last + 1].all():
            return ["hide one stretch: frames that follow each other."]
        if (hidden[changed] - kept.mean()).abs().max() > 20:
            return [
                "what you write there is far from the other values: 0 is no silence here. Write the picture's mean."
            ]
        places.add(first), widths.add(last - first + 1)
    if widths == {0}:
        return ["nothing was hidden in 40 tries."]
    if len(places) == 1:
        return ["the stretch is always at the same place. Draw it: torch.randint(..., generator=generator)."]
    if max(widths) > widest:
        return [f"one stretch had {max(widths)} of {frames} frames: the word may be gone. Hide at most {widest}."]
    return []
