"""`PYTHONPATH=tests python -m tools.soak`: use every panel again and again, in JupyterLab in a real browser.

A seeded script turns, types and presses what it finds in a panel, and from time to time restarts the kernel, closes the
tab and opens it again, or cuts the page's network. An error that the page throws, or memory that grows by more than a
fifth after the first minute, ends it with 1. The curve goes to build/soak.csv.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import in_jupyter
import numpy as np
import pandas as pd
import psutil
import soundfile
import tiny
from playwright.sync_api import Error

from labkit.files import home, write_text

CELLS = [
    """import labkit
lab = labkit.start("panels", device="cpu")
small = labkit.Experiment(
    feature=labkit.MFCC(n_mels=20, deltas=0, seconds=0.5),
    model=labkit.Model("gru", hidden=8),
    recipe=labkit.Recipe(epochs=2, batch=16, lr=0.01),
)
run = lab.train(small)
memory = lab.train(small.change(model={"name": "lstm"}))""",
    "labkit.ExplorerPanel(lab)",
    "labkit.TrainerPanel(lab, small, guess=0.5)",
    "labkit.ConfusionsPanel(lab, run)",
    "labkit.RecorderPanel(lab, word='hold')",
    "labkit.GatesPanel(lab, memory)",
    "labkit.LivePanel(lab)",
    """import matplotlib.pyplot as plt

def line(slope=1.0, offset=0):
    figure, ax = plt.subplots()
    ax.plot([0, 1], [offset, offset + slope])
    return figure, f"From {offset} to {offset + slope:.1f}."

labkit.TinkerPanel(lab, line, slope=[0.5, 1.0, 2.0], offset=range(0, 5))""",
]
PANELS = range(1, len(CELLS))
UPSETS = ("restart", "reopen", "cut")
# JupyterLab 4.6 makes a toolbar whenever another cell becomes the active one, and keeps the old one: 259 elements each
# time, in a notebook without any panel. Here that would hide what the panels keep.
WITHOUT = ("@jupyterlab/cell-toolbar-extension:plugin",)
# labkit tells the C library to keep freed memory for the next step (`labkit.device.settle`); a look gives it back first
TRIM = """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
    {code: "import ctypes; ctypes.CDLL('libc.so.6').malloc_trim(0)", silent: true, store_history: false}).done"""
EVERY = 60  # seconds between two looks at the memory
GROWTH = 1.2


class Soak:
    """A page with all panels, what it threw, and what it took."""

    def __init__(self, browser, address, seed):
        self.browser, self.address, self.chance = browser, address, random.Random(seed)
        self.errors, self.curve, self.last = [], [], "nothing"
        self.begun = time.monotonic()
        self.open()

    @property
    def seconds(self):
        return time.monotonic() - self.begun

    def open(self):
        """Open the notebook in a new tab, and run it."""
        self.page = self.browser.new_page(viewport={"width": 1280, "height": 1000})
        self.page.set_default_timeout(60_000)
        self.page.on("pageerror", lambda error: self.threw(error))
        self.devtools = self.page.context.new_cdp_session(self.page)
        self.devtools.send("Performance.enable")
        for told in in_jupyter.run_all(self.page, self.address):
            self.threw(told)

    def threw(self, error):
        self.errors.append(f"{self.seconds:.0f} s, after {self.last}: {error}")
        print(f"ERROR {self.errors[-1]}", flush=True)

    def turn(self):
        """Do one thing to one panel, as a student would."""
        number = self.chance.choice(PANELS)
        panel = in_jupyter.cell(self.page, number)
        found = panel.locator("select, input:not([type=file]):not([readonly]), .noUi-handle, button:not([disabled])")
        which = self.chance.randrange(max(1, found.count()))
        control = found.nth(which)
        self.last = f"control {which} of {CELLS[number]}"
        try:
            control.scroll_into_view_if_needed(timeout=2000)
            kind = control.evaluate("node => node.tagName.toLowerCase() + (node.type ? ' ' + node.type : '')")
            if kind.startswith("select"):
                control.select_option(index=self.chance.randrange(control.locator("option").count()), timeout=2000)
            elif kind in ("input text", "input number"):
                control.fill(
                    str(self.chance.choice((0, 1, 2, 5, 40, 0.01, "x"))) if "text" in kind else "3", timeout=2000
                )
                control.press("Enter", timeout=2000)
            elif kind.startswith("div"):  # the handle of a slider
                control.focus()
                for _ in range(self.chance.randint(1, 5)):
                    control.press(self.chance.choice(("ArrowLeft", "ArrowRight")), timeout=2000)
            else:
                control.click(timeout=2000)
        except Error:  # it went away or is covered: a student would look for another
            pass
        self.page.wait_for_timeout(self.chance.randint(50, 600))

    def upset(self, kind):
        """Restart the kernel, close the tab and open it again, or cut the network for some seconds."""
        self.last = kind
        print(f"{self.seconds:5.0f} s: {kind}", flush=True)
        if kind == "restart":
            in_jupyter.command(self.page, "notebook:clear-all-cell-outputs")  # so that cells that ran are told apart
            self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
            self.page.wait_for_function(in_jupyter.IDLE, timeout=in_jupyter.PATIENCE)
            in_jupyter.command(self.page, "notebook:run-all-cells")
            self.page.wait_for_function(in_jupyter.DONE, timeout=in_jupyter.PATIENCE)
        elif kind == "reopen":
            self.page.close()
            self.open()
        else:
            self.page.context.set_offline(True)
            for _ in range(5):
                self.turn()
            self.page.context.set_offline(False)
            self.page.wait_for_timeout(3000)

    def look(self):
        """Note the memory of the kernel and of the page, after both have thrown away what they could."""
        self.page.evaluate(TRIM)
        for _ in range(3):  # what the first one frees lets go of more
            self.devtools.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in self.devtools.send("Performance.getMetrics")["metrics"]}
        below = psutil.Process().children(recursive=True)
        kernels = [process for process in below if any("ipykernel_launcher" in word for word in process.cmdline())]
        kernel = max((process.memory_info().rss for process in kernels), default=0)
        row = {"seconds": self.seconds, "kernel_mb": kernel / 1e6, "page_mb": metrics["JSHeapUsedSize"] / 1e6}
        self.curve.append({**row, "nodes": metrics["Nodes"], "errors": len(self.errors)})
        print(
            "{seconds:5.0f} s: kernel {kernel_mb:.0f} MB, page {page_mb:.0f} MB, {nodes:.0f} nodes".format(
                **self.curve[-1]
            )
        )


def soak(minutes, seed, folder):
    """Use the panels for so long; returns what the page threw, and the curve of memory as a table."""
    sound = folder / "spoken.wav"
    soundfile.write(sound, np.tile(tiny.tone("rise", tiny.SPEAKERS[3]), 4), tiny.RATE, subtype="PCM_16")
    tiny.make(folder / "data" / "speech_commands")
    environment = {f"LABKIT_{name.upper()}": folder / name for name in ("data", "cache", "results", "figures")}
    environment |= {"PYTHONPATH": home(), "LABKIT_BARS": "off"}
    with in_jupyter.browser_that_hears(sound) as browser:
        with in_jupyter.jupyter(folder / "jupyter", CELLS, environment, WITHOUT) as address:
            run = Soak(browser, address, seed)
            upsets, next_look, next_upset = 0, EVERY, 2.5 * EVERY
            while run.seconds < 60 * minutes:
                run.turn()
                if run.seconds > next_look:
                    run.look()
                    next_look = run.seconds + EVERY
                if run.seconds > next_upset:
                    run.upset(UPSETS[upsets % len(UPSETS)])
                    upsets, next_upset = upsets + 1, run.seconds + 2.5 * EVERY
            run.look()
            run.page.close()
    return run.errors, pd.DataFrame(run.curve)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="labkit-soak-", ignore_cleanup_errors=True) as folder:
        errors, curve = soak(args.minutes, args.seed, Path(folder))
    write_text(home() / "build" / "soak.csv", curve.round(1).to_csv(index=False))
    grown = {name: curve[name].max() / curve[name][0] for name in ("kernel_mb", "page_mb")}
    print(curve.round(1).to_string(index=False))
    print(f"{len(errors)} errors; at most {grown['kernel_mb']:.2f} times the kernel's memory after the first minute,")
    print(f"and {grown['page_mb']:.2f} times the page's.")
    return int(bool(errors) or max(grown.values()) > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
