"""How good, compared with what, and how sure."""

from .intervals import percent, speaker_interval, verdict
from .scores import confusion, scores

__all__ = ["confusion", "percent", "scores", "speaker_interval", "verdict"]
