"""Record yourself, or upload a file, and keep it as a corpus of your own."""

import numpy as np
from traitlets import dlink

from .. import plots
from ..data.audio import resample
from ..data.recordings import around_word, check, keep, own_folder, yours
from ..errors import LabError
from .listening import RATE, ListeningPanel
from .panel import empty_figure, empty_picture


class RecorderPanel(ListeningPanel):
    """A microphone and a file upload; what you keep becomes a corpus of your own.

    Nothing is kept until you press Keep, and what is kept stays in the folder `recordings` of your data folder.

    Controls: `word` and `speaker` (what is said, by whom), `seconds` (a recording stops by itself), `cut` (keep the
    second that holds the word), `upload` (files of any format libsndfile reads).
    """

    def __init__(self, lab, word=None, speaker="you"):
        super().__init__(lab, press="Record", longest=60.0, multiple=True, seconds=2.0)
        self.add("word", "Combobox", value=word or lab.data.labels[0], options=lab.data.labels)
        self.add("speaker", "Text", value=speaker)
        self.add("seconds", "FloatSlider", value=2.0, min=1.0, max=5.0, step=0.5, readout_format=".1f")
        dlink((self.controls["seconds"], "value"), (self.microphone, "seconds"))
        wide = {"width": "auto"}
        self.add("cut", "Checkbox", label="cut to the second with the word", value=True, indent=False, layout=wide)
        self.keep = self.button("Keep", "save", self._keep, button_style="primary")
        self.discard = self.button("Discard", "trash", self._discard)
        self.add_player()
        self._discard()
        self.say(f"Press Record and say the word, or upload a file. {_kept()}")

    def draw(self):
        if not self.takes:
            return empty_picture(8.5, 1.5, "press Record, or upload a file"), "Empty: nothing was recorded yet"
        figure = empty_figure(8.5, 3.4)
        name, samples = self.takes[-1]
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        plots.waveform(samples, RATE, above).set_xlabel("")
        plots.spectrogram(samples, RATE, below)
        return figure, f"Waveform and spectrogram of a recording of {len(samples) / RATE:.2f} s ({name})"

    def rows(self):
        above = ("word", "speaker"), ("seconds", "cut"), (self.microphone, "upload")
        return *above, self.message, self.picture, self.players[0], (self.keep, self.discard)

    def begin(self):
        self._samples, self._sample_rate, self.batch = np.zeros(0, np.float32), RATE, []

    def block(self, samples, sample_rate, start):
        self._samples, self._sample_rate = np.append(self._samples, samples), sample_rate
        return {}

    def end(self):
        self.attempt(self.take, "microphone", resample(self._samples, self._sample_rate, RATE))

    def take(self, name, samples):
        """Check a sound; one that can be used waits for Keep, together with others of the same upload."""
        samples = around_word(samples, RATE) if self.controls["cut"].value else samples
        level = check(samples)
        self.batch.append((name, samples))
        self.takes = self.batch
        self.play({"": (samples, RATE)})
        self.keep.disabled = self.discard.disabled = False
        self.redraw()
        many = f"{len(self.takes)} files" if len(self.takes) > 1 else f"{len(samples) / RATE:.2f} s"
        self.say(f"{many}, loudest moment {level:.0f} dB (0 is the limit). Listen, then press Keep, or record again.")

    def _keep(self):
        if not self.takes:
            raise LabError("There is nothing to keep. Record first.")
        word, speaker = self.controls["word"].value, self.controls["speaker"].value
        paths = [keep(samples, RATE, word, speaker) for _, samples in self.takes]
        self._discard()
        names = ", ".join(f"{path.parent.name}/{path.name}" for path in paths)
        self.say(f"Kept as {names}. {_kept()}")

    def _discard(self):
        self.takes = []  # what waits for Keep: where each is from, and its samples at 16 kHz
        self.keep.disabled = self.discard.disabled = True
        self.redraw()
        self.say("Discarded. Press Record, or upload a file.")


def _kept():
    own = yours()
    if own is None:
        return f"What you keep goes to the folder {own_folder().name} of your data folder, and stays there."
    many = own.clips.label.value_counts().sort_index()
    words = ", ".join(f"{label} {count}" for label, count in many.items())
    mine = f"You have {len(own)} clips of {own.clips.speaker.nunique()} speaker(s): {words}."
    return f'{mine} Use them with labkit.start(..., corpus="folder").'
