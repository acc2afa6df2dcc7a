"""The self-check of notebook 03: right cells pass, each wrong one is told which of its quantities is wrong."""

from types import FunctionType

import pytest
import torch
from torch import sigmoid, tanh

from labkit.checks.resultados_2 import check_cell
from labkit.models import MODELS
from labkit.models.lstm_cells import CELLS, cell


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
    assert check_cell(answer), capsys.readouterr().out
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
    import re

    assert not check_cell(answer)
    out = capsys.readouterr().out
    assert re.search(words, out) and out.startswith("Not yet: ")
