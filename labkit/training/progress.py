"""The bar that shows how far a training is."""

from functools import cached_property

from tqdm.auto import tqdm

from ..data.audio import bars
from .loop import Watch


class TrainingBar(Watch):
    """A progress bar over batches with the latest validation accuracy; silent where bars are off."""

    def __init__(self, title=""):
        super().__init__()
        self.title = title

    @cached_property
    def bar(self):  # only when training begins: a run that is loaded needs none
        return tqdm(unit="batch", desc=self.title, leave=False, disable=not bars())

    def batch(self, epoch, done, total):
        self.bar.update()

    def epoch(self, history):
        row = history[-1]
        self.bar.set_postfix_str(f"epoch {row['epoch']}, validation {100 * row['validation_accuracy']:.1f}%")

    def close(self):
        self.bar.close()
