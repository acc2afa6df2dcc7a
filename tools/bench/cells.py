"""LSTM cells written as equations against torch's nn.LSTM and nn.GRU: one training step, in turns in one process."""

import statistics

import torch
from torch import nn

from labkit.models.cell_layer import CellLayer
from labkit.models.lstm_cells import CELLS
from tools.bench import ratio, take_turns

SIZE = (64, 50, 39)  # batch, frames, features
HIDDEN = (64, 128, 256)
LSTM = "nn.LSTM"


def main(args):
    device = torch.device(args.device)
    print(
        f"One training step (forward, backward, Adam): batch, frames and features {SIZE}, float32, "
        f"{torch.get_num_threads()} threads, medians of {args.rounds} rounds in turns; memory is the peak of a step"
    )
    for hidden in HIDDEN:
        print(f"\nhidden {hidden:<16}{'ms':>8}{'of nn.LSTM':>12}{'lowest to highest':>20}{'memory of nn.LSTM':>20}")
        for row in measure(hidden, args.rounds, device):
            low, high = row["range"]
            print(
                f"{row['name']:<23}{1000 * row['seconds']:8.1f}{row['ratio']:12.2f}{f'{low:.2f} to {high:.2f}':>20}"
                f"{row['memory']:20.2f}"
            )
    return 0


def measure(hidden, rounds, device="cpu", cells=None, size=SIZE):
    """Time one training step of each side: a list of dicts, ratios to nn.LSTM with their lowest and highest round."""
    features = size[-1]
    layers = {LSTM: nn.LSTM(features, hidden, batch_first=True), "nn.GRU": nn.GRU(features, hidden, batch_first=True)}
    layers |= {name: CellLayer(name, features, hidden) for name in cells or CELLS}
    sides = {name: training_step(layer, device, size) for name, layer in layers.items()}
    times = take_turns(sides, rounds)
    peaks = {name: peak_memory(side, device) for name, side in sides.items()}
    rows = []
    for name in sides:
        between, low, high = ratio(times, name, LSTM)
        rows.append(
            {
                "name": name,
                "seconds": statistics.median(times[name]),
                "ratio": between,
                "range": (low, high),
                "memory": peaks[name] / peaks[LSTM],
            }
        )
    return rows


def training_step(layer, device="cpu", size=SIZE):
    """A function that does one training step of a recurrent layer on random numbers."""
    x = torch.randn(size, generator=torch.Generator().manual_seed(0)).to(device)
    layer = layer.to(device)
    optimiser = torch.optim.Adam(layer.parameters())

    def step():
        optimiser.zero_grad(set_to_none=True)
        outputs, _ = layer(x)
        outputs.square().mean().backward()
        optimiser.step()
        if x.is_cuda:
            torch.cuda.synchronize(x.device)

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
