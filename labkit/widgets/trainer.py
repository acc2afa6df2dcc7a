"""Train a model by button, watch it learn, compare the runs, and copy the settings as code."""

import threading
import time

import ipywidgets

from ..data.splits import LEAKY
from ..errors import LabError
from ..experiments import run as runs
from ..experiments.experiment import Experiment
from ..training.loop import Watch
from .comparison import compared, drawn_curves, listed
from .controls import SettingsPanel
from .panel import image
from .train_process import begin, interrupted, release, take

PAUSE = 0.5  # seconds between two pictures of a training: drawing must not slow it down
BUSY = "A training is under way already. Press Stop first, or wait."
HERE = (
    "This model was written in the notebook, where another process cannot build it, so it is trained in the notebook's "
    "own process. If it uses dropout, run no cell that draws random numbers until it is done."
)


class TrainerPanel(SettingsPanel):
    """All settings of an experiment; Train, Stop and Resume; a live curve; the runs, in a table and in a chart.

    A process of its own trains, so other cells can be run meanwhile and change no number. Stop keeps the epochs that
    were finished. Resume goes on with the latest training that was interrupted, in this panel or before the kernel was
    restarted.

    Controls: `model`, `feature`, `seed`, `guess` (percent), and each setting by its path, as in `model.hidden`.

    Parameters
    ----------
    lab : Lab
    experiment : Experiment, optional
        What the panel starts from; what has no control (corpus, target, split) stays as in here.
    words : iterable of str, optional
        Learn these words only.
    guess : float, optional
        What validation accuracy you expect, between 0 and 1. Without it the panel asks before it trains.

    `panel.runs` are the finished runs, `panel.run` the latest, `panel.chart` the figure that compares them.
    """

    def __init__(self, lab, experiment=None, words=None, guess=None):
        base = experiment or Experiment()
        super().__init__(lab, base if words is None else base.change(corpus={"labels": tuple(words)}))
        self.run, self.runs, self.error, self.chart = None, [], None, None
        self.thread, self.process, self._watch = None, None, None
        self._history, self._trained = [], None  # of the run under way, and its experiment
        self.train = self.button("Train", "play", self._start, button_style="primary")
        self.stop = self.button("Stop", "stop", self._halt)
        self.resume = self.button("Resume", "step-forward", self._go_on, disabled=True)
        self.bar = ipywidgets.FloatProgress(value=0, min=0, max=1, layout={"width": "20em"})
        self.table_view, self.chart_view = ipywidgets.HTML(), ipywidgets.HTML()
        percent = {"value": "" if guess is None else f"{100 * guess:g}", "placeholder": "0 to 100"}
        self.add("guess", "Text", self.changed, "guess, %", continuous_update=False, **percent)
        self.changed()
        self.redraw()
        if found := self._look_for_interrupted():
            experiment, epochs = found
            self.say(
                f"A training of {experiment.model} was interrupted after {epochs} of {experiment.recipe.epochs} epochs "
                "(stopped, or the kernel was restarted). What was finished is kept: press Resume to go on."
            )
        release(take())  # a process that is ready when Train is pressed

    @property
    def guess(self):
        """The accuracy that the student expects, between 0 and 1; None as long as there is none."""
        text = self.controls["guess"].value.strip().rstrip("%").replace(",", ".")
        if text in ("", "nan"):
            return None
        try:
            value = float(text) / 100
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise LabError(f"The guess is {self.controls['guess'].value!r}. Write a number from 0 to 100 (percent).")
        return value

    def check(self):
        self.guess  # noqa: B018 (says what is wrong with it)
        return super().check()

    def wait(self, timeout=None):
        """Wait until the training under way is over (at most `timeout` seconds); return the last finished run."""
        if self.thread is not None:
            self.thread.join(timeout)
        return self.run

    def table(self):
        """The finished runs as a DataFrame, the latest last."""
        return compared(self.runs)[0]

    def draw(self):
        done = self.run is not None and self.run.experiment == self._trained
        others = [run for run in self.runs if run.experiment != self._trained]
        epochs = self.controls["recipe.epochs"].value
        figure = drawn_curves(self.run if done else self._history, others, 1 / self.classes, self.guess, epochs)
        if not self._history:
            return figure, "Training curves, still empty: nothing was trained yet"
        loss, accuracy = self._history[-1]["validation_loss"], 100 * self._history[-1]["validation_accuracy"]
        return figure, (
            f"Training curves of {self._trained.model.name} over {len(self._history)} epochs. "
            f"At the end the validation loss is {loss:.2f}, the validation accuracy {accuracy:.1f}%"
        )

    def rows(self):
        above = ("model", "feature", "seed"), self._above, self._section, self._settings, "guess"
        buttons = self.train, self.stop, self.resume, self.bar
        return *above, buttons, self.message, self.picture, self.table_view, self.chart_view, self.code_view

    def _start(self):
        if self.busy:
            raise LabError(BUSY)
        experiment, _ = self.check()
        if self.guess is None and not self.runs:
            raise LabError(
                "First write your guess: how many percent of the validation clips will it get right? "
                "It is drawn beside the result. Then press Train."
            )
        if experiment != self._trained:
            self._history = []
        self._trained, self.error, self._watch, self.process = experiment, None, PanelWatch(self), None
        self.bar.value, self.bar.max, self.bar.bar_style = 0, experiment.recipe.epochs, ""
        self.controls["guess"].disabled = self.resume.disabled = True
        self.say(f"Training {experiment.model.name} ...")
        self.redraw()
        self.busy = True
        self.thread = threading.Thread(target=self._work, args=(experiment, self._watch), daemon=True)
        self.thread.start()

    def _halt(self):
        if not self.busy:
            raise LabError("Nothing is being trained. Press Train first.")
        self.say("Stopping after this batch ...")
        self._watch.stop = True
        if self.process is not None:
            self.process.send({"stop": None})

    def _go_on(self):
        """Put the controls where they were when the latest training was interrupted, and train."""
        if self.busy:
            raise LabError(BUSY)
        found = self._look_for_interrupted()
        if found is None:
            raise LabError("No training was interrupted. Press Train.")
        self.show(found[0])
        self.changed()
        self._start()

    def _look_for_interrupted(self):
        found = interrupted(self.base, self.lab.data, self.lab.results)
        self.resume.disabled = found is None
        return found

    def _work(self, experiment, watch):
        """What the thread does. Whatever happens ends as a message: nobody sees a thread's errors."""
        where = self.lab.data, self.lab.results, self.lab.device
        try:
            self.process, ended = begin(experiment, *where), "done"
            if self.process is not None:
                if watch.stop:  # pressed before there was a process
                    self.process.send({"stop": None})
                ended = self.process.follow(watch)
            if ended == "foreign":
                self.process = None
                watch.note(HERE)
            run = None if ended == "stopped" else runs.train(experiment, *where, watch)
            words = self._finish(run, watch)
        except Exception as error:
            name = f"{type(error).__name__}: {error}. Change a setting and press Train again."
            self.error, words = error, str(error) if isinstance(error, LabError) else name
            self.bar.bar_style = "danger"
        try:
            self._look_for_interrupted()
            self.redraw()
        finally:
            self.busy = False
            self.say(words, wrong=self.error is not None)  # last: who reads it may press a button

    def _finish(self, run, watch):
        """Show a run that is complete, or that was stopped (None); returns what to say of it."""
        if run is None:
            done = len(self._history)
            kept = f"after epoch {done} of {self._trained.recipe.epochs}" if done else "before the first epoch was over"
            self.bar.bar_style = "warning"
            return f"Stopped {kept}. The epochs that were finished are kept: press Resume to go on."
        self._history, self.run = run.history.to_dict("records"), run
        if run.id not in [other.id for other in self.runs]:
            self.runs.append(run)
        self.bar.value, self.bar.bar_style = self.bar.max, "success"
        table, self.chart = compared(self.runs, self.guess)
        self.table_view.value = listed(table, run)
        self.chart_view.value = image(self.render(self.chart), "The runs of the table above, each accuracy as a dot")
        metrics = run.validation
        heard = "that it was trained on" if run.record["protocol"] in LEAKY else "it never heard"
        guessed = "" if self.guess is None else f"; your guess was {100 * self.guess:.0f}%"
        result = (
            f"{'Trained' if watch.seen else 'This run was there already, so it was loaded'}: validation accuracy "
            f"{100 * metrics['accuracy']:.1f}% on {metrics['clips']:,} clips of speakers {heard} "
            f"(chance {100 * metrics['chance']:.1f}%{guessed}), weights of epoch {run.record['best_epoch']}."
        )
        return " ".join([result, *watch.notes])


class PanelWatch(Watch):
    """Tells a panel how its training goes."""

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
