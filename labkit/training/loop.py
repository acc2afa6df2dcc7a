"""The training loop: one for all chapters."""

import contextlib
import math
import time
from dataclasses import dataclass, fields

import torch
from torch import nn

from ..errors import LabError, check_types, choose
from ..files import digest
from .augment import Augmentation
from .tensors import load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Parameters
    ----------
    epochs, batch : int
    rate : float
        Peak learning rate.
    optimiser : {"adamw", "adam", "sgd", "rmsprop"}
    weight_decay, momentum : float
        Momentum is SGD's.
    schedule : {"one_cycle", "constant", "cosine", "plateau"}
        How the rate moves. "plateau" halves it when the training loss has not fallen for three epochs.
    schedule_step : {"batch", "epoch"}
        When it moves on. "epoch" is a mistake to study: a schedule made for all batches, moved on once an epoch, so
        that it hardly begins.
    loss : {"cross_entropy", "softmax_cross_entropy", "sigmoid_cross_entropy", "binary_cross_entropy"}
        The second is a mistake to study: softmax applied twice, so that the loss cannot come near zero. The last two
        are for networks that end in a sigmoid per class.
    label_smoothing : float
    class_weights : bool
        Weigh classes so that each counts the same, however many clips it has.
    clip_norm : float, optional
        Largest allowed norm of the gradient; None leaves it as it is.
    select : {"accuracy", "balanced_accuracy", "last"}
        Validation figure that chooses the epoch whose weights are kept. "last" keeps those of the last one, whatever
        validation says: where the number of epochs was fixed beforehand.
    augmentation : Augmentation
        How training clips are varied.
    precision : {"float32", "bf16"}
        bf16 computes forward passes in 16 bits. A gain on GPUs and on CPUs with bf16 units, a loss elsewhere: measure.
    """

    epochs: int = 20
    batch: int = 64
    rate: float = 3e-3
    optimiser: str = "adamw"
    weight_decay: float = 0.01
    momentum: float = 0.9
    schedule: str = "one_cycle"
    schedule_step: str = "batch"
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0
    class_weights: bool = False
    clip_norm: float | None = 5.0
    select: str = "accuracy"
    augmentation: Augmentation = Augmentation()
    precision: str = "float32"

    def __post_init__(self):
        if isinstance(self.augmentation, dict):  # as JSON has it
            for setting in self.augmentation:
                choose(setting, dict.fromkeys(part.name for part in fields(Augmentation)), "setting of augmentation")
            object.__setattr__(self, "augmentation", Augmentation(**self.augmentation))
        check_types(self)
        choose(self.optimiser, OPTIMISERS, "optimiser")
        choose(self.schedule, SCHEDULES, "schedule")
        choose(self.schedule_step, dict.fromkeys(("batch", "epoch")), "step of the schedule")
        choose(self.loss, LOSSES, "loss")
        choose(self.select, dict.fromkeys(("accuracy", "balanced_accuracy", "last")), "figure to select by")
        choose(self.precision, dict.fromkeys(("float32", "bf16")), "precision")
        if self.epochs < 1 or self.batch < 1 or not 0 < self.rate < math.inf:
            raise LabError(
                f"epochs={self.epochs}, batch={self.batch}, rate={self.rate}: each must be above zero. Change these."
            )
        limits = self.clip_norm is None or self.clip_norm > 0
        if min(self.weight_decay, self.momentum) < 0 or not 0 <= self.label_smoothing < 1 or not limits:
            raise LabError(
                f"weight_decay={self.weight_decay}, momentum={self.momentum}, label_smoothing={self.label_smoothing}, "
                f"clip_norm={self.clip_norm}: none may be below zero, label_smoothing is below 1, and clip_norm above "
                "zero or None. Change these."
            )


OPTIMISERS = {
    "adamw": lambda weights, recipe: torch.optim.AdamW(weights, recipe.rate, weight_decay=recipe.weight_decay),
    "adam": lambda weights, recipe: torch.optim.Adam(weights, recipe.rate, weight_decay=recipe.weight_decay),
    "sgd": lambda weights, recipe: torch.optim.SGD(
        weights, recipe.rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    ),
    "rmsprop": lambda weights, recipe: torch.optim.RMSprop(weights, recipe.rate, weight_decay=recipe.weight_decay),
}


def one_cycle(done):
    """Up to the peak over the first 30%, down to almost zero after (Smith, arXiv 1708.07120; cosine pieces)."""
    if done < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / 0.3)) / 2
    return 1e-5 + (1 - 1e-5) * (1 + math.cos(math.pi * (done - 0.3) / 0.7)) / 2


def plateau(history, patience=2):
    """Halved each time that the training loss has not fallen by 0.01% for more than `patience` epochs."""
    factor, best, bad = 1.0, math.inf, 0
    for row in history:
        better = row["train_loss"] < best * (1 - 1e-4)
        best, bad = (row["train_loss"], 0) if better else (best, bad + 1)
        if bad > patience:
            factor, bad = factor / 2, 0
    return factor


# Each gives the factor on the rate, from the share of all batches done and the history so far. Pure functions: resuming
# needs no state.
SCHEDULES = {
    "one_cycle": lambda done, history: one_cycle(done),
    "constant": lambda done, history: 1.0,
    "cosine": lambda done, history: (1 + math.cos(math.pi * done)) / 2,
    "plateau": lambda done, history: plateau(history),
}


def cross_entropy(recipe, weights):
    """Softmax and negative log-likelihood in one."""
    return nn.CrossEntropyLoss(weights, label_smoothing=recipe.label_smoothing)


def softmax_cross_entropy(recipe, weights):
    """Softmax first, then a loss that applies it again: never below ln(e + classes - 1) - 1 (1.817 for 15)."""
    loss = cross_entropy(recipe, weights)
    return lambda outputs, targets: loss(outputs.softmax(1), targets)


def sigmoid_cross_entropy(recipe, weights):
    """Sigmoids, divided by their sum, then negative log-likelihood: what Keras makes of "sigmoid" and cross-entropy."""
    loss = cross_entropy(recipe, weights)
    return lambda outputs, targets: loss(nn.functional.logsigmoid(outputs), targets)


def binary_cross_entropy(recipe, weights):
    """A sigmoid per class, each asked whether it is this one; the mean over classes and clips."""

    def loss(outputs, targets):
        wanted = nn.functional.one_hot(targets, outputs.shape[1]).to(outputs)
        wanted = wanted.lerp(torch.full_like(wanted, 1 / outputs.shape[1]), recipe.label_smoothing)
        weight = None if weights is None else weights[targets, None]
        return nn.functional.binary_cross_entropy_with_logits(outputs, wanted, weight)

    return loss


LOSSES = {
    "cross_entropy": cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
}


@dataclass
class Watch:
    """What the outside sees of a training, and how it stops one. Panels and bars override the two methods."""

    stop: bool = False

    def batch(self, epoch, done, total):
        """Called after each batch."""

    def epoch(self, history):
        """Called after each epoch, with the history so far (a list of dicts)."""

    def close(self):
        """Called when the training is over, however it ended."""


@dataclass(frozen=True)
class Fitted:
    """What `fit` returns: the history, a dict per epoch; the best epoch (from 1); whether it was stopped early."""

    history: list
    best_epoch: int
    stopped: bool


def fit(network, train, validation, recipe, classes, seed=0, checkpoint=None, watch=None):
    """Train a network; afterwards it holds the weights of the epoch that was best on validation.

    Parameters
    ----------
    network : torch.nn.Module
        With `forward(x, lengths)`, on the sources' device.
    train, validation : Source
    recipe : Recipe
    classes : int
    seed : int
        Fixes the order of the batches and dropout, epoch by epoch.
    checkpoint : Path, optional
        Where the state after each epoch is kept; an existing one is resumed, on the CPU to bit-identical results.
    watch : Watch, optional

    Returns
    -------
    Fitted

    Raises
    ------
    LabError
        If the loss stops being a finite number, or the checkpoint is damaged.
    """
    watch = watch or Watch()
    device = train.device
    optimiser = OPTIMISERS[recipe.optimiser](network.parameters(), recipe)
    weights = class_weights(train.targets, classes) if recipe.class_weights else None
    loss_of = LOSSES[recipe.loss](recipe, weights)
    history, best = [], None  # best: (figure, -loss, epoch, weights)
    if checkpoint is not None and checkpoint.exists():
        history, best = load_checkpoint(checkpoint, network, optimiser)
    total = recipe.epochs * math.ceil(len(train) / recipe.batch)
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        started = time.perf_counter()
        losses, right = [], torch.zeros((), dtype=torch.int64, device=device)
        network.train()
        train.begin(seed, epoch)
        with _seeded(seed, epoch, device):
            batches = train.batches(recipe.batch, epoch_seed(seed, epoch))
            for number, index in enumerate(batches):
                moves = (epoch - 1) * len(batches) + number if recipe.schedule_step == "batch" else epoch - 1
                rate = recipe.rate * SCHEDULES[recipe.schedule](moves / total, history)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                x, lengths, targets = train[index]
                with _precision(device, recipe):
                    outputs = network(x, lengths)  # (batch, classes)
                    loss = loss_of(outputs.float(), targets)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                if recipe.clip_norm is not None:
                    nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
                optimiser.step()
                losses.append(loss.detach() * len(index))  # read at the end of the epoch: a GPU need not wait for us
                right += (outputs.argmax(1) == targets).sum()
                watch.batch(epoch, number + 1, len(batches))
                if watch.stop:
                    _take_best(network, best)
                    return Fitted(history, best[2] if best else 0, stopped=True)
        losses = torch.stack(losses)
        _check_finite(losses, f"epoch {epoch}, batch {{}}", recipe, checkpoint)
        seconds = time.perf_counter() - started
        logits, loss = predict(network, validation, recipe, loss_of)
        _check_finite(torch.tensor([loss]), f"the validation after epoch {epoch}", recipe, checkpoint)
        figures = _figures(logits, validation.targets, classes)
        history.append(
            {
                "epoch": epoch,
                "rate": rate,
                "train_loss": losses.sum().item() / len(train),
                "train_accuracy": right.item() / len(train),
                "validation_loss": loss,
                **{f"validation_{name}": value for name, value in figures.items()},
                "seconds": seconds,
            }
        )
        score = (epoch if recipe.select == "last" else figures[recipe.select], -loss)
        if best is None or score > best[:2]:
            best = (*score, epoch, {name: value.detach().clone() for name, value in network.state_dict().items()})
        if checkpoint is not None:
            save_checkpoint(checkpoint, network, optimiser, history, best)
        watch.epoch(history)
    _take_best(network, best)
    return Fitted(history, best[2], stopped=False)


@torch.no_grad()
def predict(network, source, recipe=None, loss_of=None, batch=512):
    """Run a network over a source in eval mode.

    Returns
    -------
    tuple of (torch.Tensor, float or None)
        Scores of shape (clips, classes), float32, on the device, and the mean loss if `loss_of` is given.
    """
    network.eval()
    outputs, batches = [], source.batches(batch)
    with _precision(source.device, recipe or Recipe()):
        for index in batches:
            x, lengths, _ = source[index]
            outputs.append(network(x, lengths).float())
    outputs = torch.cat(outputs)[torch.cat(list(batches)).argsort().to(source.device)]  # in the order of the clips
    return outputs, None if loss_of is None else loss_of(outputs, source.targets).item()


def class_weights(targets, classes):
    """Weight of each class, shape (classes,): the rarer, the heavier; a class without clips gets 0."""
    counts = torch.bincount(targets, minlength=classes).float()
    return torch.where(counts > 0, len(targets) / (counts.clamp(min=1) * (counts > 0).sum()), 0.0)


def epoch_seed(seed, epoch):
    """Seed of one epoch, so that an interrupted training goes on as if it never stopped."""
    return int(digest([seed, epoch], 12), 16)


def _figures(logits, targets, classes):
    guess, targets = logits.argmax(1).cpu(), targets.cpu()  # MPS has no float64
    hits = torch.bincount(targets[guess == targets], minlength=classes).double()
    counts = torch.bincount(targets, minlength=classes).double()
    recall = (hits / counts)[counts > 0]
    return {"accuracy": (hits.sum() / counts.sum()).item(), "balanced_accuracy": recall.mean().item()}


def _take_best(network, best):
    if best is not None:
        network.load_state_dict(best[3])


@contextlib.contextmanager
def _seeded(seed, epoch, device):
    """Seed dropout for one epoch and leave the student's own random numbers as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(epoch_seed(seed, epoch))
        yield


def _precision(device, recipe):
    if recipe.precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def _check_finite(losses, where, recipe, checkpoint):
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        clip = "" if recipe.clip_norm else " or set clip_norm=1.0"
        kept = " The epochs before are kept." if checkpoint is not None and checkpoint.exists() else ""
        raise LabError(
            f"The loss became {losses[bad[0, 0]].item():g} in {where.format(bad[0, 0].item() + 1)}.{kept} "
            f"Lower the rate (now {recipe.rate:g}){clip} and train again."
        )
