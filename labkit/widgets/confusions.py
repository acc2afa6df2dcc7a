"""Which words a network takes for which; click a cell, and hear and see its clips."""

from functools import partial

import ipywidgets
import numpy as np
from ipywidgets import Layout

from .. import plots
from ..data.audio import read_audio, wav_bytes
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
    lab : Lab
    run : Run
        With its corpus, as `lab.train` returns it.
    part : {"validation", "test"}

    `panel.matrix.chosen = [row, column]` is what a click does.
    """

    def __init__(self, lab, run, part="validation"):
        super().__init__(lab)
        if run.corpus is None:
            raise LabError(NO_SOUND.format(run.id))
        self.run, self._first = run, 0
        parts = ["validation", "test"] if run.tested else ["validation"]
        choose(part, dict.fromkeys(parts), "part that this run has been tried on")
        self.matrix = Matrix(labels=list(run.labels))
        self.add("part", "Dropdown", self._new_part, options=parts, value=part)
        for name in ("said", "heard"):
            self.add(name, "Dropdown", self._named, options=run.labels)
        for name, icon, step in (("earlier", "arrow-left", -SHOWN), ("later", "arrow-right", SHOWN)):
            self.controls[name] = self.button(f"{name} clips", icon, partial(self._turn, step))
        self.players = []
        for _ in range(SHOWN):
            self.add_sound()
            self.sounds[-1].layout.width = "100%"
            below_its_picture = Layout(flex="1 1 13em", max_width="22em")  # if there is room
            self.players.append(ipywidgets.VBox([ipywidgets.HTML(), self.sounds[-1]], layout=below_its_picture))
        self.matrix.observe(self._clicked, "chosen")
        self._new_part()

    @property
    def synthetic(self):
        return self.run.synthetic

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
        (said, heard), shown, rate = self.cell, self.shown, self.run.corpus.sample_rate
        for number, player in enumerate(self.players):
            player.layout.display = None if number < len(shown) else "none"
        if shown.empty:
            words = f"o clip of {said!r} was taken for {heard!r}"
            self.say(f"N{words}. Click another cell.")
            return empty_picture(9.5, 1.5, f"n{words}"), f"Empty: n{words}"
        figure = empty_figure(9.5, 2.9)
        axes = figure.subplots(2, SHOWN, sharex="col", height_ratios=(1, 2))
        for ax in axes[:, len(shown) :].flat:
            ax.axis("off")
        for (above, below), clip, player in zip(axes.T, shown.itertuples(), self.players, strict=False):
            title, sound = player.children
            samples, _ = read_audio(self.run.corpus.root / clip.path, rate)
            high = 1.05 * abs(samples).max() + 1e-6
            plots.waveform(samples, rate, above).set(xlabel="", ylabel="", ylim=(-high, high), yticks=[])
            speaker = clip.speaker if len(clip.speaker) <= 12 else clip.speaker[:10] + "…"
            above.set_title(f"{clip.Index + 1}: speaker {speaker}", loc="left", fontsize=10)
            plots.spectrogram(samples, rate, below, colorbar=False)
            if clip.Index > self._first:
                below.set(ylabel="", yticklabels=[])
            sound.value = wav_bytes(samples, rate)
            title.value = f"{clip.Index + 1}: {100 * clip.confidence:.0f}% sure"
        last, count = self._first + len(shown), len(self.clips)
        many = f"clips {self._first + 1} to {last} of {count}" if count > 1 else "one clip"
        right = "rightly recognised" if said == heard else f"taken for {heard!r}"
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

    def redraw(self):
        super().redraw()
        self.controls["earlier"].disabled = self._first == 0
        self.controls["later"].disabled = self._first + SHOWN >= len(self.clips)

    def rows(self):
        cell = ("said", "heard"), self.message, self.picture, tuple(self.players), ("earlier", "later")
        return "part", self.matrix, *cell

    def _new_part(self):
        """Another part: its matrix, and the most frequent mistake in it."""
        part = self.controls["part"].value
        self._predictions = self.run.predictions(part)
        counts = self.run.confusion(part).to_numpy()
        wrong = counts - np.diag(np.diag(counts))
        made = ", synthetic speech" if self.synthetic else ""
        self.matrix.counts = counts.tolist()
        self.matrix.caption = f"Clips of the {part} part ({self.run.record['corpus']['name']}{made}). Click a cell."
        self._choose(*divmod(int((wrong if wrong.any() else counts).argmax()), len(counts)))

    def _clicked(self, change):
        cell = change["new"]
        if not self.held and len(cell) == 2 and all(0 <= number < len(self.run.labels) for number in cell):
            self._choose(*cell)

    def _named(self):
        if not self.held:
            self._choose(*map(self.run.labels.index, self.cell))

    def _choose(self, said, heard):
        """Show one cell."""
        self._first = 0
        with self.drawn_once():
            self.controls["said"].value, self.controls["heard"].value = self.run.labels[said], self.run.labels[heard]
            self.matrix.chosen = [said, heard]

    def _turn(self, step):
        self._first = max(0, min(self._first + step, (len(self.clips) - 1) // SHOWN * SHOWN))
        self.redraw()
