"""The networks of the five published studies, each beside the table that its study printed."""

from ..errors import LabError


def check_room(shape, *left):
    """Raise LabError if convolutions and pools leave nothing of an input of this shape."""
    if min(left) < 1:
        why = f"Features of shape {shape} are too small for this network: its convolutions and pools leave nothing."
        raise LabError(f"{why} Raise seconds or n_mels, make hop_ms smaller, or take fewer layers.")
