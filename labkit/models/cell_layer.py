"""A recurrent layer of any cell, used like torch.nn.LSTM, and the classifiers made of it."""

import functools
import math

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from ..errors import LabError, choose
from . import register
from .cell_sequence import PATHS
from .lstm_cells import CELLS, LISTENERS, SHAPES
from .rnn import Recurrent, reverse


def like_torch(layer, bound):
    """As nn.LSTM: every parameter uniform within one over the root of the hidden size."""
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound)


def forget_bias_one(layer, bound):
    """As the reference study: the same, then the forget gate's bias 1 (Gers et al., 2000: first keep all)."""
    like_torch(layer, bound)
    if "f" in layer.cell.gates:
        with torch.no_grad():
            for name, parameter in layer.named_parameters():
                if name.startswith("bias"):
                    parameter.view(len(layer.cell.gates), -1)[layer.cell.gates.index("f")] = 1.0


INITS = {"torch": like_torch, "forget_one": forget_bias_one}


class CellLayer(nn.Module):
    """One or more recurrent layers of a cell: arguments and results of torch.nn.LSTM.

    Refused, with the reason: `proj_size` and packed sequences (give `lengths` instead).

    Parameters
    ----------
    cell : str or Cell
        A key of `CELLS`, or a cell.
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        As for torch.nn.LSTM, but each gate has one bias, not two.
    path : {"fast", "plain"}
        How it is computed; both give the same. "plain" is a loop over time that calls the cell; "fast" derives
        forward and backward from the same equations, and compiles them where the sizes make it worth while.
    init : {"torch", "forget_one"}
        How parameters start: as in torch.nn.LSTM, or with the forget gate's bias 1.

    Examples
    --------
    >>> layer = CellLayer("coupled", 39, 64, batch_first=True)
    >>> outputs, (h, c) = layer(torch.randn(8, 51, 39), lengths=torch.randint(1, 52, (8,)))
    >>> outputs.shape, h.shape, sum(parameter.numel() for parameter in layer.parameters())
    (torch.Size([8, 51, 64]), torch.Size([1, 8, 64]), 19968)
    """

    def __init__(
        self,
        cell,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
        *,
        path="fast",
        init="torch",
    ):
        super().__init__()
        if proj_size:
            raise LabError("Projections (proj_size) are not part of these cells. Leave proj_size at 0.")
        if min(input_size, hidden_size, num_layers) < 1 or not 0 <= dropout <= 1:
            raise LabError(
                f"input_size={input_size}, hidden_size={hidden_size}, num_layers={num_layers}, dropout={dropout}: "
                "sizes are above zero, dropout is between 0 and 1. Change these."
            )
        self.cell = choose(cell, CELLS, "cell") if isinstance(cell, str) else cell
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional, self.dropout = bias, batch_first, bidirectional, float(dropout)
        self.proj_size, self.path, self.init = 0, path, init
        choose(path, PATHS, "path")
        choose(init, INITS, "initialisation")
        wide = len(self.cell.gates) * hidden_size
        for layer, suffix in self._places():
            size = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            shapes = {"weight_ih": (wide, size), "weight_hh": (wide, hidden_size)}
            shapes |= {"bias": (wide,)} if bias else {}
            shapes |= {name: SHAPES[kind](hidden_size) for name, kind in self.cell.extras.items()}
            for name, shape in shapes.items():
                parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                self.register_parameter(f"{name}_l{layer}{suffix}", parameter)
        self.reset_parameters()

    def _places(self):
        """(layer, suffix of its parameters' names), in the order of torch's."""
        suffixes = ("", "_reverse") if self.bidirectional else ("",)
        return [(layer, suffix) for layer in range(self.num_layers) for suffix in suffixes]

    def reset_parameters(self):
        """Start anew, as `init` says."""
        INITS[self.init](self, 1 / math.sqrt(self.hidden_size))

    def extra_repr(self):
        words = [f"{self.cell.name!r}", f"{self.input_size}", f"{self.hidden_size}"]
        plain = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        plain |= {"path": "fast", "init": "torch"}
        return ", ".join(words + [f"{k}={getattr(self, k)!r}" for k, v in plain.items() if getattr(self, k) != v])

    @classmethod
    def from_torch(cls, lstm, cell="lstm_cell", path="fast"):
        """A layer with the weights of a torch.nn.LSTM; its two biases are added up to one."""
        if not isinstance(lstm, nn.LSTM):
            raise LabError(f"Weights are copied from a torch.nn.LSTM, not from a {type(lstm).__name__}. Give one.")
        names = (
            "input_size",
            "hidden_size",
            "num_layers",
            "bias",
            "batch_first",
            "dropout",
            "bidirectional",
            "proj_size",
        )
        options = {name: getattr(lstm, name) for name in names}
        layer = cls(cell, **options, device=lstm.weight_ih_l0.device, dtype=lstm.weight_ih_l0.dtype, path=path)
        if layer.cell.gates != "ifgo":
            raise LabError(f"torch.nn.LSTM has the gates i, f, g, o; {layer.cell.name!r} has {layer.cell.gates!r}.")
        with torch.no_grad():
            for number, suffix in layer._places():
                end = f"_l{number}{suffix}"
                for name in ("weight_ih", "weight_hh"):
                    getattr(layer, name + end).copy_(getattr(lstm, name + end))
                if lstm.bias:
                    getattr(layer, "bias" + end).copy_(getattr(lstm, "bias_ih" + end) + getattr(lstm, "bias_hh" + end))
        return layer

    def forward(self, input, hx=None, lengths=None):  # noqa: A002 (torch's name)
        """Run over sequences.

        Parameters
        ----------
        input : torch.Tensor
            Shape (frames, batch, input_size), with `batch_first` (batch, frames, input_size); or one sequence, (frames,
            input_size).
        hx : (torch.Tensor, torch.Tensor), optional
            h and c before the first frame, each of shape (layers * directions, batch, hidden_size); zeros by default.
        lengths : torch.Tensor, optional
            Valid frames of each sequence, whole numbers, shape (batch,); 0 is allowed. All by default.

        Returns
        -------
        tuple of (torch.Tensor, (torch.Tensor, torch.Tensor))
            Outputs for each frame, shaped like the input with hidden_size * directions features, zero beyond a
            sequence's length; and h and c after its last valid frame, shaped like `hx`.
        """
        x, single = self._checked(input)  # (frames, batch, input_size)
        x, weights = self._cast(x)
        state = self._state(x, hx, single)
        lengths = self._lengths(x, lengths)
        last = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = nn.functional.dropout(x, self.dropout)
            outputs = []
            for direction, suffix in enumerate(("", "_reverse") if self.bidirectional else ("",)):
                place = layer * (1 + self.bidirectional) + direction
                hs, cs, final = self._run(x, weights, f"_l{layer}{suffix}", state[0][place], state[1][place], lengths)
                outputs.append(hs)
                last.append(final)
            x = torch.cat(outputs, dim=2) if self.bidirectional else outputs[0]
        h, c = (torch.stack(part) for part in zip(*last, strict=True))  # (layers * directions, batch, hidden)
        x = x.transpose(0, 1) if self.batch_first and not single else x
        return (x.squeeze(1), (h.squeeze(1), c.squeeze(1))) if single else (x, (h, c))

    @torch.no_grad()
    def quantities(self, x):
        """What each line of the equations gives over time, for one sequence through the first layer, forwards.

        Parameters
        ----------
        x : torch.Tensor
            Shape (frames, input_size).

        Returns
        -------
        dict of str to torch.Tensor
            By the names that the equations use, each of shape (frames, hidden_size).
        """
        x, weights = self._cast(self._checked(x)[0])
        h = c = x.new_zeros(1, self.hidden_size)
        extras = [weights[f"{name}_l0"] for name in self.cell.extras]
        seen = []
        for frame in x:  # (1, input_size)
            pre = nn.functional.linear(frame, weights["weight_ih_l0"], weights.get("bias_l0"))
            pre = pre + nn.functional.linear(h, weights["weight_hh_l0"])  # (1, gates * hidden)
            (h, c), named = self.cell.quantities(pre.chunk(len(self.cell.gates), dim=1), (h, c), extras)
            seen.append(named)
        return {name: torch.cat([named[name] for named in seen]) for name in seen[0]}

    def _run(self, x, weights, end, h, c, lengths):
        """One direction of one layer: (outputs, memories, state after the last valid frame)."""
        backwards = end.endswith("_reverse")
        if backwards:
            x = x.flip(0) if lengths is None else _turned(x, lengths)
        bias = weights.get("bias" + end)
        extras = [weights[name + end] for name in self.cell.extras]
        first = (h, c)
        hs, cs = PATHS[self.path](
            self.cell, x, h, c, weights["weight_ih" + end], weights["weight_hh" + end], bias, extras
        )
        if lengths is None:
            final = (hs[-1], cs[-1])
        else:
            at = (lengths - 1).clamp(min=0)[None, :, None].expand(1, -1, hs.shape[2])
            empty = (lengths == 0)[:, None]
            final = tuple(torch.where(empty, a, s.gather(0, at)[0]) for a, s in zip(first, (hs, cs), strict=True))
            inside = (torch.arange(len(hs), device=hs.device)[:, None] < lengths)[..., None]
            hs = torch.where(inside, hs, torch.zeros((), dtype=hs.dtype, device=hs.device))
        if backwards:
            hs = hs.flip(0) if lengths is None else _turned(hs, lengths)
        return hs, cs, final

    def _checked(self, x):
        """The input as (frames, batch, features), and whether it was a single sequence."""
        if isinstance(x, PackedSequence):
            raise LabError("Packed sequences are not taken here. Give the padded batch, and lengths=... beside it.")
        if not isinstance(x, torch.Tensor) or x.ndim not in (2, 3):
            got = f"shape {tuple(x.shape)}" if isinstance(x, torch.Tensor) else f"a {type(x).__name__}"
            raise LabError(f"The layer takes (batch, frames, features) or (frames, features), not {got}. Reshape it.")
        single = x.ndim == 2
        x = x[:, None] if single else x.transpose(0, 1) if self.batch_first else x
        if x.shape[2] != self.input_size:
            raise LabError(
                f"The input has {x.shape[2]} features, the layer takes {self.input_size}. Change input_size."
            )
        if not len(x):
            raise LabError("The input has no frames at all. Leave such a batch out.")
        return x, single

    def _cast(self, x):
        """Input and weights in the type to compute in: autocast's where it is on, else the weights'."""
        weights = dict(self.named_parameters())
        kind = weights["weight_ih_l0"].dtype
        if torch.is_autocast_enabled(x.device.type) and kind == torch.float32:
            kind = torch.get_autocast_dtype(x.device.type)
            return x.to(kind), {name: weight.to(kind) for name, weight in weights.items()}
        if x.dtype != kind:
            raise LabError(f"The input is {x.dtype}, the layer {kind}. Use x.to(layer.weight_ih_l0.dtype).")
        return x, weights

    def _state(self, x, hx, single):
        """h and c before the first frame, each a sequence over layers and directions."""
        shape = (self.num_layers * (1 + self.bidirectional), x.shape[1], self.hidden_size)
        if hx is None:
            zeros = x.new_zeros(shape)
            return zeros, zeros
        if single:
            hx = tuple(part[:, None] if part.ndim == 2 else part for part in hx)
        if len(hx) != 2 or any(part.shape != shape for part in hx):
            got = ", ".join(str(tuple(part.shape)) for part in hx)
            raise LabError(f"The initial state has the shapes {got}. Give (h, c), each of shape {shape}.")
        return tuple(part.to(x.dtype) for part in hx)

    def _lengths(self, x, lengths):
        if lengths is None:
            return None
        lengths = torch.as_tensor(lengths, device=x.device)
        if lengths.is_floating_point() or lengths.shape != x.shape[1:2]:
            raise LabError(f"lengths are whole numbers, one for each of {x.shape[1]} sequences. Give as many.")
        if len(lengths) and (int(lengths.min()) < 0 or int(lengths.max()) > len(x)):
            low, high = int(lengths.min()), int(lengths.max())
            raise LabError(f"lengths go from {low} to {high}, but the input has {len(x)} frames. Cut them, or pad it.")
        return lengths


def _turned(x, lengths):
    """Each sequence turned round, its padding left in place; (frames, batch, features)."""
    return reverse(x.transpose(0, 1), lengths).transpose(0, 1)


class CellClassifier(Recurrent):
    """A classifier on frames made of one cell, registered under the cell's name."""

    def __init__(
        self,
        shape,
        classes,
        hidden=128,
        layers=1,
        bidirectional=False,
        readout="mean",
        dropout=0.0,
        init="torch",
        path="fast",
    ):
        choose(path, PATHS, "path")
        choose(init, INITS, "initialisation")
        layer = functools.partial(CellLayer, self.cell, path=path, init=init)
        super().__init__(shape, classes, layer, hidden, layers, bidirectional, readout, dropout)


def model_of(cell):
    """Register a classifier of this cell as a model. A student's counts with the code of its equations."""
    members = {"cell": cell, "step": cell.step, "__module__": cell.step.__module__, "__doc__": cell.step.__doc__}
    return register(cell.name)(type(cell.name, (CellClassifier,), members))


LISTENERS.append(model_of)
for _cell in CELLS.values():
    model_of(_cell)
