"""`python -m labkit live NAME`: how well a network listens to minutes of sound, as one step of a record.

`--choosing` and `--more` are folders of speech without the words: for the choice of thresholds, and for the test.
"""

import os
from pathlib import Path

from ..data import find, read
from ..device import settle
from ..experiments.pretrained import load
from ..files import read_json, write_json
from ..streaming import Decision
from ..streaming.benchmark import SPEECH, record

LINE = "{budget:>5g} allowed: {per_hour:5.1f} [{low:.1f}, {high:.1f}] false alarms an hour of speech; found {found}"


def add_arguments(parser):
    add = parser.add_argument
    add("name", help="a pretrained network, as in results/pretrained/, or the folder of a run with its weights")
    add("--data", default=os.environ.get("LABKIT_DATA") or "auto", help="corpus of the words")
    add("--speech", type=Path, required=True, help="corpus of read sentences, such as Common Voice in English")
    add("--choosing", type=Path, nargs="*", default=[], help="more speech to choose thresholds on")
    add("--more", type=Path, nargs="*", default=[], help="more speech to test on")
    add("--second", help="a network for clips that must agree before a word is reported")
    add("--consecutive", type=int, default=1, help="answers in a row that must reach the threshold")
    add("--refractory", type=float, default=Decision().refractory, help="seconds of silence after a report")
    add("--shared", action="store_true", help="one threshold for all words, not one for each")
    add("--seconds", type=float, default=600.0, help="length of each recording of strung words, and of noise")
    add("--record", type=Path, help="a JSON file of steps, to which this one is added")
    add("--step", default="", help="what this step is called there")


def main(args):
    settle("cpu")
    words, speech = find("speech_commands", args.data), read(args.speech)
    decision = Decision(consecutive=args.consecutive, refractory=args.refractory)
    run, second = load(args.name), args.second and load(args.second)
    choosing, more = ([read(folder) for folder in folders] for folders in (args.choosing, args.more))
    result = record(run, words, speech, choosing, more, decision, second, not args.shared, args.seconds)
    for row in result["curve"]:
        found = ", ".join(
            f"{100 * said['hits']:.1f}% of {kind}" for kind, said in row.items() if kind.startswith("words")
        )
        print(LINE.format(budget=row["budget"], found=found, **row[SPEECH]))
    if args.record:
        steps = read_json(args.record) if args.record.exists() else {}
        write_json(args.record, steps | {args.step or args.name: result})
        print(f"Written to {args.record}.")
