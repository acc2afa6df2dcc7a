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
    check_last_frame,
    check_network,
    check_normalise,
    check_readout,
    check_shared,
    check_training_step,
)
from labkit.data.splits import Split

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
ANSWERS = runpy.run_path(str(NOTEBOOKS / "solutions" / "00_from_scratch.py"))
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
    lambda outputs: outputs.sum(1) / outputs.shape[1],
    lambda outputs: torch.einsum("bfh->bh", outputs) / outputs.size(1),
    lambda outputs: nn.functional.adaptive_avg_pool1d(outputs.transpose(1, 2), 1).squeeze(2),
    lambda outputs: torch.stack([clip.mean(0) for clip in outputs]),
    lambda outputs: outputs.double().mean(1),
]
NOT_READ_OUT = [
    (lambda outputs: outputs, "not (3, 7, 5)"),
    (lambda outputs: outputs.mean(0), "not (7, 5)"),
    (lambda outputs: outputs.mean(2), "not (3, 7)"),
    (lambda outputs: outputs.mean(), "not ()"),
    (lambda outputs: outputs[-1], "not (7, 5)"),
    (lambda outputs: outputs.mean(1, keepdim=True), "not (3, 1, 5)"),
    (lambda outputs: outputs.flatten(1), "not (3, 35)"),
    (lambda outputs: outputs[:, -1], "this is the last frame. Take the average"),
    (lambda outputs: outputs[:, 0], "this is the first frame. Take the average"),
    (lambda outputs: outputs.amax(1), "this is the maximum. Take the average"),
    (lambda outputs: outputs.sum(1), "this is the sum, not divided by the number of frames. Take the average"),
    (lambda outputs: outputs.sum(1) / 51, "this is something else"),
    (lambda outputs: outputs.median(1).values, "this is something else"),
    (lambda outputs: outputs[:, outputs.shape[1] // 2], "this is something else"),
    (lambda outputs: outputs[:, :-1].mean(1), "this is something else"),
    (lambda outputs: outputs.mean(1) - outputs.mean((0, 1)), "the other clips"),
    (lambda outputs: outputs.mean(1).detach(), "no gradient"),
    (lambda outputs: outputs.argmax(1), "no gradient"),
    (lambda outputs: outputs.mean(1).tolist(), "not list"),
    (lambda outputs: outputs.mean(1).numpy(), "RuntimeError"),
]

# ---- blank 3: forward, and exercise 1: another network


class Good(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(13, 8, batch_first=True)
        self.linear = nn.Linear(8, 4)

    def forward(self, x):
        return self.linear(self.gru(x)[0].mean(1))


class Word(Good):
    """WordNetwork as the notebook has it, but small."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x):
        return Good.forward(self, (x - self.mean) / self.std)


def having(name, kind, *sizes, **options):
    """A Word with another layer, or one more, under this name."""

    def build(self, mean, std):
        Word.__init__(self, mean, std)
        setattr(self, name, kind(*sizes, **options))

    return type("WordNetwork", (Word,), {"__init__": build})


class AverageAndLast(having("linear", nn.Linear, 16, 4)):
    def forward(self, x):
        outputs = self.gru((x - self.mean) / self.std)[0]
        return self.linear(torch.cat([outputs.mean(1), outputs[:, -1]], dim=1))


class Convolution(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.layers = nn.Sequential(nn.Conv1d(13, 8, 5), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Conv1d(8, 4, 5))

    def forward(self, x):
        return self.layers(((x - self.mean) / self.std).transpose(1, 2)).amax(2)


def word_network(forward):
    return type("WordNetwork", (Word,), {"forward": forward})


def reading(read, scaled=True):
    """A network that normalises, if it is `scaled`, and gives `linear` what `read` makes of the GRU's two answers."""

    def forward(self, x):
        return self.linear(read(*self.gru((x - self.mean) / self.std if scaled else x)))

    return word_network(forward)


def bias_only(self, x):
    return self.linear.bias.expand(len(x), 4)


def noisy(self, x):
    return Good.forward(self, x) + torch.randn(4)


# What goes wrong in any network: in blank 3 and in exercise 1.
WRONG_FORWARD = [
    (lambda self, x: torch.zeros(len(x), 4), "do not depend on any parameter"),
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
    (lambda self, x: self.linear(self.gru(x[:, -1:])[0].mean(1)), "only the first or the last frame"),
    (lambda self, x: self.linear(self.gru(x)[0][:, 0]), "only the first or the last frame"),
    (lambda self, x: Good.forward(self, x).argmax(1), "not (3,)"),
    (lambda self, x: Good.forward(self, x).detach(), "do not depend on any parameter"),
    (lambda self, x: Good.forward(self, x) / 0 * 0, "not finite"),
    (lambda self, x: None, "not NoneType"),
    (noisy, "at each call"),
    (lambda self, x: self.linear((x - self.mean) / self.std), "RuntimeError"),
    (lambda self, x: Good.forward(self, x), "not normalised"),
    (lambda self, x: Good.forward(self, x - self.mean), "not normalised"),
    (lambda self, x: self.linear(self.gru(x)[0][:, -1]), "not normalised"),
    (lambda self, x: self.linear(self.gru(x)[0].amax(1)), "not normalised"),
]
WRONG_NETWORK = [
    *[(word_network(forward), word) for forward, word in WRONG_FORWARD],
    (Good, "TypeError"),
    ("a network", "TypeError"),
    (Word(torch.zeros(13), torch.ones(13)), "your class, called with (mean, std), fails"),
    (having("linear", nn.Linear, 8, 5), "should have the shape (3, 4), not (3, 5)"),
    (having("gru", nn.GRU, 39, 8, batch_first=True), "RuntimeError"),
    (having("gru", nn.GRU, 13, 8), "change with its batch"),
    (having("unused", nn.Linear, 3, 3), "unused.weight"),
    (Convolution, "has no attribute 'gru'"),
    (AverageAndLast, "the two layers that the network should have, fails: RuntimeError"),
    (reading(lambda outputs, last: outputs.amax(1)), "It gets the maximum"),
    (reading(lambda outputs, last: outputs.sum(1)), "It gets the sum, not divided by the number of frames"),
    (reading(lambda outputs, last: outputs[:, 25]), "It gets something else"),
    (reading(lambda outputs, last: outputs[:, 1:].mean(1)), "It gets something else"),
    (reading(lambda outputs, last: outputs[:, -5:].mean(1)), "It gets something else"),
]
AVERAGES = [
    Word,
    reading(lambda outputs, last: outputs.mean(dim=1)),
    reading(lambda outputs, last: outputs.sum(1) / outputs.shape[1]),
    word_network(lambda self, x: self.linear(self.gru(x / self.std - self.mean / self.std)[0]).mean(1)),
    word_network(lambda self, x: self.linear(self.gru((x - self.mean) / (self.std + 1e-3))[0].mean(1)).double()),
    ANSWERS["WordNetwork"],
]
LAST_FRAMES = [
    reading(lambda outputs, last: outputs[:, -1]),
    reading(lambda outputs, last: last[0]),
    reading(lambda outputs, last: last.squeeze(0)),
    reading(lambda outputs, last: outputs[:, outputs.shape[1] - 1, :]),
    word_network(lambda self, x: self.linear(self.gru(x / self.std - self.mean / self.std)[0])[:, -1]),
    ANSWERS["MyNetwork"],
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
HALF = [ORIGINAL.change(feature={"seconds": 0.5}), ORIGINAL.change(feature={"seconds": 1 / 2})]
HALF += [Experiment(feature=MFCC(deltas=0, seconds=0.5))]
NOT_HALF = [
    (ORIGINAL, "feature.seconds is 1.0, and 0.5 is asked for"),
    *[(ORIGINAL.change(feature={"seconds": one}), f"is {one}, and 0.5 is asked for") for one in (0.9, 2.0, 0.25)],
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
    "WordNetwork": (
        check_network,
        AVERAGES,
        [*WRONG_NETWORK, *[(one, "should get the average. It gets the last frame") for one in LAST_FRAMES]],
    ),
    "training_step": (check_training_step, STEPS, NO_STEPS),
    "MyNetwork": (
        check_last_frame,
        LAST_FRAMES,
        [*WRONG_NETWORK, *[(one, "should get the last frame. It gets the average") for one in AVERAGES]],
    ),
    "my_change": (lambda mine: check_change(ORIGINAL, mine, "feature", "seconds", 0.5), HALF, NOT_HALF),
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
    assert CHECKS[name][0](answer(ORIGINAL) if name == "my_change" else answer)
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


def test_a_check_draws_no_random_numbers_of_the_notebook():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check_network(Word)
    check_last_frame(Word)
    assert torch.equal(torch.get_rng_state(), before)
