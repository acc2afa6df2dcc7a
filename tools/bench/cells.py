"""LSTM cells written as equations, plain and fast, against torch's nn.LSTM and nn.GRU: one training step.

All sides take turns in one process, with the lab's memory settings. torch's LSTM "as installed" runs in a process of
its own without them, and takes its turn there. The floor is the time of the matrix products alone.
"""

import statistics
import subprocess
import sys
import time

import torch
from torch import nn

from labkit.errors import LabError
from labkit.models.cell_layer import CellLayer
from labkit.models.cell_sequence import products
from labkit.models.lstm_cells import CELLS
from tools.bench import ratio, take_turns

BATCH, FRAMES, FEATURES = 256, 50, 39
HIDDEN = (64, 128, 256)
INSTALLED, LSTM = "nn.LSTM as installed", "nn.LSTM"


def main(args):
    device = torch.device(args.device)
    print(
        f"One training step (forward, backward, Adam): batch {BATCH}, {FRAMES} frames, {FEATURES} features, float32, "
        f"{torch.get_num_threads()} threads, medians of {args.rounds} rounds in turns"
    )
    for hidden in HIDDEN:
        rows = measure(hidden, args.rounds, device)
        print(f"\nhidden {hidden}\n{HEAD}")
        print("\n".join(map(in_a_line, rows)))
    print(f"\n{LEGEND}")
    return 0


HEAD = f"{'':<24}{'ms':>8}{'of nn.LSTM':>12}{'':>16}{'as installed':>14}{'memory':>8}{'first step':>12}{'floor':>8}"
LEGEND = """of nn.LSTM: ratio to torch's LSTM in the same process [lowest to highest round]
as installed: ratio to torch's LSTM without the lab's memory settings
memory: peak of what a step allocates, as a ratio to nn.LSTM's
first step: seconds, compilation included; floor: milliseconds of the matrix products alone"""


def in_a_line(row):
    """A row of `measure` as text."""
    low, high = row["range"]
    return (
        f"{row['name']:<24}{1000 * row['seconds']:8.1f}{row['ratio']:12.2f}{f' [{low:.2f} to {high:.2f}]':>16}"
        f"{row['installed']:14.2f}{row['memory']:8.2f}{row['first']:12.2f}{1000 * row['floor']:8.1f}"
    )


def measure(hidden, rounds, device="cpu", cells=None, paths=("fast", "plain"), size=(BATCH, FRAMES, FEATURES)):
    """Time one training step of each side.

    Parameters
    ----------
    hidden, rounds : int
    device : str or torch.device
    cells : iterable of str, optional
        By default all of `CELLS`.
    paths : iterable of str
    size : (int, int, int)
        Batch, frames, features.

    Returns
    -------
    list of dict
        `name`, `seconds` (median), `ratio` (to nn.LSTM in turns, median of rounds) and its `range`, `installed` (the
        same to nn.LSTM as installed; NaN on a GPU, where there is no such thing), `memory` (ratio of peaks), `first`
        (seconds of the first step), `floor` (seconds of the matrix products alone).
    """
    device = torch.device(device)
    layers = {LSTM: nn.LSTM, "nn.GRU": nn.GRU}
    gates = {LSTM: 4, "nn.GRU": 3}
    for name in cells or CELLS:
        for path in paths:
            layers[f"{name}, {path}"] = _builder(name, path)
            gates[f"{name}, {path}"] = len(CELLS[name].gates)
    sides, first, peaks = {}, {}, {}
    for name, layer in layers.items():
        sides[name] = training_step(layer, hidden, device, size)
        started = time.perf_counter()
        sides[name]()
        first[name] = time.perf_counter() - started
        peaks[name] = peak_memory(sides[name], device)
    for number in set(gates.values()):
        sides[f"floor {number}"] = _floor(number, hidden, device, size)
    child = Installed(hidden, size) if device.type == "cpu" else None
    try:
        if child:
            sides[INSTALLED] = child.step
        times = take_turns(sides, rounds)
    finally:
        if child:
            child.close()
    middle = {name: statistics.median(seconds) for name, seconds in times.items()}
    rows = []
    for name in [*([INSTALLED] if child else []), *layers]:
        between, low, high = ratio(times, name, LSTM)
        rows.append(
            {
                "name": name,
                "seconds": middle[name],
                "ratio": between,
                "range": (low, high),
                "installed": ratio(times, name, INSTALLED)[0] if child else float("nan"),
                "memory": peaks.get(name, peaks[LSTM]) / peaks[LSTM],
                "first": first.get(name, float("nan")),
                "floor": middle[f"floor {gates.get(name, 4)}"],
            }
        )
    return rows


def _builder(name, path):
    return lambda features, hidden, **options: CellLayer(name, features, hidden, path=path, **options)


def training_step(layer, hidden, device="cpu", size=(BATCH, FRAMES, FEATURES)):
    """A function that does one training step of `layer(features, hidden, batch_first=True)` on random numbers."""
    batch, frames, features = size
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, frames, features, generator=generator).to(device)
    torch.manual_seed(0)
    layer = layer(features, hidden, batch_first=True).to(device)
    optimiser = torch.optim.Adam(layer.parameters())

    def step():
        optimiser.zero_grad(set_to_none=True)
        outputs, _ = layer(x)
        outputs.square().mean().backward()
        optimiser.step()
        if x.is_cuda:
            torch.cuda.synchronize(x.device)

    return step


def _floor(gates, hidden, device, size):
    """The matrix products of a step, and nothing else: inputs, state and its gradient frame by frame, two weights."""
    batch, frames, features = size
    x = torch.randn(frames * batch, features, device=device)
    h, pre = torch.randn(batch, hidden, device=device), torch.randn(batch, gates * hidden, device=device)
    all_h = torch.randn(frames * batch, hidden, device=device)
    all_pre = torch.randn(frames * batch, gates * hidden, device=device)
    w_ih, w_hh = (
        torch.randn(gates * hidden, features, device=device),
        torch.randn(gates * hidden, hidden, device=device),
    )

    by = products(x)

    def step():
        by.linear(x, w_ih)
        for _ in range(frames):
            by.plus(pre, h, w_hh)
        for _ in range(frames):
            by.plus(h, pre, w_hh.t())
        by.linear(all_h.t(), all_pre.t())
        by.linear(x.t(), all_pre.t())
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def peak_memory(step, device="cpu"):
    """Largest sum of what a step has allocated at one time, in bytes, as torch's profiler sees its allocator."""
    from torch.profiler import ProfilerActivity, profile

    if torch.device(device).type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


class Installed:
    """torch's LSTM in a process without the lab's memory settings; `step()` does one training step there."""

    def __init__(self, hidden, size=(BATCH, FRAMES, FEATURES)):
        code = "from tools.bench.cells import serve; serve(*map(int, __import__('sys').argv[1:]))"
        words = [sys.executable, "-c", code, hidden, torch.get_num_threads(), *size]
        self.process = subprocess.Popen(
            list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.step()

    def step(self):
        try:
            self.process.stdin.write("step\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = ""
        if answer.strip() != "done":
            raise LabError("The process that measures nn.LSTM as installed ended. Run the benchmark again.")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


def serve(hidden, threads, batch, frames, features):
    """What the process of `Installed` does: a training step for each line that comes in."""
    torch.set_num_threads(threads)
    step = training_step(nn.LSTM, hidden, size=(batch, frames, features))
    for _ in sys.stdin:
        step()
        print("done", flush=True)
