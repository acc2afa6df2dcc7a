"""The self-checks of notebook 03: right answers pass, and each planted mistake is named."""

import math
import re
import runpy
from pathlib import Path
from types import FunctionType

import pytest
import torch
from torch import sigmoid, tanh

from labkit.checks.resultados_2 import check_cell, check_half_life, check_shared
from labkit.models import MODELS
from labkit.models.lstm_cells import CELLS, cell

ANSWERS = runpy.run_path(str(Path(__file__).resolve().parents[1] / "notebooks" / "solutions" / "03_Resultados_2.py"))
CELLS.pop("mine"), MODELS.pop("mine")


def made(step, gates="fg", **extras):
    copy = FunctionType(step.__code__, step.__globals__, step.__name__)
    found = cell("mine", gates, **extras)(copy)
    CELLS.pop("mine"), MODELS.pop("mine")
    return found


def right(pre, state, params):
    f = sigmoid(pre.f)
    c = f * state.c + (1 - f) * tanh(pre.g)
    return dict(f=f, c=c, h=tanh(c))


def another(pre, state, params):
    c = sigmoid(pre.f + params.p * state.h) * tanh(pre.g) + state.c / 2
    h = torch.relu(c)
    return dict(c=c, h=h)


@pytest.mark.parametrize(
    "answer", [made(right), made(another, p="vector"), *map(CELLS.get, ["peephole_full", "coupled"])]
)
def test_right_answers_pass(answer, capsys):
    assert check_cell(answer) is answer
    assert "Right. It can be trained" in capsys.readouterr().out


def wrong_shape(pre, state, params):
    f = sigmoid(pre.f)[:, :1]
    g = torch.cat([pre.g, pre.g], dim=1)
    return dict(f=f, g=g, c=f * state.c, h=g)


def mixed(pre, state, params):
    f = sigmoid(pre.f)
    g = torch.softmax(pre.g, dim=0)
    c = f * state.c + g
    return dict(f=f, g=g, c=c, h=c)


def in_place(pre, state, params):
    f = sigmoid(pre.f)
    c = state.c.mul_(f) + pre.g
    return dict(f=f, c=c, h=c)


def not_a_number(pre, state, params):
    f = torch.log(pre.f)
    c = f * state.c + pre.g
    return dict(f=f, c=c, h=c)


def overflows(pre, state, params):
    f = torch.exp(pre.f) ** 2
    c = f * state.c + tanh(pre.g)
    return dict(f=f, c=c, h=tanh(c))


def fails(pre, state, params):
    f = sigmoid(pre.f)
    c = f @ state.c
    return dict(f=f, c=c, h=c)


def unknown(pre, state, params):
    c = pre.i * state.c
    return dict(c=c, h=c)


def alone(pre, state, params):
    c = sigmoid(pre.f) * state.c + tanh(pre.g)
    return c


def idle(pre, state, params):
    c = state.c + pre.g
    return dict(c=c, h=c)


def fixed(pre, state, params):
    return dict(c=state.c, h=state.h)


def generator(pre, state, params):
    c = state.c + torch.rand_like(pre.f) * pre.g * pre.f
    return dict(c=c, h=c)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (right, "no cell yet. Put @cell"),
        (made(wrong_shape), r"f has the shape \(5, 1\); it should have \(5, 7\) \(batch, hidden\)"),
        (made(mixed), "g of one clip changes when another clip of the batch does"),
        (made(in_place), "state.c is changed in place"),
        (made(not_a_number), "f is not a finite number everywhere, with ordinary"),
        (made(overflows), "f is not a finite number everywhere, with large"),
        (made(fails), r"the line `c = f @ state.c` fails: RuntimeError.*shape \(5, 7\)"),
        (made(unknown), "the line `c = pre.i . state.c` fails: AttributeError"),
        (made(alone), "returned a Tensor. End it with `return dict"),
        (made(idle), "pre.f has no influence"),
        (made(right, p="vector"), "params.p has no influence"),
        (made(fixed), "nothing can be learnt"),
        (made(generator), "random numbers|changes when another clip"),
    ],
)
def test_wrong_answers_are_told_which_quantity_is_wrong(answer, words, capsys):
    check_cell(answer)
    out = capsys.readouterr().out
    assert re.search(words, out) and out.startswith("Not yet: ")


HALF = math.log(2)


def frame_by_frame(f, hop_ms):
    return torch.stack([-hop_ms * HALF / unit.log().mean() for unit in f.T])


RIGHT_HALF_LIVES = [
    ANSWERS["half_life"],
    lambda f, hop_ms: -hop_ms / f.log2().mean(dim=0),
    lambda f, hop_ms: hop_ms * HALF * len(f) / -f.prod(0).log(),
    frame_by_frame,
]


@pytest.mark.parametrize("answer", RIGHT_HALF_LIVES)
def test_several_half_lives_are_right(answer, capsys):
    assert check_half_life(answer) is answer
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda f, hop_ms: -hop_ms * HALF / f.mean(0).log(), "you average f"),
        (lambda f, hop_ms: -hop_ms / f.log().mean(0), "until 1/e"),
        (lambda f, hop_ms: -hop_ms * HALF / f.log2().mean(0), "different bases"),
        (lambda f, hop_ms: -hop_ms * HALF / f.log().sum(0), "add up the logarithms"),
        (lambda f, hop_ms: -hop_ms * HALF / f[-1].log(), "of one frame only"),
        (lambda f, hop_ms: (-hop_ms * HALF / f.log()).mean(0), "average the half-lives"),
        (lambda f, hop_ms: hop_ms * HALF / f.log().mean(0), "sign is wrong"),
        (lambda f, hop_ms: -HALF / f.log().mean(0), "number of frames"),
        (lambda f, hop_ms: -hop_ms / 1000 * HALF / f.log().mean(0), "in seconds"),
        (lambda f, hop_ms: -20 * HALF / f.log().mean(0), "hop of 20 ms for granted"),
        (lambda f, hop_ms: -hop_ms * HALF / f.log().mean(1), r"not \(4,\)"),
        (lambda f, hop_ms: -hop_ms * HALF / f.log().mean(), r"not \(\)"),
        (lambda f, hop_ms: hop_ms / (1 - f.mean(0)), "1 - f is no logarithm"),
        (lambda f, hop_ms: hop_ms * f.sum(0), r"it should be 5\.614 ms"),
        (lambda f, hop_ms: -hop_ms * HALF / math.log(f.mean(0)), "fails: "),
        (lambda f, hop_ms: None, "not NoneType"),
    ],
)
def test_each_mistake_in_a_half_life_is_named(answer, words, capsys):
    check_half_life(answer)
    assert re.search(words, capsys.readouterr().out.splitlines()[0])


def clips_of(loader):
    return [clip for x, _ in loader for clip in x]


def with_bytes(train, test):
    known = {clip.numpy().tobytes() for clip in clips_of(train)}
    return sum(clip.numpy().tobytes() in known for clip in clips_of(test)) / len(clips_of(test))


def with_distances(train, test):
    known, asked = (torch.stack(clips_of(loader)).flatten(1) for loader in (train, test))
    return (torch.cdist(asked, known).amin(1) == 0).float().mean()


@pytest.mark.parametrize("answer", [ANSWERS["shared"], with_bytes, with_distances])
def test_several_fractions_are_right(answer, capsys):
    assert check_shared(answer) is answer
    assert capsys.readouterr().out.startswith("Right.")


def found(train, test, key=lambda clip: clip.numpy().tobytes()):
    """Which clips of the test are in train, by some property."""
    known = {key(clip) for clip in clips_of(train)}
    return [key(clip) in known for clip in clips_of(test)]


def distinct(train, test):
    known, asked = ({clip.numpy().tobytes() for clip in clips_of(loader)} for loader in (train, test))
    return known, asked


def by_place(train, test):
    same = [torch.equal(a[0], b[0]) for (a, _), (b, _) in zip(train, test, strict=True)]
    return sum(same) / len(same)


def by_targets(train, test):
    known = {int(target) for _, targets in train for target in targets}
    asked = [int(target) for _, targets in test for target in targets]
    return sum(target in known for target in asked) / len(asked)


def in_list(train, test):
    return sum(clip in clips_of(train) for clip in clips_of(test)) / len(clips_of(test))


SHARED_MISTAKES = [
    (lambda train, test: sum(found(train, test)), "that is their number"),
    (lambda train, test: 100 * with_bytes(train, test), "between 0 and 1"),
    (lambda train, test: len(distinct(train, test)[0] & distinct(train, test)[1]) / 12, "fraction of the .training"),
    (lambda train, test: len(distinct(train, test)[0] & distinct(train, test)[1]) / 9, "drawn twice"),
    (lambda train, test: sum(found(train, test, lambda clip: round(clip.sum().item(), 3))) / 10, "the first frames"),
    (lambda train, test: sum(found(train, test, lambda clip: tuple(clip[0].tolist()))) / 10, "the first frames"),
    (lambda train, test: sum(found(train, test[:1])) / len(test[0][0]), "first batch only"),
    (by_targets, "you compare targets"),
    (lambda train, test: 1 - with_bytes(train, test), "not. in train"),
    (by_place, "none is found"),
    (lambda train, test: len(set(clips_of(train)) & set(clips_of(test))) / 10, "none is found"),
    (lambda train, test: any(found(train, test)), "should be a number, not True"),
    (lambda train, test: found(train, test), "should be a number"),
    (in_list, "fails: RuntimeError"),
    (lambda train, test: sum(found(train, test)) / len(test), "divide by the batches"),
    (lambda train, test: sum(sum(found(train, [batch])) / len(batch[0]) for batch in test) / 4, "not over batches"),
    (lambda train, test: 0.42, "it should be 0.4"),
]


@pytest.mark.parametrize("number", range(len(SHARED_MISTAKES)))
def test_each_mistake_in_a_fraction_is_named(number, capsys):
    answer, words = SHARED_MISTAKES[number]
    check_shared(answer)
    assert re.search(words, capsys.readouterr().out.splitlines()[0])
