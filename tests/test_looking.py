"""What the last layer of a network reads, and how effects are drawn."""

import matplotlib
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from labkit import plots
from labkit.evaluation import interpret
from labkit.experiments.experiment import Experiment
from labkit.experiments.run import train
from labkit.features import MFCC
from labkit.models import Model
from labkit.training.recipe import Recipe
from tools import speaker_probe

pytest_plugins = ["tiny"]
matplotlib.use("Agg")


def test_effects_are_in_points_and_tell_the_clear_from_the_unclear():
    rows = {"log": {"mean": 0.1, "low": 0.05, "high": 0.15}, "dropout": {"mean": -0.01, "low": -0.03, "high": 0.01}}
    ax = plots.effects(pd.DataFrame(rows).T, guess=["log"])
    assert [text.get_text() for text in ax.texts] == ["+10.0  (your guess)", "-1.0"]
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["differs from zero"].get_xdata().tolist() == [10.0]
    assert lines["no difference shown"].get_xdata().tolist() == [-1.0]
    plt.close("all")


def test_what_the_last_layer_reads_is_in_the_order_of_the_clips(corpus, tmp_path):
    model = Model("gru", hidden=8, readout="last")
    run = train(Experiment(feature=MFCC(seconds=None), model=model, recipe=Recipe(epochs=1)), corpus, tmp_path)
    table, vectors = interpret.last_layer(run, "test")
    predicted = [run.labels[number] for number in run.network.network.head(vectors).argmax(1)]
    expected = run.predictions().set_index("path").predicted[table.path]
    assert vectors.shape == (len(table), 8) and predicted == list(expected)


def test_a_probe_is_asked_of_the_trained_network_of_its_first_weights_and_of_the_frames(corpus, tmp_path):
    split = {"protocol": "by_clip_leaky", "validation": 0.2, "test": 0.3}
    model = {"name": "gru", "hidden": 8, "readout": "max"}
    experiment = Experiment(feature=MFCC(seconds=None), recipe=Recipe(epochs=1)).change(model=model, split=split)
    runs = [train(experiment.change(seed=seed), corpus, tmp_path) for seed in (0, 1)]
    first = speaker_probe.untaught(runs[0])
    weights, begun = runs[0].network.state_dict(), first.network.state_dict()
    differs = {name: not torch.equal(weights[name], begun[name]) for name in weights}
    assert {name for name, moved in differs.items() if not moved} == {"front.mean", "front.std"}
    table = speaker_probe.probes(runs).set_index(["of", "minus"])
    trained, untrained = table.loc[("trained GRU", "")], table.loc[("untrained GRU", "")]
    difference = table.loc[("trained GRU", "untrained GRU")]
    assert difference["mean"] == pytest.approx(trained["mean"] - untrained["mean"], abs=2e-4)
    assert len(table) == 4 and trained.seeds == 2 and table.loc[("mean of the frames", "")].seeds == 1
