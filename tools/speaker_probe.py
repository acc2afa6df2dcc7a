"""Does the last layer of a trained network tell who speaks? A linear probe, kept in results/probes.

    python -m tools.speaker_probe DATA RESULTS

DATA is the folder of a corpus, RESULTS holds runs with their weights that were split by clip. For each of them a
logistic regression learns to name the speakers of the training clips from what the last layer reads, and is asked about
the test clips of the same people. The table goes to results/probes/CORPUS.csv.
"""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from labkit.data import read
from labkit.data.splits import LEAKY
from labkit.evaluation.interpret import last_layer
from labkit.experiments.records import read_runs
from labkit.experiments.run import train
from labkit.files import home, write_text


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the corpus")
    parser.add_argument("results", type=Path, help="folder with runs and their weights")
    args = parser.parse_args(argv)
    corpus, rows = read(args.data), []
    for run in read_runs(args.results / corpus.name):
        if run.protocol in LEAKY:
            rows.append(probe(train(run.experiment, corpus, args.results)))
    table = pd.DataFrame(rows).sort_values(["network", "seed"])
    write_text(home() / "results" / "probes" / f"{corpus.name}.csv", table.to_csv(index=False))
    print(table.to_string(index=False))


def probe(run):
    """A row: how often a linear probe of a run's last layer names the right one of the speakers it was trained on."""
    known, vectors = last_layer(run, "train")
    asked, new = last_layer(run, "test")
    met = asked.speaker.isin(known.speaker).to_numpy()  # of whom other clips were trained on
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(vectors.numpy(), known.speaker)
    right = (fitted.predict(new[met].numpy()) == asked.speaker[met]).mean()
    speakers = known.speaker.nunique()
    about = {"network": run.experiment.model.name, "seed": run.experiment.seed, "run": run.id, "speakers": speakers}
    return about | {"clips": int(met.sum()), "accuracy": round(float(right), 4), "chance": round(1 / speakers, 4)}


if __name__ == "__main__":
    main()
