"""The self-checks of notebook 00: right answers pass, and each planted mistake is named.

A mistake stands beside a word that the check's sentence must hold. Nine of ten would not do: each has to be named.
"""

import ast
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from labkit import MFCC, Experiment, Model, Recipe
from labkit.checks.from_scratch import (
    check_change,
    check_network,
    check_normalise,
    check_readout,
    check_recogniser,
    check_shared,
    check_training_step,
)
from labkit.data.splits import Split

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
ANSWERS = runpy.run_path(str(NOTEBOOKS / "solutions" / "00_from_scratch.py"))
STATISTICS = torch.zeros(13), torch.ones(13)
cross_entropy = nn.functional.cross_entropy


def in_place(x, mean, std):
    x -= mean
    x /= std
    return x


def fails(*given):
    raise ValueError("no idea")


# ---- blank 1: normalise

NORMALISED = [
    lambda x, mean, std: (x - mean) / std,
    lambda x, mean, std: (x - mean[None, None]) * (1 / std),
    lambda x, mean, std: x / std - mean / std,
]
NOT_NORMALISED = [
    (lambda x, mean, std: x, "as it was"),
    (lambda x, mean, std: x - mean, "Divide by std"),
    (lambda x, mean, std: x / std, "Subtract mean first"),
    (lambda x, mean, std: x - mean / std, "(x - mean) / std"),
    (lambda x, mean, std: (x - mean) / std**2, "square of std"),
    (lambda x, mean, std: (x - x.mean((0, 1))) / x.std((0, 1)), "that are given"),
    (lambda x, mean, std: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), "that are given"),
    (lambda x, mean, std: (x + mean) / std, "not (x - mean) / std"),
    (lambda x, mean, std: (x - mean) * std, "not (x - mean) / std"),
    (lambda x, mean, std: (x - std) / mean, "not (x - mean) / std"),
    (lambda x, mean, std: ((x - mean) / std)[:, 0], "Keep all values"),
    (lambda x, mean, std: None, "NoneType"),
    (lambda x, mean: x - mean, "TypeError"),
    (in_place, "x itself"),
]

# ---- blank 2: the readout

READ_OUT = [
    lambda outputs: outputs.mean(dim=1),
    lambda outputs: outputs[:, -1],
    lambda outputs: outputs.amax(1),
    lambda outputs: outputs.sum(1) / outputs.shape[1],
]
NOT_READ_OUT = [
    (lambda outputs: outputs, "not (3, 7, 5)"),
    (lambda outputs: outputs.mean(0), "not (7, 5)"),
    (lambda outputs: outputs.mean(2), "not (3, 7)"),
    (lambda outputs: outputs.mean(), "not ()"),
    (lambda outputs: outputs[-1], "not (7, 5)"),
    (lambda outputs: outputs.mean(1, keepdim=True), "not (3, 1, 5)"),
    (lambda outputs: outputs.flatten(1), "not (3, 35)"),
    (lambda outputs: outputs[:, 0], "last frame has no influence"),
    (lambda outputs: outputs[:, outputs.shape[1] // 2], "last frame has no influence"),
    (lambda outputs: outputs[:, :-1].mean(1), "last frame has no influence"),
    (lambda outputs: outputs.mean(1) - outputs.mean((0, 1)), "the other clips"),
    (lambda outputs: outputs.mean(1).detach(), "no gradient"),
    (lambda outputs: outputs.argmax(1), "no gradient"),
    (lambda outputs: outputs.mean(1).tolist(), "not list"),
    (lambda outputs: outputs.mean(1).numpy(), "RuntimeError"),
]

# ---- blank 3: forward, and exercise 1: another network


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


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(13, 8, 5), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Conv1d(8, 4, 5))

    def forward(self, x):
        return self.layers(x.transpose(1, 2)).amax(2)


class Idle(Good):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(3, 3)


class Fixed(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x), 4)


def with_forward(forward, kind=Good):
    """An instance of a network whose forward is another."""
    return type("Other", (kind,), {"forward": forward})()


def bias_only(self, x):
    return self.linear.bias.expand(len(x), 4)


def noisy(self, x):
    return Good.forward(self, x) + torch.randn(4)


# What goes wrong in any network; each of these is planted in `forward` of WordNetwork, too.
WRONG_FORWARD = [
    (bias_only, "ignores its input"),
    (lambda self, x: Good.forward(self, 0 * x), "ignores its input"),
    (lambda self, x: Good.forward(self, x) + x.mean(), "change with its batch"),
    (lambda self, x: Good.forward(self, x - x.mean(0)), "change with its batch"),
    (lambda self, x: self.linear(self.gru(x)[0].mean(0)), "not (51, 4)"),
    (lambda self, x: self.linear(self.gru(x)[0]), "not (3, 51, 4)"),
    (lambda self, x: self.gru(x)[0].mean(1), "not (3, 8)"),
    (lambda self, x: self.linear(self.gru(x).mean(1)), "AttributeError"),
    (lambda self, x: Good.forward(self, x).softmax(1), "softmax"),
    (lambda self, x: Good.forward(self, x).log_softmax(1), "softmax"),
    (lambda self, x: self.linear(self.gru(x[:, :1])[0].mean(1)), "only the first or the last frame"),
    (lambda self, x: self.linear(self.gru(x)[0][:, 0]), "only the first or the last frame"),
    (lambda self, x: Good.forward(self, x).argmax(1), "not (3,)"),
    (lambda self, x: Good.forward(self, x).detach(), "do not depend on any parameter"),
    (lambda self, x: Good.forward(self, x) / 0 * 0, "not finite"),
    (lambda self, x: None, "not NoneType"),
    (noisy, "at each call"),
]
NO_RECOGNISERS = [
    (Good, "is a class"),
    ("a network", "not a torch.nn.Module"),
    (Good(classes=5), "should have the shape (3, 4)"),
    (Good(features=39), "RuntimeError"),
    (Good(batch_first=False), "change with its batch"),
    (Idle(), "unused.weight"),
    (Fixed(), "do not depend on any parameter"),
    *[(with_forward(forward), word) for forward, word in WRONG_FORWARD],
]


class Word(Good):
    """WordNetwork as the notebook has it, but small."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x):
        return Good.forward(self, (x - self.mean) / self.std)


def word_network(forward):
    return type("WordNetwork", (Word,), {"forward": forward})


NETWORKS = [
    Word,
    word_network(lambda self, x: self.linear(self.gru((x - self.mean) / self.std)[1][0])),
    word_network(lambda self, x: LastFrame.forward(self, x / self.std - self.mean / self.std)),
    ANSWERS["MyNetwork"],
]
NO_NETWORKS = [
    (Good, "TypeError"),
    (word_network(lambda self, x: Good.forward(self, x)), "not normalised"),
    (word_network(lambda self, x: Good.forward(self, x - self.mean)), "not normalised"),
    (word_network(lambda self, x: self.linear((x - self.mean) / self.std)), "RuntimeError"),
    *[(word_network(forward), word) for forward, word in WRONG_FORWARD],
]

# ---- blank 4: the training step


def step(*order, loss=lambda logits, targets: cross_entropy(logits, targets), answer=lambda loss: loss):
    """A training step that does some things in some order."""

    def training_step(network, optimiser, x, targets):
        value = loss(network(x), targets)
        for name in order:
            {"zero_grad": optimiser.zero_grad, "backward": value.backward, "step": optimiser.step}[name]()
        return answer(value)

    return training_step


def uphill(network, optimiser, x, targets):
    loss = cross_entropy(network(x), targets)
    optimiser.zero_grad()
    (-loss).backward()
    optimiser.step()
    return loss


def no_grad(network, optimiser, x, targets):
    with torch.no_grad():
        return step("zero_grad", "backward", "step")(network, optimiser, x, targets)


RIGHT_ORDER = ("zero_grad", "backward", "step")
STEPS = [
    step(*RIGHT_ORDER),
    step("backward", "step", "zero_grad"),
    step(*RIGHT_ORDER, answer=lambda loss: loss.item()),
    step(*RIGHT_ORDER, loss=lambda logits, y: -logits.log_softmax(1)[range(len(y)), y].mean()),
]
NO_STEPS = [
    (lambda network, optimiser, x, targets: 0.0, "the cross-entropy of these logits"),
    (step(), "no gradient"),
    (step("zero_grad", "step"), "no gradient"),
    (step("backward", "zero_grad", "step"), "no gradient"),
    (step("zero_grad", "backward"), "Call optimiser.step()"),
    (step("zero_grad", "step", "backward"), "Call optimiser.step() after backward"),
    (step("backward", "step"), "zero_grad() in each step"),
    (step("zero_grad", "backward", "step", "step"), "optimiser.step() once"),
    (step(*RIGHT_ORDER, loss=lambda logits, y: cross_entropy(logits.softmax(1), y)), "without a softmax"),
    (step(*RIGHT_ORDER, loss=lambda logits, y: cross_entropy(logits, y, reduction="sum")), "sum over the batch"),
    (step(*RIGHT_ORDER, loss=lambda logits, y: nn.functional.nll_loss(logits, y)), "the cross-entropy"),
    (
        step(*RIGHT_ORDER, loss=lambda logits, y: cross_entropy(logits.argmax(1).float(), y.float())),
        "does not require grad",
    ),
    (step(*RIGHT_ORDER, loss=lambda logits, y: cross_entropy(y, logits)), "Error"),
    (step(*RIGHT_ORDER, answer=lambda loss: None), "should be a number, not None"),
    (uphill, "the sign"),
    (no_grad, "does not require grad"),
]

# ---- exercise 2: one change, and exercise 3: the detector of a leak

ORIGINAL = Experiment(feature=MFCC(deltas=0))
HALF = [ORIGINAL.change(feature={"seconds": seconds}) for seconds in (0.5, 0.25)]
HALF += [Experiment(feature=MFCC(deltas=0, seconds=0.5))]
NOT_HALF = [
    (ORIGINAL, "Change it"),
    (Experiment(feature=MFCC(deltas=0, seconds=1.0)), "Change it"),
    (ORIGINAL.change(feature={"deltas": 1}), "Change it"),
    (ORIGINAL.change(seed=1), "Change it"),
    (Experiment(feature=MFCC(seconds=0.5)), "feature.deltas differs too"),
    (ORIGINAL.change(feature={"seconds": 0.5, "deltas": 1}), "feature.deltas differs too"),
    (ORIGINAL.change(feature={"seconds": 0.5, "n_mfcc": 20}), "feature.n_mfcc differs too"),
    (HALF[0].change(recipe={"epochs": 3}), "recipe differs too"),
    (HALF[0].change(recipe=Recipe(batch=8)), "recipe differs too"),
    (HALF[0].change(model=Model("lstm")), "model differs too"),
    (HALF[0].change(split=Split("by_clip_leaky")), "split differs too"),
    (HALF[0].change(seed=1), "seed differs too"),
    (None, "not an Experiment"),
]
SHARED = [
    lambda train, test: set(train.speaker) & set(test.speaker),
    lambda train, test: test.speaker[test.speaker.isin(train.speaker)].unique(),
    lambda train, test: list(train.merge(test, on="speaker").speaker),
    lambda train, test: np.intersect1d(train.speaker, test.speaker),
]
NOT_SHARED = [
    (lambda train, test: set(), "You name []; in both are ['ben']"),
    (lambda train, test: set(train.speaker), "['ana', 'ben']"),
    (lambda train, test: set(test.speaker), "['ben', 'cem']"),
    (lambda train, test: set(train.speaker) | set(test.speaker), "['ana', 'ben', 'cem']"),
    (lambda train, test: set(train.speaker) ^ set(test.speaker), "['ana', 'cem']"),
    (lambda train, test: set(train.label) & set(test.label), "['yes']"),
    (lambda train, test: set(train.index) & set(test.index), "[0, 1]"),
    (lambda train, test: set(train) & set(test), "['label', 'speaker']"),
    (lambda train, test: "ben", "['b', 'e', 'n']"),
    (lambda train, test: {"ben"}, "in both are []"),
    (lambda train, test: train.speaker == test.speaker, "ValueError"),
    (lambda train, test: len(set(train.speaker) & set(test.speaker)), "TypeError"),
    (lambda train, test: None, "TypeError"),
]

CHECKS = {  # how each is called: the check, right answers, mistakes
    "normalise": (check_normalise, NORMALISED, NOT_NORMALISED),
    "readout": (check_readout, READ_OUT, NOT_READ_OUT),
    "WordNetwork": (check_network, NETWORKS, NO_NETWORKS),
    "training_step": (check_training_step, STEPS, NO_STEPS),
    "MyNetwork": (
        lambda network: check_recogniser(network, features=13, classes=4),
        [Good(), LastFrame(), Convolution(), ANSWERS["MyNetwork"](*STATISTICS)],
        NO_RECOGNISERS,
    ),
    "my_change": (lambda mine: check_change(ORIGINAL, mine, "feature", "seconds"), HALF, NOT_HALF),
    "shared_speakers": (check_shared, SHARED, NOT_SHARED),
}
RIGHT = [(name, number) for name, (_, right, _) in CHECKS.items() for number in range(len(right))]
MISTAKES = [(name, number) for name, (_, _, wrong) in CHECKS.items() for number in range(len(wrong))]


@pytest.mark.parametrize(("name", "number"), RIGHT)
def test_right_answers_pass(name, number, capsys):
    check, right, _ = CHECKS[name]
    assert check(right[number]), capsys.readouterr().out
    assert capsys.readouterr().out.startswith("Right. ")


@pytest.mark.parametrize(("name", "number"), MISTAKES)
def test_each_planted_mistake_is_named(name, number, capsys):
    check, _, mistakes = CHECKS[name]
    wrong, word = mistakes[number]
    check(wrong)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and word in said


def test_three_right_answers_and_ten_mistakes_are_tried_for_each():
    for name, (_, right, mistakes) in CHECKS.items():
        assert len(right) >= 3 and len(mistakes) >= 10, name


@pytest.mark.parametrize("name", CHECKS)
def test_the_labs_own_answer_passes(name, capsys):
    answer = ANSWERS[name]
    made = {"MyNetwork": lambda: answer(*STATISTICS), "my_change": lambda: answer(ORIGINAL)}
    assert CHECKS[name][0](made.get(name, lambda: answer)())
    assert capsys.readouterr().out.startswith("Right. ")


def definitions(notebook):
    """Functions and classes that the code cells of a notebook define, by name, each with its own lines."""
    cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    found = {}
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and "%pip" not in source:
            lines = source.splitlines()
            named = [node for node in ast.parse(source).body if hasattr(node, "name")]
            found |= {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in named}
    return found


@pytest.mark.parametrize("path", sorted((NOTEBOOKS / "solutions").glob("*.py")), ids=lambda path: path.stem)
def test_each_blank_of_a_notebook_has_its_answer(path):
    blanks = {name for name, source in definitions(path.stem).items() if "# change me" in source}
    assert blanks == {node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if hasattr(node, "name")}


def test_the_notebook_goes_on_with_the_labs_answer_until_the_students_is_right(monkeypatch, capsys):
    def half_done(x, mean, std):
        return x - mean

    monkeypatch.chdir(NOTEBOOKS)
    answer = check_normalise(half_done)
    assert answer is not half_done and answer(5.0, 3.0, 2.0) == 1.0
    assert "the answer in solutions/00_from_scratch.py" in capsys.readouterr().out
    mine = NORMALISED[1]
    assert check_normalise(mine) is mine


def test_without_answers_the_notebook_goes_on_with_the_students_own(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert check_readout(fails) is fails
    said = capsys.readouterr().out
    assert "ValueError: no idea" in said and "solutions" not in said


def test_a_check_leaves_the_network_as_it_was():
    network = Good().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_recogniser(network, 13, 4)
    assert network.training and all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
