"""Models: from features to one score per class.

Every model is a torch module with `forward(x, lengths)` that ignores padding: `x` is a batch of features and `lengths`
its valid frames (or samples). To add one, decorate its class with `@register("name")`; the keyword arguments of its
constructor are its hyperparameters.
"""

import inspect
from dataclasses import dataclass

from torch import nn

from ..errors import LabError, choose, fits
from ..files import digest

MODELS = {}


def register(name):
    """Class decorator: make a model known to experiments, panels and the command line under `name`.

    The constructor is called as `Class(shape, classes, **hyperparameters)`; `shape` is the feature's shape without the
    batch: (frames, features), (1, bands, frames) or (1, samples), with None where lengths vary.
    """

    def add(builder):
        MODELS[name] = builder
        return builder

    return add


@dataclass(frozen=True, init=False)
class Model:
    """Name of a model and its hyperparameters, as an experiment keeps them.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    **options
        Hyperparameters that differ from the model's defaults.

    Examples
    --------
    >>> Model("gru", hidden=32).full["layers"]
    1
    """

    name: str
    options: tuple

    def __init__(self, name, **options):
        defaults = hyperparameters(name)
        # JSON and students write lists; a frozen value holds tuples.
        options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
        for option in options:
            choose(option, defaults, f"hyperparameter of the model {name!r}")
            default = defaults[option]
            if default is not None and not fits(options[option], type(default)):
                raise LabError(
                    f"The hyperparameter {option} of the model {name!r} cannot be {options[option]!r}: its default is "
                    f"{default!r}. Give it a value of that kind."
                )
        # What equals the default is left out, so that a new option with a default changes no existing experiment.
        changed = {key: value for key, value in options.items() if value != defaults[key]}
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", tuple(sorted(changed.items())))

    def __repr__(self):
        return f"Model({', '.join([repr(self.name), *(f'{key}={value!r}' for key, value in self.options)])})"

    @property
    def full(self):
        """All hyperparameters, defaults included."""
        return {**hyperparameters(self.name), **dict(self.options)}

    def build(self, shape, classes):
        """Make the network.

        Parameters
        ----------
        shape : tuple
            The feature's shape, without the batch.
        classes : int

        Returns
        -------
        torch.nn.Module
        """
        return choose(self.name, MODELS, "model")(shape, classes, **dict(self.options))


def hyperparameters(name):
    """The hyperparameters of a model and their defaults, read from its constructor."""
    parameters = list(inspect.signature(choose(name, MODELS, "model")).parameters.values())[2:]
    if missing := [parameter.name for parameter in parameters if parameter.default is parameter.empty]:
        raise LabError(f"The model {name!r} has no default for {missing}. Give each of its hyperparameters one.")
    return {parameter.name: parameter.default for parameter in parameters}


def code_of(name):
    """Hash of the code of a model that is not labkit's own (not of functions it calls elsewhere); None for labkit's."""
    builder = choose(name, MODELS, "model")
    if builder.__module__.split(".")[0] == "labkit":
        return None
    classes = builder.__mro__ if inspect.isclass(builder) else (builder,)
    own = [member for member in classes if member.__module__.split(".")[0] not in ("labkit", "torch", "builtins")]
    members = [item for cls in own for item in sorted(getattr(cls, "__dict__", {}).items())] or [("", builder)]
    codes = [[key, _code(value.__code__)] for key, value in members if inspect.isfunction(value)]
    return digest([codes, repr(hyperparameters(name))])


def _code(code):
    """What a code object does, without where it stands."""
    constants = [
        _code(value)
        if inspect.iscode(value)
        else repr(sorted(value, key=repr) if isinstance(value, frozenset) else value)
        for value in code.co_consts
    ]
    return [code.co_code.hex(), constants, list(code.co_names), list(code.co_varnames)]


def count_parameters(network: nn.Module):
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


# Each module registers its models; they come last because they import from here.
from ..published import r1_rnn, r2_mel_cnn, r2_raw_cnn, r3_audionet, r4_voice_mnist, r5_accents  # noqa: E402, F401, I001
from . import bc_resnet, cell_layer, rnn, stream_cnn, word_cnn  # noqa: E402, F401
