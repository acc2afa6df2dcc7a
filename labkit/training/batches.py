"""Feeding a model: one part of a corpus as batches of a feature, on the device."""

import math

import numpy as np
import torch
from torch import nn

from ..data.audio import SCALE
from ..data.corpus import OTHER
from ..data.store import open_store
from ..errors import LabError
from .augment import Augmenter, noise_bank

POOL = 16  # batches whose clips are sorted by length together


def source(corpus, part, feature, device, memory=1_000_000_000, store=None, augmentation=None):
    """One part of a corpus as batches of a feature on a device, varied by an `Augmentation` if there is one."""
    store = store or open_store(corpus, feature.sample_rate)
    device = torch.device(device)
    clips = corpus.part(part)
    number = {label: i for i, label in enumerate(corpus.labels)}
    targets = torch.tensor(clips.label.map(number).to_numpy(dtype="int64"), device=device)
    augmenter = None
    if augmentation is not None and (augmentation.waveforms or augmentation.masks):
        noises = noise_bank(corpus, feature, device, augmentation.noise_share) if augmentation.noise else None
        augmenter = Augmenter(augmentation, feature, clips.path, noises, number.get(OTHER))
    return Source(store, store.index.index.get_indexer(clips.path), targets, feature, device, memory, augmenter)


class Source:
    """One part of a corpus, ready to be batched: `source[index]` is a batch, with `index` from `batches`.

    Features are computed once and stay on the device if they fit into `memory` (bytes) and no augmentation changes the
    waveforms; else batch by batch. `rows` are row numbers in the store, `targets` numbers of classes.
    """

    def __init__(self, store, rows, targets, feature, device, memory=1_000_000_000, augmenter=None):
        self.store, self.rows, self.targets, self.feature, self.device = store, rows, targets, feature, device
        self.augmenter = augmenter  # at work once `begin` was called
        self.moment = None  # (seed, epoch)
        self.extract = feature.build()
        if isinstance(self.extract, nn.Module):
            self.extract.to(device)
        self.samples = np.array(store.index.length.values[rows])  # (clips,)
        if feature.samples is not None:
            self.samples = self.samples.clip(max=feature.samples)
        if (short := self.samples < feature.shortest).any():
            raise LabError(
                f"{short.sum()} of {len(rows)} clips are shorter than a window of {feature.shortest} samples: "
                f"{store.index.index[rows[short][0]]} has {self.samples[short][0]}. "
                "Leave them out of the corpus, set seconds, or shorten window_ms."
            )
        shape = feature.shape  # of a clip; None where each has its own number of steps
        shapes = [[size or steps for size in shape] for steps in feature.steps(self.samples).tolist()]
        fits = 4 * sum(math.prod(shape) for shape in shapes) <= memory
        self.resident = None
        if fits and not (augmenter and augmenter.settings.waveforms):
            self.resident = self._computed(shapes)

    def _computed(self, shapes):
        """Features of all clips without padding, one row of memory; each clip's view of it; their lengths."""
        sizes, axis = [math.prod(shape) for shape in shapes], self.feature.time_axis - 1
        row, lengths = torch.empty(sum(sizes), device=self.device), torch.empty_like(self.targets)
        clips = [clip.view(shape) for clip, shape in zip(row.split(sizes), shapes, strict=True)]
        for index in self.batches(64):  # more at a time would leave the cache
            x, lengths[index] = self.compute(self.rows[index.numpy()])
            for clip, features in zip(index.tolist(), x, strict=True):
                clips[clip].copy_(features.narrow(axis, 0, shapes[clip][axis]))
        return row, clips, lengths

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
        if draws is not None:
            waveforms, lengths = self.feature.cut(waveforms, lengths)  # before noise hides where the word is
            waveforms, lengths = self.augmenter.waveforms(waveforms, lengths, draws)
        return self.extract(waveforms, lengths)

    def _kept(self, index):
        """Features of some clips and their lengths, from memory; shorter clips are filled with silence."""
        row, clips, lengths = self.resident
        here, axis = index.to(self.device), self.feature.time_axis - 1
        if self.feature.samples is not None:  # all clips have one shape
            return row.view(len(self), *self.feature.shape).index_select(0, here), lengths[here]
        some = [clips[clip] for clip in index.tolist()]
        longest = max(clip.shape[axis] for clip in some)
        shape = [len(some), *(size or longest for size in self.feature.shape)]
        x = torch.full(shape, getattr(self.extract, "silence", 0.0), device=self.device)
        for place, clip in zip(x, some, strict=True):
            place.narrow(axis, 0, clip.shape[axis]).copy_(clip)
        return x, lengths[here]

    def __getitem__(self, index):
        """A batch: (x, lengths, targets). `index` is a CPU tensor of clip numbers."""
        targets, draws = self.targets[index.to(self.device)], None
        if self.augmenter is not None and self.moment is not None:
            draws = self.augmenter.draw(index.numpy(), *self.moment).to(self.device)
        if self.resident is None:
            varied = draws is not None and self.augmenter.settings.waveforms
            x, lengths = self.compute(self.rows[index.numpy()], draws if varied else None)
        else:
            x, lengths = self._kept(index)
        if draws is None:
            return x, lengths, targets
        if self.augmenter.settings.masks:
            x = self.augmenter.masks(x, lengths, draws)
        return x, lengths, self.augmenter.targets(targets, draws)

    def batches(self, size, seed=None):
        """Index tensors that cover all clips once; in an order given by `seed`, or as they are.

        Where clips keep their lengths, those of like length share a batch, so that little of it is padding.
        """
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        order = torch.arange(len(self)) if seed is None else torch.randperm(len(self), generator=generator)
        if self.feature.samples is not None:
            return order.split(size)
        length = torch.from_numpy(self.samples)  # each POOL batches are sorted by it, then the batches are shuffled
        pools = order.split(len(self) if seed is None else POOL * size)
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
