"""Nested leave-one-speaker-out: nothing that is chosen for a voice has heard it or been measured on it."""

import pandas as pd
import pytest
import tiny
from test_fsdd import VOICES, write

from labkit.data import fsdd
from labkit.data.splits import Split
from labkit.errors import LabError
from labkit.experiments import nested_cv as nested
from labkit.experiments.experiment import Experiment, Subset
from labkit.experiments.sweep import Grid, best, committed, per_seed, sweep
from labkit.features import MFCC
from labkit.metrics import interval
from labkit.models import Model
from labkit.training.recipe import Recipe

pytest_plugins = ["tiny"]
BASE = Experiment(
    Subset("fsdd"),
    feature=MFCC(sample_rate=8000, seconds=0.1, hop_ms=40, n_mfcc=4, deltas=0),
    model=Model("gru", hidden=4),
    recipe=Recipe(epochs=1, select="last"),
)


class FakeRun:
    """A run whose accuracies are given, in tenths: on the voice it validates and on the one it tests."""

    def __init__(self, experiment, validated, tested):
        self.id, self.experiment = f"{experiment.model} {experiment.split} {experiment.seed}", experiment
        self.right = {"validation": validated, "test": tested}

    def predictions(self, part):
        split = self.experiment.split
        voice = {"test": split.speaker, "validation": split.validation_speaker}[part]
        answers = [("1" if number < round(10 * self.right[part]) else "2") for number in range(10)]
        rows = [(f"{voice}{number}.wav", voice, "1", answer, 0.9) for number, answer in enumerate(answers)]
        return pd.DataFrame(rows, columns=["path", "speaker", "label", "predicted", "confidence"])


def fakes(figures, **changes):
    """Runs of one configuration from {(tested, validated): (accuracy on the tested, on the validated)}."""
    base = BASE.change(**changes)
    return [
        FakeRun(base.change(split=split), figures[pair][1], figures[pair][0])
        for split in nested.pairs("abc")
        for pair in [(split["speaker"], split["validation_speaker"])]
    ]


def same(on_a, on_b, on_c):
    """A configuration that is equally good on a voice whoever else was left out."""
    on = {"a": on_a, "b": on_b, "c": on_c}
    return {(first, second): (on[first], on[second]) for first, second in ("ab", "ac", "bc")}


def test_six_voices_make_fifteen_pairs_each_once():
    splits = nested.pairs(["f", "a", "c", "b", "e", "d"])
    assert len({frozenset((split["speaker"], split["validation_speaker"])) for split in splits}) == len(splits) == 15
    assert all(Split(**split).protocol == "leave_one_speaker_out" for split in splits)


def test_each_accuracy_serves_the_other_voice_of_its_pair():
    figures = {("a", "b"): (0.1, 0.2), ("a", "c"): (0.3, 0.4), ("b", "c"): (0.5, 0.6)}
    table = nested.inner(nested.answers(fakes(figures))).droplevel("configuration")
    assert table.loc["a", ["b", "c"]].to_list() == [0.2, 0.4]  # of networks that never heard a
    assert table.loc["b", ["a", "c"]].to_list() == [0.1, 0.6]
    assert table.loc["c", ["a", "b"]].to_list() == [0.3, 0.5]
    assert pd.isna(table.loc["a", "a"])


def widths(runs):
    """Of each voice, the sizes of the networks that were chosen for it."""
    chosen = nested.chosen(nested.answers(runs))
    return {
        voice: {configuration.model.full["hidden"] for configuration in group.configuration}
        for voice, group in chosen.groupby("speaker")
    }


def test_a_voice_has_no_say_in_the_choice_for_itself():
    first, second = same(0.0, 0.9, 0.9), same(1.0, 0.8, 0.8)  # the second shines on a, the first on the others
    runs = fakes(first) + fakes(second, model={"hidden": 8})
    assert widths(runs) == {"a": {4}, "b": {8}, "c": {8}}
    left_out = {run.id: {run.experiment.split.speaker, run.experiment.split.validation_speaker} for run in runs}
    said = nested.chosen(nested.answers(runs))
    assert all(voice in left_out[run] for run, voice in zip(said.run, said.speaker, strict=True))
    assert (said.groupby("speaker").run.nunique() == 2).all()


def test_seeds_are_averaged_before_anything_is_chosen():
    lucky = fakes(same(0.9, 0.9, 0.9)) + fakes(same(0.1, 0.1, 0.1), seed=1)
    steady = [run for seed in (0, 1) for run in fakes(same(0.6, 0.6, 0.6), model={"hidden": 8}, seed=seed)]
    assert widths(lucky + steady) == {"a": {8}, "b": {8}, "c": {8}}


def test_a_missing_pair_is_named():
    with pytest.raises(LabError, match=r"was not trained without b and \['c'\].*nested.pairs"):
        nested.inner(nested.answers(fakes(same(0.5, 0.5, 0.5))[:2]))


@pytest.mark.parametrize("changes", [{"recipe": {"select": "accuracy"}}, {"split": {"protocol": "by_speaker"}}])
def test_an_epoch_chosen_on_a_voice_of_the_pair_is_refused(changes):
    runs = fakes(same(0.5, 0.5, 0.5))
    runs[0].experiment = runs[0].experiment.change(**changes)
    with pytest.raises(LabError, match='Recipe\\(select="last"\\)'):
        nested.answers(runs)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two configurations on all pairs of three fake voices."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("nested")
        patch.setenv("LABKIT_CACHE", str(folder / "cache"))
        corpus = fsdd.load(write(folder / "fsdd", VOICES[:3], digits="01", repetitions=3))
        grid = Grid(BASE, {"split": nested.pairs(VOICES[:3]), "model": [{"hidden": 4}, {"hidden": 5}]}, seeds=(0,))
        runs, failed = sweep(grid.experiments(), corpus, folder / "results", report=lambda line: None)
        assert not failed
        for run in runs:
            run.test()
        yield runs


def never_heard_by(runs):
    """All answers are of networks that were not trained on the voice; a table of those that were chosen."""
    trained_on = {run.id: run.record["training_speakers"] for run in runs}
    said = nested.chosen(nested.answers(runs))
    pairs = set(zip(said.run, said.speaker, strict=True))
    assert pairs and all(voice not in trained_on[run] for run, voice in pairs)
    return said


def test_each_voice_is_asked_of_all_networks_that_never_heard_it(trained):
    assert (never_heard_by(trained).groupby("speaker").run.nunique() == 2).all()


def test_each_voice_gets_the_configuration_that_the_others_choose():
    first, second = same(0.0, 0.9, 0.9), same(1.0, 0.8, 0.8)
    choices = nested.choices(fakes(first) + fakes(second, model={"hidden": 8}))
    assert {voice: choice.model.full["hidden"] for voice, choice in choices.items()} == {"a": 4, "b": 8, "c": 8}


def test_a_row_for_each_network_and_voice(trained):
    both = ("validation", "test")
    table = nested.by_voice(trained, both)
    assert len(table) == 2 * len(trained) and set(table.voice) == {"ana", "bo", "cleo"}
    assert set(table["training voices"]) == {1} and table.accuracy.between(0, 1).all()
    (said,) = per_seed(trained, both)
    assert interval([said])["mean"] == pytest.approx(table.accuracy.mean()) and interval([said])["speakers"] == 3


def test_seeds_stay_apart():
    runs = [run for seed in (0, 1) for run in fakes(same(0.5, 0.6, 0.2 + 0.1 * seed), seed=seed)]
    first, second = per_seed(runs, ("validation", "test"))
    assert [(table.label == table.predicted).mean() for table in (first, second)] == pytest.approx([1.3 / 3, 1.4 / 3])


def test_the_best_of_different_pairs_means_nothing(trained):
    with pytest.raises(LabError, match="differ in corpus, labels, split"):
        best(trained)


def test_the_last_epoch_is_kept_whatever_validation_says(corpus, tmp_path):
    """At this rate it goes up and down, so an earlier epoch is better on validation."""
    from labkit.experiments.run import train

    worse = tiny.quick().change(recipe={"lr": 2.0, "schedule": "constant", "epochs": 6})
    kept = {}
    for select in ("accuracy", "last"):
        run = train(worse.change(recipe={"select": select}), corpus, tmp_path / select)
        kept[select] = run.record["best_epoch"], run.validation["accuracy"], run.history.validation_accuracy
    assert kept["last"][0] == 6 and kept["last"][1] == pytest.approx(kept["last"][2].iloc[-1])
    assert kept["accuracy"][0] < 6 and kept["accuracy"][1] == pytest.approx(kept["accuracy"][2].max())


@pytest.mark.parametrize("grid", ["fsdd_nested", "fsdd_voices"])
def test_committed_records_say_what_a_new_voice_may_expect(grid):
    """Each of the six voices of FSDD by networks that never heard it; the lab's own statement is held here."""
    runs = committed(grid, "fsdd")
    assert len(runs) % 15 == 0 and not any(run.synthetic for run in runs)
    assert set(never_heard_by(runs).groupby(["speaker", "run"]).size()) == {500}
    assert len(nested.choices(runs)) == 6 and never_heard_by(runs).right.mean() > 0.82


def test_each_voice_is_asked_of_networks_that_were_trained_on_all_five_others():
    runs = [run for run in committed("fsdd_count", "fsdd") if run.record["speakers"]["train"] == 5]
    assert nested.by_voice(runs).groupby("seed").voice.nunique().eq(6).all()
    for run in runs:
        assert set(run.predictions("test").speaker).isdisjoint(run.record["training_speakers"])
