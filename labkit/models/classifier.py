"""What is trained: a model with the normalisation of its features in front."""

from torch import nn


class Normalise(nn.Module):
    """Subtract the mean of the training part's features, divide by their standard deviation (`std`)."""

    def __init__(self, mean, std):  # both broadcast against the features of one clip
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x):
        return (x - self.mean) / self.std


class Classifier(nn.Module):
    """A model behind the normalisation of its features, if there are `statistics`: mean and standard deviation."""

    def __init__(self, network, statistics=None):
        super().__init__()
        self.front = Normalise(*statistics) if statistics else nn.Identity()
        self.network = network

    def forward(self, x, lengths):
        return self.network(self.front(x), lengths)

    def step(self, x, state=None):  # as the model's own
        return self.network.step(self.front(x), state)
