"""A run knows its sound and its files: what belongs to another run, or changed since, is refused by name."""

import gzip
import json
import lzma
import os
import shutil
import threading

import numpy as np
import pytest
import soundfile
import torch
from tiny import quick

from labkit.data import find
from labkit.data.audio import decode_clip
from labkit.errors import LabError
from labkit.experiments.records import read_runs
from labkit.experiments.run import Run, read_record, train
from labkit.features import MFCC
from labkit.files import read_json, write_json
from labkit.training.loop import Callback
from labkit.training.tensors import read_tensors, write_tensors

pytest_plugins = ["tiny"]


class StopAfter(Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def epoch(self, history):
        self.stop = len(history) >= self.epochs


@pytest.fixture
def opened(folder):
    return find("folder", folder)


def other_sound(path):
    """Other sound of the same length in the same file, which says that it was not changed."""
    samples, rate = soundfile.read(path, dtype="int16")
    before = path.stat()
    soundfile.write(path, samples[::-1], rate, subtype="PCM_16")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size and path.stat().st_mtime_ns == before.st_mtime_ns


def one_of(corpus, part):
    return corpus.part(part).path.iloc[0]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_other_sound_under_the_same_name_is_refused_by_name(part, opened, folder, tmp_path):
    run = train(quick(), opened, tmp_path / "results")
    path = one_of(opened, part)
    other_sound(opened.root / path)
    again = find("folder", folder)
    assert again.fingerprint == opened.fingerprint, "the table of the corpus shows nothing of it"
    with pytest.raises(LabError, match=rf"1 clips of .* other sound .*{path}.*results=\.\.\."):
        train(quick(), again, tmp_path / "results")
    with pytest.raises(LabError, match=path):
        run.test()
    assert not run.tested
    assert train(quick(), again, tmp_path / "elsewhere").record["history"], "another folder is the mend"


def test_an_interrupted_training_does_not_go_on_with_other_sound(opened, folder, tmp_path):
    assert train(quick(), opened, tmp_path / "results", callback=StopAfter(1)) is None
    path = one_of(opened, "train")
    kept = (opened.root / path).read_bytes()
    other_sound(opened.root / path)
    with pytest.raises(LabError, match=path):
        train(quick(), find("folder", folder), tmp_path / "results")
    (opened.root / path).write_bytes(kept)
    assert len(train(quick(), find("folder", folder), tmp_path / "results").history) == 3, "the old sound goes on"


def test_a_record_without_its_sounds_compares_nothing(opened, folder, tmp_path):
    """As one that was committed: it is read where nobody has the recordings."""
    run = train(quick(), opened, tmp_path / "results")
    other_sound(opened.root / one_of(opened, "test"))
    assert read_runs(tmp_path / "results")[0].id == run.id
    shutil.rmtree(run.folder.parent / "sounds")
    assert train(quick(), find("folder", folder), tmp_path / "results").id == run.id


def test_the_hashes_of_an_older_lab_are_compared_too(opened, folder, tmp_path):
    run = train(quick(), opened, tmp_path / "results")
    path = next((run.folder.parent / "sounds").glob("*.csv.xz"))
    path.with_suffix(".gz").write_bytes(gzip.compress(lzma.decompress(path.read_bytes())))
    path.unlink()
    other_sound(opened.root / one_of(opened, "test"))
    with pytest.raises(LabError, match="1 clips of .* hold other sound than run"):
        train(quick(), find("folder", folder), tmp_path / "results")


def test_damaged_hashes_are_named(opened, folder, tmp_path):
    run = train(quick(), opened, tmp_path / "results")
    path = next((run.folder.parent / "sounds").glob("*.csv.xz"))
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], lzma.compress(b"path,sound\nx,0\n"), b""):
        path.write_bytes(damaged)
        with pytest.raises(LabError, match=rf"{path.name} is damaged .*Delete it"):
            train(quick(), opened, tmp_path / "results")


def test_the_hash_is_of_the_samples_however_they_are_kept_and_resampled(tmp_path):
    samples = (np.random.default_rng(0).uniform(-0.5, 0.5, 16_000) * 32768).astype(np.int16)
    for name in ("a.wav", "a.flac", "a.mp3"):
        soundfile.write(tmp_path / name, samples, 16_000)
    soundfile.write(tmp_path / "b.wav", samples[::-1], 16_000)
    found = {
        (name, rate): decode_clip(tmp_path / name, rate)[3] for name in os.listdir(tmp_path) for rate in (8_000, 16_000)
    }
    assert len({found[name, rate] for name in ("a.wav", "a.flac") for rate in (8_000, 16_000)}) == 1
    assert found["a.mp3", 8_000] == found["a.mp3", 16_000] != found["a.wav", 16_000] != found["b.wav", 16_000]


@pytest.mark.slow
def test_two_threads_change_none_of_each_others_numbers(corpus, tmp_path):
    experiments = [quick().change(model={"dropout": 0.5}, seed=seed, recipe={"epochs": 6}) for seed in (0, 1)]
    alone = [train(one, corpus, tmp_path / "alone").history for one in experiments]
    together, numbers = {}, [f"{part}_loss" for part in ("train", "validation")]

    def work(number):
        together[number] = train(experiments[number], corpus, tmp_path / "together").history

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        Run(*by_name(tmp_path / "alone", corpus)).network  # noqa: B018 (reading weights draws first ones)
    for number, history in enumerate(alone):
        assert together[number][numbers].equals(history[numbers])


def by_name(results, corpus):
    folder = next(results.rglob("run.json")).parent
    return folder, read_record(folder), corpus


@pytest.fixture
def two(two_runs):
    """Two tested runs that differ in their seed."""
    return two_runs


def reread(run):
    return Run(run.folder, read_record(run.folder), run.corpus)


def test_the_record_of_another_run_is_refused(two, corpus):
    shutil.copy(two[1].folder / "run.json", two[0].folder)
    with pytest.raises(LabError, match=f"{two[1].id}, not of {two[0].id}"):
        train(two[0].experiment, corpus, two[0].folder.parents[1])


def test_weights_of_another_run_are_refused(two):
    shutil.copy(two[1].folder / "weights.safetensors", two[0].folder)
    with pytest.raises(LabError, match=f"run {two[1].id}, not to {two[0].id}"):
        reread(two[0]).network  # noqa: B018


def test_weights_of_another_model_are_refused(two, corpus):
    wider = train(quick().change(model={"hidden": 12}), corpus, two[0].folder.parents[1])
    tensors, _ = read_tensors(wider.folder / "weights.safetensors", "")
    write_tensors(two[0].folder / "weights.safetensors", tensors)  # and they do not say whose they are
    with pytest.raises(LabError, match="does not fit the model .*Delete"):
        reread(two[0]).network  # noqa: B018


@pytest.mark.parametrize("name", ["weights.safetensors", "validation.csv.gz", "test.csv.gz"])
def test_one_flipped_bit_is_found(name, two):
    path = two[0].folder / name
    if name.endswith("gz"):  # what a reader would see: another number in a whole file
        table = gzip.decompress(path.read_bytes()).decode()
        path.write_bytes(gzip.compress(table.replace("0.", "1.", 1).encode()))
    else:
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        path.write_bytes(content)
    with pytest.raises(LabError, match=f"{name}.*damaged.*again"):
        reread(two[0]).network if "weights" in name else reread(two[0]).predictions(name.removesuffix(".csv.gz"))


def test_weights_that_are_no_numbers_are_refused(two):
    tensors, about = read_tensors(two[0].folder / "weights.safetensors", "")
    name = next(name for name in tensors if "linear" in name or "weight" in name)
    tensors[name] = torch.full_like(tensors[name], torch.nan)
    write_tensors(two[0].folder / "weights.safetensors", tensors, {"run": about["run"]})
    with pytest.raises(LabError, match=f"not finite, in {name}"):
        reread(two[0]).network  # noqa: B018


def test_tests_of_another_run_are_refused_and_spoil_no_other_record(two):
    for name in ("test.json", "test.csv.gz"):
        shutil.copy(two[1].folder / name, two[0].folder)
    for ask in (Run.test, Run.predictions, Run.confusion):
        with pytest.raises(LabError, match=f"run {two[1].id}, not to {two[0].id}"):
            ask(reread(two[0]))
    with pytest.warns(UserWarning, match=two[0].name):
        assert [run.id for run in read_runs(two[0].folder.parents[1])] == [two[1].id]


@pytest.mark.parametrize("content", [b"", b"null", b"{}", None])
def test_a_damaged_test_names_a_mend_that_works(content, two):
    path, expected = two[0].folder / "test.json", two[0].test()
    if content is None:
        (two[0].folder / "test.csv.gz").unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(LabError, match="Delete test.json and test.csv.gz there and test again"):
        reread(two[0]).test()
    for name in ("test.json", "test.csv.gz"):
        (two[0].folder / name).unlink(missing_ok=True)
    assert reread(two[0]).test() == expected


def test_a_table_of_the_first_edition_that_was_cut_is_named(two):
    test = json.loads((two[0].folder / "test.json").read_text())
    write_json(two[0].folder / "test.json", {key: value for key, value in test.items() if key != "of"})
    path = two[0].folder / "test.csv.gz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(LabError, match="test.csv.gz is damaged .*again"):
        reread(two[0]).predictions()


def begun(results):
    return results.rglob("checkpoint.safetensors")


def test_the_checkpoint_of_another_run_is_refused(corpus, tmp_path):
    """One of nine epochs gave a recipe of three a record of nine."""
    long, short = quick().change(recipe={"epochs": 9}), quick()
    for experiment, epochs in ((long, 8), (short, 1)):
        train(experiment, corpus, tmp_path, callback=StopAfter(epochs))
    found = {read_json(path.with_name("experiment.json"))["recipe"]["epochs"]: path for path in begun(tmp_path)}
    longer, shorter = found[9], found[3]
    shutil.copy(longer, shorter)
    with pytest.raises(LabError, match="belongs to run .*first epoch"):
        train(short, corpus, tmp_path)
    shorter.unlink()
    assert len(train(short, corpus, tmp_path).history) == 3


def test_a_changed_number_in_the_history_of_a_checkpoint_is_found(corpus, tmp_path):
    train(quick(), corpus, tmp_path, callback=StopAfter(1))
    (path,) = begun(tmp_path)
    content = path.read_bytes()
    place = content.index(b"train_loss") + 16
    path.write_bytes(content[:place] + (b"1" if content[place : place + 1] != b"1" else b"2") + content[place + 1 :])
    with pytest.raises(LabError, match="damaged .*first epoch"):
        train(quick(), corpus, tmp_path)


def test_records_of_the_first_edition_are_still_read(two):
    """They name no run in their tests and have no hashes."""
    record = {key: value for key, value in two[0].record.items() if key not in ("sounds", "tables")}
    write_json(two[0].folder / "run.json", record)
    test = json.loads((two[0].folder / "test.json").read_text())
    test.pop("of")
    write_json(two[0].folder / "test.json", test)
    old = reread(two[0])
    assert old.test() == test and len(old.predictions()) == 18 and len(old.predictions("validation")) == 18
    assert isinstance(old.experiment.feature, MFCC)
