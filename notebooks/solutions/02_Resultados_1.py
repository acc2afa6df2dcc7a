"""Answers to the blanks and the exercises of 02_Resultados_1: one of several right ones for each."""

import torch

my_suspect = "A"


def frame_gradients(network, x, targets):
    x = x.clone().requires_grad_()
    scores = network(x)  # (batch, words)
    right = scores.gather(1, targets[:, None])  # (batch, 1): of each clip's own word
    (gradient,) = torch.autograd.grad(right.sum(), x)  # (batch, frames, features)
    return gradient.norm(dim=2)  # (batch, frames)


def reach(curve, hop_ms):
    for distance, value in enumerate(curve):
        if value < curve.max() / 1000:
            return distance * hop_ms
    return len(curve) * hop_ms


def my_witnesses(run):
    return set(run.record["training_speakers"]) & set(run.predictions("test").speaker)


def my_readout(outputs, lengths):
    half = outputs.shape[2] // 2
    last = outputs[torch.arange(len(outputs)), lengths - 1]
    return torch.cat([last[:, :half], outputs[:, 0, half:]], dim=1)
