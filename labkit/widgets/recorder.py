"""Record yourself, or upload a file, and keep it as a corpus of your own."""

import io

from .. import plots
from ..data.audio import resample
from ..data.recordings import around_word, check, keep, own_folder, yours
from ..errors import LabError
from .explorer import wav
from .microphone_help import what_to_do
from .panel import NARROW, WIDE, Panel, column, empty_figure, empty_picture, row

RATE = 16_000  # Hz, of what is kept
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

    Attributes
    ----------
    microphone : anywidget.AnyWidget
    keep : ipywidgets.Button
    takes : list of (str, numpy.ndarray)
        Recordings that wait for Keep: where each is from, and its samples at 16 kHz.
    """

    def __init__(self, lab, word=None, speaker="you"):
        import ipywidgets

        from .browser import Microphone

        super().__init__(lab)
        look = {"style": NARROW, "layout": ipywidgets.Layout(width=WIDE)}
        words = list(lab.data.labels)
        self.controls = {
            "word": ipywidgets.Combobox(value=word or words[0], options=words, description="word", **look),
            "speaker": ipywidgets.Text(speaker, description="speaker", **look),
            "seconds": ipywidgets.FloatSlider(
                value=2.0, min=1.0, max=5.0, step=0.5, description="seconds", readout_format=".1f", **look
            ),
            "cut": ipywidgets.Checkbox(
                True,
                description="cut to the second with the word",
                indent=False,
                layout=ipywidgets.Layout(width="auto"),
            ),
            "upload": ipywidgets.FileUpload(accept="audio/*,.wav,.flac,.ogg,.mp3", multiple=True, description="Upload"),
        }
        self.microphone = Microphone(rate=RATE, seconds=self.controls["seconds"].value)
        self.keep = ipywidgets.Button(description="Keep", button_style="primary", icon="save", disabled=True)
        self.discard = ipywidgets.Button(description="Discard", icon="trash", disabled=True)
        self._sound = ipywidgets.Audio(format="wav", autoplay=False, loop=False)
        self.takes = []
        self.microphone.on_msg(lambda widget, content, buffers: self.receive(content, buffers))
        self.controls["seconds"].observe(self._new_length, "value")
        self.controls["upload"].observe(self._uploaded, "value")
        self.keep.on_click(self._keep)
        self.discard.on_click(self._discard)
        self.redraw()
        self.say(f"Press Record and say the word, or upload a file. {self._kept()}")

    @property
    def synthetic(self):
        return False

    def receive(self, content, buffers=()):
        """What the microphone sends: a WAV file, or the name of a problem."""
        if content.get("kind") == "problem":
            self.say(what_to_do(content, "Record"), wrong=True)
        elif content.get("kind") == "wav" and buffers:
            self._take([("microphone", bytes(buffers[0]))])

    def draw(self):
        if not self.takes:
            return empty_picture(8.5, 1.5, "press Record, or upload a file"), "Empty: nothing was recorded yet"
        figure = empty_figure(8.5, 3.4)
        name, samples = self.takes[-1]
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        plots.waveform(samples, RATE, above).set_xlabel("")
        plots.spectrogram(samples, RATE, below)
        return figure, f"Waveform and spectrogram of a recording of {len(samples) / RATE:.2f} s ({name})"

    @property
    def view(self):
        word, speaker, seconds, cut, upload = self.controls.values()
        above = [row(word, speaker), row(seconds, cut), row(self.microphone, upload), self._message, self._picture]
        return column(*above, self._sound, row(self.keep, self.discard))

    def _new_length(self, change):
        self.microphone.seconds = change["new"]

    def _uploaded(self, change):
        files = [(file["name"], bytes(file["content"])) for file in change["new"]]
        if files:
            self._take(files)
            self.controls["upload"].value = ()  # so that the same file can be uploaded again

    def _take(self, files):
        """Read sounds and check them; those of use wait for Keep, the others are named."""
        good, problems = [], []
        for name, content in files:
            try:
                samples = decode(content, name)
                if self.controls["cut"].value:
                    samples = around_word(samples, RATE)
                level = check(samples)
                good.append((name, samples))
            except LabError as error:
                problems.append(f"{name}: {error}")
        if good:
            self.takes = good
            self._sound.value = wav(good[-1][1], RATE)
            self.redraw()
        self.keep.disabled = self.discard.disabled = not self.takes
        if problems:
            self.say(" ".join(problems), wrong=True)
        elif good:
            many = f"{len(good)} files" if len(good) > 1 else f"{len(good[-1][1]) / RATE:.2f} s"
            self.say(
                f"{many}, loudest moment {level:.0f} dB (0 is the limit). Listen, then press Keep, or record again."
            )

    def _keep(self, button=None):
        if not self.takes:
            self.say("There is nothing to keep. Record first.", wrong=True)
            return
        word, speaker = self.controls["word"].value, self.controls["speaker"].value
        try:
            paths = [keep(samples, RATE, word, speaker) for _, samples in self.takes]
        except LabError as error:
            self.say(str(error), wrong=True)
            return
        self._clear()
        names = ", ".join(f"{path.parent.name}/{path.name}" for path in paths)
        self.say(f"Kept as {names}. {self._kept()}")

    def _discard(self, button=None):
        self._clear()
        self.say("Discarded. Press Record, or upload a file.")

    def _clear(self):
        self.takes = []
        self.keep.disabled = self.discard.disabled = True
        self.redraw()

    def _kept(self):
        own = yours()
        if own is None:
            return f"What you keep goes to the folder {own_folder().name} of your data folder, and stays there."
        many = own.clips.label.value_counts()
        words = ", ".join(f"{label} {count}" for label, count in many.sort_index().items())
        return (
            f"You have {len(own)} clips of {own.clips.speaker.nunique()} speaker(s): {words}. "
            'Use them with labkit.start(..., corpus="folder").'
        )


def decode(content, name, longest=LONGEST):
    """The bytes of a sound file as one channel at 16 kHz.

    Parameters
    ----------
    content : bytes
    name : str
        For messages.
    longest : float
        Seconds that it may last.

    Returns
    -------
    numpy.ndarray
        Shape (samples,), float32.
    """
    import numpy as np
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        kind = name.rpartition(".")[2].lower()
        convert = f"Convert it to WAV (`ffmpeg -i {name} clip.wav`)" if kind in PHONE else "Export it again as WAV"
        raise LabError(f"it cannot be read as audio ({error}). {convert} and upload that.") from error
    if not len(samples):
        raise LabError("it holds no samples. Record it again.")
    if not np.isfinite(samples).all():
        raise LabError("it holds values that are not numbers. Export it again as 16-bit PCM.")
    if len(samples) > longest * rate:
        raise LabError(
            f"it lasts {len(samples) / rate:.0f} s, and {longest:.0f} s is the most here. Cut it into shorter files "
            "(one for each word if you want to keep them), and upload those."
        )
    return resample(samples.mean(axis=1), rate, RATE)


PHONE = ("m4a", "aac", "mp4", "mov", "webm", "wma", "amr", "3gp")  # what phones and browsers like to write
