"""Pictures of recurrent cells: how a step is wired, drawn from its equations, and what its gates do over time."""

from collections import namedtuple

import numpy as np

from .sound import axes, image, spectrogram, waveform

SIGNS = {"mul": "×", "add": "+", "sub": "−", "matmul": "·", "truediv": "/", "sigmoid": "σ", "neg": "−", "pow": "^"}
Box = namedtuple("Box", "text parents kind")  # kind: "input", "gate" or "sum"
Wiring = namedtuple("Wiring", "boxes names results")


def wiring(cell):
    """How the equations of a cell connect its inputs with its results.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    Wiring
        `boxes`: {number: Box}, parents before children; `names`: {number: what the equations call it}; `results`:
        {"h": number, "c": number}.
    """
    import torch

    graph = torch.fx.Graph()
    tracer = torch.fx.proxy.GraphAppendingTracer(graph)
    pre = [f"pre_{gate}" for gate in cell.gates]
    names = [*pre, "h", "c", *cell.extras]
    inputs = {name: torch.fx.Proxy(graph.placeholder(name), tracer) for name in names}
    state = (inputs["h"], inputs["c"])
    extras = [inputs[name] for name in cell.extras]
    new, seen = cell.quantities([inputs[name] for name in pre], state, extras, kind=torch.fx.Proxy)
    boxes, number = {}, {}
    for node in graph.nodes:
        if node.op == "placeholder":
            if node.name in (*pre, "c") or (node.name == "h" and node.users):
                number[node] = len(boxes)
                boxes[number[node]] = Box(node.name.replace("pre_", ""), (), "input")
        elif number.get(node.args[0] if node.args else None) is None and not _parents(node, number):
            continue  # something about a parameter alone, such as its transpose
        else:
            number[node] = len(boxes)
            boxes[number[node]] = Box(_text(node, number), _parents(node, number), _kind(node))
    named = {number[value.node]: name for name, value in seen.items() if value.node in number}
    return Wiring(boxes, named, {"h": number[new[0].node], "c": number[new[1].node]})


def _parents(node, number):
    return tuple(number[parent] for parent in node.args if parent in number)


def _kind(node):
    return "sum" if getattr(node.target, "__name__", str(node.target)) in ("mul", "add", "sub", "truediv") else "gate"


def _text(node, number):
    """What stands in a node's box: its sign, with a number or a parameter that it is applied to."""
    name = node.target if isinstance(node.target, str) else node.target.__name__
    sign = SIGNS.get(name, name)
    others = [_operand(other) for other in node.args if other not in number]
    if not others:
        return sign
    before = len(node.args) > 1 and node.args[0] not in number
    return f"{others[0]} {sign}" if before else f"{sign} {others[0]}"


def _operand(value):
    """A number, or the name of a parameter (of whose transpose the name is enough)."""
    while hasattr(value, "args") and value.op != "placeholder":
        value = value.args[0]
    return getattr(value, "name", value)


def places(boxes, results):
    """Where to draw the boxes: {number: (x, y)}, inputs to the left, each step one to the right."""
    column, row = {}, {}
    for number, box in boxes.items():
        column[number] = 1 + max((column[parent] for parent in box.parents), default=-1)
    inputs = [number for number, box in boxes.items() if box.kind == "input"]
    inputs.sort(key=lambda number: boxes[number].text not in ("c", "h"))  # the state on top
    row.update({number: -float(place) for place, number in enumerate(inputs)})
    for level in range(1, max(column.values()) + 1):
        here = [number for number in boxes if column[number] == level]
        wanted = {number: np.mean([row[parent] for parent in boxes[number].parents]) for number in here}
        here.sort(key=lambda number: -wanted[number])
        heights = [wanted[number] for number in here]
        for _ in range(60):  # push neighbours apart until there is room for each
            for k in range(len(heights) - 1):
                if (short := 0.8 - (heights[k] - heights[k + 1])) > 1e-3:
                    heights[k] += short / 2
                    heights[k + 1] -= short / 2
        row.update(dict(zip(here, heights, strict=True)))
    return {number: (column[number] - 0.4 * (column[number] == 0), row[number]) for number in boxes}


def cell_diagram(cell, ax=None):
    """A cell as boxes and lines, drawn from its equations: from gates and memory on the left to h and c on the right.

    Parameters
    ----------
    cell : Cell
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes(ax, (5.6, 2.8))
    boxes, names, results = wiring(cell)
    place = places(boxes, results)
    last = max(x for x, _ in place.values()) + 1
    looks = {"input": ("none", "none"), "gate": ("#cfe3f5", "C0"), "sum": ("#fbe3c8", "C1")}
    for number, box in boxes.items():
        x, y = place[number]
        for parent in box.parents:
            px, py = place[parent]
            _line(ax, (px + 0.32 * (boxes[parent].kind == "input"), py), (x, y))
        face, edge = looks[box.kind]
        style = {
            "boxstyle": f"{'circle' if len(box.text) == 1 else 'round'},pad=0.25",
            "facecolor": face,
            "edgecolor": edge,
        }
        text = f"{box.text}" if box.kind != "input" or box.text in "ch" else f"→ {box.text}"
        ax.text(
            x, y, text, ha="center", va="center", fontsize=9.5, bbox=style if box.kind != "input" else None, zorder=3
        )
        if box.kind != "input" and number in names and names[number] not in results:
            ax.text(
                x, y + 0.36, names[number], ha="center", va="bottom", fontsize=9, style="italic", color="0.3", zorder=4
            )
    # A result that the cell goes on to use leaves upwards: a line straight on would run through the next box.
    used = {parent for box in boxes.values() for parent in box.parents}
    top = max(y for _, y in place.values()) + 0.5
    for name, number in results.items():
        x, y = place[number]
        end = top if number in used else y - 0.6 * (name == "c" and number == results["h"])
        ax.plot([x, x + (0.5 if end != y else 0), last], [y, end, end], color="0.55", linewidth=1.1, zorder=1)
        ax.text(last + 0.1, end, f"new {name}", ha="left", va="center", fontsize=10, weight="bold")
    ax.set(
        xlim=(-0.9, last + 1.1), ylim=(min(y for _, y in place.values()) - 0.7, max(y for _, y in place.values()) + 0.8)
    )
    ax.axis("off")
    return ax


def _line(ax, start, end):
    ax.plot([start[0], end[0] - 0.45, end[0]], [start[1], end[1], end[1]], color="0.55", linewidth=1.1, zorder=1)


def cell_sheet(cells, columns=2):
    """Diagrams of several cells, each above its equations.

    Parameters
    ----------
    cells : list of Cell
    columns : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    rows = -(-len(cells) // columns)
    figure, panels = plt.subplots(
        2 * rows, columns, figsize=(5.6 * columns, 4.2 * rows), height_ratios=[3, 1.5] * rows, squeeze=False
    )
    for ax in panels.flat:
        ax.axis("off")
    for number, cell in enumerate(cells):
        row, column = 2 * (number // columns), number % columns
        cell_diagram(cell, panels[row, column]).set_title(cell.name, loc="left", weight="bold")
        equations = "\n".join(cell.equations)
        panels[row + 1, column].text(0.02, 1, equations, family="monospace", fontsize=9, va="top")
    return figure


def over_time(samples, rate, quantities, times, wanted=("f", "i", "o", "c")):
    """What the units of a cell do while a word is spoken, under its waveform and its spectrogram.

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (samples,).
    rate : int
        Hz.
    quantities : dict of str to torch.Tensor
        As `CellLayer.quantities` returns them, each of shape (frames, hidden).
    times : numpy.ndarray
        Middle of each frame in seconds.
    wanted : iterable of str
        Which to draw; those that the cell lacks are left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    drawn = [name for name in wanted if name in quantities]
    figure, panels = plt.subplots(
        2 + len(drawn),
        1,
        figsize=(8.5, 2.6 + 1.45 * len(drawn)),
        sharex=True,
        height_ratios=[0.8, 1.2] + [1] * len(drawn),
    )
    waveform(samples, rate, panels[0])
    spectrogram(samples, rate, panels[1], colorbar=False)
    order = quantities[drawn[0]].mean(0).argsort().tolist()  # units in the same order everywhere
    for name, ax in zip(drawn, panels[2:], strict=True):
        values = quantities[name].detach().cpu().numpy()[:, order].T  # (hidden, frames)
        gate = name not in ("c", "g", "h")
        bound = 1 if gate or name != "c" else max(1e-6, float(np.percentile(np.abs(values), 98)))
        drawing = image(
            values,
            ax,
            np.asarray(times),
            np.arange(len(values)),
            low=0 if gate else -bound,
            high=bound,
            cmap="viridis" if gate else "PuOr_r",
        )
        ax.set_ylabel(f"{name}\nunit")
        figure.colorbar(drawing, ax=ax, pad=0.01)
    for ax in panels[:-1]:
        ax.set_xlabel("")
    panels[-1].set(xlabel="time (s)", xlim=(0, len(samples) / rate))
    return figure
