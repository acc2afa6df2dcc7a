"""Two habits that flatter or blur a result, measured on a run and kept beside its record.

The first counts clips that were trained on; the second never calls `eval()`, so that batch normalisation takes its mean
from whichever clips share a batch (and dropout goes on dropping). Both need weights: audit a run where it was trained.
"""

import copy

import torch

from ..data.store import open_store
from ..files import read_json, write_json, write_table
from ..training.batches import source
from ..training.loop import predict
from .evaluate import graded, own_corpus

PARTS = {"train": "clips that were trained on", "training_mode": "the test part, without eval()"}


def audit(run, batch=64):
    """Accuracy on the training part, and on the test part in training mode: computed once, read from then on.

    Leaves `audit.json` in the run's folder, and the predictions per clip: `run.predictions("train")` and
    `run.predictions("training_mode")`. They are what an audit shows beside `run.test()`; neither is a test.

    Parameters
    ----------
    run : Run
        With its corpus and its weights.
    batch : int
        Clips that share a batch in training mode; they are drawn at random.

    Returns
    -------
    dict
        `train` and `training_mode`: scores as `metrics.scores` gives them. The second has also `batch` and
        `mean_of_batches`, the mean of the batches' accuracies (which counts a clip of a short last batch more).
    """
    path = run.folder / "audit.json"
    if path.exists():
        return read_json(path)
    corpus = own_corpus(run)
    store = open_store(corpus, run.experiment.feature.sample_rate)
    corpus = corpus.without(store.problems)
    figures = {}
    for name, part in (("train", "train"), ("training_mode", "test")):
        clips = source(corpus, part, run.experiment.feature, run.device, store=store)
        if name == "train":
            guess = predict(run.network, clips, run.experiment.recipe)[0].argmax(1)
        else:
            guess, batches = _in_training_mode(run.network, clips, batch)
        guess = guess.cpu().numpy()
        figures[name] = graded(run, clips, guess)
        table = corpus.part(part)[["path", "speaker", "label"]]
        write_table(run.folder / f"{name}.csv.gz", table.assign(predicted=[run.labels[number] for number in guess]))
    figures["training_mode"] |= {"batch": batch, "mean_of_batches": batches}
    write_json(path, figures)
    return figures


@torch.no_grad()
def _in_training_mode(network, clips, batch):
    """Guesses of a copy of the network that was never put into eval mode, and the mean of the batches' accuracies."""
    network = copy.deepcopy(network).train()  # its running statistics move with each batch, as they did in the study
    guess, accuracies = torch.empty_like(clips.targets), []
    with torch.random.fork_rng([clips.device] if clips.device.type == "cuda" else []):
        torch.manual_seed(0)
        for index in clips.batches(batch, seed=0):
            x, lengths, targets = clips[index]
            some = network(x, lengths).argmax(1)
            guess[index.to(clips.device)] = some
            accuracies.append((some == targets).float().mean().item())
    return guess, sum(accuracies) / len(accuracies)
