"""Range test: let the learning rate grow from batch to batch, and look at the loss (Smith, arXiv 1506.01186)."""

import math

import pandas as pd

from ..errors import LabError
from ..models.classifier import Classifier
from .batches import batches_of
from .loop import epoch_seed, seeded, training_step
from .recipe import make_loss, make_optimiser

SMOOTH = 0.9  # fraction of the past in the running mean of the loss
DIVERGED = 3.0  # times the first loss: there is nothing more to see


def lr_range_test(experiment, corpus, device="cpu", low=1e-5, high=1.0, batches=100):
    """Train on a split corpus for a few batches with a learning rate that grows by a constant factor.

    Returns a table with a row per batch: `lr`, `loss` (of that batch) and `smooth` (its running mean). It ends early
    if the loss leaves all bounds. The recipe's own `lr`, schedule and epochs are not used.
    """
    if not 0 < low < high < math.inf or batches < 2:
        raise LabError(f"low={low}, high={high}, batches={batches}: 0 < low < high, at least 2 batches. Change these.")
    recipe, feature, seed, classes = experiment.recipe, experiment.feature, experiment.seed, len(corpus.labels)
    train = batches_of(corpus, "train", feature, device, augmentation=recipe.augmentation)
    with seeded(seed, train.device):
        network = experiment.model.build(feature.shape, classes)
        network = Classifier(network, train.statistics() if feature.normalise else None).to(train.device).train()
        optimiser = make_optimiser(network.parameters(), recipe)
        loss_of = make_loss(recipe, train.targets, classes)
        rows, mean, epoch, left = [], 0.0, 0, []
        for number in range(batches):
            if not left:
                epoch += 1
                train.begin(seed, epoch)
                left = list(train.batches(recipe.batch, epoch_seed(seed, epoch)))
            lr = low * (high / low) ** (number / (batches - 1))
            loss, _ = training_step(network, train[left.pop(0)], optimiser, lr, loss_of, recipe)
            mean = SMOOTH * mean + (1 - SMOOTH) * loss.item()
            smooth = mean / (1 - SMOOTH ** (number + 1))  # as if the running mean had not begun at zero
            rows.append({"lr": lr, "loss": loss.item(), "smooth": smooth})
            if not math.isfinite(smooth) or smooth > DIVERGED * rows[0]["loss"]:
                break
    return pd.DataFrame(rows)


def steepest(table):
    """The learning rate where the loss of `lr_range_test` falls fastest before it is lowest: a good peak."""
    half = max(1, len(table) // 16)
    # A mean over neighbours on both sides: a running mean would lag behind.
    level = table.loss.rolling(2 * half + 1, center=True, min_periods=1).mean() if half > 1 else table.loss
    level = level[: level.idxmin() + 1]  # what comes after the lowest loss is recovery from a crash
    slope = (level.shift(-half) - level.shift(half)).dropna()
    if slope.empty or slope.min() >= 0:
        raise LabError("The loss never fell, so no learning rate is better than another. Set a smaller low.")
    return float(table.lr[slope.idxmin()])
