"""How good, compared with what, and how sure."""

import numpy as np
import pandas as pd
from scipy.special import expit, gammaincinv, logit, stdtrit

from ..errors import LabError

UNEVEN = 1.5  # times chance: what always guessing the most frequent class may get before balanced accuracy comes first
FEW = 10  # speakers: an interval over fewer depends on who they happen to be


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
    predictions = predictions.reset_index(drop=True)  # of several runs, rows may have one number
    table = pd.crosstab(predictions.label.rename("true"), predictions.predicted)
    return table.reindex(index=labels, columns=labels, fill_value=0)


def headline(metrics):
    """The metric that comes first: balanced accuracy where the majority gets more than 1.5 times chance."""
    return "balanced_accuracy" if (metrics["majority"] or 0) > UNEVEN * metrics["chance"] else "accuracy"


def in_percent(metrics):
    """What comes first of some metrics, such as 'accuracy 90.0%' or 'balanced accuracy 52.8% (accuracy 86.9%)'."""
    accuracy, balanced = f"accuracy {metrics['accuracy']:.1%}", metrics["balanced_accuracy"]
    return accuracy if headline(metrics) == "accuracy" else f"balanced accuracy {balanced:.1%} ({accuracy})"


def absent(predictions, labels):
    """The classes without clips (the first eight), such as '; no clips of bird, cat'; empty where each has some."""
    present = set(predictions.label.unique())
    missing = [label for label in labels if label not in present]
    more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
    return f"; no clips of {', '.join(missing[:8])}{more}" if missing else ""


def interval(tables, others=None, *, metric="accuracy", same_networks=False, level=0.95):
    """Accuracy, or a difference in accuracy, with its interval over speakers and seeds.

    How far could the figure move if others spoke, and other seeds were trained? Both are random effects, crossed, as
    cases and readers where several radiologists judge the same pictures (Obuchowski and Rockette, 1995; Hillis, 2007).
    Sides of a difference are paired over speakers, not over seeds: seed 0 of two networks is two things.

    Parameters
    ----------
    tables, others : list of pandas.DataFrame
        Predictions (`path`, `speaker`, `label`, `predicted`), a table per seed. With `others`, the same clips under
        another configuration, the result is `tables` minus `others`.
    metric : {"accuracy", "balanced_accuracy"}
    same_networks : bool
        Both sides are the same trained networks, in the same order, asked in two ways: seeds are paired, too.
    level : float
        Coverage of the interval.

    Returns
    -------
    dict
        `mean`, `low`, `high` (fractions from 0 to 1; `low` and `high` are nan for one speaker), `speakers`, `seeds`
        (the fewer of two sides; of one seed, the interval is over speakers only) and `metric`.
    """
    right, clips = _right(tables)  # (seeds, clips)
    sides = [right]
    if others is not None:
        other, theirs = _right(others)
        if not clips.path.equals(theirs.path):
            raise LabError("The two sides were tested on different clips. Test both on the same split.")
        sides = [right - other] if same_networks else [right, -other]
    group = pd.factorize(clips.label)[0] if metric == "balanced_accuracy" else np.zeros(len(clips), int)
    who = pd.factorize(clips.speaker)[0]
    both = group * (who.max() + 1) + who  # a speaker in a group
    inside = np.bincount(group)  # clips of each group
    weight = 1 / (len(inside) * inside[group])  # of each clip; all together 1
    by_clip = sum(side.mean(0) for side in sides)
    seeds, mean = [side @ weight for side in sides], float(weight @ by_clip)
    own = np.bincount(both, weight)[both] * len(inside)  # a speaker's part of the group
    others_too = own < 1 - 1e-9  # a class that only one speaker said has no mean of others
    apart = by_clip - np.where(others_too, (np.bincount(group, by_clip) / inside)[group], mean)
    apart = weight * apart / np.sqrt(np.where(others_too, 1 - own, 1))
    moved, shares = np.bincount(who, apart), np.bincount(who, weight)
    low, high = (np.nan, np.nan) if len(shares) == 1 else bounds(mean, moved, shares, seeds, others is not None, level)
    counts = {"speakers": len(shares), "seeds": min(map(len, seeds))}
    return {"mean": mean, "low": float(low), "high": float(high), **counts, "metric": metric}


def poisson(count, hours, level=0.95):
    """Events an hour, `per_hour`, with the exact interval of a Poisson count, `low` to `high` (Garwood, 1936).

    It takes events to be independent. Alarms at one speaker's odd vowel are not, so the truth may lie further off.
    """
    tail = (1 - level) / 2
    low = gammaincinv(count, tail) if count else 0.0
    rates = {"per_hour": count / hours, "low": low / hours, "high": gammaincinv(count + 1, 1 - tail) / hours}
    return {"count": count} | {name: float(rate) for name, rate in rates.items()}


def bounds(mean, moved, shares, seeds, difference, level=0.95):
    """Low and high end of an interval; docs/RESULTS.md derives it. (Axes before the last: repetitions of a simulation.)

    By `moved` (speakers) each speaker moves the mean, `shares` (speakers) are their weights, which add up to 1, and
    `seeds` has for each side the figure of each seed. The variance of the mean is V = sum of moved**2, and of s**2 / S
    for each side, whose S seeds have the standard deviation s. The ends are quantiles of Student's t, an accuracy's on
    the logit scale. Where nothing varies, as when all is right, up to 1 - 0.05**(1 / speakers) of all people, about
    3 / speakers (the rule of three), may be unlike those who were tested, and be understood never, or always.
    """
    effective, lowest = 1 / (shares**2).sum(-1), -1 if difference else 0
    parts = [((moved**2).sum(-1), effective - 1)]
    parts += [(one.var(-1, ddof=1) / one.shape[-1], one.shape[-1] - 1) for one in seeds if one.shape[-1] > 1]
    variance = sum(part for part, _ in parts)
    with np.errstate(divide="ignore", invalid="ignore"):  # where nothing varies
        freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
        half = stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance)
        low, high = mean - half, mean + half
        if not difference:
            half = half / (mean * (1 - mean))
            low, high = expit(logit(mean) - half), expit(logit(mean) + half)
    flat, unlike = variance < 1e-12, 1 - (1 - level) ** (1 / effective)
    low = np.where(flat, mean - unlike * (mean - lowest), np.maximum(low, lowest))
    return low, np.where(flat, mean + unlike * (1 - mean), np.minimum(high, 1))


def _right(tables):
    """Which clips each seed got right (seeds, clips), 1 or 0; and the clips, by path."""
    tables = [table.sort_values("path", ignore_index=True) for table in tables]
    if any(not table.path.equals(tables[0].path) for table in tables):
        raise LabError("The seeds were tested on different clips. Use the same split for all of them.")
    return np.array([table.label == table.predicted for table in tables], float), tables[0]


def percent(interval):
    """An interval in percent, such as '90.0% [85.0, 95.0]'; it says where it is of balanced accuracy or of one seed."""
    mean, low, high = (100 * interval[key] for key in ("mean", "low", "high"))
    balanced = " balanced" if interval.get("metric") == "balanced_accuracy" else ""
    seed = "; one seed" if interval.get("seeds") == 1 else ""
    ends = "one speaker: no interval" if np.isnan(low) else f"{low:.1f}, {high:.1f}"
    return f"{mean:.1f}%{balanced} [{ends}{seed}]"


def verdict(interval, first="the first", second="the second"):
    """One sentence for a difference: who is ahead, or that no difference was shown. Of one seed nobody is ahead.

    >>> verdict({"mean": 0.01, "low": -0.01, "high": 0.03, "speakers": 112, "seeds": 3}, "GRU", "LSTM")
    'GRU minus LSTM: +1.0 points [-1.0, +3.0] over 112 speakers and 3 seeds: no difference shown.'
    """
    mean, low, high = (100 * interval[key] for key in ("mean", "low", "high"))
    kind = " of balanced accuracy" if interval.get("metric") == "balanced_accuracy" else ""
    few = " (too few to say much about others)" if interval["speakers"] < FEW else ""
    seeds = "one seed" if interval["seeds"] == 1 else f"{interval['seeds']} seeds"
    over = f"[{low:+.1f}, {high:+.1f}] over {interval['speakers']} speakers{few} and {seeds}"
    over = "for one speaker" if interval["speakers"] == 1 else over
    better = first if low > 0 else second if high < 0 else ""
    found = f"{better} is ahead" if better else "no difference shown"
    if interval["seeds"] == 1:
        found = f"{better} does better with this one" if better else found
        found += "; how much another seed would change is not known"
    return f"{first} minus {second}: {mean:+.1f} points{kind} {over}: {found}."


def by_chance(comparisons):
    """How many of so many 95% intervals would exclude zero if nothing differed, as a sentence."""
    return f"Of {comparisons} comparisons about {0.05 * comparisons:.1f} would look like a difference by chance alone."
