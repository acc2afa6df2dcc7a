"""What is trained: a model with the normalisation of its features in front."""

from torch import nn

from ..features.feature import Normalise


class Classifier(nn.Module):
    """A model behind the normalisation of its features, if there are `statistics`: their mean and std."""

    def __init__(self, network, statistics=None):
        super().__init__()
        self.front = Normalise(*statistics) if statistics else nn.Identity()
        self.network = network

    def forward(self, x, lengths):
        return self.network(self.front(x), lengths)

    def step(self, x, state=None):  # as the model's own
        return self.network.step(self.front(x), state)
