"""How good, compared with what, and how sure."""

import numpy as np
import pandas as pd

from ..errors import LabError


def metrics_of(predictions, labels, majority=None):
    """Metrics of a table with the columns `label` and `predicted`, a row per clip.

    Recall and F1 are averaged over the classes that are present. `chance` is one over the number of classes; with
    `majority`, the class most frequent in training, there is also what always guessing it gets right.
    """
    from sklearn.metrics import f1_score, recall_score

    true, predicted = predictions.label, predictions.predicted
    if true.empty:
        raise LabError("There are no clips to score. Choose a part that has some.")
    present = [label for label in labels if label in set(true)]
    over_classes = {"labels": present, "average": "macro", "zero_division": 0}
    return {
        "clips": len(true),
        "accuracy": float((true == predicted).mean()),
        "balanced_accuracy": float(recall_score(true, predicted, **over_classes)),
        "macro_f1": float(f1_score(true, predicted, **over_classes)),
        "classes_present": len(present),
        "chance": 1 / len(labels),
        "majority": None if majority is None else float((true == majority).mean()),
    }


def confusion(predictions, labels):
    """Confusion matrix in clips, a DataFrame: a row per true label, a column per predicted one."""
    table = pd.crosstab(predictions.label.rename("true"), predictions.predicted)
    return table.reindex(index=labels, columns=labels, fill_value=0)


def speaker_interval(tables, others=None, draws=10_000, seed=0, level=0.95):
    """Accuracy, or a difference in accuracy, with its bootstrap interval over speakers.

    Clips of one speaker are right or wrong together, so speakers are drawn, not clips (Efron and Tibshirani, 1993,
    ch. 8). For a difference, both sides are measured on the same drawn speakers.

    Parameters
    ----------
    tables, others : list of pandas.DataFrame
        Predictions (`path`, `speaker`, `label`, `predicted`), a table per seed. With `others`, the same clips under
        another configuration, the result is `tables` minus `others`.
    draws, seed, level
        Number of bootstrap draws, their seed, coverage of the interval.

    Returns
    -------
    dict
        `mean`, `low`, `high` (fractions from 0 to 1; `low` and `high` are nan for one speaker), `speakers`, `seeds`.
    """
    right, speakers = _right(tables)
    if others is not None:
        other, _ = _right(others)
        if not right.index.equals(other.index):
            raise LabError("The two sides were tested on different clips. Test both on the same split.")
        right = right - other
    sums = right.groupby(speakers).agg(["sum", "count"])
    low = high = float("nan")
    if len(sums) > 1:
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)  # (draws, speakers)
        means = (drawn @ sums["sum"].values) / (drawn @ sums["count"].values)
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return {"mean": float(right.mean()), "low": low, "high": high, "speakers": len(sums), "seeds": len(tables)}


def _right(tables):
    """Fraction of seeds that got each clip right, indexed by path; and the clips' speakers."""
    tables = [table.sort_values("path").set_index("path") for table in tables]
    if any(not table.index.equals(tables[0].index) for table in tables):
        raise LabError("The seeds were tested on different clips. Use the same split for all of them.")
    right = sum((table.label == table.predicted).astype(float) for table in tables) / len(tables)
    return right, tables[0].speaker


def percent(interval):
    """An interval in percent, such as '90.0% [85.0, 95.0]'."""
    mean, low, high = (100 * interval[key] for key in ("mean", "low", "high"))
    return f"{mean:.1f}% " + ("[one speaker: no interval]" if np.isnan(low) else f"[{low:.1f}, {high:.1f}]")


def verdict(interval, first="the first", second="the second"):
    """One sentence for a difference: who is ahead, or that no difference was shown.

    >>> verdict({"mean": 0.01, "low": -0.01, "high": 0.03, "speakers": 112, "seeds": 3}, "GRU", "LSTM")
    'GRU minus LSTM: +1.0 points [-1.0, +3.0] over 112 speakers and 3 seeds: no difference shown.'
    """
    mean, low, high = (100 * interval[key] for key in ("mean", "low", "high"))
    over = f"[{low:+.1f}, {high:+.1f}] over {interval['speakers']} speakers and {interval['seeds']} seeds"
    if interval["speakers"] == 1:
        over = "for one speaker"
    ahead = f"{first} is ahead" if low > 0 else f"{second} is ahead" if high < 0 else "no difference shown"
    return f"{first} minus {second}: {mean:+.1f} points {over}: {ahead}."
