"""Look at one clip, and turn the knobs of its features."""

import warnings

import torch

from .. import plots
from ..data import CORPORA, data_folder
from ..errors import LabError, LabWarning
from ..features import MFCC, LogMel
from .panel import ClipPanel, empty_figure

HOP_MS = 10.0  # fixed, so that the window alone changes the picture


class ExplorerPanel(ClipPanel):
    """Waveform, spectrogram, mel spectrogram and MFCC of one clip, and its sound.

    Controls: `corpus` (the chapter's, and whatever else lies in the data folder), `word`, `speaker`, `window`
    (milliseconds), `bands` (mel bands).

    Parameters
    ----------
    word, speaker : str, optional
        What is shown first.
    """

    def __init__(self, lab, word=None, speaker=None):
        super().__init__(lab)
        entries = [(folder, entry) for entry in CORPORA.values() for folder in entry.folders()]
        self.present = {folder: entry for folder, entry in entries if (data_folder() / folder).is_dir()}
        slider = {"value": 40, "continuous_update": False}  # draws where it is left, not on its way
        with self.drawn_once():
            names, wide = dict.fromkeys([lab.data.name, *self.present]), {"width": "32em", "max_width": "98%"}
            self.add("corpus", "Dropdown", self._new_corpus, options=list(names), layout=wide)
            self.add_clip(lab.data.labels, word, speaker)
            self.add("window", "IntSlider", self.redraw, "window, ms", min=5, max=150, step=5, **slider)
            self.add("bands", "IntSlider", self.redraw, "mel bands", min=8, max=80, step=4, **slider)

    @property
    def features(self):
        """The settings that are shown: (LogMel, MFCC)."""
        window, bands = self.controls["window"].value, self.controls["bands"].value
        settings = {"sample_rate": self.corpus.sample_rate, "window_ms": window, "hop_ms": HOP_MS, "seconds": None}
        return LogMel(n_mels=bands, **settings), MFCC(n_mels=bands, n_mfcc=min(13, bands), **settings)

    def draw(self):
        log_mel, mfcc = self.features
        sample_rate = log_mel.sample_rate
        samples, who = self.hear(sample_rate)
        waveform, length = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always", LabWarning)
            images, _ = log_mel.build()(waveform, length)  # (1, 1, bands, frames)
            rows, _ = mfcc.build()(waveform, length)  # (1, frames, features)
        figure = empty_figure(9.5, 5.6)
        (above, mel), (below, cepstrum) = figure.subplots(2, 2, sharex=True)
        plots.waveform(samples, sample_rate, above).set_title("waveform", loc="left")
        plots.log_mel(images, log_mel, mel).set_title("mel spectrogram", loc="left")
        plots.spectrogram(samples, sample_rate, below, window_ms=log_mel.window_ms, hop_ms=HOP_MS)
        below.set_title("spectrogram", loc="left")
        plots.mfcc(rows, mfcc, cepstrum).set_title("MFCC", loc="left")
        above.set(xlabel="", xlim=(0, len(samples) / sample_rate))
        mel.set_xlabel("")
        who = f"{who}, {len(samples) / sample_rate:.2f} s"
        _, frames, numbers = rows.shape
        self.say(
            f"{who}. A window of {log_mel.window_ms:g} ms is {log_mel.window} samples and tells frequencies apart that "
            f"differ by about {2 * sample_rate / log_mel.window:.0f} Hz or more. One frame every {HOP_MS:.0f} ms: "
            f"{frames} frames, each {log_mel.n_mels} mel bands, or {mfcc.n_mfcc} MFCCs (with deltas {numbers} numbers)."
            + "".join(sorted({f" Note: {note.message}" for note in notes}))
        )
        settings = f"window {log_mel.window_ms:g} ms, {log_mel.n_mels} mel bands"
        return figure, f"Waveform, mel spectrogram, spectrogram and MFCC of {who}; {settings}"

    def rows(self):
        corpora = ["corpus"] if len(self.controls["corpus"].options) > 1 else []
        return *corpora, ("word", "speaker"), ("window", "bands"), self.players[0], self.picture, self.message

    def _new_corpus(self):
        """Read it; if it cannot be read, the panel says why and stays where it was."""
        name, word, mine = self.controls["corpus"].value, self.controls["word"], self.lab.data
        if name == self.corpus.name:
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LabWarning)  # of few speakers: here they are only looked at
                corpus = mine if name == mine.name else self.present[name].load(data_folder() / name)
        except LabError:
            self.controls["corpus"].value = self.corpus.name
            raise
        self.corpus, before = corpus, word.value
        with self.drawn_once():
            word.options = corpus.labels
            word.value = before if before in corpus.labels else corpus.labels[0]
            self.new_word()
