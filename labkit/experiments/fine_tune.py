"""A trained network learns other words: its last layer alone, all of it, or nothing kept."""

from dataclasses import replace

from ..data.corpus import PARTS
from ..errors import choose
from ..evaluation.predictions import predictions, readable
from ..models import count_parameters
from ..training.batches import source
from ..training.loop import fit
from .run import new_network, parts

KEPT = ("last layer", "all layers", "nothing")


def retrain(run, corpus, recipe, how="last layer", seed=0):
    """Train the network of a run, whose last layer is called `scores`, on all labels of another corpus that was split.

    `how` says what is trained: a new "last layer" on top of kept ones; "all layers", the kept ones from where they
    were; or all of it from new random weights, with "nothing" kept, for comparison. The result is a dict: `predictions`
    on the test part, `trained` (number of parameters that moved) and `history`.
    """
    choose(how, dict.fromkeys(KEPT), "way to retrain")
    feature = run.experiment.feature
    corpus, store = readable(corpus, feature, PARTS)
    train, validation = (source(corpus, part, feature, run.device, store=store) for part in PARTS[:2])
    network = new_network(run.experiment.change(seed=seed), len(corpus.labels), None, run.device)
    network.front = run.network.front
    if how != "nothing":
        kept = {name: value for name, value in run.network.state_dict().items() if "network.scores." not in name}
        network.load_state_dict(kept, strict=False)
    network.requires_grad_(how != "last layer")
    network.network.scores.requires_grad_()
    history = fit(network, train, validation, recipe, len(corpus.labels), seed).history
    experiment = run.experiment.change(recipe=recipe).to_dict()
    learnt = replace(run, corpus=corpus).with_network(network, "retrained", experiment=experiment, **parts(corpus))
    return {"predictions": predictions(learnt), "trained": count_parameters(network), "history": history}
