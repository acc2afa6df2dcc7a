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
    lines = []
    for part in fields(experiment):
        value = getattr(experiment, part.name)
        if value != getattr(plain, part.name):
            lines.append(f"    {part.name}={_written(value)},")
    body = "\n".join(["experiment = labkit.Experiment(", *lines, ")"]) if lines else "experiment = labkit.Experiment()"
    return f"{body}\nrun = lab.train(experiment)"


def _written(value):
    """A setting as Python, defaults left out."""
    if isinstance(value, Model):
        return f"labkit.{value!r}"
    if is_dataclass(value):
        changed = [part for part in fields(value) if getattr(value, part.name) != part.default]
        inner = ", ".join(f"{part.name}={_written(getattr(value, part.name))}" for part in changed)
        return f"labkit.{type(value).__name__}({inner})"
    return repr(value)
