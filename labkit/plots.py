"""Pictures: style, stamp, captions, bars; and the drawings more than one notebook needs."""

import io

from .audio import bars
from .files import atomic_file
from .training import Watch

STAMP = "synthetic speech"


def set_style():
    """One look for all figures: legible sizes, colours that colour-blind readers can tell apart."""
    import matplotlib.pyplot as plt
    import seaborn

    seaborn.set_theme(style="ticks", palette="colorblind", font_scale=1.0)
    plt.rcParams.update({"figure.dpi": 100, "figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False})


def banner(text):
    """Say in the notebook (or the terminal) that the voices are synthetic."""
    from IPython.display import HTML, display

    if _in_notebook():
        display(HTML(f'<div style="border-left: 6px solid #d55e00; padding: 6px 12px; background: #d55e0018"><b>Synthetic speech.</b> {text}</div>'))
    else:
        print(text)


def stamp(figure):
    """Write into a figure's corner that it rests on synthetic speech."""
    figure.text(0.995, 0.005, STAMP, ha="right", va="bottom", fontsize=8, color="#d55e00", alpha=0.9)


def show(what, path, caption, alt, synthetic):
    """Show and keep a figure (PNG) or a table (CSV); see `Lab.show`."""
    import matplotlib.pyplot as plt
    from IPython.display import Image, Markdown, display
    from matplotlib.figure import Figure

    mark = f" *({STAMP})*" if synthetic else ""
    if isinstance(what, Figure):
        if synthetic:
            stamp(what)
        png = render(what)
        with atomic_file(path.with_suffix(".png")) as temporary:
            temporary.write_bytes(png)
        plt.close(what)
        display(Image(data=png, format="png", alt=alt))
    else:
        table = what.assign(data=STAMP) if synthetic else what
        with atomic_file(path.with_suffix(".csv")) as temporary:
            table.to_csv(temporary, lineterminator="\n")
        display(what)
    display(Markdown(f"*{caption}*{mark}"))


def render(figure):
    """A figure as PNG bytes, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


class TrainingBar(Watch):
    """A progress bar over epochs with the latest validation accuracy; silent where bars are off."""

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
            self.bar.set_postfix_str(f"epoch {history[-1]['epoch']}, validation {100 * history[-1]['validation_accuracy']:.1f}%")

    def close(self):
        if self.bar is not None:
            self.bar.close()


def _in_notebook():
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"
