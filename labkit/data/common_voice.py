"""Common Voice (Ardila et al., arXiv 1912.06670): sentences read by volunteers, any release and any language.

    cv-corpus-.../es/    or a folder that holds such folders
        clips/common_voice_es_18322599.mp3 ...
        validated.tsv  other.tsv  train.tsv  dev.tsv  test.tsv  clip_durations.tsv      (as many as there are)

`client_id` is the speaker. Old releases name the accent by a code in the column `accent`, newer ones by free text in
`accents`, often several in one cell; `dialects` maps both to classes.
"""

import csv
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import LabError
from .corpus import PARTS
from .dialects import classes, same
from .layout import KINDS, counted, make_corpus, measured, read_table, usable

LISTS = ("validated", "other")  # the clips: voted good, and not voted on yet
PARTS_OF_IT = {"train": "train", "dev": "validation", "test": "test"}
NEEDED = ["client_id", "path"]
VOTES = ["up_votes", "down_votes"]
USED = ["sentence", *VOTES, "age", "gender", "accent", "locale"]
SAME = {"male_masculine": "male", "female_feminine": "female", "fourties": "forties"}  # as other releases write it
QUOTED = re.compile(r'"([^"]|"")*"')  # as old releases write a cell that holds a quote
COPY = "Copy it from the release again, or save it as UTF-8; columns are separated by tabs."


def load(root):
    """The corpus in the folder of a language, or in one that holds a single such folder, or "es".

    The label is the dialect area, or "unknown". Extra columns: those in USED (`accent` as written), `list` (validated
    or other), `area` and `fifteen`; text is "" where nothing is given.
    """
    root = Path(os.path.abspath(root))
    found = [folder for folder in (root, *sorted(root.glob("*"))) if any(_tables(folder))]
    languages = [folder for folder in found if folder in (root, root / "es")][:1] or found
    if len(languages) != 1:
        names = ", ".join(folder.name for folder in found) or "none"
        wrong = f"{root} is no release of Common Voice in one language (found: {names})"
        get = "`python -m labkit download common_voice_es` says where to get one"
        raise LabError(f"{wrong}. {get}; point LABKIT_DATA to the folder with its clips/ and validated.tsv.")
    place, name = languages[0], root.name if len(root.name) > 3 else f"{root.parent.name}_{root.name}"
    rows, notes = _rows(place, name)
    durations, path = None, place / "clip_durations.tsv"
    if path.is_file():
        table, _ = read_table(path, ["clip"], COPY, csv.QUOTE_NONE)
        milliseconds = pd.to_numeric(table.iloc[:, -1], errors="coerce")
        durations = dict(zip("clips/" + table["clip"], milliseconds / 1000, strict=True))
    mend = f"{' '.join(notes)} Unpack the release again, clips and all."
    clips, problems = measured(place, rows, name, mend, durations)
    clips, told = _with_classes(clips, place.name)
    clips["label"] = clips.area.where(clips.area != "", "unknown")
    if set(clips.split.dropna()) == set(PARTS):  # the official ones; a clip in no list goes where its speaker is
        home = clips.dropna(subset="split").drop_duplicates("speaker", keep="last").set_index("speaker").split
        clips["split"] = clips.split.fillna(clips.speaker.map(home)).fillna("train")
    else:
        clips = clips.drop(columns="split")
    labels = sorted(set(clips.label), key=lambda label: (label == "unknown", label))
    notes = [*notes, *problems, *told]
    licence = "CC0 1.0; and never try to find out who a speaker is"
    return make_corpus(place, clips, notes, name=name, labels=labels, licence=licence, protocol="official")


def _tables(folder):
    return [path for name in (*LISTS, *PARTS_OF_IT) if (path := folder / f"{name}.tsv").is_file()]


def _rows(place, name):
    """(rows of all tables, each clip once; notes). Each line becomes a row or is counted in a note."""
    rows = pd.concat([_lines(table) for table in _tables(place)], ignore_index=True)
    missing = [column for column in USED if column not in rows]
    notes = [f"The tables have no column {', '.join(missing)}: left empty."] if missing else []
    rows = rows.reindex(columns=[*NEEDED, *USED, "list", "line", "mended"], fill_value="").fillna("")
    fits = (rows.path != "") & ~(rows.path + rows.client_id).str.contains(" ", regex=False)  # cells in their columns
    cells = rows[[*NEEDED, *USED]].itertuples(index=False)
    fits &= np.array(["\0" not in "".join(line) for line in cells], bool)
    for column in VOTES:
        fits &= rows[column].str.fullmatch(r"\d*")
        rows[column] = pd.to_numeric(rows[column], errors="coerce").fillna(0).astype(int)
    rows["path"] = rows.path.map(lambda path: _find(place, path)).where(fits, rows.line)
    rows["voted"] = rows["list"].isin(LISTS)  # the other tables give parts to the same clips
    problem = pd.Series(None, rows.index, dtype=object)
    for bad, why in (
        (rows.duplicated(["path", "voted"]), "they repeat a clip"),
        (rows.client_id == "", "no client_id"),
        (~fits, "their cells do not fit the columns"),
    ):
        problem[bad] = [f"{why}: {line}" for line in rows.line[bad]]
    mended = rows.line[rows.mended & problem.isna()]
    notes += counted(mended, "lines were mended (a tab in the sentence, or no empty cells at the end)")
    paths = rows[fits].drop_duplicates([*NEEDED, "accent"]).path
    notes += counted(paths[paths.duplicated()].unique(), "clips have lines that disagree on speaker or accent")
    rows, problems = usable(rows.assign(problem=problem), name, "lines")
    if (place / "invalidated.tsv").is_file():
        count = (place / "invalidated.tsv").read_bytes().count(b"\n") - 1
        notes.append(f"About {count:,} clips in invalidated.tsv are not used: listeners voted them down.")
    parts = rows[~rows.voted].set_index("path")["list"].map(PARTS_OF_IT)
    rows = rows.drop_duplicates("path").drop(columns=["line", "mended", "voted"])
    rows = rows.replace({"age": SAME, "gender": SAME, "list": dict.fromkeys(PARTS_OF_IT, "validated")})
    rows = rows.rename(columns={"client_id": "speaker"}).assign(split=rows.path.map(parts), problem=None)
    return rows, notes + problems


def _lines(path):
    """A row for each line of a table, of empty cells where they do not fit the columns and cannot be mended."""
    # Read without quotes: one that does not close would swallow all lines up to the next.
    rows, odd = read_table(path, NEEDED, COPY, csv.QUOTE_NONE)
    head = list(rows)
    for number, cells in odd.items():
        extra = len(cells) - len(head)
        if extra > 0 and "sentence" in head:  # somebody typed a tab
            start = head.index("sentence")
            cells[start : start + extra + 1] = [" ".join(cells[start : start + extra + 1])]
        elif extra < 0 and cells[-1].count('"') % 2 == 0:  # else a line end inside quotes
            cells += [""] * -extra  # an editor that cuts white space cuts empty cells at the end
        odd[number] = cells if len(cells) == len(head) else [""] * len(head)
    rows = pd.concat([rows, pd.DataFrame.from_dict(odd, orient="index", columns=head, dtype=str)]).sort_index()
    rows = rows.map(lambda cell: cell[1:-1].replace('""', '"').strip() if QUOTED.fullmatch(cell) else cell)
    rows = rows if "accent" in rows else rows.rename(columns={"accents": "accent"})
    lines = [f"line {number} of {path.name}" for number in rows.index]
    return rows.assign(list=path.stem, line=lines, mended=rows.index.isin(list(odd)))


def _find(place, name):
    """Path of a clip below the folder, which somebody may have converted; as the table has it where there is none."""
    name = name.replace("\\", "/").rpartition("/")[-1]  # nothing outside clips/ is ever opened
    stem, kind = os.path.splitext(name)
    stem, kind = (stem, kind) if kind.lower() in KINDS else (name, ".mp3")  # as old tables mean it
    names = [f"{stem}{ending}" for ending in (kind, *KINDS)]
    return f"clips/{next((name for name in names if os.path.isfile(f'{place}/clips/{name}')), names[0])}"


def _with_classes(clips, folder):
    """(clips with a column for each way of forming classes, notes)."""
    locale = clips.locale[clips.locale != ""].mode().get(0, folder)
    table, known, notes = f"labkit/data/dialects_{locale}.csv", classes(locale), []
    if clips.locale.nunique() > 1:
        mixed = ", ".join(f"{name!r} {count:,}" for name, count in clips.locale.value_counts().items())
        notes.append(f"The tables mix languages: {mixed}.")
    if silent := (clips.accent == "").all():
        nothing = f"None of {len(clips):,} clips says an accent: there is nothing to classify by accent."
        notes.append(f'{nothing} Other targets work, such as Target("gender").')
    elif known is None:
        unmerged = f"There is no table of accents for {locale!r}: each text of the column accent is a class of its own."
        notes.append(f"{unmerged} To merge them, write {table}.")
    if silent or known is None:
        return clips.assign(area=clips.accent.str.split().str.join(" "), fifteen=""), notes
    for column in known.columns:
        answers = clips.accent.map({cell: known.of(cell, column) for cell in clips.accent.unique()})
        clips[column] = answers.str[0]
        reasons = answers.str[1][clips[column] == ""].value_counts().sort_index()
        if len(reasons):
            told = ", ".join(f"{count:,} ({why})" for why, count in reasons.items())
            notes.append(f"{reasons.sum():,} of {len(clips):,} clips have no {column}: {told}.")
    unknown = clips.accent[clips.area == ""].map(known.unknown).explode().dropna().map(same).value_counts()
    if len(unknown):
        listed = ", ".join(f"{text!r} ({count})" for text, count in unknown[:10].items())
        more = " ..." if len(unknown) > 10 else ""
        notes.append(f"{len(unknown)} accents are not in the table of classes: {listed}{more}. Add them to {table}.")
    return clips, notes
