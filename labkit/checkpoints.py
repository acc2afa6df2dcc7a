"""The state of a training after an epoch, kept as tensors and JSON; no pickle is ever read."""

import json

import torch

from .errors import LabError
from .files import atomic_file


def save_checkpoint(path, network, optimiser, history, best):
    """Write the state after an epoch, whole or not at all, as tensors and JSON: no pickle."""
    from safetensors.torch import save_file

    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best[3].items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {
            f"optimiser.{number}.{key}": torch.as_tensor(value) for key, value in state.items() if value is not None
        }
    about = json.dumps({"history": history, "best": best[:3]})
    with atomic_file(path) as temporary:
        save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, temporary, {"about": about})


def load_checkpoint(path, network, optimiser):
    """Read what `save_checkpoint` wrote into network and optimiser; return (history, best)."""
    tensors, about = read_tensors(path)
    about = json.loads(about["about"])

    def under(prefix):
        return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}

    try:
        network.load_state_dict(under("network."))
    except RuntimeError as error:
        raise LabError(
            f"{path} holds another network's state. Delete it, and training starts from the first epoch."
        ) from error
    state = {}
    for name, value in under("optimiser.").items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    device = next(network.parameters()).device
    best = {name: value.to(device) for name, value in under("best.").items()}
    return about["history"], (*about["best"], best)


def read_tensors(path):
    """(tensors, metadata) of a safetensors file; anything else, a pickle above all, is refused."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise LabError(
            f"{path} is not a whole safetensors file ({error}); a pickle is never loaded, since it can run any code. "
            "Delete it, and training starts from the first epoch."
        ) from error
