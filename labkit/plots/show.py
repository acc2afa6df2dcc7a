"""How figures and tables look, and how they get onto the page: style, stamp, caption, file."""

import base64
import io
import threading

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn
from IPython import display as page
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from ..files import atomic_file, digest, write_text

STAMP = "synthetic speech"
BANNER = "These voices are made by a program. Numbers here show that the code works, not how well it recognises people."
SHARES = set(  # columns between 0 and 1 that are read as percent
    "accuracy balanced_accuracy macro_f1 chance majority mean low high share recall before after test validation "
    "test_low test_high test_std validation_std commonest precision confidence train_accuracy "
    "validation_accuracy validation_balanced_accuracy".split()
)
STRIP = 0.2  # inches below a quickly drawn figure, for its stamp
PLAIN = {"seed", "year", "epoch", "fold", "repetition"}  # whole numbers that count nothing: 2018, not 2,018
_DRAWING = threading.RLock()  # matplotlib draws for one thread at a time; panels train in another


def set_style():
    """One look for all figures: legible sizes, colours that colour-blind readers can tell apart."""
    look = {
        "figure.dpi": 100,
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "image.cmap": "viridis",
        "savefig.bbox": "tight",  # the stamp stands below the figure: no way of saving may cut it off
    }
    seaborn.set_theme(style="ticks", palette="colorblind", font_scale=11 / 12, rc=look)


def banner():
    """Say in the notebook (or the terminal) that the voices are synthetic."""
    if get_ipython() is None:  # a plain Python script, where `display` would print the dict
        print(BANNER)
        return
    style = "border-left: 6px solid #d55e00; padding: 6px 12px; background: #d55e0018"
    html = f'<div style="{style}"><b>Synthetic speech.</b> {BANNER}</div>'
    page.display({"text/html": html, "text/plain": BANNER}, raw=True)


def stamp(figure):
    """Write below a figure, on a strip of its own, that it rests on synthetic speech; a second time changes nothing."""
    if any(text.get_gid() == STAMP for text in figure.texts):
        return
    with _DRAWING:
        box = _extent(figure)
        width, height = figure.get_size_inches()
        right, below = box.x1 / width, (box.y0 - 0.02) / height  # 0.02 inches between the figure and its stamp
        figure.text(right, below, STAMP, ha="right", va="top", fontsize=9, color="#b34700", gid=STAMP)


def render(figure):
    """A figure as PNG bytes, the same for the same figure; all that is drawn is inside, the stamp too."""
    large, small = io.BytesIO(), io.BytesIO()
    with _DRAWING:
        figure.savefig(large, format="png", dpi=figure.dpi, bbox_inches=_extent(figure))
    pixels = Image.open(large).convert("RGB")  # 256 colours: the eye misses none, and notebooks stay under a megabyte
    pixels = pixels.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    pixels.save(small, "png", optimize=True)
    return small.getvalue()


def quick(figure, synthetic, boxes=()):
    """A figure as PNG bytes in a third of `render`'s time, three times as large: for a picture that follows a slider.

    `boxes` say where its axes stand, if that is known: to lay them out takes as long as drawing them.
    """
    engine, canvas, png = figure.get_layout_engine(), FigureCanvasAgg(figure), io.BytesIO()
    with _DRAWING:
        if synthetic and not any(text.get_gid() == STAMP for text in figure.texts):
            width, height = figure.get_size_inches()
            figure.set_size_inches(width, height + STRIP)
            look = {"fontsize": 9, "color": "#b34700", "gid": STAMP, "in_layout": False, "ha": "right", "va": "bottom"}
            figure.text(0.998, 0.03 / height, STAMP, **look)
            if engine is not None:
                engine.set(rect=(0, STRIP / (height + STRIP), 1, height / (height + STRIP)))
        if engine is not None and len(boxes) == len(figure.axes):
            for ax, box in zip(figure.axes, boxes, strict=True):
                ax.set_position(box)
        elif engine is not None:
            engine.execute(figure)
        figure.set_layout_engine("none")
        canvas.draw()
    Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).save(png, "png", compress_level=1)
    return png.getvalue()


def _extent(figure):
    """The rectangle that holds the figure and all that sticks out of it, in inches; the layout is settled by this."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")  # once is enough: it takes as long as drawing
    return Bbox.union([Bbox([[0, 0], figure.get_size_inches()]), figure.get_tightbbox()])


def show(what, path, caption, alt, synthetic):
    """Show and keep a figure (PNG) or a table (CSV); see `Lab.show`."""
    what = what.figure if isinstance(what, Axes) else what
    if isinstance(what, Figure):
        if synthetic:
            stamp(what)
        png = render(what)
        with atomic_file(path.with_suffix(".png")) as temporary:
            temporary.write_bytes(png)
        plt.close(what)
        data = {"image/png": base64.b64encode(png).decode(), "text/plain": f"<{alt}>"}
        page.display(data, metadata={"image/png": {"alt": alt}}, raw=True)  # Colab's IPython has no Image(alt=)
    else:
        table = what.assign(data=STAMP) if synthetic else what
        write_text(path.with_suffix(".csv"), table.to_csv(lineterminator="\n"))
        page.display({"text/html": as_html(what), "text/plain": formatted(what).to_string()}, raw=True)
    page.display(page.Markdown(f"*{caption}*" + (f" *({STAMP})*" if synthetic else "")))


def formatted(table):
    """A DataFrame with every value as a text: shares (columns named in `SHARES`) in percent, numbers rounded."""
    return table.apply(_texts)


def _texts(column):
    """The values of a column as texts; its numbers all get as many decimals as the largest needs."""
    write = str
    if column.name in SHARES and column.dtype != bool:
        write = "{:.1%}".format
    elif column.name not in PLAIN and column.dtype.kind in "iuf":
        sizes = column.abs().dropna()
        largest = sizes.max()
        if (sizes % 1 == 0).all():
            write = "{:,.0f}".format
        elif largest < 0.1 or largest > 1e4 * sizes[sizes > 0].min():  # no number of decimals fits all

            def write(value):
                return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        else:
            decimals = sum(largest < size for size in (1, 10, 1000))
            write = f"{{:,.{decimals}f}}".format
    texts = ["–" if value is None or value != value else write(value) for value in column]
    return pd.Series(texts, column.index, dtype=object)


def as_html(table):
    """A formatted table as HTML: words to the left, numbers to the right."""
    style = formatted(table).style.set_uuid(digest(table.to_csv().encode(), 8))
    words = table.select_dtypes(exclude=["number", "bool"])
    if table.columns.is_unique:
        left = [{"selector": cell, "props": "text-align: left"} for cell in ("th", "td")]
        style = style.set_table_styles(dict.fromkeys(words, left))
    return style.to_html()
