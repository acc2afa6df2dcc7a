"""What run.json and test.json hold. Records may come from strangers, so this is checked before they are used."""

from typing import Annotated, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from ..errors import LabError

Whole = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
SHARES = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "chance"), Annotated[float, Field(ge=0, le=1)])
MEASURED = {"clips": Whole, "classes_present": Whole, **SHARES, "majority": NotRequired[Number | None]}
Metrics = TypedDict("Metrics", {**MEASURED})
Source = TypedDict("Source", {**dict.fromkeys(("name", "fingerprint", "licence"), str), "synthetic": bool})
Of = TypedDict("Of", {**dict.fromkeys(("run", "table"), str)})
RECORD = {
    **dict.fromkeys(("id", "protocol", "majority", "device", "date"), str),
    **dict.fromkeys(("parameters", "best_epoch"), Whole),
    **dict.fromkeys(("clips", "speakers"), dict[str, Whole]),
    **dict.fromkeys(("labels", "training_speakers"), Annotated[list[str], Field(min_length=1)]),
    **{"experiment": dict, "corpus": Source, "validation": Metrics, "skipped": list[str], "seconds_per_epoch": Number},
    **{"history": Annotated[list[dict[str, Number]], Field(min_length=1)]},
    **{"tables": NotRequired[dict[str, str]], "in_words": NotRequired[str]},
}
TEST = {**MEASURED, "corpus": NotRequired[Source], "of": NotRequired[Of]}
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
