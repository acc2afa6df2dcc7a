"""Answers to the blanks and the exercises of 08_live: one of several right ones for each."""

import math

import numpy as np


def step(block, state):
    past = np.zeros(9) if state is None else state
    values = np.concatenate([past, block])
    means = [values[n : n + 10].mean() for n in range(len(block))]
    return np.array(means), values[len(values) - 9 :]


def at_most(hours):
    return -math.log(0.05) / hours  # exp(-rate * hours) = 0.05


def choose(table):
    allowed = table[table.false_alarms_per_hour <= 2]
    return allowed.sort_values("hits").threshold.iloc[-1]
