"""LSTM cells as their equations: one definition of each, and every way of running it uses that one.

A cell is a function `step(pre, state, params)` from one time step to the next:

- `pre.i`, `pre.f` ...: what goes into each gate, W x + U h + b, shape (batch, hidden), one for each letter of `gates`;
- `state.h`, `state.c`: output and memory after the step before, shape (batch, hidden);
- `params.NAME`: parameters of the cell's own, such as the peepholes' weights;
- it returns the new (h, c).

To add one, decorate its function with `@cell("name", gates="...")`. It is then a model, too: `Model("name")`.
"""

import inspect
import sys
from collections import namedtuple
from dataclasses import dataclass, field

import torch
from torch import sigmoid, tanh

from ..errors import LabError, choose

CELLS = {}
SHAPES = {  # kinds of parameters of a cell's own: their shape for a layer of `hidden` units
    "vector": lambda hidden: (hidden,),
    "matrix": lambda hidden: (hidden, hidden),
}
State = namedtuple("State", "h c")


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell: its equations, and what they need to be given.

    Parameters
    ----------
    name : str
    gates : str
        A letter for each pre-activation, in the order in which their weights are stored.
    step : callable
        `step(pre, state, params) -> (h, c)`, see the top of this module.
    extras : dict of str to str
        Parameters of its own: "vector" (a weight per unit) or "matrix" (hidden x hidden), by name.
    """

    name: str
    gates: str
    step: object
    extras: dict = field(default_factory=dict)

    def __post_init__(self):
        if len(set(self.gates)) != len(self.gates) or not self.gates or not "".join(self.gates).isidentifier():
            raise LabError(
                f"gates={self.gates!r} of the cell {self.name!r}: write a letter for each gate, as in 'ifgo'."
            )
        for kind in self.extras.values():
            choose(kind, SHAPES, f"kind of parameter of the cell {self.name!r}")
        object.__setattr__(self, "_pre", namedtuple("Pre", tuple(self.gates)))
        object.__setattr__(self, "_params", namedtuple("Params", tuple(self.extras)))

    def __call__(self, pre, state, extras=()):
        """One time step.

        Parameters
        ----------
        pre : sequence of torch.Tensor
            For each gate, shape (batch, hidden).
        state : (torch.Tensor, torch.Tensor)
            h and c, each of shape (batch, hidden).
        extras : sequence of torch.Tensor
            In the order of `self.extras`.

        Returns
        -------
        State
            The new h and c.
        """
        new = self.step(self._pre(*pre), State(*state), self._params(*extras))
        if not isinstance(new, tuple) or len(new) != 2:
            got = f"{len(new)} values" if isinstance(new, tuple) else f"a {type(new).__name__}"
            raise LabError(f"The cell {self.name!r} returned {got}. End it with `return h, c`.")
        return State(*new)

    def quantities(self, pre, state, extras=(), kind=torch.Tensor):
        """One time step, and every value of this kind that the equations name on the way: (new state, {name: value}).

        It reads the function's own variables as it returns, so there is no second definition to disagree with.
        """
        seen, before = {}, sys.getprofile()

        def watch(frame, event, argument):
            if event == "return" and frame.f_code is self.step.__code__:
                names = frame.f_code.co_varnames[frame.f_code.co_argcount :]  # in the order of their lines
                values = frame.f_locals
                seen.update({name: values[name] for name in names if isinstance(values.get(name), kind)})

        sys.setprofile(watch)
        try:
            new = self(pre, state, extras)
        finally:
            sys.setprofile(before)
        return new, seen

    @property
    def equations(self):
        """The lines of `step`, without its head and its `return`."""
        lines = inspect.cleandoc(inspect.getsource(self.step)).splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith("def ")) + 1
        return [
            line.strip()
            for line in lines[start:]
            if line.strip() and not line.strip().startswith(("return", '"""', "#"))
        ]


def cell(name, gates, **extras):
    """Decorator: make a cell, and a model of that name, from its equations.

    Parameters
    ----------
    name : str
    gates : str
        A letter for each pre-activation: "ifgo".
    **extras : {"vector", "matrix"}
        Parameters of the cell's own, by name.

    Examples
    --------
    >>> @cell("leaky", gates="g")
    ... def leaky(pre, state, params):
    ...     c = 0.9 * state.c + 0.1 * tanh(pre.g)
    ...     return c, c
    >>> leaky.equations, CELLS.pop("leaky") is leaky
    (['c = 0.9 * state.c + 0.1 * tanh(pre.g)'], True)
    """

    def add(step):
        CELLS[name] = Cell(name, gates, step, dict(extras))
        for listener in LISTENERS:
            listener(CELLS[name])
        return CELLS[name]

    return add


LISTENERS = []  # called with each new cell: labkit/models/recurrent_cells.py makes a model of it


@cell("lstm_cell", gates="ifgo")
def lstm(pre, state, params):
    """Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000)."""
    i, f, o = sigmoid(pre.i), sigmoid(pre.f), sigmoid(pre.o)
    g = tanh(pre.g)
    c = f * state.c + i * g
    h = o * tanh(c)
    return h, c


@cell("peephole", gates="ifgo", p_i="vector", p_f="vector", p_o="vector")
def peephole(pre, state, params):
    """The gates see the memory, each unit its own (Gers and Schmidhuber, 2000)."""
    i = sigmoid(pre.i + params.p_i * state.c)
    f = sigmoid(pre.f + params.p_f * state.c)
    c = f * state.c + i * tanh(pre.g)
    o = sigmoid(pre.o + params.p_o * c)
    h = o * tanh(c)
    return h, c


@cell("peephole_full", gates="ifgo", p_i="matrix", p_f="matrix", p_o="matrix")
def peephole_full(pre, state, params):
    """As the reference study built it: each gate sees the memory of all units."""
    i = sigmoid(pre.i + state.c @ params.p_i.T)
    f = sigmoid(pre.f + state.c @ params.p_f.T)
    c = f * state.c + i * tanh(pre.g)
    o = sigmoid(pre.o + c @ params.p_o.T)
    h = o * tanh(c)
    return h, c


@cell("coupled", gates="fgo")
def coupled(pre, state, params):
    """What is forgotten makes room for what comes in: i = 1 - f (Greff et al., arXiv 1503.04069)."""
    f, o = sigmoid(pre.f), sigmoid(pre.o)
    c = f * state.c + (1 - f) * tanh(pre.g)
    h = o * tanh(c)
    return h, c


@cell("no_forget", gates="igo")
def no_forget(pre, state, params):
    """The memory only adds up, as in 1997."""
    i, o = sigmoid(pre.i), sigmoid(pre.o)
    c = state.c + i * tanh(pre.g)
    h = o * tanh(c)
    return h, c


@cell("no_input", gates="fgo")
def no_input(pre, state, params):
    """Whatever comes goes into the memory."""
    f, o = sigmoid(pre.f), sigmoid(pre.o)
    c = f * state.c + tanh(pre.g)
    h = o * tanh(c)
    return h, c


@cell("no_output", gates="ifg")
def no_output(pre, state, params):
    """The memory is always shown."""
    i, f = sigmoid(pre.i), sigmoid(pre.f)
    c = f * state.c + i * tanh(pre.g)
    h = tanh(c)
    return h, c
