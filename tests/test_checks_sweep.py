"""The self-checks of 02: several right answers pass, and each of the planted mistakes is named."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from labkit.checks.resultados_1 import (
    check_gradients,
    check_leak,
    check_reach,
    check_readout,
    leak_cases,
)
from labkit.models.rnn import both_ends, last_frame, max_frames, mean_frames

SOLUTIONS = Path(__file__).resolve().parents[1] / "notebooks" / "solutions"
ANSWERS = runpy.run_path(str(SOLUTIONS / "02_Resultados_1.py"))


def run(trained, tested):
    """A record as far as the check looks at it."""
    table = pd.DataFrame({"speaker": tested})
    return SimpleNamespace(record={"training_speakers": trained}, predictions=lambda part: table)


CASES = {
    "A": [run(["ana", "ben", "cem"], ["ben", "dea"]), run(["ana", "ben", "cem"], ["cem", "dea"])],
    "B": [run(["ana", "ben"], ["cem", "dea"])],
}


def test_the_leak_is_found_with_its_witnesses(capsys):
    for witnesses in (["ben"], {"ben", "cem"}, pd.Series(["cem"]), np.array(["ben"])):
        assert check_leak(CASES, "A", witnesses)
    assert capsys.readouterr().out.count("Right.") == 4


@pytest.mark.parametrize(
    ("suspect", "witnesses", "words"),
    [
        ("C", [], "which of ['A', 'B']"),
        ("A", "ben", "a list of speakers"),
        ("A", None, "a list of speakers"),
        ("A", [], "a suspicion is no proof"),
        ("A", ["eve"], "'eve' is neither trained on nor tested in 'A'"),
        ("A", ["ben", "ana"], "ana is trained on only"),
        ("A", ["dea"], "dea is tested only"),
        ("A", [3], "3 is neither trained on nor tested"),
        ("A", 7, "a list of speakers"),
        (None, ["ben"], "not None"),
        ("B", ["ana"], "nobody who was trained on is tested. Look at the other one"),
    ],
)
def test_a_wrong_suspicion_is_told_why(suspect, witnesses, words, capsys):
    assert not check_leak(CASES, suspect, witnesses)
    assert words in capsys.readouterr().out


def test_the_leak_of_the_lab_is_found_by_the_labs_answer():
    cases, suspect = leak_cases(), ANSWERS["my_suspect"]
    assert check_leak(cases, suspect, ANSWERS["my_witnesses"](cases[suspect][0]))


# ---- blank 1: the gradient of a score with respect to each frame


def slopes(network, x, value):
    """The gradient of a value that is computed from the scores."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(value(network(x)), x)[0]


def own(targets):
    return lambda scores: scores.gather(1, targets[:, None]).sum()


def by_backward(network, x, targets):
    x.requires_grad_()
    network(x)[torch.arange(len(x)), targets].sum().backward()
    return x.grad.pow(2).sum(2).sqrt()


def clip_by_clip(network, x, targets):
    rows = [
        slopes(network, clip[None], lambda scores, word=word: scores[0, word])[0]
        for clip, word in zip(x, targets, strict=True)
    ]
    return torch.linalg.vector_norm(torch.stack(rows), dim=-1)


GRADIENTS = [ANSWERS["frame_gradients"], by_backward, clip_by_clip]
NO_GRADIENTS = [
    (lambda network, x, targets: torch.zeros(x.shape[:2]), "all gradients are zero"),
    (lambda network, x, targets: slopes(network, x, own(targets)), "not (4, 6, 2). Take the norm"),
    (lambda network, x, targets: slopes(network, x, own(targets)).norm(dim=1), "not (4, 2)"),
    (lambda network, x, targets: slopes(network, x, own(targets)).norm(), "not ()"),
    (lambda network, x, targets: slopes(network, x, own(targets)).norm(dim=2).mean(0), "not (6,)"),
    (lambda network, x, targets: slopes(network, x, own(targets)).norm(dim=2).numpy(), "not ndarray"),
    (lambda network, x, targets: slopes(network, x, torch.sum).norm(dim=2), "the scores of all words"),
    (lambda network, x, targets: slopes(network, x, lambda s: s.amax(1).sum()).norm(dim=2), "highest score"),
    (lambda network, x, targets: slopes(network, x, lambda s: cross_entropy(s, targets)).norm(dim=2), "of the loss"),
    (
        lambda network, x, targets: slopes(network, x, lambda s: own(targets)(s.softmax(1))).norm(dim=2),
        "of a probability",
    ),
    (
        lambda network, x, targets: slopes(network, x, lambda s: own(targets)(s) / 4).norm(dim=2),
        "average over the clips",
    ),
    (lambda network, x, targets: slopes(network, x, own(targets)).norm(dim=2).flip(1), "turned round"),
    (lambda network, x, targets: slopes(network, x, own(targets)).pow(2).sum(2), "square of the norm"),
    (lambda network, x, targets: slopes(network, x, own(targets)).abs().sum(2), "not the Euclidean norm"),
    (lambda network, x, targets: slopes(network, x, own(targets)).abs().amax(2), "not the Euclidean norms"),
    (lambda network, x, targets: x.norm(dim=2), "the norm of x"),
    (lambda network, x, targets: torch.autograd.grad(network(x).sum(), x)[0], "fails: RuntimeError"),
    (lambda network, x: x, "fails: TypeError"),
    (lambda network, x, targets: None, "not NoneType"),
]


@pytest.mark.parametrize("frame_gradients", GRADIENTS)
def test_gradients_may_be_asked_for_in_several_ways(frame_gradients, capsys):
    assert check_gradients(frame_gradients) is frame_gradients
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(("frame_gradients", "words"), NO_GRADIENTS)
def test_a_wrong_gradient_is_told_why(frame_gradients, words, capsys):
    check_gradients(frame_gradients)
    said = capsys.readouterr().out
    assert said.startswith("Not yet:") and words in said


# ---- blank 2: the reach


def with_tensors(curve, hop_ms):
    low = (curve < curve.max() / 1000).nonzero()
    return hop_ms * (int(low[0]) if len(low) else len(curve))


def with_a_generator(curve, hop_ms):
    relative = curve / curve.max()
    return float(hop_ms * next((d for d, value in enumerate(relative) if value < 1e-3), len(curve)))


REACHES = [ANSWERS["reach"], with_tensors, with_a_generator]
NO_REACHES = [
    (lambda curve, hop_ms: 0, "so the answer is 60 ms"),
    (lambda curve, hop_ms: with_tensors(curve, 1), "3 is in frames"),
    (lambda curve, hop_ms: hop_ms * int((curve < curve.max() / 1000).nonzero()[-1]), "the *first* distance"),
    (lambda curve, hop_ms: with_tensors(curve, hop_ms) - hop_ms, "the last distance that is heard"),
    (lambda curve, hop_ms: with_tensors(curve, hop_ms) + hop_ms, "one frame too far"),
    (lambda curve, hop_ms: hop_ms * len(curve), "the whole curve"),
    (lambda curve, hop_ms: hop_ms * int((curve < curve.max() / 1000).nonzero()[0]), "IndexError"),
    (lambda curve, hop_ms: with_tensors(curve, hop_ms) if len(curve) > 4 else 0, "it never falls below"),
    (lambda curve, hop_ms: with_tensors(torch.cat([curve, curve[:1]]), hop_ms), "it never falls below"),
    (lambda curve, hop_ms: hop_ms * int((curve < 1e-3).nonzero()[0]), "the *first* distance"),
    (
        lambda curve, hop_ms: next(
            (hop_ms * d for d, v in enumerate(curve) if v < curve[0] / 1000), hop_ms * len(curve)
        ),
        "is not entry 0",
    ),
    (lambda curve, hop_ms: "far", "should be a number, not 'far'"),
    (lambda curve, hop_ms: None, "should be a number, not None"),
    (lambda curve: 60, "TypeError"),
]


@pytest.mark.parametrize("reach", REACHES)
def test_the_reach_may_be_found_in_several_ways(reach, capsys):
    assert check_reach(reach) is reach
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(("reach", "words"), NO_REACHES)
def test_a_wrong_reach_is_told_why(reach, words, capsys):
    check_reach(reach)
    said = capsys.readouterr().out
    assert said.startswith("Not yet:") and words in said


def test_until_the_blanks_are_right_the_notebook_goes_on_with_the_labs_answers(monkeypatch):
    monkeypatch.chdir(SOLUTIONS.parent)
    curve = torch.tensor([1.0, 0.5, 0.0001])
    assert check_reach(lambda curve, hop_ms: 0)(curve, 20) == 40
    mine = check_gradients(lambda network, x, targets: x)
    found = mine(lambda x: 3 * x.sum(1), torch.ones(1, 5, 2), torch.tensor([0]))
    torch.testing.assert_close(found, torch.full((1, 5), 3.0))


# ---- exercise 3: the readout


@pytest.mark.parametrize(
    "readout",
    [
        ANSWERS["my_readout"],
        both_ends,
        mean_frames,
        max_frames,
        lambda outputs, lengths: torch.cat([mean_frames(outputs, lengths), both_ends(outputs, lengths)], dim=1),
        lambda outputs, lengths: torch.stack([outputs[n, : lengths[n]].sum(0) for n in range(len(outputs))]),
    ],
)
def test_readouts_that_hear_all_of_the_clip_pass(readout):
    assert check_readout(readout)


@pytest.mark.parametrize(
    ("readout", "words"),
    [
        (last_frame, "the backward half has not heard the first frame yet"),
        (lambda outputs, lengths: outputs[:, 0], "the forward half has not heard the last frame yet"),
        (lambda outputs, lengths: outputs[:, -1], "frames beyond the clip's end"),
        (lambda outputs, lengths: outputs.mean(1), "frames beyond the clip's end"),
        (
            lambda outputs, lengths: last_frame(outputs, lengths)[:, :5],
            "the backward half, outputs[..., 5:], has no part",
        ),
        (lambda outputs, lengths: outputs, "shape (2, something), not (2, 9, 10)"),
        (lambda outputs, lengths: None, "not NoneType"),
        (lambda outputs, lengths: torch.zeros(2, 3), "does not depend on the outputs"),
        (lambda outputs: outputs, "readout on outputs of shape (2, 9, 10) fails: TypeError"),
        (lambda outputs, lengths: both_ends(outputs, lengths).detach(), "does not depend on the outputs"),
        (lambda outputs, lengths: both_ends(outputs.flip(1), lengths), "frames beyond the clip's end"),
    ],
)
def test_readouts_that_do_not_are_told_why(readout, words, capsys):
    assert not check_readout(readout)
    assert words in capsys.readouterr().out
