"""Self-checks for the blanks and the exercise of 04_mel_cnn."""

import torch

from ..models import Model
from . import attempt, check, compare, need, shape

SIZES = ((128, 81), (80, 81), (40, 101), (128, 41), (17, 17), (30, 200))  # bands and frames


@check("You can now say which images fit which linear layer, before PyTorch does.", blank="04_mel_cnn.flat")
def check_flat(flat):
    """Does `flat(bands, frames)` say how many numbers M1 to M3 flatten for an input of that size?"""
    for bands, frames in SIZES:
        right = Model("mel_cnn").build((1, bands, frames), 4).linear1.in_features
        mistakes = {
            right / 16: "that is one channel. The second convolution makes 16.",
            right / 2: "that is 8 channels, those of the first convolution. The second makes 16.",
            right * 8: "the channels of both convolutions are multiplied. Only the last image is flattened.",
            16 * (bands // 9) * (frames // 9): "you count the pools only. Before each, a 3x3 kernel takes 2 away.",
            16 * (bands - 4) * (frames - 4): "you count the convolutions only. After each, a pool divides by 3.",
            16 * ((bands - 2) // 3) * ((frames - 2) // 3): "that is one convolution and one pool. There are two.",
        }
        otherwise = f"M1 to M3 flatten {right:,} numbers. Sizes are whole numbers: a pool drops what is left over."
        compare(f"flat({bands}, {frames})", flat, [bands, frames], right, mistakes, otherwise)


@check("A network that sees this cannot rely on one moment of the word.", blank="04_mel_cnn.hide")
def check_hiding(hide):
    """Does `hide(image, generator)` hide a random stretch of time of an image (bands, frames), as in SpecAugment?"""
    bands, frames, widest = 40, 101, 40
    generator, starts, widths = torch.Generator().manual_seed(0), [], {0}
    for seed in range(40):
        image = torch.randn(bands, frames, generator=torch.Generator().manual_seed(seed)).double() + 50
        kept = image.clone()
        with attempt("hide(image, generator)"):
            hidden = hide(image, generator)
        need(shape(hidden) == (bands, frames), f"give back a tensor of the shape {(bands, frames)}, like the image.")
        need(torch.equal(image, kept), "you change the image itself, and the next epoch needs it. Use image.clone().")
        changed, columns = hidden != kept, (hidden != kept).any(0)  # (bands, frames), (frames,)
        if not columns.any():
            continue
        first, last = columns.nonzero()[[0, -1], 0].tolist()
        over_time = columns.all() and not changed.any(1).all()
        need(not over_time, "you hide bands over the whole time. Time is the second axis: image[:, start:end].")
        need(changed[:, columns].all(), "what is hidden should be hidden in every band: whole columns of the image.")
        need(columns[first : last + 1].all(), "hide one stretch: frames that follow each other.")
        near = (hidden[changed] - kept.mean()).abs().max() <= 1
        need(near, "what you write is far from the other values: 0 is no silence here. Write the image's mean.")
        starts.append(first)
        widths.add(last - first + 1)
    need(len(starts) > 20, f"nothing was hidden in {40 - len(starts)} of 40 tries.")
    again = [hide(image.clone(), torch.Generator().manual_seed(9)) for _ in range(5)]
    draw = "Draw it: torch.randint(..., generator=generator)."
    need(all(torch.equal(again[0], one) for one in again), f"the same generator hides other stretches. {draw}")
    need(len(set(starts)) > 1, f"the stretch is always at the same place. {draw}")
    need(max(widths) <= widest, f"one stretch had {max(widths)} frames: the word may be gone. Hide at most {widest}.")


PAIRS = (  # two experiments, and the settings in which they differ
    ({"feature": {"log": "db", "n_mels": 40}}, {"feature": {"log": "none", "n_mels": 40}}, {"feature.log"}),
    ({"recipe": {"lr": 0.1}}, {"recipe": {"lr": 0.1}}, set()),
    ({"model": {"dropout": 0.0}}, {"model": {}}, {"model.dropout"}),
    ({"model": {}, "recipe": {"lr": 1}}, {"model": {"norm": None}, "recipe": {"lr": 1}}, {"model.norm"}),
    (
        {"feature": {"n_mels": 40}, "recipe": {"lr": 0.1, "epochs": 9}},
        {"feature": {"n_mels": 80}, "recipe": {"lr": 0.2, "epochs": 9}},
        {"feature.n_mels", "recipe.lr"},
    ),
    ({"feature": {"hop": 1}}, {"feature": {"hop": 1}, "split": {"fold": 2}}, {"split.fold"}),
)


@check("Now no comparison can hide a second factor from you.", blank="04_mel_cnn.differing")
def check_differing(differing):
    """Does `differing(first, second)` name all settings in which two experiments, dicts of dicts, differ?"""
    for first, second, right in PAIRS:
        said = f"differing({first}, {second})"
        with attempt(said):
            found = differing(first, second)
        need(isinstance(found, (list, tuple, set)), f"{said} should be a list of texts, not {found!r}.")
        strange = [name for name in found if not isinstance(name, str) or name.count(".") != 1]
        need(not strange, f"{said} has {strange[:1]}: write the part and the setting, such as 'feature.log'.")
        need(len(set(found)) == len(found), f"{said} names a setting twice: {list(found)}.")
        missed, wrong = sorted(right - set(found)), sorted(set(found) - right)
        need(not wrong, f"{said} names {wrong}, which is the same on both sides.")
        hint = "It stands on one side only; None there is a value, too." if "lr" not in str(missed) else "Go on."
        need(not missed, f"{said} misses {missed}. {hint}")
