"""Panels to tinker with: sliders draw, buttons train.

A panel is a plain object. `panel.controls` holds its inputs by name, `panel.figure` is the picture of its present
state, `panel.said` its message. A test or a script drives it without a browser: it sets
`panel.controls["word"].value`, or calls `panel.train.click()`.
"""

from .confusions import ConfusionsPanel
from .explorer import ExplorerPanel
from .gates import GatesPanel
from .live_panel import LivePanel
from .panel import Panel
from .recorder import RecorderPanel
from .tinker import TinkerPanel
from .trainer import TrainerPanel
from .you import with_you
