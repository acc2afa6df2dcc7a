"""Which words a network takes for which; click a cell, and hear and see its clips."""

from functools import partial

import numpy as np

from .. import plots
from ..data.audio import read_audio
from ..errors import LabError, choose
from .browser import Matrix
from .panel import NO_SOUND, Panel, empty_figure, empty_picture

SHOWN = 4  # clips at a time


class ConfusionsPanel(Panel):
    """The confusion matrix of a run with clickable cells, and the clips of one cell.

    Controls: `part` (validation; test too where the run was tested: looking does not test), `said`, `heard` (the cell,
    also chosen by clicking it), and the buttons `earlier` and `later` for a cell with many clips.

    Parameters
    ----------
    run : Run
        With its corpus, as `lab.train` returns it.
    part : {"validation", "test"}

    `panel.matrix.chosen = [row, column]` is what a click does.
    """

    def __init__(self, lab, run, part="validation"):
        super().__init__(lab)
        if run.corpus is None:
            raise LabError(NO_SOUND.format(run.id))
        self.run, self.corpus = run, run.corpus
        parts = ["validation", "test"] if run.tested else ["validation"]
        choose(part, dict.fromkeys(parts), "part that this run has been tried on")
        self.matrix = Matrix(labels=list(run.labels))
        self.add("part", "Dropdown", self._new_part, options=parts, value=part)
        for name in ("said", "heard"):
            self.add(name, "Dropdown", self._named, options=run.labels)
        for name, icon, step in (("earlier", "arrow-left", -SHOWN), ("later", "arrow-right", SHOWN)):
            self.controls[name] = self.button(f"{name} clips", icon, partial(self._turn, step))
        for _ in range(SHOWN):
            self.add_player(flex="1 1 13em", max_width="22em")  # below its picture, if there is room
            self.sounds[-1].layout.width = "100%"
        self.matrix.observe(lambda change: self._chosen(), "chosen")
        self._new_part()

    @property
    def cell(self):
        """The words of the chosen cell: (said, heard)."""
        return self.controls["said"].value, self.controls["heard"].value

    @property
    def clips(self):
        """Predictions of the chosen cell, the surest first."""
        said, heard = self.cell
        mine = self._predictions[(self._predictions.label == said) & (self._predictions.predicted == heard)]
        return mine.sort_values("confidence", ascending=False, kind="stable").reset_index(drop=True)

    @property
    def shown(self):
        """The clips that are on view."""
        return self.clips.iloc[self._first : self._first + SHOWN]

    def draw(self):
        said, heard = self.cell
        shown, count, first, sample_rate = self.shown, len(self.clips), self._first, self.corpus.sample_rate
        last = first + len(shown)
        self.controls["earlier"].disabled, self.controls["later"].disabled = first == 0, last >= count
        sounds = {}
        if shown.empty:
            self.play(sounds)
            words = f"No clip of {said!r} was taken for {heard!r}"
            self.say(f"{words}. Click another cell.")
            return empty_picture(9.5, 1.5, words), f"Empty: {words}"
        figure = empty_figure(9.5, 2.9)
        axes = figure.subplots(2, SHOWN, sharex="col", height_ratios=(1, 2))
        for ax in axes[:, len(shown) :].flat:
            ax.axis("off")
        for (above, below), clip in zip(axes.T, shown.itertuples(), strict=False):
            samples, _ = read_audio(self.corpus.root / clip.path, sample_rate)
            high = 1.05 * abs(samples).max() + 1e-6
            plots.waveform(samples, sample_rate, above).set(xlabel="", ylabel="", ylim=(-high, high), yticks=[])
            above.set_title(f"{clip.Index + 1}: speaker {clip.speaker:.12}", loc="left", fontsize=10)
            plots.spectrogram(samples, sample_rate, below, colorbar=False).label_outer()
            sounds[f"{clip.Index + 1}: {100 * clip.confidence:.0f}% sure"] = samples, sample_rate
        self.play(sounds)
        many = f"clips {first + 1} to {last} of {count}" if count > 1 else "one clip"
        right = "recognised correctly" if said == heard else f"taken for {heard!r}"
        self.say(f"{said!r} {right}: {many}, the surest first ({self.controls['part'].value} part).")
        return figure, f"Waveforms and spectrograms of {said!r} {right}: {many}"

    def still(self):
        """The matrix: without a kernel nobody can click it."""
        part = self.controls["part"].value
        table = self.run.confusion(part)
        right, clips = int(np.trace(table)), int(table.to_numpy().sum())
        side = max(3.2, (0.62 if len(table) <= 12 else 0.235) * len(table))  # inches
        figure = plots.confusion(table, empty_figure(side + 1.9, side + 0.9))
        return self.render(figure), f"Confusion matrix of the {part} part: {right} of {clips} clips on the diagonal"

    def rows(self):
        clips = self.message, self.picture, tuple(self.players), ("earlier", "later")
        return "part", self.matrix, ("said", "heard"), *clips

    def _new_part(self):
        """Another part: its matrix, and the most frequent mistake in it."""
        part = self.controls["part"].value
        self._predictions = self.run.predictions(part)
        counts = self.run.confusion(part).to_numpy()
        wrong = counts - np.diag(np.diag(counts))
        made = ", synthetic speech" if self.synthetic else ""
        self.matrix.counts = counts.tolist()
        self.matrix.caption = f"Clips of the {part} part ({self.corpus.name}{made}). Click a cell."
        with self.drawn_once():
            self.matrix.chosen = [*divmod(int((wrong if wrong.any() else counts).argmax()), len(counts))]
            self._chosen()

    def _named(self):
        if not self.held:
            self.matrix.chosen = [self.run.labels.index(label) for label in self.cell]

    def _chosen(self):
        """Show the cell that was clicked, or named."""
        if max(self.matrix.chosen) >= len(self.run.labels):
            return
        self._first = 0
        with self.drawn_once():
            self.controls["said"].index, self.controls["heard"].index = self.matrix.chosen

    def _turn(self, step):
        self._first = max(0, min(self._first + step, (len(self.clips) - 1) // SHOWN * SHOWN))
        self.redraw()
