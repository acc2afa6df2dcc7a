"""From waveforms to what a model sees: MFCC with deltas, log-mel spectrograms, raw samples.

Every feature works on whole batches, on any device, and each clip's result depends on that clip alone. The defaults are
torchaudio's (HTK mel scale, filters of equal height); `mel_scale="slaney", mel_norm="slaney"` gives librosa's.
"""

from .feature import Feature, Raw
from .spectral import MFCC, LogMel, MelFrames, Spectral, Spectrogram, delta

FEATURES = {"mfcc": MFCC, "log_mel": LogMel, "mel_frames": MelFrames, "spectrogram": Spectrogram, "raw": Raw}
__all__ = ["FEATURES", "MFCC", "Feature", "LogMel", "MelFrames", "Raw", "Spectral", "Spectrogram", "delta"]
