"""Self-check of notebook 03: is this a cell, and if not, which of its quantities is wrong?"""

import traceback

import torch

from ..errors import LabError
from ..models.cell_layer import SHAPES, Cell
from .exploration import tell

BATCH, HIDDEN = 5, 7  # two sizes that are not alike


def check_cell(cell):
    """Is this a cell that can be trained?

    Parameters
    ----------
    cell : Cell
        What `@cell("name", gates="...")` makes of a function.

    Returns
    -------
    bool
    """
    return tell(_problems(cell), "It can be trained: Model with its name, like any other.")


def _problems(cell):
    if not isinstance(cell, Cell):
        return ['this is no cell yet. Put @cell("mine", gates="fgo") on the line above your def.']
    for name, size in (("ordinary", 1.0), ("large", 60.0)):
        if problem := _step_problem(cell, *_example(cell, size), name):
            return [problem]
    if problem := _mixing(cell):
        return [problem]
    return _idle(cell)


def _example(cell, size=1.0, seed=0):
    """Pre-activations, state and own parameters to try a cell on."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return size * torch.randn(shape, generator=generator)

    pre = [random(BATCH, HIDDEN) for _ in cell.gates]
    state = (torch.tanh(random(BATCH, HIDDEN)), random(BATCH, HIDDEN))
    return pre, state, [random(*SHAPES[kind](HIDDEN)) / size for kind in cell.extras.values()]


def _step_problem(cell, pre, state, extras, size):
    """What is wrong with one step: its first line that fails, has another shape, or is no number."""
    given = {**{f"pre.{gate}": value for gate, value in zip(cell.gates, pre, strict=True)}}
    given |= {"state.h": state[0], "state.c": state[1]}
    given |= {f"params.{name}": value for name, value in zip(cell.extras, extras, strict=True)}
    before = {name: value.clone() for name, value in given.items()}
    try:
        seen = cell(pre, state, extras)
    except LabError as error:
        return str(error)
    except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
        shapes = f"pre-activations and state have the shape {(BATCH, HIDDEN)} (batch, hidden)"
        return f"the line `{_line(error, cell)}` fails: {type(error).__name__}: {error}. Here {shapes}."
    for name, value in given.items():
        if not torch.equal(value, before[name]):
            return f"{name} is changed in place. Make a new tensor: `c = f * state.c`, not `state.c.mul_(f)`."
    for name, value in seen.items():
        if not isinstance(value, torch.Tensor):
            return f"{name} is a {type(value).__name__}, not a tensor of shape {(BATCH, HIDDEN)} (batch, hidden)."
        if value.shape != (BATCH, HIDDEN):
            return f"{name} has the shape {tuple(value.shape)}; it should have {(BATCH, HIDDEN)} (batch, hidden)."
    for name, value in seen.items():
        if not torch.isfinite(value).all():
            return (
                f"{name} is not a finite number everywhere, with {size} pre-activations. A gate of shape "
                f"{(BATCH, HIDDEN)} stays between 0 and 1 if it comes from sigmoid; log, sqrt and / need care."
            )
    return None


def _line(error, cell):
    """The line of the cell's function in which an error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.name == cell.step.__name__]
    return own[-1].line if own and own[-1].line else cell.step.__name__


def _mixing(cell):
    """The first quantity of a clip that changes when another clip of the batch does."""
    pre, state, extras = _example(cell)
    others = _example(cell, seed=1)
    new_pre = [torch.cat([b[:1], a[1:]]) for a, b in zip(pre, others[0], strict=True)]
    new_state = tuple(torch.cat([b[:1], a[1:]]) for a, b in zip(state, others[1], strict=True))
    first, again = cell(pre, state, extras), cell(new_pre, new_state, extras)
    for name, value in first.items():
        if not torch.allclose(value[1:], again[name][1:], atol=1e-6):
            return (
                f"{name} of one clip changes when another clip of the batch does. Each row of {(BATCH, HIDDEN)} "
                "(batch, hidden) belongs to one clip: take no mean, sum, max or softmax over dimension 0."
            )
        if not torch.equal(value, cell(pre, state, extras)[name]):
            return f"{name} is another number each time. Draw no random numbers, and remember nothing but h and c."
    return None


def _idle(cell):
    """Pre-activations and parameters that have no influence."""
    pre, state, extras = _example(cell)
    inputs = [value.requires_grad_() for value in [*pre, *extras]]
    now = cell(pre, state, extras)
    new = [now[name] for name in "hc" if now[name].requires_grad]
    if not new:
        return ["h and c do not depend on any pre-activation, so nothing can be learnt. Use pre.f, pre.g ..."]
    grads = torch.autograd.grad(sum(value.square().sum() for value in new), inputs, allow_unused=True)
    names = [f"pre.{gate}" for gate in cell.gates] + [f"params.{name}" for name in cell.extras]
    idle = [name for name, grad in zip(names, grads, strict=True) if grad is None or not grad.any()]
    return [f"{', '.join(idle)} has no influence on h or c. Use it, or leave it out."] if idle else []
