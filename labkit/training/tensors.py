"""Weights and the state of a training, kept as safetensors: numbers and JSON, never a pickle."""

import json

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..errors import LabError
from ..files import atomic_file


def save_checkpoint(path, network, optimiser, history, best):
    """Write the state after an epoch; `best` is (metric, -loss, epoch, weights)."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best[3].items()}
    for number, state in optimiser.state_dict()["state"].items():
        kept = {key: value for key, value in state.items() if value is not None}
        tensors |= {f"optimiser.{number}.{key}": torch.as_tensor(value) for key, value in kept.items()}
    write_tensors(path, tensors, {"about": json.dumps({"history": history, "best": best[:3]})})


def load_checkpoint(path, network, optimiser):
    """Read what `save_checkpoint` wrote into network and optimiser; return (history, best)."""
    mend = "Delete it, and training starts from the first epoch."
    tensors, about = read_tensors(path, mend)
    parts, state = {"network": {}, "best": {}}, {}
    device = next(network.parameters()).device
    try:
        for name, value in tensors.items():
            part, name = name.split(".", 1)
            if part == "optimiser":
                number, key = name.split(".", 1)
                state.setdefault(int(number), {})[key] = value
            else:
                parts[part][name] = value.to(device)
        about = json.loads(about["about"])
        network.load_state_dict(parts["network"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise LabError(f"{path} does not hold the state of this training. {mend}") from error
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return about["history"], (*about["best"], parts["best"])


def write_tensors(path, tensors, about=None):
    """Write tensors, with metadata (a dict of strings), as a safetensors file: whole or not at all."""
    # A copy each: safetensors refuses tensors that share memory, as tied weights do.
    content = save({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, about)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(path, mend):
    """(tensors, metadata) of a safetensors file; anything else, a pickle above all, is refused with the `mend`."""
    try:
        with safe_open(path, "pt") as file:
            # A copy each: the tensors are a view of the file, and Windows replaces no file that is looked at.
            return {name: file.get_tensor(name).clone() for name in file.keys()}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        why = "a pickle is never loaded, since it can run any code"
        raise LabError(f"{path} is not a whole safetensors file ({error}); {why}. {mend}") from error
