"""`python -m tools.bench NAME`, in the lab's folder: measure speed on this machine, ratios in one process."""

import argparse
import os
import sys
from importlib import import_module

from labkit.device import settle
from labkit.errors import LabError, choose

from . import BENCHES


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("name", help="; ".join(f"{name}: {what}" for name, what in BENCHES.items()))
    parser.add_argument(
        "--data", default=os.environ.get("LABKIT_DATA") or "auto", help="auto, real, synthetic or a folder"
    )
    parser.add_argument("--clips", type=int, default=2048, help="clips to measure on")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps; not all benchmarks use it")
    args = parser.parse_args(argv)
    try:
        choose(args.name, BENCHES, "benchmark")
        settle(args.device)
        return import_module(f".{args.name}", __package__).main(args) or 0
    except LabError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
