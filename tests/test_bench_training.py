"""The benchmark of training compares what is equal, and counts only what lies outside the model."""

import re

import pytest
import torch

from tools.bench import training
from tools.bench.__main__ import main as bench_main

pytest_plugins = ["tiny"]


@pytest.mark.slow
def test_bench_training_says_what_an_epoch_takes_and_what_lies_outside(made, own_folders, capsys):
    assert bench_main(["training", "--data", str(made), "--clips", "20", "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("20 clips of tiny, on cpu") and "features of both parts" in said
    assert re.search(r"r1_gru +\d\.\d{3} s an epoch, -?\d\.\d{3} s of it outside the model: -?\d+\.\d%", said)
    assert re.search(r"DataLoader +\d\.\d{3} s an epoch, file by file: labkit is \d+\.\d times faster", said)


def test_the_outside_is_what_the_idle_network_takes_less_its_own_operations(capsys):
    times = {"r1_gru": [2.0, 4.0], "nothing": [0.05, 0.10], "its own": [0.03, 0.06]}
    training._report(times, {"r1_gru": None}, 0.5)
    assert re.search(r"0\.030 s of it outside the model: 1\.0% \[1\.0 to 1\.0\]", capsys.readouterr().out)


def test_clips_are_repeated_where_a_corpus_has_too_few(corpus):
    part = training._part(corpus, "train", 80, torch.device("cpu"))
    assert len(part) == 80 and list(part.rows[:8]) == list(part.rows[36:44])
    x, lengths, targets = part[torch.tensor([1, 37])]
    assert x.shape == (2, 51, 39) and torch.equal(x[0], x[1]) and targets[0] == targets[1]


def test_sides_that_learn_from_other_numbers_are_not_compared(corpus):
    part = training._part(corpus, "train", 4, torch.device("cpu"))
    files = [corpus.root / path for path in corpus.part("train").path[:4]]
    training._check_equal(training.PerItem(files, part.targets, training.FEATURE), part)
    with pytest.raises(AssertionError, match="the two sides differ"):
        training._check_equal(training.PerItem(files[::-1], part.targets, training.FEATURE), part)
