"""Runs that differ in their seed are one value: what is said of it is computed from the tables of all of them."""

import numpy as np
import pandas as pd
import pytest

from labkit.errors import LabError
from labkit.experiments.experiment import Experiment
from labkit.experiments.records import Seeds, groups
from labkit.experiments.sweep import committed, per_seed
from labkit.metrics import confusion, interval, verdict


class FakeRun:
    """A tested run of a seed: right with a given chance on 10 speakers of 20 clips."""

    labels = ("no", "yes")

    def __init__(self, seed, chance, model="gru", part="test"):
        self.experiment = Experiment(model={"name": model}, seed=seed)
        self.id = self.experiment.id("corpus")
        self.record = {"corpus": {"fingerprint": "corpus"}, "parameters": 7, "labels": self.labels}
        rng = np.random.default_rng([seed, int(1000 * chance)])
        label = np.resize(["no", "yes"], 200)
        other = np.where(label == "no", "yes", "no")
        self.table = pd.DataFrame(
            {
                "path": [f"{number:03}.wav" for number in range(200)],
                "speaker": np.repeat([f"s{number}" for number in range(10)], 20),
                "label": label,
                "predicted": np.where(rng.random(200) < chance, label, other),
            }
        )
        self.validation = {"accuracy": chance, "chance": 0.5, "majority": 0.5}

    def predictions(self, part="test"):
        return self.table if part == "test" else self.table[:100]

    def confusion(self, part="test"):
        return confusion(self.predictions(part), self.labels)

    def test(self):
        return {"accuracy": (self.table.label == self.table.predicted).mean()}


@pytest.fixture
def good():
    return Seeds([FakeRun(seed, 0.9) for seed in range(3)])


@pytest.fixture
def bad():
    return Seeds([FakeRun(seed, 0.6, "lstm") for seed in range(3)])


def test_accuracy_is_the_interval_of_all_seeds(good):
    tables = [run.table for run in good]
    assert good.accuracy == interval(tables) and good.accuracy["seeds"] == 3
    assert good.accuracy["mean"] == pytest.approx(np.mean([run.test()["accuracy"] for run in good]))
    assert good.score("validation") == interval([table[:100] for table in tables])
    assert good.mean("accuracy") == pytest.approx(good.accuracy["mean"]) and good.mean("accuracy", "validation") == 0.9
    assert good.parameters == 7 and good.experiment.seed == 0


def test_a_difference_is_paired_and_said_in_a_sentence(good, bad):
    difference = good.minus(bad)
    assert difference == interval([run.table for run in good], [run.table for run in bad])
    assert difference["low"] > 0 and bad.minus(good)["high"] < 0
    assert good.verdict(bad, "GRU", "LSTM") == verdict(difference, "GRU", "LSTM")
    assert good.verdict(bad, "GRU", "LSTM").endswith("GRU is ahead.")
    assert good.minus(bad, "validation") != difference


def test_where_classes_are_uneven_the_balanced_figure_is_compared(good, bad):
    assert good.metric == "accuracy" and good.score() == good.accuracy
    for run in (*good, *bad):
        run.validation["majority"] = 0.8
    tables = [run.table for run in good]
    assert good.metric == "balanced_accuracy" and good.score() == interval(tables, metric="balanced_accuracy")
    assert good.score("validation") == interval([table[:100] for table in tables], metric="balanced_accuracy")
    assert good.minus(bad)["metric"] == "balanced_accuracy" and "points of balanced accuracy" in good.verdict(bad)


def test_runs_are_grouped_by_all_but_the_seed_in_order_and_once(good, bad):
    mixed = [bad[1], good[2], *good, *bad]
    found = groups(mixed)
    assert [type(same) for same in found] == [Seeds, Seeds] and [len(same) for same in found] == [3, 3]
    assert found[0][0] is bad[1] and found[0].experiment.model.name == "lstm" and set(found[1]) == set(good)


def test_a_committed_grid_comes_as_its_configurations():
    found = groups(committed("recurrent", "speech_commands_4words"))
    assert all(len(same) == len({run.experiment.seed for run in same}) == 3 for same in found)
    assert len({same.experiment for same in found}) == len(found) > 1
    assert found[0].accuracy == interval([run.predictions() for run in found[0]])


def test_folds_are_put_together_seed_by_seed_and_only_if_all_are_there():
    runs = [run for run in committed("native_accents", "native_language") if run.protocol == "folds"]
    runs = [run for run in runs if run.experiment.model.name == "lstm" and run.experiment.seed == 0]
    (table,) = per_seed(runs)
    assert len(runs) == 5 and table.speaker.nunique() == 373 and table.path.is_unique
    for run in runs:
        own = run.predictions()
        assert not set(own.speaker) & set(run.record["training_speakers"]), "nobody is tested by who met them"
    with pytest.raises(LabError, match="5 folds; of seed 0 some are missing"):
        per_seed(runs[1:])
