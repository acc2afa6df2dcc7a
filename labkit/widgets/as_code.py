"""An experiment as the Python that makes it again."""

from dataclasses import fields, is_dataclass

from ..experiments.experiment import Experiment
from ..models import Model


def as_code(experiment):
    """An experiment as Python that makes it again and trains it.

    >>> print(as_code(Experiment().change(model={"name": "lstm", "hidden": 64}, recipe={"epochs": 5})))
    experiment = labkit.Experiment(
        model=labkit.Model('lstm', hidden=64),
        recipe=labkit.Recipe(epochs=5),
    )
    run = lab.train(experiment)
    """
    plain = Experiment()
    values = {part.name: getattr(experiment, part.name) for part in fields(experiment)}
    changed = [f"    {name}={_code(value)},\n" for name, value in values.items() if value != getattr(plain, name)]
    inner = f"\n{''.join(changed)}" if changed else ""
    return f"experiment = labkit.Experiment({inner})\nrun = lab.train(experiment)"


def _code(value):
    """A setting as Python, defaults left out."""
    if isinstance(value, Model):
        return f"labkit.{value!r}"
    if is_dataclass(value):
        plain = type(value)()
        changed = {name: setting for name, setting in vars(value).items() if setting != getattr(plain, name)}
        inner = ", ".join(f"{name}={_code(setting)}" for name, setting in changed.items())
        return f"labkit.{type(value).__name__}({inner})"
    return repr(value)
