"""Train a model by button, watch it learn, and copy the settings as code."""

import threading
import time
from dataclasses import fields, is_dataclass

from .. import plots
from ..errors import LabError
from ..experiment import Experiment
from ..models import MODELS, Model, hyperparameters
from ..splits import LEAKY
from ..training import Watch
from .panel import NARROW, Panel, empty_figure

WIDTHS = (1, 2048)
EPOCHS = (1, 1000)
PAUSE = 0.5  # seconds between two pictures of a training: drawing must not slow it down


class TrainerPanel(Panel):
    """Model, width, rate and epochs; Train and Stop; a live curve, and a list of the finished runs.

    Training goes on in a thread, so other cells can be run meanwhile. Stop keeps the epochs that were finished, and
    Train with the same settings goes on after them.

    Parameters
    ----------
    lab : Lab
    experiment : Experiment, optional
        What the controls change; all else stays as in here.
    words : iterable of str, optional
        Learn these words only.

    Attributes
    ----------
    train, stop : ipywidgets.Button
    run : Run or None
        The last finished run.
    runs : list of Run
        All runs finished in this panel.
    code : str
        The present settings as Python, ready to be copied into a cell.
    """

    def __init__(self, lab, experiment=None, words=None):
        import ipywidgets

        super().__init__(lab)
        self.base = experiment or Experiment()
        if words is not None:
            self.base = self.base.change(corpus={"labels": tuple(words)})
        recipe, model = self.base.recipe, self.base.model
        self.controls = {
            "model": ipywidgets.Dropdown(options=sorted(MODELS), value=model.name, description="model", style=NARROW),
            "width": ipywidgets.IntText(model.full.get("hidden", 128), description="width", style=NARROW),
            "rate": ipywidgets.FloatText(recipe.rate, step=0.001, description="rate", style=NARROW),
            "epochs": ipywidgets.IntText(recipe.epochs, description="epochs", style=NARROW),
        }
        self.train = ipywidgets.Button(description="Train", button_style="primary", icon="play")
        self.stop = ipywidgets.Button(description="Stop", icon="stop")
        self.bar = ipywidgets.FloatProgress(value=0, min=0, max=1, layout=ipywidgets.Layout(width="20em"))
        self._listed = ipywidgets.HTML()
        wide = ipywidgets.Layout(width="100%", height="11em")
        self._code = ipywidgets.Textarea(disabled=True, layout=wide)
        self.run, self.runs, self.error = None, [], None
        self._history, self._trained = [], None  # of the run under way, and its experiment
        self._thread, self._watch = None, None
        self.train.on_click(self._start)
        self.stop.on_click(self._halt)
        for control in self.controls.values():
            control.observe(self._changed, "value")
        self._changed()
        self.redraw()

    @property
    def experiment(self):
        """The experiment that the controls describe; LabError if they do not fit together."""
        values = {name: control.value for name, control in self.controls.items()}
        _within("width", values["width"], WIDTHS)
        _within("epochs", values["epochs"], EPOCHS)
        options = dict(self.base.model.options) if values["model"] == self.base.model.name else {}
        if self._has_width(values["model"]):
            options["hidden"] = values["width"]
        recipe = {"rate": values["rate"], "epochs": values["epochs"]}
        return self.base.change(model=Model(values["model"], **options), recipe=recipe)

    @property
    def code(self):
        return as_code(self.experiment)

    @property
    def busy(self):
        """Whether a training is under way."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self, timeout=None):
        """Wait until the training under way is over (at most `timeout` seconds); return the last finished run."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self.run

    def draw(self):
        figure = empty_figure(8.5, 3.2)
        done = self.run is not None and self.run.experiment == self._trained
        plots.training_curves(self.run if done else self._history, figure=figure)
        loss, accuracy = figure.axes
        classes = len(self.base.corpus.labels or self.lab.data.labels)
        accuracy.axhline(100 / classes, color="0.3", linestyle=":", linewidth=1.2)
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "size": 10}
        accuracy.annotate("chance", (1, 100 / classes), (-2, 3), **place)
        for run in self.runs[-5:]:
            if run.experiment != self._trained:
                history = run.history
                accuracy.plot(history.epoch, 100 * history.validation_accuracy, color="0.7", linewidth=1, zorder=1)
        accuracy.set(ylim=(0, 102))
        if not self._history:
            for ax in (loss, accuracy):
                ax.set(xlim=(0.5, self.controls["epochs"].value + 0.5), ylim=(0, 1 if ax is loss else 102))
            loss.annotate("press Train", (0.5, 0.5), xycoords="axes fraction", ha="center", color="0.4")
            return figure, "Training curves, still empty: nothing was trained yet"
        last = self._history[-1]
        accurate = 100 * last["validation_accuracy"]
        return figure, (
            f"Training curves of {self._trained.model.name} over {len(self._history)} epochs. At the end the "
            f"validation loss is {last['validation_loss']:.2f}, the validation accuracy {accurate:.1f}%"
        )

    @property
    def view(self):
        from ipywidgets import HBox, VBox

        model, width, rate, epochs = self.controls.values()
        buttons = HBox([self.train, self.stop, self.bar])
        rows = [HBox([model, width]), HBox([rate, epochs]), buttons, self._message, self._picture, self._listed]
        return VBox([*rows, self._code])

    def _has_width(self, model):
        return "hidden" in hyperparameters(model)

    def _changed(self, change=None):
        """A control moved: show the new settings as code, or what is wrong with them."""
        self.controls["width"].disabled = not self._has_width(self.controls["model"].value)
        try:
            self._code.value = self.code
        except LabError as error:
            self._code.value = ""
            if not self.busy:
                self.say(str(error), wrong=True)
            return
        if not self.busy:
            self.say("Press Train.")

    def _start(self, button=None):
        if self.busy:
            self.say("A training is under way already. Press Stop first, or wait.", wrong=True)
            return
        try:
            experiment = self.experiment
        except LabError as error:
            self.say(str(error), wrong=True)
            return
        if experiment != self._trained:
            self._history = []
        self._trained, self.error = experiment, None
        self._watch = PanelWatch(self)
        self.bar.value, self.bar.max, self.bar.bar_style = 0, experiment.recipe.epochs, ""
        self.say(f"Training {experiment.model.name} ...")
        self._thread = threading.Thread(target=self._work, args=(experiment, self._watch), name="trainer", daemon=True)
        self._thread.start()

    def _halt(self, button=None):
        if not self.busy:
            self.say("Nothing is being trained.", wrong=True)
            return
        self.say("Stopping after this batch ...")
        self._watch.stop = True

    def _work(self, experiment, watch):
        """What the thread does. Whatever happens ends as a message: nobody sees a thread's errors."""
        try:
            run = self.lab.train(experiment, watch=watch)
        except LabError as error:
            self.error = error
            self.say(str(error), wrong=True)
        except Exception as error:
            self.error = error
            self.say(f"{type(error).__name__}: {error}. Change a setting and press Train again.", wrong=True)
        else:
            self._finish(run, experiment, watch)
        if self.error is not None:
            self.bar.bar_style = "danger"
        self.redraw()

    def _finish(self, run, experiment, watch):
        if run is None:
            done = len(self._history)
            epochs = experiment.recipe.epochs
            kept = f"after epoch {done} of {epochs}" if done else "before the first epoch was over"
            self.bar.bar_style = "warning"
            self.say(f"Stopped {kept}. The epochs that were finished are kept: Train with the same settings goes on.")
            return
        self._history = run.history.to_dict("records")
        self.run = run
        if run.id not in [other.id for other in self.runs]:
            self.runs.append(run)
        self.bar.value, self.bar.bar_style = self.bar.max, "success"
        figures = run.validation
        heard = "that it was trained on" if run.record["protocol"] in LEAKY else "it never heard"
        self.say(
            f"{'Trained' if watch.seen else 'This run was there already, so it was loaded'}: validation accuracy "
            f"{100 * figures['accuracy']:.1f}% on {figures['clips']:,} clips of speakers {heard} "
            f"(chance {100 * figures['chance']:.1f}%), weights of epoch {run.record['best_epoch']}."
        )
        self._listed.value = plots.as_html(self.table())

    def table(self):
        """The finished runs as a DataFrame, the latest last."""
        import pandas as pd

        rows = []
        for run in self.runs:
            experiment = run.experiment
            rows.append(
                {
                    "model": experiment.model.name,
                    "width": experiment.model.full.get("hidden", "–"),
                    "rate": experiment.recipe.rate,
                    "epochs": experiment.recipe.epochs,
                    "parameters": run.record["parameters"],
                    "validation_accuracy": run.validation["accuracy"],
                    "chance": run.validation["chance"],
                    "s_per_epoch": run.record["seconds_per_epoch"],
                    "corpus": run.record["corpus"]["name"],
                }
            )
        return pd.DataFrame(rows, index=range(1, len(rows) + 1))


class PanelWatch(Watch):
    """Tells a panel how its training goes, and stops it when asked."""

    def __init__(self, panel):
        super().__init__()
        self.panel, self.seen, self.drawn = panel, False, 0.0

    def batch(self, epoch, done, total):
        self.seen = True
        if done == total or done % max(1, total // 10) == 0:
            self.panel.bar.value = epoch - 1 + done / total

    def epoch(self, history):
        self.panel._history = list(history)
        last = history[-1]
        if not self.stop:
            self.panel.say(f"Epoch {last['epoch']}: validation accuracy {100 * last['validation_accuracy']:.1f}%")
        if time.monotonic() - self.drawn > PAUSE:
            self.panel.redraw()
            self.drawn = time.monotonic()


def as_code(experiment):
    """An experiment as Python that makes it again and trains it.

    >>> print(as_code(Experiment().change(model={"name": "lstm", "hidden": 64}, recipe={"epochs": 5})))
    experiment = labkit.Experiment(
        model=labkit.Model('lstm', hidden=64),
        recipe=labkit.Recipe(epochs=5),
    )
    run = lab.train(experiment)
    """
    plain = Experiment()
    lines = []
    for part in fields(experiment):
        value = getattr(experiment, part.name)
        if value != getattr(plain, part.name):
            lines.append(f"    {part.name}={_written(value)},")
    body = "\n".join(["experiment = labkit.Experiment(", *lines, ")"]) if lines else "experiment = labkit.Experiment()"
    return f"{body}\nrun = lab.train(experiment)"


def _written(value):
    """A setting as Python, defaults left out."""
    if isinstance(value, Model):
        return f"labkit.{value!r}"
    if is_dataclass(value):
        changed = [part for part in fields(value) if getattr(value, part.name) != part.default]
        inner = ", ".join(f"{part.name}={_written(getattr(value, part.name))}" for part in changed)
        return f"labkit.{type(value).__name__}({inner})"
    return repr(value)


def _within(name, value, bounds):
    low, high = bounds
    if not low <= value <= high:
        raise LabError(f"The {name} is {value:,}; it must lie between {low} and {high:,}. Change it.")
