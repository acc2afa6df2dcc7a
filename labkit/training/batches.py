"""Feeding a model: one part of a corpus as batches of a feature, on the device."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from ..data.audio import SCALE
from ..data.corpus import OTHER
from ..data.store import open_store
from ..errors import LabError
from .augment import Augmenter, noise_bank

POOL = 16


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


@dataclass
class Source:
    """One part of a corpus, ready to be batched on a device.

    Parameters
    ----------
    store : Store
    rows : numpy.ndarray
        Row numbers in the store, shape (clips,).
    targets : torch.Tensor
        Class numbers, int64, shape (clips,), on the device.
    feature : Feature
    device : torch.device
    memory : int
        Bytes that features of this part may take on the device. If they fit they are computed once and stay there
        (clips of any length one behind the other, without padding); else each batch is computed when it is needed, as
        it is where an augmentation changes the waveforms.
    augmenter : Augmenter, optional
        At work once `begin` was called.
    """

    store: object
    rows: object
    targets: torch.Tensor
    feature: object
    device: torch.device
    memory: int = 1_000_000_000
    augmenter: Augmenter | None = None
    resident: tuple | None = field(default=None, init=False)
    moment: tuple | None = field(default=None, init=False)

    def __post_init__(self):
        self.extract = self.feature.build()
        if isinstance(self.extract, nn.Module):
            self.extract.to(self.device)
        samples = self.store.index.length.values[self.rows]  # (clips,)
        if self.feature.samples is not None:
            samples = samples.clip(max=self.feature.samples)
        if (short := samples < self.feature.shortest).any():
            raise LabError(
                f"{short.sum()} of {len(samples)} clips are shorter than a window of {self.feature.shortest} samples: "
                f"{self.store.index.index[self.rows[short][0]]} has {samples[short][0]}. "
                "Leave them out of the corpus, set seconds, or shorten window_ms."
            )
        self.samples = samples
        if self.augmenter is None or not self.augmenter.settings.waveforms:
            self._keep()

    def _keep(self):
        """Compute all features and keep them as one row of frames, if memory suffices."""
        feature, time_axis = self.feature, self.feature.time_axis
        fitted = feature.samples is not None
        steps = np.full(len(self), feature.steps(feature.samples)) if fitted else feature.steps(self.samples)
        per_step = math.prod(size or 1 for axis, size in enumerate(feature.shape, 1) if axis != time_axis)
        if int(steps.sum()) * per_step * 4 > self.memory:
            return
        lengths = torch.empty(len(self), dtype=torch.int64, device=self.device)
        order = torch.arange(len(self)) if fitted else torch.from_numpy(np.argsort(self.samples, kind="stable"))
        kept, starts = None, None
        if fitted:
            kept = torch.empty((len(self), *feature.shape), device=self.device)
        else:
            starts = torch.from_numpy(np.concatenate([[0], np.cumsum(steps)])).to(self.device)
        for index in order.split(64):  # more at a time would leave the cache
            x, lengths[index] = self.compute(self.rows[index.numpy()])
            if fitted:
                kept[index] = x
                continue
            x = x.movedim(time_axis, 1)  # (batch, frames, ...)
            if kept is None:
                kept = torch.empty((int(steps.sum()), *x.shape[2:]), device=self.device)
            for clip, row in zip(index.tolist(), x, strict=True):
                kept[starts[clip] : starts[clip + 1]] = row[: steps[clip]]
        self.resident = kept, starts, lengths

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
        if self.resident is None:
            varied = draws if draws is not None and self.augmenter.settings.waveforms else None
            x, lengths = self.compute(self.rows[index.numpy()], varied)
        else:
            x, lengths = self._gather(index.to(self.device))
        if draws is not None and self.augmenter.settings.masks:
            x = self.augmenter.masks(x, lengths, draws)
        targets = self.targets[index.to(self.device)]
        return x, lengths, targets if draws is None else self.augmenter.targets(targets, draws)

    def _gather(self, index):
        kept, starts, lengths = self.resident
        lengths = lengths[index]
        if starts is None:
            return kept[index], lengths
        time = torch.arange(int(lengths.max()), device=self.device)
        inside = time < lengths[:, None]  # (batch, frames)
        x = kept[torch.where(inside, starts[index][:, None] + time, 0)]  # (batch, frames, ...)
        inside = inside.view(*inside.shape, *[1] * (x.ndim - 2))
        x = torch.where(inside, x, getattr(self.extract, "silence", 0.0))
        return x.movedim(1, self.feature.time_axis), lengths

    def batches(self, size, seed=None):
        """Index tensors that cover all clips once; in an order given by `seed`, or as they are.

        Where clips keep their lengths, those of like length share a batch, so that little of it is padding: clips are
        shuffled, each `POOL` batches of them sorted by length, and the batches shuffled.
        """
        dice = None if seed is None else torch.Generator().manual_seed(seed)
        order = torch.arange(len(self)) if seed is None else torch.randperm(len(self), generator=dice)
        if self.feature.samples is not None:
            return order.split(size)
        length = torch.from_numpy(np.ascontiguousarray(self.samples))
        pools = order.split(len(self) if seed is None else POOL * size)
        batches = [batch for pool in pools for batch in pool[length[pool].argsort(stable=True)].split(size)]
        return batches if seed is None else [batches[i] for i in torch.randperm(len(batches), generator=dice)]

    def statistics(self):
        """Mean and spread of each feature over all valid frames, shaped to broadcast against one clip."""
        time_axis = self.feature.time_axis
        total = square = count = 0.0
        for index in self.batches(256):
            x, lengths, _ = self[index]
            mask = torch.arange(x.shape[time_axis], device=x.device) < lengths[:, None]  # (batch, frames)
            mask = mask.view([len(x)] + [x.shape[axis] if axis == time_axis else 1 for axis in range(1, x.ndim)])
            over = (0, time_axis)
            kept = x * mask
            kept = kept.cpu().double() if kept.device.type == "mps" else kept.double()  # MPS has no float64
            total, square = total + kept.sum(over, True), square + kept.square().sum(over, True)
            count += mask.sum().item()
        mean = total / count
        spread = (square / count - mean.square()).clamp(min=1e-8).sqrt()
        return mean[0].float().to(self.device), spread[0].float().to(self.device)
