"""Self-checks for the exercises of 04_mel_cnn."""

import torch

from ..models import Model
from . import attempt, check, compare, need, shape

SIZES = ((128, 81), (80, 81), (40, 101), (128, 41), (17, 17), (30, 200))  # bands and frames


@check("You can now say which pictures fit which linear layer, before PyTorch does.")
def check_flat(flat):
    """Does `flat(bands, frames)` say how many numbers M1 to M3 flatten for an input of that size?"""
    for bands, frames in SIZES:
        right = Model("mel_cnn").build((1, bands, frames), 4).linear1.in_features
        mistakes = {
            right / 16: "that is one channel. The second convolution makes 16.",
            16 * (bands // 9) * (frames // 9): "you count the pools only. Before each, a 3x3 kernel takes 2 away.",
        }
        otherwise = f"M1 to M3 flatten {right:,} numbers. Sizes are whole numbers: a pool drops what is left over."
        compare(f"flat({bands}, {frames})", flat, [bands, frames], right, mistakes, otherwise)


@check("A network that sees this cannot rely on one moment of the word.")
def check_hiding(hide):
    """Does `hide(picture, generator)` hide a random stretch of time of a picture (bands, frames), as in SpecAugment?"""
    bands, frames, widest = 40, 101, 40
    generator, starts, widths = torch.Generator().manual_seed(0), set(), {0}
    for seed in range(40):
        picture = torch.randn(bands, frames, generator=torch.Generator().manual_seed(seed)) + 50
        kept = picture.clone()
        with attempt("hide(picture, generator)"):
            hidden = hide(picture, generator)
        need(shape(hidden) == (bands, frames), f"give back a tensor of the shape {(bands, frames)}, like the picture.")
        spoilt = "you change the picture you were given, but the next epoch needs it. Work on picture.clone()."
        need(torch.equal(picture, kept), spoilt)
        changed = hidden != kept  # (bands, frames)
        columns = changed.any(0)  # (frames,)
        if not columns.any():
            continue
        first, last = columns.nonzero()[[0, -1], 0].tolist()
        over_time = columns.all() and not changed.any(1).all()
        need(not over_time, "you hide bands over the whole time. Time is the second axis: picture[:, start:end].")
        whole = changed[:, columns].all()
        need(whole, "what is hidden should be hidden in every band: whole columns of the picture.")
        need(columns[first : last + 1].all(), "hide one stretch: frames that follow each other.")
        near = (hidden[changed] - kept.mean()).abs().max() <= 20
        need(near, "what you write is far from the other values: 0 is no silence here. Write the picture's mean.")
        starts.add(first)
        widths.add(last - first + 1)
    need(starts, "nothing was hidden in 40 tries.")
    need(len(starts) > 1, "the stretch is always at the same place. Draw it: torch.randint(..., generator=generator).")
    gone = f"one stretch had {max(widths)} of {frames} frames: the word may be gone. Hide at most {widest}."
    need(max(widths) <= widest, gone)
