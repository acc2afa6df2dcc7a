"""How good, compared with what, and how sure."""

from .scores import confusion, scores, speaker_interval, verdict

__all__ = ["confusion", "scores", "speaker_interval", "verdict"]
