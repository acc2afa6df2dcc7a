"""Every model ignores padding; the recurrent ones are torch's own, seen from another side."""

import itertools

import pytest
import torch
from torch import nn

from labkit.errors import LabError
from labkit.features import FEATURES
from labkit.models import MODELS, Model, count_parameters, register
from labkit.models.rnn import READOUTS, reverse

CLASSES = 5
SMALL = {"hidden": 6}  # where a model has such a hyperparameter
CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def small(name):
    """Hyperparameters of a small network of this model, as far as it has them."""
    return {key: value for key, value in SMALL.items() if key in Model(name).full}


def variants(name):
    """Hyperparameters to try: the defaults, each switch flipped, each choice of a readout, two layers."""
    known, least = Model(name).full, small(name)
    found = [{}, least] if least else [{}]
    found += [least | {key: not value} for key, value in known.items() if isinstance(value, bool)]
    if "readout" in known:
        found += [least | {"readout": readout} for readout in READOUTS]
    if {"layers", "bidirectional", "readout"} <= set(known):
        found += [least | {"layers": 2, "bidirectional": True, "readout": readout} for readout in READOUTS]
    return found


def build(name, feature, options):
    """The network for a feature, in eval mode, and whether it takes any length; None if it takes other features."""
    torch.manual_seed(0)
    for seconds in (None, 1.0):
        try:
            network = Model(name, **options).build(feature(seconds=seconds).shape, CLASSES)
        except LabError:
            continue
        return network.eval(), seconds is None
    return None


def takes(name, kind):
    """Does a model take a feature, with its defaults or as a small network?"""
    return any(build(name, FEATURES[kind], options) for options in (small(name), {}))


FITTING = {name: [kind for kind in FEATURES if takes(name, kind)] for name in MODELS}
CASES = [  # the defaults and a small network with each feature, any other choice with one of them
    pytest.param(name, kind, options, id=f"{name}-{kind}-{options}")
    for name, kinds in FITTING.items()
    for options in variants(name)
    if build(name, FEATURES[kinds[0]], options)  # what refuses these hyperparameters does so for each feature
    for kind in (kinds if options in ({}, small(name)) else kinds[:1])
]


def batch(feature, lengths, frames, seed=0):
    """Random features, zero beyond each length, with time on the feature's own axis."""
    shape = [len(lengths), *(size if size is not None else frames for size in feature(seconds=None).shape)]
    shape[feature.time_axis] = frames
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x * inside(feature, x, lengths), lengths


def inside(feature, x, lengths):
    """1 where a clip is, 0 beyond."""
    time = torch.arange(x.shape[feature.time_axis]) < lengths[:, None]
    return time.view([len(x)] + [-1 if axis == feature.time_axis else 1 for axis in range(1, x.ndim)])


def test_each_registered_model_is_tested():
    assert {"rnn", "gru", "lstm"} <= set(MODELS) and {case.values[0] for case in CASES} == set(MODELS)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "options"), CASES)
@torch.no_grad()
def test_a_model_never_depends_on_padding(name, kind, options):
    feature = FEATURES[kind]
    network, any_length = build(name, feature, options)
    fixed = feature(seconds=1.0).build()(torch.zeros(1, 16_000), torch.tensor([9]))[0]
    whole = 40 if any_length else fixed.shape[feature.time_axis]
    lengths = torch.tensor([whole, 3 * whole // 4, whole // 2, whole // 3])
    x, lengths = batch(feature, lengths, whole)
    logits = network(x, lengths)
    assert logits.shape == (4, CLASSES) and logits.dtype == torch.float32 and torch.isfinite(logits).all()
    assert (logits - logits[0]).abs().max() > 1e-3, "clips differ, so scores do"
    garbage = torch.where(inside(feature, x, lengths), x, 50 * torch.randn(x.shape))
    assert (garbage != x).any()
    torch.testing.assert_close(network(garbage, lengths), logits, rtol=1e-4, atol=1e-5)
    for number in range(4):  # a batch of one
        one = x[number : number + 1], lengths[number : number + 1]
        torch.testing.assert_close(network(*one), logits[number : number + 1], rtol=1e-4, atol=1e-5)
        if any_length:
            cut = x[number : number + 1].narrow(feature.time_axis, 0, int(lengths[number]))
            torch.testing.assert_close(network(cut, one[1]), logits[number : number + 1], rtol=1e-4, atol=1e-5)
    if any_length:
        longer = torch.cat([garbage, 50 * torch.randn(x.shape)], dim=feature.time_axis)
        torch.testing.assert_close(network(longer, lengths), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "options"), CASES)
def test_padding_takes_no_part_in_learning(name, kind, options):
    feature = FEATURES[kind]
    network, any_length = build(name, feature, options)
    fixed = feature(seconds=1.0).build()(torch.zeros(1, 16_000), torch.tensor([9]))[0]
    whole = 12 if any_length else fixed.shape[feature.time_axis]
    part = 7 * whole // 12
    x, lengths = batch(feature, torch.tensor([whole, part]), whole)
    x.requires_grad_()
    network(x, lengths).square().sum().backward()
    reached = x.grad.abs().amax([axis for axis in range(1, x.ndim) if axis != feature.time_axis])
    assert reached[0].amax() > 0 and reached[1, :part].amax() > 0 and not reached[1, part:].any()


# torch's own layers


def own_and_torchs(name, layers, bidirectional, features=4, hidden=6):
    """A network of ours and torch's layer with the same weights."""
    torch.manual_seed(0)
    options = {"hidden": hidden, "layers": layers, "bidirectional": bidirectional}
    own = Model(name, **options).build((None, features), CLASSES)
    theirs = CELLS[name](features, hidden, layers, bidirectional=bidirectional, batch_first=True)
    pairs = []
    for number, suffix in itertools.product(range(layers), ("", "_reverse") if bidirectional else ("",)):
        layer = (own.backwards if suffix else own.forwards)[number]
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            pairs.append((getattr(layer, f"{kind}_l0"), getattr(theirs, f"{kind}_l{number}{suffix}")))
    with torch.no_grad():
        for mine, their in pairs:
            their.copy_(mine)
    return own, theirs, pairs


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", CELLS)
def test_outputs_and_gradients_are_those_of_torchs_packed_layers(name, layers, bidirectional):
    own, theirs, pairs = own_and_torchs(name, layers, bidirectional)
    lengths = torch.tensor([5, 9, 1, 7])
    x = torch.randn(4, 9, 4, generator=torch.Generator().manual_seed(1))
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    mask = (torch.arange(9) < lengths[:, None])[..., None]
    outputs = own.frames(x, lengths) * mask
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6)
    weigh = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(2))
    (outputs * weigh).sum().backward()
    (expected * weigh).sum().backward()
    for mine, their in pairs:
        torch.testing.assert_close(mine.grad, their.grad, rtol=1e-4, atol=1e-5)
        assert their.grad.abs().max() > 0


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_readouts_are_the_last_the_mean_the_largest_valid_output_and_both_ends(name, bidirectional):
    lengths, x = torch.tensor([3, 8]), torch.randn(2, 8, 4)
    for readout in READOUTS:
        if readout == "ends" and not bidirectional:
            continue  # refused
        torch.manual_seed(0)
        network = Model(name, hidden=6, readout=readout, bidirectional=bidirectional).build((None, 4), CLASSES).eval()
        outputs = network.frames(x, lengths)
        clips = [outputs[number, : lengths[number]] for number in range(2)]
        vectors = {"last": [clip[-1] for clip in clips], "mean": [clip.mean(0) for clip in clips]}
        vectors["max"] = [clip.max(0).values for clip in clips]
        vectors["ends"] = [torch.cat([clip[-1, :6], clip[0, 6:]]) for clip in clips]
        torch.testing.assert_close(network(x, lengths), network.head(torch.stack(vectors[readout])))


def test_turning_a_clip_round_leaves_its_padding_and_is_undone_by_itself():
    x = torch.arange(12.0).view(2, 6, 1)
    lengths = torch.tensor([4, 6])
    turned = reverse(x, lengths)
    assert turned[0, :, 0].tolist() == [3, 2, 1, 0, 4, 5] and turned[1, :, 0].tolist() == [11, 10, 9, 8, 7, 6]
    assert torch.equal(reverse(turned, lengths), x)


@pytest.mark.parametrize("gates", [("rnn", 1), ("gru", 3), ("lstm", 4)])
@pytest.mark.parametrize(
    ("hidden", "layers", "bidirectional"), [(64, 2, False), (64, 2, True), (256, 1, True), (5, 3, True)]
)
def test_parameters_are_as_many_as_torchs_formula_says(gates, hidden, layers, bidirectional):
    name, gates = gates
    network = Model(name, hidden=hidden, layers=layers, bidirectional=bidirectional).build((51, 39), 35)
    directions = 1 + bidirectional
    count, size = 0, 39
    for _ in range(layers):
        count += directions * gates * hidden * (size + hidden + 2)  # two biases
        size = directions * hidden
    assert count_parameters(network) == count + (size + 1) * 35
    theirs = CELLS[name](39, hidden, layers, bidirectional=bidirectional)
    assert count_parameters(network) == count_parameters(theirs) + (size + 1) * 35


def test_frozen_weights_are_not_counted():
    network = nn.Linear(3, 4)
    network.bias.requires_grad_(False)
    assert count_parameters(network) == 12


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    network = Model("gru", hidden=6, layers=2, dropout=0.5).build((None, 4), CLASSES)
    x, lengths = torch.randn(3, 9, 4), torch.tensor([9, 5, 2])
    assert not torch.equal(network(x, lengths), network(x, lengths))
    network.eval()
    assert torch.equal(network(x, lengths), network(x, lengths))


# The registry


def test_a_model_keeps_only_what_differs_from_its_defaults():
    assert Model("gru", hidden=128, layers=1) == Model("gru") and hash(Model("gru", hidden=128)) == hash(Model("gru"))
    assert Model("gru", layers=2, hidden=64) == Model("gru", hidden=64, layers=2) != Model("lstm", hidden=64, layers=2)
    assert repr(Model("gru", hidden=64)) == "Model('gru', hidden=64)" and Model("gru", hidden=64).full["layers"] == 1


def test_names_and_hyperparameters_misspelt_get_a_suggestion():
    with pytest.raises(LabError, match="no model called 'ltsm'. Did you mean 'lstm'"):
        Model("ltsm")
    with pytest.raises(LabError, match="no hyperparameter of the model 'gru' called 'layer'. Did you mean 'layers'"):
        Model("gru", layer=2)
    with pytest.raises(LabError, match="no readout called 'first'. .*last, mean, max, ends"):
        Model("gru", readout="first").build((None, 4), 2)
    with pytest.raises(LabError, match=r"'gru'.*\(1, 40, 51\).*use the feature 'mfcc'"):
        Model("gru").build((1, 40, 51), 2)


@pytest.mark.parametrize("options", [{"hidden": 0}, {"layers": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_sizes_that_make_no_network_say_so(options):
    with pytest.raises(LabError, match=f"{next(iter(options))} .*Change"):
        Model("lstm", **options).build((None, 4), 2)


@pytest.mark.parametrize(
    "options", [{"hidden": "64"}, {"hidden": 6.4}, {"bidirectional": "no"}, {"dropout": "0.2"}, {"readout": 1}]
)
def test_hyperparameters_of_another_kind_say_so(options):
    with pytest.raises(LabError, match=next(iter(options))):
        Model("lstm", **options)


def test_a_model_of_ones_own_is_known_once_registered(monkeypatch):
    monkeypatch.delitem(MODELS, "mine", raising=False)

    @register("mine")
    class Mine(nn.Module):
        def __init__(self, shape, classes, width=3):
            super().__init__()
            self.linear = nn.Linear(shape[1], classes)

    try:
        assert Model("mine", width=4).options == (("width", 4),)
        assert isinstance(Model("mine").build((51, 39), 2), Mine)

        @register("careless")
        class Careless(Mine):
            def __init__(self, shape, classes, width):
                super().__init__(shape, classes)

        with pytest.raises(LabError, match="'careless' has no default for .'width'"):
            Model("careless")
    finally:
        MODELS.pop("mine"), MODELS.pop("careless", None)
