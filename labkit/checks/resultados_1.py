"""Self-checks for the exercises of 02_Resultados_1."""

import torch

from ..experiments.sweep import committed
from . import attempt, check, need, number, shape


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


@check("Thirteen frames, however long they are: a longer hop carries it further in time.")
def check_reach(predict):
    """Does `predict(hop_ms)` say after how many ms a thousandth of a gradient is left, at 0.577 a frame?"""
    for hop in (10, 20, 60):
        answer = number(f"predict({hop})", predict, hop)
        frames = answer / hop
        left = f"After n frames 0.577 ** n is left: {0.577**frames:.2g}. For which n is that a thousandth?"
        said = f"at a hop of {hop} ms you say {answer:g} ms, which is {frames:.1f} frames"
        need(12.5 <= frames <= 13.0 + 1e-6, f"{said}. {left}")  # 12.56 factors, so 13 whole frames


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
