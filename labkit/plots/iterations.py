"""Pictures for networks on samples: what iterations buy, and what a recurrent layer still knows after the word."""

import numpy as np

from .sound import axes


def over_iterations(runs, ax=None, *, marks=None, chance=None):
    """Validation accuracy against training iterations (logarithmic), a line per run.

    Parameters
    ----------
    runs : dict
        From name to Run.
    ax : matplotlib.axes.Axes, optional
    marks : dict, optional
        From a name to a number of iterations, drawn as a vertical line.
    chance : float, optional
        Share between 0 and 1.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 3.6))
    for number, (name, run) in enumerate(runs.items()):
        per_epoch = -(-run.record["clips"]["train"] // run.experiment.recipe.batch)
        iterations = per_epoch * run.history.epoch
        accuracy = 100 * run.history.validation_accuracy
        ax.plot(iterations, accuracy, "osD^v"[number % 5] + "-", markersize=4, color=f"C{number}", label=name)
    for name, iterations in (marks or {}).items():
        ax.axvline(iterations, linestyle="--", color="0.3", linewidth=1.5)
        ax.annotate(name, (iterations, 0.97), (-4, 0), xycoords=("data", "axes fraction"), textcoords="offset points")
        ax.texts[-1].set(rotation=90, ha="right", va="top")
    if chance is not None:
        ax.axhline(100 * chance, linestyle=":", color="0.3", label=f"chance: {100 * chance:.0f}%")
    ax.set(xlabel="iterations (batches trained on)", ylabel="validation accuracy (%)", xscale="log", ylim=(0, 102))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return ax


def forgetting(states, lengths, sample_rate, ax=None):
    """How much the states of a recurrent layer still differ between clips, sample by sample; marks where clips end.

    Parameters
    ----------
    states : torch.Tensor or numpy.ndarray
        Shape (clips, samples, hidden).
    lengths : sequence of int
        Where each clip ends, in samples.
    sample_rate : int
        In Hz.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (8, 3.2))
    spread = np.asarray(states).std(0).mean(-1)  # (samples,)
    ax.plot(np.arange(len(spread)) / sample_rate, spread, color="C0")
    ends = np.asarray(lengths) / sample_rate
    top = float(spread.max())
    ax.plot(ends, np.full(len(ends), 1.06 * top), "v", color="C1", markersize=8, label="a clip ends here")
    ax.set(xlabel="time (s)", ylabel="spread of the state\nover clips", ylim=(0, 1.15 * top), xlim=(0, None))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return ax
