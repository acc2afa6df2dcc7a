"""More voices to train on: `join(main, [more])` puts clips of other corpora beside a corpus' own.

They are in the training part, whatever the split: only voices of the main corpus validate and test. An experiment names
the corpora that it wants, `Choice("fsdd", extra=("speech_commands_v0.02",))`. One that names none sees the main corpus
as if nothing had been joined, and has the same run id.
"""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ..errors import LabError

COLUMN = "extra"  # "" for a clip of the main corpus, else the name of the corpus that it came from
DIGITS = {name: str(i) for i, name in enumerate("zero one two three four five six seven eight nine".split())}


def join(main, others, labels=DIGITS):
    """The main corpus with the column `extra`, and with the clips of other corpora in the same folder to train on.

    `labels` says what a label of the others is called in the main corpus; labels that it lacks are left out, and
    counted. A speaker is called CORPUS/SPEAKER, so that namesakes stay two people. The result counts as synthetic if
    the main corpus is: results are measured on that one alone.
    """
    own, tables, notes = main.clips.assign(**{COLUMN: ""}), [], []
    for other in others:
        label = other.clips.label.map(lambda name: labels.get(name, name))
        known = label.isin(main.labels)
        place = Path(os.path.abspath(other.root))
        if not known.any():
            mend = "Join a corpus that has, or say in `labels` what its words are called here."
            raise LabError(f"{other.name} has no clip of {', '.join(main.labels)}. {mend}")
        if place.parent != Path(os.path.abspath(main.root)).parent:  # a run id may not depend on where corpora lie
            mend = "Put both corpora into one data folder, or a link there."
            raise LabError(f"{place} does not lie beside {main.root}. {mend}")
        clips = other.clips.assign(
            path=f"../{place.name}/" + other.clips.path,
            label=label,
            speaker=other.name + "/" + other.clips.speaker,
            split="train",
            **{COLUMN: other.name},
        )[known]
        for column in own.columns.difference(clips.columns):
            own[column] = own[column].astype(object)  # else the gaps would make 3 into 3.0
        tables.append(clips[[column for column in own if column in clips]])
        made = " (synthetic speech)" if other.synthetic else ""
        voices = f"{clips.speaker.nunique():,} voices of {other.name}"
        notes.append(f"{len(clips):,} clips of {voices} are trained on, too{made}.")
        if out := int((~known).sum()):
            notes.append(f"{out:,} clips of {other.name} have labels that {main.name} lacks, and are left out.")
    extra = pd.concat(tables)
    return replace(
        main,
        name="+".join([main.name, *(other.name for other in others)]),
        licence="; ".join(dict.fromkeys([main.licence, *(other.licence for other in others)])),
        clips=pd.concat([own, extra]).reset_index(drop=True),
        skipped=(*main.skipped, *notes),
        whole=pd.concat([main.whole, extra[["path", "bytes"]]]).reset_index(drop=True),
    )


def chosen(corpus, extra):
    """Of a joined corpus, its own clips and those of the others that `extra` names; with no names the main corpus."""
    here = corpus.clips[COLUMN] if COLUMN in corpus.clips else pd.Series("", corpus.clips.index)
    if missing := [name for name in extra if name not in set(here)]:
        mend = "Join it with labkit.data.join(corpus, [other]), or say `python -m labkit sweep ... --extra FOLDER`."
        raise LabError(
            f"The experiment wants more voices, of {', '.join(missing)}, and {corpus.name} came without. {mend}"
        )
    clips = corpus.clips[here.isin(["", *extra])]
    if len(clips) == len(corpus.clips):
        return corpus
    main, *others = corpus.name.split("+")
    left_out = [name for name in others if name not in extra]
    return corpus.with_clips(
        clips if extra else clips.drop(columns=COLUMN),
        name="+".join([main, *(name for name in others if name in extra)]),
        skipped=tuple(note for note in corpus.skipped if not any(f" of {name} " in note for name in left_out)),
    )
