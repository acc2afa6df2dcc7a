"""What run.json and test.json hold, checked since records may come from strangers; and how a record was made."""

import platform
import sys
import time
from pathlib import Path
from typing import Annotated, NotRequired

import torch
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from ..data.corpus import PARTS
from ..device import device_name
from ..errors import LabError
from ..files import commit

Whole = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[list[str], Field(min_length=1)]
SOURCE = {"name": str, "fingerprint": str, "licence": str, "synthetic": bool}
METRICS = {"clips": Whole, "classes_present": Whole, "majority": NotRequired[Share]}
METRICS |= dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "chance"), Share)
TEST = METRICS | {"corpus": NotRequired[TypedDict("Source", SOURCE)]}
TEST |= {"of": NotRequired[TypedDict("Of", {"run": str, "table": str})]}
RECORD = dict.fromkeys(("id", "protocol", "majority", "device", "date"), str)
RECORD |= {"experiment": dict, "labels": Names, "training_speakers": Names, "skipped": list[str]}
RECORD |= {"clips": dict[str, Whole], "speakers": dict[str, Whole], "parameters": Whole, "best_epoch": Whole}
RECORD |= {"history": Annotated[list[dict[str, Number]], Field(min_length=1)], "seconds_per_epoch": Number}
RECORD |= {"corpus": TypedDict("Source", SOURCE), "validation": TypedDict("Metrics", METRICS)}
RECORD |= {"tables": NotRequired[dict[str, str]], "in_words": NotRequired[str]}  # older records have neither
RECORD |= {"search": NotRequired[TypedDict("Search", {"trials": Whole, "stopped_early": Whole})]}  # that it won
SCHEMAS = {
    "a run record": TypeAdapter(TypedDict("Record", RECORD)),
    "a test record": TypeAdapter(TypedDict("Test", TEST)),
}


def check(value, kind, path, mend):
    """LabError unless a JSON value is what a file of this kind, a key of `SCHEMAS`, holds."""
    try:
        SCHEMAS[kind].validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = f"{'.'.join(map(str, first['loc']))} {first['msg'].removeprefix('Input ')}".strip()
        raise LabError(f"{path} is not {kind} ({what}). {mend}") from error


def origin(device):
    """How a record was made. Where folders lie concerns nobody else, so the command has only their names."""
    program, *words = sys.argv or [""]
    words = [Path(word).name if Path(word).is_absolute() else word for word in words]
    return {
        "device": device_name(device),
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(["python -m labkit", *words]) if Path(program).name == "__main__.py" else "labkit.train",
        "commit": commit(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def about(corpus):
    """What a record says of a corpus."""
    return {key: getattr(corpus, key) for key in ("name", "fingerprint", "synthetic", "licence")}


def parts(corpus):
    """What a record says of a corpus that was split: how many of what are in each part, and who trains."""
    train = corpus.part("train")
    return {
        "corpus": about(corpus),
        "protocol": corpus.protocol,
        "clips": {part: len(corpus.part(part)) for part in PARTS},
        "speakers": {part: corpus.part(part).speaker.nunique() for part in PARTS},
        "labels": list(corpus.labels),
        "majority": train.label.mode()[0],
        "training_speakers": sorted(train.speaker.unique()),
    }
