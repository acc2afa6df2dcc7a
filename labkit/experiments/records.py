"""Reading run records, and turning them into tables of results."""

import warnings
from pathlib import Path

import pandas as pd

from ..errors import LabError, LabWarning
from ..metrics.scores import percent, speaker_interval
from .run import Run, read_record
from .seeds import groups


def read_runs(folder):
    """All runs below a folder, read without their corpora.

    Parameters
    ----------
    folder : Path
        `results/records` of the repository holds the committed ones.

    Returns
    -------
    list of Run
        Records that cannot be read are left out, and named in a warning. A run that lies in two folders is read once.
    """
    runs = {}
    for path in sorted(Path(folder).rglob("run.json")):
        try:
            run = Run(path.parent, read_record(path.parent))
            # Read all that tables show of it, so that what is wrong with it is found here.
            run.experiment  # noqa: B018 (its model may be unknown in this session)
            run.validation["accuracy"]
            run.tests_elsewhere()
            if run.tested:
                run.test()
            runs.setdefault(run.id, run)
        except (LabError, KeyError) as error:  # one damaged record, or of a model this session lacks, spoils no table
            warnings.warn(
                f"The record {path.parent.name} cannot be read and is left out: {error}", LabWarning, stacklevel=2
            )
    return list(runs.values())


def table(runs, part="validation"):
    """Runs as a table of results: what was measured, on what, beside chance and majority.

    Parameters
    ----------
    runs : list of Run
    part : {"validation", "test"}
        Runs that were not tested are left out of "test".

    Returns
    -------
    pandas.DataFrame
        A row per run; scores are fractions between 0 and 1.
    """
    shown = ("clips", "accuracy", "balanced_accuracy", "macro_f1", "classes_present", "chance", "majority")
    rows = []
    for run in runs:
        if part == "test" and not run.tested:
            continue
        figures = run.validation if part == "validation" else run.test()
        rows.append(
            {
                "run": run.id,
                **_setting(run),
                "part": part,
                "seed": run.experiment.seed,
                **{key: figures[key] for key in shown},
                "parameters": run.record["parameters"],
                "epochs": len(run.record["history"]),
                "s_per_epoch": run.record["seconds_per_epoch"],
                "device": run.record["device"],
                "date": run.record["date"],
            }
        )
    return pd.DataFrame(rows)


def _setting(run):
    """What runs that differ in nothing but the seed share, in words."""
    split = run.experiment.to_dict().get("split", {})
    split = [f"{key}={value}" for key, value in split.items() if key != "protocol"]  # a fold, a speaker, a cap
    return {
        "corpus": _named(run.record["corpus"]),
        "split": " ".join([run.record["protocol"], *split]),
        "feature": type(run.experiment.feature).__name__,
        "model": configuration(run.experiment),
    }


def _named(corpus):
    """A corpus' name as tables show it: synthetic speech is always said to be."""
    return corpus["name"] + (" (synthetic)" if corpus["synthetic"] else "")


def configuration(experiment):
    """Model, and what of feature and recipe differs from the defaults, in one line."""
    values = experiment.to_dict()
    words = [f"{key}={value}" for key, value in experiment.model.options]
    for part in ("feature", "recipe"):
        words += [f"{key}={value}" for key, value in values.get(part, {}).items() if key != "name"]
    return " ".join([experiment.model.name, *words])


def summary(runs):
    """Configurations over their seeds: validation of all, test of those that were tested.

    Parameters
    ----------
    runs : list of Run

    Returns
    -------
    pandas.DataFrame
        A row per configuration: mean and standard deviation (`spread`) over seeds, and for the test part the 95%
        interval of the mean by bootstrap over speakers. Scores are fractions between 0 and 1.
    """
    rows = []
    for same in groups(runs):
        validation = pd.Series([run.validation["accuracy"] for run in same])
        row = {
            **_setting(same[0]),
            "seeds": len(same),
            "parameters": same.parameters,
            "s_per_epoch": pd.Series([run.record["seconds_per_epoch"] for run in same]).median(),
            "validation": validation.mean(),
            "chance": same[0].validation["chance"],
            "majority": same[0].validation["majority"],
            "validation_spread": validation.std(ddof=1),  # nan of one seed
        }
        if all(run.tested for run in same):
            test, interval = same[0].test(), same.accuracy
            scores = pd.Series([run.test()["accuracy"] for run in same])
            row |= {
                "test": scores.mean(),
                "test_spread": scores.std(ddof=1),
                "test_low": interval["low"],
                "test_high": interval["high"],
                "test_clips": test["clips"],
                "test_speakers": interval["speakers"],
                "chance": test["chance"],
                "majority": test["majority"],
            }
        rows.append(row)
    return pd.DataFrame(rows)


def elsewhere(runs):
    """Configurations on the test parts of other corpora: a row per configuration and corpus, means over seeds."""
    rows = []
    for same in groups(runs):
        tests = [(run, run.tests_elsewhere()) for run in same]
        for name in dict.fromkeys(name for _, found in tests for name in found):
            tested = [run for run, found in tests if name in found]
            figures = next(found[name] for _, found in tests if name in found)  # what all seeds share
            tables = [run.predictions(f"test-{name}") for run in tested]
            interval = speaker_interval(tables)
            rows.append(
                {
                    "trained on": _named(same.record["corpus"]),
                    "tested on": _named(figures["corpus"]),
                    "model": configuration(same.experiment),
                    "seeds": len(tested),
                    "clips": figures["clips"],
                    "speakers": interval["speakers"],
                    "accuracy": interval["mean"],
                    "low": interval["low"],
                    "high": interval["high"],
                    "chance": figures["chance"],
                    "commonest": tables[0].label.value_counts(normalize=True).iloc[0],
                }
            )
    return pd.DataFrame(rows)


def in_words(row):
    """A row of `summary` as a sentence that says what it was measured on."""
    seeds = "one seed" if row["seeds"] == 1 else f"{row['seeds']} seeds"
    where = f"{row['corpus']}, split {row['split']}, {seeds}"
    beside = f"chance {100 * row['chance']:.1f}%, majority {100 * row['majority']:.1f}%"
    validation = f"validation {100 * row['validation']:.1f}%"
    if pd.isna(row.get("test")):
        return f"{row['model']}: {validation}; {beside} ({where}; not tested)."
    test = percent({"mean": row["test"], "low": row["test_low"], "high": row["test_high"]})
    return (
        f"{row['model']}: test {test} on {row['test_clips']:.0f} clips of {row['test_speakers']:.0f} speakers, "
        f"{validation}; {beside} ({where})."
    )


def elsewhere_in_words(row):
    """A row of `elsewhere` as a sentence."""
    accuracy = percent({"mean": row["accuracy"], "low": row["low"], "high": row["high"]})
    return (
        f"{row['model']}: trained on {row['trained on']}, tested on {row['tested on']}: {accuracy} on {row['clips']} "
        f"clips of {row['speakers']} speakers; chance {100 * row['chance']:.1f}%, always the commonest word there "
        f"{100 * row['commonest']:.1f}% ({row['seeds']} seeds)."
    )
