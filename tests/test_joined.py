"""More voices to train on: clips of another corpus, which are never validated or tested on."""

import json
from dataclasses import replace

import pytest
from test_fsdd import write
from tiny import RATE

from labkit.cli import main
from labkit.data import MARKER, find, fsdd, join, read, speech_commands
from labkit.data.splits import PROTOCOLS, Split, split
from labkit.data.store import open_store
from labkit.errors import LabError
from labkit.experiments import run as runs
from labkit.experiments.experiment import Experiment, Subset
from labkit.experiments.records import read_runs
from labkit.features import MFCC
from labkit.models import Model
from labkit.training.recipe import Recipe

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.filterwarnings("ignore:.*resampled")
WORDS = "zero one two three four five six seven eight nine".split()


@pytest.fixture
def digits(tmp_path, own_folders):
    """A main corpus of four voices, in the layout of FSDD."""
    return fsdd.load(write(tmp_path / "data" / "fsdd", repetitions=1))


@pytest.fixture
def words(tmp_path, own_folders):
    """Another corpus: all digits as words, one word that is no digit, three voices, one of whom is called ana."""
    import numpy as np
    import soundfile

    folder = tmp_path / "data" / "words"
    rng = np.random.default_rng(1)
    for word in (*WORDS, "house"):
        (folder / word).mkdir(parents=True)
        for name in ("ana", "aa", "bb"):
            soundfile.write(folder / word / f"{name}_nohash_0.wav", 0.1 * rng.standard_normal(1600), RATE)
    for name in ("validation", "testing"):
        (folder / f"{name}_list.txt").write_text("", encoding="utf-8")
    return speech_commands.load(folder)


@pytest.fixture
def joined(digits, words):
    return join(digits, [words])


@pytest.fixture
def both(joined):
    """What an experiment sees that wants the words, too."""
    return Subset("fsdd", extra=("words",)).apply(joined)


def test_words_become_the_digits_of_the_main_corpus(both, words):
    extra = both.clips[both.clips.extra == "words"].set_index("path")
    assert extra.loc["../words/seven/aa_nohash_0.wav"].label == "7"
    assert both.labels == tuple("0123456789") and len(extra) == 30
    told = "30 clips of 3 voices of words are trained on, too; 3 with labels that fsdd lacks are not."
    assert both.skipped == (told,)


def test_namesakes_stay_two_people(both):
    assert {"ana", "words/ana"} <= set(both.clips.speaker)


@pytest.mark.parametrize("protocol", ["official", "by_speaker", "folds", "leave_one_speaker_out", "by_clip_leaky"])
def test_nobody_of_another_corpus_is_ever_tested_or_validates(both, digits, protocol):
    assert protocol in PROTOCOLS
    settings = Split(protocol, speaker="dai", folds=4, validation=0.3, test=0.3, seed=1)
    parts, alone = split(both, settings), split(digits, settings)
    assert len(parts.part("train")) == len(alone.part("train")) + 30
    for part in ("validation", "test"):
        assert list(parts.part(part).path) == list(alone.part(part).path)


def test_without_a_wish_the_main_corpus_is_as_if_nothing_was_joined(joined, digits):
    alone = Subset("fsdd").apply(joined)
    assert alone.fingerprint == digits.fingerprint and alone.name == "fsdd" and alone.clips.equals(digits.clips)
    assert [note for note in alone.skipped if "words" in note] == []


def test_an_experiment_names_the_voices_it_wants_and_is_another_run(joined, digits, tmp_path):
    plain, more = Experiment(Subset("fsdd")), Experiment(Subset("fsdd", extra=("words",)))
    assert Experiment.from_dict(more.to_dict()) == more and "extra" not in plain.to_dict()["corpus"]
    places = [runs.place(experiment, joined, tmp_path) for experiment in (plain, more)]
    assert places[0][2] == runs.place(plain, digits, tmp_path)[2] and places[0][1] != places[1][1]
    assert places[1][0].name == "fsdd+words"


def test_of_several_corpora_some_can_be_chosen(digits, words):
    again = replace(words, name="again")
    three = join(digits, [words, again.with_clips(again.clips, root=words.root.parent / "again")])
    some = Subset("fsdd", extra=("again",)).apply(three)
    assert some.name == "fsdd+again" and len(some) == 40 + 30
    assert Subset("fsdd", extra=("words", "again")).apply(three).name == "fsdd+words+again"
    assert [note for note in some.skipped if " words " in note] == []


def test_voices_that_were_not_joined_are_named(digits):
    with pytest.raises(LabError, match=r"wants more voices, of words, and fsdd came without.*--extra"):
        Subset("fsdd", extra=("words",)).apply(digits)


def test_a_corpus_without_any_of_the_labels_is_refused(digits, words):
    with pytest.raises(LabError, match="words has no clip of 0, 1"):
        join(digits, [words.only(labels=["house"])])


@pytest.mark.slow
def test_synthetic_voices_are_named_and_the_figures_stay_real(digits, words):
    (words.root / MARKER).write_text("made")
    both = Subset("fsdd", extra=("words",)).apply(join(digits, [speech_commands.load(words.root)]))
    assert not both.synthetic and any("(synthetic speech)" in note for note in both.skipped)


def test_a_run_hears_both_and_is_tested_on_the_main_one(joined, tmp_path):
    experiment = Experiment(
        Subset("fsdd", extra=("words",)),
        split=Split("leave_one_speaker_out", speaker="ana"),
        feature=MFCC(sample_rate=8000, seconds=0.1, hop_ms=40, n_mfcc=4, deltas=0),
        model=Model("gru", hidden=4),
        recipe=Recipe(epochs=1, select="last"),
    )
    run = runs.train(experiment, joined, tmp_path / "results")
    assert run.test()["clips"] == 10 and set(run.predictions().speaker) == {"ana"}
    assert set(run.record["training_speakers"]) == {"cleo", "dai", "words/aa", "words/ana", "words/bb"}
    assert run.record["corpus"]["name"] == "fsdd+words" and not run.synthetic
    assert run.confusion().to_numpy().sum() == 10  # digits are names: read back as numbers, they would count nothing


def test_clips_of_both_are_read_at_the_rate_of_the_main_one(both):
    store = open_store(both)
    assert store.index.length["../words/two/bb_nohash_0.wav"] == store.index.length["recordings/2_bo_0.wav"] == 800


def test_a_linked_corpus_has_the_neighbours_of_the_link(digits, words, tmp_path):
    """What a link leads to has other neighbours: there, "../words" is nothing."""
    (tmp_path / "links").mkdir()
    words.root.rename(tmp_path / "links" / "words")
    try:
        (tmp_path / "links" / "fsdd").symlink_to(digits.root, target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links")
    both = join(fsdd.load(tmp_path / "links" / "fsdd"), [speech_commands.load(tmp_path / "links" / "words")])
    assert open_store(both).problems == {}


def test_a_corpus_that_lies_elsewhere_is_refused(digits, words, tmp_path):
    elsewhere = replace(words, root=tmp_path / "other" / "words")
    with pytest.raises(LabError, match="does not lie beside .*one data folder, or a link"):
        join(digits, [elsewhere])


@pytest.mark.slow
def test_the_real_ones_join(real_audio, own_folders):
    main = find("fsdd", real_audio / "fsdd")
    joined = join(main, [read(real_audio / "speech_commands_35words")])
    both = Subset("fsdd", extra=("speech_commands_35words",)).apply(joined)
    extra = both.clips[both.clips.extra != ""]
    assert extra.label.nunique() == 10 and len(extra) == 125
    parts = split(both, Split("leave_one_speaker_out", speaker="theo", validation_speaker="lucas"))
    assert set(parts.part("test").speaker) == {"theo"} and set(parts.part("validation").speaker) == {"lucas"}
    assert len(parts.part("train")) == 2000 + 125


def test_a_folder_is_read_as_what_it_is(digits, words, tmp_path):
    assert read(words.root).fingerprint == words.fingerprint and read(digits.root).fingerprint == digits.fingerprint
    with pytest.raises(LabError, match="no corpus that the lab reads. As speech_commands: .*As fsdd: "):
        read(tmp_path / "data" / "nothing")


def test_a_sweep_trains_on_the_voices_of_other_folders(digits, words, tmp_path, capsys):
    grid = {
        "base": {
            "corpus": {"name": "fsdd", "extra": ["words"]},
            "split": {"protocol": "leave_one_speaker_out", "speaker": "ana"},
            "feature": {"name": "mfcc", "sample_rate": 8000, "seconds": 0.1, "deltas": 0, "trim": 40.0},
            "model": {"name": "gru", "hidden": 4},
            "recipe": {"epochs": 1, "augmentation": {"speed": 0.1}},
        }
    }
    (tmp_path / "more.json").write_text(json.dumps(grid))
    where = ["--data", str(digits.root), "--results", str(tmp_path / "out"), "--device", "cpu"]
    assert main(["sweep", str(tmp_path / "more.json"), *where]) == 1  # named, and not trained without them
    assert "wants more voices, of words" in capsys.readouterr().out
    assert main(["sweep", str(tmp_path / "more.json"), *where, "--extra", str(words.root)]) == 0
    (run,) = read_runs(tmp_path / "out" / "fsdd+words")
    assert run.record["clips"]["train"] == 20 + 30 and run.tested
