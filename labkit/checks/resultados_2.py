"""Self-checks for the blank and the exercises of 03_Resultados_2."""

import math
import traceback

import torch

from ..errors import LabError
from ..models.cell_layer import DIMENSIONS, one_step
from . import Wrong, attempt, check, compare, need, shape

BATCH, HIDDEN = SHAPE = (5, 7)  # two sizes that are not alike


@check("So a gate says how long a unit remembers, in milliseconds.", blank="03_Resultados_2.half_life")
def check_half_life(half_life):
    """Does `half_life(f, hop_ms)` say after how many ms half of each unit's memory is left? `f` is (frames, units)."""
    f = torch.tensor([[0.5, 0.9, 0.99], [0.8, 0.1, 0.98], [0.7, 0.95, 0.9], [0.6, 0.99, 0.97]])
    with attempt("half_life(f, 5)"):
        found = half_life(f.clone(), 5)
    need(shape(found) == (3,), f"4 frames and 3 units should give (3,), a time for each unit, not {shape(found)}.")
    mean, log, half = f[:, 1].mean(), f[:, 1].log(), 5 * math.log(0.5)  # of the second unit
    right = half / log.mean()
    mistakes = {
        half / mean.log(): "you average f. Its values multiply, so one closed frame wipes all out: average ln f.",
        5 / (1 - mean): "1 - f is no logarithm. How much is left multiplies from frame to frame: average ln f.",
        -5 / log.mean(): "this is the time until 1/e is left. For the half, multiply by ln 2.",
        half / f[:, 1].log2().mean(): "the two logarithms have different bases. Take log for f and for 2, or log2.",
        half / log.sum(): "you add up the logarithms of all frames. Average them.",
        half / log[-1]: "this is of one frame only. Average ln f over all frames.",
        (half / log).mean(): "you average the half-lives of the frames, and an open frame outweighs all others.",
        -right: "its sign is wrong: ln f is negative, so is ln 0.5.",
        right / 5: "this is a number of frames. Multiply by hop_ms.",
        right / 1000: "this is in seconds. hop_ms is in milliseconds; leave it so.",
        right * 4: "this takes a hop of 20 ms for granted. Use hop_ms.",
    }
    compare("half_life(f, 5)[1]", lambda: found[1], [], right, mistakes, f"it should be {right:.3f} ms.", 1e-3)


@check("One line, once: it would have told the study what its test loader held.", blank="03_Resultados_2.shared")
def check_shared(shared):
    """Does `shared(train, test)` give the fraction of the clips of `test` that are in `train`, too?"""
    clips = torch.randn(18, 6, 2, generator=torch.Generator().manual_seed(0))  # (clips, frames, features)
    clips[17], clips[12, :3] = clips[0].flip(0), clips[3, :3]  # the same numbers in another order; the same beginning
    known, asked = torch.arange(12), torch.tensor([5, 12, 1, 13, 17, 14, 1, 15, 9, 16])
    loaders = [[(clips[part], part % 3) for part in numbers.split(3)] for numbers in (known, asked)]
    mistakes = {
        4: "that is their number. Divide it by the number of test clips.",
        40: "give a fraction between 0 and 1.",
        3 / 12: "that is a fraction of the *training* clips.",
        3 / 9: "a clip drawn twice counts twice. Drop no duplicates, and average over clips, not over batches.",
        0.5: "one clip has the sum, the first frames or (in another order) all values of another. Compare them all.",
        2 / 3: "you look at the first batch only.",
        1.0: "you compare targets or single values, or divide by the batches. Compare x, clip by clip.",
        0.6: "that is the fraction that is *not* in train.",
        0.0: "none is found. They stand in other places and batches. Two tensors are two objects: use torch.equal.",
    }
    said = "for ten test clips, four of which are training clips (one stands there twice), shared"
    compare(said, shared, loaders, 0.4, mistakes, "it should be 0.4.")


@check("It can be trained: Model with its name, like any other.", blank="03_Resultados_2.my_cell")
def check_cell(cell):
    """Is this a cell that can be trained? Give it what `@cell("name", gates="...")` makes of a function."""
    need(hasattr(cell, "gates"), 'this is no cell yet. Put @cell("mine", gates="fgo") on the line above your def.')
    for words, scale in (("ordinary", 1.0), ("large", 60.0)):
        given, before = _example(cell, scale), _example(cell, scale)
        now = _step(cell, given)
        for name, value in given.items():
            same = torch.equal(value, before[name])
            need(same, f"{name} is changed in place. Make a new tensor: `c = f * state.c`, not `state.c.mul_(f)`.")
        for name, value in now.items():
            fits, finite = shape(value) == SHAPE, torch.isfinite(value).all()
            need(fits, f"{name} has the shape {shape(value)}; it should have {SHAPE} (batch, hidden).")
            mend = "Gates come from sigmoid; log, sqrt and / need care."
            need(finite, f"{name} is not a finite number everywhere, with {words} pre-activations. {mend}")
    given, others = _example(cell), _example(cell, seed=1)
    changed = {name: torch.cat([others[name][:1], value[1:]]) for name, value in given.items() if "params" not in name}
    now, again, mixed = (_step(cell, each) for each in (given, given, given | changed))
    for name, value in now.items():
        same, alone = torch.equal(value, again[name]), torch.allclose(value[1:], mixed[name][1:], atol=1e-6)
        need(same, f"{name} is another number each time. Use no random numbers, and remember nothing but h and c.")
        mend = f"Each row of {SHAPE} (batch, hidden) is a clip: no mean, sum, max or softmax over dimension 0."
        need(alone, f"{name} of one clip changes when another clip of the batch does. {mend}")
    inputs = {name: value.requires_grad_() for name, value in given.items() if "state" not in name}
    now = _step(cell, given)
    total = now["h"].square().sum() + now["c"].square().sum()
    need(total.requires_grad, "h and c depend on no pre-activation, so nothing can be learnt. Use pre.f, pre.g ...")
    gradients = torch.autograd.grad(total, list(inputs.values()), materialize_grads=True)
    idle = ", ".join(name for name, gradient in zip(inputs, gradients, strict=True) if not gradient.any())
    need(not idle, f"{idle} has no influence on h or c. Use it, or leave it out.")


def _example(cell, scale=1.0, seed=0):
    """What a cell is given, by the name it has in the cell: pre-activations, state and parameters of its own."""
    generator = torch.Generator().manual_seed(seed)
    given = {f"pre.{gate}": scale * torch.randn(SHAPE, generator=generator) for gate in cell.gates}
    h, c = scale * torch.randn(2, *SHAPE, generator=generator)
    own = {name: (HIDDEN,) * DIMENSIONS[kind] for name, kind in cell.extras.items()}
    own = {f"params.{name}": torch.randn(size, generator=generator) for name, size in own.items()}
    return given | {"state.h": torch.tanh(h), "state.c": c} | own


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
