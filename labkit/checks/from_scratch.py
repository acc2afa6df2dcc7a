"""Self-checks for the exercises of 00_from_scratch."""

from dataclasses import fields

import torch

from ..errors import choose
from . import Wrong, attempt, check, shape


@check("Train it with one_epoch, as in section 5.")
def check_recogniser(network, features, classes):
    """Is this torch.nn.Module a network that takes (batch, frames, features) and gives (batch, classes)?"""
    if isinstance(network, type):
        raise Wrong(f"{network.__name__} is a class. Call it to make a network: {network.__name__}().")
    if not isinstance(network, torch.nn.Module):
        raise Wrong(f"this is a {type(network).__name__}, not a torch.nn.Module. Derive your class from nn.Module.")
    network = network.eval()
    x = torch.randn(3, 51, features, generator=torch.Generator().manual_seed(0))  # (batch, frames, features)
    with attempt(f"forward on an input of shape {tuple(x.shape)}, or twice as long,"):
        logits = network(x)
        alone = network(x[-1:])  # the last: a network that takes the batch for time mixes it with those before
        longer = network(torch.cat([x, x], dim=1))
    if shape(logits) != (3, classes):
        raise Wrong(f"the scores of 3 clips should have the shape {(3, classes)}, not {shape(logits)}.")
    if shape(longer) != (3, classes):
        yield "a clip with more frames should give as many scores as a short one."
    if not torch.isfinite(logits).all():
        yield "some scores are not finite numbers."
    elif not torch.allclose(alone, logits[-1:], atol=1e-5):
        yield "a clip's scores change with its batch. Is dimension 0 the batch everywhere?"
    if not logits.requires_grad:
        raise Wrong("the scores do not depend on any parameter, so nothing can be learnt.")
    network.zero_grad()
    logits.logsumexp(1).sum().backward()
    if idle := [name for name, weight in network.named_parameters() if weight.grad is None]:
        yield f"the parameters {idle[:3]} have no influence on the scores, so they cannot learn."
    network.zero_grad()


@check("One change: what differs in the result comes from it, or from chance.")
def check_change(original, mine, part, setting):
    """Do two Experiments differ in one setting of one part, such as "feature" and "seconds", and in nothing else?"""
    choose(part, {field.name: field for field in fields(original)}, "part of an experiment")
    before, after = getattr(original, part), getattr(mine, part)
    if getattr(before, setting) == getattr(after, setting):
        yield f"{part}.{setting} is still {getattr(after, setting)!r}. Change it."
    for field in fields(original):
        if field.name != part and getattr(original, field.name) != getattr(mine, field.name):
            yield f"{field.name} differs too, so you could not say which change made the difference."
    for field in fields(before):
        if field.name != setting and getattr(before, field.name) != getattr(after, field.name, None):
            yield f"{part}.{field.name} differs too. Change one thing at a time."
