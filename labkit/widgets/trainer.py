"""Train a model by button, watch it learn, compare the runs, and copy the settings as code."""

import threading
import time

import ipywidgets
import pandas as pd

from ..data.splits import LEAKY
from ..errors import LabError
from ..experiments.experiment import Experiment
from ..experiments.search import search
from ..experiments.train_process import in_words, interrupted, take, waiting
from ..metrics import in_percent
from ..training.loop import Callback
from .comparison import against, compared, drawn_curves
from .controls import SettingsPanel
from .panel import image

BUSY = "A training is under way already. Press Stop first, or wait."
MORE = 20  # trials of a search
PAUSE = 0.5  # seconds between two pictures of a training: drawing must not slow it down


class TrainerPanel(SettingsPanel):
    """All settings of an experiment; Train, Stop and Resume; a live curve; the runs, in a table and in a chart.

    A process of its own trains, so other cells can be run meanwhile and change no number. Stop keeps the epochs that
    were finished. Resume goes on with the latest training that was interrupted, in this panel or before the kernel was
    restarted. "Try 20 more" searches around these settings, and shows the best on validation: `experiments.search`.
    Test opens the test part for the latest run, at a second click: who looks often, chooses by it.

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

    `panel.runs` are the finished runs, `panel.run` the latest; `panel.table` and `panel.chart` compare them.
    """

    def __init__(self, lab, experiment=None, words=None, guess=None):
        base = experiment or Experiment()
        super().__init__(lab, base if words is None else base.change(corpus={"labels": tuple(words)}))
        self.run, self.runs, self.table, self.chart, self.error = None, [], None, None, None
        self.thread, self.process, self._trained = None, None, None
        self._shown = []  # a Run, or the history of one under way
        self.train = self.button("Train", "play", self._start, button_style="primary")
        self.stop = self.button("Stop", "stop", self._halt)
        self.resume = self.button("Resume", "step-forward", lambda: self._start(resume=True), disabled=True)
        self.more = self.button(f"Try {MORE} more", "search", lambda: self._start(more=True))
        self._around, self._tried = [], 0  # what a search begins with and has found; its trials so far
        self.test, self._asked = self.button("Test", "flag", self._test), None  # id that a first click asked for
        self.bar = ipywidgets.FloatProgress(value=0, min=0, max=1, layout={"width": "20em"})
        self.table_view, self.chart_view = ipywidgets.HTML(), ipywidgets.HTML(layout={"overflow": "auto hidden"})
        percent = {"value": "" if guess is None else f"{100 * guess:g}", "placeholder": "0 to 100"}
        self.add("guess", "Text", self._guessed, "guess, %", continuous_update=False, **percent)
        self.show(self.base)
        if found := self._look_for_interrupted():
            experiment, epochs = found
            kept = f"after {epochs} of {experiment.recipe.epochs} epochs (stopped, or the kernel was restarted)"
            self.say(f"A training of {experiment.model} was interrupted {kept}. To go on with it, press Resume.")
        waiting.append(take())  # a process that is ready when Train is pressed

    @property
    def guess(self):
        """The accuracy that the student expects, between 0 and 1; None as long as there is none."""
        text = self.controls["guess"].value
        value = pd.to_numeric(text.strip("% ").replace(",", "."), errors="coerce") / 100
        if text and not 0 <= value <= 1:
            raise LabError(f"The guess is {text!r}. Write a number from 0 to 100 (percent).")
        return float(value) if text else None

    def take(self, experiment):
        """Show another experiment, to be trained next."""
        if self.busy:
            raise LabError(BUSY)
        self.base = experiment
        self.show(experiment)

    def wait(self, timeout=None):
        """Wait until the training under way is over (at most `timeout` seconds); return the last finished run."""
        if self.thread is not None:
            self.thread.join(timeout)
        return self.run

    def draw(self):
        others = [run for run in self.runs if run.experiment != self._trained]
        epochs = self.controls["recipe.epochs"].value
        figure = drawn_curves(self._shown, others, 1 / self.classes, self.guess, epochs)
        history = self._shown if isinstance(self._shown, list) else self._shown.record["history"]
        if not history:
            return figure, "Training curves, still empty: nothing was trained yet"
        words = "Training curves of {} over {epoch} epochs. At the end the validation loss is {validation_loss:.2f}, "
        words += "the validation accuracy {validation_accuracy:.1%}"
        return figure, words.format(self._trained.model.name, **history[-1])

    def rows(self):
        above = ("model", "feature", "seed"), self._above, "section", self._settings, "guess"
        buttons = self.train, self.stop, self.resume, self.more, self.test, self.bar
        return *above, buttons, self.message, self.picture, self.table_view, self.chart_view, self.code_view

    def _guessed(self):
        self.changed()
        self.redraw()

    def _start(self, resume=False, more=False):
        if self.busy:
            raise LabError(BUSY)
        if resume:
            if not (found := self._look_for_interrupted()):
                raise LabError("No training was interrupted. Press Train.")
            self.show(found[0])
        experiment, _ = self.check()
        if self.guess is None and not self.runs:
            words = "First write your guess: how many percent of the validation clips will it get right?"
            raise LabError(f"{words} It is drawn beside the result. Then press Train.")
        if more and experiment not in self._around:
            self._around, self._tried = [experiment], 0
        if experiment != self._trained:
            self._shown = []
        self._asked = None
        self._trained, self.error, self._callback = experiment, None, PanelCallback(self)
        self.bar.value, self.bar.max, self.bar.bar_style = 0, experiment.recipe.epochs, ""
        self.controls["guess"].disabled = self.resume.disabled = True
        self.say(f"Training {experiment.model.name} ...")
        self.busy = True
        self.thread = threading.Thread(target=self._work, args=(more,), daemon=True)
        self.thread.start()

    def _halt(self):
        if not self.busy:
            raise LabError("Nothing is being trained. Press Train first.")
        self.say("Stopping after this batch ...")
        self._callback.stop = True
        if self.process:  # else the thread has only begun
            self.process.stop.value = True

    def _test(self):
        if self.busy or self.run is None:
            raise LabError(BUSY if self.busy else "There is no run to test. Press Train first.")
        number = [run.id for run in self.runs].index(self.run.id) + 1
        if self._asked != self.run.id and not self.run.tested:
            self._asked = self.run.id
            words = "The test part is for the last decision: who looks at it often, chooses by it. Is run {} the one? "
            return self.say(f"{words.format(number)}Then press Test again; else go on with Train.")
        metrics = self.run.test()
        about = f"{in_percent(metrics)} on {metrics['clips']:,} clips (chance {metrics['chance']:.1%})"
        self.say(f"Test of run {number}{self.run.searched}: {about}; validation was {in_percent(self.run.validation)}.")

    def _look_for_interrupted(self):
        found = interrupted(self.base, self.lab.data, self.lab.results)
        self.resume.disabled = found is None
        return found

    def _work(self, more):
        """What the thread does. Whatever happens ends as a message: nobody sees a thread's errors."""
        try:
            where = self.lab.data, self.lab.results, self.lab.device
            run = self._try_more(*where) if more else self._train(self._trained, *where, self._callback)
            words = self._finish(run)
        except Exception as error:
            self.error, words, self.bar.bar_style = error, in_words(error), "danger"
        self.busy = False
        self.say(words, wrong=self.error is not None)
        self._look_for_interrupted()
        self.redraw()

    def _train(self, *arguments):
        """As `labkit.train`, in a process of its own."""
        self.process = take()
        return self.process.train(*arguments)

    def _try_more(self, *where):
        """The best of the trials so far and some more; the controls show it."""
        base, trials = self._around[0], self._tried + MORE

        def watched(experiment):
            self._tried, self._trained = self._tried + 1, experiment
            self._callback = PanelCallback(self, f"Trial {self._tried} of {trials}. ", self._callback.stop)
            return self._callback

        space = {"recipe.lr": (base.recipe.lr / 10, base.recipe.lr * 10), "recipe.weight_decay": (1e-5, 0.3)}
        found = search(base, space, *where, trials, callback=watched, train=self._train)
        self._tried = len(found.trials) if found else 0
        if found:
            self._around.append(found.run.experiment)
            self.show(found.run.experiment)
        return found and found.run

    def _finish(self, run):
        """Show a run that is complete, or that was stopped (None); returns what to say of it."""
        if run is None:
            self.bar.bar_style, done = "warning", len(self._shown)
            kept = f"after epoch {done} of {self._trained.recipe.epochs}" if done else "before the first epoch was over"
            return f"Stopped {kept}. The epochs that were finished are kept: press Resume to go on."
        self._shown, self.run, self._trained = run, run, run.experiment
        if run.id not in [other.id for other in self.runs]:
            self.runs.append(run)
        self.bar.value, self.bar.bar_style = self.bar.max, "success"
        self.table, self.table_view.value, self.chart = compared(self.runs, self.guess)
        self.chart_view.value = image(self.render(self.chart), "The runs of the table above, each accuracy as a dot")
        metrics = run.validation
        heard = "that it was trained on" if run.record["protocol"] in LEAKY else "it never heard"
        guessed = "" if self.guess is None else f"; your guess was {self.guess:.0%}"
        how = "Trained" if self._callback.seen else "This run was there already, so it was loaded"
        clips = f"{metrics['clips']:,} clips of speakers {heard} (chance {metrics['chance']:.1%}{guessed})"
        best = run.record["best_epoch"]
        result = f"{how}: validation {in_percent(metrics)}{run.searched} on {clips}, weights of epoch {best}."
        compared_with = [against(self.runs)] if run is self.runs[-1] and len(self.runs) > 1 else []
        return " ".join([result, *compared_with, *self._callback.notes])


class PanelCallback(Callback):
    """Tells a panel how its training goes."""

    def __init__(self, panel, title="", stop=False):
        super().__init__(stop)
        self.panel, self.title, self.seen, self.drawn, self.notes = panel, title, False, 0.0, []

    def batch(self, epoch, done, total):
        self.seen = True
        self.panel.bar.value = epoch - 1 + done / total

    def epoch(self, history):
        self.panel._shown = list(history)
        words = "Epoch {epoch}: training loss {train_loss:.2f}, validation accuracy {validation_accuracy:.1%}"
        if not self.stop:
            self.panel.say(self.title + words.format(**history[-1]))
        if time.monotonic() - self.drawn > PAUSE:
            self.panel.redraw()
            self.drawn = time.monotonic()

    def note(self, text):
        self.notes.append(text)
        self.panel.say(text)
