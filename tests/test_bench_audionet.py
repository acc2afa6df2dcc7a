"""The benchmark of AudioNet compares what is equal: the same clips and weights, two ways to the same scores."""

import re

import pytest
import torch

from labkit.experiments.experiment import Experiment
from labkit.models import count_parameters
from labkit.published.r3_audionet import settings
from tools.bench import audionet
from tools.bench.__main__ import main as bench_main

pytest_plugins = ["tiny"]


@pytest.mark.slow
def test_bench_audionet_says_how_many_times_faster_and_on_what(corpus, monkeypatch, capsys):
    monkeypatch.setattr(audionet, "find", lambda *_: corpus)
    assert bench_main(["audionet", "--clips", "2", "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny, ") and "2 clips a step" in said
    assert said.count("\nAudioNet, ") == 2
    assert len(re.findall(r"labkit(?:, bf16)? +\d+\.\d\d s a step +\d+\.\d times as fast", said)) == 4


@pytest.mark.parametrize("name", ["Becker", "student"])
def test_the_usual_network_gives_the_same_scores_and_gradients(name):
    experiment = Experiment.from_dict(settings(name))
    torch.manual_seed(0)
    ours = experiment.model.build((1, 1024), 10).double().eval()
    usual = audionet.Usual(ours).double().eval()
    assert count_parameters(usual) == count_parameters(ours)
    x, lengths = torch.randn(3, 1, 1024, dtype=torch.float64), torch.tensor([1024, 600, 128])
    torch.testing.assert_close(ours(x, lengths), usual(x, lengths))
    # in training, without the dice of dropout: batch norms too
    for network in (ours, usual):
        network.train()
        for layer in network.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.p = 0.0
        network(x, lengths).logsumexp(1).sum().backward()
    theirs = [layer.weight.grad for layer in usual.layers if isinstance(layer, torch.nn.Conv1d)]
    for layer, grad in zip(ours.convolutions, theirs, strict=True):
        torch.testing.assert_close(layer.weight.grad[:, :, 0], grad)


def test_both_sides_learn_from_the_same_weights(corpus):
    sides = audionet.sides("student", corpus, 2)
    assert list(sides) == [audionet.USUAL, audionet.OURS, audionet.BF16]
