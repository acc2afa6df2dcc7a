"""Many experiments: a base, a grid of changes, seeds; and the choice among them on validation."""

import itertools
import math
import time
from asyncio import CancelledError
from contextlib import nullcontext
from dataclasses import field
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field
from tqdm.auto import tqdm

from ..data.audio import bars
from ..device import settle
from ..errors import LabError
from ..files import home, read_json
from ..metrics import percent
from ..settings import Seed, settings
from .engines import handed_over, in_words, train_member
from .experiment import Experiment
from .records import groups, read_runs
from .run import Run, found, place, train

MOST_MEMBERS = 2_000  # of a grid, without its seeds
POLL = 0.2  # seconds between two looks at the workers
TERMS = ("epochs", "batch", "augmentation")  # of a recipe: what a comparison on equal terms may not vary


@settings
class Grid:
    """A sweep: every combination of `axes` applied to `base`, with every seed.

    An axis is a part of the experiment ("model", "feature", "recipe" ...), whose values are dicts of settings; a single
    setting ("recipe.lr"); or "experiment", for several parts at once: its values lead from parts to such dicts.

    `tune` makes a comparison on equal terms: written as `axes`, it holds what every combination may choose for itself.
    Each is tried with each of these values, the first seed of `seeds` alone, and keeps what was best on validation. The
    combinations may then not differ in their number of updates and their augmentation.

    >>> grid = Grid(axes={"model": [{"name": "rnn"}, {"name": "gru"}], "recipe.lr": [1e-3, 3e-3]}, seeds=(0, 1))
    >>> len(grid.experiments())
    8
    """

    base: Experiment = field(default_factory=Experiment)
    axes: dict[str, Annotated[list, Field(min_length=1)]] = field(default_factory=dict)
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000)] = (0, 1, 2)
    about: str = ""  # what it is for
    tune: dict[str, Annotated[list, Field(min_length=1)]] = field(default_factory=dict)

    def __post_init__(self):
        members = self.trials() if self.tune else self.experiments()  # an impossible one shows here, before training
        terms = {name: {getattr(member.recipe, name) for member in members} for name in TERMS}
        unequal = [name for name in TERMS if len(terms[name]) > 1]
        if self.tune and unequal:
            mend = "Give all the same, or compare without `tune` and say what differs."
            raise LabError(f"These members are not on equal terms: they differ in recipe.{unequal[0]}. {mend}")

    @classmethod
    def read(cls, path):
        """Read a grid from a JSON file with the keys `base`, `axes`, `seeds` (by default only 0) and `about`."""
        values = read_json(path, "Settings are a JSON file; results/recurrent.json is one to copy.")
        if not isinstance(values, dict):
            raise LabError(f"{path} holds no settings. It should be a JSON object like results/recurrent.json.")
        return cls(**{"seeds": [0], **values})

    def trials(self):
        """Of a grid that tunes: every combination with every value of `tune`, with the first seed."""
        members = _combinations(self.base.change(seed=self.seeds[0]), self.axes)
        return list(dict.fromkeys(trial for member in members for trial in _combinations(member, self.tune)))

    def candidates(self):
        """All that a sweep of it may train, whatever its trials say: each of them, with every seed."""
        return list(dict.fromkeys(trial.change(seed=seed) for trial in self.trials() for seed in self.seeds))

    def experiments(self, runs=(), partly=False):
        """All members, seeds innermost; a duplicate is listed once. A grid that tunes needs the `runs` of its trials.

        If a trial is missing, raises LabError; or, `partly`, leaves out the combination whose choice needs it.
        """
        members = _combinations(self.base, self.axes)
        if self.tune:
            trained, tuned = {run.experiment: run for run in runs}, []
            for member in members:
                trials = _combinations(member.change(seed=self.seeds[0]), self.tune)
                missing = [trial for trial in trials if trial not in trained]
                if missing and partly:
                    continue
                if missing:
                    mend = "Sweep the grid on this corpus: `python -m labkit sweep NAME`."
                    raise LabError(f"{len(missing)} of {len(trials)} trials of {member} are not trained. {mend}")
                tuned.append(best([trained[trial] for trial in trials]).experiment)
            members = tuned
        return list(dict.fromkeys(member.change(seed=seed) for member in members for seed in self.seeds))


def _combinations(base, axes):
    """An experiment changed by every combination of the values of some axes."""
    members, number = [], math.prod(map(len, axes.values()))
    if number > MOST_MEMBERS:
        raise LabError(f"These axes make {number:,} experiments, and {MOST_MEMBERS:,} are the most. Shorten them.")
    for values in itertools.product(*axes.values()):
        member = base
        for key, value in zip(axes, values, strict=True):
            part, _, setting = key.partition(".")
            changes = value if key == "experiment" else {part: {setting: value} if setting else value}
            if not isinstance(changes, dict):
                raise LabError(f"A value of the axis 'experiment' is settings by part, not {value!r}. Write it so.")
            if "seed" in changes or key == "corpus" or "name" in changes.get("corpus", {}):
                raise LabError(f"{key!r} cannot be an axis: seeds have their own list, and a grid has one corpus.")
            member = member.change(**changes)
        members.append(member)
    return members


def committed(grids, corpus):
    """The runs of a grid `results/NAME.json` on a corpus that come with the lab, or of several: a list in their order.

    They come without corpus and weights; members without a record are left out, and of a grid that tunes also those of
    which a trial has none. `groups` brings seeds together.
    """
    records, runs = home() / "results" / "records", {}
    names = [grids] if isinstance(grids, str) else grids
    grids = [Grid.read(home() / "results" / f"{name}.json") for name in names]
    wanted = {member for grid in grids for member in grid.candidates()}
    for folder in sorted(records.glob("*")):
        if folder.name.split("+")[0] == corpus:  # also where other corpora were joined to it
            runs |= {run.experiment: run for run in read_runs(folder, wanted)}
    members = [member for grid in grids for member in grid.experiments(runs.values(), partly=True)] if runs else []
    found = [runs[member] for member in dict.fromkeys(members) if member in runs]
    if not found:
        mend = "They come with the lab: fetch it whole with `git clone`."
        raise LabError(f"There are no records of {', '.join(map(repr, names))} on {corpus} in {records}. {mend}")
    return found


def recorded(corpus, *grids):
    """The committed runs of some grids on a corpus (names) as a table, a row per configuration with all its seeds.

    Its columns are the settings of feature, recipe and model by their own names, such as `window_ms`; the `model`; the
    first metric on the test part, a fraction, as `mean`, `low` and `high` (see `metrics.interval`) and as `text`, with
    `speakers` and `seeds`; the `updates` of the weights; and `runs`, the Seeds, which can be compared.
    """
    rows = []
    for same in groups(committed(grids, corpus)):
        one, score = same.experiment, same.score()
        settings = vars(one.feature) | vars(one.recipe) | one.model.full | {"model": one.model.name}
        updates = len(same.record["history"]) * math.ceil(same.record["clips"]["train"] / one.recipe.batch)
        rows.append(settings | score | {"updates": updates, "text": percent(score), "runs": same})
    return pd.DataFrame(rows)


def per_seed(runs, parts=("test",)):
    """What the runs of each seed say of all speakers together: a table per seed, for `metrics.interval`.

    Of a cross-validation in `folds`, each of which tests other speakers, none may be missing.
    """
    asked = {}
    for run in runs:
        asked.setdefault(run.experiment.seed, []).append(run)
    for seed, some in asked.items():
        split = some[0].experiment.split
        if split.protocol == "folds" and len({run.experiment.split.fold for run in some}) < split.folds:
            why = f"A cross-validation has {split.folds} folds; of seed {seed} some are missing"
            raise LabError(f"{why}. Train them.")
    tables = [[run.predictions(part) for run in asked[seed] for part in parts] for seed in sorted(asked)]
    return [pd.concat(some, ignore_index=True) for some in tables]


def sweep(experiments, corpus, results, device="cpu", callback=None, report=print, executor=None):
    """Train all that does not exist yet (see `train`); go on after a failing member and say which it was.

    An `executor` trains members side by side: an `engines.engine`, or any of the kind of `concurrent.futures`. Without
    one they are trained here, one after the other, and `callback` makes the `Callback` of an experiment. `report` gets
    a line of text for each. Returns the runs, and (experiment, error) of what failed.
    """
    if executor is None:
        where = corpus, results, device
        trained = ((one, _attempt(train, one, *where, callback and callback(one))) for one in experiments)
    else:
        trained = _elsewhere(experiments, corpus, results, device, executor)
    outcomes = {}
    for done, (experiment, outcome) in enumerate(trained, 1):
        outcomes[experiment] = outcome
        if outcome is not None:  # None: stopped by the student
            failed = f"FAILED {experiment}: " if isinstance(outcome, LabError) else ""
            report(f"{done}/{len(experiments)} {failed}{outcome}")
    outcomes = [(experiment, outcomes[experiment]) for experiment in experiments]
    runs = [outcome for _, outcome in outcomes if isinstance(outcome, Run)]
    return runs, [(experiment, outcome) for experiment, outcome in outcomes if isinstance(outcome, LabError)]


def _elsewhere(experiments, corpus, results, device, executor):
    """Yield each experiment with its run, or its error, as an executor's workers end; a bar says how far they are."""
    here = settle("cpu" if str(device) == "cpu" else "auto")  # this machine may lack the GPU that its workers have
    sent = handed_over(experiments, corpus, results, device)
    with getattr(executor, "batch", nullcontext)():  # SLURM takes them as one array of jobs
        jobs = [_attempt(executor.submit, train_member, *arguments) for arguments in sent]
    waiting = dict(zip(experiments, jobs, strict=True))
    begun = {member: place(member, corpus, results)[2] / "experiment.json" for member in experiments}
    failed = 0
    with tqdm(total=len(waiting), desc="sweep", unit="run", leave=False, disable=not bars()) as bar:
        while waiting:
            ended = [member for member, job in waiting.items() if isinstance(job, LabError) or job.done()]
            for member in ended:
                outcome = _attempt(_received, waiting.pop(member), member, corpus, results, here)
                failed += isinstance(outcome, LabError)
                bar.clear()
                yield member, outcome
                bar.update()
            running = sum(begun[member].exists() for member in waiting)  # a training leaves it there until it is done
            bar.set_postfix_str(f"{running} running, {failed} failed")
            time.sleep(0 if ended else POLL)


def _received(job, experiment, corpus, results, device):
    """The run that a worker left in the results folder; LabError with what went wrong."""
    if isinstance(job, LabError):  # it could not be sent
        return job
    if problem := job.result():
        return LabError(problem)
    run = found(experiment, corpus, results, device)
    if run is None:
        wrong = f"A worker trained {experiment}, and its record is not in {Path(results).absolute()} here"
        return LabError(f"{wrong}: that folder is another one there. Give --results a folder that all machines share.")
    return run


def _attempt(call, *arguments):
    """What a call returns, or the error it raises: one member may not end the others."""
    try:
        return call(*arguments)
    # A student's model may fail in any way, a device may be full, a worker be killed.
    except (Exception, CancelledError) as error:
        return error if isinstance(error, LabError) else LabError(in_words(error))


def best(runs):
    """The configuration with the highest mean validation accuracy over its seeds: its runs, as Seeds."""
    if not runs:
        raise LabError("There is no run to choose from. See the errors above, mend the settings and run again.")
    tasks = {(run.record["corpus"]["fingerprint"], run.labels, run.experiment.split) for run in runs}
    metric, *others = {run.experiment.recipe.select for run in runs}
    if len(tasks) > 1 or others:
        wrong = "These runs differ in corpus, labels, split or selection metric, so the best of them means nothing."
        raise LabError(f"{wrong} Choose among runs of one task.")
    found = groups(runs)
    complete = [same for same in found if len(same) == max(map(len, found))]  # a lucky seed alone may not win
    return max(complete, key=lambda same: same.mean("accuracy" if metric == "last" else metric, "validation"))
