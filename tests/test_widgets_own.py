"""Recordings of one's own: the recorder panel without a browser, the folder they are kept in, the "you" row."""

import io

import numpy as np
import pandas as pd
import pytest
import soundfile
from tiny import RATE, SPEAKERS, quick, quietly, tone

import labkit
from labkit import data as corpora
from labkit.data.recordings import around_word, keep, own_folder, yours
from labkit.errors import LabError, LabWarning
from labkit.experiments import run as runs
from labkit.widgets import RecorderPanel, with_you
from labkit.widgets.listening import PROBLEMS

pytest_plugins = ["tiny"]


@pytest.fixture
def lab(made, own_folders, tmp_path, monkeypatch):
    """Opened on the tiny corpus; recordings go to a data folder of the test's own."""
    opened = labkit.start("panels", data=made, device="cpu")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    return opened


@pytest.fixture
def panel(lab, request):
    if request.function is not test_a_recording_is_cut_shown_kept_and_found_as_a_corpus:  # which draws all of it
        request.getfixturevalue("unseen")
    return RecorderPanel(lab, word="rise")


def sound(samples, sample_rate=RATE, kind="WAV"):
    """Samples as the bytes of a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format=kind)
    return buffer.getvalue()


def record(panel, samples, sample_rate=RATE, size=1280):
    """What the microphone of the browser sends."""
    samples = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    about = {"session": "one", "sample_rate": sample_rate}
    panel.receive({"kind": "start", **about})
    for start in range(0, len(samples), size):
        content = memoryview(samples[start : start + size].tobytes())
        panel.receive({"kind": "block", "start": start, **about}, [content])
    panel.receive({"kind": "stop", **about})


def upload(panel, *files):
    """What the upload of the browser sends: (name, bytes)."""
    about = {"type": "audio/wav", "last_modified": pd.Timestamp.now(tz="UTC").to_pydatetime()}
    panel.controls["upload"].value = [
        {"name": name, "size": len(content), "content": content, **about} for name, content in files
    ]


def word(seconds=2.0, start=0.7, speaker=SPEAKERS[0]):
    """A recording with one word in it."""
    samples = 1e-3 * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    part = tone("rise", speaker)
    samples[round(start * RATE) : round(start * RATE) + len(part)] += part
    return samples


def test_a_recording_is_cut_shown_kept_and_found_as_a_corpus(panel):
    assert panel.keep.disabled and "recordings" in panel.said
    record(panel, word())
    ((name, samples),) = panel.takes
    assert name == "microphone" and len(samples) == RATE and not panel.keep.disabled and "loudest moment" in panel.said
    assert "recording of 1.00 s" in panel.alt and list(own_folder().rglob("*.wav")) == []
    panel.keep.click()
    assert panel.keep.disabled and "Kept as rise/you_001.wav" in panel.said and "1 clips of 1 speaker(s)" in panel.said
    kept, sample_rate = soundfile.read(own_folder() / "rise" / "you_001.wav")
    assert sample_rate == RATE and np.abs(kept - samples).max() < 1e-4
    assert np.abs(kept).argmax() / sample_rate == pytest.approx(0.5, abs=0.3), "the word lies in the middle"
    corpus = quietly(corpora.find, "folder")
    assert corpus.clips[["path", "label", "speaker"]].to_numpy().tolist() == [["rise/you_001.wav", "rise", "you"]]


@pytest.mark.parametrize("size", [999, 5 * RATE])
def test_a_recording_does_not_depend_on_its_blocks_and_each_is_answered(panel, size):
    sent = []
    panel.microphone.send = lambda content, buffers=None: sent.append(content)
    record(panel, word())
    ((_, expected),) = panel.takes
    sent.clear()
    record(panel, word(), size=size)
    ((_, samples),) = panel.takes
    assert np.array_equal(samples, expected)
    assert sent[0] == {"kind": "heard", "session": "one", "upto": min(size, 2 * RATE)} and sent[-1]["upto"] == 2 * RATE


def test_of_two_views_of_the_recorder_the_newer_one_records(panel):
    sent = []
    panel.microphone.send = lambda content, buffers=None: sent.append(content)
    panel.receive({"kind": "start", "session": "old", "sample_rate": RATE})
    record(panel, word())
    assert sent[0] == {"kind": "end", "session": "old"} and len(panel.takes) == 1


def test_a_recording_is_left_as_it_is_where_nobody_wants_it_cut(panel):
    panel.controls["cut"].value = False
    record(panel, word())
    assert len(panel.takes[0][1]) == 2 * RATE


def test_takes_are_numbered_and_never_overwritten(panel):
    for expected in ("you_001", "you_002"):
        record(panel, word())
        panel.keep.click()
        assert f"Kept as rise/{expected}.wav" in panel.said
    (own_folder() / "rise" / "you_001.wav").unlink()
    record(panel, word())
    panel.keep.click()
    assert "you_003.wav" in panel.said


def test_discard_and_keep_without_a_recording(panel):
    record(panel, word())
    panel.discard.click()
    assert panel.takes == [] and "Discarded" in panel.said and panel.keep.disabled
    panel.keep.click()
    assert "nothing to keep" in panel.said and not own_folder().exists()


@pytest.mark.parametrize("name", [*PROBLEMS, "AbortError"])
def test_what_the_browser_refuses_is_a_message_that_says_what_to_do(panel, name):
    panel.receive({"kind": "problem", "name": name, "message": "no"})
    assert "Press Record again" in panel.said or "press Record again" in panel.said or "in a browser" in panel.said
    assert panel.takes == [] and "Note:" in panel.message.value


@pytest.mark.parametrize(
    "samples, words",
    [
        (np.zeros(0), "recording is empty"),
        (np.zeros(RATE), "Nothing was heard"),
        (np.clip(20 * word(), -1, 1), "is clipped"),
    ],
)
def test_a_recording_of_no_use_is_a_message(panel, samples, words):
    record(panel, word())
    before = panel.takes
    record(panel, samples)
    assert words in panel.said and panel.takes is before, "what was recorded before still waits"


def test_one_loud_sample_is_not_clipping(panel):
    samples = word()
    samples[20_000] = 1.0
    record(panel, samples)
    assert panel.takes and "clipped" not in panel.said


def test_a_stereo_file_at_48_khz_becomes_one_channel_at_16(panel):
    panel.controls["cut"].value = False
    time = np.arange(48_000) / 48_000
    left, right = 0.4 * np.sin(2 * np.pi * 440 * time), 0.2 * np.sin(2 * np.pi * 440 * time)
    upload(panel, ("clip.wav", sound(np.stack([left, right], axis=1), 48_000)))
    ((name, samples),) = panel.takes
    assert name == "clip.wav" and samples.shape == (RATE,)
    spectrum = np.abs(np.fft.rfft(samples)) / len(samples) * 2
    assert spectrum.argmax() == 440 and spectrum.max() == pytest.approx(0.3, rel=0.02)


def test_a_corrupt_upload_is_named_and_the_others_are_taken(panel):
    upload(panel, ("broken.wav", b"RIFF no sound"), ("good.flac", sound(word(), kind="FLAC")), ("my.m4a", b"ftypM4A"))
    assert [name for name, _ in panel.takes] == ["good.flac"]
    upload(panel, ("one.wav", sound(word())), ("two.wav", sound(word())))
    assert [name for name, _ in panel.takes] == ["one.wav", "two.wav"] and "2 files, loudest" in panel.said
    upload(panel, ("broken.wav", b"RIFF no sound"), ("good.flac", sound(word(), kind="FLAC")), ("my.m4a", b"ftypM4A"))
    assert [name for name, _ in panel.takes] == ["good.flac"]
    assert "broken.wav: it cannot be read" in panel.said and "ffmpeg -i my.m4a" in panel.said
    panel.keep.click()
    assert len(yours()) == 1


def test_a_long_upload_is_refused(panel):
    upload(panel, ("lecture.wav", sound(0.1 * np.ones(61 * 8000), 8000)))
    assert panel.takes == [] and "60 s is the most here. Cut it into shorter files" in panel.said


@pytest.mark.slow
@pytest.mark.parametrize(
    "word_, speaker, words",
    [
        ("rise", "", "cannot be the speaker"),
        ("", "ana", "cannot be the word"),
        ("../rise", "ana", "cannot be the word"),
        (".hidden", "ana", "cannot be the word"),
        ("rise", "ana_maria", "has a `_`"),
        ("rise", "Rise", "like the word"),
        ("rise", "a/b", "cannot be the speaker"),
    ],
)
def test_names_that_cannot_be_names_of_files_are_a_message(panel, word_, speaker, words):
    panel.controls["word"].value, panel.controls["speaker"].value = word_, speaker
    record(panel, word())
    panel.keep.click()
    assert words in panel.said and panel.takes and not list(own_folder().rglob("*.wav"))


def test_a_table_of_recordings_is_not_written_past(panel):
    own_folder().mkdir()
    (own_folder() / "clips.csv").write_text("path,label,speaker\n")
    record(panel, word())
    panel.keep.click()
    assert "described by a table" in panel.said


def test_the_microphone_stops_after_the_seconds_asked_for(panel):
    panel.controls["seconds"].value = 3.5
    assert panel.microphone.seconds == 3.5


def test_a_microphone_of_another_rate_is_recorded_the_same(panel):
    panel.controls["cut"].value = False
    record(panel, labkit.resample(word(), RATE, 48_000), 48_000)
    ((_, samples),) = panel.takes
    assert samples.shape == (2 * RATE,) and np.corrcoef(samples, word())[0, 1] > 0.99


def test_the_loudest_second_is_found():
    samples = word(seconds=5.0, start=3.2)
    part = around_word(samples, RATE)
    assert len(part) == RATE and np.square(part).sum() > 0.99 * np.square(samples).sum() - 0.01
    assert len(around_word(samples[:100], RATE)) == 100


def mine(count=3, speaker="ana"):
    for repetition in range(count):
        for name in ("rise", "hold"):
            keep(tone(name, SPEAKERS[3], repetition), RATE, name, speaker)


@pytest.fixture
def run(lab):
    return runs.train(quick().change(model={"dropout": 0.0}, recipe={"epochs": 8}), lab.data, lab.results)


def test_the_you_row_stands_where_there_are_recordings(run):
    table = pd.DataFrame({"mean": [run.validation["accuracy"]]}, index=["validation"])
    assert with_you(table, run) is table, "nobody has recorded anything"
    mine()
    both = with_you(table, run)
    assert list(both.index) == ["validation", "you (6 clips)"] and list(both.columns) == ["mean"]
    predictions, _ = run.evaluate(yours(run.labels))
    assert both["mean"].iloc[1] == (predictions.label == predictions.predicted).mean()


def test_two_voices_have_an_interval_one_has_none(run):
    mine()
    table = pd.DataFrame({"mean": [0.5], "low": [0.4], "high": [0.6]}, index=["validation"])
    assert with_you(table, run).iloc[1][["low", "high"]].isna().all()
    mine(speaker="luis")
    assert with_you(table, run).iloc[1].notna().all()


def test_words_that_the_network_does_not_know_are_left_out(run):
    keep(tone("rise", SPEAKERS[3]), RATE, "hello", "ana")
    assert yours().labels == ("hello",) and yours(run.labels) is None
    table = pd.DataFrame({"mean": [0.5]})
    assert with_you(table, run) is table


def test_a_network_that_was_trained_on_your_voice_is_not_tested_on_it(run):
    mine(speaker=SPEAKERS[0])
    table = pd.DataFrame({"mean": [0.5]})
    with pytest.warns(LabWarning, match="Your recordings are left out: .* trained on"):
        assert with_you(table, run) is table


def test_published_results_never_show_a_person(monkeypatch, lab):
    mine()
    assert yours() is not None
    data = own_folder().parent
    monkeypatch.setattr("labkit.data.data_folder", lambda: data)
    monkeypatch.setenv("LABKIT_DATA", "synthetic")
    assert yours() is None


@pytest.mark.slow
def test_recordings_of_several_people_are_a_corpus_that_the_trainer_takes(lab, monkeypatch):
    for number, speaker in enumerate(SPEAKERS):
        for name in ("rise", "hold"):
            keep(tone(name, speaker), RATE, name, f"person{number}")
    own = quietly(labkit.start, "panels", corpus="folder", device="cpu")
    panel = labkit.TrainerPanel(own, quick(), guess=0.5)
    panel.train.click()
    run = panel.wait(120)
    assert panel.error is None and run.labels == ("hold", "rise") and run.record["protocol"] == "by_speaker"


def test_the_recordings_of_one_person_alone_are_a_message_in_the_trainer(lab):
    mine()
    own = quietly(labkit.start, "panels", corpus="folder", device="cpu")
    panel = labkit.TrainerPanel(own, quick(), guess=0.5)
    panel.train.click()
    panel.wait(120)
    assert isinstance(panel.error, LabError) and "validation" in panel.said and panel.run is None
