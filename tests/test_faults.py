"""Data from strangers: no code runs, no path leaves its folder, no file fills the memory; and what is wrong is named.

The whole campaign is `python -m tools.faults`; here is a short one, and each mend that it led to.
"""

import gzip
import json
import os
import struct
import sys

import numpy as np
import pytest
import soundfile
import tiny

from labkit.data import folder as own_folder
from labkit.data import layout, speech_commands
from labkit.data.audio import MOST_SAMPLES, read_audio
from labkit.data.store import open_store
from labkit.errors import LabError, LabWarning
from labkit.experiments.experiment import Experiment
from labkit.experiments.records import read_runs, summary
from labkit.experiments.run import train
from labkit.experiments.sweep import Grid
from labkit.features import MFCC, LogMel, Raw
from labkit.files import digest, read_json, read_table, write_json
from labkit.models import Model
from labkit.training.augment import Augmentation
from labkit.training.recipe import Recipe
from labkit.training.tensors import read_tensors

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")
QUICK = tiny.quick()
linux = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and fork are POSIX")
SHORT = {"sounds": 12, "metadata": 8, "archives": 6, "records": 8}
LONG = dict.fromkeys(SHORT, 60)


@pytest.mark.slow
@linux
@pytest.mark.parametrize(
    ("family", "count"),
    [*SHORT.items(), *(pytest.param(*campaign, marks=pytest.mark.weekly) for campaign in LONG.items())],
)
def test_a_short_campaign_meets_its_marks(family, count, tmp_path, monkeypatch):
    from tools.faults import missed, run_all, table
    from tools.faults.everything import every_fault

    monkeypatch.setenv("LABKIT_DATA", "")  # put back afterwards, as the others that faults set
    done = run_all(every_fault(tmp_path, 0, [family], count), tmp_path)
    assert len(done) == count
    assert not missed(done), "\n".join([table(done), *(f"{fault.name}: {said[:300]}" for fault, _, said, _ in done)])


@linux
def test_a_fault_that_is_not_seen_is_counted_as_missed(tmp_path):
    from tools.faults import Fault, judge, missed, run_all, table

    def silent(place, rng):
        return judge(lambda: ("less", ""), ["clip"], lambda result: result == "all")

    def raw(place, rng):
        return judge(lambda: [][0], ["clip"], bool)

    def named(place, rng):
        return judge(lambda: ("less", "1 clip is left out"), ["clip"], lambda result: result == "all")

    def dies(place, rng):
        os._exit(3)

    done = run_all([Fault("x", act.__name__, act) for act in (silent, raw, named, dies)], tmp_path)
    assert [kind for _, kind, *_ in done] == ["silent", "raw", "named", "raw"] and missed(done)
    assert "| x | 1 | 0 | 0 | 1 | 2 | 0 | 0 | 4 |" in table(done)


# Sounds


@pytest.fixture
def recordings(tmp_path):
    """Six clips of one second."""
    place = tmp_path / "mine"
    for number in range(6):
        path = place / ("yes", "no")[number % 2] / f"p{number // 2}_{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.random.default_rng(number).standard_normal(16_000), 16_000)
    return place


def left_out(place):
    """What the lab says of a folder of six clips, of which one cannot be used."""
    corpus = tiny.quietly(own_folder.load, place)
    corpus = corpus.without(open_store(corpus).problems)
    assert len(corpus) == 5
    return " ".join(corpus.skipped)


def patch(path, place, form, value):
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, place, value)
    path.write_bytes(data)


def test_an_mp3_that_breaks_off_in_the_middle_is_left_out(recordings):
    path = recordings / "yes" / "p0_0.wav"
    sound, _ = soundfile.read(path)
    path.unlink()
    soundfile.write(path.with_suffix(".mp3"), sound, 16_000)
    data = bytearray(path.with_suffix(".mp3").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.with_suffix(".mp3").write_bytes(data)
    assert "p0_0.mp3" in (said := left_out(recordings)) and "damaged: promises 1.00 s" in said


def test_an_ogg_without_one_of_its_pages_is_left_out(recordings):
    path = recordings / "yes" / "p0_0.wav"
    path.unlink()
    path = path.with_suffix(".ogg")
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(64_000), 16_000)
    data = path.read_bytes()
    pages = [place for place in range(len(data)) if data.startswith(b"OggS", place)]
    assert len(pages) > 4 and not layout._pages_lost(data)
    path.write_bytes(data[: pages[3]] + data[pages[4] :])
    assert "p0_0.ogg (damaged: pages are missing" in left_out(recordings)


@pytest.mark.parametrize(
    "place, form, value, words",
    [
        (40, "<I", 4000, "holds more than the 0.12 s that its header promises"),
        (24, "<I", 1, "its header says 1 Hz"),
        (24, "<I", 2_000_000_000, "its header says 2,000,000,000 Hz"),
    ],
)
def test_a_wav_header_that_cannot_be_true_is_named(place, form, value, words, recordings):
    patch(recordings / "yes" / "p0_0.wav", place, form, value)
    assert "p0_0.wav" in (said := left_out(recordings)) and words in said


def test_a_header_that_promises_gigabytes_takes_no_memory(recordings, tmp_path):
    path = recordings / "yes" / "p0_0.wav"
    whole = read_audio(path)[0]
    patch(path, 40, "<I", 0xFFFFFFF0)  # more than the file: what is there is read, or it is refused
    try:
        assert len(read_audio(path)[0]) == len(whole)
    except LabError as error:
        assert path.name in str(error)
    flac = tmp_path / "a.flac"
    soundfile.write(flac, np.zeros(1000), 16_000)
    data = bytearray(flac.read_bytes())
    data[21] |= 0x0F  # the highest bits of the number of samples (RFC 9639, 8.2)
    flac.write_bytes(data)
    with pytest.raises(LabError, match=r"a\.flac cannot be read as audio \(its header promises [\d,.]+ hours\)"):
        read_audio(flac)
    assert MOST_SAMPLES * 4 < 1e9


@linux
def test_what_stands_in_the_place_of_a_clip_is_counted(recordings):
    path = recordings / "yes" / "p0_0.wav"
    path.unlink()
    for replace in (
        path.mkdir,
        lambda: os.mkfifo(path),
        lambda: path.symlink_to("gone"),
        lambda: path.symlink_to(path),
    ):
        replace()
        assert "1 files left out (missing file), the first: yes/p0_0.wav" in left_out(recordings)
        path.rmdir() if path.is_dir() else path.unlink()


@linux
def test_a_class_that_is_a_link_is_counted(recordings):
    (recordings / "no").rename(recordings.parent / "elsewhere")
    (recordings / "no").symlink_to(recordings.parent / "elsewhere")
    assert "1 files left out (named wrongly" in " ".join(tiny.quietly(own_folder.load, recordings).skipped)


@linux
def test_a_name_that_holds_the_end_of_a_line_is_named(recordings):
    (recordings / "yes" / "p0_0.wav").rename(recordings / "yes" / "p0\r_0.wav")
    with pytest.raises(LabError, match=r"yes/p0\\r_0\.wav in .*Rename it"):
        own_folder.load(recordings)


@pytest.mark.parametrize("harm", [lambda data: data[:60], lambda data: b"", lambda data: data[:-9] + b"x" + data[-8:]])
def test_headers_that_were_kept_and_damaged_are_read_again(harm, recordings):
    good = tiny.quietly(own_folder.load, recordings)
    (kept,) = layout.cache().glob("headers-*/*.csv.gz")
    kept.write_bytes(harm(kept.read_bytes()))
    assert tiny.quietly(own_folder.load, recordings).clips.equals(good.clips)


def test_a_corpus_that_is_gone_is_not_called_damaged(folder, tmp_path):
    corpus = speech_commands.load(folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(LabError, match=r"The folder of tiny, .*tiny, is not here"):
        train(QUICK, corpus, tmp_path / "results")


# Tables and JSON


def test_a_table_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.files.MOST_UNPACKED", 1_000_000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"path\n" + bytes(2_000_000)))
    with pytest.raises(LabError, match=r"a\.csv\.gz is damaged \(it unpacks to more than 1,000,000 bytes\)"):
        read_table(tmp_path / "a.csv.gz", "Delete it.")


def test_json_that_is_nested_without_end_is_named(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(LabError, match=r"a\.json is not a complete JSON file .*recursion"):
        read_json(tmp_path / "a.json")


@linux
def test_a_pipe_is_not_waited_for(tmp_path):
    for name, read in (("a.json", read_json), ("a.csv", lambda path: layout.read_text(path, ""))):
        os.mkfifo(tmp_path / name)
        with pytest.raises(LabError, match=rf"{name}.*it is no file"):
            read(tmp_path / name)
    os.mkfifo(tmp_path / "weights.safetensors")
    with pytest.raises(LabError, match="it is no file"):
        read_tensors(tmp_path / "weights.safetensors", "")


def test_a_header_of_absurd_size_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(LabError, match=r"w\.safetensors is not a whole safetensors file"):
        read_tensors(tmp_path / "w.safetensors", "")


@pytest.mark.parametrize("path", ["../secret.wav", "/etc/passwd", "yes/../../secret.wav", "x" * 300, "a\0b", "."])
def test_a_path_of_a_table_that_leaves_its_folder_is_left_out(path, recordings):
    soundfile.write(recordings.parent / "secret.wav", np.zeros(100), 16_000)
    rows = [f"yes/p{number // 2}_{number}.wav,yes,p{number // 2}" for number in (0, 2, 4)]
    (recordings / "clips.csv").write_text("\n".join(["path,label,speaker", *rows, f"{path},no,p9"]))
    corpus = tiny.quietly(own_folder.load, recordings)
    assert len(corpus) == 3 and "1 files left out" in corpus.skipped[0] and "line 5 of clips.csv" in corpus.skipped[0]


# Records


@pytest.fixture
def two(two_runs):
    return two_runs


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["validation"].update(accuracy=0.99),  # whole, and not what was written
        lambda record: record.update(labels=7, hash=None),
        lambda record: record.update(history=[], hash=None),
        lambda record: record.update(corpus={"name": "x"}, hash=None),
        lambda record: record["validation"].update(accuracy=float("nan"), hash=None),
    ],
)
def test_a_changed_record_is_left_out_of_the_table_by_name(change, two, tmp_path):
    path = two[0].folder / "run.json"
    record = read_json(path)
    change(record)
    if record.get("hash") is None:  # as the first edition wrote it, or a forger
        record.pop("hash", None)
    path.write_text(json.dumps(record))
    with pytest.warns(LabWarning, match=f"{two[0].folder.name} cannot be read and is left out"):
        assert [run.id for run in read_runs(tmp_path / "results")] == [two[1].id]


def test_changed_metrics_are_named(two):
    path = two[0].folder / "test.json"
    write_json(path, read_json(path) | {"accuracy": 0.99})
    with pytest.raises(LabError, match=r"test\.json was damaged .*Delete test\.json"):
        two[0].test()


def test_an_old_record_whose_table_was_cut_stops_no_summary(two, tmp_path):
    path = two[0].folder / "test.json"
    write_json(path, {key: value for key, value in read_json(path).items() if key != "of"})
    table = two[0].folder / "test.csv.gz"
    table.write_bytes(table.read_bytes()[:100])
    with pytest.warns(LabWarning, match=r"test\.csv\.gz is damaged"):
        assert len(summary(read_runs(tmp_path / "results"))) == 1


def test_a_record_names_no_file_outside_its_folder(two, corpus, tmp_path):
    record = read_json(two[0].folder / "run.json")
    record.pop("hash")
    record["sounds"] = "../../../secret"
    write_json(two[0].folder / "run.json", record | {"hash": digest(record)})
    secret = two[0].folder.parent / "sounds" / "../../../secret.csv.xz"
    secret.resolve().write_bytes(b"no table")
    train(QUICK, corpus, tmp_path / "results").test()  # which would say that it is damaged


def test_what_a_training_left_that_was_killed_at_its_very_end_goes(corpus, tmp_path):
    run = train(QUICK, corpus, tmp_path / "results")
    for name in ("experiment.json", "checkpoint.safetensors"):
        (run.folder / name).write_text("left")
    train(QUICK, corpus, tmp_path / "results")
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "run.json",
        "validation.csv.gz",
        "weights.safetensors",
    ]


def test_a_checkpoint_of_more_epochs_than_asked_for_is_refused(corpus, tmp_path):
    train(QUICK, corpus, tmp_path / "results", callback=tiny.Interrupt(2))
    (path,) = tmp_path.rglob("checkpoint.safetensors")
    from labkit.training.tensors import write_tensors

    tensors, about = read_tensors(path, "")
    write_tensors(path, tensors, about | {"history": about["history"] * 3})
    with pytest.raises(LabError, match=r"checkpoint\.safetensors has 6 epochs, not 3\. Delete it"):
        train(QUICK, corpus, tmp_path / "results")
    number = next(name for name in tensors if name.startswith("optimiser.0.exp"))
    write_tensors(path, tensors | {number: tensors[number].new_zeros(3)}, about)
    with pytest.raises(LabError, match="does not hold the state of this training"):
        train(QUICK, corpus, tmp_path / "results")


# Settings


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: MFCC(sample_rate=10**9), "MFCC.sample_rate cannot be 1000000000"),
        (lambda: LogMel(n_mels=10**6), "LogMel.n_mels cannot be 1000000"),
        (lambda: Raw(seconds=100_000), "Raw needs about 409.6 GB for a batch of 64 clips"),
        (lambda: Raw(seconds=1e-9), "seconds=1e-09 is shorter than a sample"),
        (lambda: LogMel(n_fft=10**6), "LogMel needs about"),
        (lambda: Model("gru", layers=10**6), "hyperparameter layers of the model 'gru' cannot be 1000000"),
        (lambda: Model("gru", hidden=50_000).build((10, 8), 3), "would need 7,501"),
        (lambda: Recipe(lr=float("nan")), "Recipe.lr cannot be nan"),
        (lambda: Augmentation(snr_low=float("nan")), "Augmentation.snr_low cannot be nan"),
        (lambda: Experiment(seed=True), "Experiment.seed cannot be True"),
        (lambda: Experiment(recipe={"augmentation": {"shift": 2.0}}), "shift=2.0 moves clips out of their 1.0 seconds"),
        (lambda: Experiment.from_dict({"model": {"name": []}}), r"no model called \[\]"),
        (lambda: Experiment.from_dict({"feature": {"name": {}}}), "no feature called {}"),
        (lambda: Grid(seeds=list(range(20_000))), "Grid.seeds cannot be"),
        (
            lambda: Grid(axes={f"recipe.{name}": [1e-3] * 10**4 for name in ("lr", "momentum")}),
            "100,000,000 experiments",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused_at_once(make, words):
    with pytest.raises(LabError, match=words):
        make()


def test_one_label_alone_is_refused(corpus, tmp_path):
    with pytest.raises(LabError, match="The only label is 'fall'"):
        train(QUICK.change(corpus={"labels": ("fall",)}), corpus, tmp_path / "results")


def test_what_torch_says_of_the_labs_own_network_names_its_settings(corpus, tmp_path, monkeypatch):
    def no_memory(*arguments, **options):
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr("labkit.experiments.run.fit", no_memory)
    with pytest.raises(LabError, match="cannot be trained .*memory.*'hidden': 8.*change these settings"):
        train(QUICK, corpus, tmp_path / "results")
