"""labkit: the small package behind the notebooks of a course lab on speech classification.

>>> import labkit
>>> labkit.Experiment(seed=1).to_dict()
{'seed': 1}
"""

from importlib import import_module

__version__ = "0.1.0"

# Names a notebook uses, and the room of each. They load on first use: `labkit check` must run where torch does not.
_ROOMS = {
    "start": "lab",
    "Experiment": "experiments.experiment",
    "Choice": "experiments.experiment",
    "Target": "experiments.experiment",
    "Split": "data.splits",
    "split": "data.splits",
    "MFCC": "features",
    "LogMel": "features",
    "MelFrames": "features",
    "Spectrogram": "features",
    "Raw": "features",
    "Model": "models",
    "register": "models",
    "count_parameters": "models",
    "Augmentation": "training.augment",
    "Recipe": "training.recipe",
    "train": "experiments.run",
    "read_runs": "experiments.records",
    "table": "experiments.records",
    "summary": "experiments.records",
    "in_words": "experiments.records",
    "Grid": "experiments.sweep",
    "read_audio": "data.audio",
    "resample": "data.audio",
    "open_store": "data.store",
    "LabError": "errors",
    "LabWarning": "errors",
    "ConfusionsPanel": "widgets",
    "ExplorerPanel": "widgets",
    "GatesPanel": "widgets",
    "LivePanel": "widgets",
    "RecorderPanel": "widgets",
    "TrainerPanel": "widgets",
    "with_you": "widgets",
}
__all__ = sorted(_ROOMS)  # noqa: PLE0604


def __getattr__(name):
    if name in _ROOMS:
        return getattr(import_module(f".{_ROOMS[name]}", __name__), name)
    if name in ("data", "metrics", "plots", "widgets"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"labkit has no {name!r}; it offers {', '.join(__all__)}")
