"""What a run leaves behind: found again, resumed, tested once, and never tested on those it was trained on."""

import json
import pickle
import re
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import filelock
import numpy as np
import pandas as pd
import pytest
import soundfile
import tiny
import torch
from tiny import SPEAKERS, TEST, Interrupt, program, quietly, until

from labkit import files as lab_files
from labkit.data import speech_commands
from labkit.data.splits import Split, split
from labkit.errors import LabError, LabWarning
from labkit.evaluation import predictions as evaluation
from labkit.experiments import run as runs
from labkit.experiments.experiment import SCHEMA, Experiment, Subset
from labkit.experiments.records import read_runs
from labkit.experiments.run import Run, train
from labkit.features import LogMel, Raw
from labkit.files import read_json
from labkit.metrics import metrics_of
from labkit.models import MODELS, Model
from labkit.training.batches import batches_of
from labkit.training.loop import Callback
from labkit.training.recipe import Recipe

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")
QUICK = tiny.quick()
FLEETING = ("seconds_per_epoch", "date", "hash", "commit")


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def run(one_run):
    return one_run


def files(run):
    return sorted(path.name for path in run.folder.iterdir())


def no_training(monkeypatch):
    monkeypatch.setattr(runs, "fit", lambda *_, **__: pytest.fail("trained again"))


def lasting(record):
    """A record without what may differ between two equal trainings."""
    history = [{key: value for key, value in row.items() if key != "seconds"} for row in record["history"]]
    return {key: value for key, value in record.items() if key not in FLEETING} | {"history": history}


# What is left behind


def test_a_run_leaves_its_record_its_predictions_and_its_weights(run, corpus, results):
    assert run.folder == results / "tiny" / f"gru-{QUICK.id(corpus.fingerprint)}"
    assert files(run) == ["run.json", "validation.csv.gz", "weights.safetensors"]
    record = read_json(run.folder / "run.json")
    record.pop("hash")
    assert record == run.record and record["schema"] == SCHEMA and Experiment.from_dict(record["experiment"]) == QUICK
    assert record["training_speakers"] == sorted(SPEAKERS[:6])
    assert record["clips"] == {"train": 36, "validation": 18, "test": 18}
    assert record["speakers"] == {"train": 6, "validation": 3, "test": 3}
    assert record["corpus"] == {
        **{"name": "tiny", "fingerprint": corpus.fingerprint},
        **{"synthetic": False, "licence": "CC BY 4.0"},
    }
    assert record["labels"] == ["fall", "hold", "rise"] and record["protocol"] == "its own lists"
    assert len(record["history"]) == 3 and 1 <= record["best_epoch"] <= 3
    assert record["parameters"] == 3 * 8 * (8 + 8 + 2) + 9 * 3
    assert record["device"].startswith("CPU (") and "thread" in record["device"]
    assert record["versions"] == {"python": sys.version.split()[0], "torch": torch.__version__}
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", record["date"]) and record["seconds_per_epoch"] > 0
    assert record["commit"] is None or re.fullmatch(r"[0-9a-f]{12}\+?", record["commit"])
    assert list(run.history.epoch) == [1, 2, 3] and run.labels == ("fall", "hold", "rise") and not run.synthetic
    assert "gru" in repr(run) and "tiny" in repr(run) and f"best epoch {record['best_epoch']} of 3" in repr(run)


def test_names_of_files_and_folders_are_fit_for_every_system(run, results):
    for path in results.rglob("*"):
        for part in path.relative_to(results).parts:
            assert re.fullmatch(r"[\w.-]+", part) and not part.endswith("."), part
        assert len(str(path.relative_to(results))) < 120


def test_validation_scores_are_of_the_predictions_that_are_kept(run):
    table = run.predictions("validation")
    assert list(table.columns) == ["path", "speaker", "label", "predicted", "confidence"] and len(table) == 18
    expected = metrics_of(table, run.labels, "fall")
    assert run.validation == expected and run.validation["accuracy"] == (table.label == table.predicted).mean()
    best = run.record["history"][run.record["best_epoch"] - 1]
    assert run.validation["accuracy"] == pytest.approx(best["validation_accuracy"])
    assert table.confidence.between(1 / 3, 1).all()
    assert run.confusion("validation").values.sum() == 18


def test_a_run_is_found_again_and_not_trained_again(run, corpus, results, monkeypatch):
    no_training(monkeypatch)
    again = train(QUICK, corpus, results)
    assert again.record == run.record and again.folder == run.folder
    for name, value in run.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], value)
    assert not again.network.training and again.predictions("validation").equals(run.predictions("validation"))
    assert again.test() == run.test()


def test_the_same_files_are_written_each_time(run, corpus, tmp_path):
    other = train(QUICK, corpus, tmp_path / "elsewhere")
    assert other.id == run.id and lasting(other.record) == lasting(run.record)
    for name in ("validation.csv.gz", "weights.safetensors"):
        assert (other.folder / name).read_bytes() == (run.folder / name).read_bytes(), name


def test_the_seed_decides_the_first_weights(corpus, results):
    still = QUICK.change(recipe={"lr": 1e-12, "epochs": 1, "weight_decay": 0.0})
    first, again, other = (train(still.change(seed=seed), corpus, results).network.network for seed in (0, 0, 1))
    assert torch.equal(first.head.weight, again.head.weight)
    assert (first.head.weight - other.head.weight).abs().max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"model": {"hidden": 9}},
        {"recipe": {"lr": 0.02}},
        {"feature": {"n_mels": 30}},
        {"corpus": {"clips_per_label": 9}},
    ],
)
def test_another_experiment_is_another_run(change, run, corpus, results):
    other = train(QUICK.change(**change), corpus, results)
    assert other.id != run.id and len(read_runs(results)) == 2


def test_a_changed_corpus_is_another_run(run, folder, results):
    path = folder / tiny.name("rise", SPEAKERS[0])
    soundfile.write(path, tiny.tone("rise", SPEAKERS[0], seconds=0.48), tiny.RATE)
    assert train(QUICK, speech_commands.load(folder), results).id != run.id


@pytest.mark.slow
@pytest.mark.parametrize("feature", [Raw(seconds=None), LogMel(seconds=0.5, n_mels=12), QUICK.feature])
@pytest.mark.parametrize("normalise", [False, True])
def test_a_run_of_any_feature_comes_back(feature, normalise, corpus, results, monkeypatch):
    class Mean(torch.nn.Module):
        """Mean over time, then a linear layer: for any feature."""

        def __init__(self, shape, classes, axis=2):
            super().__init__()
            self.axis, self.linear = axis, torch.nn.LazyLinear(classes)

        def forward(self, x, lengths):
            return self.linear(x.abs().sum(self.axis).flatten(1) / lengths[:, None])

    def mean(shape, classes, axis=2):
        network = Mean(shape, classes, axis)
        sizes = [8 if size is None else size for size in shape]
        network(torch.zeros(1, *sizes), torch.ones(1))
        return network

    monkeypatch.setitem(MODELS, "mean", mean)
    experiment = replace(
        QUICK, feature=replace(feature, normalise=normalise), model=Model("mean", axis=feature.time_axis)
    )
    first = train(experiment, corpus, results)
    again = train(experiment, corpus, results)
    table, figures = again.evaluate(again.corpus, "validation")
    assert figures == first.validation and list(table.predicted) == list(first.predictions("validation").predicted)
    assert hasattr(again.network.front, "mean") == normalise


def test_training_leaves_the_students_random_numbers_alone(corpus, results):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train(QUICK, corpus, results)
    assert torch.equal(torch.rand(2), expected)


# Interrupted


class Count(Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []

    def epoch(self, history):
        self.epochs.append(len(history))


@pytest.mark.parametrize("how", ["stop", "raise"])
def test_an_interrupted_run_goes_on_to_the_same_record(how, run, corpus, tmp_path):
    elsewhere, callback = tmp_path / "elsewhere", Count()
    try:
        assert train(QUICK, corpus, elsewhere, callback=Interrupt(2, how)) is None
    except KeyboardInterrupt:
        assert how == "raise"
    folder = elsewhere / run.folder.relative_to(tmp_path / "results")
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == ["checkpoint.safetensors", "experiment.json"] and read_runs(elsewhere) == []
    resumed = train(QUICK, corpus, elsewhere, callback=callback)
    assert callback.epochs == [3] and lasting(resumed.record) == lasting(run.record)
    assert files(resumed) == files(run), "the checkpoint went"
    for name in ("validation.csv.gz", "weights.safetensors"):
        assert (resumed.folder / name).read_bytes() == (run.folder / name).read_bytes()


WORKER = """
import os, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[4]))
from labkit.experiments import run as runs
from labkit.data.speech_commands import load
from labkit.training.loop import Callback
from tiny import quick

class Slow(Callback):
    def batch(self, epoch, done, total):
        if sys.argv[3] == "kill" and (epoch, done) == (3, 2):
            os.kill(os.getpid(), signal.SIGKILL)

    def epoch(self, history):
        print("epoch", len(history), flush=True)
        Path(sys.argv[2], "started").touch()
        if sys.argv[3] == "slow":
            time.sleep(0.3)

Path(sys.argv[2]).mkdir(exist_ok=True)
print(runs.train(quick(), load(sys.argv[1]), sys.argv[2], callback=Slow()).validation)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_run_goes_on_to_the_same_record(run, made, corpus, tmp_path):
    elsewhere, callback = tmp_path / "elsewhere", Count()
    process = program(WORKER, made, elsewhere, "kill", torch.get_num_threads(), wait=False)
    out, err = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL and out.splitlines() == ["epoch 1", "epoch 2"], err
    resumed = train(QUICK, corpus, elsewhere, callback=callback)
    assert callback.epochs == [3] and lasting(resumed.record) == lasting(run.record)


@pytest.mark.slow
def test_two_kernels_at_once_train_once(made, corpus, results, capsys):
    process = program(WORKER, made, results, "slow", torch.get_num_threads(), wait=False)
    until(lambda: (results / "started").exists() or process.poll() is not None)
    callback = Count()
    run = train(QUICK, corpus, results, callback=callback)  # waits for the other one
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert callback.epochs == [] and out.splitlines()[-1] == str(run.validation)
    assert f"Another kernel is training run {run.id}; waiting for it." in capsys.readouterr().out


def test_a_lock_that_a_dead_kernel_left_holds_nobody_up(run, corpus, results):
    (results / ".locks" / f"{QUICK.change(seed=5).id(corpus.fingerprint)}.lock").write_text("")
    assert train(QUICK.change(seed=5), corpus, results).id != run.id


# Tested once, and on whom


def test_the_test_part_is_tested_once(run, corpus, results, monkeypatch):
    assert not run.tested and [record.tested for record in read_runs(results)] == [False]
    figures = run.test()
    assert run.tested and files(run)[1:3] == ["test.csv.gz", "test.json"]
    table = run.predictions()
    assert set(table.speaker) == set(TEST) and len(table) == 18 == figures["clips"]
    assert figures["accuracy"] == (table.label == table.predicted).mean() and figures["chance"] == 1 / 3
    monkeypatch.setattr(evaluation, "predict", lambda *_, **__: pytest.fail("tested again"))
    assert run.test() == figures == train(QUICK, corpus, results).test() == read_runs(results)[0].test()
    assert run.confusion().values.trace() == round(18 * figures["accuracy"])


def test_predictions_of_the_test_part_are_of_the_best_epochs_weights(run):
    part = batches_of(run.corpus, "test", QUICK.feature, run.device)
    with torch.no_grad():
        outputs = run.network(*part[torch.arange(18)][:2]).softmax(1)
    table = run.predictions()
    assert [run.labels[number] for number in outputs.argmax(1)] == list(table.predicted)
    np.testing.assert_allclose(table.confidence, outputs.amax(1), atol=1e-4)


def test_nobody_is_tested_who_was_trained_on(run, corpus):
    with pytest.raises(
        LabError, match=rf"6 of these speakers were trained on by run {run.id} \({min(SPEAKERS[:6])} for one\)"
    ):
        run.evaluate(run.corpus, "train")
    assert run.evaluate(run.corpus, "test")[1] == run.test()
    elsewhere = split(corpus, Split("by_speaker", validation=0.3, test=0.3, seed=1))
    assert set(elsewhere.part("test").speaker) & set(SPEAKERS[:6])
    with pytest.raises(LabError, match="would measure memory, not recognition.*'by_clip_leaky'"):
        run.evaluate(elsewhere, "test")
    one = corpus.with_clips(corpus.clips.assign(split="test")[lambda clips: clips.speaker.isin([SPEAKERS[0], *TEST])])
    with pytest.raises(LabError, match=f"1 of these speakers were trained on .*{SPEAKERS[0]}"):
        run.test(one.with_clips(one.clips, name="other"))
    assert list(run.folder.glob("test-*")) == []


def test_the_guard_holds_for_records_read_back(run, corpus, results):
    record = json.loads((run.folder / "run.json").read_text())
    again = Run(run.folder, record, run.corpus)
    with pytest.raises(LabError, match="were trained on"):
        again.evaluate(run.corpus, "train")


def test_a_leaky_run_may_be_tested_on_its_own_speakers_and_is_called_so(corpus, results):
    leaky = train(replace(QUICK, split=Split("by_clip_leaky", validation=0.2, test=0.2)), corpus, results)
    assert leaky.record["protocol"] == "by_clip_leaky" and 0 <= leaky.test()["accuracy"] <= 1
    assert set(leaky.predictions().speaker) & set(leaky.record["training_speakers"])


@pytest.mark.parametrize(
    "settings",
    [Split("by_speaker", validation=0.3, test=0.3), Split("folds", fold=1, folds=4), "leave_one_speaker_out"],
    ids=["by_speaker", "folds", "leave_one_speaker_out"],
)
def test_each_protocol_runs_and_tests_only_strangers(settings, corpus, results):
    settings = Split(settings, speaker=SPEAKERS[0]) if isinstance(settings, str) else settings
    run = train(replace(QUICK, split=settings, recipe=Recipe(epochs=1)), corpus, results)
    run.test()
    tested, validated = (set(run.predictions(part).speaker) for part in ("test", "validation"))
    trained = set(run.record["training_speakers"])
    assert tested and validated and not trained & tested and not trained & validated and not tested & validated
    assert run.record["protocol"] == settings.protocol


def test_another_corpus_is_tested_on_the_classes_both_have(run, folder):
    for path in list(folder.glob("hold/*")):
        path.unlink()
    soundfile.write(folder / "rise" / "0a_nohash_0.wav", tiny.tone("rise", SPEAKERS[0]), tiny.RATE)
    (folder / "rise").rename(folder / "up")
    other = speech_commands.load(folder)
    other = other.with_clips(other.clips.assign(split="test")[~other.clips.speaker.isin(SPEAKERS[:6])], name="other")
    with pytest.warns(LabWarning, match="1 labels of other are unknown to this run and left out"):
        table, figures = run.evaluate(other)
    assert set(table.label) == {"fall"} and figures["classes_present"] == 1 and figures["chance"] == 1 / 3
    assert quietly(run.test, other)["corpus"]["name"] == "other" and (run.folder / "test-other.json").exists()
    assert list(run.predictions("test-other").path) == list(table.path)
    other = other.with_clips(other.clips[1:])
    with pytest.raises(LabError, match=r"test-other\.json is of another corpus that was called other, too"):
        run.test(other)


def test_a_corpus_without_common_classes_or_clips_is_refused(run, corpus):
    strangers = corpus.with_clips(corpus.clips.assign(label="hum", split="test"), labels=("hum",))
    with pytest.raises(LabError, match="Nothing of tiny is left"):
        run.evaluate(strangers)
    with pytest.raises(LabError, match="tiny has no clips in its part 'test'.*Split it"):
        run.evaluate(corpus.with_clips(corpus.clips[corpus.clips.split != "test"]))
    with pytest.raises(LabError, match="no part called 'tset'. Did you mean 'test'"):
        run.evaluate(run.corpus, "tset")


# Records without this or that


def test_a_record_is_read_without_corpus_or_weights_and_says_what_it_cannot(run, results):
    (run.folder / "weights.safetensors").unlink()
    (record,) = read_runs(results)
    assert record.validation == run.validation and record.experiment == QUICK and len(record.predictions("validation"))
    with pytest.raises(LabError, match=f"Run {run.id} was read without its corpus. Call labkit.train"):
        record.test()
    with pytest.raises(LabError, match=rf"Run {run.id} is a record without weights.*train it into another folder"):
        record.network  # noqa: B018


def test_the_mend_for_missing_weights_works(run, corpus, results, tmp_path):
    (run.folder / "weights.safetensors").unlink()
    again = train(QUICK, corpus, results)
    with pytest.raises(LabError, match="without weights"):
        again.test()
    anew = train(run.experiment, corpus, tmp_path / "another folder")
    assert anew.id == run.id and anew.test()["clips"] == 18


def test_predictions_that_are_not_there_are_named(run):
    with pytest.raises(LabError, match="no table of predictions in .* called 'train'. Choose one of: validation"):
        run.predictions("train")
    with pytest.raises(LabError, match="called 'validatoin'. Did you mean 'validation'"):
        run.predictions("validatoin")


@pytest.mark.parametrize("content", ['{"id": "0', "", "[]", '{"id": "0"}'])
def test_half_a_record_is_named_with_a_mend_that_works(content, run, corpus, results, monkeypatch):
    whole = read_json(run.folder / "run.json")
    (run.folder / "run.json").write_text(content)
    with pytest.raises(LabError, match=r"run\.json is not .*Delete .*run\.json and run again"):
        train(QUICK, corpus, results)
    with pytest.warns(LabWarning, match=r"left out: .*run\.json is not .*Delete .*run\.json and run again"):
        assert read_runs(results) == []  # the others would still be shown
    (run.folder / "run.json").unlink()
    assert lasting(train(QUICK, corpus, results).record) == lasting(whole)


def test_half_a_test_record_is_named(run):
    run.test()
    (run.folder / "test.json").write_text('{"clips"')
    with pytest.raises(LabError, match=r"test\.json is not a complete JSON file.*Delete test.json"):
        run.test()


def test_a_share_that_is_none_is_named(run):
    old = {key: value for key, value in run.test().items() if key != "of"}  # records of the first edition have no hash
    (run.folder / "test.json").write_text(json.dumps(old | {"majority": None}))
    with pytest.raises(LabError, match=r"test\.json is not a test record \(majority .*number"):
        run.test()


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize(
    "save", [lambda trap, path: torch.save(trap, path), lambda trap, path: path.write_bytes(pickle.dumps(trap))]
)
@pytest.mark.parametrize("name", ["checkpoint.safetensors", "weights.safetensors"])
def test_a_pickle_in_place_of_tensors_is_refused_and_not_executed(name, save, run, corpus, results, tmp_path):
    save(Trap(tmp_path / "trap"), run.folder / name)
    if name.startswith("checkpoint"):
        (run.folder / "run.json").unlink()
    with pytest.raises(LabError, match=rf"{name} is not a whole safetensors file.*a pickle is never loaded.*Delete"):
        train(QUICK, corpus, results).test()
    assert not (tmp_path / "trap").exists()


def test_results_that_cannot_be_written_are_named(corpus, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LabError, match="Could not write .*file.*LABKIT_RESULTS"):
        train(QUICK, corpus, tmp_path / "file")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(LabError, match="Could not write .*results.*LABKIT_RESULTS"):
        train(QUICK, corpus, tmp_path / "results")


def test_a_disk_that_fills_in_the_middle_costs_the_epoch_under_way(run, corpus, tmp_path, monkeypatch):
    elsewhere, written = tmp_path / "elsewhere", []
    from pathlib import Path

    whole = Path.write_bytes

    def fills(self, data):
        written.append(self)
        if len(written) == 5:  # the hashes of the clips, the experiment, then a checkpoint for each epoch
            raise OSError(28, "No space left on device")
        return whole(self, data)

    monkeypatch.setattr(Path, "write_bytes", fills)
    with pytest.raises(
        LabError, match=r"Could not write .*checkpoint\.safetensors: No space left.*Free some disk space"
    ):
        train(QUICK, corpus, elsewhere)
    monkeypatch.setattr(Path, "write_bytes", whole)
    callback = Count()
    assert lasting(train(QUICK, corpus, elsewhere, callback=callback).record) == lasting(
        run.record
    ) and callback.epochs == [3]


# Clips that cannot be read


def spoil(folder, *paths):
    """Give these clips a sound header over sound that is no number."""
    for path in paths:
        soundfile.write(folder / path, np.full(8000, np.nan, np.float32), tiny.RATE, subtype="FLOAT")
    return speech_commands.load(folder)


def test_clips_that_cannot_be_decoded_are_left_out_aloud_and_stay_out(folder, results):
    bad = [tiny.name("fall", SPEAKERS[number]) for number in (0, 6, 9)]  # one in each part
    corpus = spoil(folder, *bad)
    with pytest.warns(LabWarning, match=rf"3 clips could not be read and are left out, the first: {min(bad)} \("):
        run = train(QUICK, corpus, results)
    assert run.record["clips"] == {"train": 35, "validation": 17, "test": 17}
    assert any("3 clips could not be read" in note for note in run.record["skipped"])
    assert len(run.predictions("validation")) == 17
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        again = train(QUICK, corpus, results)  # in another session it is the same 17
        assert again.test()["clips"] == 17 and bad[2] not in set(again.predictions().path)


def test_a_part_of_unreadable_clips_only_is_named(folder, results):
    corpus = spoil(folder, *[tiny.name(word, SPEAKERS[9]) for word in tiny.WORDS]).only(speakers=SPEAKERS[:10])
    corpus = corpus.with_clips(corpus.clips[(corpus.clips.split != "test") | (corpus.clips.repetition == 0)])
    with pytest.raises(LabError, match="tiny has no clips in its part 'test'.*3 clips could not be read"):
        quietly(train, QUICK, corpus, results)


def test_what_was_adapted_is_in_the_record(folder, results):
    path = tiny.name("fall", SPEAKERS[0])
    soundfile.write(folder / path, np.zeros(8000), tiny.RATE)
    with pytest.warns(LabWarning, match="tiny: 1 clips silent, and kept"):
        run = train(QUICK, speech_commands.load(folder), results)
    assert f"1 clips silent, and kept (the first: {path})" in run.record["skipped"]


# Choices, splits and corpora that do not fit


def test_choices_that_do_not_fit_the_corpus_say_so(corpus, results):
    for change, message in (
        ({"corpus": {"labels": ("rise", "fal")}}, "no label of tiny called 'fal'. Did you mean 'fall'"),
        ({"split": {"protocol": "random"}}, "no split protocol called 'random'"),
        ({"feature": LogMel(seconds=0.5)}, r"takes \(frames, features\).*use the feature 'mfcc'"),
        ({"feature": Raw(seconds=0.5)}, r"takes \(frames, features\).*use the feature 'mfcc'"),
    ):
        with pytest.raises(LabError, match=message):
            train(QUICK.change(**change), corpus, results)
    assert read_runs(results) == []


def test_labels_keep_the_order_they_were_asked_for_in(corpus, results):
    run = train(replace(QUICK, corpus=Subset(labels=("rise", "fall"))), corpus, results)
    assert run.labels == ("rise", "fall") and run.validation["chance"] == 0.5
    assert list(run.confusion().index) == ["rise", "fall"]


def test_the_majority_class_is_that_of_training(corpus, results):
    clips = corpus.clips
    drop = (clips.label != "rise") & (clips.split == "train") & (clips.repetition == 1)
    drop |= (clips.label == "rise") & (clips.split == "validation") & (clips.repetition == 1)
    run = train(QUICK, corpus.with_clips(clips[~drop]), results)
    assert run.record["majority"] == "rise" and run.validation["majority"] == pytest.approx(3 / 15)


def test_a_synthetic_corpus_is_called_so_wherever_a_run_shows(folder, results):
    (folder / "SYNTHETIC.txt").write_text("made by a program")
    run = train(QUICK, speech_commands.load(folder), results)
    assert run.synthetic and "synthetic" in repr(run) and run.record["corpus"]["synthetic"] is True


def test_time_is_not_part_of_a_run(run, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda *_: "2001-01-01")
    other = train(QUICK, corpus, tmp_path / "elsewhere")
    assert other.record["date"] == "2001-01-01" and other.id == run.id


def test_tables_read_back_are_the_tables_written(run):
    table, _ = run.evaluate(run.corpus, "validation")
    pd.testing.assert_frame_equal(
        table.reset_index(drop=True), run.predictions("validation"), check_dtype=False, rtol=1e-3
    )


def test_a_record_says_which_commit_made_it(tmp_path, monkeypatch):
    """And that the code was changed since; installed as a package, the lab knows none."""
    module = tmp_path / "labkit" / "files.py"
    module.parent.mkdir(parents=True)
    module.touch()
    monkeypatch.setattr(lab_files, "__file__", str(module))
    assert lab_files.commit() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    made = lab_files.commit()
    assert re.fullmatch("[0-9a-f]{12}", made)
    module.write_text("changed")
    assert lab_files.commit() == made + "+"
