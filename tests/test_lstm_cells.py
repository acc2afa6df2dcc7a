"""Cells as equations: counted, and the same numbers on every path, as torch's own LSTM, and as their own derivative."""

import os

import pytest
import torch
from tiny import program
from torch import nn, sigmoid, tanh

from labkit.errors import LabError, LabWarning
from labkit.models import MODELS, Model, cell_kernels, cell_sequence, code_of, count_parameters
from labkit.models.cell_layer import CellLayer
from labkit.models.lstm_cells import CELLS, Cell, State, cell

OWN = ("lstm_cell", "peephole", "peephole_full", "coupled", "no_forget", "no_input", "no_output")
LIMITS = {torch.float32: 1e-5, torch.float64: 1e-10}
FRAMES, BATCH, FEATURES, HIDDEN = 7, 5, 3, 6
COMPILES = cell_kernels._compiler() is not None


@pytest.fixture
def students():
    """Cells as a student may write them; forgotten afterwards."""
    before = set(CELLS)

    @cell("update", gates="zg")
    def update(pre, state, params):  # it reads state.h, and the gradient of relu needs what went in
        z = sigmoid(pre.z)
        h = (1 - z) * state.h + z * torch.relu(pre.g)
        return h, h

    @cell("scaled", gates="fgo", scale="vector", mix="matrix")
    def scaled(pre, state, params):
        f = torch.exp(-torch.nn.functional.softplus(pre.f))
        c = f * state.c + torch.sin(pre.g) / (1 + params.scale**2)
        h = sigmoid(pre.o + c @ params.mix) * tanh(c)
        return h, c

    yield ("update", "scaled")
    for name in set(CELLS) - before:
        CELLS.pop(name), MODELS.pop(name)


@pytest.fixture
def compiled(monkeypatch):
    """Compile however small the step, where there is a compiler; else the same tests see the derived equations."""
    monkeypatch.delenv("LABKIT_COMPILE", raising=False)
    monkeypatch.setattr(cell_sequence, "ENOUGH", 0)
    # oneDNN makes a program for each new shape, which for these small ones takes most of the time of a test
    monkeypatch.setattr(cell_sequence, "products", lambda like, large: cell_sequence.Torchs)


def pair(name, dtype=torch.float32, **options):
    """The same layer on both paths."""
    torch.manual_seed(0)
    plain = CellLayer(name, FEATURES, HIDDEN, dtype=dtype, path="plain", **options)
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.mul_(2)  # far from where everything is linear
    fast = CellLayer(name, FEATURES, HIDDEN, dtype=dtype, path="fast", **options)
    fast.load_state_dict(plain.state_dict())
    return plain, fast


def everything(layer, x, state=None, lengths=None):
    """Outputs, last state, and the gradients of all that has one, as a list."""
    x = x.clone().requires_grad_()
    state = None if state is None else tuple(part.clone().requires_grad_() for part in state)
    outputs, (h, c) = layer(x, state, **({} if lengths is None else {"lengths": lengths}))
    generator = torch.Generator().manual_seed(3)
    weigh = [torch.randn(part.shape, generator=generator, dtype=part.dtype) for part in (outputs, h, c)]
    loss = sum((part * weight).sum() for part, weight in zip((outputs, h, c), weigh, strict=True))
    wanted = [x, *(state or ()), *layer.parameters()]
    return [outputs, h, c, *torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)]


def sequences(dtype=torch.float32, places=1, frames=FRAMES, batch=BATCH):
    """Input, initial state and lengths, one of them zero."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(frames, batch, FEATURES, generator=generator, dtype=dtype)
    state = tuple(torch.randn(places, batch, HIDDEN, generator=generator, dtype=dtype) for _ in range(2))
    return x, state, torch.tensor([frames, 1, 4, 0, 5][:batch])


def distance(ours, theirs):
    """Largest difference over all pairs, each relative to its largest value."""
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        worst = max(worst, ((a - b).abs().max() / b.abs().max().clamp(min=1e-30)).item())
    return worst


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


def test_every_cell_is_a_model_and_takes_the_layer_and_the_initialisation_by_name():
    assert set(OWN) <= set(CELLS) and set(OWN) <= set(MODELS)
    network = Model("peephole", hidden=8, init="forget_one", path="plain", bidirectional=True).build((None, 4), 3)
    layer = network.backwards[0]
    assert (layer.cell.name, layer.path, layer.init) == ("peephole", "plain", "forget_one")


@pytest.mark.parametrize("name", OWN)
def test_initialisations_are_uniform_and_the_reference_studys_opens_the_forget_gate(name):
    torch.manual_seed(0)
    usual, opened = (CellLayer(name, 3, 100, init=init) for init in ("torch", "forget_one"))
    for parameter in usual.parameters():
        assert 0.085 < parameter.abs().max() <= 0.1
    bias = opened.bias_l0.view(-1, 100)
    for gate, row in zip(CELLS[name].gates, bias, strict=True):
        assert (row == 1).all() if gate == "f" else row.abs().max() <= 0.1


# Plain and fast


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("name", [*OWN, "update", "scaled"])
def test_plain_and_fast_agree(name, dtype, students):
    x, state, lengths = sequences(dtype)
    plain, fast = pair(name, dtype)
    for arguments in ((x,), (x, state), (x, state, lengths), (x[:, :1], None, lengths[:1])):
        assert distance(everything(fast, *arguments), everything(plain, *arguments)) < LIMITS[dtype]


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, torch.float32) for name in [*OWN, "update"]), ("peephole", torch.float64)]
)
def test_plain_and_compiled_agree(name, dtype, students, compiled, recwarn):
    x, state, lengths = sequences(dtype)
    plain, fast = pair(name, dtype)
    for arguments in ((x,), (x, state, lengths), (x[:, :1], None, lengths[:1]), (x[:1, :4], None, None)):
        assert distance(everything(fast, *arguments), everything(plain, *arguments)) < LIMITS[dtype]
    if COMPILES:
        assert not [warning for warning in recwarn if issubclass(warning.category, LabWarning)]
        assert cell_kernels.kernels(CELLS[name], dtype, HIDDEN, True, torch.get_num_threads()).compiled


@pytest.mark.parametrize("name", ["peephole", "no_output"])
def test_they_agree_in_many_layers_and_both_directions(name):
    for options in ({"num_layers": 2, "bidirectional": True, "batch_first": True}, {"bias": False, "num_layers": 2}):
        plain, fast = pair(name, **options)
        x, state, lengths = sequences(places=2 * (1 + options.get("bidirectional", False)))
        x = x.transpose(0, 1) if options.get("batch_first") else x
        assert distance(everything(fast, x, state, lengths), everything(plain, x, state, lengths)) < 1e-5


@pytest.mark.parametrize("name", [*OWN, "update", "scaled"])
def test_gradients_are_those_that_differences_give(name, students):
    _, layer = pair(name, torch.float64)
    x, state, _ = sequences(torch.float64, frames=3, batch=2)
    weights = [parameter.detach().clone().requires_grad_() for parameter in layer.parameters()]
    names = [label for label, _ in layer.named_parameters()]

    def outputs(x, h, c, *weights):
        results = torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (x, (h, c)))
        return results[0], *results[1]

    tensors = [x.requires_grad_(), *(part.requires_grad_() for part in state), *weights]
    assert torch.autograd.gradcheck(outputs, tensors, fast_mode=True)


@pytest.mark.skipif(not cell_sequence._onednn_works(), reason="this torch lacks oneDNN's product")
def test_onednns_products_are_the_same_products(monkeypatch):
    monkeypatch.setattr(cell_sequence, "products", lambda like, large: cell_sequence.OneDNN)
    x, state, lengths = sequences()
    plain, fast = pair("peephole")
    assert distance(everything(fast, x, state, lengths), everything(plain, x, state, lengths)) < 1e-5
    monkeypatch.undo()
    assert cell_sequence.products(x) is cell_sequence.OneDNN
    assert all(cell_sequence.products(*like) is cell_sequence.Torchs for like in ((x, False), (x.double(),)))


def test_an_output_that_nobody_uses_costs_no_gradient_its_rightness():
    plain, fast = pair("lstm_cell")
    x, _, lengths = sequences()
    for pick in (lambda outputs, h, c: c.sum(), lambda outputs, h, c: h.sum(), lambda outputs, h, c: outputs.sum()):
        grads = []
        for layer in (plain, fast):
            outputs, (h, c) = layer(x, lengths=lengths)
            grads.append(torch.autograd.grad(pick(outputs, h, c), list(layer.parameters())))
        assert distance(grads[1], grads[0]) < 1e-5


def test_frozen_weights_and_inputs_get_no_gradient():
    _, fast = pair("peephole")
    fast.weight_ih_l0.requires_grad_(False)
    x, _, _ = sequences()
    fast(x)[0].sum().backward()
    assert fast.weight_ih_l0.grad is None and fast.weight_hh_l0.grad.any() and fast.p_f_l0.grad.any()
    with torch.no_grad():
        assert not fast(x)[0].requires_grad


def test_the_same_numbers_come_twice(compiled):
    _, fast = pair("coupled")
    first, second = (everything(fast, *sequences()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_bf16_is_near_float32_by_autocast_and_by_weights():
    for path in ("plain", "fast"):
        torch.manual_seed(0)
        layer = CellLayer("peephole", FEATURES, HIDDEN, path=path)
        x, _, lengths = sequences()
        exact, _ = layer(x, lengths=lengths)
        with torch.autocast("cpu", torch.bfloat16):
            near, (h, _) = layer(x, lengths=lengths)
            near.float().sum().backward()
        assert near.dtype == h.dtype == torch.bfloat16 and layer.weight_hh_l0.grad.dtype == torch.float32
        assert (near.float() - exact).abs().max() < 0.03
        near, _ = layer.bfloat16()(x.bfloat16(), lengths=lengths)
        assert near.dtype == torch.bfloat16 and (near.float() - exact).abs().max() < 0.03


# torch's own layer


@pytest.mark.parametrize("path", ["plain", "fast"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True},
        {"bias": False, "num_layers": 2},
        {"num_layers": 3, "bidirectional": True, "batch_first": True},
    ],
)
def test_weights_from_torchs_lstm_give_its_outputs_and_gradients(path, options):
    torch.manual_seed(0)
    theirs = nn.LSTM(FEATURES, HIDDEN, **options)
    ours = CellLayer.from_torch(theirs, path=path)
    places = theirs.num_layers * (1 + theirs.bidirectional)
    x, state, _ = sequences(places=places)
    x = x.transpose(0, 1) if theirs.batch_first else x
    for given in (None, state):
        mine, their = everything(ours, x, given), everything(theirs, x, given)
        known = 4 + (2 if given else 0)
        assert distance(mine[:known], their[:known]) < 1e-5
        gradients = dict(zip([name for name, _ in theirs.named_parameters()], their[known:], strict=True))
        for (name, _), gradient in zip(ours.named_parameters(), mine[known:], strict=True):
            expected = gradients[name.replace("bias", "bias_ih")]  # both of torch's biases have the same gradient
            assert distance([gradient], [expected]) < 1e-5


@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_mean_what_packing_means_to_torchs_lstm(bidirectional):
    torch.manual_seed(0)
    theirs = nn.LSTM(FEATURES, HIDDEN, 2, bidirectional=bidirectional, batch_first=True)
    ours = CellLayer.from_torch(theirs)
    x, lengths = torch.randn(4, FRAMES, FEATURES), torch.tensor([3, FRAMES, 1, 5])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, (h, c) = theirs(packed)
    expected, _ = nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)
    outputs, (own_h, own_c) = ours(x, lengths=lengths)
    assert distance([outputs, own_h, own_c], [expected, h, c]) < 1e-5


def test_one_sequence_without_a_batch_is_taken_as_torch_takes_it():
    theirs = nn.LSTM(FEATURES, HIDDEN)
    ours = CellLayer.from_torch(theirs)
    x, h = torch.randn(FRAMES, FEATURES), torch.randn(1, HIDDEN)
    for state in (None, (h, h)):
        (a, (b, c)), (d, (e, f)) = ours(x, state), theirs(x, state)
        assert distance([a, b, c], [d, e, f]) < 1e-5


def test_a_sequence_of_no_frames_keeps_its_state_and_a_batch_of_none_its_shape():
    _, fast = pair("coupled")
    x, (h, c), lengths = sequences()
    outputs, (last_h, last_c) = fast(x, (h, c), lengths)
    assert not outputs[:, 3].any() and torch.equal(last_h[:, 3], h[:, 3]) and torch.equal(last_c[:, 3], c[:, 3])
    outputs, (last_h, _) = fast(x[:, :0])
    assert outputs.shape == (FRAMES, 0, HIDDEN) and last_h.shape == (1, 0, HIDDEN)


def test_dropout_acts_between_layers_in_training_alone():
    layer = CellLayer("lstm_cell", FEATURES, HIDDEN, 2, dropout=0.5)
    x, _, _ = sequences()
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


# What is refused


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: CellLayer("lstm_cell", 3, 6, proj_size=2), "Projections .* Leave proj_size at 0"),
        (lambda: CellLayer("peephol", 3, 6), "no cell called 'peephol'. Did you mean 'peephole'"),
        (lambda: CellLayer("peephole", 3, 6, path="quick"), "no path called 'quick'"),
        (lambda: CellLayer("peephole", 3, 6, init="r1"), "no initialisation called 'r1'. Choose one of: torch, forget"),
        (lambda: CellLayer("peephole", 0, 6), "input_size=0.*Change these"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(5, 2, 4)), "has 4 features, the layer takes 3"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(3)), r"not shape \(3,\)"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(0, 2, 3)), "no frames at all"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(5, 2, 3, dtype=torch.float64)), "is torch.float64, the layer"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(5, 2, 3), lengths=[6, 1]), "from 1 to 6, but .* 5 frames"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(5, 2, 3), lengths=[-1, 1]), "from -1 to 1"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(5, 2, 3), lengths=[4]), "one for each of 2 sequences"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(5, 2, 3), lengths=[4.0, 1.0]), "lengths are whole numbers"),
        (lambda: CellLayer("peephole", 3, 6)(torch.randn(5, 2, 3), (torch.zeros(1, 2, 5),) * 2), r"shape \(1, 2, 6\)"),
        (lambda: CellLayer.from_torch(nn.GRU(3, 6)), "not from a GRU"),
        (lambda: CellLayer.from_torch(nn.LSTM(3, 6), cell="coupled"), "gates i, f, g, o; 'coupled' has 'fgo'"),
        (lambda: CellLayer.from_torch(nn.LSTM(3, 6, proj_size=2)), "Projections"),
        (lambda: Cell("odd", "ii", lambda *_: 0), "gates='ii' .* a letter for each gate"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(call, words):
    with pytest.raises(LabError, match=words):
        call()


def test_packed_sequences_are_refused():
    packed = nn.utils.rnn.pack_sequence([torch.randn(4, 3), torch.randn(2, 3)])
    with pytest.raises(LabError, match="Packed sequences .* lengths="):
        CellLayer("lstm_cell", 3, 6)(packed)


def test_the_second_derivative_is_refused_on_the_fast_path_and_right_on_the_plain_one():
    plain, fast = pair("lstm_cell")
    x = torch.randn(3, 2, FEATURES, requires_grad=True)
    with pytest.raises(LabError, match="no second derivative. Use path='plain'"):
        torch.autograd.grad(fast(x)[0].sum(), x, create_graph=True)
    (first,) = torch.autograd.grad(plain(x)[0].sum(), x, create_graph=True)
    assert torch.autograd.grad(first.square().sum(), x)[0].any()


def test_going_back_twice_gives_the_same_twice_or_torchs_own_complaint():
    _, fast = pair("lstm_cell")
    x, _, _ = sequences()
    loss = fast(x)[0].square().sum()
    first = torch.autograd.grad(loss, list(fast.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(fast.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, list(fast.parameters()))


def test_an_output_that_is_changed_in_place_is_noticed():
    _, fast = pair("lstm_cell")
    outputs, _ = fast(sequences()[0])
    loss = outputs.square().sum()
    with torch.no_grad():
        outputs.mul_(2)
    with pytest.raises(RuntimeError, match="modified"):
        loss.backward()


# A student's own


def test_a_changed_cell_of_a_student_is_another_model():
    codes = []
    for factor in (0.9, 0.8):

        @cell("mine", gates="g")
        def mine(pre, state, params, factor=factor):
            c = factor * state.c + tanh(pre.g)
            return c, c

        codes.append(code_of("mine"))

    @cell("mine", gates="g")
    def again(pre, state, params):
        c = 0.5 * state.c + tanh(pre.g)
        return c, c

    codes.append(code_of("mine"))
    CELLS.pop("mine"), MODELS.pop("mine")
    assert codes[0] != codes[2] and None not in codes
    assert code_of("peephole") is None


def test_a_cell_without_a_derivative_says_so():
    def branching(pre, state, params):
        return (pre.g, pre.g) if pre.g.sum() > 0 else (state.c, state.c)

    layer = CellLayer(Cell("branching", "g", branching), FEATURES, HIDDEN)
    with pytest.raises(LabError, match="could not be derived.*path='plain' runs any"):
        layer(sequences()[0])
    assert CellLayer(layer.cell, FEATURES, HIDDEN, path="plain")(sequences()[0])[0].shape == (FRAMES, BATCH, HIDDEN)


def test_a_cell_that_changes_its_state_in_place_is_refused():
    def careless(pre, state, params):
        c = state.c.mul_(0.5) + tanh(pre.g)
        return c, c

    with pytest.raises(LabError, match="changes its inputs in place. Write"):
        CellLayer(Cell("careless", "g", careless), FEATURES, HIDDEN)(sequences()[0])


@pytest.mark.parametrize("answer", [torch.zeros(2), (torch.zeros(2),) * 3])
def test_a_cell_that_returns_no_pair_says_what_to_return(answer):
    with pytest.raises(LabError, match="End it with `return h, c`"):
        Cell("odd", "g", lambda *_: answer)([torch.zeros(2, 3)], State(torch.zeros(2, 3), torch.zeros(2, 3)))


def test_the_quantities_of_a_step_are_those_that_its_lines_name():
    own = CELLS["lstm_cell"]
    pre, state = [torch.full((2, 3), float(k)) for k in range(4)], (torch.zeros(2, 3), torch.ones(2, 3))
    new, seen = own.quantities(pre, state)
    assert list(seen) == ["i", "f", "o", "g", "c", "h"]
    assert torch.equal(seen["f"], sigmoid(pre[1])) and seen["h"] is new.h and seen["c"] is new.c
    assert own.equations[-1] == "h = o * tanh(c)" and len(own.equations) == 4


# The compiler


def test_steps_are_compiled_where_they_are_large_enough_and_never_when_told_not_to(monkeypatch):
    asked = []

    def kernels(cell, dtype, hidden, compiled, threads):
        asked.append(compiled)
        return cell_kernels.kernels(cell, dtype, hidden)

    monkeypatch.setattr(cell_sequence, "kernels", kernels)
    monkeypatch.setattr(cell_kernels, "_compiler", lambda: "g++")
    layer = CellLayer("coupled", 2, 64)
    monkeypatch.delenv("LABKIT_COMPILE", raising=False)
    layer(torch.randn(1, 31, 2)), layer(torch.randn(1, 32, 2))
    monkeypatch.setenv("LABKIT_COMPILE", "off")
    layer(torch.randn(1, 32, 2))
    assert asked == [False, True, False]


@pytest.mark.filterwarnings("always::labkit.errors.LabWarning")
def test_a_compiler_that_fails_is_named_once_and_does_no_harm(monkeypatch):
    def broken(graph, threads):
        raise RuntimeError("C++ compile error\nlong output")

    monkeypatch.setattr(cell_kernels, "_compile", broken)
    monkeypatch.setattr(cell_kernels, "_compiler", lambda: "g++")
    monkeypatch.setattr(cell_sequence, "ENOUGH", 0)
    cell_kernels.kernels.cache_clear(), cell_kernels.say_once.cache_clear()
    plain, fast = pair("no_input", torch.float64)
    with pytest.warns(LabWarning, match="could not be compiled .RuntimeError: C.. compile error.: the same") as told:
        for _ in range(3):
            assert (
                distance(everything(fast, *sequences(torch.float64)), everything(plain, *sequences(torch.float64)))
                < 1e-10
            )
    cell_kernels.kernels.cache_clear(), cell_kernels.say_once.cache_clear()
    assert len(told) == 1


WITHOUT = """
import os, shutil, warnings
os.environ["PATH"] = ""
os.environ.pop("CXX", None)
os.environ.pop("LABKIT_COMPILE", None)
import torch
from labkit.models.cell_layer import CellLayer
torch.manual_seed(0)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for name in ("coupled", "peephole"):
        fast, plain = CellLayer(name, 3, 64), CellLayer(name, 3, 64, path="plain")
        plain.load_state_dict(fast.state_dict())
        x = torch.randn(4, 40, 3)
        (fast(x)[0] - plain(x)[0]).square().sum().backward()
        assert (fast(x)[0] - plain(x)[0]).abs().max() < 1e-5
print([str(warning.message) for warning in told if "LSTM cells" in str(warning.message)])
"""


def test_without_a_compiler_the_equations_run_as_they_are_and_say_so_once():
    said = program(WITHOUT).strip()
    assert said.count("there is no C++ compiler") == 1 and said.count("install g++") == 1


TWO = """
import torch
from labkit.models import cell_kernels
from labkit.models.lstm_cells import CELLS
print(cell_kernels.kernels(CELLS["no_output"], torch.float32, 16, True).compiled)
"""


@pytest.mark.skipif(not (COMPILES and os.environ.get("CI")), reason="a minute of compiling: in CI only")
def test_two_processes_may_compile_the_same_cell_at_once_on_a_fresh_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "fresh"))
    processes = [program(TWO, wait=False) for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0 and out.strip() == "True", err
    assert os.listdir(tmp_path / "fresh")
