"""Looking into a network: where in a spectrogram it looks, and how that sounds."""

import copy

import torch
from torch import nn

from ..errors import LabError
from ..training.batches import batches_of


@torch.no_grad()
def last_layer(run, part="test"):
    """What the last layer of a run's network reads: the clips of a part, and a vector for each, (clips, width)."""
    table, seen = run.corpus.part(part), []
    clips = batches_of(run.corpus, part, run.experiment.feature, run.device)
    hook = run.network.network.head.register_forward_pre_hook(lambda layer, given: seen.append(given[0].cpu()))
    index = clips.batches(64)
    for batch in index:
        run.network(*clips[batch][:2])
    hook.remove()
    return table, torch.cat(seen)[torch.cat(index).argsort()]


@torch.no_grad()
def occlusion(network, x, lengths, target, bands=8, frames=8, step=2):
    """How much the answer suffers when a piece of the spectrogram is hidden (Zeiler and Fergus, arXiv 1311.2901).

    A window of `bands` by `frames` moves over it by `step`, both ways; what it covers is replaced by the mean of each
    band. `x` is one clip, shape (1, 1, bands, frames), for a network in eval mode; `target` is the number of the class.
    The result, shape (bands, frames), on the CPU, is by how much the log-probability of the class falls, averaged over
    all windows that cover a place. Below zero: hiding this place would help.
    """
    _need_one_clip(x)
    height, width = x.shape[2:]
    bands, frames = min(bands, height), min(frames, width)
    mean = x[..., : int(lengths)].mean(3, keepdim=True)
    whole = network(x, lengths).log_softmax(1)[0, target]
    falls, windows = torch.zeros(2, height, width, device=x.device)
    lefts = range(0, width - frames + step, step)
    for top in range(0, height - bands + step, step):  # a batch: all windows at this height
        inside = torch.zeros(len(lefts), 1, height, width, dtype=torch.bool, device=x.device)
        for window, left in zip(inside, lefts, strict=True):
            window[:, top : top + bands, left : left + frames] = True
        logits = network(torch.where(inside, mean, x), lengths.expand(len(lefts)))  # (windows, classes)
        fall = whole - logits.log_softmax(1)[:, target, None, None]  # (windows, 1, 1)
        falls += (fall * inside[:, 0]).sum(0)
        windows += inside[:, 0].sum(0)
    return (falls / windows.clamp(min=1)).cpu()


def gradient(network, x, lengths, target):
    """How much each value of the spectrogram moves the logit of a class, |d logit / d x| (Simonyan, arXiv 1312.6034).

    It takes and returns the same shapes as `occlusion`.
    """
    _need_one_clip(x)
    network, x = copy.deepcopy(network).eval(), x.detach().clone().requires_grad_()
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward in eval mode
        return torch.autograd.grad(network(x, lengths)[0, target], x)[0][0, 0].abs().cpu()


def resynthesise(samples, feature, importance, fraction=0.2):
    """The sound, shape (samples,), with only its most important places at full level.

    `samples` is the clip as the `feature` saw it, `importance` comes from `occlusion` or `gradient`. The `fraction`
    of the places that matter most stays, the others become 40 dB softer.
    """
    if not 0 < fraction <= 1:
        raise LabError(f"fraction={fraction}: it lies above 0 and at most at 1. Change it.")
    samples = torch.as_tensor(samples, dtype=torch.float32)
    filters = feature.build().filters  # (frequencies, bands)
    kept = (importance >= importance.flatten().quantile(1 - fraction)).float()  # (bands, frames)
    window = torch.hann_window(feature.window)
    settings = {"n_fft": feature.fft, "hop_length": feature.hop, "win_length": feature.window, "window": window}
    spectrum = torch.stft(samples, **settings, pad_mode="constant", return_complex=True)  # (frequencies, frames)
    weights = filters / filters.sum(1, keepdim=True).clamp(min=1e-9)
    mask = nn.functional.pad(weights @ kept, (0, spectrum.shape[1] - kept.shape[1]))  # cut where it is longer
    quiet = 0.01  # -40 dB
    return torch.istft(spectrum * (quiet + (1 - quiet) * mask), **settings, length=len(samples)).numpy()


def _need_one_clip(x):
    if x.ndim != 4 or x.shape[:2] != (1, 1):
        shape = tuple(x.shape)
        raise LabError(f"One spectrogram is wanted, (1, 1, bands, frames), not {shape}. Take one clip of a 'log_mel'.")
