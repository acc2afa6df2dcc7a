"""Answers to the blanks and the exercises of 07_accent_classification: one of several right ones for each."""

import math
import re


def vote(predicted, confidence):
    sums = dict.fromkeys(predicted, 0.0)
    for name, sure in zip(predicted, confidence, strict=True):
        sums[name] += sure
    return max(sums, key=sums.get)


def floor(classes):
    return -math.log(math.e / (math.e + classes - 1))


def rioplatense(sounds):
    sounds = sounds.replace("T", "s")  # seseo
    sounds = sounds.replace("l^", "S").replace("J^", "S")  # sheísmo
    return re.sub("s(?= ?[',]*[ptkbdgfmnlrBDGQRxXhCSZTJN])", "h", sounds)  # s before a consonant
