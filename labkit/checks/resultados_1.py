"""Self-checks for the exercises of 02_Resultados_1."""

from numbers import Real

import torch

from ..experiments.sweep import committed
from .exploration import tell


def leak_cases():
    """Records of one network (a GRU on synthetic speech), its clips sorted into parts in two ways: cases A and B.

    One of them leaks. Which one is for the student to find out, so look away.

    Returns
    -------
    dict from name to list of Run
    """
    grids = {"A": "synthetic_leaky", "B": "synthetic"}
    runs = {case: committed(grid, "synthetic_speech_commands") for case, grid in grids.items()}
    return {case: [run for run in found if run.experiment.model.name == "gru"] for case, found in runs.items()}


def check_leak(cases, suspect, witnesses):
    """Did the student find which of two results leaks, and whose voices?

    Parameters
    ----------
    cases : dict from name to list of Run
        As `leak_cases` returns them.
    suspect : str
        Name of the one that leaks.
    witnesses : iterable of str
        Some speakers who prove it: trained on, and tested.

    Returns
    -------
    bool
    """
    return tell(
        _leak_problems(cases, suspect, witnesses),
        "The network was tested on voices it was trained on: part of its result is memory of these voices.",
    )


def _leak_problems(cases, suspect, witnesses):
    if suspect not in cases:
        return [f"say which of {list(cases)} you suspect, not {suspect!r}."]
    if witnesses is None or isinstance(witnesses, str) or not hasattr(witnesses, "__iter__"):
        return ["the witnesses are a list of speakers, such as ['0a7c2a8d']."]
    witnesses = list(witnesses)
    if not witnesses:
        return ["a suspicion is no proof. Which speakers did the network know already when it was tested?"]
    trained, tested = (
        set(speakers) for speakers in (_speakers(cases[suspect], "train"), _speakers(cases[suspect], "test"))
    )
    if not trained & tested:
        return [f"in {suspect!r} nobody who was trained on is tested. Look at the other one."]
    for name in witnesses:
        if name not in trained | tested:
            return [f"{name!r} is neither trained on nor tested in {suspect!r}. Look at the two lists of speakers."]
        if name not in trained & tested:
            return [f"{name} is {'trained on' if name in trained else 'tested'} only. A witness is in both."]
    return []


def _speakers(runs, part):
    for run in runs:
        yield from run.record["training_speakers"] if part == "train" else run.predictions("test").speaker


def check_reach(predict):
    """Does `predict(hop_ms)` say how far back a new plain RNN hears, if each frame leaves 0.577 of a gradient?

    Parameters
    ----------
    predict : callable
        From the hop in ms to the distance in ms at which less than a thousandth is left.

    Returns
    -------
    bool
    """
    return tell(
        _reach_problems(predict), "Thirteen frames, however long they are: a longer hop carries it further in time."
    )


def _reach_problems(predict):
    problems = []
    for hop in (10, 20, 60):
        try:
            answer = predict(hop)
        except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
            return [f"predict({hop}) fails: {type(error).__name__}: {error}"]
        answer = answer.item() if isinstance(answer, torch.Tensor) and answer.numel() == 1 else answer
        if isinstance(answer, bool) or not isinstance(answer, Real):
            return [f"predict({hop}) should be a number of milliseconds, not {answer!r}."]
        if not 12.5 * hop <= answer <= 13.0 * hop + 1e-6:  # 12.56 factors, so 13 whole frames
            frames = answer / hop
            problems.append(
                f"at a hop of {hop} ms you say {answer:g} ms, which is {frames:.1f} frames. After n frames 0.577 ** n "
                f"is left: {0.577**frames:.2g}. For which n is that a thousandth?"
            )
    return problems[:1]


def check_readout(readout):
    """Does `readout(outputs, lengths)` give both directions of a bidirectional layer the whole clip, and no padding?

    Parameters
    ----------
    readout : callable
        Takes outputs of shape (batch, frames, 2 * hidden), forward half first, and lengths of shape (batch,);
        returns (batch, anything).

    Returns
    -------
    bool
    """
    praise = "Both directions have read the whole clip, and nothing but the clip."
    return tell(_readout_problems(readout), praise)


def _readout_problems(readout):
    hidden, frames, lengths = 5, 9, torch.tensor([9, 4])
    inside = (torch.arange(frames) < lengths[:, None])[..., None]  # (batch, frames, 1)
    dice = torch.Generator().manual_seed(0)
    # Halves that only count what they have heard: running sums from the left, and from the clip's end.
    heard = [torch.rand(2, frames, hidden, generator=dice).requires_grad_() for _ in range(2)]
    forward = heard[0].cumsum(1)
    backward = (heard[1] * inside).flip(1).cumsum(1).flip(1)
    try:
        vector = readout(torch.cat([forward, backward], dim=-1), lengths)
    except Exception as error:  # as above
        return [f"it fails on outputs of shape (2, {frames}, {2 * hidden}): {type(error).__name__}: {error}"]
    if not isinstance(vector, torch.Tensor) or vector.ndim != 2 or len(vector) != 2:
        got = tuple(vector.shape) if isinstance(vector, torch.Tensor) else type(vector).__name__
        return [f"for two clips it should return a tensor of shape (2, something), not {got}."]
    if not vector.requires_grad:
        return ["what you return does not depend on the outputs."]
    problems = []
    gradients = torch.autograd.grad(vector.sum(), heard, allow_unused=True)
    for name, gradient in zip(("forward", "backward"), gradients, strict=True):
        reached = torch.zeros(2, frames) if gradient is None else gradient.abs().sum(2)
        part = f"outputs[..., :{hidden}]" if name == "forward" else f"outputs[..., {hidden}:]"
        if not reached.any():
            problems.append(f"the {name} half, {part}, has no part in your answer.")
        elif (reached * ~inside[..., 0]).any():
            problems.append(f"in the {name} half, frames beyond the clip's end change your answer. Use lengths.")
        elif not (reached > 0)[inside[..., 0]].all():
            far = "last" if name == "forward" else "first"
            problems.append(
                f"where you read it, the {name} half has not heard the {far} frame yet. At which frame does it end?"
            )
    return problems
