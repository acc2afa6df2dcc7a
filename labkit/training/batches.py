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
    """One part of a corpus, ready to be batched on a device.

    If the features of all clips fit into `memory` (bytes) they are computed once and stay on the device; else each
    batch is computed when it is needed, as it is where an augmentation changes the waveforms. `rows` are the clips' row
    numbers in the store, `targets` their class numbers, on the device.
    """

    def __init__(self, store, rows, targets, feature, device, memory=1_000_000_000, augmenter=None):
        self.store, self.rows, self.targets, self.feature, self.device = store, rows, targets, feature, device
        self.augmenter = augmenter  # at work once `begin` was called
        self.moment = None  # (seed, epoch)
        self.extract = feature.build()
        if isinstance(self.extract, nn.Module):
            self.extract.to(device)
        self.samples = store.index.length.values[rows]  # (clips,)
        if feature.samples is not None:
            self.samples = self.samples.clip(max=feature.samples)
        if (short := self.samples < feature.shortest).any():
            raise LabError(
                f"{short.sum()} of {len(rows)} clips are shorter than a window of {feature.shortest} samples: "
                f"{store.index.index[rows[short][0]]} has {self.samples[short][0]}. "
                "Leave them out of the corpus, set seconds, or shorten window_ms."
            )
        samples = self.samples if feature.samples is None else np.full(len(rows), feature.samples)
        steps = feature.steps(samples)  # along the time axis, (clips,)
        per_step = math.prod(size or 1 for axis, size in enumerate(feature.shape, 1) if axis != feature.time_axis)
        fits = 4 * per_step * int(steps.sum()) <= memory
        self.resident = None
        if fits and (augmenter is None or not augmenter.settings.waveforms):
            self.resident = self._computed(steps.tolist())

    def _computed(self, steps):
        """Features of each clip, without padding, and their lengths: a list of tensors, and one of shape (clips,)."""
        kept, lengths = [None] * len(self), torch.empty(len(self), dtype=torch.int64, device=self.device)
        for index in self.batches(64):  # more at a time would leave the cache
            x, lengths[index] = self.compute(self.rows[index.numpy()])
            for clip, features in zip(index.tolist(), x, strict=True):
                features = features.narrow(self.feature.time_axis - 1, 0, steps[clip])
                kept[clip] = features.clone(memory_format=torch.contiguous_format)
        return kept, lengths

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

    def __getitem__(self, index):
        """A batch: (x, lengths, targets). `index` is a CPU tensor of clip numbers."""
        draws = None
        if self.augmenter is not None and self.moment is not None:
            draws = self.augmenter.draw(index.numpy(), *self.moment).to(self.device)
        if self.resident is not None:
            kept, lengths = self.resident
            silence = getattr(self.extract, "silence", 0.0)
            x = together([kept[clip] for clip in index.tolist()], self.feature.time_axis - 1, silence)
            lengths = lengths[index.to(self.device)]
        else:
            varied = draws is not None and self.augmenter.settings.waveforms
            x, lengths = self.compute(self.rows[index.numpy()], draws if varied else None)
        targets = self.targets[index.to(self.device)]
        if draws is None:
            return x, lengths, targets
        if self.augmenter.settings.masks:
            x = self.augmenter.masks(x, lengths, draws)
        return x, lengths, self.augmenter.targets(targets, draws)

    def batches(self, size, seed=None):
        """Index tensors that cover all clips once; in an order given by `seed`, or as they are.

        Where clips keep their lengths, those of like length share a batch, so that little of it is padding: clips are
        shuffled, each `POOL` batches of them sorted by length, and the batches shuffled.
        """
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        order = torch.arange(len(self)) if seed is None else torch.randperm(len(self), generator=generator)
        if self.feature.samples is not None:
            return order.split(size)
        length = torch.from_numpy(np.ascontiguousarray(self.samples))
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


def together(clips, axis, silence):
    """Features of some clips as one batch; shorter ones are filled with silence along their time `axis`."""
    longest = max(clip.shape[axis] for clip in clips)
    behind = (0, 0) * (clips[0].ndim - 1 - axis)  # `pad` counts the axes from the last one
    for number, clip in enumerate(clips):
        if missing := longest - clip.shape[axis]:
            clips[number] = nn.functional.pad(clip, (*behind, 0, missing), value=silence)
    return torch.stack(clips)
