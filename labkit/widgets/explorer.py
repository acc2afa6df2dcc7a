"""Look at one clip, and turn the knobs of its features."""

import io
import warnings
from functools import partial

from .. import plots
from ..data import CORPORA, data_folder
from ..data.audio import read_audio
from ..errors import LabError, LabWarning, choose
from ..features import MFCC, LogMel
from .panel import NARROW, WIDE, Panel, column, empty_figure, row

HOP_MS = 10.0  # fixed, so that the window alone changes the picture


class ExplorerPanel(Panel):
    """Waveform, spectrogram, mel spectrogram and MFCC of one clip, and its sound.

    Controls: `corpus` (the chapter's, and whatever else lies in the data folder), `word`, `speaker`, `window`
    (milliseconds), `bands` (mel bands).

    Parameters
    ----------
    lab : Lab
    word, speaker : str, optional
        What is shown first.
    """

    def __init__(self, lab, word=None, speaker=None):
        import ipywidgets

        super().__init__(lab)
        self.corpus = lab.data
        word = word or lab.data.labels[0]
        choose(word, dict.fromkeys(lab.data.labels), f"label of {lab.data.name}")
        look = {"style": NARROW, "layout": ipywidgets.Layout(width=WIDE)}
        late = {"continuous_update": False, **look}  # draw where the slider is left, not on its way
        others = [name for name in present() if name != lab.data.name]
        self.controls = {
            "corpus": ipywidgets.Dropdown(
                options=[lab.data.name, *others],
                value=lab.data.name,
                description="corpus",
                style=NARROW,
                layout=ipywidgets.Layout(width="32em"),
            ),
            "word": ipywidgets.Dropdown(options=lab.data.labels, value=word, description="word", **look),
            "speaker": ipywidgets.Dropdown(description="speaker", **look),
            "window": ipywidgets.IntSlider(value=40, min=5, max=150, step=5, description="window, ms", **late),
            "bands": ipywidgets.IntSlider(value=40, min=8, max=80, step=4, description="mel bands", **late),
        }
        self._sound = ipywidgets.Audio(format="wav", autoplay=False, loop=False)
        self._offer_speakers(speaker)
        self.controls["corpus"].observe(self._new_corpus, "value")
        self.controls["word"].observe(self._new_word, "value")
        for name in ("speaker", "window", "bands"):
            self.controls[name].observe(self._changed, "value")
        self._changed()

    @property
    def synthetic(self):
        return self.corpus.synthetic

    @property
    def clip(self):
        """The row of the corpus' table that is shown."""
        clips = self.corpus.clips
        chosen = (clips.label == self.controls["word"].value) & (clips.speaker == self.controls["speaker"].value)
        return clips[chosen].iloc[0]

    @property
    def features(self):
        """The settings that are shown: (LogMel, MFCC)."""
        settings = {
            "sample_rate": self.corpus.sample_rate,
            "window_ms": self.controls["window"].value,
            "hop_ms": HOP_MS,
            "n_mels": self.controls["bands"].value,
            "seconds": None,
        }
        return LogMel(**settings), MFCC(**settings, n_mfcc=min(13, settings["n_mels"]))

    def draw(self):
        import torch

        clip = self.clip
        log_mel, mfcc = self.features
        rate = log_mel.sample_rate
        samples, _ = read_audio(self.corpus.root / clip.path, rate)
        waveform, length = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always", LabWarning)
            pictures, _ = log_mel.build()(waveform, length)  # (1, 1, bands, frames)
            rows, _ = mfcc.build()(waveform, length)  # (1, frames, features)
        figure = empty_figure(9.5, 5.6)
        panels = figure.subplots(2, 2, sharex=True)
        plots.waveform(samples, rate, panels[0, 0]).set_title("waveform", loc="left")
        plots.log_mel(pictures, log_mel, panels[0, 1]).set_title("mel spectrogram", loc="left")
        plots.spectrogram(samples, rate, panels[1, 0], window_ms=log_mel.window_ms, hop_ms=HOP_MS)
        panels[1, 0].set_title("spectrogram", loc="left")
        plots.mfcc(rows, mfcc, panels[1, 1]).set_title("MFCC", loc="left")
        for ax in panels[0]:
            ax.set_xlabel("")
        panels[0, 0].set_xlim(0, len(samples) / rate)
        self._sound.value = wav(samples, rate)
        who = f"{clip.label!r} by speaker {clip.speaker} ({clip.split} part), {len(samples) / rate:.2f} s"
        _, frames, numbers = rows.shape
        self.say(
            f"{who}. A window of {log_mel.window_ms} ms is {log_mel.window} samples and tells frequencies apart that "
            f"differ by about {2 * rate / log_mel.window:.0f} Hz or more. One frame every {HOP_MS:.0f} ms: {frames} "
            f"frames, each {log_mel.n_mels} mel bands, or {mfcc.n_mfcc} MFCCs (with deltas {numbers} numbers)."
            + "".join(sorted({f" Note: {note.message}" for note in notes}))
        )
        settings = f"window {log_mel.window_ms} ms, {log_mel.n_mels} mel bands"
        return figure, f"Waveform, mel spectrogram, spectrogram and MFCC of {who}; {settings}"

    @property
    def view(self):
        corpus, word, speaker, window, bands = self.controls.values()
        above = row(corpus) if len(corpus.options) > 1 else row()
        return column(above, row(word, speaker), row(window, bands), self._sound, self._picture, self._message)

    def _offer_speakers(self, wanted=None):
        names = speakers_of(self.corpus, self.controls["word"].value)
        if wanted is not None:
            choose(wanted, {name: name for name in names.values()}, f"speaker who says {self.controls['word'].value!r}")
        dropdown = self.controls["speaker"]
        wanted = wanted or dropdown.value
        dropdown.options = list(names.items())
        dropdown.value = wanted if wanted in names.values() else next(iter(names.values()))

    def _new_corpus(self, change):
        """Read it; if it cannot be read, the panel says why and stays where it was."""
        name = change["new"]
        if name == self.corpus.name:
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LabWarning)  # of few speakers: here they are only looked at
                corpus = self.lab.data if name == self.lab.data.name else present()[name]()
        except LabError as error:
            self.controls["corpus"].value = self.corpus.name
            self.say(str(error), wrong=True)
            return
        before, self.corpus = self.controls["word"].value, corpus
        words = self.controls["word"]
        words.unobserve(self._new_word, "value")
        words.options = corpus.labels
        words.value = before if before in corpus.labels else corpus.labels[0]
        words.observe(self._new_word, "value")
        self._new_word()

    def _new_word(self, change=None):
        """The same speaker if they say this word too; drawn once, not once for each control that moves."""
        self.controls["speaker"].unobserve(self._changed, "value")
        self._offer_speakers()
        self.controls["speaker"].observe(self._changed, "value")
        self._changed()

    def _changed(self, change=None):
        self.redraw()


def speakers_of(corpus, word):
    """Who says a word: from the name as it is shown (with the part) to the name."""
    clips = corpus.clips[corpus.clips.label == word].drop_duplicates("speaker").sort_values("speaker")
    return dict(zip(clips.speaker + " (" + clips.split + ")", clips.speaker, strict=True))


def present():
    """The corpora in the data folder: from the name of each folder to what reads it."""
    return {
        folder: partial(entry.load, data_folder() / folder)
        for entry in CORPORA.values()
        for folder in entry.folders()
        if (data_folder() / folder).is_dir()
    }


def wav(samples, rate):
    """A sound as the bytes of a WAV file, 16 bits."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
