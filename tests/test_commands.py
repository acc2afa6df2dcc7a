"""The commands sweep and results, and the rooms behind them: sweep and records."""

import json
import shutil

import pandas as pd
import pytest
import tiny
from tiny import SPEAKERS, TEST

from labkit import metrics
from labkit.cli import main
from labkit.errors import LabError, LabWarning
from labkit.experiments.experiment import Experiment
from labkit.experiments.records import (
    configuration,
    elsewhere,
    groups,
    in_words,
    read_runs,
    summary,
    table,
)
from labkit.experiments.sweep import Grid, best, sweep
from labkit.models import Model
from labkit.training.recipe import Recipe
from tools.bench.__main__ import main as bench_main

pytest_plugins = ["tiny"]

BASE = {"model": {"name": "rnn", "hidden": 8}, "recipe": {"epochs": 2, "batch": 8}}
SETTINGS = {"base": BASE, "axes": {"recipe.lr": [0.01, 0.001]}, "seeds": [0, 1]}


@pytest.fixture
def settings(tmp_path, own_folders):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(SETTINGS))
    return path


def run(settings, made, *more):
    return main(["sweep", str(settings), "--data", str(made), "--device", "cpu", *map(str, more)])


@pytest.fixture
def swept(settings, made, swept_once, tmp_path):
    """The results of the sweep of `settings`, in a folder of this test alone."""
    return shutil.copytree(swept_once, tmp_path / "out")


@pytest.fixture(scope="module")
def swept_once(made, tmp_path_factory):
    place = tmp_path_factory.mktemp("swept")
    (place / "settings.json").write_text(json.dumps(SETTINGS))
    with pytest.MonkeyPatch.context() as patch:
        tiny.set_folders(patch, place)
        assert run(place / "settings.json", made, "--results", place / "out") == 0
    return place / "out"


def test_run_trains_all_and_tests_only_what_validation_chose(settings, made, tmp_path, capsys):
    assert run(settings, made, "--results", tmp_path / "out") == 0
    runs = read_runs(tmp_path / "out")
    assert len(runs) == 4
    tested = [r for r in runs if r.tested]
    means = summary(runs).set_index("model").validation
    assert {configuration(r.experiment) for r in tested} == {means.idxmax()}
    assert len(tested) == 2
    said = capsys.readouterr().out
    assert "Validation chose" in said and "chance 33.3%" in said and "2 seeds" in said


def test_run_a_second_time_trains_nothing(swept, settings, made, tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.experiments.run.fit", lambda *a: pytest.fail("trained again"))
    assert run(settings, made, "--results", tmp_path / "out") == 0


@pytest.mark.slow
def test_run_tests_the_chosen_on_another_corpus_and_refuses_known_speakers(swept, settings, made, tmp_path, capsys):
    # the same people: speakers of its test part are new to the run, so this passes ...
    again = shutil.copytree(made, tmp_path / "again")
    assert run(settings, made, "--results", tmp_path / "out", "--also", again) == 0
    assert "On other corpora" in capsys.readouterr().out
    found = elsewhere([r for r in read_runs(tmp_path / "out") if r.tested])
    assert list(found["tested on"]) == ["again"]
    own = next(row for row in summary(read_runs(tmp_path / "out")).to_dict("records") if row["test"] == row["test"])
    assert found.accuracy[0] == pytest.approx(own["test"])  # the same clips under another name
    # ... but with another split, people who were trained on are to be tested, and it says so
    listed = (again / "testing_list.txt").read_text().splitlines()
    trained = next(path for path in sorted(p.relative_to(again).as_posix() for p in again.glob("fall/*.wav")))
    (again / "testing_list.txt").write_text("\n".join([*listed, trained.replace("\\", "/")]))
    others = shutil.move(again, tmp_path / "others")
    speakers = set(read_runs(tmp_path / "out")[0].record["training_speakers"])
    assert trained.split("/")[1].split("_")[0] in speakers
    assert run(settings, made, "--results", tmp_path / "out", "--also", others) == 2
    assert "trained on" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change, words",
    [
        ({"seed": [1]}, "seed"),
        ({"axes": {"model": [{"name": "gruu"}]}}, "Did you mean 'gru'"),
        ({"axes": {"recipe.raet": [1]}}, "raet"),
        ({"axes": {"recipe.lr": [-1]}}, "Recipe.lr cannot be -1"),
        ({"base": {"feature": {"name": "mfc"}}}, "Did you mean 'mfcc'"),
        ({"seeds": 3}, "Grid.seeds"),
        ({"axes": {"recipe.lr": 0.1}}, "Grid.axes.recipe.lr"),
        ({"axes": [1]}, "Grid.axes"),
        ({"axes": {"model": []}}, "Grid.axes.model"),
        ({"axes": {"seed": [1]}}, "cannot be an axis"),
        ({"axes": {"corpus.name": ["speech_commands", "folder"]}}, "cannot be an axis"),
        ({"axes": {"recipe.epochs": [2.5]}}, "Recipe.epochs cannot be 2.5"),
        ({"base": {"corpus": {"name": "speech_comands"}}}, "speech_commands"),
    ],
)
def test_impossible_settings_are_named_before_anything_is_trained(settings, made, capsys, change, words):
    settings.write_text(json.dumps({**SETTINGS, **change}))
    assert run(settings, made) == 2
    said = capsys.readouterr()
    assert words in said.err and "1/4" not in said.out


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_settings_file_that_is_none_is_named(settings, made, capsys, text):
    settings.write_text(text)
    assert run(settings, made) == 2
    assert "settings.json" in capsys.readouterr().err


def test_a_sweep_goes_on_past_a_failing_member(corpus, tmp_path):
    good = Experiment(model=Model("rnn", hidden=4), recipe=Recipe(epochs=2, batch=8))
    lines = []
    bad = good.change(recipe={"lr": 1e38, "clip_norm": None})
    runs, failed = sweep([bad, good], corpus, tmp_path, report=lines.append)
    assert len(runs) == 1 and len(failed) == 1
    assert "FAILED" in lines[0] and "Lower the learning rate" in lines[0]


def test_choosing_among_nothing_says_so():
    with pytest.raises(LabError, match="no run to choose from"):
        best([])


def test_a_grid_lists_a_duplicate_once():
    grid = Grid(axes={"model": [{"name": "rnn"}, {"name": "rnn", "hidden": 128}]}, seeds=(0,))
    assert len(grid.experiments()) == 1  # 128 is the default


def test_the_tables_agree_with_the_records(swept, settings, made, tmp_path):
    run(settings, made, "--results", tmp_path / "out", "--test", "all")
    runs = read_runs(tmp_path / "out")
    rows, groupings = table(runs, "test"), summary(runs)
    assert len(rows) == 4 and len(groupings) == 2 and [len(g) for g in groups(runs)] == [2, 2]
    for same, row in zip(groups(runs), groupings.to_dict("records"), strict=True):
        scores = [r.test()["accuracy"] for r in same]
        assert row["test"] == pytest.approx(sum(scores) / 2)
        found = metrics.interval([r.predictions() for r in same])
        assert (row["test_low"], row["test_high"]) == (found["low"], found["high"])
        assert row["test_low"] <= row["test"] <= row["test_high"]
        assert f"{100 * row['test']:.1f}%" in in_words(row)


def test_tables_name_the_speaker_who_was_left_out(corpus, tmp_path):
    from labkit.experiments.run import train

    for speaker in tiny.SPEAKERS[:2]:
        split = {"protocol": "leave_one_speaker_out", "speaker": speaker}
        train(tiny.quick().change(split=split, recipe={"epochs": 1}), corpus, tmp_path, "cpu")
    rows = table(read_runs(tmp_path), "validation")
    assert set(rows["split"]) == {f"leave_one_speaker_out speaker={speaker}" for speaker in tiny.SPEAKERS[:2]}


@pytest.mark.slow
def test_results_prints_and_writes(swept, tmp_path, capsys):
    capsys.readouterr()
    assert main(["results", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.count("not tested") == 1 and said.count("chance") == said.count("majority") == 2
    assert (
        main(["results", str(tmp_path / "out"), "--runs", "--part", "validation", "--csv", str(tmp_path / "t.csv")])
        == 0
    )
    assert len(pd.read_csv(tmp_path / "t.csv")) == 4


def test_a_damaged_record_or_one_of_an_unknown_model_spoils_no_table(swept, tmp_path):
    first, second, *rest = sorted((tmp_path / "out").rglob("run.json"))
    first.write_text(first.read_text()[:100])
    second.write_text(second.read_text().replace('"name": "rnn"', '"name": "of a student"'))
    with pytest.warns(LabWarning, match="cannot be read and is left out"):
        assert main(["results", str(tmp_path / "out")]) == 0
        assert len(read_runs(tmp_path / "out")) == len(rest)


def test_the_same_record_in_two_folders_counts_once(swept, tmp_path):
    shutil.copytree(swept, tmp_path / "both" / "one")
    shutil.copytree(swept, tmp_path / "both" / "two")
    assert list(summary(read_runs(tmp_path / "both")).seeds) == [2, 2]


@pytest.mark.slow
def test_one_test_speaker_gives_a_mean_without_an_interval(settings, made, tmp_path, capsys):
    voice = {"protocol": "leave_one_speaker_out", "speaker": SPEAKERS[3]}
    settings.write_text(json.dumps({**SETTINGS, "base": {**BASE, "split": voice}}))
    assert run(settings, made, "--results", tmp_path / "out") == 0
    assert "[one speaker: no interval]" in capsys.readouterr().out


@pytest.mark.slow
def test_elsewhere_stands_beside_the_commonest_word_there(swept, settings, made, tmp_path):
    again = shutil.copytree(made, tmp_path / "again")
    kept = [line for line in (again / "testing_list.txt").read_text().splitlines() if line.startswith("fall")]
    (again / "testing_list.txt").write_text("\n".join(kept))
    for word in ("hold", "rise"):
        for path in again.glob(f"{word}/*"):
            if path.name.split("_")[0] in TEST:
                path.unlink()
    run(settings, made, "--results", tmp_path / "out", "--also", again)
    (row,) = elsewhere(read_runs(tmp_path / "out")).to_dict("records")
    assert row["chance"] == pytest.approx(1 / 3) and row["commonest"] == 1
    assert "always the commonest word there 100.0%" in in_words(row)


def test_unlike_tasks_and_lucky_seeds_are_not_compared(corpus, tmp_path):
    quick = Experiment(model=Model("rnn", hidden=4), recipe=Recipe(epochs=1, batch=8))
    two = quick.change(corpus={"labels": ("fall", "rise")})
    runs, _ = sweep([quick, quick.change(seed=1), two], corpus, tmp_path, report=str)
    with pytest.raises(LabError, match="differ in corpus, labels"):
        best(runs)
    lucky, _ = sweep([quick.change(recipe={"epochs": 8, "lr": 0.02})], corpus, tmp_path, report=str)
    assert lucky[0].validation["accuracy"] > max(r.validation["accuracy"] for r in runs[:2])
    assert {r.id for r in best([*runs[:2], *lucky])} == {r.id for r in runs[:2]}


@pytest.mark.slow
def test_nothing_is_tested_while_members_fail(settings, made, tmp_path, capsys):
    settings.write_text(json.dumps({**SETTINGS, "axes": {"recipe.lr": [0.01, 1e38], "recipe.clip_norm": [None]}}))
    assert run(settings, made, "--results", tmp_path / "out") == 1
    assert "2 of 4 failed" in capsys.readouterr().out
    assert not any(r.tested for r in read_runs(tmp_path / "out"))


def test_results_without_any_name_the_next_step(tmp_path, capsys):
    assert main(["results", str(tmp_path)]) == 2
    assert "labkit sweep" in capsys.readouterr().err


@pytest.mark.slow
def test_a_synthetic_corpus_is_stamped_in_every_table(settings, made, tmp_path):
    from labkit.data import MARKER

    folder = shutil.copytree(made, tmp_path / "made_up")
    (folder / MARKER).write_text("made by a program")
    run(settings, folder, "--results", tmp_path / "out")
    runs = read_runs(tmp_path / "out")
    assert all("synthetic" in name for name in [*table(runs).corpus, *summary(runs).corpus])


@pytest.mark.slow
def test_bench_features_compares_equal_things(made, own_folders, capsys):
    assert bench_main(["features", "--data", str(made), "--clips", "16", "--rounds", "1"]) == 0
    assert capsys.readouterr().out.count("times librosa") == 8
    assert bench_main(["nonsense"]) == 2
