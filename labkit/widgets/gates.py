"""A cell at work: what its gates do while it hears a word."""

import torch

from .. import plots
from ..data.audio import read_audio, wav_bytes
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
    lab : Lab
    runs : Run, or list of Run, or dict from name to Run
        Of LSTM cells: the model "lstm", or any registered cell ("peephole", "coupled" ...).
    word, speaker : str, optional
        What is shown first.
    """

    def __init__(self, lab, runs, word=None, speaker=None):
        super().__init__(lab)
        self.runs = runs if isinstance(runs, dict) else _named(runs if isinstance(runs, list | tuple) else [runs])
        if not self.runs:
            raise LabError("There is no run to look into. Train one: lab.train(experiment).")
        for run in self.runs.values():
            layer_of(run)  # says what is wrong before anything is drawn
        with self.drawn_once():
            self.add("run", "Dropdown", self._new_run, "cell", options=list(self.runs))
            self.add_clip(self.run.labels, word, speaker)
            self.add("unit", "IntSlider", self.redraw, value=0, min=0, max=1, continuous_update=False)
            self._new_run()

    @property
    def run(self):
        return self.runs[self.controls["run"].value]

    @property
    def corpus(self):
        return self.run.corpus

    @property
    def synthetic(self):
        return self.run.synthetic

    def draw(self):
        run, clip = self.run, self.clip
        feature, network = run.experiment.feature, run.network.cpu()
        samples, rate = read_audio(run.corpus.root / clip.path, feature.sample_rate)
        x, frames = feature.build()(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        x = x[:, : int(frames[0])]  # (1, frames, features): without the padding
        with torch.no_grad():
            probability, predicted = network(x, frames).softmax(1)[0].max(0)
            # what is shown, by name: (frames, hidden)
            self.quantities = layer_of(run).quantities(network.front(x)[0])
        unit = self.controls["unit"].value
        shown = {name: values.numpy() for name, values in self.quantities.items() if values.ndim == 2}
        figure = drawn(shown, unit, samples, rate, plots.sound.times(feature, x.shape[1]))
        self.sounds[0].value = wav_bytes(samples, rate)
        who = f"{clip.label!r} by speaker {clip.speaker} ({clip.split} part)"
        means = ", ".join(f"{name} {shown[name].mean():.2f}" for name in GATES if name in shown)
        self.say(
            f"{who}: the network hears {run.labels[int(predicted)]!r} ({100 * float(probability):.0f}% sure). "
            f"{x.shape[1]} frames, {self.controls['unit'].max} units. Mean over all units and frames: {means} "
            f"(0: closed, 1: open). The line: {'the mean of all units' if unit == 0 else f'unit {unit}'}."
        )
        return figure, f"{', '.join(shown)} of the cell of {self.controls['run'].value} over time for {who}"

    def rows(self):
        return ("run", "word", "speaker"), "unit", self.sounds[0], self.message, self.picture

    def _new_run(self):
        with self.drawn_once():
            self.controls["unit"].max = layer_of(self.run).hidden_size
            self.new_word()


def drawn(shown, unit, samples, rate, time):
    """The word above, and a picture of each quantity, units by frames, with a line for one unit (0: their mean)."""
    lines = -(-len(shown) // COLUMNS)
    figure = empty_figure(9.5, 1.6 + 1.75 * lines)
    grid = figure.add_gridspec(1 + lines, COLUMNS, height_ratios=[0.6] + [1] * lines)
    above = figure.add_subplot(grid[0, :])
    plots.waveform(samples, rate, above).set(xlabel="", ylabel="", yticks=[])
    above.set_xlim(0, max(time[-1], 1e-3))
    for number, (name, values) in enumerate(shown.items()):  # values: (frames, hidden)
        ax = figure.add_subplot(grid[1 + number // COLUMNS, number % COLUMNS])
        high = 1.0 if name in GATES else max(1e-6, float(abs(values).max()))
        low, colours = (0.0, "cividis") if name in GATES else (-high, "PuOr_r")
        units = list(range(1, values.shape[1] + 1))
        figure.colorbar(plots.image(values.T, ax, time, units, low=low, high=high, cmap=colours), ax=ax, pad=0.02)
        line = values.mean(1) if unit == 0 else values[:, unit - 1]
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
    layers = getattr(run.network.network, "forwards", None)
    layer = layers[0] if layers else None
    if isinstance(layer, torch.nn.LSTM):
        layer = CellLayer.from_torch(layer)
    if not isinstance(layer, CellLayer):
        raise LabError(
            f"The model {run.experiment.model.name!r} has no LSTM cell whose gates could be shown. Train 'lstm', "
            "'peephole', 'coupled' or another cell."
        )
    return layer


def _named(runs):
    """Runs by the name of their model, with seed and id where two share it."""
    names = [run.experiment.model.name for run in runs]
    return {
        name if names.count(name) == 1 else f"{name}, seed {run.experiment.seed} ({run.id[:4]})": run
        for name, run in zip(names, runs, strict=True)
    }
