"""Self-checks for the exercises of 06_voice_mnist."""

import numpy as np
import pandas as pd

from ..models import Model, count_parameters
from . import attempt, check, compare, need

SERIES = (  # bands and frames, channels, pools, hidden
    (64, (32, 64), (2, 2), (512,)),
    (128, (32,), (2,), (16,)),
    (64, (8, 16, 32), (1, 2, 2), (64, 32)),
    (30, (), (), (20,)),
    (41, (4,), (1,), ()),
)
DIGITS = list("0123456789")


@check("You can now say what a network costs before you build it.")
def check_count(count):
    """Does `count(side, channels, pools, hidden)` give the parameters of voice_mnist with ten classes?"""
    for side, channels, pools, hidden in SERIES:
        network = Model("voice_mnist", channels=channels, pools=pools, hidden=hidden).build((1, side, side), 10)
        right, flat, padded = count_parameters(network), side, side  # sides without and with padding
        for pool in pools:
            flat, padded = (flat - 2) // pool, padded // pool
        width = (*hidden, 10)[0] * (channels or (1,))[-1]  # weights of the first linear layer for each pixel
        mistakes = {
            right - sum(channels) - sum(hidden) - 10: "the weights are right, the biases are missing: one per output.",
            right + width * (padded**2 - flat**2): "a convolution makes each side 2 shorter before its pool.",
        }
        said = f"count({side}, {channels}, {pools}, {hidden})"
        otherwise = f"the network has {right:,}. Count each layer on paper for this one."
        compare(said, count, [side, channels, pools, hidden], right, mistakes, otherwise)


@check("Rows are what was said: now the sentence comes out the right way round.")
def check_confused(confused):
    """Does `confused(matrix)`, true digits down, name the most frequent mistake as (said, taken for)?"""
    rng = np.random.default_rng(0)
    for said, heard in ("32", "95", "06"):
        matrix = pd.DataFrame(rng.integers(0, 20, (10, 10)) + 2500 * np.eye(10, dtype=int), DIGITS, DIGITS)
        matrix.loc[said, heard], matrix.loc[heard, said] = 42, 31
        kept = matrix.copy()
        with attempt("confused(matrix)"):
            answer = tuple(str(name) for name in confused(matrix))
        spoilt = "you change the table you were given. Work on matrix.copy(): it is wanted for other figures."
        need(matrix.equals(kept), spoilt)
        exchanged = f"exchange them: the row is what was said, so {said} was taken for {heard}, 42 times."
        need(answer != (heard, said), exchanged)
        diagonal = len(answer) == 2 and answer[0] == answer[1]
        need(not diagonal, "the diagonal holds what was right. Leave it out.")
        place = f"the largest number off the diagonal stands in row {said}, column {heard}"
        need(answer == (said, heard), f"{answer} is wrong: {place}.")


@check("Precision asks of what was heard, recall of what was said.")
def check_report(report):
    """Does `report(matrix)`, true digits down, return a table with the `precision` and `recall` of each digit?"""
    values = np.random.default_rng(1).integers(0, 9, (10, 10)) + 90 * np.eye(10, dtype=int)
    values[:, 4] = 0  # nobody hears a four
    by_row, by_column = np.diag(values) / values.sum(1), np.diag(values) / np.maximum(values.sum(0), 1)
    known = values.sum(0) > 0
    with attempt("report(matrix), or one of its columns,"):
        answer = report(pd.DataFrame(values, DIGITS, DIGITS))
        precision, recall = (np.asarray(answer[name], dtype=float) for name in ("precision", "recall"))
    need(precision.shape == recall.shape == (10,), "give one row for each of the ten digits.")
    exchanged = np.allclose(recall[known], by_column[known]) and np.allclose(precision[known], by_row[known])
    need(not exchanged, "precision and recall are exchanged. Recall divides by the row: all clips with the digit.")
    need(not np.allclose(recall, 100 * by_row), "give fractions between 0 and 1, not percent.")
    divided = np.allclose(precision[known], by_column[known])
    need(divided, "precision is the diagonal divided by the sum of its column.")
    need(precision[4] == 0, "nobody heard a 4, so its precision is 0 / 0: write 0, as classification reports do.")
    need(np.allclose(recall, by_row), "recall is the diagonal divided by the sum of its row.")
