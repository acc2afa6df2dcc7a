"""`python -m labkit stores`: list the packed waveforms on this machine, and remove them."""

import time

from ..files import cache


def add_arguments(parser):
    parser.add_argument(
        "--remove", nargs="*", metavar="NAME", help="remove these; without names, all but the newest of each corpus"
    )


def main(args):
    from ..audio import outdated, remove_store, stores

    rows = stores()
    old = {folder.name for folder in outdated()}
    print(f"Waveform stores in {cache() / 'stores'} (they can always be made again):")
    for folder, size, made in rows:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(made))
        print(f"  {size / 1e6:8.1f} MB  {day}  {folder.name}{'  (outdated)' if folder.name in old else ''}")
    print(f"  {sum(size for _, size, _ in rows) / 1e6:8.1f} MB in all")
    if args.remove is not None:
        for name in args.remove or sorted(old):
            print(f"removed {name}, {remove_store(name) / 1e6:.1f} MB")
    return 0
