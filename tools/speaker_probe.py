"""Does the last layer of a trained network tell who speaks? A linear probe, kept in results/probes.

    python -m tools.speaker_probe DATA RESULTS

DATA is the folder of a corpus, RESULTS holds runs with their weights that were split by clip. For each of them a
logistic regression learns to name the speakers of the training clips from what the last layer reads, and is asked about
the test clips of the same people. Any layer keeps something of a voice. So the same is asked of the weights that
training began with, and of the mean of the frames, without any network. The table goes to results/probes/CORPUS.csv:
accuracies, and differences, with their intervals over speakers and seeds.
"""

import argparse
from copy import copy
from pathlib import Path

import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from labkit.data import read
from labkit.data.splits import LEAKY
from labkit.evaluation.interpret import last_layer
from labkit.experiments.records import groups, read_runs
from labkit.experiments.run import new_network, train
from labkit.files import home, write_text
from labkit.metrics import interval
from labkit.models.rnn import mean_frames
from labkit.training.batches import batches_of


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the corpus")
    parser.add_argument("results", type=Path, help="folder with runs and their weights")
    args = parser.parse_args(argv)
    corpus = read(args.data)
    leaky = [run.experiment for run in read_runs(args.results / corpus.name) if run.protocol in LEAKY]
    table = probes([train(experiment, corpus, args.results) for experiment in leaky])
    write_text(home() / "results" / "probes" / f"{corpus.name}.csv", table.to_csv(index=False))
    print(table.to_string(index=False))


def probes(runs):
    """How often a probe names the speaker: a row for what it reads (`of`), or for the difference from another."""
    frames = [named_by_probe(runs[0], mean_of_frames)]  # the runs share feature and split: this is one for all
    rows = [{"of": "mean of the frames", "minus": ""} | interval(frames)]
    for same in groups(runs):
        name = same.experiment.model.name.upper()
        trained = [named_by_probe(run, last_layer) for run in same]
        untrained = [named_by_probe(untaught(run), last_layer) for run in same]
        rows.append({"of": f"trained {name}", "minus": f"untrained {name}"} | interval(trained, untrained))
        rows.append({"of": f"trained {name}", "minus": ""} | interval(trained))
        rows.append({"of": f"untrained {name}", "minus": ""} | interval(untrained))
    number = runs[0].record["speakers"]["train"]
    table = pd.DataFrame(rows).drop(columns="metric").assign(clips=len(frames[0]), known=number, chance=1 / number)
    return table.round(4)


def named_by_probe(run, vectors_of):
    """Whom a linear probe of some vectors names for the test clips, of those people whom the run was trained on."""
    known, vectors = vectors_of(run, "train")
    asked, new = vectors_of(run, "test")
    met = asked.speaker.isin(known.speaker).to_numpy()
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(vectors.numpy(), known.speaker)
    asked = asked[met]
    return asked.assign(label=asked.speaker, predicted=fitted.predict(new.numpy()[met]))


def untaught(run):
    """The run with the weights that its training began with, behind the same normalisation."""
    first = copy(run)
    front = run.network.front
    first.network = new_network(run.experiment, len(run.labels), (front.mean, front.std), run.device).eval()
    return first


def mean_of_frames(run, part):
    """The clips of a part, and the mean over time of the features of each: (clips, features)."""
    clips = batches_of(run.corpus, part, run.experiment.feature, run.device)
    index = clips.batches(64)
    means = [mean_frames(*clips[batch][:2]) for batch in index]
    return run.corpus.part(part), torch.cat(means)[torch.cat(index).argsort()]


if __name__ == "__main__":
    main()
