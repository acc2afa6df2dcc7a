"""Self-checks for the blanks and the exercises of 02_Resultados_1."""

import torch
from torch import nn

from ..experiments.sweep import committed
from . import attempt, check, compare, need, shape


class Fading(nn.Module):
    """Scores in which each frame back counts a quarter of the next."""

    def forward(self, x):  # (batch, frames, 2)
        back = torch.arange(x.shape[1] - 1, -1, -1)
        return (0.25 ** back[:, None] * (x @ torch.tensor([[1.0, 3.0, -1.0], [2.0, 0.5, 4.0]]))).sum(1)


@check("One number for each frame: how far it moves the right word's score.", blank="02_Resultados_1.frame_gradients")
def check_gradients(frame_gradients):
    """Does `frame_gradients(network, x, targets)` give |d score of the target / d x[t]|, shape (batch, frames)?"""
    x, targets = torch.randn(4, 6, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 2, 1, 1])
    with attempt("frame_gradients(network, x, targets)"):
        found = frame_gradients(Fading(), x.clone(), targets)
    told = f"4 clips of 6 frames with 2 features should give (4, 6), not {shape(found)}."
    need(shape(found) == (4, 6), f"{told} Take the norm over the features, dimension 2, and keep the clips apart.")
    need(found.any(), "all gradients are zero. Ask torch.autograd.grad for them.")

    def slopes(value):
        return torch.autograd.grad(value, x, retain_graph=True)[0]  # (clips, frames, features)

    scores = Fading()(x.requires_grad_())  # (clips, words)
    own, probability = (values.gather(1, targets[:, None]).sum() for values in (scores, scores.softmax(1)))
    right = slopes(own).norm(dim=2)
    mistakes = {
        "you add up the scores of all words. Take the score of each clip's own word: gather.": scores.sum(),
        "this is the word with the highest score. Take the right word, targets.": scores.amax(1).sum(),
        "this is the gradient of the loss. Take that of the score.": nn.functional.cross_entropy(scores, targets),
        "this is the gradient of a probability. Leave the softmax out.": probability,
        "you average over the clips, which divides each gradient by their number. Add them up.": own / 4,
    }
    mistakes = {sentence: slopes(value).norm(dim=2) for sentence, value in mistakes.items()}
    euclid = "this is not the Euclidean norm, the root of the sum of the squares. Use .norm(dim=2)."
    mistakes |= {
        "the order of the frames is turned round. Entry 0 is frame 0.": right.flip(1),
        "this is the square of the norm. Take its root: .norm(dim=2).": right**2,
        "this is the norm of x. Take that of the gradient.": x.norm(dim=2),
        euclid: slopes(own).abs().sum(2),
    }
    for sentence, wrong in mistakes.items():
        need(not torch.allclose(found, wrong), sentence)
    need(torch.allclose(found, right), "the numbers are not the Euclidean norms |d score of the right word / d frame|.")


@check("So a reach can be compared between windows: it is in milliseconds.", blank="02_Resultados_1.reach")
def check_reach(reach):
    """Does `reach(curve, hop_ms)` say where the curve first falls below a thousandth of its largest value, in ms?"""
    first = "it falls below 0.008, a thousandth of the largest value, at distance 3, so the answer is 60 ms."
    mistakes = {
        3: "3 is in frames. Multiply by hop_ms.",
        100: "the curve rises again later. Take the *first* distance at which it is too small.",
        40: "that is the last distance that is heard. Take the first that is not.",
        80: "one frame too far. Entry 0 of the curve is distance 0.",
        120: "that is the whole curve. Is it never below a thousandth of *its* largest value, 0.008?",
    }
    never = "it never falls below a thousandth of its largest value. Then the reach is the whole clip, 40 ms."
    cases = [
        ((8.0, 1.0, 0.1, 0.0079, 0.5, 0.0), 20, 60, mistakes, first),
        ((0.02, 0.01, 0.005, 0.001), 10, 40, {}, never),
        ((0.01, 8.0, 0.5, 0.0079, 0.001), 10, 30, {}, "the largest value, 8, is not entry 0: ask for curve.max()."),
    ]
    for curve, hop, right, known, otherwise in cases:
        said = f"for the curve {curve} and a hop of {hop} ms, reach"
        compare(said, reach, [torch.tensor(curve), hop], right, known, otherwise)


def leak_cases():
    """Runs of a GRU on synthetic speech, its clips sorted into parts in two ways; the grids' names tell which leaks."""
    grids = {"A": "synthetic_leaky", "B": "synthetic"}
    runs = {case: committed(grid, "synthetic_speech_commands") for case, grid in grids.items()}
    return {case: [run for run in found if run.experiment.model.name == "gru"] for case, found in runs.items()}


@check("The network was tested on voices it was trained on: part of its result is memory of these voices.")
def check_leak(cases, suspect, witnesses):
    """Did the student find which of `cases` leaks, and some speakers who prove it: trained on, and tested?"""
    need(suspect in cases, f"say which of {list(cases)} you suspect, not {suspect!r}.")
    several = hasattr(witnesses, "__len__") and not isinstance(witnesses, str)
    need(several, "the witnesses are a list of speakers, such as ['0a7c2a8d'].")
    need(len(witnesses), "a suspicion is no proof. Which speakers did the network know already when it was tested?")
    trained = {name for run in cases[suspect] for name in run.record["training_speakers"]}
    tested = {name for run in cases[suspect] for name in run.predictions("test").speaker}
    need(trained & tested, f"in {suspect!r} nobody who was trained on is tested. Look at the other one.")
    for name in witnesses:
        known = name in trained | tested
        need(known, f"{name!r} is neither trained on nor tested in {suspect!r}. Look at the two lists of speakers.")
        only = "trained on" if name in trained else "tested"
        need(name in trained & tested, f"{name} is {only} only. A witness is in both.")


@check("Both directions have read the whole clip, and nothing but the clip.")
def check_readout(readout):
    """Does `readout(outputs, lengths)` give both halves of a bidirectional layer the whole clip, and no padding?

    `outputs` has shape (batch, frames, 2 * hidden), forward half first; what comes back has shape (batch, anything).
    """
    hidden, frames, lengths = 5, 9, torch.tensor([9, 4])
    inside = torch.arange(frames) < lengths[:, None]  # (batch, frames)
    generator = torch.Generator().manual_seed(0)
    # Halves that only count what they have heard: running sums from the left, and from the clip's end.
    heard = [torch.rand(2, frames, hidden, generator=generator).requires_grad_() for _ in range(2)]
    backward = (heard[1] * inside[..., None]).flip(1).cumsum(1).flip(1)
    outputs = torch.cat([heard[0].cumsum(1), backward], dim=-1)
    with attempt(f"readout on outputs of shape {tuple(outputs.shape)}"):
        vector = readout(outputs, lengths)
    fits = isinstance(vector, torch.Tensor) and vector.ndim == 2 and len(vector) == 2
    need(fits, f"for two clips it should return a tensor of shape (2, something), not {shape(vector)}.")
    need(vector.requires_grad, "what you return does not depend on the outputs.")
    gradients = torch.autograd.grad(vector.sum(), heard, materialize_grads=True)
    halves = (("forward", f":{hidden}", "last"), ("backward", f"{hidden}:", "first"))
    for (name, part, far), gradient in zip(halves, gradients, strict=True):
        reached = gradient.abs().sum(2) > 0  # (batch, frames)
        need(reached.any(), f"the {name} half, outputs[..., {part}], has no part in your answer.")
        beyond = f"in the {name} half, frames beyond the clip's end change your answer. Use lengths."
        need(not reached[~inside].any(), beyond)
        early = f"where you read it, the {name} half has not heard the {far} frame yet. At which frame does it end?"
        need(reached[inside].all(), early)
