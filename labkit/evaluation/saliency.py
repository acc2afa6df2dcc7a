"""Where in a picture of sound a network looks: by hiding pieces, by gradients; and how to listen to what is left."""

import torch
from torch import nn

from ..errors import LabError


def _need_picture(x):
    if x.ndim != 4 or x.shape[:2] != (1, 1):
        raise LabError(
            f"One picture is wanted, (1, 1, bands, frames), not {tuple(x.shape)}. Take one clip of a 'log_mel'."
        )


@torch.no_grad()
def occlusion(network, x, lengths, target, bands=8, frames=8, step=2):
    """How much the answer suffers when a piece of the picture is hidden (Zeiler and Fergus, arXiv 1311.2901).

    A window of `bands` by `frames` moves over the picture; what it covers is replaced by the mean of each band.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode, with `forward(x, lengths)`.
    x : torch.Tensor
        One clip, shape (1, 1, bands, frames).
    lengths : torch.Tensor
        Its valid frames, shape (1,).
    target : int
        Number of the class.
    bands, frames : int
        Size of the window.
    step : int
        By which it moves, both ways.

    Returns
    -------
    torch.Tensor
        Shape (bands, frames), on the CPU: by how much the log-probability of the class falls, averaged over all windows
        that cover a place. Below zero: hiding this place would help.
    """
    _need_picture(x)
    height, width = x.shape[2:]
    bands, frames = min(bands, height), min(frames, width)
    tops = range(0, height - bands + step, step)
    lefts = range(0, width - frames + step, step)
    covers = torch.zeros(len(tops) * len(lefts), 1, height, width, dtype=torch.bool, device=x.device)
    for number, (top, left) in enumerate((top, left) for top in tops for left in lefts):
        covers[number, 0, top : top + bands, left : left + frames] = True
    mean = x[..., : int(lengths)].mean(3, keepdim=True)
    whole = network(x, lengths).log_softmax(1)[0, target]
    fall = torch.cat(
        [
            whole - network(torch.where(some, mean, x), lengths.expand(len(some))).log_softmax(1)[:, target]
            for some in covers.split(128)
        ]
    )
    covers = covers[:, 0].float()  # (windows, bands, frames)
    return (torch.einsum("w,wbf->bf", fall.float(), covers) / covers.sum(0).clamp(min=1)).cpu()


def gradient(network, x, lengths, target):
    """How much each value of the picture moves the score of a class, |d score / d x| (Simonyan, arXiv 1312.6034).

    Parameters and shapes as for `occlusion`; the network's own gradients are left alone.
    """
    _need_picture(x)
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(network(x, lengths)[0, target], x)
    return slope[0, 0].abs().cpu()


def hear(samples, feature, importance, share=0.2, rest_db=-40.0):
    """The sound with only its most important places at full level.

    Parameters
    ----------
    samples : numpy.ndarray or torch.Tensor
        The clip, shape (samples,), as the feature saw it.
    feature : Spectral
    importance : torch.Tensor
        Shape (bands, frames), as `occlusion` and `gradient` return it.
    share : float
        Share of the places that stay.
    rest_db : float
        Level that the others are set to.

    Returns
    -------
    numpy.ndarray
        Shape (samples,).
    """
    samples = torch.as_tensor(samples, dtype=torch.float32)
    if not 0 < share <= 1:
        raise LabError(f"share={share}: it lies above 0 and at most at 1. Change it.")
    filters = feature.build().filters  # (frequencies, bands)
    kept = (importance >= importance.flatten().quantile(1 - share)).float()  # (bands, frames)
    window = torch.hann_window(feature.window)
    settings = {"n_fft": feature.fft, "hop_length": feature.hop, "win_length": feature.window, "window": window}
    spectrum = torch.stft(samples, **settings, pad_mode="constant", return_complex=True)  # (frequencies, frames)
    weights = filters / filters.sum(1, keepdim=True).clamp(min=1e-9)
    mask = nn.functional.pad(weights @ kept, (0, max(0, spectrum.shape[1] - kept.shape[1])))[:, : spectrum.shape[1]]
    quiet = 10 ** (rest_db / 20)
    return torch.istft(spectrum * (quiet + (1 - quiet) * mask), **settings, length=len(samples)).numpy()
