"""Synthetic speech: the same bytes each time, voices in one part only, and no half-made corpus."""

import dataclasses
import json
import os
import subprocess
import sys
import wave

import numpy as np
import pytest
import tiny

from labkit.data import speech_commands
from labkit.errors import LabError
from labkit.synthetic import espeak
from labkit.synthetic import words as synthetic
from labkit.synthetic.acoustics import NOISES, Conditions, noise, stream
from labkit.synthetic.generate import make
from tools.kill import GENERATE, fingerprint, start, survive_kills

TINY = synthetic.SyntheticSize(speakers=4, words=("yes", "seven"), clips_per_word=(1, 2), noise_seconds=1.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "synthetic_speech_commands"
    return make(folder, TINY, workers=2, progress=False)


def read(path):
    with wave.open(str(path)) as file:
        return file.getparams(), np.frombuffer(file.readframes(-1), "<i2")


def clips(folder):
    return sorted(folder.glob("*/*_nohash_*.wav"))


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(corpus, tmp_path):
    again = make(tmp_path / "again", TINY, workers=1, progress=False)
    assert fingerprint(again) == fingerprint(corpus)


@pytest.mark.slow
def test_the_order_of_speakers_changes_nothing(corpus, tmp_path, monkeypatch):
    people = synthetic.speakers
    monkeypatch.setattr(synthetic, "speakers", lambda *given: people(*given)[::-1])
    other = make(tmp_path / "reversed", TINY, workers=1, progress=False)
    assert fingerprint(other) == fingerprint(corpus)


@pytest.mark.slow
def test_another_seed_gives_other_bytes(corpus, tmp_path):
    size = dataclasses.replace(TINY, conditions=Conditions(seed=1))
    other = make(tmp_path / "other", size, progress=False)
    assert not {path.name for path in clips(other)} & {path.name for path in clips(corpus)}


@pytest.mark.parametrize("count", [3, synthetic.SIZES["lab"].speakers, synthetic.SIZES["full"].speakers])
def test_no_voice_variant_and_no_name_is_in_two_parts(count):
    people = synthetic.speakers(count)
    assert len({person.name for person in people}) == count
    voices = {}
    for person in people:
        voices.setdefault(person.part, set()).add(person.voice.variant)
    assert set(voices) == {"training", "validation", "testing"}
    assert not voices["training"] & voices["validation"]
    assert not (voices["training"] | voices["validation"]) & voices["testing"]


def test_variants_whose_files_share_half_of_their_lines_are_in_one_part():
    home = espeak.load()[1] / "espeak-ng-data" / "voices" / "!v"
    held = {name: part for part, names in synthetic.HELD_OUT.items() for name in names}
    lines = {}
    for name in espeak.variants():
        if name not in espeak.LEFT_OUT:
            text = (home / name).read_text(encoding="utf-8", errors="replace").split("\n")
            said = (" ".join(line.split("//")[0].split()) for line in text)
            lines[name] = {line for line in said if line and not line.startswith(("name", "language", "gender", "#"))}
    for one in held:
        for other in lines:
            if held[one] != held.get(other, "training"):
                shared = len(lines[one] & lines[other]) / len(lines[one] | lines[other])
                assert shared < 0.5, f"{one} and {other} are relatives but speak in different parts"


def test_there_are_more_than_ninety_speakers_and_voices_at_lab_scale():
    people = synthetic.speakers(synthetic.SIZES["lab"].speakers)
    assert len({person.voice.variant for person in people}) >= 90
    assert {person.voice.language for person in people} == set(espeak.ENGLISH)
    assert len(synthetic.WORDS) == 35


def test_clips_have_the_format_and_names_of_speech_commands(corpus):
    assert {path.name for path in corpus.iterdir() if path.is_dir()} == {"yes", "seven", "_background_noise_"}
    names = {person.name for person in synthetic.speakers(TINY.speakers)}
    for path in clips(corpus):
        speaker, _, number = path.stem.split("_")
        assert speaker in names and number in "01"
        params, samples = read(path)
        assert (params.nchannels, params.sampwidth, params.framerate) == (1, 2, 16_000)
        assert 0.5 * 16_000 < len(samples) <= 16_000
        assert np.abs(samples).max() > 100
    assert len(list((corpus / "_background_noise_").glob("*.wav"))) == len(NOISES)


def test_the_lists_name_clips_that_exist_and_share_no_speaker(corpus):
    everybody = [f"{path.parent.name}/{path.name}" for path in clips(corpus)]
    validation, testing = (
        (corpus / f"{part}_list.txt").read_text(encoding="utf-8").split() for part in ("validation", "testing")
    )
    assert validation and testing and set(validation) | set(testing) < set(everybody)
    who = {path: path.split("/")[1].split("_")[0] for path in everybody}
    held = {who[path] for path in validation}, {who[path] for path in testing}
    assert not held[0] & held[1]
    assert {path for path in everybody if who[path] in held[0]} == set(validation)
    assert {path for path in everybody if who[path] in held[1]} == set(testing)


def test_the_loader_of_the_real_corpus_reads_it_and_sees_that_it_is_synthetic(corpus):
    loaded = speech_commands.load(corpus)
    assert loaded.synthetic and len(loaded) == len(clips(corpus)) and not loaded.skipped
    assert set(loaded.clips.split) == {"train", "validation", "test"}
    assert len(loaded.noises) == len(NOISES)


def test_the_marker_says_who_speaks_and_with_which_settings(corpus):
    text = (corpus / "SYNTHETIC.txt").read_text(encoding="utf-8")
    assert "made by a program" in text and "espeak-ng: 1." in text
    settings = json.loads(text.splitlines()[-1])
    assert settings["speakers"] == 4 and settings["conditions"]["snr"] == list(Conditions().snr)


def test_a_corpus_that_is_there_is_left_alone(corpus, monkeypatch):
    before = (corpus / "SYNTHETIC.txt").stat().st_mtime_ns
    monkeypatch.setattr(espeak, "fresh", lambda *given, **named: pytest.fail("it speaks again"))
    assert make(corpus, TINY, progress=False) == corpus
    assert (corpus / "SYNTHETIC.txt").stat().st_mtime_ns == before


def test_other_settings_in_the_same_folder_are_an_error_that_says_what_to_delete(corpus):
    with pytest.raises(LabError, match="other settings.*delete it"):
        make(corpus, dataclasses.replace(TINY, speakers=5), progress=False)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_something_else_in_place_of_the_corpus_is_never_replaced(tmp_path, kind):
    place = tmp_path / "taken"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine.wav").write_bytes(b"mine")
    with pytest.raises(LabError, match=f"{place} should hold synthetic speech, but is something else,.* Move it away"):
        make(place, TINY, progress=False)
    assert place.exists()


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(LabError, match="Could not write .*choose a folder you may write to"):
        make(tmp_path / "data" / "synthetic", TINY, progress=False)


def test_a_read_only_data_folder_is_named(tmp_path, monkeypatch):
    def refuse(*given, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)  # the first thing written is the lock
    with pytest.raises(LabError, match="Could not write .*Permission denied"):
        make(tmp_path / "synthetic", TINY, progress=False)


def test_too_small_a_disk_is_noticed_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1000})())
    with pytest.raises(LabError, match="needs .* GB"):
        make(tmp_path / "synthetic", TINY, progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files to run into")
def test_a_write_that_fails_in_a_speakers_process_is_told_and_leaves_nothing(tmp_path):
    size = dataclasses.asdict(dataclasses.replace(TINY, noise_seconds=0.1))
    del size["conditions"]
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (15000, 15000))\n" + GENERATE
    command = [sys.executable, "-c", limited, str(tmp_path / "synthetic"), json.dumps(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "LabError: Could not write" in done.stderr and "File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_no_espeak_package_is_an_error_that_says_what_still_works(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(LabError, match="(?s)pip install espeakng-loader.*labkit download speech_commands"):
        make(tmp_path / "synthetic", TINY, progress=False)
    with pytest.raises(LabError, match="Everything else works with real recordings"):
        espeak.say("yes")


def test_a_library_that_cannot_be_loaded_is_the_same_error(tmp_path, monkeypatch):
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: str(broken))
    with pytest.raises(LabError, match="cannot be used here"):
        make(tmp_path / "synthetic", TINY, progress=False)
    assert not (tmp_path / "synthetic").exists()


def test_say_gives_sound_and_the_same_sound_again():
    samples, sample_rate, _ = espeak.say("seven", variant="f2")
    assert sample_rate == 22_050 and samples.dtype == np.float32 and samples.ndim == 1
    assert 0.2 < len(samples) / sample_rate < 1.5 and 0.05 < np.abs(samples).max() <= 1
    assert np.array_equal(samples, espeak.say("seven", variant="f2")[0])
    assert len(espeak.say("seven", rate=300)[0]) < len(samples)


def test_several_texts_are_said_in_one_go_the_first_as_alone():
    (one, rate, times), (other, *_) = espeak.say_all(["seven", "two"], "en-us", "f2")
    alone = espeak.say("seven", variant="f2")
    assert np.array_equal(one, alone[0]) and (rate, times) == alone[1:] and 0 < len(other) < len(one)


def test_say_takes_phonemes_other_languages_and_british_english():
    hello = espeak.say("[[h@l'oU]]")[0]
    assert 0.2 < len(hello) / 22_050 < 1.0
    assert not np.array_equal(hello, espeak.say("h@l'oU")[0])
    assert len(espeak.say("siete", voice="es")[0]) and len(espeak.say("seven", voice="en-gb")[0])


@pytest.mark.parametrize("wrong", [{"variant": "nobody"}, {"voice": "xx-nowhere"}])
def test_a_voice_that_does_not_exist_is_named(wrong):
    with pytest.raises(LabError, match="nobody|xx-nowhere"):
        espeak.say("yes", **wrong)


@pytest.mark.parametrize("kind", NOISES)
def test_noise_is_as_loud_as_it_says_and_depends_on_its_key_only(kind):
    sound = noise(kind, 16_000, 16_000, stream("test", kind))
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(1)
    assert np.array_equal(sound, noise(kind, 16_000, 16_000, stream("test", kind)))
    assert not np.array_equal(sound, noise(kind, 16_000, 16_000, stream("test", kind, 1)))


def test_the_process_of_a_speaker_imports_neither_pandas_nor_torch():
    heavy = ("pandas", "torch", "scipy", "pydantic", "tqdm")
    source = f"import sys, soxr, labkit.synthetic.generate\nprint(*(name for name in {heavy} if name in sys.modules))"
    assert tiny.program(source).strip() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands in for Python, which Windows cannot start")
def test_a_speaker_whose_process_dies_is_an_error_that_says_so(tmp_path, monkeypatch):
    dying = tmp_path / "python"
    dying.write_text('#!/bin/sh\necho "out of memory" >&2\nkill -9 $$\n')
    dying.chmod(0o755)
    monkeypatch.setattr(espeak.sys, "executable", str(dying))
    with pytest.raises(LabError, match="ended early .status -9: out of memory.*Run it again"):
        make(tmp_path / "synthetic", TINY, progress=False)
    assert [path.name for path in tmp_path.iterdir() if "synthetic" in path.name] == [".synthetic.lock"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no SIGKILL")
@pytest.mark.weekly  # one is killed at one moment in test_synthetic_accents.py
def test_a_generation_killed_at_any_moment_leaves_nothing_that_looks_finished(tmp_path):
    survive_kills(tmp_path, times=6, seed=3)


@pytest.mark.slow
def test_two_generations_at_once_give_one_corpus(tmp_path):
    both = [start(tmp_path / "corpus"), start(tmp_path / "corpus")]
    assert [process.wait() for process in both] == [0, 0]
    assert start(tmp_path / "alone").wait() == 0
    assert fingerprint(tmp_path / "corpus") == fingerprint(tmp_path / "alone")
    assert not list(tmp_path.glob(".*.partial"))
