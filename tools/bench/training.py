"""How long an epoch takes, how much of it is spent outside the model, and what a usual DataLoader would make of it.

Measured on R1's GRU at 40 ms (on a GPU on all six of its networks). An epoch is training, validation and the
checkpoint. To know what of it lies outside the model, a network that does next to nothing is fed the same way; what
its own few operations take (measured on batches that lie ready) is subtracted. The other side of the comparison reads a
file and computes its features with torchaudio for each item of a `torch.utils.data.DataLoader`.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from labkit.data import find
from labkit.data.audio import read_audio
from labkit.data.store import open_store
from labkit.features import MFCC
from labkit.models import Model
from labkit.training.batches import Batches
from labkit.training.loop import fit, predict
from labkit.training.recipe import Recipe, make_optimiser
from tools.bench import ratio, take_turns

FEATURE = MFCC(window_ms=40, hop_ms=20, n_fft=2048, normalise=False, padding="signal")
RECIPE = Recipe(epochs=1, batch=64, lr=2e-4, optimiser="rmsprop", schedule="constant", weight_decay=0.0, clip_norm=None)
NETWORKS = {
    f"{name}{' bi' * both}": Model(name, bidirectional=both)
    for name in ("r1_rnn", "r1_gru", "r1_lstm")
    for both in (False, True)
}
VALIDATION = 0.1  # clips validated after each epoch, for each trained on


class Nothing(nn.Module):
    """Logits from one frame: what an epoch costs when the model costs next to nothing."""

    def __init__(self, shape, classes):
        super().__init__()
        self.linear = nn.Linear(shape[1], classes)

    def forward(self, x, lengths):
        return self.linear(x[:, 0])


class PerItem(torch.utils.data.Dataset):
    """Reads a file and computes its features each time an item is asked for: with torchaudio, as is usual."""

    def __init__(self, files, targets, feature):
        from torchaudio.transforms import MFCC as TheirMFCC

        self.files, self.targets, self.feature = files, targets, feature
        settings = {"n_fft": feature.fft, "win_length": feature.window, "hop_length": feature.hop}
        settings |= {"n_mels": feature.n_mels, "pad_mode": "constant"}
        self.transform = TheirMFCC(feature.sample_rate, feature.n_mfcc, melkwargs=settings)
        self.transform.amplitude_to_DB.top_db = None

    def __len__(self):
        return len(self.files)

    def __getitem__(self, number):
        from torchaudio.functional import compute_deltas

        samples, _ = read_audio(self.files[number], self.feature.sample_rate)
        sound = torch.from_numpy(samples)[: self.feature.samples]
        mfcc = self.transform(
            nn.functional.pad(sound, (0, self.feature.samples - len(sound)))
        )  # (coefficients, frames)
        slope = compute_deltas(mfcc, self.feature.delta_width)
        return torch.cat([mfcc, slope, compute_deltas(slope, self.feature.delta_width)]).T, self.targets[number]


def main(args):
    device = torch.device(args.device)
    corpus = find("speech_commands", args.data, "lab")
    started = time.perf_counter()
    train, validation = (
        _part(corpus, part, clips, device)
        for part, clips in (("train", args.clips), ("validation", max(1, round(VALIDATION * args.clips))))
    )
    once = time.perf_counter() - started
    print(
        f"{len(train):,} clips of {corpus.name}, on {device}, {torch.get_num_threads()} threads, {args.rounds} rounds"
    )
    classes = len(corpus.labels)
    with tempfile.TemporaryDirectory(prefix="labkit-bench-", ignore_cleanup_errors=True) as folder:

        def epoch(network):
            checkpoint = Path(folder) / "checkpoint.safetensors"
            fit(network, train, validation, RECIPE, classes, checkpoint=checkpoint)
            checkpoint.unlink()

        networks = NETWORKS if device.type != "cpu" else {"r1_gru": NETWORKS["r1_gru"]}
        networks = {name: model.build(FEATURE.shape, classes).to(device) for name, model in networks.items()}
        sides = {name: lambda network=network: epoch(network) for name, network in networks.items()}
        nothing = Nothing(FEATURE.shape, classes).to(device)
        sides["nothing"] = lambda: epoch(nothing)
        ready = [
            [part[index] for index in part.batches(size)] for part, size in ((train, RECIPE.batch), (validation, 512))
        ]
        sides["its own"] = lambda: _on_ready_batches(nothing, *ready)
        if device.type == "cpu":
            files = [corpus.root / path for path in corpus.part("train").path]
            items = PerItem([files[row % len(files)] for row in range(len(train))], train.targets, FEATURE)
            _check_equal(items, train)
            network = Model("r1_gru").build(FEATURE.shape, classes)
            sides["DataLoader"] = lambda: _plain_epoch(network, items, validation)
        times = take_turns(sides, args.rounds)
    _report(times, networks, once)
    return 0


def _part(corpus, part, number, device):
    """So many clips of a part, some of them again and again if it has fewer: what they hold does not matter here."""
    store, clips = open_store(corpus, FEATURE.sample_rate), corpus.part(part)
    clips = clips.iloc[np.resize(np.arange(len(clips)), number)]
    targets = torch.tensor(clips.label.map(corpus.labels.index).to_numpy(dtype="int64"), device=device)
    return Batches(store, store.index.index.get_indexer(clips.path), targets, FEATURE, device)


def _on_ready_batches(network, train, validation):
    """The operations of a network in one epoch, and nothing else."""
    optimiser = make_optimiser(network.parameters(), RECIPE)
    network.train()
    for x, lengths, targets in train:
        loss = nn.functional.cross_entropy(network(x, lengths), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        network.eval()
        for x, lengths, _ in validation:
            network(x, lengths)
    if targets.is_cuda:
        torch.cuda.synchronize()


def _plain_epoch(network, items, validation):
    """An epoch as it is usually written: a loop over a DataLoader. Validation is the same on both sides."""
    loader = torch.utils.data.DataLoader(items, RECIPE.batch, shuffle=True)
    optimiser = torch.optim.RMSprop(network.parameters(), RECIPE.lr)
    network.train()
    for x, targets in loader:
        loss = nn.functional.cross_entropy(network(x, torch.full((len(x),), x.shape[1])), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    predict(network, validation)


def _check_equal(items, train):
    """A comparison of speeds is worth something only if both sides learn from the same numbers."""
    x, _, target = train[torch.tensor([0])]
    other, label = items[0]
    difference = (x[0] - other).abs().max().item()
    assert difference < 1e-2 and label == target[0], f"the two sides differ by {difference}"


def _report(times, networks, once):
    times["outside"] = [all_of_it - own for all_of_it, own in zip(times["nothing"], times["its own"], strict=True)]
    outside = statistics.median(times["outside"])
    print(f"features of both parts, computed once and kept: {once:.2f} s")
    for name in networks:
        fraction, low, high = (100 * value for value in ratio(times, "outside", name))
        print(
            f"  {name:<10} {statistics.median(times[name]):7.3f} s an epoch, {outside:.3f} s of it outside the model: "
            f"{fraction:.1f}% [{low:.1f} to {high:.1f}]"
        )
    if "DataLoader" in times:
        slow, ours = statistics.median(times["DataLoader"]), statistics.median(times["r1_gru"])
        middle, low, high = ratio(times, "DataLoader", "r1_gru")
        print(
            f"  {'DataLoader':<10} {slow:7.3f} s an epoch, file by file: labkit is {middle:.1f} times faster "
            f"[{low:.1f} to {high:.1f}]; in the first epoch, features included, {slow / (ours + once):.1f} times"
        )
