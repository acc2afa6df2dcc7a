"""AudioNet: convolutions on the samples themselves (Becker et al., arXiv 1807.03418), and a GRU tried beside it.

A student study built both. They read (batch, 1, samples) of the feature `raw` at 8 kHz. `VARIANTS` holds the published
networks with their recipes; `settings(name)` turns one into what `Experiment.from_dict` reads.
"""

from dataclasses import dataclass, field

import torch
from torch import nn

from ..errors import LabError, choose
from ..models import register
from ..models.rnn import READOUTS

BECKER = (100, 64, 128, 128, 128, 128)
STUDENT = (*BECKER, 128)


@register("audionet")
class AudioNet(nn.Module):
    """Convolutions of three samples, a pool of two after each, then three linear layers.

    Parameters
    ----------
    shape : (1, samples)
        Of one length: the linear layers look at every place of the window.
    classes : int
    widths : tuple of int
        Channels after each convolution.
    hidden : tuple of int
        Widths of the linear layers before the scores.
    norm : bool
        Batch norm after each convolution but the first.
    dropout : float
        After each linear layer before the scores.
    rectify : bool
        ReLU after these linear layers. Becker's files have none there: two matrices in a row are one.
    spread : float, optional
        Draw all weights from a normal distribution of this spread, and start biases at zero; None leaves PyTorch's own
        beginning.
    """

    layout = torch.channels_last  # the same numbers, in the order that a CPU convolves fastest

    def __init__(
        self, shape, classes, widths=BECKER, hidden=(1024, 512), norm=False, dropout=0.5, rectify=False, spread=None
    ):
        super().__init__()
        if len(shape) != 2 or shape[0] != 1 or shape[1] is None:
            raise LabError(f"audionet takes samples of one length, (1, samples), not {shape}. Use 'raw' with seconds.")
        whole = all(isinstance(width, int) and width > 0 for width in (*widths, *hidden))
        if not (whole and widths and 0 <= dropout < 1 and (spread is None or spread > 0)):
            raise LabError(
                f"widths={widths}, hidden={hidden}, dropout={dropout}, spread={spread}: widths and hidden are whole "
                "numbers above zero, dropout is from 0 to below 1, spread is above zero or None. Change these."
            )
        left = shape[1] // 2 ** len(widths)
        if left < 1:
            raise LabError(
                f"{len(widths)} pools of 2 need a window of at least {2 ** len(widths):,} samples, and this one has "
                f"{shape[1]:,}. Raise seconds, or give fewer widths."
            )
        # Height 1 and channels last: the same numbers as Conv1d, faster on a CPU.
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, (1, 3), padding=(0, 1))
            for before, after in zip((1, *widths), widths, strict=False)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width) if norm and number else nn.Identity() for number, width in enumerate(widths)
        )
        sizes = (widths[-1] * left, *hidden)
        self.linears = nn.ModuleList(nn.Linear(before, after) for before, after in zip(sizes, hidden, strict=False))
        self.scores = nn.Linear(sizes[-1], classes)
        self.dropout = nn.Dropout(dropout)
        self.rectify = rectify
        if spread is not None:
            for layer in (*self.convolutions, *self.linears, self.scores):
                nn.init.normal_(layer.weight, std=spread)
                nn.init.zeros_(layer.bias)
        self.to(memory_format=self.layout)

    def forward(self, x, lengths):
        # x: (batch, 1, samples); beyond its length a clip is silent, as it was when its window was filled with zeros
        inside = torch.arange(x.shape[2], device=x.device) < lengths[:, None, None]
        x = (x * inside)[:, :, None].contiguous(memory_format=self.layout)  # (batch, 1, 1, samples)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            # The largest of two, then ReLU: the same as ReLU first, on half as many numbers.
            x = nn.functional.max_pool2d(norm(convolution(x)), (1, 2)).relu()  # (batch, channels, 1, samples / 2)
        x = x.flatten(1)  # (batch, channels * samples that are left)
        for linear in self.linears:
            x = linear(x)
            x = self.dropout(x.relu() if self.rectify else x)  # (batch, hidden)
        return self.scores(x)  # (batch, classes)


@register("sample_gru")
class SampleGRU(nn.Module):
    """A GRU straight on the samples.

    Parameters
    ----------
    shape : (1, samples)
    classes : int
    hidden : int
    frame : int
        Samples that make one step. 1 is what the study did: 8,000 steps a second.
    readout : {"last", "mean", "max"}
        Which output is read: at the last sample of the clip, or over all of the clip. Where the feature counts the
        zeros behind it as signal (padding="signal", the study's way) the last sample is the end of the window.
    """

    def __init__(self, shape, classes, hidden=128, frame=1, readout="last"):
        super().__init__()
        if len(shape) != 2 or shape[0] != 1:
            raise LabError(f"sample_gru takes samples, (1, samples), not {shape}. Use the feature 'raw'.")
        if hidden < 1 or frame < 1 or (shape[1] is not None and shape[1] < frame):
            raise LabError(
                f"hidden={hidden}, frame={frame}: both are above zero, and a frame fits into the clip ({shape[1]} "
                "samples). Change these."
            )
        readouts = {name: READOUTS[name] for name in ("last", "mean", "max")}  # one direction has one end
        self.readout, self.frame = choose(readout, readouts, "readout"), frame
        self.recurrent = nn.GRU(frame, hidden, batch_first=True)
        self.scores = nn.Linear(hidden, classes)

    def forward(self, x, lengths):
        # x: (batch, 1, samples)
        inside = torch.arange(x.shape[2], device=x.device) < lengths[:, None]
        steps = x.shape[2] // self.frame
        x = (x[:, 0] * inside)[:, : steps * self.frame].unflatten(1, (steps, self.frame))  # (batch, steps, frame)
        outputs = self.recurrent(x)[0]  # (batch, steps, hidden)
        return self.scores(self.readout(outputs, (lengths // self.frame).clamp(1, steps)))  # (batch, classes)


# The table. Clips in 8,000 samples of which the rest is zero; the zeros count as signal, as they did there.

PLACED = {"name": "raw", "sample_rate": 8000, "padding": "signal", "percentile": 95.0, "scatter": True}
SGD = {
    **{"optimiser": "sgd", "rate": 1e-4, "momentum": 0.9, "batch": 100, "epochs": 20},
    **{"schedule": "constant", "weight_decay": 0.0, "clip_norm": None},
}


@dataclass(frozen=True)
class Variant:
    """A published network and its recipe.

    Parameters
    ----------
    model, feature, recipe : dict
        As `Experiment.from_dict` reads them.
    parameters : int, optional
        Trainable parameters with ten classes, where they were published or follow from the published architecture.
    published : float, optional
        Accuracy in percent.
    note : str
        What is not known, and what was chosen here.
    """

    model: dict
    feature: dict = field(default_factory=lambda: PLACED)
    recipe: dict = field(default_factory=lambda: SGD)
    parameters: int | None = None
    published: float | None = None
    note: str = ""


VARIANTS = {
    "Becker": Variant(
        {"name": "audionet", "spread": 0.1},
        parameters=17_107_162,
        published=92.53,
        note="50,000 iterations; its first pool looks at three samples there, at two here",
    ),
    "student": Variant(
        {"name": "audionet", "widths": STUDENT, "norm": True, "rectify": True},
        parameters=8_900_314,
        published=45.0,
        note="20 epochs of 2,400 clips are 480 iterations; ReLU and dropout as Becker describes them are assumed",
    ),
    "student's GRU": Variant(
        {"name": "sample_gru"},
        feature={"name": "raw", "sample_rate": 8000, "padding": "signal"},
        recipe={**SGD, "batch": 10},
        published=10.0,
        note="its width is not known: 128 here",
    ),
    "repaired GRU": Variant(
        {"name": "raw_recurrent", "cell": "gru", "hidden": 64, "blocks": 2, "stride": 8},
        feature={"name": "raw", "sample_rate": 8000, "percentile": 95.0},
        recipe={"epochs": 12, "batch": 32, "rate": 4e-3},
    ),
}


def settings(name):
    """Feature, model and recipe of a variant, as `Experiment.from_dict` reads them.

    Examples
    --------
    >>> settings("student")["recipe"]["batch"]
    100
    """
    variant = choose(name, VARIANTS, "variant of AudioNet")
    return {"feature": dict(variant.feature), "model": dict(variant.model), "recipe": dict(variant.recipe)}
