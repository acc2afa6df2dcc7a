"""Self-checks for the exercises of 07_accent_classification."""

import math
import re
from numbers import Real

import pandas as pd

from ..synthetic.pronunciation import rules
from .exploration import tell


def check_cap(cap):
    """Does `cap(clips, most)` keep at most so many clips of each speaker, and all clips of the others?

    Parameters
    ----------
    cap : callable
        Takes the table of a corpus and a number; returns some of its rows.

    Returns
    -------
    bool
    """
    return tell(_cap_problems(cap), "A few talkative people no longer decide what the network hears.")


def _cap_problems(cap):
    given = {"ana": 7, "luz": 3, "eva": 1, "tom": 4}
    names = [name for turn in range(7) for name, count in given.items() if turn < count]
    clips = pd.DataFrame({"speaker": names, "path": [f"{name}_{i}.wav" for i, name in enumerate(names)]})
    for most in (3, 1):
        try:
            kept = cap(clips.copy(), most)
        except Exception as error:  # whatever the student's code does wrong, say it instead of stopping
            return [f"cap(clips, {most}) fails: {type(error).__name__}: {error}"]
        if not isinstance(kept, pd.DataFrame) or not {"speaker", "path"} <= set(kept):
            return [f"cap(clips, {most}) should return rows of the table, not a {type(kept).__name__}."]
        if not set(kept.path) <= set(clips.path) or kept.path.duplicated().any():
            return ["some of the rows you return were not in the table, or are there twice."]
        counts = kept.speaker.value_counts().to_dict()
        for name, count in given.items():
            if counts.get(name, 0) > most:
                return [f"{name} still has {counts[name]} clips with most={most}."]
            if counts.get(name, 0) < min(count, most):
                return [f"{name} gave {count} clips and keeps {counts.get(name, 0)} with most={most}: too few."]
    return []


def check_floor(floor):
    """Does `floor(classes)` give the least loss that softmax before the loss can reach?

    Parameters
    ----------
    floor : callable

    Returns
    -------
    bool
    """
    return tell(
        _floor_problems(floor), "For 15 classes that is 1.817: the published curves stop there, and look stuck."
    )


def _floor_problems(floor):
    for classes in (2, 5, 15):
        try:
            answer = floor(classes)
        except Exception as error:
            return [f"floor({classes}) fails: {type(error).__name__}: {error}"]
        if not isinstance(answer, Real):
            return [f"floor({classes}) gives {answer!r}; return a number."]
        true = math.log(math.e + classes - 1) - 1
        if abs(answer - true) < 1e-3:
            continue
        if abs(answer - math.log(classes)) < 1e-3:
            return ["that is the loss of a network that knows nothing. Here it is sure, and right."]
        if abs(answer) < 1e-6:
            return ["it would be 0 if one class got everything *after* the second softmax. What does it get?"]
        if abs(answer + 1 - true) < 1e-3 or abs(answer - 1 - true) < 1e-3:
            return ["nearly: minus the logarithm of e / (e + classes - 1). Mind the 1 from log(e)."]
        return [f"floor({classes}) should be {true:.3f}, you give {answer:.3f}."]
    return []


def check_accent(pronounced, sounds):
    """Did the student write what an accent makes of some sounds? Any of the accents with rules will do.

    Parameters
    ----------
    pronounced : dict
        From accent to sounds.
    sounds : str
        What espeak-ng says without an accent.

    Returns
    -------
    bool
    """
    return tell(_accent_problems(pronounced, sounds), "One letter of a transcription, and a country changes.")


def _accent_problems(pronounced, sounds):
    from ..synthetic.pronunciation import ACCENTS, pronounce

    if not pronounced:
        return ["write the sounds of at least one accent."]
    problems = []
    for accent, said in pronounced.items():
        if accent not in ACCENTS:
            problems.append(f"there are no rules for {accent!r}; there are for {', '.join(ACCENTS)}.")
        elif not isinstance(said, str) or _plain(said) != _plain(pronounce(sounds, accent)):
            mine = [rule.what for rule in rules() if rule.accent == accent and re.search(rule.pattern, sounds)]
            problems.append(f"{accent} says it otherwise. Rules that matter here: {'; '.join(mine) or 'none'}.")
    return problems


def _plain(sounds):
    return " ".join(sounds.split())
