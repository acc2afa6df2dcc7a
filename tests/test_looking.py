"""Where a network looks, how its layers are drawn, and the learning-rate range test."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from labkit import plots
from labkit.data.splits import split
from labkit.errors import LabError
from labkit.evaluation import interpret
from labkit.experiments.experiment import Experiment
from labkit.features import MFCC, LogMel
from labkit.models import Model, count_parameters
from labkit.plots.networks import layers
from labkit.training.lr_finder import lr_range_test, steepest
from labkit.training.recipe import Recipe

pytest_plugins = ["tiny"]
matplotlib.use("Agg")


class OnePlace(nn.Module):
    """Class 1 if it is loud in one place of the picture, class 0 otherwise."""

    def forward(self, x, lengths):
        level = x[:, 0, 30, 20]
        return torch.stack([torch.zeros_like(level), 3 * level], 1)


def picture():
    x = torch.zeros(1, 1, 40, 51)
    x[..., 20] = 1.0
    return x, torch.tensor([51])


def test_occlusion_finds_the_one_place_that_matters():
    x, lengths = picture()
    fall = interpret.occlusion(OnePlace(), x, lengths, 1, bands=4, frames=4, step=2)
    assert fall.shape == (40, 51) and fall.argmax() in torch.arange(40 * 51).view(40, 51)[27:34, 17:24]
    assert fall.max() > 0.1 and fall[:24].abs().max() == 0 and fall[:, 26:].abs().max() == 0
    assert interpret.occlusion(OnePlace(), x, lengths, 0, bands=4, frames=4).min() < -0.1, (
        "hiding it helps the other class"
    )
    whole = interpret.occlusion(OnePlace(), x, lengths, 1, bands=99, frames=99)
    assert torch.allclose(whole, whole[0, 0].expand(40, 51)), "a window larger than the picture hides all of it"


def test_the_gradient_is_where_the_score_depends_on_the_picture():
    x, lengths = picture()
    slope = interpret.gradient(OnePlace(), x, lengths, 1)
    assert slope[30, 20] == 3 and slope.sum() == 3 and x.grad is None
    with pytest.raises(LabError, match=r"One spectrogram is wanted.*not \(2, 1, 40, 51\)"):
        interpret.gradient(OnePlace(), x.expand(2, -1, -1, -1), lengths, 1)


def test_one_hears_what_stays_and_hardly_what_does_not():
    feature = LogMel(n_mels=40, window_ms=40, hop_ms=20)
    time = np.arange(16_000) / 16_000
    low, high = 0.3 * np.sin(2 * np.pi * 400 * time), 0.3 * np.sin(2 * np.pi * 4000 * time)
    importance = torch.zeros(40, 51)
    importance[:15] = 1.0  # bands up to about 1,000 Hz
    heard = interpret.resynthesise((low + high).astype(np.float32), feature, importance, fraction=0.3)
    middle = slice(2000, 14_000)
    assert heard.shape == (16_000,) and np.abs(heard - low)[middle].max() < 0.02
    everything = interpret.resynthesise((low + high).astype(np.float32), feature, importance, fraction=1.0)
    assert np.abs(everything - low - high)[middle].max() < 1e-3
    with pytest.raises(LabError, match="fraction=0: .*Change it"):
        interpret.resynthesise(low, feature, importance, fraction=0)


# Layers


@pytest.mark.parametrize("name", ["mel_cnn", "bc_resnet"])
def test_layers_are_listed_in_order_with_all_parameters(name):
    network = Model(name).build((1, 40, 51), 4).train()
    x, lengths = torch.randn(2, 1, 40, 51), torch.tensor([51, 51])
    steps = layers(network, x, lengths)
    assert steps[0].values.shape == (2, 1, 40, 51) and steps[-1].values.shape == (2, 4)
    assert sum(step.parameters for step in steps) == count_parameters(network)
    assert torch.equal(steps[-1].values, network.eval()(x, lengths))
    assert not any(module._forward_hooks for module in network.modules()), "the network is left as it was"


def test_the_shapes_of_m3_are_the_published_ones():
    steps = layers(Model("mel_cnn").build((1, 128, 81), 35), torch.zeros(1, 1, 128, 81), torch.tensor([81]))
    shapes = [(step.name, tuple(step.values.shape[1:])) for step in steps if not step.name.startswith("drop")]
    assert shapes[1:5] == [
        ("convolution1", (8, 126, 79)),
        ("pool", (8, 42, 26)),
        ("convolution2", (16, 40, 24)),
        ("pool", (16, 13, 8)),
    ]
    assert [shape for _, shape in shapes[5:]] == [(256,), (128,), (35,)]


def test_the_diagram_writes_each_shape_and_count():
    steps = layers(Model("mel_cnn").build((1, 128, 81), 35), torch.zeros(1, 1, 128, 81), torch.tensor([81]))
    words = "\n".join(text.get_text() for ax in plots.diagram(steps).axes for text in ax.texts)
    assert "8 × 126 × 79" in words and "426,240 param." in words and "conv 3x3" in words
    plt.close("all")


def test_pictures_of_networks_have_their_axes():
    network = Model("mel_cnn").build((1, 40, 51), 4)
    steps = layers(network, torch.randn(1, 1, 40, 51), torch.tensor([51]))
    figure = plots.activations(steps, 1.0)
    assert len({ax.get_subplotspec().rowspan.start for ax in figure.axes}) == 5
    assert figure.axes[-1].get_xlabel() == "time (s)"
    ax = plots.importance(torch.randn(40, 51), LogMel())
    assert ax.get_xlabel() == "time (s)" and "Hz" in ax.get_ylabel()
    plt.close("all")


def test_effects_are_in_points_and_tell_the_clear_from_the_unclear():
    rows = {"log": {"mean": 0.1, "low": 0.05, "high": 0.15}, "dropout": {"mean": -0.01, "low": -0.03, "high": 0.01}}
    ax = plots.effects(pd.DataFrame(rows).T, guess=["log"])
    assert [text.get_text() for text in ax.texts] == ["+10.0  (your guess)", "-1.0"]
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["differs from zero"].get_xdata().tolist() == [10.0]
    assert lines["no difference shown"].get_xdata().tolist() == [-1.0]
    plt.close("all")


# The range test


def experiment():
    return Experiment(
        feature=LogMel(seconds=0.55, hop_ms=20, n_mels=20),
        model=Model("mel_cnn"),
        recipe=Recipe(batch=16, optimiser="sgd"),
    )


def test_the_range_test_finds_where_the_loss_falls_and_where_it_leaves_all_bounds(corpus):
    parts = split(corpus, experiment().split)
    table = lr_range_test(experiment(), parts, low=1e-5, high=100.0, batches=60)
    assert table.lr.is_monotonic_increasing and table.lr[0] == 1e-5
    assert len(table) < 60 and table.lr.iloc[-1] > 0.01, "it stops where the loss is lost"
    assert 1e-5 < steepest(table) < table.lr.iloc[-1]
    again = lr_range_test(experiment(), parts, low=1e-5, high=100.0, batches=60)
    pd.testing.assert_frame_equal(table, again)
    plots.lr_range_test(table, marks={"steepest": steepest(table)})
    plt.close("all")


def test_a_fall_after_the_loss_was_lost_does_not_count():
    table = pd.DataFrame({"lr": [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0], "loss": [1.4, 1.3, 0.8, 0.75, 9.0, 2.0]})
    assert steepest(table) == 1e-3
    with pytest.raises(LabError, match="never fell"):
        steepest(pd.DataFrame({"lr": [1.0, 2.0, 4.0], "loss": [1.0, 3.0, 9.0]}))


def test_impossible_ranges_say_so(corpus):
    for bad in ({"low": 0.0}, {"low": 1.0, "high": 0.1}, {"batches": 1}):
        with pytest.raises(LabError, match="Change these"):
            lr_range_test(experiment(), corpus, **bad)


def test_what_the_last_layer_reads_is_in_the_order_of_the_clips(corpus, tmp_path):
    from labkit.experiments.run import train

    model = Model("gru", hidden=8, readout="last")
    run = train(Experiment(feature=MFCC(seconds=None), model=model, recipe=Recipe(epochs=1)), corpus, tmp_path)
    table, vectors = interpret.last_layer(run, "test")
    predicted = [run.labels[number] for number in run.network.network.head(vectors).argmax(1)]
    expected = run.predictions().set_index("path").predicted[table.path]
    assert vectors.shape == (len(table), 8) and predicted == list(expected)
