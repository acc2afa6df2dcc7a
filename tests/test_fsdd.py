"""FSDD: six real voices, and a tiny fake in its layout with every fault that a folder may have."""

import numpy as np
import pytest
import soundfile

from labkit.data import find
from labkit.data.fsdd import load
from labkit.data.splits import Split, shared_speakers, split
from labkit.errors import LabError

pytest_plugins = ["tiny"]
VOICES = ("ana", "bo", "cleo", "dai")


def write(folder, voices=VOICES, digits="0123456789", repetitions=2):
    """A fake: a short noise for each name."""
    (folder / "recordings").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for digit in digits:
        for voice in voices:
            for repetition in range(repetitions):
                sound = 0.1 * rng.standard_normal(800)
                soundfile.write(folder / "recordings" / f"{digit}_{voice}_{repetition}.wav", sound, 8000)
    return folder


@pytest.fixture
def fake(tmp_path, own_folders):
    return write(tmp_path / "fsdd")


def test_names_become_digits_speakers_and_repetitions(fake):
    corpus = load(fake)
    assert corpus.labels == tuple("0123456789") and corpus.sample_rate == 8000 and not corpus.synthetic
    row = corpus.clips.set_index("path").loc["recordings/7_bo_1.wav"]
    assert (row.label, row.speaker, row.repetition, row.seconds) == ("7", "bo", 1, 0.1)
    assert len(corpus) == 80 and corpus.skipped == ()


def test_each_voice_is_in_one_part_only(fake):
    corpus = load(fake)
    assert shared_speakers(corpus) == []
    assert [set(corpus.part(part).speaker) for part in ("test", "validation", "train")] == [
        {"ana"},
        {"bo"},
        {"cleo", "dai"},
    ]
    assert set(split(corpus, Split("leave_one_speaker_out", speaker="dai")).part("test").speaker) == {"dai"}


def test_two_voices_load_and_are_too_few_to_split(tmp_path, own_folders):
    corpus = load(write(tmp_path / "fsdd", VOICES[:2]))
    assert set(corpus.clips.split) == {"train"}
    with pytest.raises(LabError, match="leaving one out needs three"):
        split(corpus, Split("leave_one_speaker_out", speaker="ana"))


def test_bad_names_and_damaged_files_are_left_out_and_reported(fake):
    recordings = fake / "recordings"
    for name in ("ten_ana_0.wav", "3_ana.wav", "3_ana_x.wav", "12_ana_0.wav"):
        soundfile.write(recordings / name, np.ones(80), 8000)
    (recordings / "1_ana_0.wav").write_bytes(b"")
    (recordings / "2_ana_0.wav").write_text("no sound")
    corpus = load(fake)
    assert len(corpus) == 78
    said = " ".join(corpus.skipped)
    assert "4 files left out (named wrongly)" in said and "12_ana_0.wav" in said
    assert "empty file" in said and "not audio" in said


def test_a_missing_digit_leaves_nine_labels(tmp_path, own_folders):
    assert load(write(tmp_path / "fsdd", digits="012345678")).labels == tuple("012345678")


def test_a_folder_of_something_else_says_where_to_get_it(tmp_path, own_folders):
    (tmp_path / "other").mkdir()
    with pytest.raises(LabError, match="labkit download fsdd"):
        load(tmp_path / "other")
    with pytest.raises(LabError, match="labkit download fsdd"):
        find("fsdd", "real")


def test_it_is_found_below_the_data_folder(fake):
    assert find("fsdd", fake.parent).name == "fsdd"


@pytest.mark.slow
def test_the_real_one_is_whole(real_audio, own_folders):
    corpus = load(real_audio / "fsdd")
    assert len(corpus) == 3000 and corpus.skipped == ()
    assert sorted(corpus.clips.speaker.unique()) == ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
    assert (corpus.clips.groupby(["speaker", "label"]).repetition.nunique() == 50).all()
    assert {len(corpus.part(part)) for part in ("test", "validation")} == {500}
