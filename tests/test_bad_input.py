"""The whole way with everything wrong at once: named with the next step, or left out and counted aloud; nothing lost.

What single modules do with bad input is tested beside them; here it meets the notebook's first cells and the command
line.
"""

import io
import json
import os
import pickle
import re
import stat
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile
import tiny
import torch
from tiny import RATE, SPEAKERS, TEST, quietly

from labkit.cli import main
from labkit.data import speech_commands
from labkit.errors import LabError, LabWarning
from labkit.experiments.run import train
from labkit.lab import start

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("as_before")
QUICK = tiny.quick()
CLIP = tiny.tone("fall", SPEAKERS[0]).astype(np.float32)


def encoded(samples, sample_rate=RATE, **format):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, **{"format": "WAV"} | format)
    return buffer.getvalue()


# What each file holds, and which words tell it; the number counts what is left out. All are called as clips should be.
UNUSABLE = {
    "empty": (b"", "empty file"),
    "a header and nothing else": (encoded(CLIP[:0]), "no samples"),
    "truncated": (encoded(CLIP)[:5000], r"truncated: promises 0\.50 s, holds 0\.1[0-9] s"),
    "a text": (b"This is no sound.", "not audio"),
    "a web page": (b"<!DOCTYPE html><html>404 not found</html>" * 50, "not audio"),
    "zeros": (bytes(3000), "not audio"),
    "half a header": (encoded(CLIP)[:20], "not audio|no samples|truncated"),
}
USABLE = {
    "stereo": (encoded(np.stack([CLIP, CLIP], 1)), "mixed to one channel"),
    "another rate": (encoded(CLIP, 8_000), "resampled"),
    "8-bit": (encoded(CLIP, subtype="PCM_U8"), None),
    "24-bit": (encoded(CLIP, subtype="PCM_24"), None),
    "float": (encoded(CLIP, subtype="FLOAT"), None),
    "silent": (encoded(0 * CLIP), "silent, and kept"),
    "too loud": (encoded(9 * CLIP, subtype="FLOAT"), "clipped at full scale"),
    "really FLAC": (encoded(CLIP, format="FLAC"), None),
    "of one sample": (encoded(CLIP[:1] + 0.5), None),
    "of ten seconds": (encoded(np.tile(CLIP, 20)), None),
}
UNDECODABLE = {
    "not numbers": encoded(np.full_like(CLIP, np.nan), subtype="FLOAT"),
    "half a FLAC file": encoded(CLIP, format="FLAC")[:4000],
}


def put(folder, number, content):
    """One more clip, of a training speaker."""
    path = folder / "fall" / f"{SPEAKERS[0]}_nohash_{number}.wav"
    path.write_bytes(content)
    return path.relative_to(folder).as_posix()


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_file_that_is_no_clip_is_left_out_and_counted_with_its_name(kind, folder):
    content, words = UNUSABLE[kind]
    path = put(folder, 10, content)
    corpus = speech_commands.load(folder)
    assert len(corpus) == 72 and len(corpus.skipped) == 1
    assert re.fullmatch(rf"tiny: 1 files left out \(.*\), the first: {path} \(({words}).*\)\.", corpus.skipped[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", USABLE)
def test_a_clip_that_differs_is_used(kind, folder):
    content, words = USABLE[kind]
    path = put(folder, 10, content)
    corpus = speech_commands.load(folder)
    assert len(corpus) == 73 and corpus.skipped == ()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = train(QUICK, corpus, folder.parent / "results")
    assert run.record["clips"]["train"] == 37
    assert [str(warning.message) for warning in said] == (
        [f"tiny: 1 clips {words} (the first: {path})."] if words else []
    )


def test_all_at_once(folder, capsys):
    """The first two cells of a notebook over a folder with every fault there is."""
    number, left_out, used = 10, 0, 0
    for content, _ in UNUSABLE.values():
        put(folder, number := number + 1, content)
        left_out += 1
    for content, _ in USABLE.values():
        put(folder, number := number + 1, content)
        used += 1
    for content in UNDECODABLE.values():
        put(folder, number := number + 1, content)
    for name in ("Ana.wav", "fall_1.wav", "copy of x_nohash_1.wav"):
        (folder / "fall" / name).write_bytes(encoded(CLIP))
    (folder / "fall" / "Thumbs.db").write_bytes(b"x")
    (folder / ".DS_Store").write_bytes(b"x")
    with open(folder / "testing_list.txt", "a") as file:
        file.write("fall/00000000_nohash_0.wav\n")
    lab = start("x", data=folder, device="cpu")
    said = capsys.readouterr().out
    counts = [int(count) for count in re.findall(r"note: tiny: (\d+) files left out", said)]
    assert sum(counts) == left_out + 3 and "testing_list.txt names 1 files that are not here" in said
    assert len(lab.data) == 72 + used + len(UNDECODABLE)
    with pytest.warns(LabWarning) as warned:
        run = lab.train(QUICK)
    aloud = " ".join(str(warning.message) for warning in warned)
    for words in [words for _, words in USABLE.values() if words]:
        assert f"tiny: 1 clips {words} (the first: fall/" in aloud
    assert f"{len(UNDECODABLE)} clips could not be read and are left out" in aloud
    assert run.record["clips"] == {"train": 36 + used, "validation": 18, "test": 18}
    assert run.test()["clips"] == 18 and np.isfinite(run.history.train_loss).all()
    for note in run.record["skipped"]:
        assert str(folder.parent) not in note, "records say nothing of where things lie"


def test_a_corpus_where_nothing_can_be_read_says_so(folder):
    for path in folder.glob("*/*_nohash_*.wav"):
        path.write_bytes(b"")
    with pytest.raises(
        LabError, match=r"tiny holds no clips.*tiny: 72 files left out \(empty file\).*Run `python -m labkit download"
    ):
        speech_commands.load(folder)


@pytest.mark.parametrize("name", ["testing_list.txt", "validation_list.txt"])
def test_a_missing_list_is_named(name, folder):
    (folder / name).unlink()
    with pytest.raises(LabError, match=rf"{name} cannot be read .*which speakers.*Copy the list"):
        speech_commands.load(folder)


def test_a_list_that_is_no_text_is_named(folder):
    (folder / "testing_list.txt").write_bytes(b"\xff\xfef\x00a\x00l\x00l\x00")
    with pytest.raises(LabError, match=r"testing_list\.txt cannot be read as text in UTF-8.*Copy the list"):
        speech_commands.load(folder)


def test_a_list_of_absent_files_alone_leaves_a_part_empty_which_is_named(folder, tmp_path):
    (folder / "testing_list.txt").write_text("fall/00000000_nohash_0.wav\n")
    corpus = speech_commands.load(folder)
    assert "names 1 files that are not here" in corpus.skipped[0]
    with pytest.raises(LabError, match="gives .*'test': 0.*every part needs clips"):
        train(QUICK, corpus, tmp_path / "results")


def test_a_list_with_half_of_a_speakers_clips_is_noticed(folder, tmp_path):
    lines = (folder / "testing_list.txt").read_text().splitlines()
    (folder / "testing_list.txt").write_text("\n".join(lines[1:]))
    with pytest.raises(LabError, match=f"1 speakers of tiny are in more than one part, {lines[0][5:13]} for one"):
        train(QUICK, speech_commands.load(folder), tmp_path / "results")


@pytest.mark.skipif(sys.platform == "win32", reason="rights are POSIX")
def test_a_read_only_corpus_is_read(folder, tmp_path):
    for path in [folder, *folder.rglob("*")]:
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    try:
        before = sorted(folder.rglob("*"))
        run = train(QUICK, speech_commands.load(folder), tmp_path / "results")
        assert run.test()["clips"] == 18 and sorted(folder.rglob("*")) == before
    finally:
        for path in [folder, *folder.rglob("*")]:
            os.chmod(path, stat.S_IRWXU)


def test_a_folder_where_a_clip_should_be_is_left_out(folder):
    (folder / "fall" / f"{SPEAKERS[0]}_nohash_9.wav").mkdir()
    assert len(speech_commands.load(folder)) == 72


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_to_nowhere_is_left_out_and_counted(folder):
    (folder / "fall" / f"{SPEAKERS[0]}_nohash_9.wav").symlink_to(folder / "gone.wav")
    assert "missing file" in speech_commands.load(folder).skipped[0]


# The command line: one message, no stack, a code that is not zero


def said(*words):
    """What the command prints in a process of its own: (exit code, text)."""
    command = [sys.executable, "-m", "labkit", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tiny.Path(__file__).parents[1])
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"base": QUICK.to_dict(), "seeds": [0]}))
    return path


@pytest.mark.slow
def test_the_command_line_shows_no_stack(settings, tmp_path):
    code, text = said("sweep", settings, "--data", tmp_path / "missing", "--results", tmp_path / "results")
    assert code != 0 and "Traceback" not in text and "missing is not a folder" in text and "labkit check" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"name": "grub"}}, "no model called 'grub'. Did you mean 'gru'"),
        ({"feature": {"name": "mfc"}}, "no feature called 'mfc'. Did you mean 'mfcc'"),
        ({"corpus": {"labels": ["fall", "riise"]}}, "no label of tiny called 'riise'. Did you mean 'rise'"),
    ],
)
def test_names_misspelt_are_told_on_the_command_line(change, message, settings, made, tmp_path, capsys):
    settings.write_text(json.dumps({"base": QUICK.to_dict() | change, "seeds": [0]}))
    code = quietly(main, ["sweep", str(settings), "--data", str(made), "--results", str(tmp_path), "--device", "cpu"])
    shown = capsys.readouterr()
    assert code != 0 and re.search(message, shown.out + shown.err) and "Traceback" not in shown.out + shown.err


def test_half_a_record_and_a_pickle_for_a_checkpoint_lose_nothing(settings, made, tmp_path, capsys):
    arguments = ["sweep", str(settings), "--data", str(made), "--results", str(tmp_path / "results"), "--device", "cpu"]
    assert main(arguments) == 0
    (record,) = (tmp_path / "results").rglob("run.json")
    validation = json.loads(record.read_text())["validation"]
    record.write_text(record.read_text()[:100])
    assert main(arguments) != 0 and f"Delete {record} and run again" in "".join(capsys.readouterr())
    record.unlink()
    checkpoint = record.with_name("checkpoint.safetensors")
    torch.save({"network": os.system}, checkpoint)
    assert main(arguments) != 0
    assert f"{checkpoint} is not a whole safetensors file" in "".join(capsys.readouterr())
    with pytest.raises(pickle.UnpicklingError):
        torch.load(io.BytesIO(checkpoint.read_bytes()), weights_only=True)  # it was one (torch goes by the name, too)
    checkpoint.unlink()
    assert main(arguments) == 0 and json.loads(record.read_text())["validation"] == validation
    assert json.loads(record.with_name("test.json").read_text())["clips"] == 6 * len(TEST)
