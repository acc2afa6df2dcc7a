"""Self-check for the exercise of 03_Resultados_2: is this a cell, and if not, which of its quantities is wrong?"""

import traceback

import torch

from ..errors import LabError
from ..models.cell_layer import DIMENSIONS, one_step
from . import Wrong, check, need, shape

BATCH, HIDDEN = SHAPE = (5, 7)  # two sizes that are not alike


@check("It can be trained: Model with its name, like any other.")
def check_cell(cell):
    """Is this a cell that can be trained? Give it what `@cell("name", gates="...")` makes of a function."""
    need(hasattr(cell, "gates"), 'this is no cell yet. Put @cell("mine", gates="fgo") on the line above your def.')
    for words, scale in (("ordinary", 1.0), ("large", 60.0)):
        given, before = _example(cell, scale), _example(cell, scale)
        now = _step(cell, given)
        for name, value in given.items():
            mistake = f"{name} is changed in place. Make a new tensor: `c = f * state.c`, not `state.c.mul_(f)`."
            need(torch.equal(value, before[name]), mistake)
        for name, value in now.items():
            mistake = f"{name} has the shape {shape(value)}; it should have {SHAPE} (batch, hidden)."
            need(shape(value) == SHAPE, mistake)
            mistake = f"{name} is not a finite number everywhere, with {words} pre-activations. A gate stays "
            mistake += "between 0 and 1 if it comes from sigmoid; log, sqrt and / need care."
            need(torch.isfinite(value).all(), mistake)
    given, others = _example(cell), _example(cell, seed=1)
    changed = {name: torch.cat([others[name][:1], value[1:]]) for name, value in given.items() if "params" not in name}
    now, again, mixed = (_step(cell, each) for each in (given, given, given | changed))
    for name, value in now.items():
        mistake = f"{name} is another number each time. Use no random numbers, and remember nothing but h and c."
        need(torch.equal(value, again[name]), mistake)
        mistake = f"{name} of one clip changes when another clip of the batch does. Each row of {SHAPE} (batch, "
        mistake += "hidden) belongs to one clip: take no mean, sum, max or softmax over dimension 0."
        need(torch.allclose(value[1:], mixed[name][1:], atol=1e-6), mistake)
    inputs = {name: value.requires_grad_() for name, value in given.items() if "state" not in name}
    now = _step(cell, given)
    total = now["h"].square().sum() + now["c"].square().sum()
    learns = total.requires_grad
    need(learns, "h and c do not depend on any pre-activation, so nothing can be learnt. Use pre.f, pre.g ...")
    gradients = torch.autograd.grad(total, list(inputs.values()), materialize_grads=True)
    idle = ", ".join(name for name, gradient in zip(inputs, gradients, strict=True) if not gradient.any())
    need(not idle, f"{idle} has no influence on h or c. Use it, or leave it out.")


def _example(cell, scale=1.0, seed=0):
    """What a cell is given, by the name it has in the cell: pre-activations, state and parameters of its own."""
    generator = torch.Generator().manual_seed(seed)
    given = {f"pre.{gate}": scale * torch.randn(SHAPE, generator=generator) for gate in cell.gates}
    given["state.h"] = torch.tanh(scale * torch.randn(SHAPE, generator=generator))
    given["state.c"] = scale * torch.randn(SHAPE, generator=generator)
    for name, kind in cell.extras.items():
        given[f"params.{name}"] = torch.randn((HIDDEN,) * DIMENSIONS[kind], generator=generator)
    return given


def _step(cell, given):
    """All that a cell names in one step: {name: value}."""
    pre = {gate: given[f"pre.{gate}"] for gate in cell.gates}
    state = {"h": given["state.h"], "c": given["state.c"]}
    params = {name: given[f"params.{name}"] for name in cell.extras}
    try:
        return one_step(cell, pre, state, params)
    except LabError as error:
        raise Wrong(str(error)) from error
    except Exception as error:
        own = [frame.line for frame in traceback.extract_tb(error.__traceback__) if frame.name == cell.__name__]
        fails = f"the line `{own[-1] if own else cell.__name__}` fails: {type(error).__name__}: {error}"
        raise Wrong(f"{fails}. Here pre-activations and state have the shape {SHAPE} (batch, hidden).") from error
