"""A cell over time: the plain loop, to be read, and the fast path, which is to give the same.

Sequences are (frames, batch, ...) here, so that the numbers of one time step lie together.
"""

import functools

import torch
from torch.nn import functional

from ..errors import LabError
from .cell_kernels import can_compile, kernels

ENOUGH = 2048  # numbers in a state (batch x hidden) from which a step is compiled: below, calls cost more than numbers


def plain(cell, x, h, c, w_ih, w_hh, bias, extras):
    """The cell called once per frame, as one would write it down.

    Parameters
    ----------
    cell : Cell
    x : torch.Tensor
        Shape (frames, batch, features).
    h, c : torch.Tensor
        State before the first frame, shape (batch, hidden).
    w_ih, w_hh, bias : torch.Tensor
        Shapes (gates * hidden, features), (gates * hidden, hidden), (gates * hidden,); bias may be None.
    extras : list of torch.Tensor
        The cell's own parameters.

    Returns
    -------
    tuple of torch.Tensor
        h and c after each frame, each of shape (frames, batch, hidden).
    """
    hs, cs = [], []
    for frame in x:  # (batch, features)
        pre = functional.linear(frame, w_ih, bias) + functional.linear(h, w_hh)  # (batch, gates * hidden)
        h, c = cell(pre.chunk(len(cell.gates), dim=1), (h, c), extras)
        hs.append(h)
        cs.append(c)
    return torch.stack(hs), torch.stack(cs)


def fast(cell, x, h, c, w_ih, w_hh, bias, extras):
    """The same as `plain`, from derived kernels: see `Sequence`. Arguments and results as there."""
    large = h.numel() >= ENOUGH
    compiled = large and x.device.type == "cpu" and can_compile()
    steps = kernels(cell, x.dtype, h.shape[1], compiled, torch.get_num_threads() if compiled else 1)
    tensors = [x, h, c, w_ih, w_hh, bias, *extras]
    learning = torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)
    with torch.autocast(x.device.type, enabled=False):
        return Sequence.apply(cell, steps, products(h, large), learning, *tensors)


PATHS = {"fast": fast, "plain": plain}


class Sequence(torch.autograd.Function):
    """A cell over all frames as one operation, with its own backward.

    Everything that is not a cell's equations is a matrix product: one for the inputs of all frames, one per frame for
    the state; backwards one per frame for the state's gradient, and one for each weight's gradient over all frames.
    Between them the kernels do a frame each.
    """

    @staticmethod
    def forward(ctx, cell, steps, products, learning, x, h, c, w_ih, w_hh, bias, *extras):
        frames, batch, features = x.shape
        hidden, gates = h.shape[1], len(cell.gates)
        hs, cs = x.new_empty(frames + 1, batch, hidden), x.new_empty(frames + 1, batch, hidden)
        hs[0], cs[0] = h, c
        given = products.linear(x.reshape(frames * batch, features), w_ih, bias)  # (frames * batch, gates * hidden)
        given = given.view(frames, batch, gates * hidden)
        # What a frame keeps goes where its input was, as far as there is room, and for the rest into `more`.
        more = x.new_empty(frames if learning else 1, max(0, steps.kept - gates), batch, hidden)
        wide = [extra if extra.ndim > 1 else extra.expand(batch, hidden) for extra in extras]
        for frame in range(frames):
            pre = products.plus(given[frame], hs[frame], w_hh)  # (batch, gates * hidden)
            pre = pre.view(batch, gates, hidden).unbind(1)
            kept = _kept(given, more, frame if learning else 0, steps.kept)
            steps.forward([*pre, hs[frame], cs[frame], *wide, hs[frame + 1], cs[frame + 1], *kept])
        ctx.cell, ctx.steps, ctx.products = cell, steps, products
        if learning:
            ctx.save_for_backward(x, hs, cs, given, more, w_ih, w_hh, *extras)
        ctx.set_materialize_grads(False)
        return hs[1:], cs[1:]

    @staticmethod
    def backward(ctx, dhs, dcs):
        if torch.is_grad_enabled():
            raise LabError(f"The fast path of {ctx.cell.name!r} has no second derivative. Use path='plain' for that.")
        x, hs, cs, given, more, w_ih, w_hh, *extras = ctx.saved_tensors
        steps, products = ctx.steps, ctx.products
        frames, batch, hidden = hs.shape[0] - 1, *hs.shape[1:]
        gates = len(ctx.cell.gates)
        wide = [extra if extra.ndim > 1 else extra.expand(batch, hidden) for extra in extras]
        sums = [torch.zeros(extra.shape, dtype=x.dtype, device=x.device) for extra in wide]
        dpre = x.new_empty(frames, batch, gates, hidden)
        dc, dc_before = torch.zeros_like(cs[0]), torch.empty_like(cs[0])
        dh_before = [torch.zeros_like(hs[0])] if steps.uses_h else []
        back = w_hh.t()  # (hidden, gates * hidden)
        for frame in reversed(range(frames)):
            dh = _gradient_of_h(products, frame, dhs, dpre, back)
            if steps.uses_h and dh_before[0] is not None:
                dh = dh + dh_before[0]
            if dcs is not None:
                dc += dcs[frame]
            kept = _kept(given, more, frame, steps.kept)
            known = {"h": hs[frame], "c": cs[frame], "dh": dh, "dc": dc}
            groups = {"kept": kept, "extra": wide}
            inputs = [known[name] if isinstance(name, str) else groups[name[0]][name[1]] for name in steps.inputs]
            steps.backward([*inputs, *dpre[frame].unbind(1), *dh_before, dc_before, *sums])
            dc, dc_before = dc_before, dc
        dpre = dpre.view(frames * batch, gates * hidden)
        wanted = dict(zip(("x", "h", "c", "w_ih", "w_hh", "bias"), ctx.needs_input_grad[4:10], strict=True))
        grads = dict.fromkeys(wanted)
        if wanted["x"]:
            grads["x"] = products.linear(dpre, w_ih.t()).view(x.shape)
        if wanted["h"]:
            grads["h"] = products.linear(dpre[:batch], back) + sum(dh_before)
        grads["c"] = dc
        if wanted["w_ih"]:
            grads["w_ih"] = products.linear(x.reshape(frames * batch, -1).t(), dpre.t()).t()
        if wanted["w_hh"]:
            grads["w_hh"] = products.linear(hs[:-1].view(frames * batch, hidden).t(), dpre.t()).t()
        if wanted["bias"]:
            grads["bias"] = dpre.sum(0)
        own = [total if extra.ndim > 1 else total.sum(0) for extra, total in zip(extras, sums, strict=True)]
        return None, None, None, None, *grads.values(), *own


def _kept(given, more, frame, number):
    """Views (batch, hidden) of where a frame keeps its values."""
    gates = given.shape[2] // more.shape[3]
    first = given[frame].view(gates, *more.shape[2:]).unbind(0)[:number]
    return [*first, *more[frame].unbind(0)] if number > gates else list(first)


def _gradient_of_h(products, frame, dhs, dpre, back):
    """Gradient of h after a frame: what comes from the outputs, and from the next frame's pre-activations."""
    if frame + 1 == len(dpre):
        return torch.zeros_like(dpre[0, :, 0]) if dhs is None else dhs[frame].contiguous()
    following = dpre[frame + 1].flatten(1)  # (batch, gates * hidden)
    return products.linear(following, back) if dhs is None else products.plus(dhs[frame], following, back)


# Matrix products. oneDNN's in float32 take half the time of MKL's on AMD processors, and as long on Intel's; nn.LSTM
# uses them, too. torch offers them under a name of its compiler's, which may go away. For small ones, making
# oneDNN's program for each new shape takes longer than all products.


class Torchs:
    """torch's usual products."""

    linear = staticmethod(functional.linear)  # (x, weight, bias=None): x W' + b

    @staticmethod
    def plus(base, x, weight):
        """base + x W', in a tensor of its own."""
        return torch.addmm(base, x, weight.t())


class OneDNN:
    """The same by oneDNN."""

    @staticmethod
    def linear(x, weight, bias=None):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")

    @staticmethod
    def plus(base, x, weight):
        return torch.ops.mkldnn._linear_pointwise.binary(x, base, weight, None, "add")


@functools.cache
def _onednn_works():
    """Whether oneDNN's product is there and computes in full float32."""
    if not torch.backends.mkldnn.is_available():
        return False
    x = torch.randn(32, 48, generator=torch.Generator().manual_seed(0))
    exact = x.double() @ x.double().t()
    try:
        found = OneDNN.linear(x, x)
        plus = OneDNN.plus(found, x, x)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return bool(max((found - exact).abs().max(), (plus - 2 * exact).abs().max() / 2) < 1e-5 * exact.abs().max())


def products(like, large=True):
    """The products for tensors like this one: an object with `linear` and `plus`."""
    fits = large and like.dtype == torch.float32 and like.device.type == "cpu" and torch.backends.mkldnn.enabled
    return OneDNN if fits and _onednn_works() else Torchs
