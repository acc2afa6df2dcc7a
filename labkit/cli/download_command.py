"""`python -m labkit download NAME`: fetch a corpus of real recordings, or cut one out of another."""

from ..data.download import DOWNLOADS, download, present


def add_arguments(parser):
    parser.add_argument("names", nargs="*", metavar="NAME", help="corpora to fetch; without one, they are listed")
    parser.add_argument("--data", metavar="FOLDER", help="data folder (default: data/ of the lab, or LABKIT_DATA)")
    parser.add_argument("--keep-archive", action="store_true", help="leave the archive in FOLDER/.downloads")


def main(args):
    for name in args.names:
        print(f"{name} is ready in {download(name, args.data, keep_archive=args.keep_archive)}")
    if not args.names:
        print("python -m labkit download NAME, where NAME is one of:\n")
        for name, entry in DOWNLOADS.items():
            size = f"{entry.size / 1e6:,.0f} MB" if entry.url else "a cut" if entry.source else "by hand"
            here = "here" if present(name, args.data) else ""
            print(f"  {name:<23} {size:>8}  {entry.licence:<26} {here:<5} {entry.title}")
        print("\nStart with fsdd: it is the smallest.")
