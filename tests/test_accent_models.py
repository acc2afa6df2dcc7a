"""The networks of the study of accents: as large as published, blind to padding, with the flaws that are studied."""

import math

import pytest
import torch
from torch import nn

from labkit.errors import LabError
from labkit.models import Model, count_parameters
from labkit.training.recipe import LOSSES

# Trainable parameters of the published networks (64 mel bands, 15 classes).
PUBLISHED = {
    479_218: {"cell": "lstm"},
    1_265_474: {"cell": "lstm", "layers": 2},
    360_591: {"cell": "gru"},
    950_283: {"cell": "gru", "layers": 2},
    1_007_988: {"cell": "gru", "layers": 2, "dense": (156, 78), "dropout": 0.2},
    958_421: {"cell": "lstm", "bidirectional": True},
    721_167: {"cell": "gru", "bidirectional": True},
}


def net(shape=(None, 64), classes=15, **options):
    torch.manual_seed(0)
    return Model("accent_net", **options).build(shape, classes).eval()


def clips(*lengths, features=8):
    x = torch.randn(len(lengths), max(lengths), features, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor(lengths)


@pytest.mark.parametrize("parameters", PUBLISHED)
def test_each_network_has_as_many_parameters_as_published(parameters):
    assert count_parameters(net(**PUBLISHED[parameters])) == parameters


@pytest.mark.parametrize("options", PUBLISHED.values(), ids=str)
def test_the_batch_a_clip_is_in_changes_nothing(options):
    network = net((None, 8), 4, **{**options, "hidden": 16})
    x, lengths = clips(9, 5, 7)
    alone = torch.cat([network(x[i : i + 1, :n], lengths[i : i + 1]) for i, n in enumerate(lengths.tolist())])
    assert torch.allclose(network(x, lengths), alone, atol=1e-6)
    x[1, 5:] = 1e3
    assert torch.allclose(network(x, lengths), alone, atol=1e-6)


def test_dropout_on_a_single_recurrent_layer_does_nothing():
    x, lengths = clips(9, 5)
    for layers, same in ((1, True), (2, False)):
        network = net((None, 8), 4, hidden=16, layers=layers, dropout=0.4)
        assert torch.equal(network.train()(x, lengths), network.eval()(x, lengths)) == same


def test_it_computes_what_torchs_own_layers_do():
    network = net((None, 8), 4, cell="lstm", hidden=16, layers=2)
    own = nn.LSTM(8, 16, 2, batch_first=True)
    own.load_state_dict(
        {
            name.replace("_l0", f"_l{layer}"): value
            for layer, part in enumerate(network.forwards)
            for name, value in part.state_dict().items()
        }
    )
    x, lengths = clips(9, 9)
    assert torch.allclose(network.head(own(x)[0][:, -1]), network(x, lengths), atol=1e-6)


def test_read_at_the_last_frame_the_backward_half_has_seen_one_frame():
    network = net((None, 8), 4, hidden=16, bidirectional=True)
    x, lengths = clips(9)
    other = x.clone()
    other[:, :-1] += 1
    halves = [network.frames(clip, lengths)[:, -1, 16:] for clip in (x, other)]
    assert torch.equal(*halves)


def test_softmax_before_the_loss_has_the_floor_that_the_audit_names():
    perfect = torch.full((1, 15), -100.0).index_fill(1, torch.tensor([3]), 100.0)
    loss = LOSSES["softmax_cross_entropy"](perfect, torch.tensor([3]))
    assert loss.item() == pytest.approx(math.log(math.e + 14) - 1, abs=1e-6) == pytest.approx(1.817, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"dense": (0,)}, {"dense": ("a",)}, {"dense_dropout": 1.0}])
def test_widths_that_cannot_be_are_named(wrong):
    with pytest.raises(LabError, match=f"{next(iter(wrong))} .*Change it"):
        net(**wrong)
    with pytest.raises(LabError, match="cell .* 'rnn'.*'gru' or 'lstm'"):
        net(cell="rnn")
