"""Self-checks for the exercises of 00_from_scratch."""

from dataclasses import fields

import torch

from ..errors import choose
from . import Wrong, attempt, check, need, shape


@check("Train it with one_epoch, as in section 5.")
def check_recogniser(network, features, classes):
    """Is this torch.nn.Module a network that takes (batch, frames, features) and gives (batch, classes)?"""
    if isinstance(network, type):
        raise Wrong(f"{network.__name__} is a class. Call it to make a network: {network.__name__}().")
    kind = f"this is a {type(network).__name__}, not a torch.nn.Module. Derive your class from nn.Module."
    need(isinstance(network, torch.nn.Module), kind)
    network = network.eval()
    x = torch.randn(3, 51, features, generator=torch.Generator().manual_seed(0))  # (batch, frames, features)
    with attempt(f"forward on an input of shape {tuple(x.shape)}, or twice as long,"):
        logits = network(x)
        alone = network(x[-1:])  # the last: a network that takes the batch for time mixes it with those before
        longer = network(torch.cat([x, x], dim=1))
    right = (3, classes)
    need(shape(logits) == right, f"the logits of 3 clips should have the shape {right}, not {shape(logits)}.")
    need(shape(longer) == right, "a clip with more frames should give as many logits as a short one.")
    need(torch.isfinite(logits).all(), "some logits are not finite numbers.")
    same = torch.allclose(alone, logits[-1:], atol=1e-5)
    need(same, "a clip's logits change with its batch. Is dimension 0 the batch everywhere?")
    need(logits.requires_grad, "the logits do not depend on any parameter, so nothing can be learnt.")
    network.zero_grad()
    logits.logsumexp(1).sum().backward()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None]
    network.zero_grad()
    need(not idle, f"the parameters {idle[:3]} have no influence on the logits, so they cannot learn.")


@check("One change: what differs in the result comes from it, or from chance.")
def check_change(original, mine, part, setting):
    """Do two Experiments differ in one setting of one part, such as "feature" and "seconds", and in nothing else?"""
    choose(part, {field.name: field for field in fields(original)}, "part of an experiment")
    before, after = getattr(original, part), getattr(mine, part)
    value = getattr(after, setting)
    need(value != getattr(before, setting), f"{part}.{setting} is still {value!r}. Change it.")
    for field in fields(original):
        same = field.name == part or getattr(original, field.name) == getattr(mine, field.name)
        need(same, f"{field.name} differs too, so you could not say which change made the difference.")
    for field in fields(before):
        same = field.name == setting or getattr(before, field.name) == getattr(after, field.name, None)
        need(same, f"{part}.{field.name} differs too. Change one thing at a time.")
