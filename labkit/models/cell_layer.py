"""A recurrent cell, a layer that runs it frame by frame, and the classifier made of such layers."""

import math
from types import SimpleNamespace
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import linear

from ..errors import LabError, choose
from . import register
from .rnn import Recurrent

CELLS = {}
DIMENSIONS = {"vector": 1, "matrix": 2}  # of a parameter of a cell's own: each dimension has `hidden` numbers
# Parameters start as in torch.nn.LSTM, U(-1/sqrt(hidden), 1/sqrt(hidden)). With "forget_one" the forget gate's bias is
# 1: at first the cell keeps all (Gers et al., 2000).
Init = Literal["torch", "forget_one"]


def cell(name, gates, **extras):
    """Decorator: make a cell of the function with its equations, and a model of that name.

    `gates` has a letter for each pre-activation, in the order in which their weights are stored: "ifgo". Parameters of
    the cell's own are given by name: p="vector" is a weight for each unit, p="matrix" are hidden x hidden weights.
    """
    if len(set(gates)) != len(gates) or not gates.isalpha():
        raise LabError(f"gates={gates!r} of the cell {name!r}: write each letter once, as in 'ifgo'.")
    for kind in extras.values():
        choose(kind, DIMENSIONS, f"kind of parameter of the cell {name!r}")

    def add(step):
        step.gates, step.extras = gates, extras
        CELLS[name] = step
        # The model belongs to the module with the equations: the run id of a student's cell depends on its code.
        register(name, equations=step, __module__=step.__module__)(CellClassifier)
        return step

    return add


def one_step(cell, pre, state, params):
    """One time step of a cell, from dicts of tensors (batch, hidden) to a dict of all that its equations name."""
    now = cell(SimpleNamespace(**pre), SimpleNamespace(**state), SimpleNamespace(**params))
    if not isinstance(now, dict) or not {"h", "c"} <= set(now):
        got = f"a dict of {list(now)}" if isinstance(now, dict) else f"a {type(now).__name__}"
        raise LabError(f"The cell {cell.__name__!r} returned {got}. End it with `return dict(h=h, c=c)`.")
    return now


class CellLayer(nn.Module):
    """A recurrent layer of a cell (by name, or as `cell` made it), with parameters named as in torch.nn.LSTM."""

    def __init__(self, cell, input_size, hidden_size, init: Init = "torch"):
        super().__init__()
        self.cell = choose(cell, CELLS, "cell") if isinstance(cell, str) else cell
        self.hidden_size = hidden_size
        gates = self.cell.gates
        wide, bound = len(gates) * hidden_size, 1 / math.sqrt(hidden_size)
        # One bias for each gate; torch.nn.LSTM has two, which add up.
        shapes = {"weight_ih": (wide, input_size), "weight_hh": (wide, hidden_size), "bias": (wide,)}
        shapes |= {name: (hidden_size,) * DIMENSIONS[kind] for name, kind in self.cell.extras.items()}
        for name, shape in shapes.items():
            self.register_parameter(f"{name}_l0", nn.Parameter(torch.empty(shape).uniform_(-bound, bound)))
        if init == "forget_one" and "f" in gates:
            nn.init.ones_(self.bias_l0.data.view(len(gates), hidden_size)[gates.index("f")])

    @classmethod
    def from_torch(cls, lstm):
        """The cell "lstm_cell" with the weights of a torch.nn.LSTM (one layer, one direction)."""
        if lstm.num_layers > 1 or lstm.bidirectional:
            raise LabError("This LSTM has more than one layer or direction. Give one layer in one direction.")
        layer = cls("lstm_cell", lstm.input_size, lstm.hidden_size).to(lstm.weight_ih_l0)
        bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
        layer.load_state_dict({"weight_ih_l0": lstm.weight_ih_l0, "weight_hh_l0": lstm.weight_hh_l0, "bias_l0": bias})
        return layer

    def forward(self, x, state=None):
        """Outputs (batch, frames, hidden) of inputs (batch, frames, features), and the state after the last frame."""
        seen = self.run(x, state)
        return torch.stack([now["h"] for now in seen], 1), (seen[-1]["h"], seen[-1]["c"])

    def run(self, x, state=None):
        """What the equations name at each frame: a list of dicts of tensors (batch, hidden)."""
        h, c = state or x.new_zeros(2, len(x), self.hidden_size)
        gates, seen = self.cell.gates, []
        params = {name: getattr(self, f"{name}_l0") for name in self.cell.extras}
        for given in linear(x, self.weight_ih_l0, self.bias_l0).unbind(1):  # W x + b: one product for all frames
            pre = (given + linear(h, self.weight_hh_l0)).chunk(len(gates), 1)  # (batch, hidden) for each gate
            now = one_step(self.cell, dict(zip(gates, pre, strict=True)), {"h": h, "c": c}, params)
            h, c = now["h"], now["c"]
            seen.append(now)
        return seen

    @torch.no_grad()
    def quantities(self, x):
        """What the equations name over time, for one clip (frames, features): tensors (frames, hidden) by name."""
        seen = self.run(x[None])
        return {name: torch.cat([now[name] for now in seen]) for name in seen[0]}


class CellClassifier(Recurrent):
    """A classifier made of one cell; `cell` registers one under the cell's name."""

    def __init__(self, shape, classes, init: Init = "torch", **options):
        self.init = init  # `layer` needs it
        super().__init__(shape, classes, **options)

    def layer(self, features, hidden, batch_first):  # a CellLayer always is
        return CellLayer(type(self).equations, features, hidden, self.init)
