"""Runs that differ in nothing but their seed are one value: what is said of a configuration is said of all of them."""

from ..metrics import speaker_interval, verdict


class Seeds(tuple):
    """The runs of one configuration, a run per seed: `Seeds(runs)` of a list of them, or `groups(runs)` of many."""

    @property
    def experiment(self):
        return self[0].experiment

    @property
    def record(self):
        """The first run's: device, date, command, clips and speakers of each part."""
        return self[0].record

    @property
    def parameters(self):
        return self.record["parameters"]

    def tables(self, part="test"):
        """Predictions per clip, a table per seed."""
        return [run.predictions(part) for run in self]

    def accuracy_on(self, part):
        """Mean accuracy over the seeds with its 95% interval over speakers, as `metrics.speaker_interval`."""
        return speaker_interval(self.tables(part))

    @property
    def accuracy(self):
        """As `accuracy_on` the test part: `mean`, `low`, `high`, `speakers`, `seeds`."""
        return self.accuracy_on("test")

    def minus(self, other, part="test"):
        """Difference in accuracy to another configuration on the same clips, with its interval over speakers."""
        return speaker_interval(self.tables(part), other.tables(part))

    def verdict(self, other, first="the first", second="the second"):
        """The difference to another configuration as a sentence: who is ahead, or that no difference was shown."""
        return verdict(self.minus(other), first, second)

    def mean(self, figure, part="test"):
        """Mean over the seeds of a figure of `metrics.scores`, such as "balanced_accuracy"."""
        return sum((run.test() if part == "test" else run.validation)[figure] for run in self) / len(self)

    @property
    def confusion(self):
        """Confusion matrix of the test part in clips, all seeds together."""
        return sum(run.confusion() for run in self)


def groups(runs):
    """Runs that differ in nothing but the seed, together: a list of Seeds, in order of first appearance."""
    found = {}
    for run in {run.id: run for run in runs}.values():  # a record may lie in two folders
        without_seed = run.experiment.change(seed=0).id(run.record["corpus"]["fingerprint"])
        found.setdefault(without_seed, []).append(run)
    return [Seeds(same) for same in found.values()]
