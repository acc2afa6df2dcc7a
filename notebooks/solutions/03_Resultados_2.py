"""Answers to the blanks and the exercises of 03_Resultados_2: one of several right ones for each."""

import math

import torch
from torch import sigmoid, tanh

from labkit.models.lstm_cells import cell

my_bias = 4.0


def half_life(f, hop_ms):
    kept = f.log().mean(0)  # (units,): mean of ln f over all frames
    return hop_ms * math.log(0.5) / kept


def shared(train, test):
    known = torch.cat([x for x, _ in train])  # (clips, frames, features)
    asked = torch.cat([x for x, _ in test])
    return sum(bool((known == clip).flatten(1).all(1).any()) for clip in asked) / len(asked)


@cell("mine", gates="fg")
def my_cell(pre, state, params):
    f = sigmoid(pre.f)
    c = f * state.c + (1 - f) * tanh(pre.g)
    h = tanh(c)
    return dict(f=f, c=c, h=h)


my_hidden = 96
