"""The README's example runs, and the files and commands it names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

pytest_plugins = ["tiny"]


def test_the_example_of_a_new_model_trains(made, own_folders):
    import torch
    from torch import nn

    import labkit
    from labkit.models import MODELS
    from labkit.models.rnn import max_frames

    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.splitlines()) <= 13  # "in ten lines"
    quick = labkit.Recipe(epochs=1)
    names = {
        **{"labkit": labkit, "torch": torch, "nn": nn, "max_frames": max_frames, "Model": labkit.Model},
        "Experiment": lambda **parts: labkit.Experiment(**parts, recipe=quick),
        "lab": labkit.start("readme", data=made, device="cpu"),
    }
    try:
        exec(example, names)  # noqa: S102 (our own text)
        runs = labkit.read_runs(names["lab"].results)
        assert [run.record["experiment"]["model"] for run in runs] == [{"name": "pooled", "hidden": 32}]
    finally:
        MODELS.pop("pooled", None)


def test_the_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_commands_exist():
    from labkit.cli import COMMANDS

    named = set(re.findall(r"-m labkit (\w+)", README))
    assert named and named <= set(COMMANDS)
    targets = set(re.findall(r"make (\w+)", README)) - {"it"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [target for target in targets if not re.search(rf"^[\w ]*\b{target}\b[\w ]*:", makefile, re.MULTILINE)] == []


def test_nothing_is_left_to_do():
    assert "TODO" not in README
