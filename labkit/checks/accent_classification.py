"""Self-checks for the exercises of 07_accent_classification."""

import math
import re

import pandas as pd

from ..synthetic.spanish import ACCENTS, WHERE, pronounce, rules
from . import attempt, check, compare, need

SPEAKERS = "ana luz eva tom ana luz tom ana luz tom ana tom ana ana ana".split()  # of some clips


@check("A few talkative people no longer decide what the network hears.")
def check_cap(cap):
    """Does `cap(clips, most)`, which returns rows of a corpus' table, keep at most so many clips of each speaker?"""
    clips = pd.DataFrame({"speaker": SPEAKERS, "path": [f"{name}_{i}.wav" for i, name in enumerate(SPEAKERS)]})
    for most in (3, 1):
        with attempt(f"cap(clips, {most})"):
            kept = cap(clips.copy(), most)
        table = isinstance(kept, pd.DataFrame) and {"speaker", "path"} <= set(kept)
        need(table, f"cap(clips, {most}) should return rows of the table, not a {type(kept).__name__}.")
        old = set(kept.path) <= set(clips.path) and not kept.path.duplicated().any()
        need(old, "some of the rows you return were not in the table, or are there twice.")
        for name, count in clips.speaker.value_counts().items():
            left = (kept.speaker == name).sum()
            need(left <= most, f"{name} still has {left} clips with most={most}.")
            need(left >= min(count, most), f"{name} gave {count} clips and keeps {left} with most={most}: too few.")


@check("For 15 classes that is 1.817: the published curves stop there, and look stuck.")
def check_floor(floor):
    """Does `floor(classes)` give the least loss that softmax before the loss can reach?"""
    for classes in (2, 5, 15):
        right = math.log(math.e + classes - 1) - 1
        mistakes = {
            math.log(classes): "that is the loss of a network that knows nothing. Here it is sure, and right.",
            0.0: "it would be 0 if one class got everything *after* the second softmax. What does it get?",
            right + 1: "nearly: minus the logarithm of e / (e + classes - 1). Mind the 1 from log(e).",
        }
        compare(f"floor({classes})", floor, [classes], right, mistakes, f"it should be {right:.3f}.", off=1e-3)


@check("One letter of a transcription, and a country changes.")
def check_accent(pronounced, sounds):
    """Is `pronounced`, a dict from accent to sounds, what these accents make of `sounds`, which have no accent?"""
    need(pronounced, "write the sounds of at least one accent.")
    for accent, said in pronounced.items():
        need(accent in ACCENTS, f"there are no rules for {accent!r}; there are for {', '.join(ACCENTS)}.")
        own = [rule for rule in rules() if rule.accent == accent]
        matter = [rule.what for rule in own if re.search(WHERE[rule.where] % re.escape(rule.sound), sounds)]
        right = str(said).split() == pronounce(sounds, accent).split()
        need(right, f"{accent} says it otherwise. Rules that matter here: {'; '.join(matter) or 'none'}.")
