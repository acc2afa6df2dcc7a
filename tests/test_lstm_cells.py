"""Cells as equations: counted, as they stand in the papers, as torch's own LSTM, and as their own derivative."""

import numpy as np
import pytest
import torch
from torch import nn, sigmoid, tanh

from labkit.errors import LabError
from labkit.models import MODELS, Model, code_of, count_parameters
from labkit.models.cell_layer import DIMENSIONS, CellLayer, one_step
from labkit.models.lstm_cells import CELLS, cell

OWN = ("lstm_cell", "peephole", "peephole_full", "coupled", "no_forget", "no_input", "no_output")
FRAMES, BATCH, FEATURES, HIDDEN = 7, 5, 3, 6


@pytest.fixture
def students():
    """Cells as a student may write them; forgotten afterwards."""
    before = set(CELLS)

    @cell("update", gates="zg")
    def update(pre, state, params):  # it reads state.h
        z = sigmoid(pre.z)
        h = (1 - z) * state.h + z * torch.relu(pre.g)
        return dict(h=h, c=h)

    @cell("scaled", gates="fgo", scale="vector", mix="matrix")
    def scaled(pre, state, params):
        f = torch.exp(-torch.nn.functional.softplus(pre.f))
        c = f * state.c + torch.sin(pre.g) / (1 + params.scale**2)
        h = sigmoid(pre.o + c @ params.mix) * tanh(c)
        return dict(f=f, c=c, h=h)

    yield ("update", "scaled")
    for name in set(CELLS) - before:
        CELLS.pop(name), MODELS.pop(name)


def layer_of(name, **options):
    """A layer in float64, far from where everything is linear."""
    torch.manual_seed(0)
    layer = CellLayer(name, FEATURES, HIDDEN, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(2)
    return layer


def sequences():
    """Input and initial state."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(BATCH, FRAMES, FEATURES, generator=generator, dtype=torch.float64)
    return x, tuple(torch.randn(BATCH, HIDDEN, generator=generator, dtype=torch.float64) for _ in range(2))


# Counts


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("lstm_cell", 28_899),
        ("peephole_full", 41_187),
        ("coupled", 22_243),
        ("no_forget", 22_243),
        ("no_input", 22_243),
        ("no_output", 22_243),
        ("peephole", 28_899 + 3 * 64),
    ],
)
def test_the_reference_study_has_its_counts(name, count):
    assert count_parameters(Model(name, hidden=64).build((51, 39), 35)) == count


def test_every_cell_is_a_model_and_takes_the_initialisation_by_name():
    assert set(OWN) <= set(CELLS) and set(OWN) <= set(MODELS)
    torch.manual_seed(0)
    network = Model("peephole", hidden=8, init="forget_one", bidirectional=True).build((None, 4), 3)
    layer = network.backwards[0]
    assert layer.cell is CELLS["peephole"] and (layer.bias_l0.view(4, 8)[1] == 1).all()


@pytest.mark.parametrize("name", OWN)
def test_initialisations_are_uniform_and_the_reference_studys_opens_the_forget_gate(name):
    torch.manual_seed(0)
    usual, opened = (CellLayer(name, 3, 100, init=init) for init in ("torch", "forget_one"))
    for parameter in usual.parameters():
        assert 0.085 < parameter.abs().max() <= 0.1
    bias = opened.bias_l0.view(-1, 100)
    for gate, row in zip(CELLS[name].gates, bias, strict=True):
        assert (row == 1).all() if gate == "f" else row.abs().max() <= 0.1


def test_parameters_keep_their_names_and_order_so_that_a_seed_gives_the_same_start():
    names = [name for name, _ in CellLayer("peephole", 3, 6).named_parameters()]
    assert names == ["weight_ih_l0", "weight_hh_l0", "bias_l0", "p_i_l0", "p_f_l0", "p_o_l0"]
    torch.manual_seed(0)
    layer = CellLayer("lstm_cell", 3, 6)
    torch.manual_seed(0)
    bound = 6**-0.5
    for parameter in layer.parameters():
        assert torch.equal(parameter, torch.empty_like(parameter).uniform_(-bound, bound))


# The equations


def s(x):
    return 1 / (1 + np.exp(-x))


def t(x):
    return np.tanh(x)


# From the papers: (pre-activations by gate, h and c before, own parameters) -> all that the cell names after the step
def written_lstm(a, h, c, p):
    i, f, o, g = s(a["i"]), s(a["f"]), s(a["o"]), t(a["g"])
    new = f * c + i * g
    return {"i": i, "f": f, "o": o, "g": g, "c": new, "h": o * t(new)}


def written_peephole(a, h, c, p):
    i, f = s(a["i"] + c * p["p_i"]), s(a["f"] + c * p["p_f"])
    new = f * c + i * t(a["g"])
    o = s(a["o"] + new * p["p_o"])
    return {"i": i, "f": f, "o": o, "c": new, "h": o * t(new)}


def written_peephole_full(a, h, c, p):
    seen = {name: np.einsum("uv,bv->bu", p[f"p_{name}"], c) for name in "if"}  # unit u sees all units v of its clip
    i, f = s(a["i"] + seen["i"]), s(a["f"] + seen["f"])
    new = f * c + i * t(a["g"])
    o = s(a["o"] + np.einsum("uv,bv->bu", p["p_o"], new))
    return {"i": i, "f": f, "o": o, "c": new, "h": o * t(new)}


def written_coupled(a, h, c, p):
    f, o = s(a["f"]), s(a["o"])
    new = f * c + (1 - f) * t(a["g"])
    return {"f": f, "o": o, "c": new, "h": o * t(new)}


def written_no_forget(a, h, c, p):
    i, o = s(a["i"]), s(a["o"])
    new = c + i * t(a["g"])
    return {"i": i, "o": o, "c": new, "h": o * t(new)}


def written_no_input(a, h, c, p):
    f, o = s(a["f"]), s(a["o"])
    new = f * c + t(a["g"])
    return {"f": f, "o": o, "c": new, "h": o * t(new)}


def written_no_output(a, h, c, p):
    i, f = s(a["i"]), s(a["f"])
    new = f * c + i * t(a["g"])
    return {"i": i, "f": f, "c": new, "h": t(new)}


WRITTEN = {
    "lstm_cell": ("ifgo", written_lstm),
    "peephole": ("ifgo", written_peephole),
    "peephole_full": ("ifgo", written_peephole_full),
    "coupled": ("fgo", written_coupled),
    "no_forget": ("igo", written_no_forget),
    "no_input": ("fgo", written_no_input),
    "no_output": ("ifg", written_no_output),
}


def test_each_cell_has_its_equations_written_out_here():
    here = [name for name, own in CELLS.items() if own.__module__ == "labkit.models.lstm_cells"]
    assert set(WRITTEN) == set(OWN) == set(here)


@pytest.mark.parametrize("name", OWN)
def test_a_step_of_each_cell_is_what_its_equations_say(name):
    gates, written = WRITTEN[name]
    own = CELLS[name]
    assert own.gates == gates
    rng = np.random.default_rng(0)
    a = {gate: rng.normal(size=(BATCH, HIDDEN)) for gate in gates}
    h, c = rng.normal(size=(2, BATCH, HIDDEN))
    p = {key: rng.normal(size=(HIDDEN,) * DIMENSIONS[kind]) for key, kind in own.extras.items()}
    given = [{key: torch.from_numpy(value) for key, value in each.items()} for each in (a, {"h": h, "c": c}, p)]
    now = one_step(own, *given)
    expected = written(a, h, c, p)
    assert set(now) == set(expected)
    for quantity, values in expected.items():  # what is drawn as a gate is that gate
        np.testing.assert_allclose(now[quantity], values, rtol=1e-12, err_msg=quantity)


@pytest.mark.parametrize("name", OWN)
def test_a_layer_runs_the_equations_frame_by_frame(name):
    gates, written = WRITTEN[name]
    layer = layer_of(name)
    x, (h, c) = sequences()
    outputs, (last_h, last_c) = layer(x, (h, c))
    weights = {key.removesuffix("_l0"): value.detach().numpy() for key, value in layer.named_parameters()}
    h, c = h.numpy(), c.numpy()
    for frame in range(FRAMES):
        pre = x[:, frame].numpy() @ weights["weight_ih"].T + h @ weights["weight_hh"].T + weights["bias"]
        a = {gate: pre[:, HIDDEN * place : HIDDEN * (place + 1)] for place, gate in enumerate(gates)}
        named = written(a, h, c, weights)
        h, c = named["h"], named["c"]
        np.testing.assert_allclose(outputs[:, frame].detach(), h, rtol=1e-9, atol=1e-12)
    assert torch.equal(last_h, outputs[:, -1])
    np.testing.assert_allclose(last_c.detach(), c, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [*OWN, "update", "scaled"])
def test_gradients_are_those_that_differences_give(name, students):
    layer = layer_of(name)
    x, state = sequences()
    weights = [parameter.detach().clone().requires_grad_() for parameter in layer.parameters()]
    names = [label for label, _ in layer.named_parameters()]

    def outputs(x, h, c, *weights):
        results = torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (x, (h, c)))
        return results[0], *results[1]

    tensors = [x[:2, :3].clone().requires_grad_(), *(part[:2].clone().requires_grad_() for part in state), *weights]
    assert torch.autograd.gradcheck(outputs, tensors, fast_mode=True)


@pytest.mark.parametrize("name", OWN)
def test_a_clip_in_two_parts_gives_what_it_gives_at_once(name):
    layer = layer_of(name)
    x, state = sequences()
    whole, last = layer(x, state)
    first, between = layer(x[:, :3], state)
    second, end = layer(x[:, 3:], between)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    torch.testing.assert_close(end, last)


def test_bf16_is_near_float32_by_autocast():
    torch.manual_seed(0)
    layer, x = CellLayer("peephole", FEATURES, HIDDEN), torch.randn(BATCH, FRAMES, FEATURES)
    exact, _ = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        near, _ = layer(x)
        near.float().sum().backward()
    assert layer.weight_hh_l0.grad.dtype == torch.float32 and not torch.equal(near, exact)
    assert (near.float() - exact).abs().max() < 0.03


# torch's own layer


@pytest.mark.parametrize("given", [False, True])
def test_weights_from_torchs_lstm_give_its_outputs_and_gradients(given):
    torch.manual_seed(0)
    theirs = nn.LSTM(FEATURES, HIDDEN, batch_first=True).double()
    ours = CellLayer.from_torch(theirs)
    x, state = sequences()
    found = []
    for layer, before in ((ours, state), (theirs, tuple(part[None] for part in state))):
        inputs = x.clone().requires_grad_()
        outputs, (h, c) = layer(inputs, before if given else None)
        h, c = h.reshape(BATCH, HIDDEN), c.reshape(BATCH, HIDDEN)  # torch's have the layer in front
        loss = outputs.sin().sum() + h.square().sum() + c.cos().sum()
        loss.backward()
        bias = layer.bias_l0 if layer is ours else layer.bias_ih_l0  # both of torch's biases have the same gradient
        found.append([outputs, h, c, inputs.grad, layer.weight_ih_l0.grad, layer.weight_hh_l0.grad, bias.grad])
    for mine, their in zip(*found, strict=True):
        torch.testing.assert_close(mine, their, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_mean_what_packing_means_to_torchs_lstm(bidirectional):
    torch.manual_seed(0)
    theirs = nn.LSTM(FEATURES, HIDDEN, 2, bidirectional=bidirectional, batch_first=True)
    model = Model("lstm_cell", hidden=HIDDEN, layers=2, bidirectional=bidirectional)
    ours = model.build((None, FEATURES), 4)
    with torch.no_grad():
        for layers, suffix in ((ours.forwards, ""), (ours.backwards, "_reverse")):
            for number, layer in enumerate(layers):
                end = f"_l{number}{suffix}"
                layer.weight_ih_l0.copy_(getattr(theirs, "weight_ih" + end))
                layer.weight_hh_l0.copy_(getattr(theirs, "weight_hh" + end))
                layer.bias_l0.copy_(getattr(theirs, "bias_ih" + end) + getattr(theirs, "bias_hh" + end))
    x, lengths = torch.randn(4, FRAMES, FEATURES), torch.tensor([3, FRAMES, 1, 5])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    mask = (torch.arange(FRAMES) < lengths[:, None])[..., None]
    torch.testing.assert_close(ours.frames(x, lengths) * mask, expected, rtol=1e-5, atol=1e-6)


# What is refused


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: CellLayer("peephol", 3, 6), "peephol'. Did you mean 'peephole'"),
        (lambda: Model("peephole", init="r1"), "init .* 'r1'.*forget_one"),
        (lambda: Model("peephole", hidden=0), "hidden .* 0"),
        (lambda: cell("odd", "ii"), "gates='ii' .* letter"),
        (lambda: cell("odd", "i", p="scalar"), "'odd'.*'scalar'.*vector, matrix"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(call, words):
    with pytest.raises(LabError, match=words):
        call()


@pytest.mark.parametrize("answer", [torch.zeros(2), (torch.zeros(2),) * 2, {"h": torch.zeros(2)}])
def test_a_cell_that_returns_no_h_and_c_says_what_to_return(answer):
    with pytest.raises(LabError, match=r"End it with `return dict\(h=h, c=c\)`"):
        one_step(lambda *_: answer, {"g": torch.zeros(2, 3)}, {"h": torch.zeros(2, 3), "c": torch.zeros(2, 3)}, {})


# A student's own


def test_a_changed_cell_of_a_student_is_another_model():
    codes = []

    def define(factor):
        @cell("mine", gates="g")
        def mine(pre, state, params, factor=factor):
            c = factor * state.c + tanh(pre.g)
            return dict(c=c, h=c)

    for factor in (0.9, 0.9):
        define(factor)
        codes.append(code_of("mine"))

    @cell("mine", gates="g")
    def again(pre, state, params):
        c = 0.5 * state.c + tanh(pre.g)
        return dict(c=c, h=c)

    codes.append(code_of("mine"))
    CELLS.pop("mine"), MODELS.pop("mine")
    assert codes[0] == codes[1] != codes[2] and None not in codes
    assert code_of("peephole") is None


def test_the_quantities_of_a_clip_are_those_that_the_cell_names():
    layer = layer_of("lstm_cell")
    x, _ = sequences()
    quantities = layer.quantities(x[0])
    assert list(quantities) == ["i", "f", "o", "g", "c", "h"]
    assert all(values.shape == (FRAMES, HIDDEN) and not values.requires_grad for values in quantities.values())
    outputs, (_, c) = layer(x[:1])
    torch.testing.assert_close(quantities["h"], outputs[0])
    torch.testing.assert_close(quantities["c"][-1], c[0])
    torch.testing.assert_close(quantities["o"] * tanh(quantities["c"]), quantities["h"])


def test_only_one_layer_in_one_direction_is_copied():
    for more in ({"num_layers": 2}, {"bidirectional": True}):
        with pytest.raises(LabError, match="one layer in one direction"):
            CellLayer.from_torch(torch.nn.LSTM(4, 3, **more))
