"""Feeding a model: one part of a corpus as batches of a feature, on the device."""

import math
import tempfile

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from ..data.audio import SCALE
from ..data.corpus import UNKNOWN
from ..data.store import open_store
from ..device import room
from ..errors import LabError
from ..files import cache, need_disk, writing
from .augment import Augmenter, noise_bank

BUCKET = 16  # batches whose clips are sorted by length together


def batches_of(corpus, part, feature, device, memory=None, store=None, augmentation=None):
    """One part of a corpus as batches of a feature on a device, varied by an `Augmentation` if there is one.

    Features that need more than `memory` (bytes; by default `device.room`) wait in a file.
    """
    store = store or open_store(corpus, feature.sample_rate)
    clips = corpus.part(part)
    number = {label: i for i, label in enumerate(corpus.labels)}
    targets = torch.tensor(clips.label.map(number).to_numpy(dtype="int64"), device=device)
    augmenter = None
    if augmentation is not None and (augmentation.waveforms or augmentation.masks):
        noises = noise_bank(corpus, feature, device, augmentation.noise_fraction) if augmentation.noise else None
        augmenter = Augmenter(augmentation, feature, clips.path, noises, number.get(UNKNOWN))
    return Batches(store, store.index.index.get_indexer(clips.path), targets, feature, device, memory, augmenter)


class Batches:
    """One part of a corpus, ready to be batched: `part[index]` is a batch, with `index` from `batches`.

    Features are computed once, unless an augmentation changes the waveforms: then batch by batch. They stay on the
    device if they fit into `memory` (bytes), else in a file that is mapped into memory: either way the same bits.
    `rows` are row numbers in the store, `targets` numbers of classes.
    """

    def __init__(self, store, rows, targets, feature, device, memory=None, augmenter=None):
        self.store, self.rows, self.targets, self.feature, self.augmenter = store, rows, targets, feature, augmenter
        self.device = torch.device(device)
        self.moment = None  # (seed, epoch): from `begin` on, the augmenter is at work
        self.extract = feature.build()
        if isinstance(self.extract, nn.Module):
            self.extract.to(self.device)
        self.fixed = feature.samples is not None  # whether all clips are fitted to one length
        self.samples = np.minimum(store.index.length.values[rows], feature.samples or np.inf).astype(int)  # (clips,)
        if (short := self.samples < feature.shortest).any():
            raise LabError(
                f"{short.sum()} of {len(rows)} clips are shorter than a window of {feature.shortest} samples: "
                f"{store.index.index[rows[short][0]]} has {self.samples[short][0]}. "
                "Leave them out of the corpus, set seconds, or shorten window_ms."
            )
        self.resident = None
        if not (augmenter and augmenter.settings.waveforms):
            self.resident = self._computed(room(self.device) if memory is None else memory)

    def _computed(self, memory):
        """Features of all clips: one tensor, or a list with time first and without padding; and their lengths."""
        steps = np.broadcast_to(self.feature.steps(self.feature.samples if self.fixed else self.samples), len(self))
        rest = [size for axis, size in enumerate(self.feature.shape, 1) if axis != self.feature.time_axis]
        sizes = math.prod(rest) * steps  # numbers of each clip
        fits = 4 * sizes.sum() <= memory
        kept = torch.empty(sizes.sum(), device=self.device) if fits else _in_a_file(sizes.sum())
        clips = [one.view(-1, *rest) for one in kept.split(sizes.tolist())]
        if self.fixed:
            clips = kept.view(len(self), *self.feature.shape)
        lengths = torch.empty_like(self.targets)
        # More at a time would leave the cache; the longest come first, so that what is freed has room for the next.
        for index in reversed(self.batches(64)):
            x, lengths[index] = self.compute(self.rows[index.numpy()])
            if self.fixed:
                clips[index] = x.to(kept.device)
                continue
            for clip, features in zip(index.tolist(), x.movedim(self.feature.time_axis, 1), strict=True):
                clips[clip].copy_(features[: steps[clip]])
        return clips, lengths

    def __len__(self):
        return len(self.rows)

    def begin(self, seed, epoch):
        """Say which epoch the next batches are for: what an augmentation does to a clip depends on it."""
        self.moment = seed, epoch

    @torch.no_grad()
    def compute(self, rows, draws=None):
        """Features of some rows of the store: (x, lengths) on the device."""
        waveforms, lengths = self.store.rows(rows, self.feature.reads)
        waveforms = torch.from_numpy(waveforms).to(self.device, torch.float32).div_(SCALE)  # (batch, samples)
        lengths = torch.from_numpy(lengths).to(self.device)
        if draws is not None and self.augmenter.settings.waveforms:
            waveforms, lengths = self.feature.cut(waveforms, lengths)  # before noise hides where the word is
            waveforms, lengths = self.augmenter.waveforms(waveforms, lengths, draws)
        return self.extract(waveforms, lengths)

    def __getitem__(self, index):
        """A batch: (x, lengths, targets). `index` is a CPU tensor of clip numbers."""
        here, draws = index.to(self.device), None
        if self.augmenter is not None and self.moment is not None:
            draws = self.augmenter.draw(index.numpy(), *self.moment).to(self.device)
        if self.resident is None:
            x, lengths = self.compute(self.rows[index.numpy()], draws)
        else:
            clips, lengths = self.resident[0], self.resident[1][here]
            x = clips[index.to(clips.device)] if self.fixed else self._padded([clips[clip] for clip in index.tolist()])
            x = x.to(self.device)
        if draws is None:
            return x, lengths, self.targets[here]
        return self.augmenter.masks(x, lengths, draws), lengths, self.augmenter.targets(self.targets[here], draws)

    def _padded(self, clips):
        """One tensor of clips of different lengths; the shorter ones are filled with silence."""
        silence = getattr(self.extract, "silence", 0.0)
        x = pad_sequence(clips, batch_first=True, padding_value=silence)
        return x.movedim(1, self.feature.time_axis).contiguous()

    def batches(self, size, seed=None):
        """Index tensors that cover all clips once; in an order given by `seed`, or as they are.

        Where clips keep their lengths, those of like length share a batch, so that little of it is padding.
        """
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        order = torch.arange(len(self)) if seed is None else torch.randperm(len(self), generator=generator)
        if self.fixed:
            return order.split(size)
        length = torch.from_numpy(self.samples)  # BUCKET batches at a time are sorted by it, then all are shuffled
        pools = order.split(len(self) if seed is None else BUCKET * size)
        batches = [batch for pool in pools for batch in pool[length[pool].argsort(stable=True)].split(size)]
        return batches if seed is None else [batches[i] for i in torch.randperm(len(batches), generator=generator)]

    def statistics(self):
        """Mean and standard deviation of each feature over all valid frames, shaped to broadcast against one clip."""
        axis = self.feature.time_axis
        total = square = count = 0.0
        for index in self.batches(256):
            x, lengths, _ = self[index]
            x = x.movedim(axis, 1)  # (batch, frames, ...)
            valid = x[torch.arange(x.shape[1], device=x.device) < lengths[:, None]]  # (valid frames, ...)
            valid = valid.cpu().double() if valid.device.type == "mps" else valid.double()  # MPS has no float64
            total, square, count = total + valid.sum(0), square + valid.square().sum(0), count + len(valid)
        mean = total / count
        std = (square / count - mean.square()).clamp(min=1e-8).sqrt()
        return tuple(value.unsqueeze(axis - 1).float().to(self.device) for value in (mean, std))


def _in_a_file(numbers):
    """A float32 tensor of so many numbers in a file of the cache, which is gone when nobody uses it any more."""
    folder = cache() / "features"
    with writing(folder / "mapped"):
        need_disk(folder, 4 * int(numbers), "What features need beyond the memory (LABKIT_MEMORY)")
        return torch.from_numpy(np.memmap(tempfile.TemporaryFile(dir=folder), np.float32, "w+", shape=int(numbers)))
