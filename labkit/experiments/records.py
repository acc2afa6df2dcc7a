"""Reading run records, and turning them into tables of results."""

import warnings
from pathlib import Path

import pandas as pd

from ..errors import LabError, LabWarning
from ..metrics.scores import speaker_interval
from .run import Run, read_record


def read_runs(folder):
    """All runs below a folder, read without their corpora.

    Parameters
    ----------
    folder : Path
        `results/records` of the repository holds the committed ones.

    Returns
    -------
    list of Run
        Records that cannot be read are left out, and named in a warning.
    """
    runs = []
    for path in sorted(Path(folder).rglob("run.json")):
        try:
            run = Run(path.parent, read_record(path.parent))
            _read_whole(run)
            runs.append(run)
        except (LabError, KeyError) as error:  # one damaged record, or of a model this session lacks, spoils no table
            warnings.warn(
                f"The record {path.parent.name} cannot be read and is left out: {error}", LabWarning, stacklevel=2
            )
    return runs


def _read_whole(run):
    """Read all that tables show of a run, so that what is wrong with it is found here."""
    run.experiment  # noqa: B018 (its model may be unknown in this session)
    run.validation["accuracy"]
    run.tests_elsewhere()
    if run.tested:
        run.test()


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
        "split": _split(run),
        "feature": type(run.experiment.feature).__name__,
        "model": configuration(run.experiment),
    }


def _split(run):
    """The protocol, and its settings where they are not the defaults: a fold, a speaker, a cap."""
    settings = run.experiment.to_dict().get("split", {})
    return " ".join(
        [run.record["protocol"], *(f"{key}={value}" for key, value in settings.items() if key != "protocol")]
    )


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
    for run in {run.id: run for run in runs}.values():  # a record may lie in two folders
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
            "chance": same[0].validation["chance"],
            "majority": same[0].validation["majority"],
            "validation_spread": validation.std(ddof=1) if len(same) > 1 else float("nan"),
        }
        if all(run.tested for run in same):
            tests = [run.test() for run in same]
            scores = pd.Series([figures["accuracy"] for figures in tests])
            interval = _interval([run.predictions("test") for run in same])
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
        tests = [(run, run.tests_elsewhere()) for run in same]
        for name in dict.fromkeys(name for _, found in tests for name in found):
            tested = [run for run, found in tests if name in found]
            figures = next(found[name] for _, found in tests if name in found)  # what all seeds share
            tables = [run.predictions(f"test-{name}") for run in tested]
            interval = _interval(tables)
            rows.append(
                {
                    "trained on": _named(same[0].record["corpus"]),
                    "tested on": _named(figures["corpus"]),
                    "model": configuration(same[0].experiment),
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


def _interval(tables):
    """As `speaker_interval`; with one speaker there is a mean and no interval."""
    if tables[0].speaker.nunique() > 1:
        return speaker_interval(tables)
    mean = sum((table.label == table.predicted).mean() for table in tables) / len(tables)
    return {"mean": float(mean), "low": float("nan"), "high": float("nan"), "speakers": 1, "seeds": len(tables)}


def _between(low, high):
    return "[one speaker: no interval]" if pd.isna(low) else f"[{100 * low:.1f}, {100 * high:.1f}]"


def in_words(row):
    """A row of `summary` as a sentence that says what it was measured on."""
    seeds = "one seed" if row["seeds"] == 1 else f"{row['seeds']} seeds"
    where = f"{row['corpus']}, split {row['split']}, {seeds}"
    beside = f"chance {100 * row['chance']:.1f}%, majority {100 * row['majority']:.1f}%"
    validation = f"validation {100 * row['validation']:.1f}%"
    if pd.isna(row.get("test")):
        return f"{row['model']}: {validation}; {beside} ({where}; not tested)."
    return (
        f"{row['model']}: test {100 * row['test']:.1f}% {_between(row['test_low'], row['test_high'])} on "
        f"{row['test_clips']:.0f} clips of {row['test_speakers']:.0f} speakers, {validation}; {beside} ({where})."
    )


def elsewhere_in_words(row):
    """A row of `elsewhere` as a sentence."""
    return (
        f"{row['model']}: trained on {row['trained on']}, tested on {row['tested on']}: {100 * row['accuracy']:.1f}% "
        f"{_between(row['low'], row['high'])} on {row['clips']} clips of {row['speakers']} speakers; chance "
        f"{100 * row['chance']:.1f}%, always the commonest word there {100 * row['commonest']:.1f}% "
        f"({row['seeds']} seeds)."
    )
