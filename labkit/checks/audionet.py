"""Self-checks for the blanks and the exercises of 05_audiomnist_audionet."""

import torch
from torch import nn

from . import attempt, check, compare, need, number, shape


@check("Neither silence after the word nor an offset changes it.", blank="05_audiomnist_audionet.loudness")
def check_loudness(loudness):
    """Is `loudness(window, length)` a level of the clip at the start of the window, whatever zeros and offset?"""

    def level(said, samples):
        window = torch.zeros(8000)
        window[: len(samples)] = samples
        return number(f"loudness(window, length), for {said},", loudness, window, len(samples))

    clip = 0.01 * torch.randn(6000, generator=torch.Generator().manual_seed(0))
    clip -= clip.mean()
    usual = level("a clip of 6,000 samples", clip)
    need(usual > 0, f"of a clip of noise it is {usual:.3g}. Dividing needs a number above 0.")
    double = level("a clip twice as loud", 2 * clip) / usual
    need(1.8 < double < 2.2, f"a clip twice as loud gives {double:.3g} times the number. Is it an amplitude?")
    short = level("a clip of 300 samples", clip[:300]) / usual
    need(0.5 < short < 2, f"with more zeros after it, it gives {short:.3g} times the number. Use window[:length].")
    for offset in (0.02, -0.02):
        moved = level("a clip with an offset", clip + offset) / usual
        grown = f"an offset of {offset} makes it {moved:.3g} times as large. Subtract the clip's mean."
        need(0.67 < moved < 1.5, grown)


@check("Compare it with 0.001.", blank="05_audiomnist_audionet.update_ratio")
def check_update_ratio(update_ratio):
    """Is `update_ratio(before, after)` the size of a step relative to the size of the weights?"""
    generator = torch.Generator().manual_seed(0)
    before, step = (size * torch.randn(200, 300, generator=generator) for size in (0.5, 0.002))
    after, kept = before + step, before.clone()
    mistakes = {
        250.0: "this is weights by step. Turn it round.",
        -2.398: "this is the logarithm. The figure takes it; give back the ratio.",
        0.002: "this is the size of the step alone. Divide by that of the weights.",
        0.5: "this is the size of the weights alone. Divide the size of the step by it.",
        1.0: "this compares the weights after with those before. The step is after - before.",
        0.004**2: "this is a ratio of squares. Take its root.",
    }
    said = "update_ratio(before, after)"
    value = number(said, update_ratio, before, after)
    value = next((wrong for wrong in (*mistakes, 0.004) if abs(value / wrong - 1) < 0.03), value)  # as good as equal
    compare(said, lambda: value, (), 0.004, mistakes, "steps of spread 0.002 on weights of 0.5 have 0.004.", 1e-9)
    need(torch.equal(before, kept), "you change the weights you were given. Compute new tensors.")


@check("The zeros after a clip no longer matter.", blank="05_audiomnist_audionet.last_valid")
def check_last_valid(last_valid):
    """Does `last_valid(outputs, lengths)` give each clip's output at its own last step: (batch, hidden)?"""
    outputs, lengths = torch.randn(4, 9, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([9, 4, 1, 6])
    outputs.requires_grad_()
    with attempt("last_valid(outputs, lengths)"):
        found = last_valid(outputs, lengths)
    need(shape(found) == (4, 5), f"4 clips of 9 steps and 5 values should become (4, 5), not {shape(found)}.")
    told = "clip i should give outputs[i, lengths[i] - 1], and nothing of other steps or clips."
    mistakes = {"This is the last step of the window. Use lengths.": outputs[:, -1]}
    mistakes["This is one step too early: counting starts at 0."] = outputs[torch.arange(4), lengths - 2]
    hints = [hint for hint, wrong in mistakes.items() if torch.allclose(found, wrong)]
    need(torch.allclose(found, outputs[torch.arange(4), lengths - 1]), " ".join([told, *hints]))
    need(found.requires_grad, "no gradient comes through, so the GRU cannot learn. Stay in torch, without detach.")


@check("Train with it, and compare.")
def check_initialise(initialise):
    """Does `initialise(layer)` draw weights with variance 2 / inputs (He et al.), and set the biases to 0?"""
    for layer, inputs in ((nn.Conv1d(40, 200, 3), 120), (nn.Linear(300, 400), 300)):
        kind, before = type(layer).__name__, layer.weight.detach().clone()
        with attempt(f"initialise(layer), for a {kind},"):
            initialise(layer)
        weight, right = layer.weight.detach(), (2 / inputs) ** 0.5
        need(not torch.equal(weight, before), f"the weights of a {kind} are as they were. Change them in place.")
        need(weight.std() > 0, "all weights are equal. Draw them at random, or all channels learn the same.")
        need(abs(weight.mean()) < right / 10, f"the mean of the weights is {weight.mean():.2g}. It should be 0.")
        told = f"one output of this {kind} adds up {inputs} products, so sqrt(2 / {inputs}) = {right:.3g}"
        need(abs(weight.std() / right - 1) < 0.05, f"the standard deviation is {weight.std():.3g}, but {told}.")
        need(not layer.bias.any(), "the biases are not 0. nn.init.zeros_(layer.bias) sets them.")
