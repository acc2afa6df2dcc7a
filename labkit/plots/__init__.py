"""Pictures: one look for all, the stamp on synthetic speech, and the drawings that more than one notebook needs.

A drawing of one thing takes `ax` and returns it (without one it makes its own figure); a drawing of several panels
returns its figure. Times are in seconds, frequencies in hertz, levels in decibels.
"""

from .corpus import clips_per_speaker, counts, durations
from .results import accuracies, confusion, ranking, training_curves
from .show import STAMP, TrainingBar, as_html, banner, formatted, render, set_style, show, stamp
from .sound import deltas, image, levels, log_mel, mel, mel_ticks, mfcc, spectrogram, waveform

__all__ = [
    "STAMP",
    "TrainingBar",
    "accuracies",
    "as_html",
    "banner",
    "clips_per_speaker",
    "confusion",
    "counts",
    "deltas",
    "durations",
    "formatted",
    "image",
    "levels",
    "log_mel",
    "mel",
    "mel_ticks",
    "mfcc",
    "ranking",
    "render",
    "set_style",
    "show",
    "spectrogram",
    "stamp",
    "training_curves",
    "waveform",
]
