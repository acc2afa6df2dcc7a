"""Self-checks for the exercises of 07_accent_classification."""

import math

import pandas as pd

from ..synthetic.pronunciation import ACCENTS, pronounce, rules
from . import Wrong, attempt, check, number


@check("A few talkative people no longer decide what the network hears.")
def check_cap(cap):
    """Does `cap(clips, most)` keep at most so many clips of each speaker, and all clips of the others?

    `clips` is the table of a corpus; what comes back is some of its rows.
    """
    given = {"ana": 7, "luz": 3, "eva": 1, "tom": 4}
    names = [name for turn in range(7) for name, count in given.items() if turn < count]
    clips = pd.DataFrame({"speaker": names, "path": [f"{name}_{i}.wav" for i, name in enumerate(names)]})
    for most in (3, 1):
        with attempt(f"cap(clips, {most})"):
            kept = cap(clips.copy(), most)
        if not isinstance(kept, pd.DataFrame) or not {"speaker", "path"} <= set(kept):
            raise Wrong(f"cap(clips, {most}) should return rows of the table, not a {type(kept).__name__}.")
        if not set(kept.path) <= set(clips.path) or kept.path.duplicated().any():
            raise Wrong("some of the rows you return were not in the table, or are there twice.")
        for name, count in given.items():
            left = (kept.speaker == name).sum()
            if left > most:
                raise Wrong(f"{name} still has {left} clips with most={most}.")
            if left < min(count, most):
                raise Wrong(f"{name} gave {count} clips and keeps {left} with most={most}: too few.")


@check("For 15 classes that is 1.817: the published curves stop there, and look stuck.")
def check_floor(floor):
    """Does `floor(classes)` give the least loss that softmax before the loss can reach?"""
    for classes in (2, 5, 15):
        answer = number(f"floor({classes})", floor, classes)
        right = math.log(math.e + classes - 1) - 1
        if abs(answer - right) < 1e-3:
            continue
        if abs(answer - math.log(classes)) < 1e-3:
            raise Wrong("that is the loss of a network that knows nothing. Here it is sure, and right.")
        if abs(answer) < 1e-6:
            raise Wrong("it would be 0 if one class got everything *after* the second softmax. What does it get?")
        if abs(abs(answer - right) - 1) < 1e-3:
            raise Wrong("nearly: minus the logarithm of e / (e + classes - 1). Mind the 1 from log(e).")
        raise Wrong(f"floor({classes}) should be {right:.3f}, you give {answer:.3f}.")


@check("One letter of a transcription, and a country changes.")
def check_accent(pronounced, sounds):
    """Did the student write what an accent makes of some sounds? Any of the accents with rules will do.

    `pronounced` is a dict from accent to sounds; `sounds` is what espeak-ng says without an accent.
    """
    if not pronounced:
        yield "write the sounds of at least one accent."
    for accent, said in pronounced.items():
        if accent not in ACCENTS:
            yield f"there are no rules for {accent!r}; there are for {', '.join(ACCENTS)}."
        elif str(said).split() != pronounce(sounds, accent).split():
            matter = [rule.what for rule in rules() if rule.accent == accent and rule.pattern.search(sounds)]
            yield f"{accent} says it otherwise. Rules that matter here: {'; '.join(matter) or 'none'}."
