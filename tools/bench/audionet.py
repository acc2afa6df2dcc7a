"""A training step of AudioNet: the lab's way against the same network written the usual way.

Usual: nn.Conv1d, then ReLU, then max pool, in 32-bit numbers. Ours: convolutions of height 1 with channels last, the
pool before the ReLU. Both get the lab's memory settings, the same clips and weights, and compute the same logits.
"""

import numpy as np
import torch
from torch import nn

from labkit.data import find
from labkit.experiments.experiment import Experiment
from labkit.published.r3_audionet import settings
from labkit.training.batches import batches_of
from labkit.training.recipe import make_optimiser
from tools.bench import ratio, take_turns, training_step

USUAL = "nn.Conv1d"
OURS = "labkit"
BF16 = "labkit, bf16"


class Usual(nn.Module):
    """AudioNet with nn.Conv1d, as most people write it.

    Parameters
    ----------
    network : models.audionet.AudioNet
        Its weights are copied.
    """

    def __init__(self, network):
        super().__init__()
        layers = []
        for number, ours in enumerate(network.convolutions):
            convolution = nn.Conv1d(ours.in_channels, ours.out_channels, 3, padding=1)
            convolution.weight.data.copy_(ours.weight[:, :, 0])
            convolution.bias.data.copy_(ours.bias)
            norm = network.norms[number]
            layers += [convolution, *([nn.BatchNorm1d(ours.out_channels)] if isinstance(norm, nn.BatchNorm2d) else [])]
            layers += [nn.ReLU(), nn.MaxPool1d(2)]
        layers.append(nn.Flatten())
        for ours in (*network.linears, network.head):
            linear = nn.Linear(ours.in_features, ours.out_features)
            linear.load_state_dict(ours.state_dict())
            layers += [linear, *([nn.ReLU()] if network.rectify else []), nn.Dropout(network.dropout.p)]
        self.layers = nn.Sequential(*layers[: -1 - network.rectify])  # nothing follows the logits

    def forward(self, x, lengths):
        inside = torch.arange(x.shape[2], device=x.device) < lengths[:, None, None]
        return self.layers(x * inside)


def main(args):
    corpus = find("audiomnist", args.data, "lab")
    batch = min(args.clips, 100)
    print(f"{corpus.name}, {torch.get_num_threads()} threads, {args.rounds} rounds in turns, {batch} clips a step")
    for name in ("Becker", "student"):
        times = take_turns(sides(name, corpus, batch), args.rounds)
        print(f"\nAudioNet, {name}:")
        for side, seconds in times.items():
            middle, low, high = ratio(times, USUAL, side)
            faster = f"{middle:4.1f} times as fast [{low:.1f} to {high:.1f}]"
            print(f"  {side:<14} {np.median(seconds):6.2f} s a step  {faster}")
    return 0


def sides(name, corpus, batch):
    """Training steps of a variant, by the way they are computed."""
    experiment = Experiment.from_dict(settings(name))
    clips = batches_of(corpus.with_clips(corpus.part("train").head(batch)), "train", experiment.feature, "cpu")
    x, lengths, targets = clips[torch.arange(len(clips))]
    torch.manual_seed(0)
    ours = experiment.model.build(experiment.feature.shape, len(corpus.labels)).train()

    def side(network, bf16):
        optimiser = make_optimiser(network.parameters(), experiment.recipe)

        def step():
            training_step(network, optimiser, x, lengths, targets, bf16)

        return step

    return {USUAL: side(Usual(ours).train(), False), OURS: side(ours, False), BF16: side(ours, True)}
