"""Ship a trained network with the lab: its run folder and a card go to results/pretrained/NAME/.

    python -m tools.ship results/local/CORPUS/MODEL-ID NAME [--half] [--live results/live/FILE.json --step STEP]
        [--second NAME]

The run is tested, has its weights, and was trained on recordings of people. Decisions, for a detector, are those that
`python -m tools.live_record` chose on validation data, one for each budget of false alarms.
"""

import argparse
import shutil
from pathlib import Path

from labkit.data.corpus import UNKNOWN
from labkit.errors import LabError
from labkit.experiments.pretrained import load
from labkit.experiments.run import Run, read_record
from labkit.files import atomic_file, home, read_json, write_json, write_text
from labkit.metrics import absent, headline
from labkit.training.tensors import read_tensors, write_tensors

LARGEST = 1_000_000  # bytes
COLUMNS = {"macro_f1": "macro F1", "majority": "always the commonest word"}
FILES = ("weights.safetensors", "test.json", "test.csv.gz", "validation.csv.gz")


BUDGET = 2  # false alarms in an hour of running speech: that of the decision which a detector takes by itself


def ship(run, name, place=None, curve=(), second=None, half=False):
    """Copy a tested run below `place`, with a card and the decisions of a curve; return it as loaded.

    `second` is the name of the shipped network that takes the second look; `half` keeps the weights in 16 bits.
    """
    if run.synthetic:
        raise LabError(
            f"Run {run.id} was trained on synthetic speech. Ship one that was trained on recordings of people."
        )
    size = (run.folder / "weights.safetensors").stat().st_size
    if size > LARGEST:
        raise LabError(
            f"Run {run.id} has {size / 1e6:.1f} MB of weights; {LARGEST / 1e6:.0f} MB is the most. Ship a smaller one."
        )
    test = run.test()
    target = Path(place or home() / "results" / "pretrained") / name
    for file in FILES:
        with atomic_file(target / file) as temporary:
            shutil.copyfile(run.folder / file, temporary)
    if half:
        tensors, about = read_tensors(run.folder / FILES[0], "Train the run again.")
        shorter = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
        write_tensors(target / FILES[0], shorter, about)
    record = run.record | {"protocol": run.protocol} | ({"second": second} if second else {})
    if curve:
        record["budgets"] = [{key: row[key] for key in ("budget", "decision")} for row in curve]
        record["decision"] = next(row["decision"] for row in curve if row["budget"] == BUDGET)
    write_json(target / "run.json", record)
    write_text(target / "card.md", card(name, record, test, run.predictions(), half))
    return load(name, place=place)


def card(name, record, test, answers, half=False):
    """A model card (Mitchell et al., arXiv 1810.03993) in Markdown; `answers` is the table of the test clips."""
    corpus, missing = record["corpus"], absent(answers, record["labels"])
    recall = (answers.label == answers.predicted).groupby(answers.label).mean()
    by_word = ", ".join(f"{label} {100 * recall[label]:.1f}%" for label in record["labels"] if label in recall)
    first = headline(record["validation"])
    shown = dict.fromkeys([first, "accuracy", "balanced_accuracy", "macro_f1", "chance", "majority"])
    columns = " | ".join(COLUMNS.get(key, key.replace("_", " ")) for key in shown)
    scores = "\n".join(
        f"| {part} | " + " | ".join(f"{100 * metrics[key]:.1f}%" for key in shown) + " |"
        for part, metrics in (("validation", record["validation"]), ("test", test))
    )
    rows = "\n".join(
        f"| {part} | {record['clips'][part]:,} | {record['speakers'][part]:,} |"
        for part in ("train", "validation", "test")
    )
    words = [label for label in record["labels"] if label != UNKNOWN]
    others = "There is no class for anything else: other sounds get one of these names too."
    if UNKNOWN in record["labels"]:
        others = f'A class "{UNKNOWN}" stands for all else; it was taught with {_taught(record)}.\n'
        others += "How it takes other kinds of sound is not measured here."
    bits = " The weights are kept in 16 bits; the figures below are of 32." if half else ""
    listening = ""
    if decision := record.get("decision"):
        listening = f"""
**In a stream** it reports a word whose probability, averaged over {decision["smoothing"]:g} s, reaches the threshold of
that word in {decision["consecutive"]} answers in a row, and then nothing for {decision["refractory"]:g} s. The
thresholds were chosen on validation speakers for at most {BUDGET} false alarms in an hour of running speech. How many
words it finds so, and how many that nobody said, was measured on others: `results/live/`.
"""
    return f"""# {name}

Names one of {len(words)} spoken words: {", ".join(words)}.
{others}

**Network.** {record["experiment"]["model"]["name"]}, {record["parameters"]:,} parameters; settings, labels and training
speakers are in `run.json`. Trained on {record["date"]} with torch {record["versions"]["torch"]}.{bits}

**Recordings.** {corpus["name"]} (fingerprint {corpus["fingerprint"]}), split "{record["protocol"]}":

| part | clips | speakers |
|---|---|---|
{rows}

Nobody is in two parts.

**Test, once, on speakers never heard{missing}.** The epoch was chosen on validation.

| | {columns} |
|---|---|---|---|---|---|
{scores}

Of the test clips of each word it names: {by_word}.
{listening}
**Fit for.** Lessons, and trying it on one's own voice. **Not fit for** anything that matters: it was tested on clips of
one second of this corpus only. Who these speakers are is not known; other accents, ages, rooms and microphones were not
measured.

**Licence.** Weights: MIT, as the lab. The recordings: {corpus["licence"]}; none of them is contained here.
"""


def _taught(record):
    """What the class "unknown" was made of, in words."""
    table = record["experiment"].get("target", {}).get("classes", [])
    words = [word for word, label in table if label == UNKNOWN and word != UNKNOWN]
    augmentation = record["experiment"]["recipe"].get("augmentation", {})
    parts = [f"{len(words)} other words of the corpus"] if words else []
    parts += ["pieces of words and noise alone"] if augmentation.get("pieces") else []
    parts += ["words played backwards"] if augmentation.get("backwards") else []
    return ", ".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run, with its weights")
    parser.add_argument("name", help="what the network is called")
    parser.add_argument("--live", type=Path, help="record of tools.live_record whose choices on validation are kept")
    parser.add_argument("--step", help="which of its steps")
    parser.add_argument("--half", action="store_true", help="keep the weights in 16 bits: half as many bytes")
    parser.add_argument("--second", help="the shipped network that takes the second look")
    args = parser.parse_args()
    curve = read_json(args.live)[args.step]["curve"] if args.live else ()
    print(ship(Run(args.run, read_record(args.run)), args.name, curve=curve, second=args.second, half=args.half))


if __name__ == "__main__":
    main()
