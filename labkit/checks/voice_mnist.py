"""Self-checks for the exercises of 06_voice_mnist; see `checks`."""

from numbers import Integral

import numpy as np
import pandas as pd

from ..models import Model, count_parameters
from .exploration import tell

SERIES = (  # bands and frames, channels, pools, hidden
    (64, (32, 64), (2, 2), (512,)),
    (128, (32,), (2,), (16,)),
    (64, (8, 16, 32), (1, 2, 2), (64, 32)),
    (30, (), (), (20,)),
    (41, (4,), (1,), ()),
)


def check_count(count):
    """Does `count(side, channels, pools, hidden)` give the parameters of a network of the series with ten classes?

    Parameters
    ----------
    count : callable
        Takes the bands (and frames) of the picture, and three tuples as `VoiceMNIST` does; returns one number.

    Returns
    -------
    bool
    """
    return tell(_count_problems(count), "You can now say what a network costs before you build it.")


def _count_problems(count):
    for side, channels, pools, hidden in SERIES:
        options = {"channels": channels, "pools": pools, "hidden": hidden}
        right = count_parameters(Model("voice_mnist", **options).build((1, side, side), 10))
        asked = f"count({side}, {channels}, {pools}, {hidden})"
        try:
            answer = count(side, channels, pools, hidden)
        except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
            return [f"{asked} fails: {type(error).__name__}: {error}"]
        if not isinstance(answer, Integral) or isinstance(answer, bool):
            return [f"{asked} = {answer!r}: a whole number is wanted."]
        if answer == right:
            continue
        biases = sum(channels) + sum(hidden) + 10
        if answer == right - biases:
            return [f"{asked} = {answer:,}: the weights are right, the biases are missing: one per output."]
        if answer == _with_padding(side, channels, pools, hidden):
            return [
                f"{asked} = {answer:,}: a 3x3 convolution without padding makes each side 2 shorter before its pool."
            ]
        return [f"{asked} = {answer:,}, but the network has {right:,}. Count each layer on paper for this one."]
    return []


def _with_padding(side, channels, pools, hidden):
    total, before = 0, 1
    for width, pool in zip(channels, pools, strict=True):
        total, before, side = total + (9 * before + 1) * width, width, side // pool
    widths = (before * side * side, *hidden, 10)
    return total + sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))


def check_confused(confused):
    """Does `confused(matrix)` name the most frequent mistake: what was said, and what it was taken for?

    Parameters
    ----------
    confused : callable
        Takes a table of clips, true digits down and predicted ones across; returns (said, taken for).

    Returns
    -------
    bool
    """
    return tell(_confused_problems(confused), "Rows are what was said: now the sentence comes out the right way round.")


def _confused_problems(confused):
    rng = np.random.default_rng(0)
    labels = list("0123456789")
    for said, heard in ((3, 2), (9, 5), (0, 6)):
        values = rng.integers(0, 20, (10, 10))
        np.fill_diagonal(values, 2500)
        values[said, heard], values[heard, said] = 42, 31
        matrix = pd.DataFrame(values, labels, labels)
        kept = matrix.copy()
        try:
            answer = tuple(str(name) for name in confused(matrix))
        except Exception as error:  # as above
            return [f"confused(matrix) fails: {type(error).__name__}: {error}"]
        if not matrix.equals(kept):
            return ["you change the table you were given. Work on matrix.copy(): it is wanted for other figures."]
        if answer == (labels[said], labels[heard]):
            continue
        if answer == (labels[heard], labels[said]):
            return [
                f"you say {answer[0]} was taken for {answer[1]}, but the row is what was said: {said} was taken for "
                f"{heard}, 42 times."
            ]
        if len(answer) == 2 and answer[0] == answer[1]:
            return ["the diagonal holds what was right. Leave it out."]
        return [f"you answer {answer}; the largest number off the diagonal stands in row {said}, column {heard}."]
    return []


def check_report(report):
    """Does `report(matrix)` give precision and recall of each digit?

    Parameters
    ----------
    report : callable
        Takes a table of clips, true digits down and predicted ones across; returns a DataFrame with the columns
        `precision` and `recall` (shares between 0 and 1) and a row per digit.

    Returns
    -------
    bool
    """
    return tell(_report_problems(report), "Precision asks of what was heard, recall of what was said.")


def _report_problems(report):
    labels = list("0123456789")
    values = np.random.default_rng(1).integers(0, 9, (10, 10)) + 90 * np.eye(10, dtype=int)
    values[:, 4], values[4, 4] = 0, 0  # nobody hears a four
    matrix = pd.DataFrame(values, labels, labels)
    hits, said, heard = np.diag(values), values.sum(1), values.sum(0)
    recall, precision = hits / said, np.where(heard > 0, hits / np.maximum(heard, 1), 0.0)
    try:
        answer = report(matrix.copy())
        found = {name: np.asarray(answer[name], dtype=float) for name in ("precision", "recall")}
    except Exception as error:  # as above
        return [f"report(matrix) fails, or lacks a column: {type(error).__name__}: {error}"]
    if any(values.shape != (10,) for values in found.values()):
        return ["give one row for each of the ten digits."]
    known = [place for place in range(10) if heard[place] > 0]
    if np.allclose(found["recall"][known], precision[known]) and np.allclose(found["precision"][known], recall[known]):
        return ["precision and recall are exchanged. Recall divides by the row: all clips in which the digit was said."]
    if np.allclose(found["recall"], 100 * recall):
        return ["give shares between 0 and 1, not percent."]
    problems = []
    if not np.allclose(found["recall"], recall):
        problems.append("recall is the diagonal divided by the sum of its row.")
    if not np.allclose(found["precision"][known], precision[known]):
        problems.append("precision is the diagonal divided by the sum of its column.")
    elif not np.isfinite(found["precision"][4]) or found["precision"][4] != 0:
        problems.append("nobody heard a 4, so its precision is 0 / 0: write 0, as classification reports do.")
    return problems
