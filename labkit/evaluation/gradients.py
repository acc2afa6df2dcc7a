"""Looking into a network: how far back in time its answer reaches, and how its cells are used."""

import torch

from ..errors import LabError


def gradient_norms(network, x, lengths, targets):
    """How much each frame of a clip moves the score of its class, by the frame's distance from the last one.

    The norm of d score / d x[t]. What a training step changes for the sake of an early frame passes through the same
    product of matrices, one factor per frame in between, so where this norm is nothing, nothing is learnt (Bengio,
    Simard and Frasconi, 1994; Pascanu, Mikolov and Bengio, arXiv 1211.5063, eq. 5).

    Parameters
    ----------
    network : torch.nn.Module
        With `forward(x, lengths)`; it is left as it was.
    x : torch.Tensor
        Shape (batch, frames, features).
    lengths : torch.Tensor
        Valid frames, shape (batch,).
    targets : torch.Tensor
        Class numbers, shape (batch,).

    Returns
    -------
    torch.Tensor
        Shape (frames,), on the CPU: entry d is the median norm over the clips, d frames before the last valid one; nan
        where no clip is that long.
    """
    if x.ndim != 3:
        raise LabError(f"Distances in time need (batch, frames, features), not {tuple(x.shape)}. Probe an 'mfcc' run.")
    training = network.training
    network.eval()
    x = x.detach().clone().requires_grad_()
    try:
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward in eval mode
            scores = network(x, lengths)
            (gradient,) = torch.autograd.grad(scores.gather(1, targets[:, None]).sum(), x)
    finally:
        network.train(training)
    norms = gradient.norm(dim=2)  # (batch, frames)
    place = lengths[:, None] - 1 - torch.arange(x.shape[1], device=x.device)  # of each distance: (batch, frames)
    norms = norms.gather(1, place.clamp(min=0)).masked_fill(place < 0, torch.nan)
    return norms.nanmedian(dim=0).values.cpu()


def reach(norms, hop_ms, share=1e-3):
    """How far back a network hears: the distance in ms where the norm first falls below `share` of its largest value.

    Parameters
    ----------
    norms : torch.Tensor
        As `gradient_norms` returns them.
    hop_ms : float
        Time from frame to frame.
    share : float

    Returns
    -------
    float
        Milliseconds; the whole clip if it never falls so low.

    Examples
    --------
    >>> reach(torch.tensor([1.0, 0.1, 0.01, 0.0001, 0.0]), hop_ms=10)
    30.0
    """
    norms = norms[~norms.isnan()]
    largest = int(norms.argmax())
    low = (norms[largest:] < share * norms[largest]).nonzero()
    return float(hop_ms * (largest + int(low[0, 0]) if len(low) else len(norms)))
