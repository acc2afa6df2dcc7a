"""Take the pictures of the panels that the README shows: `PYTHONPATH=tests python -m tools.screenshots [folder]`.

It runs the panels on the synthetic corpus in a JupyterLab and a browser of its own, as the browser tests do, and writes
figures/panel_NAME_light.png and figures/panel_NAME_dark.png.
"""

import io
import re
import sys
import tempfile
from pathlib import Path

import in_jupyter
import numpy as np
import soundfile
import tiny
from around import QUIET, ROOT, find_browser
from in_jupyter import cell, theme
from PIL import Image

WIDTH = 1100
CELLS = {
    "setup": """import labkit
lab = labkit.start("panels", data="synthetic", device="cpu")
words = ("down", "no", "up", "yes")
small = labkit.Experiment(corpus=labkit.Subset(labels=words, clips_per_label=80), model=labkit.Model("gru", hidden=32),
                          recipe=labkit.Recipe(epochs=8, batch=32))
run, cell = lab.train(small), lab.train(small.change(model={"name": "lstm", "hidden": 32}))""",
    "explorer": "labkit.ExplorerPanel(lab, word='stop')",
    "trainer": """trainer = labkit.TrainerPanel(lab, small.change(recipe={"epochs": 6}), guess=0.75)
for lr in (0.003, 0.01):
    trainer.controls["recipe.lr"].value = lr
    trainer.train.click()
    trainer.wait()
trainer""",
    "confusions": "labkit.ConfusionsPanel(lab, run)",
    "recorder": "labkit.RecorderPanel(lab, word='yes')",
    "gates": "labkit.GatesPanel(lab, cell, word='no')",
}


def main(folder):
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="labkit-") as place, sync_playwright() as playwright:
        place = Path(place)
        quiet = np.zeros(tiny.RATE // 2)
        tone = np.concatenate([quiet, tiny.tone("rise", tiny.SPEAKERS[3]), quiet, quiet])
        soundfile.write(place / "tone.wav", tone, tiny.RATE)
        heard = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        heard.append(f"--use-file-for-fake-audio-capture={place / 'tone.wav'}")
        kept = {f"LABKIT_{name}": place / name.lower() for name in ("RESULTS", "FIGURES")}
        browser = playwright.chromium.launch(executable_path=find_browser(), args=[*QUIET, *heard])
        environment = {**kept, "LABKIT_BARS": "off", "PYTHONPATH": ROOT, "LABKIT_DATA": "synthetic"}
        with in_jupyter.jupyter(place / "jupyter", list(CELLS.values()), environment) as address:
            page = browser.new_page(viewport={"width": WIDTH + 260, "height": 1800})
            page.set_default_timeout(in_jupyter.PATIENCE)
            in_jupyter.run_all(page, address)
            recorder = cell(page, list(CELLS).index("recorder"))
            recorder.locator(".labkit-record").click()
            recorder.locator('[role="status"]', has_text=re.compile("loudest moment")).first.wait_for()
            for look in ("light", "dark"):
                theme(page, look == "dark")
                for number, name in enumerate(CELLS):
                    if name != "setup":
                        save(cell(page, number).screenshot(), folder / f"panel_{name}_{look}.png")
        browser.close()


def save(png, path):
    """With 256 colours, which the eye does not miss: the repository keeps these."""
    picture = (
        Image.open(io.BytesIO(png)).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    picture.save(path, optimize=True)
    print(path.name, f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "figures")
