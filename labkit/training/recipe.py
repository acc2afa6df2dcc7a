"""How a model is trained: the settings, and the optimisers, schedules and losses that they name."""

import math
from functools import partial
from typing import Literal

import torch
from torch import optim
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, logsigmoid, one_hot

from ..settings import Count, Epochs, Fraction, NotNegative, Positive, Rate, one_of, settings
from .augment import Augmentation

OPTIMISERS = {"adamw": optim.AdamW, "adam": optim.Adam, "sgd": optim.SGD, "rmsprop": optim.RMSprop}


def make_optimiser(weights, recipe):
    """The optimiser that a recipe names, for these weights."""
    momentum = {"momentum": recipe.momentum} if recipe.optimiser == "sgd" else {}
    return OPTIMISERS[recipe.optimiser](weights, recipe.lr, weight_decay=recipe.weight_decay, **momentum)


def one_cycle(done, history=()):
    """Up to the peak over the first 30%, down to almost zero after (Smith, arXiv 1708.07120; cosine pieces)."""
    if done < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / 0.3)) / 2
    return 1e-5 + (1 - 1e-5) * (1 + math.cos(math.pi * (done - 0.3) / 0.7)) / 2


def plateau(done, history=(), patience=2):
    """Halved each time that the training loss has not fallen by 0.01% for more than `patience` epochs."""
    factor, best, bad = 1.0, math.inf, 0
    for row in history:
        better = row["train_loss"] < best * (1 - 1e-4)
        best, bad = (row["train_loss"], 0) if better else (best, bad + 1)
        if bad > patience:
            factor, bad = factor / 2, 0
    return factor


# Factor on the learning rate, from the fraction of all steps done and the history so far: resuming needs no state.
SCHEDULES = {
    "one_cycle": one_cycle,
    "constant": lambda done, history=(): 1.0,
    "cosine": lambda done, history=(): (1 + math.cos(math.pi * done)) / 2,
    "plateau": plateau,
}


def binary_cross_entropy(logits, targets, weight=None):
    """A sigmoid per class, each asked whether it is this one; the mean over classes and clips."""
    wanted = one_hot(targets, logits.shape[1]).to(logits)
    return binary_cross_entropy_with_logits(logits, wanted, None if weight is None else weight[targets, None])


# Mean over clips, from logits of shape (batch, classes), targets (batch,) and a weight for each class or None.
LOSSES = {
    "cross_entropy": cross_entropy,  # softmax and negative log-likelihood in one
    # Softmax first, then a loss that applies it again: never below ln(e + classes - 1) - 1 (1.817 for 15).
    "softmax_cross_entropy": lambda logits, targets, weight=None: cross_entropy(logits.softmax(1), targets, weight),
    # Sigmoids, divided by their sum, then negative log-likelihood: what Keras makes of "sigmoid" and cross-entropy.
    "sigmoid_cross_entropy": lambda logits, targets, weight=None: cross_entropy(logsigmoid(logits), targets, weight),
    "binary_cross_entropy": binary_cross_entropy,
}


def make_loss(recipe, targets, classes):
    """The loss that a recipe names, a function of logits and targets; `targets` here are all of the training part."""
    return partial(LOSSES[recipe.loss], weight=class_weights(targets, classes) if recipe.class_weights else None)


def class_weights(targets, classes):
    """Weight of each class, shape (classes,): the rarer, the heavier; a class without clips gets 0."""
    counts = torch.bincount(targets, minlength=classes).float()
    return torch.where(counts > 0, len(targets) / (counts.clamp(min=1) * (counts > 0).sum()), 0.0)


@settings
class Recipe:
    """How a model is trained."""

    epochs: Epochs = 20
    batch: Count = 64  # clips in a step
    lr: Rate = 3e-3  # peak learning rate
    optimiser: one_of(OPTIMISERS, "optimiser") = "adamw"
    weight_decay: NotNegative = 0.01
    momentum: Fraction = 0.9  # of SGD
    schedule: one_of(SCHEDULES, "schedule") = "one_cycle"  # how the learning rate moves
    schedule_step: Literal["batch", "epoch"] = "batch"  # when; "epoch" is a mistake to study: it hardly begins
    # "softmax_cross_entropy" is a mistake to study; the two with a sigmoid are for networks with a sigmoid per class.
    loss: one_of(LOSSES, "loss") = "cross_entropy"
    class_weights: bool = False  # weigh classes so that each counts the same, however many clips it has
    clip_norm: Positive | None = 5.0  # largest norm of the gradient; None leaves it as it is
    # Validation metric that chooses the epoch whose weights are kept; "last" keeps the last, whatever validation says.
    select: Literal["accuracy", "balanced_accuracy", "last"] = "accuracy"
    augmentation: Augmentation = Augmentation()  # how training clips are varied
    precision: Literal["float32", "bf16"] = "float32"  # of forward passes; "bf16" may be faster on a GPU: measure
