"""Networks that tests of streaming share: untrained, but with numbers in all their layers."""

from types import SimpleNamespace

import torch
from torch import nn

from labkit.experiments.experiment import Experiment
from labkit.features import MelFrames
from labkit.models import Model
from labkit.models.classifier import Classifier

RATE = 16_000
FEATURE = MelFrames(window_ms=30, hop_ms=10, n_mels=16, floor=1e-5)


def classifier(model=None, feature=FEATURE, labels=("no", "yes", "unknown"), seed=0, name="untrained"):
    """What a Run is to a detector, made in a moment."""
    model = model or Model("stream_cnn", hidden=8, channels=4, blocks=2)
    experiment = Experiment(feature=feature, model=model)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = model.build(feature.shape, len(labels))
        for layer in network.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):  # as after some training
                for numbers, low, high in (
                    (layer.running_mean, -0.5, 0.5),
                    (layer.running_var, 0.5, 2.0),
                    (layer.weight.data, 0.5, 1.5),
                    (layer.bias.data, -0.5, 0.5),
                ):
                    numbers.uniform_(low, high)
    width = feature.shape[feature.time_axis - 2] if feature.time_axis == 3 else feature.shape[-1]
    shape = (1, width, 1) if feature.time_axis == 3 else (1, width)
    network = Classifier(network, (torch.full(shape, -20.0), torch.full(shape, 15.0))).eval()
    return SimpleNamespace(
        name=name, id=name, experiment=experiment, labels=labels, network=network, device=torch.device("cpu"),
        record={"training_speakers": [], "protocol": "official"},
    )  # fmt: skip


def sound(seconds=3.0, seed=0, sample_rate=RATE):
    """Noise that swells and fades, float32, shape (samples,)."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(round(seconds * sample_rate)) / sample_rate
    return (0.1 * torch.randn(len(time), generator=generator) * (1 + torch.sin(7 * time))).numpy()
