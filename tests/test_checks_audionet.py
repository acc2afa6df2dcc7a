"""The self-checks of 05_audiomnist_audionet: several right answers pass, and each usual mistake is named."""

import pytest
import torch
from torch import nn

from labkit.checks.audionet import (
    check_initialise,
    check_last_valid,
    check_loudness,
    check_update_ratio,
)

# ---- the level of a clip

LEVELS = [
    lambda window, length: window[:length].std(),
    lambda window, length: (window[:length] - window[:length].mean()).abs().quantile(0.95),
    lambda window, length: (window[:length].max() - window[:length].min()) / 2,
    lambda window, length: (window[:length] - window[:length].mean()).square().mean().sqrt().item(),
]


@pytest.mark.parametrize("right", LEVELS)
def test_a_level_may_be_written_in_several_ways(right):
    assert check_loudness(right) is right


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda window, length: window.quantile(0.95), "with more zeros after it"),
        (lambda window, length: window[:length].quantile(0.95), "Subtract the clip's mean"),
        (lambda window, length: window.std(), "with more zeros after it"),
        (lambda window, length: window[:length].square().mean().sqrt(), "Subtract the clip's mean"),
        (lambda window, length: window[:length].abs().quantile(0.95), "Subtract the clip's mean"),
        (lambda window, length: window[:length].var(), "Is it an amplitude?"),
        (lambda window, length: window[:length].abs().mean(), "Subtract the clip's mean"),
        (lambda window, length: -window[:length].std(), "needs a number above 0"),
        (lambda window, length: 1.0, "Is it an amplitude?"),
        (lambda window, length: (window[:length] - window[:length].mean()).norm(), "with more zeros after it"),
        (lambda window, length: window / window.std(), "fails: RuntimeError"),
        (lambda window, length: None, "should be a number, not None"),
        (lambda window: window.std(), "fails: TypeError"),
    ],
)
def test_mistakes_in_a_level_are_named(wrong, words, capsys):
    check_loudness(wrong)
    assert words in capsys.readouterr().out


# ---- the update-to-weight ratio

RATIOS = [
    lambda before, after: (after - before).std() / before.std(),
    lambda before, after: (after - before).norm() / before.norm(),
    lambda before, after: ((before - after).square().mean() / after.square().mean()).sqrt().item(),
]


@pytest.mark.parametrize("right", RATIOS)
def test_the_ratio_may_be_written_in_several_ways(right):
    assert check_update_ratio(right) is right


def changing(before, after):
    after -= before
    return after.std() / before.std()


def overwriting(before, after):
    change = after - before
    before /= before.std()
    return change.std() / 0.5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda before, after: after.std() / before.std(), "The step is after - before"),
        (lambda before, after: before.std() / (after - before).std(), "Turn it round"),
        (lambda before, after: ((after - before).std() / before.std()).log10(), "this is the logarithm"),
        (lambda before, after: (after - before).std(), "Divide by that of the weights"),
        (lambda before, after: before.std(), "the size of the weights alone"),
        (lambda before, after: (after - before).var() / before.var(), "a ratio of squares"),
        (lambda before, after: (after - before).mean() / before.mean(), "steps of spread 0.002"),
        (lambda before, after: after.std() - before.std(), "steps of spread 0.002"),
        (lambda before, after: 0.0, "steps of spread 0.002"),
        (lambda before, after: ((after - before) / before).std(), "steps of spread 0.002"),
        (lambda before, after: (after - before) / before.std(), "fails: RuntimeError"),
        (lambda before, after: print(after), "should be a number, not None"),
        (overwriting, "you change the weights"),
    ],
)
def test_mistakes_in_the_ratio_are_named(wrong, words, capsys):
    check_update_ratio(wrong)
    assert words in capsys.readouterr().out


# ---- the last valid step

LAST = [
    lambda outputs, lengths: outputs[torch.arange(len(outputs)), lengths - 1],
    lambda outputs, lengths: torch.stack([clip[length - 1] for clip, length in zip(outputs, lengths, strict=True)]),
    lambda outputs, lengths: outputs.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, outputs.shape[2])).squeeze(1),
]


@pytest.mark.parametrize("right", LAST)
def test_the_last_step_may_be_found_in_several_ways(right):
    assert check_last_valid(right) is right


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda outputs, lengths: outputs[:, -1], "This is the last step of the window"),
        (lambda outputs, lengths: outputs[:, 0], "outputs[i, lengths[i] - 1]"),
        (lambda outputs, lengths: outputs[torch.arange(4), lengths - 2], "This is one step too early"),
        (lambda outputs, lengths: outputs[torch.arange(4), lengths], "fails: IndexError"),
        (lambda outputs, lengths: outputs[:, lengths - 1], "not (4, 4, 5)"),
        (lambda outputs, lengths: outputs[:, lengths[-1] - 1], "outputs[i, lengths[i] - 1]"),
        (lambda outputs, lengths: outputs.mean(1), "outputs[i, lengths[i] - 1]"),
        (lambda outputs, lengths: outputs.sum(1), "outputs[i, lengths[i] - 1]"),
        (lambda outputs, lengths: outputs.amax(1), "outputs[i, lengths[i] - 1]"),
        (lambda outputs, lengths: outputs[torch.arange(4), lengths - 1].detach(), "no gradient comes through"),
        (lambda outputs, lengths: outputs, "not (4, 9, 5)"),
        (lambda outputs, lengths: outputs[-1], "not (9, 5)"),
        (lambda outputs, lengths: outputs[torch.arange(4).flip(0), lengths - 1], "outputs[i, lengths[i] - 1]"),
    ],
)
def test_mistakes_in_the_last_step_are_named(wrong, words, capsys):
    check_last_valid(wrong)
    assert words in capsys.readouterr().out


# ---- an initialisation


def by_numbers(layer):
    inputs = layer.weight[0].numel()
    with torch.no_grad():
        layer.weight.copy_(torch.randn_like(layer.weight) * (2 / inputs) ** 0.5)
        layer.bias.zero_()


def by_kaiming(layer):
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def evenly(layer):
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.constant_(layer.bias, 0.0)


@pytest.mark.parametrize("right", [by_numbers, by_kaiming, evenly])
def test_layers_may_be_initialised_in_several_ways(right):
    assert check_initialise(right)


def drawn(std_of, bias=0.0, mean=0.0):
    def initialise(layer):
        nn.init.normal_(layer.weight, mean, std_of(layer.weight))
        nn.init.constant_(layer.bias, bias)

    return initialise


def he(weight):
    return (2 / weight[0].numel()) ** 0.5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (drawn(lambda weight: 0.1), "adds up 120 products"),
        (drawn(lambda weight: 2 / weight[0].numel()), "adds up 120 products"),
        (drawn(lambda weight: (1 / weight[0].numel()) ** 0.5), "adds up 120 products"),
        (drawn(lambda weight: (2 / weight.shape[1]) ** 0.5), "adds up 120 products"),
        (drawn(lambda weight: (2 / len(weight)) ** 0.5), "adds up 120 products"),
        (drawn(lambda weight: (2 / weight.numel()) ** 0.5), "adds up 120 products"),
        (drawn(he, bias=0.01), "the biases are not 0"),
        (drawn(he, mean=0.1), "the mean of the weights"),
        (lambda layer: nn.init.zeros_(layer.weight), "all weights are equal"),
        (lambda layer: torch.randn_like(layer.weight) * he(layer.weight), "as they were"),
        (lambda layer: nn.init.normal_(layer.weight, std=he(layer.weight)), "the biases are not 0"),
        (lambda layer: layer.kernel.normal_(), "fails: AttributeError"),
        (lambda: None, "fails: TypeError"),
    ],
)
def test_mistakes_in_an_initialisation_are_named(wrong, words, capsys):
    torch.manual_seed(0)
    assert not check_initialise(wrong)
    assert words in capsys.readouterr().out


# ---- the offset of seven clips, in the real corpus


@pytest.mark.slow
def test_seven_clips_of_one_speaker_have_a_percentile_of_zero_because_of_an_offset(real_audio):
    import soundfile

    means, silent = {}, {}
    for path in sorted((real_audio / "fsdd" / "recordings").glob("*.wav")):
        samples = torch.from_numpy(soundfile.read(path, dtype="float32")[0])[:8000]
        window = nn.functional.pad(samples, (0, 8000 - len(samples)))
        means.setdefault(path.stem.split("_")[1], []).append(samples.mean().item())
        if window.quantile(0.95) <= 0:
            silent[path.stem] = len(samples)
            centred = nn.functional.pad(samples - samples.mean(), (0, 8000 - len(samples)))
            assert centred.quantile(0.95) > 0.0005, "without the offset it is an ordinary clip"
    assert set(silent) == {f"6_nicolas_{take}" for take in (4, 6, 7, 38, 41)} | {"3_nicolas_38", "3_nicolas_45"}
    assert (min(silent.values()), max(silent.values())) == (1149, 3763)
    offsets = {speaker: sum(some) / len(some) for speaker, some in means.items()}
    assert offsets.pop("nicolas") == pytest.approx(-0.00725, abs=2e-4)
    assert max(map(abs, offsets.values())) < 1e-4
