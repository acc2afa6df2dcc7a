"""One epoch of M3 and of the modern network: the lab's way against the same network written the usual way.

Usual: PyTorch's default layout, 32-bit numbers, and a DataLoader whose dataset computes the features of one clip at a
time. Both sides get the lab's memory settings, the same clips in the same order, and compute the same numbers.
"""

import os
import subprocess
import sys

import numpy as np
import torch

from labkit.data import find
from labkit.experiments.experiment import Experiment
from labkit.experiments.sweep import Grid
from labkit.files import home
from labkit.models.classifier import Classifier
from labkit.published.r2_mel_cnn import settings
from labkit.training.batches import batches_of
from labkit.training.recipe import make_optimiser
from tools.bench import ratio, take_turns, training_step

USUAL = "the usual way"
OURS = "labkit"
BF16 = "labkit, bf16"


def main(args):
    corpus = find("speech_commands", args.data, "lab")
    threads = f"{torch.get_num_threads()} threads"
    print(f"{corpus.name}, {threads}, {args.rounds} rounds in turns, {args.clips:,} clips an epoch")
    for name, experiment in experiments().items():
        sides = _sides(experiment, corpus, args.clips)
        times = take_turns(sides, args.rounds)
        print(f"\n{name}: {experiment.recipe.batch} clips a step")
        for side, seconds in times.items():
            middle, low, high = ratio(times, USUAL, side)
            faster = f"{middle:4.1f} times as fast [{low:.1f} to {high:.1f}]"
            print(f"  {side:<16} {np.median(seconds):6.2f} s an epoch  {faster}")
    if not os.environ.get("ONEDNN_MAX_CPU_ISA"):
        print("\nThe same on a CPU without bf16 units (this one, told to leave them alone):", flush=True)
        command = [sys.executable, "-m", "labkit", "bench", "cnn", "--data", args.data, "--clips", str(args.clips)]
        environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}
        subprocess.run([*command, "--rounds", str(args.rounds)], env=environment, check=True)
    return 0


def experiments():
    """What is measured, by name: M3 as it was run, and the modern network with its augmentation."""
    modern = Grid.read(home() / "results" / "modern.json").trials()[0]
    return {
        "M3-8k": Experiment.from_dict(settings("M3-8k")),
        "the modern network": modern.change(corpus={"labels": None}),  # whatever words the corpus has
    }


class OneByOne(torch.utils.data.Dataset):
    """Features of one clip at a time, as most published notebooks compute them."""

    def __init__(self, data, start):
        self.data = data
        self.start = start

    def __len__(self):
        return len(self.data)

    def __getitem__(self, number):
        data = self.data
        draws = None if data.augmenter is None else data.augmenter.draw(np.array([number]), *self.start)
        varied = draws if draws is not None and data.augmenter.settings.waveforms else None
        x, lengths = data.compute(data.rows[[number]], varied)
        if draws is not None and data.augmenter.settings.masks:
            x = data.augmenter.masks(x, lengths, draws)
        return x[0], lengths[0], data.targets[number]


def networks(experiment, corpus, statistics=None, layout=None):
    """The network of an experiment; with a `layout`, in that one instead of its own."""
    torch.manual_seed(experiment.seed)
    network = experiment.model.build(experiment.feature.shape, len(corpus.labels))
    if layout is not None:
        network.layout = layout
        network.to(memory_format=layout)
    return Classifier(network, statistics).train()


def _sides(experiment, corpus, clips):
    recipe, feature = experiment.recipe, experiment.feature
    corpus = corpus.with_clips(corpus.part("train").head(clips))
    train = batches_of(corpus, "train", feature, "cpu", augmentation=recipe.augmentation)
    statistics = train.statistics() if feature.normalise else None
    train.begin(0, 1)

    def usual_batches():
        order = torch.utils.data.SubsetRandomSampler(range(len(train)), torch.Generator().manual_seed(0))
        return torch.utils.data.DataLoader(OneByOne(train, (0, 1)), recipe.batch, sampler=order)

    def our_batches():
        return (train[index] for index in train.batches(recipe.batch, 0))

    def side(batches, layout, bf16):
        network = networks(experiment, corpus, statistics, layout)
        optimiser = make_optimiser(network.parameters(), recipe)

        def epoch():
            for x, lengths, targets in batches():
                training_step(network, optimiser, x, lengths, targets, bf16)

        return epoch

    return {
        USUAL: side(usual_batches, torch.contiguous_format, False),
        OURS: side(our_batches, None, False),
        BF16: side(our_batches, None, True),
    }
