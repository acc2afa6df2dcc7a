"""Pictures of sweeps: accuracy by network and window, and how far back in time a gradient reaches."""

import numpy as np

from .sound import axes


def heatmaps(tables, figure=None, *, unit="accuracy (%)", across="window (ms)"):
    """Tables of shares side by side, each with its own scale: they may come from different tasks.

    Parameters
    ----------
    tables : dict from title to pandas.DataFrame
        Shares between 0 and 1; rows and columns are named on the axes. All have the same rows.
    figure : matplotlib.figure.Figure, optional
        An empty one to draw on.
    unit, across : str
        Labels of the colour bars and of the axes along the columns.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt
    import seaborn

    rows = len(next(iter(tables.values())))
    figure = figure or plt.figure(figsize=(3.6 * len(tables) + 0.6, 0.42 * rows + 1.7))
    panels = np.atleast_1d(figure.subplots(1, len(tables)))
    for number, (ax, (title, table)) in enumerate(zip(panels, tables.items(), strict=True)):
        look = {"annot": True, "fmt": ".1f", "annot_kws": {"size": 10}, "cmap": "cividis", "linewidths": 0.5}
        bar = {"location": "bottom", "label": unit, "shrink": 0.8}
        seaborn.heatmap(100 * table.astype(float), ax=ax, cbar_kws=bar, yticklabels=not number, **look)
        ax.set(xlabel=across, ylabel="", title=title)
        ax.tick_params(length=0)
        ax.set_xticklabels([f"{column:g}" for column in table.columns], rotation=0)
    panels[0].set_yticklabels(table.index, rotation=0)
    return figure


def over_windows(tables, figure=None, *, across="window (ms)", chance=None):
    """The same as lines, a panel per table: plain lines for one direction, dashed ones for two.

    Parameters
    ----------
    tables : dict from title to pandas.DataFrame
        Shares between 0 and 1; a row per network, a column per window (or hop). A name that ends in "bi" is dashed and
        has the colour of its relative.
    figure : matplotlib.figure.Figure, optional
        An empty one to draw on.
    across : str
        Label of the axes along the columns.
    chance : dict from title to float, optional
        Share that guessing gets.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    figure = figure or plt.figure(figsize=(3.6 * len(tables) + 0.8, 3.4))
    panels = np.atleast_1d(figure.subplots(1, len(tables)))
    for ax, (title, table) in zip(panels, tables.items(), strict=True):
        families = list(dict.fromkeys(name.split()[0] for name in table.index))
        for name, values in table.iterrows():
            number = families.index(name.split()[0])
            style = "--" if name.endswith("bi") else "-"
            ax.plot(table.columns, 100 * values, style, color=f"C{number}", marker="osD^v"[number % 5], label=name)
        if chance and title in chance:
            ax.axhline(100 * chance[title], linestyle=":", color="0.3", label="chance")
        ax.set(xlabel=across, title=title, ylim=(0, 100), xticks=list(table.columns))
    panels[0].set_ylabel("accuracy (%)")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(7, len(names)))
    return figure


def gradients(curves, ax=None, *, share=1e-3, floor=1e-12):
    """Gradient norm against distance in time, each curve relative to its largest value.

    Parameters
    ----------
    curves : dict from name to (torch.Tensor, float)
        Norms by distance in frames (`probes.gradient_norms`) and the hop in ms.
    ax : matplotlib.axes.Axes, optional
    share : float
        A level to draw: below it a frame counts as unheard (`probes.reach`).
    floor : float
        Where the axis ends.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (7, 3.4))
    for number, (name, (norms, hop_ms)) in enumerate(curves.items()):
        norms = norms[~norms.isnan()]
        relative = (norms / norms.max()).clamp(min=floor / 10)
        style = ("-", "--", "-.", ":")[number % 4]
        ax.plot(hop_ms * np.arange(len(norms)), relative, style, color=f"C{number}", linewidth=2, label=name)
    ax.axhline(share, color="0.3", linewidth=1)
    ax.annotate(
        f"{share:g}", (1, share), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center"
    )
    ax.set(yscale="log", ylim=(floor, 3), xlabel="distance from the last frame (ms)", ylabel="gradient norm (relative)")
    ax.set_xlim(left=0)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return ax
