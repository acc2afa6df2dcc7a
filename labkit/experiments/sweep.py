"""Many experiments: a base, a grid of changes, seeds; and the choice among them on validation."""

import itertools
import os
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from glob import escape
from multiprocessing import get_context

from ..errors import LabError, choose
from ..files import home, read_json
from .experiment import Experiment
from .records import read_runs
from .run import train
from .seeds import groups


@dataclass(frozen=True)
class Grid:
    """A sweep: every combination of `axes` applied to `base`, with every seed.

    The axes lead from a part of the experiment ("model", "feature", "recipe" ...) or a single setting ("recipe.rate")
    to the values it takes. A value of a part is a dict of settings. The axis "experiment" changes several parts
    together: its values are dicts from a part to such a dict.

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
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values):
        """A grid from the dict that a settings file holds."""
        for key in values:
            choose(key, dict.fromkeys(("about", "base", "axes", "seeds")), "key of a grid")
        axes, seeds = values.get("axes", {}), values.get("seeds", [0])
        if not isinstance(axes, dict) or not all(isinstance(axis, list) and axis for axis in axes.values()):
            raise LabError(
                f"The axes of a grid are lists of values by name, as in {{'recipe.rate': [0.01]}}, not {axes!r}."
            )
        if not isinstance(seeds, list) or not seeds:
            raise LabError(f"The seeds of a grid are a list, as in [0, 1, 2], not {seeds!r}. Write one.")
        grid = cls(Experiment.from_dict(values.get("base", {})), axes, tuple(seeds))
        grid.experiments()  # an impossible member shows here, before any is trained
        return grid

    def experiments(self):
        """All members, seeds innermost; a duplicate is listed once."""
        members = []
        for values in itertools.product(*self.axes.values()):
            member = self.base
            for key, value in zip(self.axes, values, strict=True):
                part, _, setting = key.partition(".")
                changes = value if key == "experiment" else {part: {setting: value} if setting else value}
                if not isinstance(changes, dict):
                    raise LabError(f"A value of the axis 'experiment' is settings by part, not {value!r}. Write it so.")
                if "seed" in changes or key == "corpus" or "name" in changes.get("corpus", {}):
                    raise LabError(f"{key!r} cannot be an axis: seeds have their own list, and a grid has one corpus.")
                member = member.change(**changes)
            members += [member.change(seed=seed) for seed in self.seeds]
        return list(dict.fromkeys(members))


def committed(name, corpus):
    """The runs of a grid of the lab that were made before and are kept with it.

    Parameters
    ----------
    name : str
        Of the grid: `results/NAME.json`.
    corpus : str
        Of the corpus they were trained on: they lie in `results/records/CORPUS`, and in `CORPUS+OTHER` where other
        corpora were joined to it.

    Returns
    -------
    list of Run
        In the grid's order, read without their corpus and weights; members without a record are left out. `groups`
        brings the seeds of each configuration together.
    """
    results = home() / "results"
    experiments = Grid.read(results / f"{name}.json").experiments()
    folders = [
        folder
        for model in {experiment.model.name for experiment in experiments}
        for place in (corpus, f"{escape(corpus)}+*")
        for folder in sorted((results / "records").glob(f"{place}/{model}-*"))
    ]
    runs = {run.experiment: run for folder in folders for run in read_runs(folder)}
    found = [runs[experiment] for experiment in experiments if experiment in runs]
    if not found:
        raise LabError(
            f"There are no records of {name!r} on {corpus} in {results / 'records'}. They come with the lab: fetch it "
            "whole with `git clone`."
        )
    return found


def sweep(experiments, corpus, results, device="cpu", watch=None, report=print, executor=None):
    """Train all that does not exist yet; go on past a failing member and say which.

    Parameters
    ----------
    experiments : list of Experiment
    corpus : Corpus
        Opened whole.
    results : Path
    device : str or torch.device
    watch : callable, optional
        Makes the `training.Watch` of an experiment; only without an executor.
    report : callable
        Gets a line of text for each run.
    executor : concurrent.futures.Executor, optional
        Trains members side by side: `workers(2)` on this machine, or any executor of that kind, such as a cluster's.
        Without one they are trained here, one after the other.

    Returns
    -------
    tuple of (list of Run, list of (Experiment, Exception))
        Runs in the order of the experiments.
    """
    if executor is None:
        outcomes = (
            (number, _outcome(experiment, corpus, results, device, watch and watch(experiment)))
            for number, experiment in enumerate(experiments)
        )
    else:
        futures = {
            executor.submit(_outcome, experiment, corpus, results, device): number
            for number, experiment in enumerate(experiments)
        }
        outcomes = ((futures[future], _result(future)) for future in as_completed(futures))
    runs, failed = {}, []
    for done, (number, outcome) in enumerate(outcomes, 1):
        if isinstance(outcome, Exception):
            failed.append((experiments[number], outcome))
            report(f"{done}/{len(experiments)} FAILED {experiments[number]}: {outcome}")
        elif outcome is not None:  # None: stopped by the student
            runs[number] = outcome
            report(f"{done}/{len(experiments)} {outcome}")
    return [runs[number] for number in sorted(runs)], failed


def workers(number):
    """An executor of so many processes on this machine, which share its cores."""
    threads = max(1, (os.cpu_count() or 1) // number)
    # spawn: a forked process would inherit torch's threads in an unusable state, and Windows cannot fork
    return ProcessPoolExecutor(number, get_context("spawn"), _start_worker, (threads,))


def _start_worker(threads):
    os.environ["LABKIT_THREADS"] = str(threads)
    from ..device import end_with_parent, settle

    end_with_parent()
    settle("cpu")


def _outcome(*job):
    """The run of an experiment, or the error it raises: one member may not end the others."""
    try:
        return train(*job)
    except LabError as error:
        return error
    except Exception as error:  # a student's model may fail in any way, a device may be full
        return LabError(
            f"{type(error).__name__}: {error}. Mend it and run the sweep again; what is complete is loaded."
        )


def _result(future):
    """As `_outcome`, for a future; a worker that was killed is an error of its member, too."""
    try:
        return future.result()
    except BrokenExecutor as error:
        return LabError(
            f"its worker process died ({type(error).__name__}; killed, or out of memory). Run the sweep again: what is "
            "complete is loaded, and this one goes on from its last epoch."
        )


def best(runs):
    """The configuration with the highest mean validation accuracy over its seeds: its runs, as Seeds."""
    if not runs:
        raise LabError("There is no run to choose from. See the errors above, mend the settings and run again.")
    tasks = {(run.record["corpus"]["fingerprint"], run.labels, run.experiment.split) for run in runs}
    figures = {run.experiment.recipe.select for run in runs}
    if len(tasks) > 1 or len(figures) > 1:
        raise LabError(
            "These runs differ in corpus, labels, split or the figure to select by, so the best of them means nothing. "
            "Choose among runs of one task."
        )
    found = groups(runs)
    complete = [same for same in found if len(same) == max(map(len, found))]  # a lucky seed alone may not win
    (figure,) = figures
    figure = "accuracy" if figure == "last" else figure
    return max(complete, key=lambda same: same.mean(figure, "validation"))
