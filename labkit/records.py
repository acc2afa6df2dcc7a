"""Reading run records, and turning them into tables of results."""

from pathlib import Path

import pandas as pd

from .metrics import speaker_interval
from .runs import Run, read_record


def read_runs(folder):
    """All runs below a folder, read without their corpora.

    Parameters
    ----------
    folder : Path
        `results/records` of the repository holds the committed ones.

    Returns
    -------
    list of Run
    """
    return [Run(path.parent, read_record(path.parent)) for path in sorted(Path(folder).rglob("run.json"))]


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
        A row per run; scores are shares between 0 and 1.
    """
    rows = []
    for run in runs:
        if part == "test" and not run.tested:
            continue
        figures = run.validation if part == "validation" else run.test()
        record = run.record
        rows.append(
            {
                "run": run.id,
                **_setting(run),
                "part": part,
                "seed": run.experiment.seed,
                **{key: figures[key] for key in ("clips", "accuracy", "balanced_accuracy", "macro_f1")},
                **{key: figures[key] for key in ("classes_present", "chance", "majority")},
                "parameters": record["parameters"],
                "epochs": len(record["history"]),
                "s_per_epoch": record["seconds_per_epoch"],
                "device": record["device"],
                "date": record["date"],
            }
        )
    return pd.DataFrame(rows)


def _setting(run):
    """What a group of runs that differ in nothing but the seed share, in words."""
    return {
        "corpus": _named(run.record["corpus"]),
        "split": run.record["protocol"],
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


def groups(runs):
    """Runs that differ in nothing but the seed, together.

    Returns
    -------
    list of list of Run
        In order of first appearance.
    """
    found = {}
    for run in runs:
        without_seed = run.experiment.change(seed=0).id(run.record["corpus"]["fingerprint"])
        found.setdefault(without_seed, []).append(run)
    return list(found.values())


def summary(runs):
    """Configurations over their seeds: validation of all, test of those that were tested.

    Returns
    -------
    pandas.DataFrame
        A row per configuration: mean and spread (standard deviation) over seeds, and for the test part the 95%
        interval of the mean by bootstrap over speakers. Scores are shares between 0 and 1.
    """
    rows = []
    for same in groups(runs):
        validation = pd.Series([run.validation["accuracy"] for run in same])
        row = {
            **_setting(same[0]),
            "seeds": len(same),
            "parameters": same[0].record["parameters"],
            "s_per_epoch": pd.Series([run.record["seconds_per_epoch"] for run in same]).median(),
            "validation": validation.mean(),
            "validation_spread": validation.std(ddof=1) if len(same) > 1 else float("nan"),
        }
        if all(run.tested for run in same):
            tests = [run.test() for run in same]
            scores = pd.Series([figures["accuracy"] for figures in tests])
            interval = speaker_interval([run.predictions("test") for run in same])
            row |= {
                "test": scores.mean(),
                "test_spread": scores.std(ddof=1) if len(same) > 1 else float("nan"),
                "test_low": interval["low"],
                "test_high": interval["high"],
                "test_clips": tests[0]["clips"],
                "test_speakers": interval["speakers"],
                "chance": tests[0]["chance"],
                "majority": tests[0]["majority"],
            }
        rows.append(row)
    return pd.DataFrame(rows)


def elsewhere(runs):
    """How configurations trained on one corpus do on the test parts of others.

    Returns
    -------
    pandas.DataFrame
        A row per configuration and other corpus tested on; means over seeds, intervals over speakers.
    """
    rows = []
    for same in groups(runs):
        for name in same[0].tests_elsewhere():
            part = f"test-{name}"
            figures = [run.tests_elsewhere()[name] for run in same]
            interval = speaker_interval([run.predictions(part) for run in same])
            rows.append(
                {
                    "trained on": _named(same[0].record["corpus"]),
                    "tested on": _named(figures[0]["corpus"]),
                    "model": configuration(same[0].experiment),
                    "seeds": len(same),
                    "clips": figures[0]["clips"],
                    "speakers": interval["speakers"],
                    "accuracy": interval["mean"],
                    "low": interval["low"],
                    "high": interval["high"],
                    "chance": figures[0]["chance"],
                }
            )
    return pd.DataFrame(rows)


def in_words(row):
    """A row of `summary` as a sentence that says what it was measured on."""
    where = f"{row['corpus']}, split {row['split']}, {row['seeds']} seeds"
    if pd.isna(row.get("test")):
        return f"{row['model']}: validation {100 * row['validation']:.1f}% ({where}; not tested)."
    return (
        f"{row['model']}: test {100 * row['test']:.1f}% [{100 * row['test_low']:.1f}, {100 * row['test_high']:.1f}] on "
        f"{row['test_clips']:.0f} clips of {row['test_speakers']:.0f} speakers, "
        f"validation {100 * row['validation']:.1f}%; chance {100 * row['chance']:.1f}%, "
        f"majority {100 * row['majority']:.1f}% ({where})."
    )


def elsewhere_in_words(row):
    """A row of `elsewhere` as a sentence."""
    return (
        f"{row['model']}: trained on {row['trained on']}, tested on {row['tested on']}: {100 * row['accuracy']:.1f}% "
        f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}] on {row['clips']} clips of {row['speakers']} speakers; "
        f"chance {100 * row['chance']:.1f}% ({row['seeds']} seeds)."
    )
