"""Two habits that flatter or blur a result, measured on a run and kept beside its record.

The first counts clips that were trained on. The second never calls `eval()`, so batch normalisation takes its mean from
whichever clips share a batch, and dropout goes on. Both need weights: audit a run where it was trained.
"""

from ..files import read_json, write_json, write_table


def audit(run, batch=64):
    """Scores on the training part, and on the test part in training mode: computed once, read from then on.

    A dict of `train` and `training_mode`; `run.predictions` has their tables by these names. The second has also
    `mean_of_batches`, the mean of the batches' accuracies (which counts a clip of a short last batch more).
    """
    path = run.folder / "audit.json"
    if not path.exists():
        train, train_scores = run.evaluate(part="train", leaky=True)
        blurred, scores = run.evaluate(mode="train", batch=batch)
        right = (blurred.label == blurred.predicted).groupby(blurred.pop("batch")).mean()
        scores |= {"batch": batch, "mean_of_batches": float(right.mean())}
        write_table(run.folder / "train.csv.gz", train)
        write_table(run.folder / "training_mode.csv.gz", blurred)
        write_json(path, {"train": train_scores, "training_mode": scores})
    return read_json(path)
