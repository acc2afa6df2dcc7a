"""`python -m labkit results`: the records of trainings as a table, or as CSV."""

from pathlib import Path

import pandas as pd

from ..errors import LabError
from ..experiments.records import elsewhere, in_words, read_runs, summary, table
from ..files import atomic_file, home


def add_arguments(parser):
    parser.add_argument("folder", type=Path, nargs="?", help="default: results/ (committed and your own)")
    parser.add_argument("--runs", action="store_true", help="a row per run instead of one per configuration")
    parser.add_argument("--part", choices=("validation", "test"), default="test", help="metrics shown with --runs")
    parser.add_argument("--csv", type=Path, help="write the table to this file instead")


def main(args):
    folder = args.folder or home() / "results"
    runs = read_runs(folder)
    if not runs:
        raise LabError(f"There are no run records below {folder}. `python -m labkit sweep recurrent` makes some.")
    result = table(runs, args.part) if args.runs else summary(runs)
    if args.csv:
        with atomic_file(args.csv) as temporary:
            result.to_csv(temporary, index=False, lineterminator="\n")
        print(f"{len(result)} rows written to {args.csv}")
    elif args.runs:
        with pd.option_context("display.width", 200, "display.max_columns", None, "display.max_rows", None):
            print(result.to_string(index=False, float_format="{:.4f}".format))
    else:
        print(*map(in_words, result.to_dict("records") + elsewhere(runs).to_dict("records")), sep="\n")
