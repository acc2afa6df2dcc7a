"""Self-checks for the exercises of 06_voice_mnist."""

import numpy as np
import pandas as pd

from ..models import Model, count_parameters
from . import Wrong, attempt, check, number

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
    """Does `count(side, channels, pools, hidden)` give the parameters of a network of the series with ten classes?

    `side` is the number of bands and of frames of the picture; the others are tuples, as for the model voice_mnist.
    """
    for side, channels, pools, hidden in SERIES:
        model = Model("voice_mnist", channels=channels, pools=pools, hidden=hidden)
        right = count_parameters(model.build((1, side, side), 10))
        asked = f"count({side}, {channels}, {pools}, {hidden})"
        answer = number(asked, count, side, channels, pools, hidden)
        if answer == right:
            continue
        if answer == right - sum(channels) - sum(hidden) - 10:
            raise Wrong(f"{asked} = {answer:,}: the weights are right, the biases are missing: one per output.")
        if answer == _with_padding(side, channels, pools, hidden):
            raise Wrong(
                f"{asked} = {answer:,}: a 3x3 convolution without padding makes each side 2 shorter before its pool."
            )
        raise Wrong(f"{asked} = {answer:,}, but the network has {right:,}. Count each layer on paper for this one.")


def _with_padding(side, channels, pools, hidden):
    """Parameters of a network whose convolutions keep the size."""
    total, before = 0, 1
    for width, pool in zip(channels, pools, strict=True):
        total, before, side = total + (9 * before + 1) * width, width, side // pool
    widths = (before * side * side, *hidden, 10)
    return total + sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))


@check("Rows are what was said: now the sentence comes out the right way round.")
def check_confused(confused):
    """Does `confused(matrix)` name the most frequent mistake: what was said, and what it was taken for?

    `matrix` is a table of clips, true digits down and predicted ones across; what comes back is (said, taken for).
    """
    rng = np.random.default_rng(0)
    for said, heard in ((3, 2), (9, 5), (0, 6)):
        values = rng.integers(0, 20, (10, 10))
        np.fill_diagonal(values, 2500)
        values[said, heard], values[heard, said] = 42, 31
        matrix = pd.DataFrame(values, DIGITS, DIGITS)
        kept = matrix.copy()
        with attempt("confused(matrix)"):
            answer = tuple(str(name) for name in confused(matrix))
        if not matrix.equals(kept):
            raise Wrong("you change the table you were given. Work on matrix.copy(): it is wanted for other figures.")
        if answer == (str(said), str(heard)):
            continue
        if answer == (str(heard), str(said)):
            raise Wrong(
                f"you say {heard} was taken for {said}, but the row is what was said: {said} was taken for {heard}, "
                "42 times."
            )
        if len(answer) == 2 and answer[0] == answer[1]:
            raise Wrong("the diagonal holds what was right. Leave it out.")
        raise Wrong(f"you answer {answer}; the largest number off the diagonal stands in row {said}, column {heard}.")


@check("Precision asks of what was heard, recall of what was said.")
def check_report(report):
    """Does `report(matrix)` give precision and recall of each digit?

    `matrix` is a table of clips, true digits down and predicted ones across; what comes back is a DataFrame with the
    columns `precision` and `recall` (fractions between 0 and 1) and a row per digit.
    """
    values = np.random.default_rng(1).integers(0, 9, (10, 10)) + 90 * np.eye(10, dtype=int)
    values[:, 4] = 0  # nobody hears a four
    hits, said, heard = np.diag(values), values.sum(1), values.sum(0)
    right, precision = hits / said, np.where(heard > 0, hits / np.maximum(heard, 1), 0.0)
    with attempt("report(matrix), or one of its columns,"):
        answer = report(pd.DataFrame(values, DIGITS, DIGITS))
        found = {name: np.asarray(answer[name], dtype=float) for name in ("precision", "recall")}
    if any(column.shape != (10,) for column in found.values()):
        raise Wrong("give one row for each of the ten digits.")
    known = heard > 0
    if np.allclose(found["recall"][known], precision[known]) and np.allclose(found["precision"][known], right[known]):
        raise Wrong(
            "precision and recall are exchanged. Recall divides by the row: all clips in which the digit was said."
        )
    if np.allclose(found["recall"], 100 * right):
        raise Wrong("give fractions between 0 and 1, not percent.")
    if not np.allclose(found["recall"], right):
        yield "recall is the diagonal divided by the sum of its row."
    if not np.allclose(found["precision"][known], precision[known]):
        yield "precision is the diagonal divided by the sum of its column."
    elif found["precision"][4] != 0:
        yield "nobody heard a 4, so its precision is 0 / 0: write 0, as classification reports do."
