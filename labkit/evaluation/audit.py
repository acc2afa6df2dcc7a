"""Two habits that flatter or blur a result, measured on a run and kept beside its record.

The first counts clips that were trained on. The second never calls `eval()`, so batch normalisation takes its mean from
whichever clips share a batch, and dropout goes on. Both need weights: audit a run where it was trained.
"""

from ..files import read_json, write_json, write_table
from .predictions import predictions


def audit(run, batch=64):
    """Accuracy on the training part, and on the test part in training mode: computed once, read from then on.

    Leaves `audit.json` in the run's folder, and the predictions per clip: `run.predictions("train")` and
    `run.predictions("training_mode")`. They are what an audit shows beside `run.test()`; neither is a test.

    Parameters
    ----------
    run : Run
        With its corpus and its weights.
    batch : int
        Clips that share a batch in training mode; they are drawn at random.

    Returns
    -------
    dict
        `train` and `training_mode`: scores as `metrics.scores` gives them. The second has also `batch` and
        `mean_of_batches`, the mean of the batches' accuracies (which counts a clip of a short last batch more).
    """
    path = run.folder / "audit.json"
    if path.exists():
        return read_json(path)
    tables = {
        "train": predictions(run, "train", leaky=True),
        "training_mode": predictions(run, mode="train", batch=batch),
    }
    figures = {name: run.scores(table) for name, table in tables.items()}
    number = tables["training_mode"].pop("batch")
    right = tables["training_mode"].label == tables["training_mode"].predicted
    figures["training_mode"] |= {"batch": batch, "mean_of_batches": float(right.groupby(number).mean().mean())}
    for name, table in tables.items():
        write_table(run.folder / f"{name}.csv.gz", table)
    write_json(path, figures)
    return figures
