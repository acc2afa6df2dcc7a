"""Reading run records, and turning them into tables of results and the sentences that quote them."""

import warnings
from pathlib import Path

import pandas as pd

from ..errors import LabError, LabWarning
from ..metrics import percent, speaker_interval
from .run import Run, read_record
from .seeds import groups


def read_runs(folder):
    """All runs below a folder, each once, without their corpora. A warning names records that cannot be read."""
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
            said = f"The record {path.parent.name} cannot be read and is left out: {error}"
            warnings.warn(said, LabWarning, stacklevel=2)
    return list(runs.values())


def table(runs, part="validation"):
    """A row per run (tested, for "test"): what was measured on the part, on what, beside chance and majority."""
    scores = ("clips", "accuracy", "balanced_accuracy", "macro_f1", "classes_present", "chance", "majority")
    rows = []
    for run in runs:
        if part == "test" and not run.tested:
            continue
        figures = run.test() if part == "test" else run.validation
        split = run.experiment.to_dict().get("split", {})
        split = [f"{key}={value}" for key, value in split.items() if key != "protocol"]  # a fold, a speaker, a cap
        rows.append(
            {
                "run": run.id,
                "corpus": _named(run.record["corpus"]),
                "split": " ".join([run.record["protocol"], *split]),
                "feature": type(run.experiment.feature).__name__,
                "model": configuration(run.experiment),
                "part": part,
                "seed": run.experiment.seed,
                **{score: figures[score] for score in scores},
                "parameters": run.record["parameters"],
                "epochs": len(run.record["history"]),
                "s_per_epoch": run.record["seconds_per_epoch"],
                "device": run.record["device"],
                "date": run.record["date"],
            }
        )
    return pd.DataFrame(rows)


def _named(corpus):
    """A corpus' name as tables show it: synthetic speech is always said to be."""
    return corpus["name"] + (" (synthetic)" if corpus["synthetic"] else "")


def configuration(experiment):
    """Model, and what of feature and recipe differs from the defaults, in one line."""
    values = experiment.to_dict()
    settings = [*experiment.model.options, *values.get("feature", {}).items(), *values.get("recipe", {}).items()]
    return " ".join([experiment.model.name, *(f"{key}={value}" for key, value in settings if key != "name")])


def summary(runs):
    """A row per configuration: mean and standard deviation (`spread`) over its seeds, fractions between 0 and 1.

    Test scores are given where all seeds were tested, with the 95% interval of their mean by bootstrap over speakers.
    """
    rows = []
    for same in groups(runs):
        validation, test = table(same), table(same, "test")
        row = {
            **validation.loc[0, ["corpus", "split", "feature", "model"]],
            "seeds": len(same),
            "parameters": same.parameters,
            "s_per_epoch": validation.s_per_epoch.median(),
            "validation": validation.accuracy.mean(),
            "chance": validation.chance[0],
            "majority": validation.majority[0],
            "validation_spread": validation.accuracy.std(),  # nan of one seed
        }
        if len(test) == len(same):
            interval = same.accuracy
            row |= {
                "test": test.accuracy.mean(),
                "test_spread": test.accuracy.std(),
                "test_low": interval["low"],
                "test_high": interval["high"],
                "test_clips": test.clips[0],
                "test_speakers": interval["speakers"],
                "chance": test.chance[0],
                "majority": test.majority[0],
            }
        rows.append(row)
    return pd.DataFrame(rows)


def elsewhere(runs):
    """A row per configuration and other corpus that it was tested on: means over seeds."""
    rows = []
    for same in groups(runs):
        for name in sorted({name for run in same for name in run.tests_elsewhere()}):
            tested = [run for run in same if name in run.tests_elsewhere()]
            figures = tested[0].tests_elsewhere()[name]  # what all seeds share is read of it
            tables = [run.predictions(f"test-{name}") for run in tested]
            interval = speaker_interval(tables)
            rows.append(
                {
                    "trained on": _named(same.record["corpus"]),
                    "tested on": _named(figures["corpus"]),
                    "model": configuration(same.experiment),
                    "seeds": len(tables),
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
    """A row of `summary` or of `elsewhere` as a sentence that says what it was measured on."""
    chance = f"chance {100 * row['chance']:.1f}%"
    if "tested on" in row:
        return (
            f"{row['model']}: trained on {row['trained on']}, tested on {row['tested on']}: "
            f"{percent({**row, 'mean': row['accuracy']})} on {row['clips']} clips of {row['speakers']} speakers; "
            f"{chance}, always the commonest word there {100 * row['commonest']:.1f}% ({row['seeds']} seeds)."
        )
    seeds = "one seed" if row["seeds"] == 1 else f"{row['seeds']} seeds"
    where = f"{row['corpus']}, split {row['split']}, {seeds}"
    beside = f"{chance}, majority {100 * row['majority']:.1f}%"
    validation = f"validation {100 * row['validation']:.1f}%"
    if pd.isna(row.get("test")):
        return f"{row['model']}: {validation}; {beside} ({where}; not tested)."
    test = percent({"mean": row["test"], "low": row["test_low"], "high": row["test_high"]})
    return (
        f"{row['model']}: test {test} on {row['test_clips']:.0f} clips of {row['test_speakers']:.0f} speakers, "
        f"{validation}; {beside} ({where})."
    )
