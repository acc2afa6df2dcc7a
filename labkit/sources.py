"""Feeding a model: one part of a corpus as batches of a feature, on the device."""

import math
from dataclasses import dataclass, field

import torch
from torch import nn

from .audio import SCALE, open_store


def source(corpus, part, feature, device, memory=1_000_000_000, store=None):
    """One part of a corpus as batches of a feature on a device."""
    store = store or open_store(corpus, feature.sample_rate)
    clips = corpus.part(part)
    number = {label: i for i, label in enumerate(corpus.labels)}
    targets = torch.tensor(clips.label.map(number).to_numpy(dtype="int64"), device=device)
    return Source(store, store.index.index.get_indexer(clips.path), targets, feature, torch.device(device), memory)


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
        Bytes that features of this part may take on the device. If they fit (and have one length) they are computed
        once and stay there; else each batch is computed when it is needed.
    """

    store: object
    rows: object
    targets: torch.Tensor
    feature: object
    device: torch.device
    memory: int = 1_000_000_000
    resident: tuple | None = field(default=None, init=False)

    def __post_init__(self):
        self.extract = self.feature.build()
        if isinstance(self.extract, nn.Module):
            self.extract.to(self.device)
        shape = self.feature.shape
        if None not in shape and len(self) * math.prod(shape) * 4 <= self.memory:
            x = torch.empty((len(self), *shape), device=self.device)
            lengths = torch.empty(len(self), dtype=torch.int64, device=self.device)
            for start in range(0, len(self), 64):  # more at a time would leave the cache
                some = slice(start, start + 64)
                x[some], lengths[some] = self.compute(self.rows[some])
            self.resident = x, lengths

    def __len__(self):
        return len(self.rows)

    @torch.no_grad()
    def compute(self, rows):
        """Features of some rows of the store: (x, lengths) on the device."""
        waveforms, lengths = self.store.rows(rows, self.feature.samples)
        waveforms = torch.from_numpy(waveforms).to(self.device, torch.float32).div_(SCALE)  # (batch, samples)
        return self.extract(waveforms, torch.from_numpy(lengths).to(self.device))

    def __getitem__(self, index):
        """A batch: (x, lengths, targets). `index` is a CPU tensor of clip numbers."""
        if self.resident is None:
            x, lengths = self.compute(self.rows[index.numpy()])
            return x, lengths, self.targets[index.to(self.device)]
        index = index.to(self.device)
        x, lengths = self.resident
        return x[index], lengths[index], self.targets[index]

    def batches(self, size, seed=None):
        """Yield index tensors that cover all clips once; in an order given by `seed`, or as they are."""
        if seed is None:
            order = torch.arange(len(self))
        else:
            order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return order.split(size)

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
