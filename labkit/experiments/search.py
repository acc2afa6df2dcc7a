"""Try many settings and keep the best, with Optuna: each trial is proposed in the light of those before it."""

import shutil
from collections import namedtuple

import pandas as pd

from ..errors import LabError
from ..files import digest, read_json, write_json
from ..training.loop import Callback, TrainingBar, epoch_seed
from . import run as runs
from .sweep import Grid

Search = namedtuple("Search", "run trials")  # the winner, a Run, and a table with a row per trial
OUTCOMES = {"COMPLETE": "finished", "PRUNED": "stopped early", "FAIL": "failed"}  # Optuna's states, in words


def search(base, space, corpus, results, device="cpu", trials=20, seed=0, callback=None, train=runs.train):
    """The best of some trials with other settings, chosen on validation; the test part is not looked at.

    Optuna (Akiba et al., KDD 2019) proposes by TPE. A trial below the median of those before it, after as many epochs,
    is stopped early. An interrupted search goes on; one that is asked for more trials adds the others.

    Parameters
    ----------
    base : Experiment
        What is not in `space` stays as it is here.
    space : dict
        Leads from settings such as "recipe.lr" to a range (1e-4, 1e-1), logarithmic if above 0, or a list of choices.
    trials, seed : int
        How many in all; the same seed proposes the same.
    corpus, results, device, callback, train
        As in `sweep.sweep`; what trains in place of `labkit.train`.

    Returns
    -------
    Search
        The winner (its record and its sentences say the number of trials) and the trials. None if the callback stopped
        it before any was finished. LabError where Optuna is missing, or no trial could be finished.
    """
    try:
        import optuna  # not among the requirements
    except ImportError:
        raise LabError("A search needs Optuna, which is not here. Type `python -m pip install optuna`.") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def changed(settings):
        return Grid(base, {path: [value] for path, value in settings.items()}, (base.seed,)).experiments()[0]

    states, ranges = optuna.trial.TrialState, {path: _range(optuna, values) for path, values in space.items()}
    metric = "accuracy" if base.recipe.select == "last" else base.recipe.select
    _, base_id, folder = runs.place(base, corpus, results)
    path = folder.parent / f"search-{digest([base_id, str(ranges), seed], 12)}.json"
    rows = read_json(path, "Delete it and search again.")[:trials] if path.exists() else []
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_warmup_steps=2))
    for row in rows:
        about = {"params": row["settings"], "intermediate_values": dict(enumerate(row["epochs"], 1))}
        about |= {"distributions": ranges, "state": states[row["outcome"]], "value": row["validation"]}
        study.add_trial(optuna.create_trial(**about))
    while len(rows) < trials:
        # a generator for each, so that a search that goes on proposes what one without a break would have
        study.sampler = optuna.samplers.TPESampler(seed=epoch_seed(seed, len(rows)) % 2**32)
        trial, run, note = study.ask(ranges), None, ""
        experiment = changed(trial.params)
        bar = callback(experiment) if callback else TrainingBar(f"trial {len(rows) + 1} of {trials}")
        watch, folder = Pruning(trial, metric, bar), runs.place(experiment, corpus, results)[2]
        begun_before = folder.exists()
        try:
            run = train(experiment, corpus, results, device, watch)
        except LabError as error:  # the loss became infinite, say: the next trial may do better
            note = str(error)
        if not (run or note or watch.behind):
            break  # the student stopped it; what was learnt is kept for the next time
        if watch.behind and not begun_before and not (folder / "run.json").exists():
            shutil.rmtree(folder)  # nobody goes on with what fell behind
        outcome = "PRUNED" if watch.behind else "COMPLETE" if run else "FAIL"
        value = run.validation[metric] if outcome == "COMPLETE" else None
        study.tell(trial, value, state=states[outcome])
        about = {"outcome": outcome, "validation": value, "epochs": watch.reported, "note": note}
        rows.append({"settings": trial.params, **about})
        write_json(path, rows)
    finished = [row for row in rows if row["outcome"] == "COMPLETE"]
    if not finished and len(rows) < trials:
        return None
    if not finished:
        raise LabError(f"None of {trials} trials was finished. The last one: {rows[-1]['note']} Search elsewhere.")
    winner = changed(max(finished, key=lambda row: row["validation"])["settings"])
    run = runs.train(winner, corpus, results, device)
    run.record["search"] = {"trials": len(rows), "stopped_early": sum(row["outcome"] == "PRUNED" for row in rows)}
    if (run.folder / "run.json").exists():  # one that came packed stays as it is
        write_json(run.folder / "run.json", run.record | {"hash": digest(run.record)})
    table = pd.DataFrame([row["settings"] | row for row in rows], index=range(1, len(rows) + 1))
    return Search(run, table.replace({"outcome": OUTCOMES}).drop(columns="settings"))


def _range(optuna, values):
    if isinstance(values, list):
        return optuna.distributions.CategoricalDistribution(values)
    kind = "Int" if all(isinstance(value, int) for value in values) else "Float"
    return getattr(optuna.distributions, f"{kind}Distribution")(*values, log=values[0] > 0)


class Pruning(Callback):
    """Reports a trial epoch by epoch, and stops it where it is behind; the callback `beside` sees the same."""

    def __init__(self, trial, metric, beside):
        super().__init__()
        self.trial, self.metric, self.beside, self.reported, self.behind = trial, metric, beside, [], False
        self.close = beside.close

    def batch(self, epoch, done, total):
        self.beside.batch(epoch, done, total)
        self.stop = self.behind or self.beside.stop

    def epoch(self, history):
        self.beside.epoch(history)
        for row in history[len(self.reported) :]:  # several, where an interrupted trial goes on
            if not self.behind:  # a training in another process goes on for a moment
                self.reported.append(row[f"validation_{self.metric}"])
                self.trial.report(self.reported[-1], len(self.reported))
                self.stop = self.behind = self.trial.should_prune()
