"""`python -m tools.rooms`: count labkit's lines by room and write the table in docs/CONTRIBUTING.md."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "CONTRIBUTING.md"
COUNTED = {".py", ".js", ".css", ".csv", ".txt"}


def rooms():
    """From a room to its (files, lines); the root of the package is called "labkit"."""
    found = {}
    for path in sorted((ROOT / "labkit").rglob("*")):
        if path.suffix in COUNTED:
            room = path.relative_to(ROOT / "labkit").parts[0] if path.parent.name != "labkit" else "labkit"
            files, lines = found.get(room, (0, 0))
            found[room] = files + 1, lines + path.read_bytes().count(b"\n")
    return found


def table(found):
    """The counts in Markdown."""
    rows = [f"| {room} | {files} | {lines:,} |" for room, (files, lines) in found.items()]
    files, lines = (sum(column) for column in zip(*found.values(), strict=True))
    return "\n".join(["| room | files | lines |", "|---|---:|---:|", *rows, f"| **all** | {files} | {lines:,} |"])


def main():
    text = GUIDE.read_text(encoding="utf-8")
    between = re.compile(r"(<!-- rooms -->\n).*?(<!-- end of rooms -->)", re.DOTALL)
    GUIDE.write_text(between.sub(lambda mark: f"{mark[1]}\n{table(rooms())}\n\n{mark[2]}", text), encoding="utf-8")
    print(table(rooms()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
