"""Recognising words as they are spoken: sound comes in blocks, reports of words come out.

    blocks of samples -> StreamingFeature -> the model's step -> probabilities -> Decider -> Detections

Each step keeps what it needs of the past, so that the same comes out as for the recording as a whole, whatever the size
of the blocks. `Detector` puts the steps together, and `detect` runs it over a recording. With a `microphone`:

    detector = Detector(pretrained.load("eight-words-live"))
    for block in microphone:
        for found in detector.push(block, sample_rate=48_000):
            print(f"{found.reported:.1f} s: {found.word} ({found.confidence:.0%})")
"""

from . import benchmark, mixtures
from .decision import UNKNOWN, Decider, Decision, Detection, decide
from .detector import Detector, Sliding, StreamingFeature, detect, streams
