"""What the probes say of networks whose answer is known."""

import pytest
import torch
from torch import nn

from labkit.errors import LabError
from labkit.evaluation.interpret import gradient_norms, reach
from labkit.models import Model


class Fading(nn.Module):
    """Scores are sums over frames, each frame back weighing half as much: a gradient that is known."""

    def __init__(self, factor=0.5):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x, lengths):
        distance = lengths[:, None] - 1 - torch.arange(x.shape[1])  # (batch, frames)
        weight = torch.where(distance >= 0, self.factor ** distance.clamp(min=0), 0.0)
        return (x * weight[..., None]).sum(1)  # (batch, classes)


def test_the_norm_halves_with_each_frame_of_a_network_that_halves():
    x, lengths = torch.randn(5, 12, 3), torch.tensor([12, 12, 12, 6, 6])
    norms = gradient_norms(Fading(), x, lengths, torch.tensor([0, 1, 2, 0, 1]))
    torch.testing.assert_close(norms, 0.5 ** torch.arange(12.0))


def test_only_clips_that_are_long_enough_count():
    norms = gradient_norms(Fading(), torch.randn(2, 9, 3), torch.tensor([4, 6]), torch.tensor([0, 0]))
    assert norms.shape == (9,) and norms[:6].isfinite().all() and norms[6:].isnan().all()
    assert norms[5] == 0.5**5


def test_the_score_of_the_clips_own_class_is_what_counts():
    network = Fading()
    x = torch.randn(1, 4, 3)
    both = [gradient_norms(network, 2 * x, torch.tensor([4]), torch.tensor([number])) for number in (0, 1)]
    torch.testing.assert_close(*both)
    scaled = nn.Module()
    scaled.forward = lambda x, lengths: network(x, lengths) * torch.tensor([1.0, 3.0, 1.0])
    torch.testing.assert_close(gradient_norms(scaled, x, torch.tensor([4]), torch.tensor([1])), 3 * both[1])


@pytest.mark.parametrize("training", [False, True])
def test_the_network_is_left_as_it_was(training):
    network = Model("r1_gru").build((9, 5), 3).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():  # as notebooks may have it
        gradient_norms(network, torch.randn(4, 9, 5), torch.full((4,), 9), torch.tensor([0, 1, 2, 0]))
    assert network.training == training and all(weight.grad is None for weight in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(before[name], value), name


def test_the_plain_network_forgets_and_orthogonal_weights_help():
    x, lengths, targets = torch.randn(16, 60, 5), torch.full((16,), 60), torch.zeros(16, dtype=torch.int64)
    heard = {}
    for init in ("uniform", "orthogonal"):
        torch.manual_seed(0)
        network = Model("r1_rnn", hidden=64, init=init).build((60, 5), 3)
        heard[init] = reach(gradient_norms(network, x, lengths, targets), hop_ms=10)
    assert heard["uniform"] < heard["orthogonal"] / 2


def test_the_reach_is_where_the_norm_falls_below_a_thousandth():
    assert reach(torch.tensor([1.0, 0.5, 0.002, 0.0009, 1.0]), hop_ms=20) == 60
    assert reach(torch.tensor([1.0, 0.5]), hop_ms=20) == 40, "never: the whole clip"
    assert reach(torch.tensor([0.1, 1.0, 0.0]), hop_ms=20) == 40, "counted from the largest"
    assert reach(torch.tensor([1.0, 0.5, 0.0, torch.nan]), hop_ms=20, fraction=0.6) == 20


def test_pictures_have_no_distance_in_time():
    with pytest.raises(LabError, match=r"Distances in time need \(batch, frames, features\)"):
        gradient_norms(nn.Identity(), torch.zeros(1, 1, 4, 4), torch.tensor([4]), torch.tensor([0]))
