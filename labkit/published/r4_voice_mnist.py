"""The published series of Keras-style networks on mel spectrograms of spoken digits, and one table of what differs.

A student study looked at spoken digits as others do at MNIST's written ones. `NETWORKS` holds each step of its series,
`STUDIES` what it changed on the last.
"""

import itertools

import torch
from torch import nn

from ..errors import LabError
from ..models import register
from ..settings import Counts, one_of
from . import Variant, check_room, settings_in
from .r2_mel_cnn import quiet_beyond

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
Activation = one_of(ACTIVATIONS, "activation")


@register("voice_mnist")
class VoiceMNIST(nn.Module):
    """Convolutions of 3x3 without padding, each with a max pool or none; then dense layers. Softmax is in the loss."""

    takes, one_length = "images", True
    layout = torch.channels_last  # the same numbers, in the order that a CPU convolves fastest

    def __init__(
        self,
        shape,  # (1, bands, frames)
        classes,
        channels: Counts = (32, 64),  # after each convolution; empty for dense layers alone
        pools: Counts = (2, 2),  # side of the max pool after each convolution; 1 is none
        hidden: Counts = (512,),  # widths of the dense layers before the head
        activation: Activation = "relu",  # after each convolution
        dense_activation: Activation = "relu",  # after each dense layer
    ):
        super().__init__()
        if len(channels) != len(pools):
            raise LabError(f"channels={channels}, pools={pools}: each convolution has one pool (1 is none). Add one.")
        self.activation, self.dense_activation = ACTIVATIONS[activation], ACTIVATIONS[dense_activation]
        count, *sides = shape
        self.convolutions, self.pools = nn.ModuleList(), nn.ModuleList()
        for width, pool in zip(channels, pools, strict=True):
            self.convolutions.append(nn.Conv2d(count, width, 3))
            self.pools.append(nn.MaxPool2d(pool) if pool > 1 else nn.Identity())
            count, sides = width, [(side - 2) // pool for side in sides]
        check_room(shape, *sides)
        widths = (count * sides[0] * sides[1], *hidden)
        self.dense = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.head = nn.Linear(widths[-1], classes)
        for layer in (*self.convolutions, *self.dense, self.head):
            nn.init.xavier_uniform_(layer.weight)  # as Keras does (Glorot and Bengio, AISTATS 2010, eq. 16)
            nn.init.zeros_(layer.bias)

    def forward(self, x, lengths):
        # x: (batch, 1, bands, frames); below, the shapes of the final network
        x = quiet_beyond(x, lengths).contiguous(memory_format=self.layout)
        for convolution, pool in zip(self.convolutions, self.pools, strict=True):
            x = pool(self.activation(convolution(x)))  # (batch, 32, 31, 31), then (batch, 64, 14, 14)
        x = x.permute(0, 2, 3, 1).flatten(1)  # (batch, 12,544): Keras' order, and no copy in this layout
        for layer in self.dense:
            x = self.dense_activation(layer(x))  # (batch, 512)
        return self.head(x)  # (batch, classes)


# The study took librosa's defaults: Slaney scale and filters of equal area, transforms of 2,048 samples at 22,050 Hz
# (93 ms), decibels cut 80 below the loudest value of the clip. What it does not say is chosen here: 8 kHz, which both
# digit corpora have; one second (0.99: a second gives 65 frames); a hop that gives as many frames as bands.
MEL = {"name": "log_mel", "sample_rate": 8000, "seconds": 0.99, "padding": "signal", "window_ms": 93.0, "n_fft": 1024}
MEL |= {"mel_scale": "slaney", "mel_norm": "slaney", "top_db": 80.0}
PICTURES = {128: {**MEL, "n_mels": 128, "hop_ms": 7.75}, 64: {**MEL, "n_mels": 64, "hop_ms": 15.5}}
# Keras' Adam and its defaults; the number of epochs is not said.
TRAINING = {"optimiser": "adam", "lr": 1e-3, "schedule": "constant", "weight_decay": 0.0, "clip_norm": None}
TRAINING |= {"batch": 32, "epochs": 8}


def _network(side, channels, pools, hidden, parameters, said):
    model = {"name": "voice_mnist", "channels": channels, "pools": pools, "hidden": hidden}
    return Variant(PICTURES[side], model, TRAINING, parameters, said)


NETWORKS = {  # trainable parameters with ten classes, and what the study says of the network
    "dense": _network(128, (), (), (1024,), 16_788_490, "surprisingly good, unstable"),
    "one conv": _network(128, (32,), (2,), (1024,), 130_067_786, "a clear boost"),
    "two convs": _network(128, (32, 64), (2, 2), (1024,), 59_012_490, "99.7% at batch 64, about 0.3 less at 150"),
    "three convs": _network(64, (32, 64, 128), (1, 2, 2), (1024, 512), 26_313_738, "no better: rejected"),
    "final": _network(64, (32, 64), (2, 2), (512,), 6_446_986, "99.2%"),
}
settings = settings_in(NETWORKS)

# What the study varied on its final network. "Bare decibels" are ours: it does not say that its own were normalised.
STUDIES = {
    "final": {},
    "batch 64": {"recipe": {"batch": 64}},
    "batch 150": {"recipe": {"batch": 150}},
    "SGD 0.01": {"recipe": {"optimiser": "sgd", "lr": 0.01, "momentum": 0.0}},
    "SGD 0.002": {"recipe": {"optimiser": "sgd", "lr": 0.002, "momentum": 0.0}},
    "SGD 0.001": {"recipe": {"optimiser": "sgd", "lr": 0.001, "momentum": 0.0}},
    "128 x 128": {"feature": {"n_mels": 128, "hop_ms": 7.75}},
    "sigmoid dense": {"model": {"dense_activation": "sigmoid"}},
    "tanh dense": {"model": {"dense_activation": "tanh"}},
    "sigmoid convolutions": {"model": {"activation": "sigmoid"}},
    "sigmoid output, cross-entropy": {"recipe": {"loss": "sigmoid_cross_entropy"}},
    "sigmoid output, binary": {"recipe": {"loss": "binary_cross_entropy"}},
    "bare decibels": {"feature": {"normalise": False}},
    "bare decibels, sigmoid convolutions": {"feature": {"normalise": False}, "model": {"activation": "sigmoid"}},
    "bare decibels, sigmoid output": {"feature": {"normalise": False}, "recipe": {"loss": "sigmoid_cross_entropy"}},
}
