"""R1's networks are what the study's were: their counts, their layers, their strange normalisation."""

import pytest
import torch
from torch import nn

from labkit.errors import LabError
from labkit.features import MFCC
from labkit.models import Model, count_parameters

WINDOWS = {20: 101, 40: 51, 80: 26, 120: 17}  # window in ms, half a window apart: frames in a second
CELLS = {"r1_rnn": nn.RNN, "r1_gru": nn.GRU, "r1_lstm": nn.LSTM}


def feature(window=40, **change):
    """What the study fed its networks."""
    settings = {"window_ms": window, "hop_ms": window / 2, "n_fft": 2048, "normalise": False, "padding": "signal"}
    return MFCC(**settings | change)


@pytest.mark.parametrize(("window", "frames"), WINDOWS.items())
def test_its_features_have_as_many_frames_as_published(window, frames):
    assert feature(window).shape == (frames, 39)


@pytest.mark.parametrize(
    ("name", "bidirectional", "published"),
    [
        ("r1_rnn", False, 85_129),
        ("r1_rnn", True, 170_121),
        ("r1_gru", False, 47_497),
        ("r1_gru", True, 119_433),
        ("r1_lstm", False, 62_537),
        ("r1_lstm", True, 157_705),
    ],
)
def test_its_networks_have_exactly_the_parameters_published(name, bidirectional, published):
    model = Model(name, bidirectional=bidirectional)
    assert count_parameters(model.build(feature().shape, 35)) == published
    for window, frames in WINDOWS.items():  # two per frame are the normalisation's
        assert count_parameters(model.build(feature(window).shape, 35)) == published + 2 * (frames - 51)


class AsPublished(nn.Module):
    """The study's network, written down as plainly as torch allows."""

    def __init__(self, cell, frames, hidden, layers, bidirectional, classes):
        super().__init__()
        self.layer = cell(39, hidden, layers, batch_first=True, bidirectional=bidirectional)
        self.norm = nn.BatchNorm1d(frames)
        self.linear = nn.Linear(hidden * (1 + bidirectional), classes)

    def forward(self, x):
        return self.linear(self.norm(self.layer(x)[0])[:, -1])


def twins(name, bidirectional):
    """A network of ours and the study's, with the same weights."""
    torch.manual_seed(0)
    model = Model(name, bidirectional=bidirectional)
    own = model.build((51, 39), 35)
    size = model.full["hidden"], model.full["layers"]
    theirs = AsPublished(CELLS[name], 51, *size, bidirectional, 35)
    weights = {"norm.weight": own.norm.weight, "norm.bias": own.norm.bias}
    weights |= {f"linear.{key}": value for key, value in own.head.state_dict().items()}
    for suffix, layers in (("", own.forwards), ("_reverse", own.backwards)):
        for number, layer in enumerate(layers):
            for key, value in layer.state_dict().items():
                weights[f"layer.{key.removesuffix('0')}{number}{suffix}"] = value
    missing = theirs.load_state_dict(weights, strict=False)
    assert all("running" in key or "num_batches" in key for key in missing.missing_keys)
    return own, theirs


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_a_training_step_is_that_of_the_study(name, bidirectional):
    own, theirs = twins(name, bidirectional)
    x = torch.randn(6, 51, 39, generator=torch.Generator().manual_seed(1))
    for _ in range(2):  # the second time with running statistics that have moved
        own.zero_grad(), theirs.zero_grad()
        mine, their = own(x, torch.full((6,), 51)), theirs(x)
        torch.testing.assert_close(mine, their, rtol=1e-4, atol=1e-5)
        mine.square().sum().backward()
        their.square().sum().backward()
        torch.testing.assert_close(own.norm.weight.grad, theirs.norm.weight.grad, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(
            own.forwards[0].weight_ih_l0.grad, theirs.layer.weight_ih_l0.grad, rtol=1e-3, atol=1e-4
        )
    own.eval(), theirs.eval()
    torch.testing.assert_close(own(x, torch.full((6,), 51)), theirs(x), rtol=1e-4, atol=1e-5)


def test_all_but_two_parameters_of_the_normalisation_are_never_used():
    network = Model("r1_gru").build((51, 39), 35)
    network(torch.randn(4, 51, 39), torch.full((4,), 51)).square().sum().backward()
    used = network.norm.weight.grad.nonzero().flatten().tolist()
    assert used == [50] and network.norm.bias.grad.nonzero().flatten().tolist() == [50]


def test_with_padding_as_signal_the_last_frame_lies_in_the_padding():
    network = Model("r1_gru").build((51, 39), 4).eval()
    waveform = torch.nn.functional.pad(torch.randn(1, 8_000), (0, 8_000))
    for padding, read in (("signal", 50), ("masked", 25)):
        x, lengths = feature(padding=padding, normalise=False).build()(waveform, torch.tensor([8_000]))
        x.requires_grad_()
        network(x, lengths).sum().backward()
        assert x.grad[0].norm(dim=1).nonzero().max() == read


def test_orthogonal_weights_keep_lengths_and_torchs_shrink_them():
    lengths = {}
    for init in ("uniform", "orthogonal"):
        torch.manual_seed(0)
        layer = Model("r1_rnn", init=init).build((51, 39), 35).forwards[0]
        vector = torch.randn(256, generator=torch.Generator().manual_seed(1))
        lengths[init] = ((layer.weight_hh_l0 @ vector).norm() / vector.norm()).item()
    assert lengths["orthogonal"] == pytest.approx(1, abs=1e-4) and lengths["uniform"] == pytest.approx(0.577, abs=0.05)
    for name in ("r1_gru", "r1_lstm"):
        for layer in Model(name, init="orthogonal", bidirectional=True).build((51, 39), 35).backwards:
            for gate in layer.weight_hh_l0.split(64):
                torch.testing.assert_close(gate @ gate.T, torch.eye(64), rtol=0, atol=1e-5)


def test_what_cannot_be_built_says_what_would():
    with pytest.raises(LabError, match=r"two parameters for each frame.*Set seconds in the feature"):
        Model("r1_rnn").build((None, 39), 5)
    with pytest.raises(LabError, match="init .* 'orthagonal'.*'uniform' or 'orthogonal'"):
        Model("r1_rnn", init="orthagonal").build((51, 39), 5)
    with pytest.raises(LabError, match="One direction ends at the last frame only. Use readout='last'"):
        Model("gru", readout="ends").build((51, 39), 5)
