"""Many experiments: a base, a grid of changes, seeds; and the choice among them on validation."""

import itertools
from dataclasses import dataclass, field

from .corpora import find
from .errors import LabError, choose
from .experiment import Experiment
from .files import read_json
from .records import groups, summary
from .runs import train


@dataclass(frozen=True)
class Grid:
    """A sweep: every combination of `axes` applied to `base`, with every seed.

    Parameters
    ----------
    base : Experiment
    axes : dict
        From a part of the experiment ("model", "feature", "recipe" ...) or a single setting ("recipe.rate") to the
        values it takes. A value of a part is a dict of settings.
    seeds : tuple of int

    Examples
    --------
    >>> grid = Grid(axes={"model": [{"name": "rnn"}, {"name": "gru"}], "recipe.rate": [1e-3, 3e-3]}, seeds=(0, 1))
    >>> len(grid.experiments())
    8
    """

    base: Experiment = field(default_factory=Experiment)
    axes: dict = field(default_factory=dict)
    seeds: tuple = (0, 1, 2)

    @classmethod
    def read(cls, path):
        """Read a grid from a JSON file with the keys `base`, `axes` and `seeds`."""
        values = read_json(path, "Settings are a JSON file; results/recurrent.json is one to copy.")
        if not isinstance(values, dict):
            raise LabError(f"{path} holds no settings. It should be a JSON object like results/recurrent.json.")
        for key in values:
            choose(key, dict.fromkeys(("about", "base", "axes", "seeds")), f"key in {path}")
        grid = cls(
            Experiment.from_dict(values.get("base", {})), values.get("axes", {}), tuple(values.get("seeds", (0,)))
        )
        grid.experiments()  # an impossible member shows here, before any is trained
        return grid

    def experiments(self):
        """All members, seeds innermost; a duplicate is listed once."""
        members = []
        for values in itertools.product(*self.axes.values()):
            member = self.base
            for key, value in zip(self.axes, values, strict=True):
                part, _, setting = key.partition(".")
                member = member.change(**{part: {setting: value} if setting else value})
            members += [member.change(seed=seed) for seed in self.seeds]
        return list(dict.fromkeys(members))


def sweep(experiments, corpus, results, device="cpu", watch=None, report=print):
    """Train all that does not exist yet; go on past a failing member and say which.

    Parameters
    ----------
    experiments : list of Experiment
    corpus : Corpus
        Opened whole.
    results : Path
    device : str or torch.device
    watch : callable, optional
        Makes the `training.Watch` of an experiment.
    report : callable
        Gets a line of text for each run.

    Returns
    -------
    tuple of (list of Run, list of (Experiment, LabError))
    """
    runs, failed = [], []
    for number, experiment in enumerate(experiments, 1):
        try:
            runs.append(train(experiment, corpus, results, device, watch and watch(experiment)))
            report(f"{number}/{len(experiments)} {runs[-1]}")
        except LabError as error:
            failed.append((experiment, error))
            report(f"{number}/{len(experiments)} FAILED {experiment}: {error}")
    return runs, failed


def best(runs):
    """The configuration with the highest mean validation accuracy over its seeds.

    Returns
    -------
    list of Run
        Its runs, one per seed.
    """
    if not runs:
        raise LabError("There is no run to choose from. See the errors above, mend the settings and run again.")
    table = summary(runs)
    return groups(runs)[int(table.validation.argmax())]


def open_corpus(experiment, data="auto", scale="lab"):
    """The corpus an experiment names, opened whole."""
    return find(experiment.corpus.name, data, scale)
