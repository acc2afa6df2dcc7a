"""What run.json and test.json hold. Records may come from strangers, so this is checked before they are used."""

from typing import Annotated, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from ..errors import LabError

Whole = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Source(TypedDict):
    name: str
    fingerprint: str
    synthetic: bool
    licence: str


class Of(TypedDict):
    run: str
    table: str | None


SHARES = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "chance"), Share)
MEASURED = {"clips": Whole, "classes_present": Whole, **SHARES, "majority": NotRequired[Share | None]}
Metrics = TypedDict("Metrics", MEASURED)
COUNTS = dict.fromkeys(("clips", "speakers"), dict[str, Whole])
TEXTS = dict.fromkeys(("protocol", "majority", "device", "date"), str)
RECORD = {
    **{"id": str, "experiment": dict, "corpus": Source, "parameters": Whole, "best_epoch": Whole, **COUNTS, **TEXTS},
    **{"labels": Annotated[list[str], Field(min_length=1)], "training_speakers": list[str], "skipped": list[str]},
    **{"history": Annotated[list[dict[str, Number]], Field(min_length=1)], "seconds_per_epoch": Number},
    **{"validation": Metrics, "tables": NotRequired[dict[str, str | None]], "in_words": NotRequired[str]},
}
TEST = {**MEASURED, "corpus": NotRequired[Source], "of": NotRequired[Of]}
SCHEMAS = {name: TypeAdapter(TypedDict(name, fields)) for name, fields in (("a run record", RECORD), ("a test record", TEST))}


def check(value, kind, path, mend):
    """LabError unless a JSON value is what a file of this kind, a key of `SCHEMAS`, holds."""
    try:
        SCHEMAS[kind].validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = f"{'.'.join(map(str, first['loc']))} {first['msg'].removeprefix('Input ')}".strip()
        raise LabError(f"{path} is not {kind} ({what}). {mend}") from error
