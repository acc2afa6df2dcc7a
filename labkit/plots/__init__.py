"""Drawings that more than one notebook needs, their common look, and the stamp on synthetic speech.

A drawing of one thing takes `ax` and returns it (without one it makes its own figure); a drawing of several panels
returns its figure. Times are in seconds, frequencies in hertz, levels in decibels.
"""

from .canvas import image
from .curves import against, training_curves
from .outcomes import accuracies, by_voice, confusion, effects, ranking
from .show import STAMP, as_html, banner, formatted, quick, render, set_style, show, stamp
from .sound import answers, deltas, differing, levels, log_mel, mel_ticks, mfcc, said_in, spectrogram, waveform
from .timeline import operating, timeline
