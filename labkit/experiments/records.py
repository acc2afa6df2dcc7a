"""Run records: read, brought together by seeds, and turned into tables and the sentences that quote them."""

import warnings
from pathlib import Path
from statistics import mean, median

import pandas as pd

from ..errors import LabError, LabWarning
from ..metrics import absent, headline, interval, percent, verdict
from .packed import Sweep
from .run import Run, read_record


def read_runs(folder, experiments=None):
    """All runs below a folder, each once, without their corpora; or only those of these experiments.

    They lie in folders of their own, or packed as sweeps. A warning names what cannot be read.
    """
    found, models = {}, {experiment.model.name for experiment in experiments or ()}
    tested = (path.with_name("run.json") for path in Path(folder).rglob("test.json"))  # which may be lost
    for path in sorted({*Path(folder).rglob("run.json"), *tested, *Path(folder).rglob("*.jsonl")}):
        try:
            if path.name == "run.json":
                runs = [Run(path.parent, read_record(path.parent))]
            else:
                runs = Sweep(path).runs(models and (lambda name: name.rpartition("-")[0] in models))
            runs = [run for run in runs if experiments is None or run.experiment in experiments]
            for run in runs:
                for test in run.tests:  # what is wrong with one is found here
                    run.read_test(test)
            found |= {run.id: run for run in runs if run.id not in found}
        except (LabError, KeyError) as error:  # one damaged record, or of a model this session lacks, spoils no table
            what = f"record {path.parent.name}" if path.name == "run.json" else f"sweep {path.stem}"
            warnings.warn(f"The {what} cannot be read and is left out: {error}", LabWarning, stacklevel=2)
    return list(found.values())


class Seeds(tuple):
    """The runs of one configuration, a run per seed: `Seeds(runs)` of a list of them, or `groups(runs)` of many."""

    def __init__(self, runs):  # a tuple holds them already
        if not self:
            raise LabError("There is no run of this configuration. Train it, or fetch the lab whole: git clone.")
        self.experiment, self.record = self[0].experiment, self[0].record  # those of the first run
        self.parameters = self.record["parameters"]

    def tables(self, part="test"):
        """Predictions per clip, a table per seed."""
        return [run.predictions(part) for run in self]

    @property
    def metric(self):
        """The metric that comes first (`metrics.headline`), by the validation part: known before any test."""
        return headline(self[0].validation)

    def score(self, part="test", metric=None):
        """A metric, else the one that comes first: mean over the seeds with its 95% interval, as `metrics.interval`."""
        return interval(self.tables(part), metric=metric or self.metric)

    @property
    def accuracy(self):
        """Accuracy on the test part: `mean`, `low`, `high`, `speakers`, `seeds`."""
        return self.score(metric="accuracy")

    def minus(self, other, part="test"):
        """Difference in the first metric to another configuration on the same clips, with its interval."""
        return interval(self.tables(part), other.tables(part), metric=self.metric)

    def verdict(self, other, first="the first", second="the second"):
        """The difference to another configuration as a sentence: who is ahead, or that no difference was shown."""
        return verdict(self.minus(other), first, second)

    def mean(self, metric, part="test"):
        """Mean over the seeds of a metric of `metrics.metrics_of`, such as "balanced_accuracy"."""
        return sum((run.test() if part == "test" else run.validation)[metric] for run in self) / len(self)


def groups(runs):
    """Runs that differ in nothing but the seed, together: a list of Seeds, in order of first appearance."""
    found = {}
    for run in {run.id: run for run in runs}.values():  # a record may lie in two folders
        without_seed = run.experiment.change(seed=0).id(run.record["corpus"]["fingerprint"])
        found.setdefault(without_seed, []).append(run)
    return [Seeds(same) for same in found.values()]


def table(runs, part="validation"):
    """A row per run (tested, for "test"): what was measured on the part, on what, beside chance and majority."""
    return pd.DataFrame([_row(run, part) for run in runs if part == "validation" or run.tested])


def _row(run, part):
    metrics = run.test() if part == "test" else run.validation
    split = [f"{key}={value}" for key, value in run.experiment.to_dict().get("split", {}).items() if key != "protocol"]
    return {
        "run": run.id,
        "corpus": _named(run.record["corpus"]),
        "split": " ".join([run.protocol, *split]),
        "feature": type(run.experiment.feature).__name__,
        "model": configuration(run.experiment),
        "part": part,
        "seed": run.experiment.seed,
        headline(run.validation): None,  # its column comes first
        **metrics,
        "parameters": run.record["parameters"],
        "epochs": len(run.record["history"]),
        "s_per_epoch": run.record["seconds_per_epoch"],
        "device": run.record["device"],
        "date": run.record["date"],
    }


def _named(corpus):
    """A corpus' name as tables show it: synthetic speech is always said to be."""
    return corpus["name"] + (" (synthetic)" if corpus["synthetic"] else "")


def configuration(experiment):
    """Model, and what of feature and recipe differs from the defaults, in one line."""
    values = experiment.to_dict()
    settings = [*experiment.model.options, *values.get("feature", {}).items(), *values.get("recipe", {}).items()]
    return " ".join([experiment.model.name, *(f"{key}={value}" for key, value in settings if key != "name")])


def summary(runs):
    """A row per configuration: mean and standard deviation (`_std`) over its seeds, fractions between 0 and 1.

    `metric` is what comes first (`metrics.headline`): `validation` and `test` are of it, the latter given where all
    seeds were tested, with the 95% interval of its mean; `accuracy` is of the same part, for comparison.
    """
    rows = []
    for same in groups(runs):
        tested = all(run.tested for run in same)
        beside = [_row(run, "test" if tested else "validation") for run in same]
        scores = pd.Series([run.validation[same.metric] for run in same])
        row = {
            **{
                key: beside[0][key]
                for key in ("corpus", "split", "feature", "model", "parameters", "chance", "majority")
            },
            "seeds": len(same),
            "s_per_epoch": median(one["s_per_epoch"] for one in beside),
            "metric": same.metric,
            "validation": scores.mean(),
            "validation_std": scores.std(),  # nan of one seed
            "accuracy": mean(one["accuracy"] for one in beside),
            "absent": "",
            "searched": same[0].searched,
        }
        if tested:
            tables = same.tables()
            found = interval(tables, metric=same.metric)
            row |= {"test": found["mean"], "test_std": pd.Series([one[same.metric] for one in beside]).std()}
            row |= {f"test_{key}": found[key] for key in ("low", "high", "speakers")}
            row |= {"test_clips": beside[0]["clips"], "absent": absent(tables[0], same[0].labels)}
        rows.append(row)
    return pd.DataFrame(rows)


def elsewhere(runs):
    """A row per configuration and other corpus that it was tested on: means over seeds."""
    rows = []
    for same in groups(runs):
        for part in sorted({test for run in same for test in run.tests if test != "test"}):
            tested = Seeds(run for run in same if part in run.tests)
            metrics = tested[0].read_test(part)  # what all seeds share is read of the first
            tables, chance = tested.tables(part), metrics["chance"]
            commonest = tables[0].label.value_counts(normalize=True).iloc[0]
            first = headline({"majority": commonest, "chance": chance})
            rows.append(
                {
                    "trained on": _named(same.record["corpus"]),
                    "tested on": _named(metrics["corpus"]),
                    "model": configuration(same.experiment),
                    "clips": metrics["clips"],
                    **interval(tables, metric=first),
                    "accuracy": interval(tables)["mean"],
                    "chance": chance,
                    "commonest": commonest,
                    "absent": absent(tables[0], tested[0].labels),
                }
            )
    return pd.DataFrame(rows)


def in_words(row):
    """A row of `summary` or of `elsewhere` as a sentence that says what it was measured on."""
    seeds = f"{row['seeds']} seeds" if row["seeds"] > 1 else "one seed: how much another would change is not known"
    chance = f"chance {row['chance']:.1%}"
    balanced = row["metric"] == "balanced_accuracy"
    plain = f" (accuracy {row['accuracy']:.1%})" if balanced else ""
    if "tested on" in row:
        return (
            f"{row['model']}: trained on {row['trained on']}, tested on {row['tested on']}: {percent(row)}{plain} on "
            f"{row['clips']} clips of {row['speakers']} speakers; {chance}, always the commonest word there "
            f"{row['commonest']:.1%}{row['absent']} ({seeds})."
        )
    validation = f"validation {row['validation']:.1%}{' balanced' if balanced else ''}{row['searched']}"
    where = f"{chance}, majority {row['majority']:.1%}{row['absent']} ({row['corpus']}, split: {row['split']}, {seeds}"
    if pd.isna(row.get("test")):
        return f"{row['model']}: {validation}{plain}; {where}; not tested)."
    test = percent({**row, "mean": row["test"], "low": row["test_low"], "high": row["test_high"]})
    people = f"{row['test_clips']:.0f} clips of {row['test_speakers']:.0f} speakers"
    return f"{row['model']}: test {test}{plain} on {people}, {validation}; {where})."
