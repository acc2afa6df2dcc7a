"""Pictures: one look for all, the stamp on synthetic speech, and the drawings that more than one notebook needs.

A drawing of one thing takes `ax` and returns it (without one it makes its own figure); a drawing of several panels
returns its figure. Times are in seconds, frequencies in hertz, levels in decibels.
"""

from .cell_states import over_time
from .clips import clips_per_speaker, counts, durations
from .curves import accuracies, confusion, ranking, training_curves
from .iterations import forgetting, over_iterations
from .networks import activations, diagram, effects, filters, importance, rate_range
from .pronounced import crosstab, differing, largest_cell, said_in
from .show import STAMP, TrainingBar, as_html, banner, formatted, render, set_style, show, stamp
from .sound import deltas, image, levels, log_mel, mel, mel_ticks, mfcc, spectrogram, waveform
from .timeline import envelope, operating, timeline
from .voices import by_voice, removed_bands, sizes
from .windows import gradients, heatmaps, over_windows

__all__ = [
    "STAMP",
    "TrainingBar",
    "accuracies",
    "activations",
    "as_html",
    "banner",
    "by_voice",
    "clips_per_speaker",
    "confusion",
    "counts",
    "crosstab",
    "deltas",
    "diagram",
    "differing",
    "durations",
    "effects",
    "envelope",
    "filters",
    "forgetting",
    "formatted",
    "gradients",
    "heatmaps",
    "image",
    "importance",
    "largest_cell",
    "levels",
    "log_mel",
    "mel",
    "mel_ticks",
    "mfcc",
    "operating",
    "over_iterations",
    "over_time",
    "over_windows",
    "ranking",
    "rate_range",
    "removed_bands",
    "render",
    "said_in",
    "set_style",
    "show",
    "sizes",
    "spectrogram",
    "stamp",
    "timeline",
    "training_curves",
    "waveform",
]
