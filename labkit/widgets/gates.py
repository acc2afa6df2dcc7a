"""A cell at work: what its gates do while it hears a word."""

from .. import plots
from ..data.audio import read_audio
from ..errors import LabError, choose
from .explorer import speakers_of, wav
from .panel import NARROW, WIDE, Panel, column, empty_figure, row

OPEN = ("i", "f", "o")  # gates: between closed (0) and open (1)
NAMES = {"i": "input gate i", "f": "forget gate f", "o": "output gate o", "g": "candidate g"}
NAMES |= {"c": "memory c", "h": "output h"}
COLUMNS = 3


class GatesPanel(Panel):
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

    Attributes
    ----------
    quantities : dict of str to torch.Tensor
        What is shown: by name, of shape (frames, hidden).
    """

    def __init__(self, lab, runs, word=None, speaker=None):
        import ipywidgets

        super().__init__(lab)
        runs = runs if isinstance(runs, dict) else _named(runs if isinstance(runs, list | tuple) else [runs])
        if not runs:
            raise LabError("There is no run to look into. Train one: lab.train(experiment).")
        self.runs = runs
        for run in runs.values():
            layer_of(run)  # says what is wrong before anything is drawn
        labels = next(iter(runs.values())).labels
        word = word or labels[0]
        choose(word, dict.fromkeys(labels), "word that the network knows")
        look = {"style": NARROW, "layout": ipywidgets.Layout(width=WIDE)}
        self.controls = {
            "run": ipywidgets.Dropdown(options=list(runs), description="cell", **look),
            "word": ipywidgets.Dropdown(options=labels, value=word, description="word", **look),
            "speaker": ipywidgets.Dropdown(description="speaker", **look),
            "unit": ipywidgets.IntSlider(value=0, min=0, max=1, description="unit", continuous_update=False, **look),
        }
        self._sound = ipywidgets.Audio(format="wav", autoplay=False, loop=False)
        self._offer(speaker)
        self.controls["run"].observe(self._new, "value")
        self.controls["word"].observe(self._new, "value")
        for name in ("speaker", "unit"):
            self.controls[name].observe(self._changed, "value")
        self._changed()

    @property
    def run(self):
        return self.runs[self.controls["run"].value]

    @property
    def synthetic(self):
        return self.run.synthetic

    @property
    def clip(self):
        """The row of the corpus' table that is shown."""
        clips = self.run.corpus.clips
        return clips[
            (clips.label == self.controls["word"].value) & (clips.speaker == self.controls["speaker"].value)
        ].iloc[0]

    def draw(self):
        import torch

        run, clip = self.run, self.clip
        feature = run.experiment.feature
        samples, rate = read_audio(run.corpus.root / clip.path, feature.sample_rate)
        waveform, length = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
        network = run.network.cpu()
        x, frames = feature.build()(waveform, length)
        x = x[:, : int(frames[0])]  # (1, frames, features): without the filling
        with torch.no_grad():
            scores = network(x, frames).softmax(1)[0]
            self.quantities = layer_of(run).quantities(network.front(x)[0])
        unit = self.controls["unit"].value
        shown = {name: values for name, values in self.quantities.items() if values.ndim == 2}
        figure = self._pictures(shown, unit, samples, rate, feature)
        self._sound.value = wav(samples, rate)
        heard = run.labels[int(scores.argmax())]
        who = f"{clip.label!r} by speaker {clip.speaker} ({clip.split} part)"
        gates = [name for name in OPEN if name in shown]
        means = ", ".join(f"{name} {shown[name].mean():.2f}" for name in gates)
        self.say(
            f"{who}: the network hears {heard!r} ({100 * float(scores.max()):.0f}% sure). {len(x[0])} frames, "
            f"{next(iter(shown.values())).shape[1]} units. Mean over all units and frames: {means} "
            f"(0: closed, 1: open). The line: {'the mean of all units' if unit == 0 else f'unit {unit}'}."
        )
        return figure, f"{', '.join(shown)} of the cell of {self.controls['run'].value} over time for {who}"

    def _pictures(self, shown, unit, samples, rate, feature):
        rows = 1 + -(-len(shown) // COLUMNS)
        figure = empty_figure(9.5, 1.1 + 1.75 * (rows - 1) + 0.5)
        grid = figure.add_gridspec(rows, COLUMNS, height_ratios=[0.6] + [1] * (rows - 1))
        above = figure.add_subplot(grid[0, :])
        plots.waveform(samples, rate, above).set(xlabel="", ylabel="", yticks=[])
        frames = next(iter(shown.values())).shape[0]
        time = plots.sound.times(feature, frames)
        above.set_xlim(0, max(time[-1], 1e-3))
        for number, (name, values) in enumerate(shown.items()):
            ax = figure.add_subplot(grid[1 + number // COLUMNS, number % COLUMNS])
            values = values.numpy()  # (frames, hidden)
            gate = name in OPEN
            high = 1.0 if gate else max(1e-6, float(abs(values).max()))
            look = (
                {"low": 0.0, "high": 1.0, "cmap": "cividis"} if gate else {"low": -high, "high": high, "cmap": "PuOr_r"}
            )
            units = range(1, values.shape[1] + 1)
            drawn = plots.image(values.T, ax, time, list(units), **look)
            figure.colorbar(drawn, ax=ax, pad=0.02)
            line = values.mean(1) if unit == 0 else values[:, unit - 1]
            over = ax.twinx()
            over.plot(time, line, color="white", linewidth=3.2)
            over.plot(time, line, color="black", linewidth=1.4)
            over.set(ylim=(look["low"], look["high"]), yticks=[])
            ax.set_title(NAMES.get(name, name), loc="left", fontsize=11)
            ax.set(xlabel="time (s)" if number >= len(shown) - COLUMNS else "")
            ax.set_ylabel("unit" if number % COLUMNS == 0 else "")
        return figure

    @property
    def view(self):
        run, word, speaker, unit = self.controls.values()
        return column(row(run, word, speaker), row(unit), self._sound, self._message, self._picture)

    def _offer(self, wanted=None):
        """Speakers of the word, and units of the network."""
        dropdown, word = self.controls["speaker"], self.controls["word"].value
        names = speakers_of(self.run.corpus, word)
        if wanted is not None:
            choose(wanted, {name: name for name in names.values()}, f"speaker who says {word!r}")
        wanted = wanted or dropdown.value
        dropdown.options = list(names.items())
        dropdown.value = wanted if wanted in names.values() else next(iter(names.values()))
        self.controls["unit"].max = layer_of(self.run).hidden_size

    def _new(self, change):
        """Drawn once, not once for each control that moves."""
        for name in ("speaker", "unit"):
            self.controls[name].unobserve(self._changed, "value")
        self._offer()
        for name in ("speaker", "unit"):
            self.controls[name].observe(self._changed, "value")
        self._changed()

    def _changed(self, change=None):
        self.redraw()


def layer_of(run):
    """The first recurrent layer of a run's network, as a `CellLayer`; LabError if it has no LSTM cell."""
    import torch

    from ..models.cell_layer import CellLayer

    if run.corpus is None:
        raise LabError(f"Run {run.id} was read without its recordings. Pass what lab.train(run.experiment) returns.")
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
    """Runs by the name of their model, numbered where two share it."""
    names = [run.experiment.model.name for run in runs]
    return {
        name if names.count(name) == 1 else f"{name}, seed {run.experiment.seed} ({run.id[:4]})": run
        for name, run in zip(names, runs, strict=True)
    }
