"""`python -m tools.faults --seed 0`: the whole campaign as a table. Exit code 1: a mark is missed."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"LABKIT_BARS": "off", "LABKIT_THREADS": "1", "OMP_NUM_THREADS": "1"}
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))  # for the tiny corpus

from . import BAD, missed, run_all, table  # noqa: E402
from .everything import FAMILIES, every_fault  # noqa: E402

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="faults at a time")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="FAMILY")
    parser.add_argument("--match", default="", help="only faults with this in their name")
    parser.add_argument("--limit", type=int, help="only so many of each family")
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        faults = every_fault(Path(scratch), options.seed, options.only, options.limit)
        faults = [fault for fault in faults if options.match in fault.name]
        done = run_all(faults, scratch, options.seed, options.workers, lambda line: print(line, flush=True))
    print(f"\n{len(done)} faults, seed {options.seed}, {time.monotonic() - begin:.0f} s\n\n{table(done)}")
    slow = sorted(done, key=lambda one: -one[3])[:5]
    print("\nslowest: " + "; ".join(f"{fault.family}: {fault.name} {spent:.0f} s" for fault, _, _, spent in slow))
    print(f"Marks {'MISSED' if missed(done) else 'met'}: none of {', '.join(BAD)}.")
    sys.exit(missed(done))
