"""A trained network learns other words: its last layer alone, all of it, or nothing kept."""

from dataclasses import replace

import torch

from ..data.store import open_store
from ..errors import choose
from ..evaluation.predictions import need_clips, predictions
from ..models import count_parameters
from ..models.classifier import Classifier
from ..training.batches import source
from ..training.loop import fit
from .provenance import parts

KEPT = ("last layer", "all layers", "nothing")


def retrain(run, corpus, recipe, how="last layer", seed=0):
    """Train the network of a run on another corpus' words.

    Parameters
    ----------
    run : Run
        With its weights. Its model's last layer is called `scores`.
    corpus : Corpus
        Split; all of its labels are learnt.
    recipe : Recipe
    how : {"last layer", "all layers", "nothing"}
        What is trained: a new last layer on top of kept ones; that and the kept ones, from where they were; or all of
        it from new random weights, with nothing kept, for comparison.
    seed : int

    Returns
    -------
    dict
        `predictions` on the test part, `accuracy`, `trained` (parameters that moved), `history`.
    """
    choose(how, dict.fromkeys(KEPT), "way to retrain")
    feature, front = run.experiment.feature, run.network.front
    store = open_store(corpus, feature.sample_rate)
    corpus = corpus.without(store.problems)
    for part in ("train", "validation", "test"):
        need_clips(corpus, part)
    train, validation = (source(corpus, part, feature, run.device, store=store) for part in ("train", "validation"))
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = run.experiment.model.build(feature.shape, len(corpus.labels))
    network = Classifier(network, (front.mean, front.spread) if feature.normalise else None).to(run.device)
    if how != "nothing":
        kept = {name: value for name, value in run.network.state_dict().items() if ".scores." not in f".{name}"}
        network.load_state_dict(kept, strict=False)
    for name, weight in network.named_parameters():
        weight.requires_grad_(how != "last layer" or ".scores." in f".{name}")
    fitted = fit(network, train, validation, recipe, len(corpus.labels), seed)
    learnt = replace(run, corpus=corpus).with_network(
        network,
        f"{run.name}-retrained",
        experiment=run.experiment.change(recipe=recipe).to_dict(),
        **parts(corpus),
    )
    table = predictions(learnt)
    return {
        "predictions": table,
        "accuracy": float((table.label == table.predicted).mean()),
        "trained": count_parameters(network),
        "history": fitted.history,
    }
