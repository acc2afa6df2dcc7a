"""How long an epoch over sentences takes: clips of their own length, like with like, against five seconds for all.

The published study cuts or fills every clip to five seconds and computes its mel frames anew for each clip and epoch.
Here the same network (its LSTM: hidden 313, 64 bands, batch 16) sees the same clips at one frame rate, in both ways.
"""

import torch
from torch import nn
from torch.nn.functional import pad

from labkit.data import find
from labkit.data.audio import read_audio
from labkit.data.store import open_store
from labkit.features import MelFrames
from labkit.models import Model
from labkit.training.batches import batches_of
from tools.bench import ratio, take_turns

OWN = MelFrames(window_ms=32, hop_ms=16, n_mels=64, log="none", seconds=None, normalise=False)
FIVE = MelFrames(window_ms=32, hop_ms=16, n_mels=64, log="none", seconds=5.0, padding="signal", normalise=False)
NETWORK = Model("accent_net", cell="lstm")
BATCH = 16
MOST = 320  # clips: an epoch over more only takes longer


def main(args):
    device = torch.device(args.device)
    corpus = find("common_voice", args.data, "lab")
    clips = corpus.part("train").sample(frac=1, random_state=0)[: min(args.clips, MOST)]
    corpus = corpus.with_clips(clips)
    print(
        f"{len(clips):,} clips of {corpus.name}, {clips.seconds.mean():.2f} s on average ({clips.seconds.min():.1f} to "
        f"{clips.seconds.max():.1f}), on {device}, {torch.get_num_threads()} threads, {args.rounds} rounds in turns"
    )
    times = take_turns(sides(corpus, device), args.rounds)
    for name in times:
        middle, low, high = ratio(times, "five seconds, features per clip", name)
        print(
            f"  {name:<34} {sorted(times[name])[len(times[name]) // 2]:6.2f} s an epoch, {middle:4.2f} times as fast "
            f"as published [{low:.2f} to {high:.2f}]"
        )
    middle, low, high = ratio(times, "five seconds, features kept", "own lengths, like with like")
    print(f"Lengths alone, features kept on both sides: {middle:.2f} times as fast [{low:.2f} to {high:.2f}].")
    return 0


def sides(corpus, device="cpu"):
    """An epoch of training in each way: functions without arguments that return the mean loss."""
    store = open_store(corpus, OWN.sample_rate)
    own, five = (batches_of(corpus, "train", feature, device, store=store) for feature in (OWN, FIVE))
    files = [corpus.root / path for path in corpus.part("train").path]

    def per_clip(index):
        return per_item([files[number] for number in index.tolist()], five.targets[index.to(device)], device)

    return {
        "five seconds, features per clip": lambda: epoch(five.batches(BATCH, seed=0), per_clip, corpus, device),
        "five seconds, features kept": lambda: epoch(five.batches(BATCH, seed=0), five.__getitem__, corpus, device),
        "own lengths, like with like": lambda: epoch(own.batches(BATCH, seed=0), own.__getitem__, corpus, device),
    }


def epoch(batches, read, corpus, device):
    """One epoch of the published LSTM; returns its mean loss."""
    torch.manual_seed(0)
    network = NETWORK.build(OWN.shape, len(corpus.labels)).to(device)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for index in batches:
        x, lengths, targets = read(index)
        loss = nn.functional.cross_entropy(network(x, lengths), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.detach() * len(index))
    return (torch.stack(losses).sum() / sum(map(len, batches))).item()


def per_item(files, targets, device):
    """A batch as the study makes it: each file read, cut or filled to five seconds, transformed by itself."""
    from torchaudio.transforms import MelSpectrogram

    transform = MelSpectrogram(
        FIVE.sample_rate, FIVE.fft, FIVE.window, FIVE.hop, n_mels=FIVE.n_mels, pad_mode="constant"
    )
    clips = []
    for file in files:
        samples = torch.from_numpy(read_audio(file, FIVE.sample_rate)[0])[: FIVE.samples]
        clips.append(transform(pad(samples, (0, FIVE.samples - len(samples)))).T)  # (frames, bands)
    x = torch.stack(clips).to(device)
    return x, torch.full((len(x),), x.shape[1], device=device), targets
