"""The fast path of a cell: one time step forward and backward, derived from its equations and compiled.

A cell's `step` is traced once, sizes left open, together with its derivative (torch.func.vjp). The trace is cut in two:
a forward kernel, which keeps the values that are costly to compute again (sigmoids, exponentials, products), and a
backward kernel, which starts from them. torch's inductor compiles both to C++; where there is no compiler the same two
run as torch operations. `labkit.models.cell_sequence` runs them over time.
"""

import functools
import logging
import os
import shutil
import sys
import warnings
from dataclasses import dataclass

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ..errors import LabError, LabWarning

aten = torch.ops.aten
CHEAP = {aten.add, aten.sub, aten.rsub, aten.mul, aten.neg, aten.where, aten.relu, aten.abs, aten.gt, aten.lt}
CHEAP |= {aten.ge, aten.le, aten.clamp, aten.clamp_min, aten.clamp_max, aten.maximum, aten.minimum, aten.sign}
CHEAP |= {aten.alias, aten.expand, aten.permute, aten.t, aten.detach, aten.zeros_like, aten.full_like}


def _tanh(x):
    return 2 * torch.sigmoid(2 * x) - 1  # on a CPU twice to nine times as fast as torch's own


DECOMPOSED = {
    aten.tanh.default: _tanh,
    aten.tanh_backward.default: lambda grad, y: grad * (1 - y * y),
    aten.sigmoid_backward.default: lambda grad, y: grad * (1 - y) * y,
}


@dataclass(frozen=True)
class Kernels:
    """One time step of a cell, forward and backward; each takes one list of tensors and writes into the last of them.

    Parameters
    ----------
    forward : callable
        [pre-activation of each gate, h, c, parameters of the cell's own; new h, new c, what is kept].
    backward : callable
        [`inputs`; gradient of each pre-activation, of h (if `uses_h`), of c, and of the parameters, which is added to
        what is there]. Gradients of vectors are not yet summed over the batch.
    kept : int
        How many tensors (batch, hidden) forward keeps for backward.
    inputs : tuple
        What backward wants to know: ("kept", number), "h", "c" (before the step), ("extra", number), and the gradients
        of the new state, "dh" and "dc".
    uses_h : bool
        Whether the equations use `state.h` themselves.
    compiled : bool
    """

    forward: object
    backward: object
    kept: int
    inputs: tuple
    uses_h: bool
    compiled: bool


@functools.lru_cache(maxsize=256)
def kernels(cell, dtype, hidden, compiled=False, threads=1):
    """The kernels of a cell for one dtype: derived, and compiled if that is asked for and works here.

    Compiled ones take tensors on the CPU; `threads` is how many they use.
    """
    forward, backward, kept, inputs, uses_h = derive(cell, dtype, hidden)
    if compiled:
        try:
            pair = [_compile(graph, threads) for graph in (forward, backward)]
            return Kernels(*pair, kept, inputs, uses_h, True)
        except Exception as error:  # a compiler can fail in any way; the equations still hold
            reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
            say_once(f"the cell {cell.name!r} could not be compiled ({type(error).__name__}: {reason:.100})")
    return Kernels(*(functools.partial(_run, graph) for graph in (forward, backward)), kept, inputs, uses_h, False)


def can_compile():
    """Whether steps are compiled here: there is a C++ compiler, and LABKIT_COMPILE is not "off"."""
    if os.environ.get("LABKIT_COMPILE") == "off":
        return False
    if _compiler() is None:
        say_once("there is no C++ compiler")
        return False
    return True


def _compiler():
    wanted = os.environ.get("CXX") or ("cl" if sys.platform == "win32" else None)
    names = [wanted] if wanted else ["g++", "clang++"]
    return next((name for name in names if shutil.which(name)), None)


@functools.cache
def say_once(reason):
    """Say, once in a process, why steps are not compiled."""
    text = f"LSTM cells run their equations as they are, since {reason}: the same results, up to twice as slow."
    warnings.warn(f"{text} To have them compiled, install g++ (Linux) or clang (macOS).", LabWarning, stacklevel=3)


def _run(graph, values):
    graph(*values)


def _compile(graph, threads):
    """A graph as C++; takes and writes the same list of tensors."""
    config, compile_fx_inner, select_decomp_table = _inductor()
    settings = {
        "compile_threads": 1,  # no pool of helper processes for two small functions
        "cpp.vec_isa_ok": True,  # else each process tries the processor's instructions anew, for ten seconds
        "cpp.threads": threads,
        "cpp.max_horizontal_fusion_size": 64,  # all of a step in one loop
    }
    examples = [node.meta["val"] for node in graph.graph.nodes if node.op == "placeholder"]
    with config.patch(settings):
        with examples[0].fake_mode:
            graph = make_fx(graph, select_decomp_table())(*examples)
        return compile_fx_inner(graph, examples)


@functools.cache
def _inductor():
    """torch's compiler, imported when it is first needed (it takes seconds), without its remarks on other devices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        from torch._inductor import config
        from torch._inductor.compile_fx import compile_fx_inner
        from torch._inductor.decomposition import select_decomp_table
    return config, compile_fx_inner, select_decomp_table


def derive(cell, dtype, hidden):
    """Trace a step with its derivative, and cut the trace in two; what `Kernels` holds, uncompiled."""
    joint = _trace(cell, dtype, hidden)
    nodes = list(joint.graph.nodes)
    places = [node for node in nodes if node.op == "placeholder"]
    gates, extras = len(cell.gates), len(cell.extras)
    names = [*(("pre", k) for k in range(gates)), "h", "c", *(("extra", k) for k in range(extras)), "dh", "dc"]
    name_of = dict(zip(places, names, strict=True))
    results = list(next(node for node in nodes if node.op == "output").args[0])
    late = {places[-2], places[-1]}  # what depends on the gradients
    for node in nodes:
        if any(parent in late for parent in node.all_input_nodes):
            late.add(node)
    shape = places[0].meta["val"].shape  # (batch, hidden)
    uses_h = any(node.target is not aten.zeros_like.default for node in places[gates].users)

    def is_input(node):
        if node.op == "placeholder":
            return True
        value = node.meta.get("val")
        costly = node.op == "call_function" and getattr(node.target, "overloadpacket", None) not in CHEAP
        return node not in late and costly and isinstance(value, torch.Tensor) and value.shape == shape

    gradients = [*results[2 : 2 + gates], *([results[2 + gates]] if uses_h else []), *results[3 + gates :]]
    needed = _needed(gradients, is_input)
    kept = [node for node in needed if node.op != "placeholder" or name_of[node][0] == "pre"]
    inputs = tuple(("kept", kept.index(node)) if node in kept else name_of[node] for node in needed)
    like = [place.meta["val"] for place in places]
    state = like[gates]  # an example of a tensor (batch, hidden)
    primals = places[: gates + 2 + extras]
    forward = _graph(joint, primals, like, [*results[:2], *kept], [state] * (2 + len(kept)))
    sums = [
        state if kind == "vector" else value
        for kind, value in zip(cell.extras.values(), like[gates + 2 : -2], strict=True)
    ]
    given = [state if node in kept else node.meta["val"] for node in needed]
    backward = _graph(joint, needed, given, gradients, [*like[:gates], *[state] * (uses_h + 1), *sums], added=extras)
    return forward, backward, len(kept), inputs, uses_h


def _needed(results, is_input):
    """The inputs that results are computed from, in order of first use."""
    found, seen = {}, set()

    def look(node):
        if node in seen:
            return
        seen.add(node)
        if is_input(node):
            found[node] = None
        else:
            for parent in node.all_input_nodes:
                look(parent)

    for result in results:
        look(result)
    return list(found)


def _graph(joint, inputs, given, results, like, added=0):
    """A graph from `inputs` that writes `results` into tensors given after them; the last `added` are added instead.

    `given` and `like` are examples of the tensors that are read and written.
    """
    graph, new = torch.fx.Graph(), {}
    for number, node in enumerate(inputs):
        new[node] = graph.placeholder(f"in_{number}")
        new[node].meta["val"] = _another(given[number])
    outputs = []
    for number, example in enumerate(like):
        outputs.append(graph.placeholder(f"out_{number}"))
        outputs[-1].meta["val"] = _another(example)

    def copied(node):
        if node not in new:
            new[node] = graph.node_copy(node, copied)
        return new[node]

    for number, (result, output) in enumerate(zip(results, outputs, strict=True)):
        value = copied(result)
        if number >= len(results) - added:
            value = graph.call_function(aten.add.Tensor, (output, value))
            value.meta["val"] = result.meta["val"]
        graph.call_function(aten.copy_.default, (output, value)).meta["val"] = output.meta["val"]
    graph.output([])
    return torch.fx.GraphModule(joint, graph)


def _another(example):
    """A tensor like the example, and not the same: a trace knows tensors by their identity."""
    return example.new_empty_strided(example.shape, example.stride())


def _trace(cell, dtype, hidden):
    """A step and its derivative as one graph with open sizes."""
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

    gates, extras = len(cell.gates), len(cell.extras)
    batch, apart = gates * hidden + 3, gates * hidden + 8  # examples: equal numbers would be taken for the same size
    mode = FakeTensorMode(shape_env=ShapeEnv())
    # The batch is open. So is the step from row to row, although rows follow each other: then nothing in the kernel can
    # be taken for one long row, unlike the columns of the gates, and inductor makes one loop of it all.
    open_rows = [DimDynamic.DUCK, DimDynamic.STATIC]
    rows_apart = StatelessSymbolicContext(open_rows, [DimDynamic.DUCK, DimDynamic.INFER_STRIDE])
    columns = StatelessSymbolicContext(open_rows)

    def fake(rows=batch, stride=apart):
        real = torch.empty_strided((rows, hidden), (stride, 1), dtype=dtype)
        if rows != batch:
            return mode.from_tensor(real, static_shapes=True)
        return mode.from_tensor(real, symbolic_context=rows_apart if stride == apart else columns)

    given = [fake(stride=gates * hidden) for _ in range(gates)]  # columns of one product
    given += [fake(), fake()]
    # A vector comes as (batch, hidden) with stride 0: so its gradient stays pointwise, and is summed once, at the end.
    given += [fake(hidden, hidden) if kind == "matrix" else fake(stride=0) for kind in cell.extras.values()]
    given += [fake(), fake()]  # gradients of the new h and c

    def joint(*values):
        def step(*values):
            return tuple(cell(values[:gates], values[gates : gates + 2], values[gates + 2 :]))

        new, pull = torch.func.vjp(step, *values[: gates + 2 + extras])
        return [*new, *pull(values[-2:])]

    try:
        with mode, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = make_fx(torch.func.functionalize(joint), decomposition_table=DECOMPOSED)(*given)
    except LabError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        if "in-place" in reason:
            raise _in_place(cell) from error
        raise LabError(
            f"The equations of the cell {cell.name!r} could not be derived ({type(error).__name__}: {reason:.200}). "
            "check_cell(...) says what is wrong with a cell; path='plain' runs any."
        ) from error
    places = [node for node in graph.graph.nodes if node.op == "placeholder"]
    if any(node.target is aten.copy_.default and node.args[0] in places for node in graph.graph.nodes):
        raise _in_place(cell)
    graph.graph.eliminate_dead_code()
    return graph


def _in_place(cell):
    return LabError(
        f"The cell {cell.name!r} changes its inputs in place. Write `c = f * state.c`, not `state.c.mul_(f)`."
    )
