"""A search with Optuna: repeatable, on validation alone, pruned, told, and interrupted without a loss."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import labkit
from labkit.data.speech_commands import load
from labkit.errors import LabError
from labkit.experiments.experiment import Experiment
from labkit.experiments.records import in_words, read_runs, summary
from labkit.experiments.search import search
from labkit.features import MFCC
from labkit.models import Model
from labkit.training.loop import Callback
from labkit.training.recipe import Recipe

pytest_plugins = ["tiny"]
SMALL = Experiment(
    feature=MFCC(n_mels=20, deltas=0, seconds=0.5),
    model=Model("gru", hidden=4),
    recipe=Recipe(epochs=4, batch=16, lr=0.01),
)
SPACE = {"recipe.lr": (3e-4, 0.1), "model.hidden": (4, 12), "recipe.schedule": ["constant", "one_cycle"]}
TRIALS, SEED = 8, 38  # with this seed some trials fall behind


def look(corpus, results, **other):
    """The search of this module, with other arguments."""
    return search(SMALL, SPACE, corpus, results, **{"trials": TRIALS, "seed": SEED} | other)


@pytest.fixture(scope="module")
def corpus(made, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("LABKIT_BARS", "off")
        yield load(made)


@pytest.fixture(scope="module")
def found(corpus, tmp_path_factory):
    """A search, which no test may change."""
    return look(corpus, tmp_path_factory.mktemp("found"))


@pytest.fixture
def results(found, tmp_path):
    """A copy of what it left behind."""
    return Path(shutil.copytree(found.run.folder.parents[1], tmp_path / "results"))


class Counting(Callback):
    """Stops a search after so many batches."""

    left = 10**9

    def batch(self, epoch, done, total):
        Counting.left -= 1
        self.stop = Counting.left <= 0


def same(one, other):
    return one.run.id == other.run.id and one.trials.to_json() == other.trials.to_json()


def test_the_winner_is_the_best_on_validation_and_each_trial_is_told(found):
    trials = found.trials
    assert list(trials.index) == list(range(1, TRIALS + 1))
    assert set(trials.outcome) == {"finished", "stopped early"}, "some trials of this space fall behind"
    finished = trials[trials.outcome == "finished"]
    best = finished.validation.idxmax()
    assert found.run.validation["accuracy"] == finished.validation[best]
    assert found.run.experiment.recipe.lr == trials["recipe.lr"][best]
    assert found.run.experiment.model.full["hidden"] == trials["model.hidden"][best]
    stopped = trials[trials.outcome == "stopped early"]
    assert all(1 < len(epochs) < 4 for epochs in stopped.epochs) and stopped.validation.isna().all()
    assert all(len(epochs) == 4 for epochs in finished.epochs)


def test_a_trial_is_stopped_where_it_is_below_the_median_of_those_before(found):
    for number, row in found.trials.iterrows():
        before = found.trials[(found.trials.index < number) & (found.trials.outcome == "finished")]
        if len(before) < 5:
            assert row.outcome == "finished", "the first ones are not compared"
            continue
        for epoch, here in enumerate(row.epochs[:3]):
            reached = max(row.epochs[: epoch + 1])
            others = [max(epochs[: epoch + 1]) for epochs in before.epochs]
            stopped = row.outcome == "stopped early" and epoch == len(row.epochs) - 1
            assert here == row.epochs[epoch] and (not stopped or reached < np.median(others))


@pytest.mark.slow
def test_the_same_seed_finds_the_same_and_another_one_tries_others(found, corpus, tmp_path):
    again = look(corpus, tmp_path)
    assert same(again, found)
    other = look(corpus, tmp_path, trials=2, seed=1)
    assert not set(other.trials["recipe.lr"]) & set(found.trials["recipe.lr"])


@pytest.mark.slow
def test_the_test_part_has_no_say_and_is_not_asked(found, corpus, tmp_path):
    clips = corpus.clips.copy()
    mine = clips.split == "test"
    clips.loc[mine, "label"] = clips.label[mine].to_numpy()[::-1]  # other answers would be right
    other = look(corpus.with_clips(clips), tmp_path)
    assert other.run.id != found.run.id and other.trials.to_json() == found.trials.to_json()
    assert not list(tmp_path.rglob("test*")) and not found.run.tested and not other.run.tested


def test_its_number_of_trials_is_in_the_record_and_in_the_sentences_about_the_winner(found, results, corpus):
    stopped = (found.trials.outcome == "stopped early").sum()
    words = f"the best of {TRIALS} trials, {stopped} of them stopped early"
    kept = {run.id: run for run in read_runs(results)}
    assert kept[found.run.id].record["search"] == {"trials": TRIALS, "stopped_early": stopped}
    assert words in repr(kept[found.run.id]) and words in repr(found.run)
    labkit.train(found.run.experiment, corpus, results).test()
    assert kept[found.run.id].tested
    for run in kept.values():
        assert (words in in_words(summary([run]).iloc[0])) == (run.id == found.run.id)


def test_what_was_stopped_early_is_not_offered_to_be_resumed(found, results):
    finished = (found.trials.outcome == "finished").sum()
    assert len(list(results.rglob("run.json"))) == finished
    assert not list(results.rglob("experiment.json"))


@pytest.mark.slow
@pytest.mark.parametrize("batches", [8, 50])
def test_an_interrupted_search_goes_on_to_the_same_end(found, corpus, tmp_path, batches, monkeypatch):
    monkeypatch.setattr(Counting, "left", batches)
    first = look(corpus, tmp_path, callback=lambda experiment: Counting())
    assert (first is None) == (batches == 8)
    if first:
        assert first.run.record["search"]["trials"] == len(first.trials) < TRIALS
    assert same(look(corpus, tmp_path), found)


def test_more_trials_are_added_to_those_that_are_there(found, corpus, results):
    trained = []

    def training(experiment, *where):
        trained.append(experiment)
        return labkit.train(experiment, *where)

    more = look(corpus, results, trials=TRIALS + 2, train=training)
    assert len(trained) == 2 and more.run.record["search"]["trials"] == TRIALS + 2
    assert more.trials[:TRIALS].to_json() == found.trials.to_json()


def test_a_trial_that_fails_is_told_and_the_search_goes_on(corpus, tmp_path):
    space = {"recipe.lr": [1e30, 0.01]}
    found = search(SMALL, space, corpus, tmp_path, trials=6)
    failed = found.trials[found.trials.outcome == "failed"]
    assert len(failed) and all(failed["recipe.lr"] == 1e30) and failed.note.str.contains("The loss became").all()
    with pytest.raises(LabError, match="None of 3 trials was finished.*The loss became.*Search elsewhere"):
        search(SMALL, {"recipe.lr": [1e30, 1e31]}, corpus, tmp_path, trials=3)


def test_a_setting_that_does_not_exist_is_named(corpus, tmp_path):
    with pytest.raises(LabError, match="no setting of Recipe called 'rl'"):
        search(SMALL, {"recipe.rl": (1e-4, 1e-2)}, corpus, tmp_path)


def test_without_optuna_one_sentence_says_what_to_do(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(LabError, match=r"needs Optuna, which is not here. Type `python -m pip install optuna`"):
        look(corpus, tmp_path)


def test_a_damaged_list_of_trials_is_an_error_that_names_it(corpus, results):
    (path,) = results.rglob("search-*.json")
    assert len(json.loads(path.read_text(encoding="utf-8"))) == TRIALS
    path.write_text("[", encoding="utf-8")
    with pytest.raises(LabError, match=rf"{path.name}.*Delete it"):
        look(corpus, results)
