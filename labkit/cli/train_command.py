"""`python -m labkit train FILE`: train one experiment."""

import os
from pathlib import Path

from ..files import home, read_json


def add_arguments(parser):
    add = parser.add_argument
    add("experiment", metavar="FILE", help="JSON file as of Experiment.to_dict()")
    add("--data", default=os.environ.get("LABKIT_DATA") or "auto", help="auto, real, synthetic or a folder")
    add("--scale", default=os.environ.get("LABKIT_SCALE") or "lab", choices=("lab", "full"))
    results = Path(os.environ.get("LABKIT_RESULTS") or home() / "results" / "local")
    add("--results", type=Path, default=results, help="where the record goes (default: results/local)")
    add("--device", default="auto", help="auto, cpu, cuda, mps")


def main(args):
    from ..data import find
    from ..device import settle
    from ..experiments import run as runs
    from ..experiments.experiment import Experiment
    from ..training.loop import TrainingBar

    experiment = Experiment.from_dict(read_json(args.experiment, "Write one with Experiment.to_dict()."))
    corpus = find(experiment.corpus.name, args.data, args.scale)
    print(corpus)
    run = runs.train(experiment, corpus, args.results, settle(args.device), TrainingBar(str(experiment)))
    print(f"{run}\nIt is in {run.folder}.")
    return 0
