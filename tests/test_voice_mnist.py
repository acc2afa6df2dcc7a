"""The published series on mel pictures: counts, shapes, initial weights, losses."""

import math

import pytest
import torch
from torch import nn

from labkit.errors import LabError, LabWarning
from labkit.experiments.experiment import Experiment
from labkit.experiments.sweep import Grid
from labkit.files import home
from labkit.models import Model, count_parameters
from labkit.published.r4_voice_mnist import MEL, NETWORKS, PICTURES, STUDIES, settings
from labkit.training.recipe import LOSSES

DIGITS = 10
SMALL = {"channels": (4, 8), "hidden": (16,)}


def experiment(name="final", **changes):
    return Experiment.from_dict(settings(name)).change(**changes)


# The table


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_of_the_series_has_its_published_number_of_parameters(name):
    made = experiment(name)
    with torch.device("meta"):  # sizes without memory: the second network has 130 million
        network = made.model.build(made.feature.shape, DIGITS)
    assert count_parameters(network) == NETWORKS[name].parameters


def test_the_published_counts_stand_in_the_table():
    assert [network.parameters for network in NETWORKS.values()] == [
        *(16_788_490, 130_067_786, 59_012_490, 26_313_738, 6_446_986)
    ]
    with pytest.raises(LabError, match="no published network called 'finale'. Did you mean 'final'"):
        settings("finale")


@pytest.mark.parametrize("side", PICTURES)
def test_a_picture_has_as_many_frames_as_bands(side):
    feature = experiment(feature={key: value for key, value in PICTURES[side].items() if key != "name"}).feature
    assert feature.shape == (1, side, side)
    x, lengths = feature.build()(torch.randn(2, 5000), torch.tensor([5000, 3000]))
    assert x.shape == (2, 1, side, side) and lengths.tolist() == [side, side]


@pytest.mark.filterwarnings(f"error::{LabWarning.__module__}.{LabWarning.__name__}")
def test_no_band_of_the_pictures_is_empty():
    for side in PICTURES:
        experiment(feature={key: value for key, value in PICTURES[side].items() if key != "name"}).feature.build()


def test_the_pictures_are_librosas_with_the_same_settings():
    librosa = pytest.importorskip("librosa")
    feature = experiment(feature={"normalise": False}).feature
    rng = torch.Generator().manual_seed(0)
    samples = torch.randn(1, 7920, generator=rng) * torch.linspace(0, 0.3, 7920)
    theirs = librosa.feature.melspectrogram(
        y=samples[0].numpy(),
        sr=8000,
        n_fft=MEL["n_fft"],
        win_length=feature.window,
        hop_length=feature.hop,
        n_mels=64,
        pad_mode="constant",
    )
    theirs = torch.from_numpy(librosa.power_to_db(theirs))
    ours, _ = feature.build()(samples, torch.tensor([7920]))
    assert theirs.shape == ours[0, 0].shape
    torch.testing.assert_close(ours[0, 0], theirs, rtol=0, atol=0.02)


def test_each_study_changes_one_thing_and_can_be_built():
    base = experiment()
    assert base.change(**STUDIES["final"]) == base
    for name, change in STUDIES.items():
        changed = base.change(**change)
        parts = [part for part in ("feature", "model", "recipe") if getattr(changed, part) != getattr(base, part)]
        assert parts == [part for part in ("feature", "model", "recipe") if part in change], name
        with torch.device("meta"):
            changed.model.build(changed.feature.shape, DIGITS)


def test_the_grids_are_the_table():
    def grid(name):
        return Grid.read(home() / "results" / f"{name}.json")

    base = grid("voice_mnist").base
    assert base == experiment(corpus={"name": "fsdd"}, split=base.split, recipe={"precision": "bf16"})
    assert base.split.protocol == "by_clip_leaky"
    rest = [base.change(**change) for name, change in STUDIES.items() if name != "final"]
    assert [member for member in grid("voice_mnist_studies").experiments() if member.seed == 0] == rest
    voices = grid("voice_mnist_voices")
    assert len({member.split.speaker for member in voices.experiments()}) == 6 and len(voices.seeds) == 3
    assert all(member.change(split=base.split, seed=0) == base for member in voices.experiments())


# The network


def test_the_final_network_equals_the_usual_layers_in_outputs_and_gradients():
    torch.manual_seed(0)
    network = Model("voice_mnist", **SMALL).build((1, 20, 22), DIGITS)
    usual = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(8 * 3 * 4, 16), nn.ReLU(), nn.Linear(16, DIGITS)),
    )
    ours = (*network.convolutions, *network.dense, network.head)
    theirs = [layer for layer in usual if hasattr(layer, "weight")]
    for mine, other in zip(ours, theirs, strict=True):
        other.load_state_dict({name: value.contiguous() for name, value in mine.state_dict().items()})
    with torch.no_grad():  # Keras flattens (bands, frames, channels), PyTorch (channels, bands, frames)
        weight = network.dense[0].weight.view(16, 3, 4, 8).permute(0, 3, 1, 2).reshape(16, -1)
        theirs[2].weight.copy_(weight)
    x, lengths = torch.randn(3, 1, 20, 22), torch.full((3,), 22)
    logits, expected = network(x, lengths), usual(x)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    (logits.square().sum() + expected.square().sum()).backward()
    for mine, other in zip(network.convolutions, theirs, strict=False):
        torch.testing.assert_close(mine.weight.grad, other.weight.grad, rtol=1e-3, atol=1e-4)


def test_weights_start_as_keras_starts_them():
    torch.manual_seed(0)
    network = Model("voice_mnist").build((1, 64, 64), DIGITS)
    for layer, size in ((network.convolutions[1], 9 * (32 + 64)), (network.dense[0], 12_544 + 512)):
        bound = math.sqrt(6 / size)
        assert 0.99 * bound < layer.weight.abs().max() <= bound and not layer.bias.any()
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_what_lies_beyond_a_clip_changes_nothing():
    network = Model("voice_mnist", **SMALL).build((1, 20, 22), DIGITS).eval()
    x, lengths = torch.randn(2, 1, 20, 22), torch.tensor([15, 22])
    other = x.clone()
    other[0, :, :, 15:] = 99.0
    assert torch.equal(network(x, lengths), network(other, lengths))


def test_activations_stand_where_they_are_asked_for():
    x, lengths = torch.randn(2, 1, 20, 22), torch.full((2,), 22)
    found = {}
    for options in ({}, {"activation": "sigmoid"}, {"dense_activation": "sigmoid"}, {"dense_activation": "tanh"}):
        torch.manual_seed(0)
        network, seen = Model("voice_mnist", **SMALL, **options).build((1, 20, 22), DIGITS), []
        network.dense[0].register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        network.head.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        network(x, lengths)
        found[tuple(options.values()), tuple(options)] = seen
    relu, sigmoid, dense, tanh = found.values()
    assert relu[0].min() == 0 and 0 < sigmoid[0].min() and sigmoid[0].max() < 1
    assert torch.equal(dense[0], relu[0]) and 0 < dense[1].min() and dense[1].max() < 1
    assert tanh[1].min() < 0 and tanh[1].abs().max() <= 1


def test_sizes_that_make_no_network_say_so():
    for options in ({"channels": (4,)}, {"pools": (2, 0)}, {"hidden": (0,)}):
        with pytest.raises(LabError, match=next(iter(options))):
            Model("voice_mnist", **options).build((1, 64, 64), DIGITS)
    with pytest.raises(LabError, match=r"\(1, 8, 64\).*Raise seconds or n_mels"):
        Model("voice_mnist").build((1, 8, 64), DIGITS)
    with pytest.raises(LabError, match="of one length"):
        Model("voice_mnist").build((1, 64, None), DIGITS)
    with pytest.raises(LabError, match="no activation called 'relo'. Did you mean 'relu'"):
        Model("voice_mnist", activation="relo").build((1, 64, 64), DIGITS)


# Sigmoids at the end


def test_sigmoid_losses_are_what_keras_computes():
    outputs, targets = torch.randn(6, DIGITS), torch.arange(6)
    shares = outputs.sigmoid()
    keras = -(shares / shares.sum(1, keepdim=True))[torch.arange(6), targets].log().mean()
    torch.testing.assert_close(LOSSES["sigmoid_cross_entropy"](outputs, targets), keras)
    wanted = nn.functional.one_hot(targets, DIGITS).float()
    binary = nn.functional.binary_cross_entropy(shares, wanted)
    torch.testing.assert_close(LOSSES["binary_cross_entropy"](outputs, targets), binary)


def test_class_weights_count_in_the_binary_loss():
    outputs, targets = torch.zeros(2, 3), torch.tensor([0, 1])
    weights = torch.tensor([3.0, 1.0, 1.0])
    loss = LOSSES["binary_cross_entropy"](outputs, targets, weights)
    assert loss.item() == pytest.approx(math.log(2) * 2)
