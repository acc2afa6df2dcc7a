"""Self-checks for the blanks and exercises of 07_accent_classification."""

import math

from ..synthetic.spanish import pronounce, rules
from . import attempt, check, compare, need

VOTES = (  # of the pieces of one speaker: answers, how sure, and who wins
    (["french", "arabic", "arabic"], [0.5, 0.4, 0.3], "arabic"),
    (["english", "spanish", "spanish"], [0.9, 0.3, 0.3], "english"),
    (["french", "mandarin", "mandarin"], [0.8, 0.5, 0.5], "mandarin"),
    (["arabic"], [0.4], "arabic"),
)
SAID = (  # in espeak-ng's letters: zapato, rojo, llave, ya, conozco, este, mismo, más ...
    "Tap'ato/R2'oxo/l^'aBe/J^'a/kon'oTko/'este/m'ismo/m'as/las k'asas/los kaB'al^os kr'uTan la k'al^e/d'esDe/'isla/"
    "J^'a l^'eBo D'os k'axas aT'ules/f**'esno/los l'iB**os/las R2'osas/las tS'ikas/'es Bw'eno/las l^'aBes/las fl'o**es/"
    "los x'efes/los Q'atos/los p'eR2os"
).split("/")
ASPIRATED = "Last of all, s is [h] before a consonant, also of the next word, and nowhere else."


@check("Two hesitant pieces may be outvoted by a sure one.", blank="07_accent_classification.vote")
def check_vote(vote):
    """Does `vote(predicted, confidence)` give the class with the largest sum of confidence?"""
    for predicted, confidence, right in VOTES:
        said = f"vote({predicted}, {confidence})"
        with attempt(said):
            winner = vote(list(predicted), list(confidence))
        sums = {name: sum(c for n, c in zip(predicted, confidence, strict=True) if n == name) for name in predicted}
        need(isinstance(winner, str), f"{said} should be the name of a class, not a {type(winner).__name__}.")
        need(winner in sums, f"{said} = {winner!r}, and no piece said that.")
        counted = ", ".join(f"{name} {total:.1f}" for name, total in sums.items())
        need(winner == right, f"{said} = {winner!r}, but add up how sure the pieces are: {counted}.")


@check("For 15 classes that is 1.817: the study's loss could not fall below.", blank="07_accent_classification.floor")
def check_floor(floor):
    """Does `floor(classes)` give the least loss that softmax before the loss can reach?"""
    for classes in (2, 5, 15):
        right = math.log(math.e + classes - 1) - 1
        mistakes = {
            math.log(classes): "that is the loss of a network that knows nothing. Here it is sure, and right.",
            0.0: "it would be 0 if one class got everything *after* the second softmax. What does it get?",
            right + 1: "nearly: minus the logarithm of e / (e + classes - 1). Mind the 1 from log(e).",
            -right: "a loss is minus the logarithm, so it is above zero. Change the sign.",
            math.exp(-right): "that is the probability after the second softmax. Take minus its logarithm.",
            math.log(math.e + classes) - 1: "the other classes are classes - 1. One class is the right one.",
            right / math.log(2): "that is in bits. PyTorch takes the natural logarithm.",
        }
        compare(f"floor({classes})", floor, [classes], right, mistakes, f"it should be {right:.3f}.", off=1e-3)


@check("Three rules, and a country changes.", blank="07_accent_classification.rioplatense")
def check_rioplatense(rioplatense):
    """Does `rioplatense(sounds)` follow all rules of the accent, wherever they apply?"""
    own = [rule.what for rule in rules() if rule.accent == "rioplatense"]
    for sounds in SAID:
        right = pronounce(sounds, "rioplatense")
        with attempt(f"rioplatense({sounds!r})"):
            said = rioplatense(sounds)
        need(isinstance(said, str), f"rioplatense({sounds!r}) should be a text, not a {type(said).__name__}.")
        otherwise = f"{sounds!r} should become {right!r}, not {said!r}."
        need(said == right or said.replace("s", "h") != right.replace("s", "h"), f"{otherwise} {ASPIRATED}")
        missing = [what for what in own if said == pronounce(sounds, "rioplatense", without=what)]
        need(said == right or not missing, f"{otherwise} A rule is missing: {'; '.join(missing)}.")
        need(said == right, otherwise)
