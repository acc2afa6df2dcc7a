"""Self-checks for the blanks and the exercises of 00_from_scratch."""

import copy

import pandas as pd
import torch
from torch import nn

from ..errors import choose
from . import attempt, check, compare, need, shape


def noise(*size):
    """Random numbers of a shape, the same each time."""
    return torch.randn(*size, generator=torch.Generator().manual_seed(0))


@check("Each coefficient has mean 0 and standard deviation 1.", blank="00_from_scratch.normalise")
def check_normalise(normalise):
    """Does `normalise(x, mean, std)` scale x, shape (batch, frames, coefficients), with this mean and std?"""
    mean, std, z = torch.tensor([-300.0, 20.0]), torch.tensor([84.0, 36.0]), 0.1 + 2 * noise(4, 50, 2)
    x = mean + std * z
    kept = x.clone()
    with attempt("normalise(x, mean, std)"):
        found = normalise(x, mean, std)
    need(torch.equal(x, kept), "you change x itself. Compute a new tensor: x - mean, not x -= mean.")
    need(shape(found) == shape(x), f"x has the shape {shape(x)}, your answer {shape(found)}. Keep all values.")
    mistakes = {
        "x comes back as it was. Subtract mean, then divide by std.": x,
        "the standard deviation is still that of x. Divide by std.": x - mean,
        "the mean is not 0 yet. Subtract mean first.": x / std,
        "`x - mean / std` divides mean only. Write (x - mean) / std.": x - mean / std,
        "you divide by the square of std. Divide by std once.": z / std,
    }
    for sentence, wrong in mistakes.items():
        need(not torch.allclose(found, wrong, 1e-3), sentence)
    need(torch.allclose(found, z, atol=1e-3), "this is not (x - mean) / std. Use the mean and the std that are given.")


def named(found, outputs, layer):
    """What of a GRU's outputs, shape (batch, frames, hidden), became `found` by way of a layer, in words."""
    known = {"the average": outputs.mean(1), "the last frame": outputs[:, -1], "the first frame": outputs[:, 0]}
    known |= {"the maximum": outputs.amax(1), "the sum, not divided by the number of frames": outputs.sum(1)}
    return next((k for k, v in known.items() if torch.allclose(found.to(v), layer(v), 0, 1e-3)), "something else")


@check("One vector for each clip, whatever its number of frames.", blank="00_from_scratch.readout")
def check_readout(readout):
    """Does `readout(outputs)` average (batch, frames, hidden) over the frames, each clip by itself?"""
    outputs = noise(3, 7, 5).requires_grad_()
    with attempt("readout(outputs)"):
        found = readout(outputs)
    told = f"3 clips of 7 frames and 5 hidden values, (3, 7, 5), should become (3, 5), not {shape(found)}."
    need(shape(found) == (3, 5), f"{told} Reduce the frames, dimension 1, and nothing else.")
    need(found.requires_grad, "no gradient comes through, so the GRU cannot learn. Use torch, and no detach or argmax.")
    influence = torch.autograd.grad(found[1].sum(), outputs)[0].abs().sum(2)  # (clips, frames)
    need(not influence[[0, 2]].any(), "a clip's vector depends on the other clips. Dimension 0 is the batch.")
    given = named(found, outputs, nn.Identity())
    need(given == "the average", f"this is {given}. Take the average over the frames: each of them counts the same.")


@check("Each layer is in its place.", blank="00_from_scratch.WordNetwork")
def check_network(network, wanted="the average"):
    """Is `network(mean, std)` a recogniser that normalises, and gives `linear` what is `wanted` of `gru`'s outputs?"""
    x, mean, std = noise(3, 51, 13), torch.full((13,), -90.0), torch.full((13,), 30.0)  # x: (batch, frames, features)
    inside = torch.cat([x[:, :1], x.roll(1, 0)[:, 1:-1], x[:, -1:]], dim=1)  # other clips, but for both ends
    with torch.random.fork_rng(devices=[]), attempt("your class, called with (mean, std),"):
        torch.manual_seed(0)
        plain, mine = network(torch.zeros(13), torch.ones(13)).eval(), network(mean, std).eval()
    with attempt(f"forward on an input of shape {tuple(x.shape)}, or twice as long,"):
        logits, longer, changed = plain(x.clone()), plain(torch.cat([x, x], dim=1)), plain(inside)
        alone = plain(x[-1:])  # the last: a network that takes the batch for time mixes it with those before
    need(shape(logits) == (3, 4), f"the logits of 3 clips should have the shape (3, 4), not {shape(logits)}.")
    need(shape(longer) == (3, 4), "a clip with more frames should give as many logits as a short one.")
    need(torch.isfinite(logits).all(), "some logits are not finite numbers.")
    need(logits.requires_grad, "the logits do not depend on any parameter. Send x through the layers.")
    need(not torch.equal(logits[0], logits[1]), "all clips get the same logits: the network ignores its input. Use x.")
    same = torch.allclose(alone, logits[-1:], atol=1e-5)
    need(same, "a clip's logits change with its batch, or at each call. Is dimension 0 the batch everywhere?")
    need(not torch.equal(logits, changed), "only the first or the last frame counts. The word is between them.")
    softmax = any(torch.allclose(one.sum(1).float(), torch.ones(3)) for one in (logits, logits.exp()))
    need(not softmax, "there is a softmax at the end, and cross_entropy applies one itself. Leave yours out.")
    logits.logsumexp(1).sum().backward()
    idle = [name for name, weight in plain.named_parameters() if weight.grad is None]
    need(not idle, f"the parameters {idle[:3]} have no influence on the logits, so they cannot learn.")
    mine.load_state_dict(dict(plain.named_parameters()), strict=False)
    same = torch.allclose(mine(mean + std * x), logits, atol=1e-2)
    need(same, "the input is not normalised. Begin forward with normalise(x, self.mean, self.std).")
    with attempt("`linear` after `gru`, the two layers that the network should have,"):
        given = named(logits, plain.gru(x)[0], plain.linear)
    need(given == wanted, f"of the GRU's outputs, `linear` should get {wanted}. It gets {given}.")


@check("Train it, and compare.")
def check_last_frame(network):
    """Is `network(mean, std)` such a recogniser, too, but one that gives `linear` only the last frame's memory?"""
    check_network.__wrapped__(network, "the last frame")  # its mistakes are raised here, not printed


@check("It goes down the gradient, and begins each step with a new one.", blank="00_from_scratch.training_step")
def check_training_step(step):
    """Does `step(network, optimiser, x, targets)` take one step down the gradient, and return the loss?"""
    x, targets, network = noise(8, 5), torch.arange(8) % 4, nn.Linear(5, 4)
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    first = "by something other than one step down the gradient of the loss. Call optimiser.step() once."
    second = "by the gradients of earlier batches, too. Call optimiser.zero_grad() in each step."
    for sentence in (first, second):  # what goes wrong at once, and what only in a second step
        before = copy.deepcopy(network)
        before.zero_grad()
        loss = nn.functional.cross_entropy(before(x), targets)
        loss.backward()
        mistakes = {8 * loss.item(): ": this is the sum over the batch. Take the mean, as cross_entropy does."}
        otherwise = f"the cross-entropy of these logits, without a softmax before it, is {loss:.4g}."
        compare("training_step(...)", step, [network, optimiser, x, targets], loss.item(), mistakes, otherwise, 1e-4)
        moved, gradient, kept = before.weight - network.weight, before.weight.grad, network.weight.grad
        lost = "the parameters get no gradient. Is loss.backward() missing, or is the gradient deleted before step()?"
        stuck = "the gradient is there, but the parameters have not moved. Call optimiser.step() after backward."
        need(moved.any(), stuck if kept is not None and kept.any() else lost)
        need(not torch.allclose(moved, -gradient, atol=1e-5), "the loss goes up: the sign of the step is wrong.")
        need(torch.allclose(moved, gradient, atol=1e-5), f"the parameters move {sentence}")


@check("Run it on every split that you meet.", blank="00_from_scratch.shared_speakers")
def check_shared(shared):
    """Does `shared(train, test)` name the speakers who are in both tables?"""
    for train, test, both in ((["ana", "ben", "ben"], ["ben", "cem"], ["ben"]), (["ana"], ["cem", "dea"], [])):
        tables = [pd.DataFrame({"speaker": names, "label": "yes"}) for names in (train, test)]
        with attempt("shared_speakers(train, test), or set(...) of what it gives back,"):
            found = sorted(set(shared(*tables)))
        need(found == both, f"trained on are {train}, tested are {test}. You name {found}; in both are {both}.")


@check("One change: what differs in the result comes from it, or from chance.")
def check_change(original, mine, part, setting, wanted):
    """Is one setting of one part, such as "feature" and "seconds", as `wanted` in `mine`, and all else as before?"""
    choose(part, vars(original), "part of an experiment")
    need(isinstance(mine, type(original)), f"this is a {type(mine).__name__}, not an Experiment. Return one.")
    before, after = getattr(original, part), getattr(mine, part)
    value = getattr(after, setting)
    need(value == wanted, f"{part}.{setting} is {value!r}, and {wanted!r} is asked for. Change it.")
    others = [name for name in vars(original) if name != part and getattr(original, name) != getattr(mine, name)]
    inner = [name for name in vars(before) if name != setting and getattr(before, name) != getattr(after, name, None)]
    others += [f"{part}.{name}" for name in inner]
    need(not others, f"{', '.join(others)} differs too, so you could not say which change made the difference.")
