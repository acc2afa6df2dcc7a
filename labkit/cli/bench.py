"""`python -m labkit bench NAME`: measure speed on this machine, ratios in one process."""

import os
from importlib import import_module

from ..bench import BENCHES
from ..errors import choose


def add_arguments(parser):
    parser.add_argument("name", help="; ".join(f"{name}: {what}" for name, what in BENCHES.items()))
    parser.add_argument(
        "--data", default=os.environ.get("LABKIT_DATA") or "auto", help="auto, real, synthetic or a folder"
    )
    parser.add_argument("--clips", type=int, default=2048, help="clips to measure on")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps; not all benchmarks use it")


def main(args):
    choose(args.name, BENCHES, "benchmark")
    from ..machine import settle

    settle(args.device)
    return import_module(f"..bench.{args.name}", __package__).main(args)
