"""`python -m tools.draw_cells`: the six cells of notebook 03, each beside its equations, as figures/cell_*.png."""

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch

from labkit.files import home
from labkit.models.lstm_cells import CELLS
from labkit.plots import render, set_style

GATES = {"f": "C0", "i": "C1", "o": "C2", "g": "0.35"}  # colour of each quantity, in the diagram and in its equation
PLACES = {"f": 1.9, "i": 3.6, "g": 4.7, "o": 6.5}  # where it is computed, from left to right
MEMORY, OUTPUT, GATE, INPUT = 3.0, 1.55, 0.95, 0.0  # heights: memory c, output h, gates, what all gates read

TITLES = {
    "lstm_cell": "LSTM",
    "peephole_full": "Full peepholes: each gate sees the memory of all units",
    "coupled": "Coupled gates: one gate decides both",
    "no_forget": "No forget gate",
    "no_input": "No input gate",
    "no_output": "No output gate",
}
F, I, O = (rf"${gate} = \sigma(a_{gate})$" for gate in "fio")  # noqa: E741 (the gates' usual names)
G, C, H = r"$g = \tanh(a_g)$", r"$c_t = f \odot c_{t-1} + i \odot g$", r"$h_t = o \odot \tanh(c_t)$"
EQUATIONS = {
    "lstm_cell": [F, I, O, G, C, H],
    "peephole_full": [
        r"$f = \sigma(a_f + P_f\, c_{t-1})$",
        r"$i = \sigma(a_i + P_i\, c_{t-1})$",
        r"$o = \sigma(a_o + P_o\, c_t)$",
        G,
        C,
        H,
    ],
    "coupled": [F, r"$i = 1 - f$", O, G, C, H],
    "no_forget": [I, O, G, r"$c_t = c_{t-1} + i \odot g$", H],
    "no_input": [F, O, G, r"$c_t = f \odot c_{t-1} + g$", H],
    "no_output": [F, I, G, C, r"$h_t = \tanh(c_t)$"],
}


def arrow(ax, start, end, color="0.25", style="-|>"):
    look = {"arrowstyle": style, "color": color, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 13}
    ax.annotate("", end, start, arrowprops=look)


def path(ax, points, color="0.25"):
    """A line with corners; an arrowhead at its end."""
    for start, end in zip(points[:-2], points[1:-1], strict=True):
        arrow(ax, start, end, color, "-")
    arrow(ax, *points[-2:], color)


def operation(ax, place, sign):
    ax.add_patch(Circle(place, 0.2, facecolor="white", edgecolor="0.25", linewidth=1.6, zorder=3))
    ax.text(*place, sign, ha="center", va="center", fontsize=14, zorder=4)


def box(ax, place, text, color):
    x, y = place
    shape = FancyBboxPatch((x - 0.3, y - 0.2), 0.6, 0.4, boxstyle="round,pad=0.06", facecolor="white", zorder=3)
    shape.set(edgecolor=color, linewidth=2.2)
    ax.add_patch(shape)
    ax.text(x, y, text, ha="center", va="center", fontsize=12, color=color, zorder=4)


def draw(name):
    """The diagram of a cell, time from left to right, and its equations to the right of it. Gives a figure."""
    figure, (ax, words) = plt.subplots(1, 2, figsize=(9.4, 3.2), width_ratios=(3, 1.25))
    gates = CELLS[name].gates
    ends = {"f": (PLACES["f"], MEMORY), "i": (PLACES["g"], 1.9), "o": (PLACES["o"] + 0.9, OUTPUT)}  # where gates act
    # What every gate reads: the frame and the last output.
    ax.text(-0.15, INPUT, "$x_t,\\ h_{t-1}$", ha="right", va="center", fontsize=13)
    last = max(PLACES[gate] for gate in gates)
    arrow(ax, (-0.05, INPUT), (last, INPUT), style="-")
    for gate in gates:
        x, color = PLACES[gate], GATES[gate]
        arrow(ax, (x, INPUT), (x, GATE - 0.26))
        box(ax, (x, GATE), "tanh" if gate == "g" else "$\\sigma$", color)
        ax.text(x + 0.42, GATE - 0.42, f"${gate}$", fontsize=14, color=color, ha="left", va="center")
    # The memory: kept, written, handed on.
    ax.text(-0.15, MEMORY, "$c_{t-1}$", ha="right", va="center", fontsize=13)
    arrow(ax, (-0.05, MEMORY), (8.5, MEMORY))
    ax.text(8.6, MEMORY, "$c_t$", ha="left", va="center", fontsize=13, fontweight="bold")
    operation(ax, (PLACES["g"], MEMORY), "+")
    if "f" in gates:
        operation(ax, ends["f"], "×")
        arrow(ax, (PLACES["f"], GATE + 0.26), (PLACES["f"], MEMORY - 0.2), GATES["f"])
    if "i" in gates or name == "coupled":
        operation(ax, ends["i"], "×")
        arrow(ax, (PLACES["g"], GATE + 0.26), (PLACES["g"], 1.7), GATES["g"])
        arrow(ax, (PLACES["g"], 2.1), (PLACES["g"], MEMORY - 0.2))
        if name == "coupled":
            path(ax, [(PLACES["f"], 1.9), (PLACES["i"] - 0.3, 1.9)], GATES["f"])
            box(ax, (PLACES["i"], 1.9), "$1-f$", GATES["i"])
            arrow(ax, (PLACES["i"] + 0.36, 1.9), (PLACES["g"] - 0.2, 1.9), GATES["i"])
        else:
            path(ax, [(PLACES["i"], GATE + 0.26), (PLACES["i"], 1.9), (PLACES["g"] - 0.2, 1.9)], GATES["i"])
    else:
        arrow(ax, (PLACES["g"], GATE + 0.26), (PLACES["g"], MEMORY - 0.2), GATES["g"])
    # The output: the memory, squashed and perhaps gated.
    shown = ends["o"][0]
    arrow(ax, (shown, MEMORY), (shown, 2.5))
    box(ax, (shown, 2.25), "tanh", "0.25")
    if "o" in gates:
        operation(ax, ends["o"], "×")
        arrow(ax, (shown, 1.99), (shown, OUTPUT + 0.2))
        path(ax, [(PLACES["o"], GATE + 0.26), (PLACES["o"], OUTPUT), (shown - 0.2, OUTPUT)], GATES["o"])
        arrow(ax, (shown + 0.2, OUTPUT), (8.5, OUTPUT))
    else:
        path(ax, [(shown, 1.99), (shown, OUTPUT), (8.5, OUTPUT)])
    ax.text(8.6, OUTPUT, "$h_t$", ha="left", va="center", fontsize=13, fontweight="bold")
    if name == "peephole_full":  # dashed: the gates look at the memory
        look = {"linestyle": (0, (4, 2)), "color": "C4", "linewidth": 1.8}
        for start, gate in ((0.5, "f"), (2.7, "i")):
            source = start if gate == "f" else 0.5
            x = PLACES[gate] - 0.36
            ax.plot([source, source, start, start, x], [MEMORY, 1.45, 1.45, GATE, GATE], **look)
            ax.text(start + 0.08, 1.62, f"$P_{gate}$", color="C4", fontsize=12)
        ax.plot([5.7, 5.7, PLACES["o"] - 0.36], [MEMORY, GATE, GATE], **look)
        ax.text(5.78, 1.62, "$P_o$", color="C4", fontsize=12)
    ax.set(xlim=(-1.3, 9.0), ylim=(-0.35, 3.4))
    ax.axis("off")
    words.axis("off")
    lines = EQUATIONS[name]
    for number, line in enumerate(lines):
        gate = line[1] if line[1] in GATES else None
        color = GATES[gate] if gate else "black"
        words.text(0, 0.94 - 0.165 * number, line, transform=words.transAxes, fontsize=14, color=color, va="center")
    figure.suptitle(TITLES[name], x=0.01, ha="left", fontsize=13, fontweight="bold")
    return figure


def main():
    set_style()
    for name in TITLES:
        figure = draw(name)
        (home() / "figures" / f"cell_{name}.png").write_bytes(render(figure))
        plt.close(figure)


if __name__ == "__main__":
    main()
