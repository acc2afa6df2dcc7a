"""Common Voice (Ardila et al., arXiv 1912.06670): sentences read by volunteers, any release and any language.

    cv-corpus-.../es/    or a folder that holds such folders
        clips/common_voice_es_18322599.mp3 ...
        validated.tsv  other.tsv  train.tsv  dev.tsv  test.tsv  clip_durations.tsv      (as many as there are)

`client_id` is the speaker. Old releases name the accent by a code in the column `accent`, newer ones by free text in
`accents`, often several in one cell; `dialects` maps both to classes. No line of a table is lost in silence: it becomes
a clip, or is counted in `skipped`.
"""

import csv
import os
import re
from pathlib import Path

import pandas as pd

from ..errors import LabError
from .corpus import PARTS, parts_filled
from .dialects import classes, same
from .headers import counted, scan, usable
from .layout import make_corpus, read_cells

LISTS = ("validated", "other")  # the clips: voted good, and not voted on yet
PARTS_OF_IT = {"train": "train", "dev": "validation", "test": "test"}
NEEDED = ["client_id", "path"]
VOTES = ["up_votes", "down_votes"]
USED = ["sentence", *VOTES, "age", "gender", "accent", "locale"]
SAME = {"male_masculine": "male", "female_feminine": "female", "fourties": "forties"}  # as other releases write it
UNKNOWN = "unknown"
KINDS = (".mp3", ".flac", ".wav", ".ogg")
QUOTED = re.compile(r'"([^"]|"")*"')  # as old releases write a cell that holds a quote
LOST = 0.3  # seconds that a clip may be shorter than clip_durations.tsv says
COPY = "Copy it from the release again, or save it as UTF-8; columns are separated by tabs."


def load(root):
    """The corpus in the folder of a language, or in one that holds a single such folder, or "es".

    The label is the dialect area, or "unknown" where nobody says or the table of classes lacks the text. Extra columns:
    `list` (validated or other), `accent` (as written), `area`, `fifteen` and those in USED; text is "" where nothing is
    given. Without official parts, whole speakers are sorted into parts by a hash.
    """
    place, name = _place(Path(os.path.abspath(root)))
    rows, notes = _rows(place)
    rows["path"] = [_find(place, path) for path in rows.path]
    table, problems = usable(_as_long_as_promised(scan(place, list(rows.path)), place), name)
    clips = rows.merge(table, on="path")
    notes += problems
    if clips.empty:
        raise LabError(f"No clip of {place} can be used. {' '.join(notes)} Unpack the release again, clips and all.")
    clips, told = _with_classes(clips, place.name)
    clips["label"] = clips.area.where(clips.area != "", UNKNOWN)
    clips, protocol = _parts(clips)
    labels = sorted(set(clips.label), key=lambda label: (label == UNKNOWN, label))
    licence = "CC0 1.0; and never try to find out who a speaker is"
    return make_corpus(place, clips, notes + told, name=name, labels=labels, licence=licence, protocol=protocol)


def _place(root):
    """(folder of the language, name of the corpus)."""
    if _is_release(root):
        return root, root.name if len(root.name) > 3 else f"{root.parent.name}_{root.name}"
    inside = {folder.name: folder for folder in sorted(root.glob("*")) if _is_release(folder)}
    if "es" in inside or len(inside) == 1:
        return inside.get("es") or inside.popitem()[1], root.name
    several = f"{root} holds the languages {', '.join(inside)}. Give the folder of one of them."
    none = (
        f"{root} is no release of Common Voice: it has no clips/ and no validated.tsv. `python -m labkit download "
        "common_voice_es` says where to get one; point LABKIT_DATA to the folder of its language, such as es/."
    )
    raise LabError(several if inside else none)


def _is_release(folder):
    return any((folder / f"{name}.tsv").is_file() for name in (*LISTS, *PARTS_OF_IT))


def _rows(place):
    """(rows of all tables, each clip once; notes)."""
    tables, notes = [], []
    for name in (*LISTS, *PARTS_OF_IT):
        if (place / f"{name}.tsv").is_file():
            table, told = _table(place / f"{name}.tsv")
            tables.append(table.assign(list=name))
            notes += told
    if (place / "invalidated.tsv").is_file():
        count = (place / "invalidated.tsv").read_bytes().count(b"\n") - 1
        notes.append(f"About {count:,} clips in invalidated.tsv are not used: listeners voted them down.")
    rows = pd.concat(tables)
    voted = rows["list"].isin(LISTS)
    first = rows.drop_duplicates("path")
    for lines, what in (
        (rows[voted], f"clips are in two of {', '.join(LISTS)} (the first one counts)"),
        (rows[~voted], f"clips are in two of {', '.join(PARTS_OF_IT)} (the first one counts)"),
        (rows.drop_duplicates([*NEEDED, "accent"]), "clips have lines that disagree on speaker or accent"),
    ):
        notes += counted(lines.path[lines.path.duplicated()].unique(), what)
    notes += counted(first.path[first.client_id == ""], "clips left out (no client_id)")
    official = rows[~voted].drop_duplicates("path").set_index("path")["list"].map(PARTS_OF_IT)
    rows = first[first.client_id != ""].rename(columns={"client_id": "speaker"})
    if rows.empty:
        raise LabError(f"The tables of {place} list no clip. {' '.join(notes)} Unpack the release again.")
    kept = rows["list"].where(rows["list"].isin(LISTS), "validated")  # parts are made of validated clips
    return rows.assign(split=rows.path.map(official), list=kept), notes


def _table(path):
    """(rows, notes) of one table. Each line becomes a row or is counted in a note."""
    # Read without quotes: one that does not close would swallow all lines up to the next.
    head, lines = read_cells(path, NEEDED, COPY, csv.QUOTE_NONE)
    rows, mended, lost = {}, [], []
    for number, cells in lines.items():
        extra = len(cells) - len(head)
        goes_on = extra < 0 and cells[-1].count('"') % 2  # a line end inside quotes
        if extra > 0 and "sentence" in head:  # somebody typed a tab
            start = head.index("sentence")
            cells[start : start + extra + 1] = [" ".join(cells[start : start + extra + 1])]
        cells += [""] * -extra  # an editor that cuts white space cuts empty cells at the end
        cells = [cell[1:-1].replace('""', '"').strip() if QUOTED.fullmatch(cell) else cell for cell in cells]
        if goes_on or len(cells) != len(head) or not _plausible(dict(zip(head, cells, strict=True))):
            lost.append(number)
        else:
            rows[number] = cells
            mended += [number] if extra else []
    rows = pd.DataFrame(list(rows.values()), columns=head, index=list(rows), dtype=str)
    rows = rows if "accent" in rows else rows.rename(columns={"accents": "accent"})
    missing = [column for column in USED if column not in rows]
    rows = rows.reindex(columns=[*NEEDED, *USED], fill_value="")
    names = rows.path.str.replace("\\", "/").str.split("/").str[-1]  # nothing outside clips/ is ever opened
    rows["path"] = names.where(names.str.lower().str.endswith(KINDS), names + ".mp3")  # as old tables mean it
    notes = [f"{path.name} has no column {', '.join(missing)}: left empty."] if missing else []
    again = rows.index[rows.path.duplicated()]
    for numbers, what in (
        (mended, "lines were mended (a tab in the sentence, or no empty cells at the end)"),
        (lost, "lines were left out (their cells do not fit the columns)"),
        (again, "lines were left out (they repeat a clip)"),
    ):
        notes += counted([f"line {number}" for number in numbers], what, f"{path.name}: ")
    for column in VOTES:
        rows[column] = pd.to_numeric(rows[column], errors="coerce").fillna(0).astype(int)
    return rows.drop_duplicates("path").replace({"age": SAME, "gender": SAME}), notes


def _plausible(row):
    """Whether the cells of a line stand in their columns: votes are numbers, a file's name has no spaces."""
    votes = all(row.get(column, "").isdecimal() or not row.get(column) for column in VOTES)
    return votes and row["path"] != "" and " " not in row["path"] + row["client_id"]


def _find(place, name):
    """Path of a clip below the folder, which somebody may have converted; as the table has it where there is none."""
    names = (name, *(f"{name.rpartition('.')[0]}{kind}" for kind in KINDS))
    return f"clips/{next((name for name in names if (place / 'clips' / name).is_file()), name)}"


def _as_long_as_promised(headers, place):
    """Name the clips that are much shorter than clip_durations.tsv says: they were cut off on their way."""
    if (place / "clip_durations.tsv").is_file():
        _, lines = read_cells(place / "clip_durations.tsv", ["clip"], COPY, csv.QUOTE_NONE)
        milliseconds = {f"clips/{cells[0]}": cells[1] for cells in lines.values() if len(cells) > 1}
        promised = pd.to_numeric(headers.path.map(milliseconds), errors="coerce") / 1000
        for row in headers.index[headers.problem.isna() & (promised - headers.seconds > LOST)]:
            whole, found = promised[row], headers.seconds[row]
            headers.loc[row, "problem"] = f"truncated: {whole:.2f} s promised, {found:.2f} s here"
    return headers


def _with_classes(clips, folder):
    """(clips with a column for each way of forming classes, notes)."""
    locale = clips.locale[clips.locale != ""].mode().get(0, folder)
    table = f"labkit/data/dialects_{locale}.csv"
    known, silent = classes(locale), (clips.accent == "").all()
    languages = clips.locale.value_counts()
    mixed = ", ".join(f"{name!r} {count:,}" for name, count in languages.items())
    nothing = f"None of {len(clips):,} clips says an accent: there is nothing to classify by accent."
    unmerged = f"There is no table of accents for {locale!r}: each text of the column accent is a class of its own."
    told = (
        (len(languages) > 1, f"The tables mix languages: {mixed}."),
        (silent, f'{nothing} Other targets work, such as Target("gender").'),
        (known is None and not silent, f"{unmerged} To merge them, write {table}."),
    )
    notes = [sentence for so, sentence in told if so]
    if known is None:
        return clips.assign(area=clips.accent.str.split().str.join(" "), fifteen=""), notes
    for column in known.columns:
        answers = clips.accent.map({cell: known.of(cell, column) for cell in clips.accent.unique()})
        clips[column] = answers.str[0]
        counts = answers.str[1].value_counts().reindex(["no accent", "several classes", "no class", "unknown"]).dropna()
        if len(counts) and not silent:
            told = ", ".join(f"{count:,.0f} ({why})" for why, count in counts.items())
            notes.append(f"{counts.sum():,.0f} of {len(clips):,} clips have no {column}: {told}.")
    unknown = clips.accent[clips.area == ""].map(known.unknown).explode().dropna().map(same).value_counts()
    if len(unknown):
        listed = ", ".join(f"{text!r} ({count})" for text, count in unknown[:10].items())
        more = " ..." if len(unknown) > 10 else ""
        notes.append(f"{len(unknown)} accents are not in the table of classes: {listed}{more}. Add them to {table}.")
    return clips, notes


def _parts(clips):
    """(clips with a part each, protocol). A clip in no list goes where its speaker is."""
    if set(clips.split.dropna()) != set(PARTS):
        return clips.assign(split=parts_filled(clips.speaker)), "by_speaker"
    listed = clips[clips.split.notna()]
    home = dict(zip(listed.speaker, listed.split, strict=True))
    clips = clips.assign(split=clips.split.fillna(clips.speaker.map(home)).fillna("train"))
    shared = (clips.groupby("speaker").split.nunique() > 1).any()
    return clips, "by_clip_leaky" if shared else "official"
