"""LSTM cells as their equations. A cell is a function `step(pre, state, params)` from one time step to the next:

- `pre.i`, `pre.f` ...: what goes into each gate, W x + U h + b, shape (batch, hidden), one for each letter of `gates`;
- `state.h`, `state.c`: output and memory after the step before, shape (batch, hidden);
- `params.NAME`: parameters of the cell's own, such as the peepholes' weights;
- it returns a dict of what it names. "h" and "c" go on to the next step; all of it can be drawn over time.

To add one, decorate its function with `@cell("name", gates="...")`. It is then a model, too: `Model("name")`.
"""

from torch import sigmoid, tanh

from .cell_layer import CELLS, cell  # noqa: F401 (CELLS: all that is defined here, by name)


@cell("lstm_cell", gates="ifgo")
def lstm(pre, state, params):
    """Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000)."""
    i, f, o = sigmoid(pre.i), sigmoid(pre.f), sigmoid(pre.o)
    g = tanh(pre.g)
    c = f * state.c + i * g
    h = o * tanh(c)
    return dict(i=i, f=f, o=o, g=g, c=c, h=h)


@cell("peephole", gates="ifgo", p_i="vector", p_f="vector", p_o="vector")
def peephole(pre, state, params):
    """The gates see the memory, each unit its own (Gers and Schmidhuber, 2000)."""
    i = sigmoid(pre.i + params.p_i * state.c)
    f = sigmoid(pre.f + params.p_f * state.c)
    c = f * state.c + i * tanh(pre.g)
    o = sigmoid(pre.o + params.p_o * c)
    h = o * tanh(c)
    return dict(i=i, f=f, c=c, o=o, h=h)


@cell("peephole_full", gates="ifgo", p_i="matrix", p_f="matrix", p_o="matrix")
def peephole_full(pre, state, params):
    """As the reference study built it: each gate sees the memory of all units."""
    i = sigmoid(pre.i + state.c @ params.p_i.T)
    f = sigmoid(pre.f + state.c @ params.p_f.T)
    c = f * state.c + i * tanh(pre.g)
    o = sigmoid(pre.o + c @ params.p_o.T)
    h = o * tanh(c)
    return dict(i=i, f=f, c=c, o=o, h=h)


@cell("coupled", gates="fgo")
def coupled(pre, state, params):
    """What is forgotten makes room for what comes in: i = 1 - f (Greff et al., arXiv 1503.04069)."""
    f, o = sigmoid(pre.f), sigmoid(pre.o)
    c = f * state.c + (1 - f) * tanh(pre.g)
    h = o * tanh(c)
    return dict(f=f, o=o, c=c, h=h)


@cell("no_forget", gates="igo")
def no_forget(pre, state, params):
    """The memory only adds up, as in 1997."""
    i, o = sigmoid(pre.i), sigmoid(pre.o)
    c = state.c + i * tanh(pre.g)
    h = o * tanh(c)
    return dict(i=i, o=o, c=c, h=h)


@cell("no_input", gates="fgo")
def no_input(pre, state, params):
    """Whatever comes goes into the memory."""
    f, o = sigmoid(pre.f), sigmoid(pre.o)
    c = f * state.c + tanh(pre.g)
    h = o * tanh(c)
    return dict(f=f, o=o, c=c, h=h)


@cell("no_output", gates="ifg")
def no_output(pre, state, params):
    """The memory is always shown."""
    i, f = sigmoid(pre.i), sigmoid(pre.f)
    c = f * state.c + i * tanh(pre.g)
    h = tanh(c)
    return dict(i=i, f=f, c=c, h=h)
