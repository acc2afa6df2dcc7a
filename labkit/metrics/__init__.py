"""How good, compared with what, and how sure."""

from .scores import confusion, percent, scores, speaker_interval, verdict

__all__ = ["confusion", "percent", "scores", "speaker_interval", "verdict"]
