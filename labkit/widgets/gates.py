"""A cell at work: what its gates do while it hears a word."""

import math

import torch

from .. import plots
from ..errors import LabError
from ..models.cell_layer import CellLayer
from .panel import NO_SOUND, ClipPanel, empty_figure

GATES = ("i", "f", "o")  # between closed (0) and open (1)
NAMES = {"i": "input gate i", "f": "forget gate f", "o": "output gate o", "g": "candidate g"}
NAMES |= {"c": "memory c", "h": "output h"}
COLUMNS = 3


class GatesPanel(ClipPanel):
    """The gates, the memory and the output of a recurrent cell over one word, unit by unit.

    All values are those that the cell's own equations name, in the first layer of a trained run, read forwards.

    Controls: `run` (which network), `word`, `speaker`, `unit` (drawn as a line over the picture of all units; 0 is the
    mean of all).

    Parameters
    ----------
    runs : Run, or list of Run, or dict from name to Run
        Of LSTM cells: the model "lstm", or any registered cell ("peephole", "coupled" ...).
    word, speaker : str, optional
        What is shown first.
    """

    def __init__(self, lab, runs, word=None, speaker=None):
        super().__init__(lab)
        if not isinstance(runs, dict):
            runs = {run.name: run for run in (runs if isinstance(runs, list | tuple) else [runs])}
        self.runs = runs
        if not self.runs:
            raise LabError("There is no run to look into. Train one: lab.train(experiment).")
        self.layers = {name: layer_of(run) for name, run in self.runs.items()}
        self.corpus = next(iter(runs.values())).corpus
        with self.drawn_once():
            self.add("run", "Dropdown", self._new_run, "cell", options=list(self.runs))
            self.add("unit", "IntSlider", self.redraw, value=0, min=0, max=1, continuous_update=False)
            self.add_clip(self.corpus.labels, word, speaker)
            self._new_run()

    def draw(self):
        name, unit = self.controls["run"].value, self.controls["unit"].value
        run, layer = self.runs[name], self.layers[name]
        feature = run.experiment.feature
        sample_rate = feature.sample_rate
        samples, who = self.hear(sample_rate)
        probability, predicted = run.probabilities(samples[None])[0].max(0)
        x, frames = feature.build()(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        x = run.network.front(x.to(run.device))[0, : int(frames[0])]  # (frames, features): without the padding
        self.quantities = layer.quantities(x)
        shown = {name: values.cpu().numpy() for name, values in self.quantities.items()}  # (frames, hidden)
        figure = drawn(shown, unit, samples, sample_rate, plots.sound.times(feature, len(x)))
        means = ", ".join(f"{name} {shown[name].mean():.2f}" for name in GATES if name in shown)
        self.say(
            f"{who}: the network hears {run.labels[int(predicted)]!r} ({100 * float(probability):.0f}% sure). "
            f"{len(x)} frames, {self.controls['unit'].max} units. Mean over all units and frames: {means} "
            f"(0: closed, 1: open). The line: {f'unit {unit}' if unit else 'the mean of all units'}."
        )
        return figure, f"{', '.join(shown)} of the cell of {name} over time for {who}"

    def rows(self):
        return ("run", "word", "speaker"), "unit", self.players[0], self.message, self.picture

    def _new_run(self):
        name = self.controls["run"].value
        self.corpus = self.runs[name].corpus
        with self.drawn_once():
            self.controls["unit"].max = self.layers[name].hidden_size
            self.new_word()


def drawn(shown, unit, samples, sample_rate, time):
    """The word above, and a picture of each quantity, units by frames, with a line for one unit (0: their mean)."""
    lines = math.ceil(len(shown) / COLUMNS)
    figure = empty_figure(9.5, 1.6 + 1.75 * lines)
    grid = figure.add_gridspec(1 + lines, COLUMNS, height_ratios=[0.6] + [1] * lines)
    above = plots.waveform(samples, sample_rate, figure.add_subplot(grid[0, :]))
    above.set(xlabel="", ylabel="", yticks=[], xlim=(0, max(time[-1], 1e-3)))
    for number, (name, values) in enumerate(shown.items()):  # values: (frames, hidden)
        ax = figure.add_subplot(grid[COLUMNS + number])
        high = 1.0 if name in GATES else max(1e-6, float(abs(values).max()))
        low, colours = (0.0, "cividis") if name in GATES else (-high, "PuOr_r")
        units = range(1, values.shape[1] + 1)
        plots.image(values.T, ax, time, units, low=low, high=high, cmap=colours, label="")
        line = values[:, unit - 1] if unit else values.mean(1)
        over = ax.twinx()
        over.plot(time, line, color="white", linewidth=3.2)
        over.plot(time, line, color="black", linewidth=1.4)
        over.set(ylim=(low, high), yticks=[])
        ax.set_title(NAMES.get(name, name), loc="left", fontsize=11)
        ax.set_xlabel("time (s)" if number >= len(shown) - COLUMNS else "")
        ax.set_ylabel("unit" if number % COLUMNS == 0 else "")
    return figure


def layer_of(run):
    """The first recurrent layer of a run's network, as a `CellLayer`; LabError if it has no LSTM cell."""
    if run.corpus is None:
        raise LabError(NO_SOUND.format(run.id))
    layers = getattr(run.network.network, "forwards", [None])
    layer = CellLayer.from_torch(layers[0]) if isinstance(layers[0], torch.nn.LSTM) else layers[0]
    if not isinstance(layer, CellLayer):
        wrong = f"The model {run.experiment.model.name!r} has no LSTM cell whose gates could be shown."
        raise LabError(f"{wrong} Train 'lstm', 'peephole', 'coupled' or another cell.")
    return layer
