"""The networks of the five published studies, each beside the table that its study printed."""

from dataclasses import dataclass

from ..errors import LabError, choose


@dataclass(frozen=True)
class Variant:
    """A published network: its settings, as `Experiment.from_dict` reads them, and what its study says of it."""

    feature: dict
    model: dict
    recipe: dict
    parameters: int | None = None  # trainable, with the study's classes
    published: float | str | None = None  # accuracy, or a remark
    notebook: float | None = None  # accuracy in the outputs of their saved notebook
    note: str = ""


def settings_in(table):
    """A function `settings(name)`: feature, model and recipe of a variant, as `Experiment.from_dict` reads them."""

    def settings(name):
        found = choose(name, table, "published network")
        return {"feature": dict(found.feature), "model": dict(found.model), "recipe": dict(found.recipe)}

    return settings


def check_room(shape, *left):
    """Raise LabError if convolutions and pools leave nothing of an input of this shape."""
    if min(left) < 1:
        why = f"Features of shape {shape} are too small for this network: its convolutions and pools leave nothing."
        raise LabError(f"{why} Raise seconds or n_mels, make hop_ms smaller, or take fewer layers.")
