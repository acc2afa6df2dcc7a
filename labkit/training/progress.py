"""The bar that shows how far a training is."""

from ..data.audio import bars
from .loop import Watch


class TrainingBar(Watch):
    """A progress bar over batches with the latest validation accuracy; silent where bars are off."""

    def __init__(self, title=""):
        super().__init__()
        self.title, self.bar = title, None

    def batch(self, epoch, done, total):
        from tqdm.auto import tqdm

        if self.bar is None and bars():
            self.bar = tqdm(unit="batch", desc=self.title, leave=False)
        if self.bar is not None:
            self.bar.update()

    def epoch(self, history):
        if self.bar is not None:
            accuracy = 100 * history[-1]["validation_accuracy"]
            self.bar.set_postfix_str(f"epoch {history[-1]['epoch']}, validation {accuracy:.1f}%")

    def close(self):
        if self.bar is not None:
            self.bar.close()
