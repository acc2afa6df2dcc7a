"""The self-checks of notebook 00: right answers pass, each wrong one is told why."""

import pytest
import torch
from torch import nn

from labkit import MFCC, Experiment, Recipe
from labkit.checks.from_scratch import check_change, check_recogniser


class Good(nn.Module):
    def __init__(self, features=13, classes=4, batch_first=True):
        super().__init__()
        self.gru = nn.GRU(features, 8, batch_first=batch_first)
        self.linear = nn.Linear(8, classes)

    def forward(self, x):
        return self.linear(self.gru(x)[0].mean(1))


class LastFrame(Good):
    def forward(self, x):
        return self.linear(self.gru(x)[0][:, -1])


class Idle(Good):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(3, 3)


class Mixing(Good):
    def forward(self, x):
        return self.linear(self.gru(x)[0].mean(1) + x.mean())


class NotANumber(Good):
    def forward(self, x):
        return super().forward(x) / 0 * 0


class Fixed(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x), 4)


@pytest.mark.parametrize("network", [Good(), LastFrame()])
def test_right_answers_pass(network, capsys):
    assert check_recogniser(network, 13, 4)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, words",
    [
        (Good, "is a class"),
        ("a network", "not a torch.nn.Module"),
        (Good(classes=5), r"should have the shape \(3, 4\)"),
        (Good(features=39), "forward on an input .* fails: RuntimeError"),
        (Good(batch_first=False), "change with its batch"),
        (Mixing(), "change with its batch"),
        (Idle(), r"unused.weight"),
        (NotANumber(), "not finite"),
        (Fixed(), "do not depend on any parameter"),
    ],
)
def test_wrong_answers_are_told_why(answer, words, capsys):
    import re

    assert not check_recogniser(answer, 13, 4)
    assert re.search(words, capsys.readouterr().out)


def test_one_change_is_one_change(capsys):
    original = Experiment(feature=MFCC(deltas=0))
    assert check_change(original, original.change(feature={"seconds": 0.5}), "feature", "seconds")
    assert check_change(original, original.change(feature={"seconds": 0.25}), "feature", "seconds")
    wrong = {
        "Change it": original,
        "feature.deltas differs too": original.change(feature={"seconds": 0.5, "deltas": 1}),
        "recipe differs too": Experiment(feature=MFCC(deltas=0, seconds=0.5), recipe=Recipe(epochs=3)),
    }
    for words, mine in wrong.items():
        assert not check_change(original, mine, "feature", "seconds")
        assert words in capsys.readouterr().out
