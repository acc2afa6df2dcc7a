"""The benchmark of the CNNs compares what is equal: the same clips, the same numbers, two ways to get them."""

import re

import pytest
import torch

from labkit.training.batches import batches_of
from tools.bench import cnn
from tools.bench.__main__ import main as bench_main

pytest_plugins = ["tiny"]


def test_bench_cnn_says_how_many_times_faster_and_on_what(made, own_folders, monkeypatch, capsys):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "DEFAULT")  # no second process
    assert bench_main(["cnn", "--data", str(made), "--clips", "6", "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny, ") and "6 clips an epoch" in said
    for name in ("M3-8k", "the modern network"):
        assert f"\n{name}: " in said
    assert len(re.findall(r"labkit +\d+\.\d\d s an epoch +\d+\.\d times as fast", said)) == 2


@pytest.mark.parametrize("name", ["M3-8k", "the modern network"])
def test_both_ways_feed_the_same_numbers(corpus, name):
    experiment = cnn.experiments()[name]
    train = batches_of(corpus, "train", experiment.feature, "cpu", augmentation=experiment.recipe.augmentation)
    train.begin(0, 1)
    ours, lengths, targets = train[torch.tensor([3, 0])]
    one_by_one = cnn.OneByOne(train, (0, 1))
    for row, number in enumerate((3, 0)):
        x, length, target = one_by_one[number]
        torch.testing.assert_close(x, ours[row], rtol=1e-3, atol=1e-3)
        assert length == lengths[row] and target == targets[row]


def test_the_usual_network_is_the_same_network_in_the_default_layout(corpus):
    experiment = cnn.experiments()["the modern network"]
    ours = cnn.networks(experiment, corpus).eval()
    usual = cnn.networks(experiment, corpus, layout=torch.contiguous_format).eval()
    convolution = usual.network.conv2[0].weight
    assert convolution.is_contiguous() and not ours.network.conv2[0].weight.is_contiguous()
    x, lengths = torch.randn(2, 1, 40, 101), torch.tensor([101, 60])
    torch.testing.assert_close(ours(x, lengths), usual(x, lengths), rtol=1e-3, atol=1e-4)
