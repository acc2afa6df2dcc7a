"""labkit: the small package behind the notebooks of a course lab on speech classification."""

from importlib import import_module

__version__ = "2026.2"

# Names a notebook uses, by their room. They load on first use: `labkit check` must run where torch does not.
_ROOMS = {
    "lab": "start",
    "experiments.experiment": "Experiment Subset Target",
    "data.splits": "Split split",
    "features": "MFCC LogMel MelFrames Spectrogram Raw",
    "models": "Model register count_parameters",
    "training.augment": "Augmentation",
    "training.recipe": "Recipe",
    "experiments.run": "train",
    "experiments.records": "read_runs table summary in_words",
    "experiments.sweep": "Grid",
    "data.audio": "read_audio resample",
    "data.store": "open_store",
    "errors": "LabError LabWarning",
    "widgets": "ConfusionsPanel ExplorerPanel GatesPanel LivePanel RecorderPanel TinkerPanel TrainerPanel with_you",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}
__all__ = sorted(_ROOM_OF)  # noqa: PLE0604


def __getattr__(name):
    if name in _ROOM_OF:
        return getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)
    if name in ("data", "metrics", "plots", "widgets"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"labkit has no {name!r}; it offers {', '.join(__all__)}")
