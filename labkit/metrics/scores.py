"""How good, and compared with what."""

import pandas as pd

from ..errors import LabError


def scores(predictions, labels, majority=None):
    """Scores of a table with the columns `label` and `predicted`, a row per clip.

    A dict of `clips`, `accuracy`, `balanced_accuracy` (mean recall over the classes present), `macro_f1` (over the
    same), `classes_present`, `chance` (one over the number of classes) and `majority`: what always guessing the class
    most frequent in training gets right, if that class is given.
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
    table = pd.crosstab(predictions.label, predictions.predicted)
    table = table.reindex(index=labels, columns=labels, fill_value=0)
    return table.rename_axis("true").rename_axis("predicted", axis=1)
