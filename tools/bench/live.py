"""How much work a stream is: seconds for each second of sound, and the slowest blocks.

A pretrained network listens to blocks of 80 ms, as a microphone delivers them, and keeps its state. Beside it the same
network forgets all and is run again on the last second whenever a block has come, which is how recognition "in real
time" is often made from a network for clips. What a block takes is measured from its samples to the reports.
"""

import time

import numpy as np
import torch

from labkit.errors import LabError
from labkit.experiments.pretrained import load
from labkit.streaming import Detector, Sliding, streams
from tools.bench import ratio

NETWORK = "eight-words-live"
BLOCK = 0.08  # seconds of sound, as a microphone delivers them
REAL_TIME, LATEST = 0.05, 0.020  # promises: seconds for a second of sound; seconds for 99 of 100 blocks


class Forgetful(Detector):
    """A detector that runs its network on the whole last second after each block."""

    def _restart(self, at):
        super()._restart(at)
        self.listener = Sliding(self.run, period=BLOCK)


def main(args):
    if args.clips < 100:
        raise LabError(f"--clips {args.clips}: the slowest of a hundred blocks needs at least a hundred.")
    network = load(NETWORK, args.device)
    assert streams(network)
    sample_rate = network.experiment.feature.sample_rate
    size = round(BLOCK * sample_rate)
    generator = np.random.default_rng(0)
    blocks = (0.05 * generator.standard_normal((args.clips, size))).astype(np.float32)
    sides = {"stream": Detector(network), "again": Forgetful(network)}
    times = take_blocks(sides, blocks, args.rounds)
    print(
        f"{NETWORK}, {args.clips:,} blocks of {1000 * BLOCK:g} ms, {args.device}, {torch.get_num_threads()} threads, "
        f"{args.rounds} rounds"
    )
    print("\n".join(report(times, args.clips)))
    return 0


def take_blocks(sides, blocks, rounds):
    """Seconds for each block, in turns: from the side's name to an array of shape (rounds, blocks)."""
    times = {name: np.zeros((rounds, len(blocks))) for name in sides}
    for detector in sides.values():
        for block in blocks[:50]:
            detector.push(block)
    for number in range(rounds):
        for name, detector in sides.items():
            detector.reset()
            for place, block in enumerate(blocks):
                started = time.perf_counter()
                detector.push(block)
                times[name][number, place] = time.perf_counter() - started
    return times


def report(times, blocks):
    """Lines that say what was measured, and whether the promises were kept."""
    whole = {name: (each.sum(1) / (blocks * BLOCK)).tolist() for name, each in times.items()}  # a factor per round
    lines = []
    for name, what in (("stream", "its state kept"), ("again", "run again on the last second")):
        late = np.quantile(times[name], 0.99, axis=1)
        lines.append(
            f"  {what:<29} real-time factor {np.median(whole[name]):.4f} [{min(whole[name]):.4f} to "
            f"{max(whole[name]):.4f}], 99 of 100 blocks within {1000 * np.median(late):.2f} ms "
            f"[{1000 * late.min():.2f} to {1000 * late.max():.2f}]"
        )
    middle, low, high = ratio(whole, "again", "stream")
    lines.append(f"  keeping the state is {middle:.1f} times less work [{low:.1f} to {high:.1f}]")
    kept = np.median(whole["stream"]) <= REAL_TIME and np.median(np.quantile(times["stream"], 0.99, axis=1)) <= LATEST
    lines.append(
        f"  promised: at most {REAL_TIME:g} and {1000 * LATEST:g} ms: {'kept' if kept else 'NOT KEPT on this machine'}"
    )
    return lines
