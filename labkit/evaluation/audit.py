"""Two habits that flatter or blur a result, measured on a run and kept beside its record.

The first counts clips that were trained on. The second never calls `eval()`, so batch normalisation takes its mean from
whichever clips share a batch, and dropout goes on. Both need weights: audit a run where it was trained.
"""

from ..files import read_json, write_json, write_table
from .predictions import predictions


def audit(run, batch=64):
    """Scores on the training part, and on the test part in training mode: computed once, read from then on.

    A dict of `train` and `training_mode`; `run.predictions` has their tables by these names. The second has also
    `mean_of_batches`, the mean of the batches' accuracies (which counts a clip of a short last batch more).
    """
    path = run.folder / "audit.json"
    if path.exists():
        return read_json(path)
    train = predictions(run, "train", leaky=True)
    training_mode = predictions(run, mode="train", batch=batch)
    right = training_mode.label == training_mode.predicted
    mean_of_batches = float(right.groupby(training_mode.pop("batch")).mean().mean())
    figures = {
        "train": run.scores(train),
        "training_mode": {**run.scores(training_mode), "batch": batch, "mean_of_batches": mean_of_batches},
    }
    write_table(run.folder / "train.csv.gz", train)
    write_table(run.folder / "training_mode.csv.gz", training_mode)
    write_json(path, figures)
    return figures
