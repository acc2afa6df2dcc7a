"""The lab's cuts of Speech Commands: their lists, and how `labkit download` cuts them out of the publisher's corpus."""

import lzma
import os
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
import tiny

from labkit.cli import main
from labkit.data import download as downloading
from labkit.data import find, layout, read, speech_commands
from labkit.data.audio import read_audio
from labkit.data.corpus import Corpus
from labkit.data.download import CUT, DOWNLOADS, download
from labkit.data.speech_commands import LISTS, PART_LISTS, SAMPLE_RATE, read_cut
from labkit.data.store import open_store
from labkit.errors import LabError
from tools import clip_list

pytest_plugins = ["tiny"]

CUTS = {  # name: fingerprint of the corpus, as the run records have it
    "speech_commands_core": "0e58b2d1561b2248",
    "speech_commands_4words": "b5ed9c040f2d5eda",
    "speech_commands_35words": "f514a911a3a746fd",
}
PLAIN = 44  # bytes of the header of a WAV file that says no more than it must


def sounds(folder):
    """Paths of the sound files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.wav"))


def listed(folder):
    """The clips that the two lists in a folder name."""
    return {part: sorted((folder / file).read_text().split()) for part, file in PART_LISTS.items()}


def longer_header(path):
    """Give a WAV file a title, which stands in a chunk of its own."""
    samples, rate = soundfile.read(path, dtype="int16")
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16", format="WAV") as file:
        file.title = "a word"
        file.write(samples)
    assert path.stat().st_size > PLAIN + 2 * len(samples)


def same(cut, lab):
    """Assert that a cut is, for every run, the corpus that the lab has."""
    assert sounds(cut) == sounds(lab) and listed(cut) == listed(lab)
    assert [path for path in sounds(lab) if (cut / path).read_bytes() != (lab / path).read_bytes()] == []
    found, expected = read(cut), read(lab)
    assert (found.name, found.fingerprint) == (expected.name, expected.fingerprint)
    assert found.noises == expected.noises and not found.skipped
    assert tiny.quick().id(found.fingerprint) == tiny.quick().id(expected.fingerprint)


# The lists that come with the lab


def test_every_list_has_its_download_and_the_other_way_round():
    names = {path.name.removesuffix(".csv.xz") for path in LISTS.iterdir()}
    assert names == set(CUTS) == {name for name, entry in DOWNLOADS.items() if entry.source}
    assert all(DOWNLOADS[name].folder == name for name in names)  # the name is part of what a record says
    assert sum(path.stat().st_size for path in LISTS.iterdir()) < 400_000


@pytest.mark.parametrize("name", CUTS)
def test_a_list_describes_the_corpus_of_the_records(name):
    clips = read_cut(name)
    assert clips.path.is_unique and list(clips.path) == sorted(clips.path)
    assert clips.sound.str.fullmatch("[0-9a-f]{8}").all()
    clips = clips[clips.part != "noise"]
    said = clips.path.str.extract(speech_commands.PATTERN).astype({"repetition": int})
    size = {"seconds": clips.samples / SAMPLE_RATE, "bytes": PLAIN + 2 * clips.samples}
    table = pd.concat([clips[["path"]], said], axis=1).assign(split=clips.part, **size)
    corpus = Corpus(name, LISTS, SAMPLE_RATE, tuple(sorted(set(table.label))), "CC BY 4.0", False, table)
    assert corpus.fingerprint == CUTS[name]


def test_the_parts_are_the_publishers_but_for_the_35_words_and_each_list_says_so():
    for name in CUTS:
        clips = read_cut(name)
        speakers = clips.path[clips.part != "noise"].str.extract(speech_commands.PATTERN).speaker
        official, own = speakers.map(clip_list.official), clips.part[clips.part != "noise"]
        head = lzma.decompress((LISTS / f"{name}.csv.xz").read_bytes()).decode().partition("\npath,")[0]
        if name == "speech_commands_35words":
            assert set(official) == {"test"} and set(own) == {"train", "validation", "test"}
            assert "the lab's own" in head and "Never train on it" in head
        else:
            assert (official == own).all() and "Its parts are the publisher's" in head


def test_the_cuts_agree_on_the_sound_of_a_clip_they_share_but_for_zeros_at_its_end():
    core, four, many = (read_cut(name).set_index("path") for name in CUTS)
    for one, other, padded in ((core, four, 0), (core, many, 67), (four, many, 67)):
        both = one.join(other.add_suffix("_other"), how="inner")
        unlike = both[both.sound != both.sound_other]
        assert len(both) > 800 and len(unlike) == padded
        assert (unlike.samples < unlike.samples_other).all() and (unlike.samples_other == SAMPLE_RATE).all()


# Cutting


@pytest.fixture
def lab_cut(own_folders, tmp_path, monkeypatch):
    """A cut as the lab has it, registered; beside it in `data` the publisher's corpus that it comes from."""
    whole = tiny.make(tmp_path / "data" / "speech_commands_v0.02")
    lab = tmp_path / "lab" / "speech_commands_tiny"
    shutil.copytree(whole, lab)
    shutil.rmtree(lab / "hold")  # two of three words, one of two noises
    (whole / "_background_noise_" / "rain.wav").write_bytes((whole / "_background_noise_" / "hiss.wav").read_bytes())
    for file in PART_LISTS.values():  # parts of its own
        paths = (lab / file).read_text().split()
        (lab / file).write_text("".join(f"{path}\n" for path in paths if "hold" not in path and "_1.wav" in path))
    short = lab / tiny.name("rise", tiny.SPEAKERS[0])  # filled up to 0.75 s, which the publisher's is not
    samples = soundfile.read(short, dtype="int16")[0]
    soundfile.write(short, np.pad(samples, (0, 4000)), SAMPLE_RATE, subtype="PCM_16")
    longer_header(whole / tiny.name("fall", tiny.SPEAKERS[1]))
    longer_header(whole / "_background_noise_" / "hiss.wav")
    (whole / "LICENSE").write_text("CC BY 4.0")
    for module in (layout, speech_commands, clip_list):
        monkeypatch.setattr(module, "LISTS", tmp_path / "lists")
    monkeypatch.setitem(DOWNLOADS, lab.name, CUT(title="tiny", folder=lab.name))
    monkeypatch.setattr(sys, "argv", ["clip_list", str(lab)])
    clip_list.main()
    return lab


def test_a_cut_is_the_corpus_that_the_lab_has(lab_cut, tmp_path, capsys):
    data = tmp_path / "data"
    assert main(["download", "--data", str(data)]) == 0
    assert re.search(r"speech_commands_tiny +a cut +CC BY 4.0 +tiny", capsys.readouterr().out)
    assert main(["download", "speech_commands_tiny", "--data", str(data)]) == 0
    cut = data / "speech_commands_tiny"
    assert f"speech_commands_tiny is ready in {cut}" in capsys.readouterr().out
    same(cut, lab_cut)
    assert (cut / "LICENSE").read_text() == "CC BY 4.0"
    assert not list(data.glob(".*.partial"))


def test_a_cut_that_is_there_is_left_alone(lab_cut, tmp_path, monkeypatch):
    cut = download(lab_cut.name, tmp_path / "data")
    monkeypatch.setattr(downloading, "cut", None)
    assert download(lab_cut.name, tmp_path / "data") == cut


def test_cutting_leaves_the_publishers_files_as_they_were(lab_cut, tmp_path):
    whole = tmp_path / "data" / "speech_commands_v0.02"
    before = {path: layout.when_changed(path) for path in whole.rglob("*.wav")}
    download(lab_cut.name, tmp_path / "data")  # else the waveform store of the whole corpus would be built again
    assert {path: layout.when_changed(path) for path in whole.rglob("*.wav")} == before


def test_a_cut_is_found_where_torchaudio_puts_the_corpus(lab_cut, tmp_path):
    data = tmp_path / "data"
    (data / "SpeechCommands").mkdir()
    (data / "speech_commands_v0.02").rename(data / "SpeechCommands" / "speech_commands_v0.02")
    same(download(lab_cut.name, data), lab_cut)


def test_the_corpus_is_fetched_first_where_it_is_not_here(lab_cut, tmp_path, monkeypatch):
    data, asked = tmp_path / "data", []
    (data / "speech_commands_v0.02").rename(tmp_path / "away")

    def fetch(name, data, keep_archive):
        asked.append(name)
        return tmp_path / "away"

    monkeypatch.setattr(downloading, "download", fetch)
    same(download(lab_cut.name, data), lab_cut)
    assert asked == ["speech_commands"]


def test_missing_and_different_clips_are_counted_and_named_and_nothing_is_left(lab_cut, tmp_path):
    data = tmp_path / "data"
    whole = data / "speech_commands_v0.02"
    gone, changed, damaged, longer = (tiny.name("fall", speaker) for speaker in sorted(tiny.SPEAKERS)[:4])
    (whole / gone).unlink()
    samples = soundfile.read(whole / changed, dtype="int16")[0]
    samples[100] += 1  # one step of one sample
    soundfile.write(whole / changed, samples, SAMPLE_RATE, subtype="PCM_16")
    (whole / damaged).write_bytes(b"no sound")
    samples = soundfile.read(whole / longer, dtype="int16")[0]
    soundfile.write(whole / longer, np.append(samples, np.int16(0)), SAMPLE_RATE, subtype="PCM_16")
    with pytest.raises(LabError) as caught:
        download(lab_cut.name, data)
    said = str(caught.value)
    assert f"1 files are missing, the first: {gone}." in said and str(whole) in said
    assert f"3 files hold another sound, the first: {changed}." in said
    assert said.endswith("run `python -m labkit download speech_commands_tiny`: it fetches the corpus again.")
    assert sorted(path.name for path in data.iterdir()) == [".downloads", "speech_commands_v0.02"]


def test_a_folder_that_is_no_whole_cut_is_not_touched(lab_cut, tmp_path):
    mine = tmp_path / "data" / lab_cut.name / "mine.wav"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(LabError, match=r"lacks testing_list.txt.*Move it away"):
        download(lab_cut.name, tmp_path / "data")
    assert mine.read_bytes() == b"mine"


def test_a_damaged_list_is_named(lab_cut, tmp_path):
    path = tmp_path / "lists" / "speech_commands_tiny.csv.xz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LabError, match=r"speech_commands_tiny.csv.xz is damaged.*git checkout"):
        download(lab_cut.name, tmp_path / "data")


def test_an_absent_cut_is_pointed_to(own_folders, tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    for name in CUTS:
        with pytest.raises(LabError, match=rf"{name} is not a folder.*`python -m labkit download {name}`.$"):
            find("speech_commands", name)


# Writing a list


def test_a_list_is_written_the_same_each_time_with_the_hashes_of_the_store(lab_cut, tmp_path):
    path = tmp_path / "lists" / "speech_commands_tiny.csv.xz"
    before = path.read_bytes()
    os.utime(lab_cut / tiny.name("fall", tiny.SPEAKERS[0]))
    clip_list.main()
    assert path.read_bytes() == before
    clips = read_cut("speech_commands_tiny").set_index("path")
    assert dict(clips.part.value_counts()) == {"train": 36, "validation": 6, "test": 6, "noise": 1}
    index = open_store(read(lab_cut), progress=False).index
    assert clips.sound[index.index].equals(index.sound)
    assert list(clips.samples[index.index]) == list(index.length)


def test_what_a_list_cannot_name_is_refused(lab_cut):
    path = lab_cut / tiny.name("fall", tiny.SPEAKERS[0])
    soundfile.write(path, read_audio(path)[0], 8000)
    with pytest.raises(LabError, match="resampled.*16 kHz only"):
        clip_list.main()


# The publisher's corpus, as far as it is here


@pytest.fixture(scope="module")
def publisher(real_audio, tmp_path_factory):
    """A data folder with all real clips of v0.02 that are here, none of them filled up, some with a longer header."""
    data = tmp_path_factory.mktemp("data")
    whole = data / "speech_commands_v0.02"
    four, core, many = (real_audio / f"speech_commands_{name}" for name in ("4words", "core", "35words"))
    paths = {path: folder for folder in (many, core, four) for path in sounds(folder)}  # the last one counts
    for number, (path, folder) in enumerate(paths.items()):
        place = whole / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, place)
        if folder != four and place.read_bytes().endswith(b"\0\0"):  # the four words are here as published
            soundfile.write(place, np.trim_zeros(soundfile.read(place, dtype="int16")[0], "b"), SAMPLE_RATE)
        if number % 1000 == 0:
            longer_header(place)
    (whole / "happy" / "ffffffff_nohash_0.wav").write_bytes(b"a clip that no list names")
    (whole / "testing_list.txt").write_text("")
    return data


@pytest.mark.slow
@pytest.mark.parametrize("name", CUTS)
def test_the_cut_of_a_student_is_that_of_the_records(name, publisher, real_audio, own_folders):
    cut = download(name, publisher)
    same(cut, real_audio / name)
    assert read(cut).fingerprint == CUTS[name]
    assert sorted(path.name for path in publisher.glob(".*")) == [".downloads"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CUTS)
def test_the_list_is_what_the_tool_writes(name, real_audio, own_folders):
    assert lzma.decompress((LISTS / f"{name}.csv.xz").read_bytes()).decode() == clip_list.clip_list(real_audio / name)
