"""Train a model by button, watch it learn, compare the runs, and copy the settings as code."""

import threading
import time
from dataclasses import replace

from ..data.splits import LEAKY
from ..errors import LabError
from ..experiments.experiment import Experiment
from ..features import FEATURES
from ..models import MODELS, Model, count_parameters, hyperparameters
from . import controls as settings
from . import train_process as worker
from . import unfinished
from .as_code import as_code
from .comparison import compared, drawn_curves, listed
from .panel import NARROW, WIDE, Panel, column, picture, row

PAUSE = 0.5  # seconds between two pictures of a training: drawing must not slow it down
SECTIONS = ("model", "feature", "recipe", "augmentation")
ABOVE = ("recipe.epochs", "recipe.rate")  # settings that are always in sight
READY = "Press Train."


class TrainerPanel(Panel):
    """All settings of an experiment; Train, Stop and Resume; a live curve; the runs, in a table and in a chart.

    A process of its own trains, so other cells can be run meanwhile and change no number. Stop keeps the epochs that
    were finished. Resume goes on with the latest training that was interrupted, in this panel or before the kernel was
    restarted.

    Parameters
    ----------
    lab : Lab
    experiment : Experiment, optional
        What the panel starts from; what has no control (corpus, target, split) stays as in here.
    words : iterable of str, optional
        Learn these words only.
    guess : float, optional
        What validation accuracy you expect, a share between 0 and 1. Without it the panel asks before it trains.

    Attributes
    ----------
    controls : dict of str to ipywidgets.Widget
        "model", "feature", "seed", "guess" (percent), and each setting by its path: "model.hidden", "recipe.rate".
    train, stop, resume : ipywidgets.Button
    run : Run or None
        The last finished run.
    runs : list of Run
        All runs finished in this panel.
    chart : matplotlib.figure.Figure or None
        The runs compared.
    code : str
        The present settings as Python, ready to be copied into a cell.
    """

    def __init__(self, lab, experiment=None, words=None, guess=None):
        import ipywidgets

        super().__init__(lab)
        self.base = experiment or Experiment()
        if words is not None:
            self.base = self.base.change(corpus={"labels": tuple(words)})
        self.run, self.runs, self.error, self.chart = None, [], None, None
        self._history, self._trained = [], None  # of the run under way, and its experiment
        self._thread, self._watch, self._under_way = None, None, False
        look = {"style": NARROW, "layout": ipywidgets.Layout(width=WIDE)}
        feature = next(name for name, kind in FEATURES.items() if kind is type(self.base.feature))
        self.controls = {
            "model": ipywidgets.Dropdown(
                options=sorted(MODELS), value=self.base.model.name, description="model", **look
            ),
            "feature": ipywidgets.Dropdown(options=sorted(FEATURES), value=feature, description="feature", **look),
            "seed": ipywidgets.IntText(self.base.seed, description="seed", **look),
            "guess": ipywidgets.Text(
                "" if guess is None else f"{100 * guess:g}",
                placeholder="0 to 100",
                description="guess, %",
                continuous_update=False,
                **look,
            ),
        }
        self.train = ipywidgets.Button(description="Train", button_style="primary", icon="play")
        self.stop = ipywidgets.Button(description="Stop", icon="stop")
        self.resume = ipywidgets.Button(description="Resume", icon="step-forward", disabled=True)
        self.bar = ipywidgets.FloatProgress(value=0, min=0, max=1, layout=ipywidgets.Layout(width="20em"))
        self._section = ipywidgets.ToggleButtons(options=SECTIONS, tooltips=[f"settings of the {s}" for s in SECTIONS])
        self._settings = ipywidgets.HBox(layout=ipywidgets.Layout(flex_flow="row wrap", width="100%"))
        self._above = ipywidgets.HBox(layout=ipywidgets.Layout(flex_flow="row wrap", width="100%"))
        self._listed, self._chart = ipywidgets.HTML(), ipywidgets.HTML()
        self._code = ipywidgets.Textarea(
            continuous_update=False, description="as code", style=NARROW, layout=ipywidgets.Layout(width="99%")
        )
        self.train.on_click(self._start)
        self.stop.on_click(self._halt)
        self.resume.on_click(self._go_on)
        self._section.observe(self._turn, "value")
        self.controls["model"].observe(self._new_model, "value")
        self.controls["feature"].observe(self._new_feature, "value")
        self._add("model", self.base.model.full, hyperparameters(self.base.model.name))
        parts = {"feature": self.base.feature, "recipe": self.base.recipe}
        for section, part in {**parts, "augmentation": self.base.recipe.augmentation}.items():
            self._add(section, vars(part), vars(type(part)()), settings.kinds_of(part))
        for name in ("seed", "guess"):
            self.controls[name].observe(self._changed, "value")
        self._changed()
        self.redraw()
        self._look_for_interrupted(tell=True)

    @property
    def experiment(self):
        """The experiment that the controls describe; LabError if they do not fit together."""
        recipe = replace(self.base.recipe, augmentation=type(self.base.recipe.augmentation)(**self._of("augmentation")))
        return self.base.change(
            model=Model(self.controls["model"].value, **self._of("model")),
            feature=FEATURES[self.controls["feature"].value](**self._of("feature")),
            recipe=replace(recipe, **self._of("recipe")),
            seed=self.controls["seed"].value,
        )

    @property
    def guess(self):
        """The accuracy that the student expects, between 0 and 1; None as long as there is none."""
        text = self.controls["guess"].value.strip().rstrip("%").replace(",", ".")
        try:
            value = float(text or "nan") / 100
        except ValueError:
            value = -1.0
        if value != value:
            return None
        if not 0 <= value <= 1:
            raise LabError(f"The guess is {self.controls['guess'].value!r}. Write a number from 0 to 100 (percent).")
        return value

    @property
    def code(self):
        return as_code(self.experiment)

    @property
    def busy(self):
        """Whether a training is under way."""
        return self._under_way

    def wait(self, timeout=None):
        """Wait until the training under way is over (at most `timeout` seconds); return the last finished run."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self.run

    def table(self):
        """The finished runs as a DataFrame, the latest last."""
        return compared(self.runs)[0]

    def draw(self):
        done = self.run is not None and self.run.experiment == self._trained
        others = [run for run in self.runs if run.experiment != self._trained]
        classes = len(self.base.corpus.labels or self.lab.data.labels)
        epochs = self.controls["recipe.epochs"].value
        figure = drawn_curves(self.run if done else self._history, others, 1 / classes, self.guess, epochs)
        if not self._history:
            return figure, "Training curves, still empty: nothing was trained yet"
        last = self._history[-1]
        loss, accuracy = last["validation_loss"], 100 * last["validation_accuracy"]
        return figure, (
            f"Training curves of {self._trained.model.name} over {len(self._history)} epochs. "
            f"At the end the validation loss is {loss:.2f}, the validation accuracy {accuracy:.1f}%"
        )

    @property
    def view(self):
        first = row(*[self.controls[name] for name in ("model", "feature", "seed")])
        buttons = row(self.train, self.stop, self.resume, self.bar)
        above = [first, self._above, self._section, self._settings, row(self.controls["guess"]), buttons]
        return column(*above, self._message, self._picture, self._listed, self._chart, self._code)

    def _of(self, section):
        """The values of the controls of one section, by name."""
        prefix = f"{section}."
        mine = {name: control for name, control in self.controls.items() if name.startswith(prefix)}
        return {name.removeprefix(prefix): settings.read(control) for name, control in mine.items()}

    def _add(self, section, values, defaults, kinds=None):
        """Inputs for one section instead of those it had; a setting that means the same in both keeps its value."""
        before = {name: self.controls.pop(name) for name in list(self.controls) if name.startswith(f"{section}.")}
        for setting, control in settings.inputs(values, kinds).items():
            control.default = defaults[setting]
            name = f"{section}.{setting}"
            old = before.get(name)
            if old is not None and old.kind == control.kind and old.default == control.default:
                control = old
            else:
                control.observe(self._changed, "value")
            self.controls[name] = control
        self._above.children = [self.controls[name] for name in ABOVE if name in self.controls]
        self._turn()

    def _turn(self, change=None):
        """Show the section that is chosen."""
        mine = [name for name in self.controls if name.startswith(f"{self._section.value}.") and name not in ABOVE]
        self._settings.children = [self.controls[name] for name in mine]

    def _new_model(self, change=None):
        defaults = hyperparameters(self.controls["model"].value)
        self._add("model", defaults, defaults)
        self._changed()

    def _new_feature(self, change=None):
        feature = FEATURES[self.controls["feature"].value]()
        self._add("feature", vars(feature), vars(feature), settings.kinds_of(feature))
        self._changed()

    def _changed(self, change=None):
        """A control moved: show the new settings as code, or what is wrong with them."""
        try:
            experiment = self.experiment
            size = self._parameters(experiment)
            self._code.value = as_code(experiment)
            self._code.rows = self._code.value.count("\n") + 2
            self.guess  # noqa: B018 (says what is wrong with it)
        except LabError as error:
            self._code.value = ""
            if not self.busy:
                self.say(str(error), wrong=True)
            return
        if not self.busy:
            self.say(f"{experiment.model.name}{size}. {READY}")

    def _parameters(self, experiment):
        """How large the network is, in words; LabError if it cannot be built so."""
        import torch

        classes = len(experiment.corpus.labels or self.lab.data.labels)
        try:
            with torch.random.fork_rng([]), torch.device("meta"):  # shapes without numbers: takes no memory
                network = experiment.model.build(experiment.feature.shape, classes)
        except LabError:
            raise
        except Exception:  # a model may do what shapes alone cannot; then training tells
            return ""
        return f" with {count_parameters(network):,} parameters"

    def _start(self, button=None):
        if self.busy:
            self.say("A training is under way already. Press Stop first, or wait.", wrong=True)
            return
        try:
            experiment = self.experiment
            self._parameters(experiment)
            if self.guess is None and not self.runs:
                raise LabError(
                    "First write your guess: how many percent of the validation clips will it get right? "
                    "It is drawn beside the result. Then press Train."
                )
            unfinished.begin(experiment, self.lab.data, self.lab.results)
        except LabError as error:
            self.say(str(error), wrong=True)
            return
        if experiment != self._trained:
            self._history = []
        self._trained, self.error = experiment, None
        self._watch = PanelWatch(self)
        self.bar.value, self.bar.max, self.bar.bar_style = 0, experiment.recipe.epochs, ""
        self.controls["guess"].disabled = self.resume.disabled = True
        self.say(f"Training {experiment.model.name} ...")
        self._under_way = True
        self._thread = threading.Thread(target=self._work, args=(experiment, self._watch), name="trainer", daemon=True)
        self._thread.start()

    def _halt(self, button=None):
        if not self.busy:
            self.say("Nothing is being trained.", wrong=True)
            return
        self.say("Stopping after this batch ...")
        self._watch.halt()

    def _go_on(self, button=None):
        """Put the controls where they were when the latest training was interrupted, and train."""
        if self.busy:
            self.say("A training is under way already. Press Stop first, or wait.", wrong=True)
            return
        found = unfinished.latest(self.base, self.lab.data, self.lab.results)
        if found is None:
            self.resume.disabled = True
            self.say("No training was interrupted. Press Train.", wrong=True)
            return
        self._show(found[0])
        self._start()

    def _show(self, experiment):
        """Set all controls to the settings of an experiment."""
        feature = next(name for name, kind in FEATURES.items() if kind is type(experiment.feature))
        self.controls["model"].value, self.controls["feature"].value = experiment.model.name, feature
        self.controls["seed"].value = experiment.seed
        parts = {"feature": experiment.feature, "recipe": experiment.recipe}
        values = {"model": experiment.model.full, **{name: vars(part) for name, part in parts.items()}}
        values["augmentation"] = vars(experiment.recipe.augmentation)
        for section, named in values.items():
            for name, value in named.items():
                if (control := self.controls.get(f"{section}.{name}")) is not None:
                    settings.write(control, value)

    def _look_for_interrupted(self, tell=False):
        found = unfinished.latest(self.base, self.lab.data, self.lab.results)
        self.resume.disabled = found is None
        if found is not None and tell:
            experiment, epochs = found
            self.say(
                f"A training of {experiment.model} was interrupted after {epochs} of {experiment.recipe.epochs} epochs "
                "(stopped, or the kernel was restarted). What was finished is kept: press Resume to go on."
            )

    def _work(self, experiment, watch):
        """What the thread does. Whatever happens ends as a message: nobody sees a thread's errors."""
        lab = self.lab
        try:
            run = worker.train(experiment, lab.data, lab.results, lab.device, watch)
            unfinished.end(experiment, lab.data, lab.results)
            words = self._finish(run, experiment, watch)
        except LabError as error:
            self.error, words = error, str(error)
        except Exception as error:
            self.error, words = error, f"{type(error).__name__}: {error}. Change a setting and press Train again."
        if self.error is not None:
            self.bar.bar_style = "danger"
        try:
            self._look_for_interrupted()
            self.redraw()
        finally:
            self._under_way = False
            self.say(words, wrong=self.error is not None)  # last: who reads it may press a button

    def _finish(self, run, experiment, watch):
        """Show a run that is complete, or that was stopped; returns what to say of it."""
        if run is None:
            done = len(self._history)
            kept = f"after epoch {done} of {experiment.recipe.epochs}" if done else "before the first epoch was over"
            self.bar.bar_style = "warning"
            return f"Stopped {kept}. The epochs that were finished are kept: press Resume to go on."
        self._history = run.history.to_dict("records")
        self.run = run
        if run.id not in [other.id for other in self.runs]:
            self.runs.append(run)
        self.bar.value, self.bar.bar_style = self.bar.max, "success"
        figures = run.validation
        heard = "that it was trained on" if run.record["protocol"] in LEAKY else "it never heard"
        guessed = "" if self.guess is None else f"; your guess was {100 * self.guess:.0f}%"
        table, self.chart = compared(self.runs, self.guess)
        self._listed.value = listed(table, run)
        self._chart.value = picture(self.render(self.chart), "The runs of the table above, each accuracy as a dot")
        return (
            f"{'Trained' if watch.seen else 'This run was there already, so it was loaded'}: validation accuracy "
            f"{100 * figures['accuracy']:.1f}% on {figures['clips']:,} clips of speakers {heard} "
            f"(chance {100 * figures['chance']:.1f}%{guessed}), weights of epoch {run.record['best_epoch']}."
            + "".join(f" {note}" for note in watch.notes)
        )


class PanelWatch(worker.Listener):
    """Tells a panel how its training goes, and stops it when asked."""

    def __init__(self, panel):
        super().__init__()
        self.panel, self.seen, self.drawn, self.notes = panel, False, 0.0, []

    def batch(self, epoch, done, total):
        self.seen = True
        self.panel.bar.value = epoch - 1 + done / total

    def epoch(self, history):
        self.panel._history = list(history)
        last = history[-1]
        if not self.stop:
            self.panel.say(
                f"Epoch {last['epoch']}: training loss {last['train_loss']:.2f}, "
                f"validation accuracy {100 * last['validation_accuracy']:.1f}%"
            )
        if time.monotonic() - self.drawn > PAUSE:
            self.panel.redraw()
            self.drawn = time.monotonic()

    def note(self, text):
        self.notes.append(text)
        self.panel.say(text)
