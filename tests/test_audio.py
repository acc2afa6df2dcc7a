"""Reading sound, and the store that holds a corpus ready for batches."""

import errno
import os
import signal
import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import tiny
from tiny import RATE, SPEAKERS, program, quietly, until

from labkit import files
from labkit.data import audio, find, speech_commands
from labkit.data.audio import read_audio, resample
from labkit.data.store import open_store
from labkit.errors import LabError

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
CLIP = tiny.name("rise", SPEAKERS[0])


@pytest.fixture
def corpus(made, own_folders):
    """The tiny corpus, loaded; no clip is decoded yet."""
    return speech_commands.load(made)


@pytest.fixture
def clip():
    return tiny.tone("rise", SPEAKERS[0]).astype(np.float32)


def stores():
    """The stores in the cache."""
    return sorted((files.cache() / "stores").glob("*/"))


def pieces():
    """Names of the finished pieces of all stores; a hidden file is not one."""
    return sorted(path.name for path in (files.cache() / "stores").glob("*/[!.]*.csv.gz"))


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that the store decodes, as it does."""
    names, decode = [], audio.decode_clip
    monkeypatch.setattr(audio, "decode_clip", lambda path, **how: names.append(path.name) or decode(path, **how))
    return names


def batch(store, paths, samples=None):
    return store.rows(store.index.index.get_indexer(paths), samples)


def sound(store, path):
    """One clip, float32 between -1 and 1, shape (samples,)."""
    return batch(store, [path])[0][0].astype(np.float32) / audio.SCALE


def replaced(folder, path=CLIP, **write):
    """The corpus in `folder` after one clip was written anew."""
    soundfile.write(folder / path, **write)
    return speech_commands.load(folder)


# Reading a file


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_each_kind_of_file_is_read(ending, clip, tmp_path):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, clip, RATE)
    samples, sample_rate = read_audio(path)
    assert sample_rate == RATE and samples.dtype == np.float32 and samples.ndim == 1
    if ending in ("wav", "flac"):
        assert len(samples) == len(clip) and np.abs(samples - clip).max() <= 1 / 32768
    else:
        assert abs(len(samples) - len(clip)) < 3000 and abs(samples.std() - clip.std()) < 0.01


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_each_sample_format_is_read(subtype, clip, tmp_path):
    soundfile.write(tmp_path / "a.wav", clip, RATE, subtype=subtype)
    samples, _ = read_audio(tmp_path / "a.wav")
    assert np.abs(samples - clip).max() <= {"PCM_U8": 1 / 128, "ULAW": 0.02}.get(subtype, 1 / 32768)


def test_channels_are_averaged(clip, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([clip, 0 * clip, -0.5 * clip], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav")[0], clip / 6, atol=1e-7)


def test_resampling_keeps_what_fits_and_removes_what_does_not(tmp_path):
    time = np.arange(RATE) / RATE
    low, high = (np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (1000, 6000))
    soundfile.write(tmp_path / "a.wav", 0.4 * (low + high), RATE, subtype="FLOAT")
    samples, sample_rate = read_audio(tmp_path / "a.wav", 8_000)
    assert sample_rate == 8_000 and samples.shape == (8_000,) and samples.dtype == np.float32
    middle = slice(500, -500)
    np.testing.assert_allclose(samples[middle], 0.4 * low[::2][middle], atol=2e-3)
    assert resample(low, RATE, RATE) is low
    assert read_audio(tmp_path / "a.wav", RATE)[0].shape == (RATE,)


def test_a_file_that_cannot_be_read_is_named_with_the_next_step(clip, tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "nothing.wav", clip[:0], RATE)
    soundfile.write(tmp_path / "nan.wav", np.where(clip > 0.05, np.nan, clip), RATE, subtype="FLOAT")
    for name, message in {
        "text.wav": r"text\.wav cannot be read as audio.*again\.$",
        "empty.wav": r"empty\.wav cannot be read as audio.*again\.$",
        "nothing.wav": r"nothing\.wav holds no samples.*again\.$",
        "nan.wav": r"nan\.wav holds values that are not numbers. Export it again",
        "absent.wav": r"There is no file .*absent\.wav. Check the name",
        ".": "There is no file",
    }.items():
        with pytest.raises(LabError, match=message):
            read_audio(tmp_path / name)


# The store


def test_the_store_holds_the_samples_of_the_files(corpus):
    store = open_store(corpus)
    assert not store.problems and store.notes == () and len(store.index) == 72
    for path in corpus.clips.path[::5]:
        samples = soundfile.read(corpus.root / path, dtype="int16")[0]
        np.testing.assert_array_equal(batch(store, [path])[0][0], samples)
        np.testing.assert_array_equal(sound(store, path), soundfile.read(corpus.root / path, dtype="float32")[0])
    assert store.audio[0].dtype == np.int16 and not store.audio[0].flags.writeable


@pytest.mark.slow
def test_real_recordings_come_out_of_the_store_as_soundfile_reads_them(real_audio):
    corpus = find("speech_commands", real_audio / "speech_commands_4words").only(clips_per_label=2)
    store = quietly(open_store, corpus)
    assert len(store.index) == 24
    for path in corpus.clips.path:
        np.testing.assert_array_equal(sound(store, path), soundfile.read(corpus.root / path, dtype="float32")[0])


def test_a_batch_is_padded_with_zeros_or_cropped(corpus):
    store = open_store(corpus)
    paths = [tiny.name("rise", SPEAKERS[0], 1), CLIP, tiny.name("fall", SPEAKERS[5], 1)]
    whole, lengths = batch(store, paths)
    assert whole.shape == (3, 8800) and whole.dtype == np.int16 and list(lengths) == [6400, 8000, 8800]
    assert not whole[0, 6400:].any() and whole[0, :6400].any()
    cropped, lengths = batch(store, paths, 7000)
    assert list(lengths) == [6400, 7000, 7000] and (cropped == whole[:, :7000]).all()
    longer, lengths = batch(store, paths, 10_000)
    assert list(lengths) == [6400, 8000, 8800] and not longer[:, 8800:].any() and (longer[:, :8800] == whole).all()


def test_the_store_holds_what_is_chosen_and_grows_when_more_is_chosen(corpus, decoded):
    some = corpus.only(labels=["rise"], clips_per_label=1)  # of each part
    few = open_store(some)
    held = {name: few.audio[0][:].copy() for name in pieces()}
    assert len(decoded) == len(few.index) == 3 and len(few.audio[0]) == few.index.length.sum()
    whole = open_store(corpus)
    assert len(decoded) == 72 and len(whole.index) == 72, "the three are not decoded again"
    assert len(stores()) == 1 and len(pieces()) == 2
    assert (held["00000.csv.gz"] == whole.audio[0]).all(), "a piece that was written is never touched"
    for path in corpus.clips.path[::7]:
        np.testing.assert_array_equal(batch(whole, [path])[0][0], soundfile.read(corpus.root / path, dtype="int16")[0])
    assert list(open_store(some).index.index) == list(some.clips.path) and len(decoded) == 72


def test_a_store_is_read_and_its_clips_are_looked_at_once_in_a_process(corpus, monkeypatch):
    open_store(corpus)
    open_store(corpus)
    for what in ("data.pieces.read_table", "data.layout.when_changed", "data.store.decode"):
        monkeypatch.setattr(f"labkit.{what}", lambda *_, what=what: pytest.fail(f"{what} again"))
    assert len(open_store(corpus).index) == len(open_store(corpus.only(labels=["rise"])).index) * 3


def test_a_store_is_written_in_pieces(corpus, monkeypatch):
    monkeypatch.setattr("labkit.data.pieces.PIECE", 10)
    store = open_store(corpus)
    assert len(pieces()) == 8 and set(store.audio) == set(range(8))
    paths = corpus.clips.path[::9].tolist()  # a batch of several pieces
    samples, lengths = batch(store, paths)
    for row, length, path in zip(samples, lengths, paths, strict=True):
        np.testing.assert_array_equal(row[:length], soundfile.read(corpus.root / path, dtype="int16")[0])


def test_a_store_at_another_rate_is_another_store(corpus):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what was asked for is no surprise
        full, half = open_store(corpus), open_store(corpus, 8_000)
    assert len(stores()) == 2
    np.testing.assert_array_equal(half.index.length * 2, full.index.length)
    expected = resample(sound(full, CLIP), RATE, 8_000)
    assert np.abs(sound(half, CLIP) - expected).max() <= 0.5 / 32768 + 1e-6
    assert half.notes == (f"72 clips resampled (the first: {corpus.clips.path[0]})",)


# What differs from the rest, or cannot be used

ADAPTED = {
    "stereo": (lambda clip: {"data": np.stack([clip, clip], 1), "samplerate": RATE}, "mixed to one channel", 1),
    "another rate": (lambda clip: {"data": clip[::2], "samplerate": 8_000}, "resampled", None),
    "8-bit": (lambda clip: {"data": clip, "samplerate": RATE, "subtype": "PCM_U8"}, "", 256),
    "24-bit": (lambda clip: {"data": clip, "samplerate": RATE, "subtype": "PCM_24"}, "", 0.51),
    "float": (lambda clip: {"data": clip, "samplerate": RATE, "subtype": "FLOAT"}, "", 0.51),
    "too loud": (lambda clip: {"data": 9 * clip, "samplerate": RATE, "subtype": "FLOAT"}, "clipped at full", None),
    "silent": (lambda clip: {"data": 0 * clip, "samplerate": RATE}, "silent, and kept", None),
    "silent float": (lambda clip: {"data": 0 * clip, "samplerate": RATE, "subtype": "FLOAT"}, "silent, and kept", None),
}


@pytest.mark.parametrize("kind", ADAPTED)
def test_a_clip_that_differs_is_adapted_and_counted_aloud(kind, clip, folder):
    write, note, steps = ADAPTED[kind]
    corpus = replaced(folder, **write(clip))
    assert len(corpus) == 72 and not corpus.skipped
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        store = open_store(corpus)
    assert [str(warning.message) for warning in caught] == [f"tiny: {words}." for words in store.notes]
    assert len(store.notes) == bool(note) and all(note in words and CLIP in words for words in store.notes)
    samples = sound(store, CLIP)
    assert len(samples) == 8000 and not store.problems
    if steps:
        assert np.abs(samples - clip).max() <= steps / 32768
    if kind == "too loud":
        np.testing.assert_allclose(samples, np.clip(9 * clip, -1, 32767 / 32768), atol=0.51 / 32768)


def test_two_kinds_of_adapting_are_told_separately(clip, folder):
    soundfile.write(folder / tiny.name("fall", SPEAKERS[1]), 0 * clip, RATE)
    corpus = replaced(folder, data=np.stack([clip, clip], 1)[::2], samplerate=8_000)
    assert sorted(note.split(" (")[0] for note in quietly(open_store, corpus).notes) == [
        "1 clips mixed to one channel",
        "1 clips resampled",
        "1 clips silent, and kept",
    ]


def broken_flac(clip):
    """A file whose header promises more than follows."""
    import io

    buffer = io.BytesIO()
    soundfile.write(buffer, clip, RATE, format="FLAC")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


def test_clips_whose_header_is_fine_but_whose_sound_is_not_are_named(clip, folder):
    corpus = replaced(folder, data=np.full_like(clip, np.inf), samplerate=RATE, subtype="FLOAT")
    half = folder / tiny.name("fall", SPEAKERS[1])
    half.write_bytes(broken_flac(clip))  # named .wav, which is of no matter
    corpus = speech_commands.load(folder)
    assert len(corpus) == 72
    store = open_store(corpus)
    assert set(store.problems) == {CLIP, tiny.name("fall", SPEAKERS[1])}
    assert "not numbers" in store.problems[CLIP]
    assert not any(str(folder) in problem for problem in store.problems.values()), "records keep this"
    assert store.index.length[CLIP] == 0 and len(corpus.without(store.problems)) == 70
    other = tiny.name("rise", SPEAKERS[11], 1)  # stored after both
    np.testing.assert_array_equal(sound(store, other), soundfile.read(folder / other, dtype="float32")[0])
    assert open_store(corpus).problems == store.problems, "found again when it is opened"


def test_a_file_that_went_away_is_named(folder):
    corpus = speech_commands.load(folder)
    (folder / CLIP).unlink()
    assert list(open_store(corpus).problems) == [CLIP]


def test_a_corpus_without_clips_is_refused(corpus):
    with pytest.raises(LabError, match="tiny has no clips, so there is nothing to store. Check its folder"):
        open_store(corpus.with_clips(corpus.clips[:0]))


def test_a_corpus_of_broken_clips_alone_still_opens(clip, folder):
    corpus = replaced(folder, data=np.full_like(clip, np.nan), samplerate=RATE, subtype="FLOAT")
    corpus = corpus.with_clips(corpus.clips[corpus.clips.path == CLIP])
    assert list(open_store(corpus).problems) == [CLIP] and list(open_store(corpus).problems) == [CLIP]


# Built once, whole or not at all


def test_a_changed_file_is_decoded_again_and_an_open_store_stays_as_it_was(clip, folder, decoded):
    folder = folder.rename(folder.with_name("tiny [mine]"))  # brackets mean something to glob
    corpus = speech_commands.load(folder)
    old = open_store(corpus)
    before = sound(old, CLIP).copy()
    soundfile.write(folder / CLIP, clip[::-1], RATE)  # the same size, another sound
    os.utime(folder / CLIP, ns=(1, 1))
    assert speech_commands.load(folder).fingerprint == corpus.fingerprint
    new = open_store(speech_commands.load(folder))
    assert decoded[72:] == [os.path.basename(CLIP)] and len(stores()) == 1
    np.testing.assert_array_equal(sound(new, CLIP), soundfile.read(folder / CLIP, dtype="float32")[0])
    np.testing.assert_array_equal(sound(old, CLIP), before)  # whoever has it open is not disturbed


def test_a_table_made_by_hand_has_the_times_of_now(clip, folder):
    corpus = replace(speech_commands.load(folder), changed=None)
    open_store(corpus)
    soundfile.write(folder / CLIP, clip[::-1], RATE)
    os.utime(folder / CLIP, ns=(1, 1))
    np.testing.assert_array_equal(sound(open_store(corpus), CLIP), soundfile.read(folder / CLIP, dtype="float32")[0])


BUILDER = """
import sys, time
from pathlib import Path
from labkit.data import audio, store
from labkit.data.speech_commands import load

decode, me, count = audio.decode_clip, sys.argv[2], 0
def slowly(path, sample_rate):
    global count
    count += 1
    time.sleep(0.01)
    return decode(path, sample_rate)
audio.decode_clip = slowly
corpus = load(sys.argv[1])
Path(sys.argv[3], me).touch()
while len(list(Path(sys.argv[3]).iterdir())) < 2:
    time.sleep(0.01)
opened = store.open_store(corpus.only(labels=["rise", "fall"] if me == "first" else ["hold", "fall"]))
print(count, len(opened.index), opened.index.length.sum(), sum(audio.sum() for audio in opened.audio.values()))
"""


@pytest.mark.slow
def test_two_processes_that_build_one_store_at_once_decode_each_clip_once(made, tmp_path):
    (tmp_path / "ready").mkdir()
    processes = [program(BUILDER, made, me, tmp_path / "ready", wait=False) for me in ("first", "second")]
    counts = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        counts.append(list(map(int, out.split())))
    assert sorted(count[0] for count in counts) == [24, 48], "the second one waited, and added what was missing"
    assert counts[0][1] == counts[1][1] == 48 and len(stores()) == 1 and len(pieces()) == 2


KILLED = """
import sys, time
from pathlib import Path
from labkit.data import audio, pieces, store
from labkit.data.speech_commands import load

decode, pieces.PIECE = audio.decode_clip, 24
def slowly(path, sample_rate):
    if "rise" in str(path):
        Path(sys.argv[2]).touch()
        time.sleep(60)
    return decode(path, sample_rate)
audio.decode_clip = slowly
store.open_store(load(sys.argv[1]))
"""


@POSIX
def test_a_killed_build_keeps_its_pieces_and_the_next_one_goes_on(made, tmp_path, decoded, monkeypatch):
    monkeypatch.setattr("labkit.data.pieces.PIECE", 24)
    process = program(KILLED, made, tmp_path / "started", wait=False)
    until(lambda: (tmp_path / "started").exists() or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert pieces() == ["00000.csv.gz", "00001.csv.gz"], "of three: the labels come one after the other"
    store = open_store(speech_commands.load(made))
    assert len(store.index) == 72 and not store.problems and len(decoded) == 24
    assert not list(stores()[0].glob(".*")), "what the killed one had begun is gone"


INDEX = "00000.csv.gz"
DAMAGES = {
    "half the sound": lambda folder: os.truncate(folder / "00000.int16", 1000),
    "no sound": lambda folder: (folder / "00000.int16").unlink(),
    "an empty index": lambda folder: (folder / INDEX).write_text(""),
    "half an index": lambda folder: os.truncate(folder / INDEX, 500),
    "another index": lambda folder: files.write_table(folder / INDEX, pd.DataFrame({"path": [CLIP]})),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_sound_is_named_with_the_mend_and_a_damaged_index_is_made_again(damage, corpus, decoded):
    before = sound(open_store(corpus), CLIP)
    (folder,) = stores()
    DAMAGES[damage](folder)
    if "sound" in damage:
        with pytest.raises(LabError, match=rf"{folder.name}.*Delete it and run again"):
            open_store(corpus)
    else:
        np.testing.assert_array_equal(sound(open_store(corpus), CLIP), before)
        assert len(decoded) == 144


def test_a_cache_that_cannot_be_made_is_named(corpus, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(LabError, match="file.stores.*LABKIT_CACHE"):
        open_store(corpus)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_read_only_cache_is_named(code, corpus, monkeypatch):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(LabError, match="stores.*LABKIT_CACHE"):
        open_store(corpus)


def test_a_disk_too_full_is_said_before_the_store_is_begun(corpus, monkeypatch):
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(LabError, match="The waveform store of tiny needs 0.00 GB in .*but only 0.00 GB are free"):
        open_store(corpus)
    assert pieces() == []


def test_a_disk_that_fills_while_writing_leaves_nothing(corpus, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(LabError, match="Could not write .*tiny-16000.*No space left on device. Free some disk space"):
        open_store(corpus)
    assert pieces() == [] and not list((files.cache() / "stores").glob("*/.*partial"))


def test_bars_are_off_where_asked(monkeypatch):
    assert not audio.bars()
    monkeypatch.delenv("LABKIT_BARS")
    assert audio.bars()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no SIGKILL")
@pytest.mark.weekly  # above one is killed at one moment
def test_a_store_killed_at_any_moment_of_its_making_comes_out_the_same(tmp_path):
    from tools.kill import survive_kills

    survive_kills(tmp_path, times=6, seed=1, job="store")


def test_a_batch_is_not_resampled_along_its_clips():
    with pytest.raises(LabError, match="one by one"):
        resample(np.zeros((3, RATE), np.float32), RATE, 8_000)
