"""Which words a network takes for which; click a cell, and hear and see its clips."""

from .. import plots
from ..data.audio import read_audio
from ..errors import LabError, choose
from .explorer import wav
from .panel import NARROW, WIDE, Panel, column, empty_figure, empty_picture, row

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

    Attributes
    ----------
    matrix : anywidget.AnyWidget
        `matrix.chosen = [row, column]` is what a click does.
    clips : pandas.DataFrame
        Predictions of the chosen cell, the surest first.
    """

    def __init__(self, lab, run, part="validation"):
        import ipywidgets

        from .browser import Matrix

        super().__init__(lab)
        if run.corpus is None:
            raise LabError(
                f"Run {run.id} was read without its recordings. Pass what lab.train(run.experiment) returns."
            )
        self.run, self._first, self._busy = run, 0, False
        labels = list(run.labels)
        parts = ["validation", *(["test"] if run.tested else [])]
        choose(part, dict.fromkeys(parts), "part that this run has been tried on")
        look = {"style": NARROW, "layout": ipywidgets.Layout(width=WIDE)}
        self.controls = {
            "part": ipywidgets.Dropdown(options=parts, value=part, description="part", **look),
            "said": ipywidgets.Dropdown(options=labels, description="said", **look),
            "heard": ipywidgets.Dropdown(options=labels, description="heard", **look),
            "earlier": ipywidgets.Button(description="earlier clips", icon="arrow-left"),
            "later": ipywidgets.Button(description="later clips", icon="arrow-right"),
        }
        self.matrix = Matrix(labels=labels)
        full = ipywidgets.Layout(width="100%")
        sounds = [ipywidgets.Audio(format="wav", autoplay=False, loop=False, layout=full) for _ in range(SHOWN)]
        names = [ipywidgets.HTML() for _ in range(SHOWN)]
        self._sounds, self._names = sounds, names
        self._players = [column(name, sound) for name, sound in zip(names, sounds, strict=True)]
        for player in self._players:
            player.layout = ipywidgets.Layout(flex="1 1 13em", max_width="22em")  # below its picture, if there is room
        self._count(None)
        self.matrix.observe(self._clicked, "chosen")
        self.controls["part"].observe(self._count, "value")
        for name in ("said", "heard"):
            self.controls[name].observe(self._chosen, "value")
        for name, step in (("earlier", -SHOWN), ("later", SHOWN)):
            self.controls[name].on_click(lambda button, step=step: self._turn(step))

    @property
    def synthetic(self):
        return self.run.synthetic

    @property
    def clips(self):
        """Predictions of the chosen cell, the surest first."""
        said, heard = (self.controls[name].value for name in ("said", "heard"))
        table = self._predictions
        mine = table[(table.label == said) & (table.predicted == heard)]
        return mine.sort_values("confidence", ascending=False, kind="stable").reset_index(drop=True)

    @property
    def shown(self):
        """The clips that are on view."""
        return self.clips.iloc[self._first : self._first + SHOWN]

    def draw(self):
        shown, rate = self.shown, self.run.corpus.sample_rate
        said, heard = (self.controls[name].value for name in ("said", "heard"))
        for number, player in enumerate(self._players):
            player.layout.display = None if number < len(shown) else "none"
        if shown.empty:
            words = f"no clip of {said!r} was taken for {heard!r}"
            self.say(f"N{words[1:]}. Click another cell.")
            return empty_picture(9.5, 1.5, words), f"Empty: {words}"
        figure = empty_figure(9.5, 2.9)
        panels = figure.subplots(2, SHOWN, sharex="col", height_ratios=(1, 2), squeeze=False)
        for number in range(SHOWN):
            above, below = panels[:, number]
            if number >= len(shown):
                above.axis("off"), below.axis("off")
                continue
            clip = shown.iloc[number]
            samples, _ = read_audio(self.run.corpus.root / clip.path, rate)
            plots.waveform(samples, rate, above).set(xlabel="", ylabel="")
            above.set_title(f"{self._first + number + 1}: speaker {_short(clip.speaker)}", loc="left", fontsize=10)
            above.set_ylim(-1.05 * abs(samples).max() - 1e-6, 1.05 * abs(samples).max() + 1e-6)
            above.set_yticks([])
            plots.spectrogram(samples, rate, below, colorbar=False)
            if number:
                below.set(ylabel="", yticklabels=[])
            self._sounds[number].value = wav(samples, rate)
            self._names[number].value = f"{self._first + number + 1}: {100 * clip.confidence:.0f}% sure"
        last = self._first + len(shown)
        many = f"clips {self._first + 1} to {last} of {len(self.clips)}" if len(self.clips) > 1 else "one clip"
        right = "rightly recognised" if said == heard else f"taken for {heard!r}"
        self.say(f"{said!r} {right}: {many}, the surest first ({self.controls['part'].value} part).")
        return figure, f"Waveforms and spectrograms of {said!r} {right}: {many}"

    def still(self):
        """The matrix: without a kernel nobody can click it."""
        part = self.controls["part"].value
        table = self.run.confusion(part)
        right = sum(table.iloc[number, number] for number in range(len(table)))
        alt = f"Confusion matrix of the {part} part: {right} of {int(table.to_numpy().sum())} clips on the diagonal"
        return self.render(plots.confusion(table, empty_figure(*_size(len(table))))), alt

    def redraw(self):
        super().redraw()
        self.controls["earlier"].disabled = self._first == 0
        self.controls["later"].disabled = self._first + SHOWN >= len(self.clips)

    @property
    def view(self):
        part, said, heard, earlier, later = self.controls.values()
        cell = [row(said, heard), self._message, self._picture, row(*self._players), row(earlier, later)]
        return column(row(part), self.matrix, *cell)

    def _count(self, change):
        """Another part: its matrix, and the most frequent mistake in it."""
        part = self.controls["part"].value
        self._predictions = self.run.predictions(part)
        table = self.run.confusion(part).to_numpy()
        wrong = table.copy()
        for number in range(len(wrong)):
            wrong[number, number] = 0
        worst = divmod(int((wrong if wrong.any() else table).argmax()), len(wrong))
        self.matrix.counts = table.tolist()
        made = ", synthetic speech" if self.synthetic else ""
        self.matrix.caption = f"Clips of the {part} part ({self.run.record['corpus']['name']}{made}). Click a cell."
        self._choose(*worst)

    def _clicked(self, change):
        size = len(self.run.labels)
        if not self._busy and len(change["new"]) == 2 and all(0 <= number < size for number in change["new"]):
            self._choose(*change["new"])

    def _chosen(self, change):
        labels = self.run.labels
        if not self._busy:
            self._choose(*(labels.index(self.controls[name].value) for name in ("said", "heard")))

    def _choose(self, said, heard):
        """Show one cell; drawn once, not once for each control that moves."""
        self._first, self._busy = 0, True
        self.controls["said"].value, self.controls["heard"].value = self.run.labels[said], self.run.labels[heard]
        self.matrix.chosen = [said, heard]
        self._busy = False
        self.redraw()

    def _turn(self, step):
        self._first = max(0, min(self._first + step, (len(self.clips) - 1) // SHOWN * SHOWN))
        self.redraw()


def _size(classes):
    """Inches of a matrix."""
    side = max(3.2, 0.62 * classes if classes <= 12 else 0.235 * classes)
    return side + 1.9, side + 0.9


def _short(name):
    return name if len(name) <= 12 else name[:10] + "…"
