"""`python -m labkit students`: a copy of the notebooks to work in, and later what is new without what was written lost.

A copy holds each notebook as it was delivered (in `.delivered`) and as the student changed it. An update compares both
with the lab's, cell by cell: Jupyter keeps the id of a cell that is changed, and the lab's ids are made of the text.
"""

import argparse
from difflib import SequenceMatcher
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell

from labkit import __version__ as version
from labkit.errors import LabError
from labkit.files import COPY, commit, home, write_json, write_text

from .blanks import answers, statements, with_answers
from .execute import find, write

DELIVERED = ".delivered"


def main(words=None):
    parser = argparse.ArgumentParser(prog="python -m labkit students", description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, metavar="WORK", help="folder of the copy: made, or brought up to date")
    parser.add_argument("--with-answers", action="store_true", help="each blank filled by its answer: a teacher's copy")
    parser.add_argument("--grade", action="store_true", help="say in each notebook which checks give points")
    args = parser.parse_args(words)
    work = args.work.absolute()
    if work == home() or home() / "notebooks" in (work, *work.parents):
        raise LabError(f"{args.work} is the lab itself. Name a folder of its own, such as ../speech-lab-work.")
    if work.is_dir() and any(work.iterdir()) and not (work / COPY).exists():
        raise LabError(f"{args.work} holds files, but no copy of the lab. Name an empty folder, or a new one.")
    conflicts = []
    for path in [*find(), *sorted((home() / "notebooks").glob("*/*.ipynb"))]:
        place = Path("notebooks", path.relative_to(home() / "notebooks"))
        conflicts += deliver(prepared(path, args.with_answers, args.grade), work, place)
    kept = [home() / "docs" / "GLOSSARY.md"]
    kept += sorted((home() / "notebooks" / "solutions").glob("*.py")) if args.with_answers else []
    for path in kept:
        if path.is_file():
            write_text(work / path.relative_to(home()), path.read_text(encoding="utf-8"))
    about = {"version": version, "commit": commit(), "answers": args.with_answers, "graded": args.grade}
    write_json(work / COPY, about)
    print(f"{work}: version {version}, {len(conflicts)} conflicts. Start: python -m jupyter lab {work / 'notebooks'}")
    for path in conflicts:
        print(f"  you and the lab both changed the same cell: yours stays, the lab's notebook is in {path}")
    return 0


def prepared(path, filled, graded):
    """A notebook of the lab for a copy: without outputs, its blanks filled if wanted, a line on points if wanted."""
    node, known, checks = nbformat.read(path, as_version=4), answers(path.stem)[1], []
    for cell in node.cells:
        if cell.cell_type == "code":
            checks += [one.check for one in statements(cell.source) if one.check]
            cell.source = with_answers(cell.source, known) if filled else cell.source
            cell.update(outputs=[], execution_count=None)
    held_back = "**Your copy.** The answers are with your teacher, not in a folder `solutions`. "
    held_back += "Until a blank is right, cells that need it may fail."
    notes = [] if filled else [held_back]
    if graded and checks:
        notes.append(f"**Points.** {len(checks)} checks of this notebook give one point each, when they say *Right*.")
    if notes:
        node.cells.insert(1, new_markdown_cell("\n\n".join(notes), id="about-this-copy"))
    return node


def deliver(new, work, place):
    """Write a notebook into a copy, or bring what is new into the student's; returns the files that hold conflicts."""
    mine, base = work / place, work / DELIVERED / place
    conflicts = []
    if mine.exists():
        try:
            merged, clashed = merge(nbformat.read(base, as_version=4), nbformat.read(mine, as_version=4), new)
        except Exception:  # one of them is no notebook any more: nbformat raises many kinds
            merged, clashed = None, True
        if clashed:
            beside = mine.with_name(f"{mine.stem}.from-the-lab.ipynb")
            write(new, beside)
            conflicts.append(beside.relative_to(work))
        if merged:
            write(merged, mine)
    else:
        write(new, mine)
    write(new, base)  # last: an update that is interrupted is simply done again
    return conflicts


def merge(base, mine, new):
    """The student's notebook with what is new in the lab's, and whether both changed one cell; no text is lost.

    The lab's cells stand in the lab's order. A cell that the student changed stays as the student's; one that the
    student added stands behind the cell that it stood behind.
    """
    delivered, written = ({cell.id: cell for cell in node.cells} for node in (base, mine))
    changed = {cell.id for cell in mine.cells if cell.source != delivered.get(cell.id, {}).get("source")}
    became, free = {}, list(new.cells)
    for id in sorted(delivered.keys() & written.keys(), key=lambda id: id not in changed):  # these choose first
        became[id] = successor(delivered[id], base.cells, free)
        free = [cell for cell in free if cell is not became[id]]
    clashed = any(id in changed and (now is None or now.source != delivered[id].source) for id, now in became.items())
    kept = {id: now for id, now in became.items() if now and (id in changed or now.source == written[id].source)}
    stays = {now.id: written[id] for id, now in kept.items()}
    for id, cell in stays.items():
        cell.id = id  # the lab's new one, so that the next update knows it again
    cells = [stays.get(cell.id, cell) for cell in new.cells]
    place = 0  # where a cell of the student's own goes
    for cell in mine.cells:
        ids = {cell.id, (became.get(cell.id) or cell).id}
        here = [number for number, one in enumerate(cells) if one.id in ids]
        if here:
            place = here[0] + 1
        elif cell.id in changed and cell.source.strip():  # added, or changed where the lab took it out
            cells.insert(place, cell)
            place += 1
    if not {written[id].source for id in changed} <= {cell.source for cell in cells} | {""}:
        return None, True  # this cannot be; if it is, the student's notebook stays as it is
    mine.cells = cells
    return mine, clashed


def successor(cell, before, after):
    """What a delivered cell has become: the one with its id, or else the new one that is most like it, or None."""
    known = {one.id for one in before} - {cell.id}
    alike = {one.id: SequenceMatcher(None, cell.source, one.source).ratio() for one in after if one.id not in known}
    best = cell.id if cell.id in alike else max(alike, key=alike.get, default=None)
    return next((one for one in after if one.id == best and (best == cell.id or alike[best] > 0.5)), None)
