"""Models: from features to one logit per class.

Every model is a torch module with `forward(x, lengths)`: `x` is a batch of features, and what lies beyond the `lengths`
of its clips (in frames or samples) does not matter. The keyword arguments of its constructor are its hyperparameters,
each checked against its annotation, or against the type of its default.
"""

import inspect
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ..errors import LabError, choose
from ..files import digest
from ..settings import plain

MODELS = {}
MOST_WEIGHTS = 150_000_000  # of a network: 2.4 GB with their gradients and what an optimiser remembers
Dropout = Annotated[float, Field(ge=0, lt=1)]
TAKES = {  # the feature's shape without the batch, and features that give it
    "frames": "(frames, features): use the feature 'mfcc' or 'mel_frames'",
    "images": "(1, bands, frames): use the feature 'log_mel'",
    "samples": "(1, samples): use the feature 'raw'",
}
STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)  # "64" and True are no numbers


def register(name, **attributes):
    """Class decorator: make a model known to experiments, panels and the command line under `name`.

    It is made as `Class(shape, classes, **hyperparameters)`; `shape` is the feature's without the batch, None where
    lengths vary. The class may say what it `takes` (a key of `TAKES`), `one_length = True` if its clips must have one,
    and the memory `layout` of its convolutions. With `attributes`, the model is a subclass that has these.
    """

    def add(builder):
        own = {"__module__": builder.__module__, **attributes}
        MODELS[name] = type(name, (builder,), own) if attributes else builder
        return builder

    return add


@dataclass(frozen=True, init=False)
class Model:
    """Name of a model (a key of `MODELS`) and those of its hyperparameters that differ from their defaults.

    >>> Model("gru", hidden=32).full["layers"]
    1
    """

    name: str
    options: tuple

    def __init__(self, name, **options):
        known, changed = parameters(name), {}
        for key, value in options.items():
            setting = choose(key, known, f"hyperparameter of the model {name!r}")
            value = plain(value)  # JSON has lists, a frozen value holds tuples
            kind = setting.annotation
            if kind is setting.empty:
                kind = object if setting.default is None else type(setting.default)
            try:
                TypeAdapter(kind, config=STRICT).validate_python(value)
            except ValidationError as error:
                said = f"The hyperparameter {key} of the model {name!r} cannot be {value!r}"
                raise LabError(f"{said}: it {error.errors()[0]['msg'].removeprefix('Input ')}. Change it.") from None
            if value != setting.default:  # so a new option with a default changes no existing experiment
                changed[key] = value
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", tuple(sorted(changed.items())))

    def __repr__(self):
        return f"Model({', '.join([repr(self.name), *(f'{key}={value!r}' for key, value in self.options)])})"

    @property
    def full(self):
        """All hyperparameters, defaults included."""
        return {key: setting.default for key, setting in parameters(self.name).items()} | dict(self.options)

    def build(self, shape, classes):
        """Make the network (a torch.nn.Module) for features of this shape, without the batch."""
        builder = choose(self.name, MODELS, "model")
        kind = "images" if len(shape) == 3 else "samples" if shape[0] == 1 else "frames"
        takes = getattr(builder, "takes", kind)
        if takes != kind:
            raise LabError(f"The model {self.name!r} cannot read features of shape {shape}. It takes {TAKES[takes]}.")
        if getattr(builder, "one_length", False) and shape[-1] is None:
            raise LabError(f"The model {self.name!r} takes clips of one length. Set seconds=1.0 in the feature.")
        self._refuse_huge(builder, shape, classes)
        network = builder(shape, classes, **dict(self.options))
        return network.to(memory_format=getattr(builder, "layout", torch.preserve_format))

    def _refuse_huge(self, builder, shape, classes):
        """LabError if the network would have too many weights; counted on torch's device "meta", which holds none."""
        try:
            with torch.random.fork_rng([]), torch.device("meta"):
                weights = count_parameters(builder(shape, classes, **dict(self.options)))
        except LabError:
            raise
        except Exception:  # a student's model may need numbers, not only shapes
            return
        if weights > MOST_WEIGHTS:
            needs = f"{weights:,} weights and, in training, {16 * weights / 1e9:,.1f} GB"
            raise LabError(f"{self} would need {needs}; at most {MOST_WEIGHTS:,} weights work here. Make it smaller.")


def parameters(name):
    """The hyperparameters of a model by name, as inspect.Parameter: with default and annotation."""
    builder, found = choose(name, MODELS, "model"), {}
    for cls in getattr(builder, "__mro__", [builder]):  # a class, or a function that makes a network
        own = list(inspect.signature(cls, eval_str=True).parameters.values())[2:]  # not shape and classes
        named = {parameter.name: parameter for parameter in own if parameter.kind is not parameter.VAR_KEYWORD}
        found = named | found
        if len(named) == len(own):  # no `**options`, which would be those of the class that it extends
            break
    if missing := [key for key, parameter in found.items() if parameter.default is parameter.empty]:
        raise LabError(f"The model {name!r} has no default for {missing}. Give each of its hyperparameters one.")
    return found


def code_of(name):
    """Hash of the code of a model that is not labkit's own (not of functions it calls elsewhere); None for labkit's."""
    builder = choose(name, MODELS, "model")
    if builder.__module__.startswith("labkit."):
        return None
    classes = getattr(builder, "__mro__", [])
    own = [cls for cls in classes if not cls.__module__.startswith(("labkit.", "torch.", "builtins"))]
    members = [member for cls in own for _, member in sorted(vars(cls).items())] or [builder]
    return digest([[_source(member) for member in members if inspect.isfunction(member)], repr(Model(name).full)])


def _source(function):
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # a bare interpreter keeps no text: bytecode and constants stand for it
        code = function.__code__
        return repr((code.co_code, code.co_names, [value for value in code.co_consts if not inspect.iscode(value)]))


def count_parameters(network):
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def inside(size, lengths):
    """Which of `size` frames (or samples) belong to the clip, not to the padding after it: (batch, size)."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


# Each module registers its models; they come last because they import from here.
from ..published import r1_rnn, r2_mel_cnn, r3_audionet, r4_voice_mnist, r5_accents  # noqa: E402, F401, I001
from . import bc_resnet, lstm_cells, rnn, stream_cnn, word_cnn  # noqa: E402, F401
