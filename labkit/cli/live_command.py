"""`python -m labkit live NAME`: how well a pretrained network finds words in minutes of sound, as a record."""

import os
from pathlib import Path

from ..data import find
from ..device import settle
from ..experiments.pretrained import load
from ..files import write_json
from ..streaming.benchmark import plans, record


def add_arguments(parser):
    add = parser.add_argument
    add("name", help="a pretrained network, as in results/pretrained/")
    add("--data", default=os.environ.get("LABKIT_DATA") or "auto", help="corpus of the words")
    add("--others", help="corpus of words outside the vocabulary, for the test")
    add("--others-validation", help="the same, for validation")
    add("--noises", help="corpus whose background noises are heard (default: --data's)")
    add("--mixtures", type=int, default=3, help="long recordings at each level of noise")
    add("--seconds", type=float, default=600.0, help="length of each")
    add("--snr", type=float, nargs="+", default=(20.0, 5.0), help="levels of noise, in dB")
    add("--record", type=Path, help="where the record is written (default: not at all)")


def main(args):
    settle("cpu")
    asked = [args.data, args.others, args.others_validation, args.noises]
    opened = {data: find("speech_commands", data) for data in dict.fromkeys(asked) if data}
    corpus, *others = [opened.get(data) for data in asked]
    result = record(load(args.name), corpus, plans(args.snr, args.mixtures, args.seconds), *others)
    if args.record:
        write_json(args.record, result)
        print(f"Written to {args.record}.")
