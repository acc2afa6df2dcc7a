"""Record yourself, or upload a file, and keep it as a corpus of your own."""

import numpy as np

from .. import plots
from ..data.audio import SCALE, resample, wav_bytes
from ..data.recordings import around_word, check, keep, own_folder, yours
from ..errors import LabError
from .browser import ACCEPTED, Microphone
from .microphone_help import RATE, from_file, what_to_do
from .panel import Panel, empty_figure, empty_picture

LONGEST = 60.0  # seconds of an upload


class RecorderPanel(Panel):
    """A microphone and a file upload; what you keep becomes a corpus of your own.

    Nothing is kept until you press Keep, and what is kept stays in the folder `recordings` of your data folder.

    Controls: `word` and `speaker` (what is said, by whom), `seconds` (a recording stops by itself), `cut` (keep the
    second that holds the word), `upload` (files of any format libsndfile reads).

    Parameters
    ----------
    lab : Lab
    word, speaker : str, optional
    """

    synthetic = False

    def __init__(self, lab, word=None, speaker="you"):
        super().__init__(lab)
        words = list(lab.data.labels)
        self.microphone = Microphone(seconds=2.0)
        self.add("word", "Combobox", value=word or words[0], options=words)
        self.add("speaker", "Text", value=speaker)
        length = {"value": 2.0, "min": 1.0, "max": 5.0, "step": 0.5, "readout_format": ".1f"}
        self.add("seconds", "FloatSlider", self._new_length, **length)
        cut = {"value": True, "indent": False, "layout": {"width": "auto"}}
        self.add("cut", "Checkbox", label="cut to the second with the word", **cut)
        self.add("upload", "FileUpload", self._uploaded, "Upload", multiple=True, **ACCEPTED)
        self.keep = self.button("Keep", "save", self._keep, button_style="primary", disabled=True)
        self.discard = self.button("Discard", "trash", self._discard, disabled=True)
        self.add_sound()
        self.takes = []  # what waits for Keep: where each is from, and its samples at 16 kHz
        self.microphone.on_msg(lambda widget, content, buffers: self.receive(content, buffers))
        self.redraw()
        self.say(f"Press Record and say the word, or upload a file. {_kept()}")

    def receive(self, content, buffers=()):
        """What the microphone sends: samples, or the name of a problem."""
        if content.get("kind") == "problem":
            self.say(what_to_do(content, "Record"), wrong=True)
        elif content.get("kind") == "samples":
            samples = np.frombuffer(buffers[0], "<i2").astype(np.float32) / SCALE
            self._take([("microphone", resample(samples, content["rate"], RATE))], [])

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
        return *above, self.message, self.picture, self.sounds[0], (self.keep, self.discard)

    def _new_length(self):
        self.microphone.seconds = self.controls["seconds"].value

    def _uploaded(self):
        files, sounds, problems = self.controls["upload"].value, [], []
        if not files:
            return
        for file in files:
            try:
                sounds.append((file["name"], from_file(bytes(file["content"]), file["name"], LONGEST)))
            except LabError as error:
                problems.append(str(error))
        self._take(sounds, problems)
        self.controls["upload"].value = ()  # so that the same file can be uploaded again

    def _take(self, sounds, problems):
        """Check sounds; those of use wait for Keep, the others are named."""
        good = []
        for name, samples in sounds:
            samples = around_word(samples, RATE) if self.controls["cut"].value else samples
            try:
                level = check(samples)
                good.append((name, samples))
            except LabError as error:
                problems.append(f"{name}: {error}")
        if good:
            self.takes = good
            name, samples = good[-1]
            self.sounds[0].value = wav_bytes(samples, RATE)
            self.keep.disabled = self.discard.disabled = False
            self.redraw()
            many = f"{len(good)} files" if len(good) > 1 else f"{len(samples) / RATE:.2f} s"
            self.say(
                f"{many}, loudest moment {level:.0f} dB (0 is the limit). Listen, then press Keep, or record again."
            )
        if problems:
            self.say(" ".join(problems), wrong=True)

    def _keep(self):
        if not self.takes:
            raise LabError("There is nothing to keep. Record first.")
        word, speaker = self.controls["word"].value, self.controls["speaker"].value
        paths = [keep(samples, RATE, word, speaker) for _, samples in self.takes]
        self._discard()
        names = ", ".join(f"{path.parent.name}/{path.name}" for path in paths)
        self.say(f"Kept as {names}. {_kept()}")

    def _discard(self):
        self.takes = []
        self.keep.disabled = self.discard.disabled = True
        self.redraw()
        self.say("Discarded. Press Record, or upload a file.")


def _kept():
    own = yours()
    if own is None:
        return f"What you keep goes to the folder {own_folder().name} of your data folder, and stays there."
    many = own.clips.label.value_counts()
    words = ", ".join(f"{label} {count}" for label, count in many.sort_index().items())
    return (
        f"You have {len(own)} clips of {own.clips.speaker.nunique()} speaker(s): {words}. "
        'Use them with labkit.start(..., corpus="folder").'
    )
