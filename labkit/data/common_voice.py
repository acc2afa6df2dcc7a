"""Common Voice (Ardila et al., arXiv 1912.06670): sentences read by volunteers, any release and any language.

    cv-corpus-.../es/    or a folder that holds such folders
        clips/common_voice_es_18322599.mp3 ...
        validated.tsv  other.tsv  train.tsv  dev.tsv  test.tsv  clip_durations.tsv      (as many as there are)

`client_id` is the speaker. Old releases name the accent by a code in the column `accent`, newer ones by free text in
`accents`, often several in one cell; `accents` maps both to classes.
"""

import os
from pathlib import Path, PurePosixPath

import pandas as pd

from ..errors import LabError
from .dialects import classes, same
from .corpus import PARTS, SYNTHETIC_MARKER, Corpus, parts_by_speaker
from .headers import scan, usable
from .tsv import read_tsv

LISTS = ("validated", "other")  # the clips: voted good, and not voted on yet
PARTS_OF_IT = {"train": "train", "dev": "validation", "test": "test"}
NEEDED = ("client_id", "path")
USED = ("sentence", "up_votes", "down_votes", "age", "gender", "accent", "locale")
SAME = {"male_masculine": "male", "female_feminine": "female", "fourties": "forties"}  # as other releases write it
UNKNOWN = "unknown"
KINDS = (".mp3", ".flac", ".wav", ".ogg")
LOST = 0.3  # seconds that a clip may be shorter than clip_durations.tsv says


def load(root):
    """Read a folder in the layout of Common Voice.

    Parameters
    ----------
    root : Path
        The folder of a language (it holds `clips/` and tables), or one that holds a single such folder, or "es".

    Returns
    -------
    Corpus
        The label is the dialect area, or "unknown" where nobody says or the table of classes lacks the text. Columns
        besides those of every corpus: `list` (validated or other), `sentence`, `up_votes`, `down_votes`, `age`,
        `gender`, `accent` (as written), `area`, `fifteen` and `locale`; text is "" where nothing is given. For a target
        take Target("area"), Target("fifteen"), Target("gender") ... Without official parts, whole speakers are sorted
        into parts by a hash.

    Raises
    ------
    LabError
        If the folder is no release, a table is no table, or no clip is left.
    """
    place, name = _place(Path(os.path.abspath(root)))
    rows, notes = _rows(place)
    found = {path: _find(place, path) for path in rows.path.unique()}
    rows = rows.assign(path=rows.path.map(found))
    headers = scan(place, list(rows.path))
    headers = _promised(headers, place)
    table, problems = usable(headers, name)
    clips = rows.merge(table[["path", "seconds", "bytes"]], on="path")
    if clips.empty:
        raise LabError(
            f"No clip of {place} can be used. {' '.join((*notes, *problems))} Unpack the release again, clips and all."
        )
    clips, told = _with_classes(clips, place.name)
    clips, protocol = _parts(clips)
    labels = set(clips.label)
    synthetic = any((folder / SYNTHETIC_MARKER).exists() for folder in (place, place.parent))
    return Corpus(
        name=name,
        root=place,
        sample_rate=int(table.rate.mode()[0]),
        labels=(*sorted(labels - {UNKNOWN}), *(labels & {UNKNOWN})),
        licence="see LICENSE in its folder" if synthetic else "CC0 1.0; and never try to find out who a speaker is",
        synthetic=synthetic,
        clips=clips.reset_index(drop=True),
        skipped=(*notes, *problems, *told),
        protocol=protocol,
    )


def _place(root):
    """(folder of the language, name of the corpus)."""
    if _is_release(root):
        return root, root.name if len(root.name) > 3 else f"{root.parent.name}_{root.name}"
    inside = [folder for folder in sorted(root.glob("*")) if _is_release(folder)] if root.is_dir() else []
    chosen = inside[0] if len(inside) == 1 else next((folder for folder in inside if folder.name == "es"), None)
    if chosen is not None:
        return chosen, root.name
    if inside:
        raise LabError(
            f"{root} holds the languages {', '.join(folder.name for folder in inside)}. Give the folder of one of them."
        )
    raise LabError(
        f"{root} is no release of Common Voice: it has no clips/ and no validated.tsv. `python -m labkit download "
        "common_voice_es` says where to get one; point LABKIT_DATA to the folder of its language, such as es/."
    )


def _is_release(folder):
    return any((folder / f"{name}.tsv").is_file() for name in (*LISTS, *PARTS_OF_IT))


def _rows(place):
    """(rows of all tables, each clip once; notes)."""
    tables, notes = {}, []
    for name in (*LISTS, *PARTS_OF_IT):
        if (place / f"{name}.tsv").is_file():
            tables[name], told = _table(place / f"{name}.tsv")
            notes += told
    if (place / "invalidated.tsv").is_file():
        count = (place / "invalidated.tsv").read_bytes().count(b"\n") - 1
        notes.append(f"About {count:,} clips in invalidated.tsv are not used: listeners voted them down.")
    rows = pd.concat([table.assign(list=name) for name, table in tables.items()])
    parts = {name: set(tables[name].path) for name in PARTS_OF_IT if name in tables}
    rows["list"] = rows["list"].where(rows["list"].isin(LISTS), "validated")  # parts are made of validated clips
    # a clip of a part stands in validated.tsv, too; in two lists it would be a mistake
    both = rows[rows["list"].isin(LISTS)].groupby("path")["list"].nunique()
    if len(both := both[both > 1]):
        notes.append(f"{len(both)} clips are in validated.tsv and in other.tsv, counted as validated: {both.index[0]}.")
    told = [_disagreeing(rows)]
    rows = rows.drop_duplicates("path").reset_index(drop=True)
    rows["split"] = None
    for name, paths in parts.items():
        again = rows.path.isin(paths) & rows.split.notna()
        if again.any():
            told.append(f"{again.sum()} clips are in {name}.tsv and in a part before it, where they stay.")
        rows.loc[rows.path.isin(paths) & rows.split.isna(), "split"] = PARTS_OF_IT[name]
    nameless = rows.client_id == ""
    if nameless.any():
        told.append(f"{nameless.sum()} clips left out (no client_id), the first: {rows.path[nameless].iloc[0]}.")
    rows = rows[~nameless].rename(columns={"client_id": "speaker"})
    if rows.empty:
        raise LabError(f"The tables of {place} list no clip. {' '.join([*notes, *told])} Unpack the release again.")
    return rows, [*notes, *(note for note in told if note)]


def _disagreeing(rows):
    """A sentence on clips that two lines describe differently."""
    twice = rows[rows.path.duplicated(keep=False)].drop_duplicates(["path", "client_id", "accent"])
    odd = twice.path[twice.path.duplicated()].unique()
    return f"{len(odd)} clips have lines that disagree on speaker or accent, the first: {odd[0]}." if len(odd) else ""


def _table(path):
    """(rows, notes) of one table."""
    reading = read_tsv(path, NEEDED, _plausible, "sentence")
    rows, notes = reading.rows, list(reading.notes(path.name))
    if "accent" not in rows and "accents" in rows:
        rows = rows.rename(columns={"accents": "accent"})
    missing = [column for column in USED if column not in rows]
    if missing:
        notes.append(f"{path.name} has no column {', '.join(missing)}: left empty.")
    rows = rows.reindex(columns=[*NEEDED, *USED], fill_value="").apply(lambda column: column.str.strip())
    rows = rows.assign(path=rows.path.map(_file))
    twice = rows.path.duplicated()
    if twice.any():
        first = rows.index[twice][0]
        notes.append(f"{path.name}: {twice.sum()} lines repeat a clip and were left out, the first: line {first}.")
    rows = rows[~twice]
    for column in ("up_votes", "down_votes"):
        rows = rows.assign(**{column: pd.to_numeric(rows[column], errors="coerce").fillna(0).astype(int)})
    return rows.assign(age=rows.age.replace(SAME), gender=rows.gender.replace(SAME)), notes


def _plausible(row):
    """Whether the cells of a line stand in their columns: votes are numbers, a file's name has no spaces."""
    votes = all(row.get(column, "").strip().isdecimal() or not row.get(column, "").strip() for column in USED[1:3])
    return votes and row["path"].strip() != "" and not any(" " in row[column].strip() for column in NEEDED)


def _file(cell):
    """Name of a clip's file: nothing outside clips/ is ever opened, and old tables leave the ending out."""
    name = PurePosixPath(cell.replace("\\", "/")).name
    return name if not name or name.lower().endswith(KINDS) else f"{name}.mp3"


def _find(place, name):
    """Path of a clip below the folder, which somebody may have converted; as the table has it where there is none."""
    names = (name, *(f"{name[: name.rindex('.')]}{kind}" for kind in KINDS))
    return f"clips/{next((name for name in names if (place / 'clips' / name).is_file()), name)}"


def _promised(headers, place):
    """Compare with clip_durations.tsv, where there is one: a clip that is much shorter was cut off on its way."""
    if not (place / "clip_durations.tsv").is_file():
        return headers
    rows = read_tsv(place / "clip_durations.tsv", ("clip",), lambda row: True, "clip").rows
    column = next((name for name in rows if name.startswith("duration")), None)
    if column is None:
        return headers
    promised = pd.to_numeric(rows[column], errors="coerce") / 1000
    promised = headers.path.map(dict(zip("clips/" + rows["clip"], promised, strict=True)))
    short = headers.problem.isna() & (promised - headers.seconds > LOST)
    words = [
        f"truncated: {whole:.2f} s promised, {found:.2f} s here"
        for whole, found in zip(promised[short], headers.seconds[short], strict=True)
    ]
    headers.loc[short, "problem"] = words
    return headers


def _with_classes(clips, folder):
    """(clips with a column for each way of forming classes, and the label; notes)."""
    locale = clips.locale[clips.locale != ""].mode().get(0, folder)
    known = classes(locale)
    notes = []
    if clips.locale.nunique() > 1:
        counts = clips.locale.value_counts()
        notes.append(f"The tables mix languages: {', '.join(f'{name!r} {count:,}' for name, count in counts.items())}.")
    if (clips.accent == "").all():
        notes.append(
            f"None of {len(clips):,} clips says an accent: there is nothing to classify by accent. "
            'Other targets work, such as Target("gender").'
        )
    if known is None:
        if (clips.accent != "").any():
            notes.append(
                f"There is no table of accents for {locale!r}: each text of the column accent is a class of its own. "
                f"To merge them, write labkit/data/dialects_{locale}.csv."
            )
        clips = clips.assign(area=clips.accent.map(lambda cell: " ".join(cell.split())), fifteen="")
    else:
        cells = clips.accent.unique()
        for column in known.columns:
            answers = {cell: known.of(cell, column) for cell in cells}
            clips = clips.assign(**{column: clips.accent.map(lambda cell, told=answers: told[cell][0])})
            reasons = clips.accent.map(lambda cell, told=answers: told[cell][1])
            notes += _reasons(clips.accent, reasons, column, known)
    return clips.assign(label=clips.area.where(clips.area != "", UNKNOWN)), notes


def _reasons(accent, reasons, column, known):
    """Sentences on the clips that have no class."""
    counts = {why: int((reasons == why).sum()) for why in ("no accent", "several classes", "no class", "unknown")}
    if any(counts.values()) and counts["no accent"] < len(accent):
        told = ", ".join(f"{count:,} ({why})" for why, count in counts.items() if count)
        yield f"{sum(counts.values()):,} of {len(accent):,} clips have no {column}: {told}."
    texts = {}
    for cell, count in accent[reasons == "unknown"].value_counts().items():
        for text in known.unknown(cell):
            texts[same(text)] = texts.get(same(text), 0) + int(count)
    if texts and column == "area":
        listed = ", ".join(
            f"{text!r} ({count})" for text, count in sorted(texts.items(), key=lambda item: -item[1])[:10]
        )
        more = f" and {len(texts) - 10} more" if len(texts) > 10 else ""
        yield (
            f"{len(texts)} accents are not in the table of classes: {listed}{more}. "
            "Add them to labkit/data/dialects_es.csv."
        )


def _parts(clips):
    """(clips with a part each, protocol). A clip in no list goes where its speaker is."""
    if clips.split.isna().all() or set(clips.split.dropna()) != set(PARTS):
        few = clips.speaker.nunique() < len(PARTS)
        tries = (parts_by_speaker(clips.speaker, seed=seed) for seed in range(1 if few else 1000))
        parts = next((parts for parts in tries if few or parts.nunique() == len(PARTS)), None)
        return clips.assign(split=parts_by_speaker(clips.speaker) if parts is None else parts), "by_speaker"
    listed = clips[clips.split.notna()]
    home = dict(zip(listed.speaker, listed.split, strict=True))
    clips = clips.assign(split=clips.split.fillna(clips.speaker.map(home)).fillna("train"))
    shared = (clips.groupby("speaker").split.nunique() > 1).any()
    return clips, "by_clip_leaky" if shared else "official"
