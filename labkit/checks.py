"""Self-checks for the exercises: each takes what the student made and says what is wrong with it.

A check prints one line per problem, or that all is well, and returns whether it is. Several answers are right.
"""

from dataclasses import fields

import torch

from .errors import choose


def tell(problems, praise):
    """Print the problems, or the praise; return whether there was nothing wrong."""
    for problem in problems:
        print(f"Not yet: {problem}")
    if not problems:
        print(f"Right. {praise}")
    return not problems


def check_recogniser(network, features, classes):
    """Is this a network that takes (batch, frames, features) and gives (batch, classes)?

    Parameters
    ----------
    network : torch.nn.Module
        Called as `network(x)`.
    features, classes : int

    Returns
    -------
    bool
    """
    return tell(_recogniser_problems(network, features, classes), "Train it with one_epoch, as in section 5.")


def _recogniser_problems(network, features, classes):
    if isinstance(network, type):
        return [f"{network.__name__} is a class. Call it to make a network: {network.__name__}()."]
    if not isinstance(network, torch.nn.Module):
        return [f"this is a {type(network).__name__}, not a torch.nn.Module. Derive your class from nn.Module."]
    network = network.eval()
    x = torch.randn(3, 51, features, generator=torch.Generator().manual_seed(0))  # (batch, frames, features)
    try:
        scores = network(x)
        alone = network(x[-1:])  # the last: a network that takes the batch for time mixes it with those before
        longer = network(torch.cat([x, x], dim=1))
    except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
        name = type(error).__name__
        return [f"forward fails on an input of shape {tuple(x.shape)} or twice as long: {name}: {error}"]
    problems = []
    if not isinstance(scores, torch.Tensor) or scores.shape != (3, classes):
        got = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        return [f"the scores of 3 clips should have the shape {(3, classes)}, not {got}."]
    if longer.shape != (3, classes):
        problems.append("a clip with more frames should give as many scores as a short one.")
    if not torch.isfinite(scores).all():
        problems.append("some scores are not finite numbers.")
    elif not torch.allclose(alone, scores[-1:], atol=1e-5):
        problems.append("a clip's scores change with its batch. Is dimension 0 the batch everywhere?")
    if scores.requires_grad:
        network.zero_grad()
        scores.logsumexp(1).sum().backward()
        idle = [name for name, weight in network.named_parameters() if weight.grad is None]
        if idle:
            problems.append(f"the parameters {idle[:3]} have no influence on the scores, so they cannot learn.")
        network.zero_grad()
    else:
        problems.append("the scores do not depend on any parameter, so nothing can be learnt.")
    return problems


def check_change(original, mine, part, setting):
    """Does `mine` differ from `original` in one setting of one part, and in nothing else?

    Parameters
    ----------
    original, mine : Experiment
    part, setting : str
        For example "feature" and "seconds".

    Returns
    -------
    bool
    """
    problems = []
    choose(part, {field.name: field for field in fields(original)}, "part of an experiment")
    before, after = getattr(original, part), getattr(mine, part)
    if getattr(before, setting) == getattr(after, setting):
        problems.append(f"{part}.{setting} is still {getattr(after, setting)!r}. Change it.")
    for field in fields(original):
        if field.name != part and getattr(original, field.name) != getattr(mine, field.name):
            problems.append(f"{field.name} differs too, so you could not say which change made the difference.")
    for field in fields(before):
        if field.name != setting and getattr(before, field.name) != getattr(after, field.name, None):
            problems.append(f"{part}.{field.name} differs too. Change one thing at a time.")
    return tell(problems, "One change: what differs in the result comes from it, or from chance.")
