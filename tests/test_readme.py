"""The README's example runs, and the files and commands it names exist."""

import re
from itertools import permutations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README, RESULTS, EXTENDING, INSTALL, CLUSTER = (
    (ROOT / path).read_text(encoding="utf-8")
    for path in ("README.md", "docs/RESULTS.md", "docs/EXTENDING.md", "docs/INSTALL.md", "docs/CLUSTER.md")
)

pytest_plugins = ["tiny"]


def test_the_example_of_a_new_model_trains(made, own_folders):
    import labkit
    from labkit.models import MODELS

    example, _ = re.findall(r"```python\n(.*?)```", EXTENDING, re.DOTALL)
    assert len(example.splitlines()) <= 17  # ten lines and the imports
    names = {"lab": labkit.start("readme", data=made, device="cpu")}
    try:
        exec(example, names)  # noqa: S102 (our own text)
        runs = labkit.read_runs(names["lab"].results)
        assert [run.record["experiment"]["model"] for run in runs] == [{"name": "pooled", "hidden": 32}]
    finally:
        MODELS.pop("pooled", None)


def test_the_example_of_a_panel_draws(made, own_folders):
    import labkit

    _, example = re.findall(r"```python\n(.*?)```", EXTENDING, re.DOTALL)
    names = {"lab": labkit.start("readme", data=made, device="cpu"), "labkit": labkit}
    exec(example.replace("labkit.TinkerPanel(", "panel = labkit.TinkerPanel("), names)  # noqa: S102 (our own text)
    assert names["panel"].said == "factor 0.5, frames 20 of 10 ms. 9.5e-07 is left."
    names["panel"].controls["factor"].value = 0.9
    assert "0.12 is left" in names["panel"].said


def test_the_links_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == [], page


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


def test_the_commands_exist():
    from labkit.cli import COMMANDS

    named = set(re.findall(r"-m labkit (\w+)", README + RESULTS + INSTALL + CLUSTER))
    assert named and named <= set(COMMANDS)
    targets = set(re.findall(r"`make (\w+)|^    make (\w+)", README, re.MULTILINE))
    targets = {one or other for one, other in targets}
    assert len(targets) >= 4
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [target for target in targets if not re.search(rf"^[\w ]*\b{target}\b[\w ]*:", makefile, re.MULTILINE)] == []


def lines_between(text, name):
    """The list items between two comments."""
    (block,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", text, re.DOTALL)
    return [" ".join(item.split()) for item in re.split(r"^- ", block, flags=re.MULTILINE)[1:]]


@pytest.fixture(scope="module")
def recorded():
    """All committed runs; and the summary of those that were tested, as a list of dict."""
    from labkit.experiments.records import read_runs, summary

    runs = read_runs(ROOT / "results" / "records")
    return runs, summary([run for run in runs if run.tested]).to_dict("records")


@pytest.mark.slow
def test_the_numbers_quoted_are_those_of_the_records(recorded):
    from labkit.experiments.records import elsewhere, in_words

    runs, tested = recorded
    said = [in_words(row) for row in tested + elsewhere(runs).to_dict("records")]
    data = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    quoted = lines_between(RESULTS, "records") + lines_between(data, "synthetic records")
    quoted += lines_between(RESULTS, "core")
    assert len(quoted) >= 10
    assert [line for line in quoted if line not in said] == []


FIGURE = re.compile(r"\d+\.\d \[\d+\.\d, \d+\.\d\]")


FOUR, EIGHT = "speech_commands_4words", "speech_commands_core"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "corpora"),
    [("networks", (FOUR, EIGHT)), ("windows, 4 words", 4 * (FOUR,)), ("windows, 8 commands", 4 * (EIGHT,))],
)
def test_the_tables_are_those_of_the_records(name, corpora, recorded):
    """Each figure is one of the model that its row names, on the corpus of its column."""
    (block,) = re.findall(rf"<!-- {name} table -->\n(.*?)<!-- end of {name} table -->", RESULTS, re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines()[2:]]
    models = {re.search(r"`(\w+)`", " ".join(row)).group(1) for row in rows}
    known = {}
    for row in (row for row in recorded[1] if row["model"].split()[0] in models):
        figure = f"{100 * row['test']:.1f} [{100 * row['test_low']:.1f}, {100 * row['test_high']:.1f}"
        figure += "; one seed]" if row["seeds"] == 1 else "]"
        known.setdefault((row["model"].split()[0], row["corpus"]), set()).add(figure)
    shown = 0
    for row in rows:
        model = re.search(r"`(\w+)`", " ".join(row)).group(1)
        for cell, corpus in zip(row[-len(corpora) :], corpora, strict=True):
            assert cell == "–" or cell in known[model, corpus], (row, corpus)
            shown += bool(FIGURE.fullmatch(cell.replace("; one seed", "")))
    assert shown >= 12


def in_points(difference, end=""):
    """A difference with its interval, as RESULTS writes it."""
    return "{:+.1f} [{:+.1f}, {:+.1f}{}]".format(*(100 * difference[key] for key in ("mean", "low", "high")), end)


def boards_of_cells():
    """For each column of the table of cells: its configurations by model, of five seeds each."""
    from labkit.experiments.sweep import recorded

    for corpus, *grids in (
        (EIGHT, "cells_r1"),
        (EIGHT, "cells_eight"),
        (EIGHT, "cells_eight", "cells_equal"),
        (FOUR, "cells"),
    ):
        board = recorded(corpus, *grids)
        if "cells_equal" in grids:
            board = board[(board.hidden != 64) | (board.model == "lstm_cell")]
        assert set(board.seeds) == {5}
        yield board.set_index("model").runs


def test_the_differences_between_cells_are_those_of_the_records():
    from labkit.experiments.sweep import recorded
    from labkit.metrics import percent

    models = ["lstm_cell", "no_input", "no_forget", "no_output", "coupled", "peephole_full", "peephole"]
    rows, known = rows_of("cells"), set()
    for column, runs in enumerate(boards_of_cells(), start=1):
        for name, row in zip(models, rows, strict=True):
            if name == "lstm_cell":
                assert row[column] == percent(runs[name].score()).replace("%", "")
            else:
                found = in_points(runs[name].minus(runs["lstm_cell"])) if name in runs else "–"
                assert row[column] == found, (name, column)
                known.add(found)
        if "peephole" in runs:
            known.add(in_points(runs["lstm_cell"].minus(runs["peephole"])))
    crossed = recorded(EIGHT, "input_gate")
    for normalised in (True, False):
        runs = crossed[crossed.normalise == normalised].set_index("model").runs
        known.add(in_points(runs["no_input"].minus(runs["lstm_cell"])))
    (block,) = re.findall(r"<!-- r1 cells -->\n(.*?)<!-- end of r1 cells -->", RESULTS, re.DOTALL)
    shown = re.findall(r"[+-]\d+\.\d \[.+?\]", block)
    assert len(shown) >= 8 and set(shown) <= known


@pytest.mark.slow
def test_the_differences_between_the_first_study_s_networks_are_those_of_the_records():
    from labkit.experiments.sweep import recorded
    from labkit.metrics import percent

    settings = ("model", "bidirectional", "window_ms", "hop_ms")  # a pair differs in one or two of them
    (block,) = re.findall(r"<!-- r1 -->\n(.*?)<!-- end of r1 -->", RESULTS, re.DOTALL)
    known, levels = set(), set()
    for corpus, *grids in (
        (FOUR, "windows", "hops"),
        (EIGHT, "r1_windows", "r1_windows_between"),
        (EIGHT, "r1_curves"),
    ):
        table = recorded(corpus, *grids)
        levels |= {percent(one.score()).replace("%", "") for one in table.runs}
        for row, other in permutations(table.itertuples(), 2):
            if sum(getattr(row, key) != getattr(other, key) for key in settings) in (1, 2):
                found = row.runs.minus(other.runs)
                known.add(in_points(found, "; one seed" if found["seeds"] == 1 else ""))
    shown = re.findall(r"[+-]\d+\.\d \[.+?\]", block)
    assert len(shown) >= 8 and set(shown) <= known
    assert set(re.findall(r"(?<![-+.\d])\d+\.\d \[.+?\]", block)) <= levels


def test_the_differences_between_mel_cnns_are_those_of_the_records():
    from labkit.experiments.records import groups
    from labkit.experiments.sweep import committed
    from labkit.metrics import percent

    (block,) = re.findall(r"<!-- r2 -->\n(.*?)<!-- end of r2 -->", RESULTS, re.DOTALL)
    networks = [same for grid in ("mel_cnn", "modern") for same in groups(committed(grid, EIGHT))]
    known = set()
    for one in networks:
        for other in networks:
            found = one.minus(other)
            known.add(in_points(found, "; one seed" if found["seeds"] == 1 else ""))
    shown = re.findall(r"[+-]\d+\.\d \[.+?\]", block)
    assert len(shown) >= 4 and set(shown) <= known
    levels = {percent(same.score()).replace("%", "") for same in networks}
    assert set(re.findall(r"(?<![-+.\d])\d+\.\d \[.+?\]", block)) <= levels
    base = next(same for same in networks if same.experiment == _as_run(same.experiment))
    steps = ", ".join(f"{100 * base[0].history.validation_accuracy[epoch - 1]:.1f}" for epoch in (5, 10, 20))
    assert f"| {steps}; one seed |" in block, "M3 as run on validation, from fifth to twentieth epoch"


def _as_run(experiment):
    """M3 as it was run, with the corpus, the seed and the number of updates of an experiment."""
    from labkit.experiments.experiment import Experiment
    from labkit.published.r2_mel_cnn import settings

    sizes = {"epochs": experiment.recipe.epochs, "batch": experiment.recipe.batch}
    corpus = {"labels": experiment.corpus.labels}
    return Experiment.from_dict(settings("M3-8k")).change(corpus=corpus, recipe=sizes, seed=experiment.seed)


def rows_of(name):
    (block,) = re.findall(rf"<!-- {name} table -->\n(.*?)<!-- end of {name} table -->", RESULTS, re.DOTALL)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines()[2:]]


@pytest.mark.slow
def test_the_table_of_new_voices_is_that_of_the_records():
    import pandas as pd

    from labkit.experiments.sweep import committed, per_seed
    from labkit.metrics import interval

    def figure(one):
        return f"{100 * one['mean']:.1f} [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"

    def kept(grid, leaky):
        runs = [run for run in committed(grid, "fsdd") if (run.experiment.split.protocol == "by_clip_leaky") == leaky]
        runs = [run for run in runs if run.experiment.recipe.optimiser != "sgd"]  # the student's recipe has no row
        seeds = {run.experiment.seed for run in runs}
        return [pd.concat([run.predictions() for run in runs if run.experiment.seed == seed]) for seed in seeds]

    def worst(tables):
        answers = pd.concat(tables)
        right = (answers.label == answers.predicted).groupby(answers.speaker).mean()
        return f"{100 * right.min():.1f} ({right.idxmin()})"

    known = {"voice_mnist": "voice_mnist", "raw_gru": "raw_gru", "audionet": "audionet"}
    rows = rows_of("voices")
    assert len(rows) == 7
    for row, (clips, voices) in zip(rows[:3], {**known, "voice_mnist": "voice_mnist_voices"}.items(), strict=True):
        assert row[1] == figure(interval(kept(clips, True))), row
        assert row[2:] == [figure(interval(kept(voices, False))), worst(kept(voices, False))], row
    varied = [run for run in committed("fsdd_nested", "fsdd") if run.experiment.recipe.augmentation.speed]
    more = committed("fsdd_voices", "fsdd")
    synthetic, all_extra = ([run for run in more if len(run.experiment.corpus.extra) == count] for count in (1, 2))
    five = [run for run in committed("fsdd_count", "fsdd") if run.record["speakers"]["train"] == 5]
    for row, runs in zip(rows[3:], (five, varied, synthetic, all_extra), strict=True):
        answers = per_seed(runs, ("validation", "test"))
        assert row[2:] == [figure(interval(answers)), worst(answers)], row


def test_what_is_trained_on_more_or_fewer_voices_has_the_settings_that_the_other_voices_chose():
    from labkit.experiments.nested_cv import choices
    from labkit.experiments.sweep import committed

    counted = committed("fsdd_count", "fsdd")
    assert {run.experiment.split.protocol for run in counted} == {"new_voices"}
    updates = {1: 40, 2: 20, 3: 13, 5: 8}  # epochs: about as many updates as ten of four voices
    for choice in choices(committed("fsdd_nested", "fsdd")):
        for run in counted:
            assert run.experiment.recipe.epochs == updates[run.record["speakers"]["train"]]
            same = {"split": choice.split, "recipe": {"epochs": 10}, "seed": 0}
            assert run.experiment.change(**same) == choice


def test_the_table_of_live_recognition_is_that_of_the_record():
    from labkit.streaming import benchmark

    table = benchmark.table(benchmark.committed())
    rows = rows_of("live")
    assert [row[0] for row in rows] == list(table.index)
    for name, *told in rows:
        assert told == [f"{value:.1f}" if isinstance(value, float) else value for value in table.loc[name]][:4], name


def test_the_figures_of_the_readme_are_those_of_the_results():
    told = lines_between(README, "five")
    assert len(told) == 5
    percent = re.compile(r"(\d+\.\d)%? \[(\d+\.\d), (\d+\.\d)\]")
    known = set(percent.findall(RESULTS))
    figures = percent.findall(" ".join(told))
    assert len(figures) >= 7
    assert [figure for figure in figures if figure not in known] == []
    *_, last = rows_of("live")  # the step whose network is shipped
    assert percent.findall(told[4]) == percent.findall(f"{last[2]} {last[3]} {last[1]}")


def test_each_notebook_has_a_row_with_its_minutes():
    import json

    times = json.loads((ROOT / "notebooks" / "times.json").read_text(encoding="utf-8"))
    rows = dict(re.findall(r"^\| \[(\w+)\]\(notebooks/\w+\.ipynb\) \|.*\| ([\d.]+) \|$", README, re.MULTILINE))
    assert rows == {name: f"{took['seconds'] / 60:.1f}" for name, took in times.items()}


def test_nothing_is_left_to_do():
    assert "TODO" not in README
