"""The training loop: one for all chapters."""

import contextlib
import math
import threading
import time
from collections import namedtuple
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn
from tqdm.auto import tqdm

from ..data.audio import bars
from ..errors import LabError
from ..files import digest
from .recipe import SCHEDULES, make_loss, make_optimiser
from .tensors import load_checkpoint, save_checkpoint

# What `fit` returns: a dict per epoch; an epoch, 0 if none was finished; whether the callback ended it before the last.
Fitted = namedtuple("Fitted", "history best_epoch stopped")


_ONE = threading.RLock()  # torch has one generator per process, so one thread at a time draws from it


@dataclass
class Callback:
    """Sees a training from outside, and stops it when `stop` is set. Panels and bars override its methods."""

    stop: bool = False

    def batch(self, epoch, done, total):
        """Called after each batch."""

    def epoch(self, history):
        """Called after each epoch, with the history so far (a list of dicts)."""

    def close(self):
        """Called when the training is over, however it ended."""


class TrainingBar(Callback):
    """A progress bar over batches with the latest validation accuracy; silent where bars are off."""

    def __init__(self, title=""):
        super().__init__()
        self.title = title

    @cached_property
    def bar(self):  # made by the first batch: a run that is loaded shows none
        return tqdm(unit="batch", desc=self.title, leave=False, disable=not bars())

    def batch(self, epoch, done, total):
        self.bar.update()

    def epoch(self, history):
        row = history[-1]
        self.bar.set_postfix_str(f"epoch {row['epoch']}, validation {100 * row['validation_accuracy']:.1f}%")

    def close(self):
        self.bar.close()


def fit(network, train, validation, recipe, classes, seed=0, checkpoint=None, callback=None, identity=None):
    """Train a network; afterwards it holds the weights of the epoch that was best on validation.

    `train` and `validation` are `Batches` on its device. `seed` fixes batches and dropout, epoch by epoch. The state
    after each epoch is kept in `checkpoint` (a path); if that exists, training resumes, on the CPU to the same bits.
    It keeps the `identity` ("run": its id, and other text), and one of another run is refused.
    """
    callback = callback or Callback()
    optimiser = make_optimiser(network.parameters(), recipe)
    loss_of = make_loss(recipe, train.targets, classes)
    history, best, stopped = [], None, False  # best: (metric, -loss, epoch, weights)
    if checkpoint is not None and checkpoint.exists():
        history, best = load_checkpoint(checkpoint, network, optimiser, identity)
        if len(history) > recipe.epochs:
            raise LabError(f"{checkpoint} has {len(history)} epochs, not {recipe.epochs}. Delete it and train again.")
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        losses, right = [], 0
        network.train()
        train.begin(seed, epoch)
        batches = train.batches(recipe.batch, epoch_seed(seed, epoch))
        with seeded(epoch_seed(seed, epoch), train.device):
            started = time.perf_counter()  # not before: another thread may have trained until now
            for number, index in enumerate(batches):
                steps = (epoch - 1) * len(batches) + number if recipe.schedule_step == "batch" else epoch - 1
                lr = recipe.lr * SCHEDULES[recipe.schedule](steps / (recipe.epochs * len(batches)), history)
                loss, correct = training_step(network, train[index], optimiser, lr, loss_of, recipe)
                losses.append(loss * len(index))
                right += correct
                callback.batch(epoch, number + 1, len(batches))
                if stopped := callback.stop:
                    break
        if stopped:
            break
        losses = torch.stack(losses).cpu()  # read only now: a GPU need not wait for us after each batch
        seconds = time.perf_counter() - started
        logits, loss = predict(network, validation, recipe, loss_of)
        _check_finite([*losses.tolist(), loss], epoch, recipe, checkpoint)
        metrics = _accuracies(logits, validation.targets)
        history.append(
            {
                "epoch": epoch,
                "lr": lr,
                "train_loss": losses.sum().item() / len(train),
                "train_accuracy": right.item() / len(train),
                "validation_loss": loss,
                **{f"validation_{name}": value for name, value in metrics.items()},
                "seconds": seconds,
            }
        )
        score = (epoch if recipe.select == "last" else metrics[recipe.select], -loss)
        if best is None or score > best[:2]:
            best = (*score, epoch, {name: value.detach().clone() for name, value in network.state_dict().items()})
        if checkpoint is not None:
            save_checkpoint(checkpoint, network, optimiser, history, best, identity)
        callback.epoch(history)
    if best is not None:
        network.load_state_dict(best[3])
    return Fitted(history, best[2] if best else 0, stopped)


def training_step(network, batch, optimiser, lr, loss_of, recipe):
    """Change the weights after one batch, with the learning rate `lr`; returns its loss and how many were right."""
    for group in optimiser.param_groups:
        group["lr"] = lr
    x, lengths, targets = batch
    with torch.autocast(x.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
        logits = network(x, lengths)  # (batch, classes)
        loss = loss_of(logits.float(), targets)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    if recipe.clip_norm is not None:
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
    optimiser.step()
    return loss.detach(), (logits.argmax(1) == targets).sum()


@torch.no_grad()
def predict(network, data, recipe=None, loss_of=None, batch=512):
    """Run a network over a part in eval mode: logits (clips, classes), and the mean loss if `loss_of` is given."""
    network.eval()
    outputs, batches = [], data.batches(batch)
    half = recipe is not None and recipe.precision == "bf16"
    with torch.autocast(data.device.type, torch.bfloat16, enabled=half):
        for index in batches:
            x, lengths, _ = data[index]
            outputs.append(network(x, lengths).float())
    logits = torch.cat(outputs)[torch.cat(batches).argsort().to(data.device)]  # in the order of the clips
    return logits, None if loss_of is None else loss_of(logits, data.targets).item()


def epoch_seed(seed, epoch):
    """Seed of one epoch, so that an interrupted training goes on as if it never stopped."""
    return int(digest([seed, epoch], 12), 16)


@contextlib.contextmanager
def seeded(seed, device):
    """Seed dropout and initial weights, and leave the student's own random numbers as they were.

    Another thread waits: two trainings at once in a process would change each other's numbers.
    """
    with _ONE, torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _accuracies(logits, targets):
    right, targets = (logits.argmax(1) == targets).cpu().double(), targets.cpu()  # MPS has no float64
    counts = torch.bincount(targets)
    recall = (torch.bincount(targets, right) / counts)[counts > 0]
    return {"accuracy": right.mean().item(), "balanced_accuracy": recall.mean().item()}


def _check_finite(losses, epoch, recipe, checkpoint):
    """`losses` are those of the batches, and the validation loss after them."""
    for number, loss in enumerate(losses, 1):
        if not math.isfinite(loss):
            where = f"the validation after epoch {epoch}" if number == len(losses) else f"epoch {epoch}, batch {number}"
            kept = " The epochs before are kept." if checkpoint is not None and checkpoint.exists() else ""
            clip = "" if recipe.clip_norm else " or set clip_norm=1.0"
            said = f"The loss became {loss:g} in {where}.{kept} Lower the learning rate (lr, now {recipe.lr:g}){clip}"
            raise LabError(f"{said} and train again.")
