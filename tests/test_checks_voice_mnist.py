"""The self-checks of 06_voice_mnist: several right answers pass, and each usual mistake is named."""

import numpy as np
import pandas as pd
import pytest

from labkit.checks.voice_mnist import check_confused, check_count, check_report


def by_hand(side, channels, pools, hidden, lost=2, bias=1):
    total, before = 0, 1
    for width, pool in zip(channels, pools, strict=True):
        total, before, side = total + (9 * before + bias) * width, width, (side - lost) // pool
    widths = [before * side * side, *hidden, 10]
    return total + sum((widths[i] + bias) * widths[i + 1] for i in range(len(widths) - 1))


def built(side, channels, pools, hidden):
    from labkit.models import Model, count_parameters

    model = Model("voice_mnist", channels=channels, pools=pools, hidden=hidden)
    return np.int64(count_parameters(model.build((1, side, side), 10)))


@pytest.mark.parametrize("count", [by_hand, built])
def test_parameters_may_be_counted_in_several_ways(count):
    assert check_count(count)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (lambda *network: by_hand(*network, lost=0), "2 shorter before its pool"),
        (lambda *network: by_hand(*network, bias=0), "the biases are missing"),
        (lambda *network: by_hand(*network) + 1, "but the network has 6,446,986"),
        (lambda *network: None, "should be a number, not None"),
        (lambda *network: network[9], "fails: IndexError"),
    ],
)
def test_mistakes_in_counting_are_named(count, words, capsys):
    assert not check_count(count)
    assert words in capsys.readouterr().out


def with_numpy(matrix):
    values = matrix.to_numpy().copy()
    np.fill_diagonal(values, -1)
    row, column = np.unravel_index(values.argmax(), values.shape)
    return matrix.index[row], matrix.columns[column]


def with_pandas(matrix):
    mistakes = matrix.stack()
    return mistakes[[said != heard for said, heard in mistakes.index]].idxmax()


@pytest.mark.parametrize("confused", [with_numpy, with_pandas])
def test_the_largest_mistake_may_be_found_in_several_ways(confused):
    assert check_confused(confused)


def spoiling(matrix):
    for place in range(len(matrix)):
        matrix.iloc[place, place] = -1
    return matrix.stack().idxmax()


@pytest.mark.parametrize(
    ("confused", "words"),
    [
        (lambda matrix: with_numpy(matrix)[::-1], "3 was taken for 2, 42 times"),
        (lambda matrix: matrix.stack().idxmax(), "Leave it out"),
        (lambda matrix: ("1", "7"), "stands in row 3, column 2"),
        (lambda matrix: 3, "fails: TypeError"),
        (spoiling, "matrix.copy()"),
    ],
)
def test_mistakes_about_the_mistake_are_named(confused, words, capsys):
    assert not check_confused(confused)
    assert words in capsys.readouterr().out


def report(matrix, said=1, heard=0, scale=1.0):
    hits = pd.Series(np.diag(matrix), matrix.index)
    return pd.DataFrame(
        {
            "precision": (hits / matrix.sum(axis=heard).set_axis(matrix.index)).fillna(0) * scale,
            "recall": (hits / matrix.sum(axis=said).set_axis(matrix.index)).fillna(0) * scale,
        }
    )


def with_sklearn(matrix):
    from sklearn.metrics import precision_recall_fscore_support

    rows, columns = np.indices(matrix.shape)
    weights = matrix.to_numpy().ravel()
    some = precision_recall_fscore_support(rows.ravel(), columns.ravel(), sample_weight=weights, zero_division=0)
    return {"precision": some[0], "recall": some[1]}


@pytest.mark.parametrize("right", [report, with_sklearn])
def test_a_report_may_be_made_in_several_ways(right):
    assert check_report(right)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda matrix: report(matrix, said=0, heard=1), "exchanged"),
        (lambda matrix: report(matrix, scale=100), "not percent"),
        (lambda matrix: report(matrix).assign(recall=0.5), "sum of its row"),
        (lambda matrix: report(matrix).assign(precision=0.5), "sum of its column"),
        (lambda matrix: report(matrix).replace(0, np.nan), "write 0"),
        (lambda matrix: report(matrix)[["recall"]], "or one of its columns, fails: KeyError: 'precision'"),
        (lambda matrix: report(matrix).head(3), "each of the ten digits"),
    ],
)
def test_mistakes_in_a_report_are_named(wrong, words, capsys):
    assert not check_report(wrong)
    assert words in capsys.readouterr().out
