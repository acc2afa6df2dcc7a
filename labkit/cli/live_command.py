"""`python -m labkit live NAME`: how well a shipped network finds words in minutes of sound, as a record."""

import os
from pathlib import Path


def add_arguments(parser):
    parser.add_argument("name", help="a shipped network, as in results/shipped/")
    parser.add_argument("--data", default=os.environ.get("LABKIT_DATA") or "auto", help="corpus of the words")
    parser.add_argument("--others", default=None, help="corpus of words outside the vocabulary, for the test")
    parser.add_argument("--others-validation", default=None, help="the same, for validation")
    parser.add_argument("--noises", default=None, help="corpus whose background noises are heard (default: --data's)")
    parser.add_argument("--strings", type=int, default=3, help="strings at each level of noise")
    parser.add_argument("--seconds", type=float, default=600.0, help="length of each")
    parser.add_argument("--snr", type=float, nargs="+", default=(20.0, 5.0), help="levels of noise, in dB")
    parser.add_argument("--record", type=Path, default=None, help="where the record is written (default: not at all)")


def main(args):
    from ..data import find
    from ..device import settle
    from ..experiments.pretrained import load
    from ..files import write_json
    from ..streaming.benchmark import record, scenes

    settle("cpu")
    corpora = [args.data, args.others, args.others_validation, args.noises]
    opened = {data: find("speech_commands", data) for data in dict.fromkeys(corpora) if data}
    corpus, others, others_validation, noises = (opened.get(data) for data in corpora)
    minutes = scenes(args.snr, args.strings, args.seconds)
    result = record(load(args.name), corpus, minutes, others, others_validation, noises)
    if args.record:
        write_json(args.record, result)
        print(f"Written to {args.record}.")
    return 0
