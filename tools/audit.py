"""Two habits that flatter or blur a result, measured on all tested runs below a folder: `python -m tools.audit FOLDER`.

The accuracy on clips that were trained on, and that on the test part without `eval()`: then batch normalisation takes
its mean from the clips that share a batch, and dropout goes on. Each run keeps both beside its record, with their
tables; `run.predictions("train")` and `run.predictions("training_mode")` read them.
"""

import argparse
import copy
import sys
from pathlib import Path

import torch

from labkit.data import find
from labkit.data.store import open_store
from labkit.device import settle
from labkit.errors import LabError
from labkit.evaluation.predictions import with_predictions
from labkit.experiments.records import read_runs
from labkit.experiments.run import train
from labkit.files import read_json, write_json, write_table
from labkit.metrics import metrics_of
from labkit.training.batches import batches_of
from labkit.training.loop import seeded


@torch.no_grad()
def in_training_mode(run, batch):
    """What a run says of its test part without `eval()`, in batches of so many clips drawn at random, and which."""
    if run.corpus is None:
        raise LabError(f"Run {run.id} was read without its corpus. Call labkit.train(run.experiment, ...) for both.")
    feature = run.experiment.feature
    store = open_store(run.corpus, feature.sample_rate)
    corpus = run.corpus.without(store.problems)
    clips = batches_of(corpus, "test", feature, run.device, store=store)
    network = copy.deepcopy(run.network).train()  # a copy: its running statistics move with each batch
    logits = torch.empty(len(clips), len(run.labels), device=run.device)
    numbers = torch.empty(len(clips), dtype=torch.int64)
    with seeded(0, run.device):
        for number, index in enumerate(clips.batches(batch, seed=0)):
            x, lengths, _ = clips[index]
            logits[index], numbers[index] = network(x, lengths), number
    table = corpus.part("test")[["path", "speaker", "label"]]
    return with_predictions(run, table.assign(batch=numbers.numpy()), logits)


def audit(run, batch=64):
    """Two sets of metrics of a run, `train` and `training_mode`: computed at the first call, read from then on.

    `mean_of_batches` is the mean of the batches' accuracies (which counts a clip of a short last batch more).
    """
    path = run.folder / "audit.json"
    if "audit" in run.record:  # of a packed sweep
        return run.record["audit"]
    if not path.exists():
        trained, train_metrics = run.evaluate(part="train", leaky=True)
        blurred = in_training_mode(run, batch)
        metrics = metrics_of(blurred, run.labels, run.record["majority"])
        right = (blurred.label == blurred.predicted).groupby(blurred.pop("batch")).mean()
        metrics |= {"batch": batch, "mean_of_batches": float(right.mean())}
        write_table(run.folder / "train.csv.gz", trained)
        write_table(run.folder / "training_mode.csv.gz", blurred)
        write_json(path, {"train": train_metrics, "training_mode": metrics})
    return read_json(path)


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, metavar="FOLDER", help="where a sweep left its records")
    parser.add_argument("--data", default="auto", help="auto, real, synthetic or a folder")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    args = parser.parse_args(words)
    for run in read_runs(args.results):
        if run.tested:
            corpus = find(run.experiment.corpus.name, args.data)
            audit(train(run.experiment, corpus, args.results, settle(args.device)))
            print(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
