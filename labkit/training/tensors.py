"""Weights and the state of a training, kept as safetensors: numbers and JSON, never a pickle."""

import hashlib
import json
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..errors import LabError
from ..files import atomic_file

HISTORY, BEST = TypeAdapter(list[dict[str, float]]), TypeAdapter(tuple[float, float, int])  # of a checkpoint


def save_checkpoint(path, network, optimiser, history, best, identity=None):
    """Write the state after an epoch of a run; `best` is (metric, -loss, epoch, weights)."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best[3].items()}
    for number, state in optimiser.state_dict()["state"].items():
        kept = {key: value for key, value in state.items() if value is not None}
        tensors |= {f"optimiser.{number}.{key}": torch.as_tensor(value) for key, value in kept.items()}
    write_tensors(path, tensors, {**(identity or {}), "history": history, "best": best[:3]})


def load_checkpoint(path, network, optimiser, identity=None):
    """Read what `save_checkpoint` wrote into network and optimiser; return (history, best)."""
    mend = "Delete it, and training starts from the first epoch."
    tensors, about = read_tensors(path, mend, (identity or {}).get("run"))
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
        history, best = about["history"], about["best"]
        HISTORY.validate_python(history)  # only looked at: an epoch read as 1.0 would be another record
        BEST.validate_python(best)
        for wrong in (parts["best"], parts["network"]):  # the last one stays
            network.load_state_dict(wrong)
        shapes = [{(), tuple(weights.shape)} for weights in network.parameters()]
        if any(tuple(value.shape) not in shapes[place] for place, own in state.items() for value in own.values()):
            raise ValueError("of another shape")
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise LabError(f"{path} does not hold the state of this training. {mend}") from error
    return history, (*best, parts["best"])


def write_tensors(path, tensors, about=None):
    """Write tensors, with a dict of JSON values and their hash, as a safetensors file: whole or not at all."""
    # A copy each: safetensors refuses tensors that share memory, as tied weights do.
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    about = {**(about or {})}
    about = json.dumps({**about, "sha256": _hash(tensors, about)})  # one text: safetensors writes several in any order
    content = save(tensors, {"about": about})
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(path, mend, run_id=None):
    """(tensors, dict) of a safetensors file of a run, as `write_tensors` left it.

    Anything else is refused with the `mend`: a pickle above all, numbers that are not finite or not those that were
    written, a file that names another run. (A file of the first edition names no run and has no hash.)
    """
    try:
        if not Path(path).is_file():
            raise OSError("it is no file")
        with safe_open(path, "pt") as file:
            # A copy each: the tensors are a view of the file, and Windows replaces no file that is looked at.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
            about = {**json.loads((file.metadata() or {}).get("about", "{}"))}
    except (SafetensorError, ValueError, TypeError, OSError, RecursionError) as error:
        why = "a pickle is never loaded, since it can run any code"
        raise LabError(f"{path} is not a whole safetensors file ({error}); {why}. {mend}") from error
    if about and about.pop("sha256", None) != _hash(tensors, about):
        raise LabError(f"{path} was damaged after it was written: it has another hash. {mend}")
    if broken := [name for name, value in tensors.items() if not torch.isfinite(value).all()]:
        raise LabError(f"{path} holds numbers that are not finite, in {broken[0]}. {mend}")
    if run_id is not None and about.get("run", run_id) != run_id:
        raise LabError(f"{path} belongs to run {about['run']}, not to {run_id}. {mend}")
    return tensors, about


def _hash(tensors, about):
    content = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        content.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        content.update(value.reshape(-1).view(torch.uint8).numpy())
    return content.hexdigest()
