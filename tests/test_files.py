"""Files are written whole or not at all."""

import errno
import json
import signal
import sys
from types import SimpleNamespace

import pytest
from tiny import program

from labkit import files
from labkit.errors import LabError, choose

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# One file


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    files.write_text(path, "old")
    with files.atomic_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old" and temporary.parent == path.parent
        written = temporary.stat().st_ino
    assert path.stat().st_ino == written, "renamed, not copied"
    assert path.read_text() == "new" and names(path.parent) == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), files.atomic_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_on_windows_a_file_that_somebody_reads_is_replaced_a_moment_later(tmp_path, monkeypatch):
    refused, rename = [], files.os.replace

    def busy(source, target):
        if len(refused) < 2:
            refused.append(target)
            raise PermissionError(errno.EACCES, "Access is denied")
        rename(source, target)

    monkeypatch.setattr(files.os, "replace", busy)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    with pytest.raises(LabError, match="Access is denied"):  # elsewhere it is a folder that one may not write to
        files.write_text(tmp_path / "a.txt", "new")
    monkeypatch.setattr(files, "WINDOWS", True)
    files.write_text(tmp_path / "a.txt", "new")
    assert len(refused) == 2 and (tmp_path / "a.txt").read_text() == "new" and names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_said_with_the_file_and_the_next_step(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(LabError, match=r"a\.txt: No space left.*Free some disk space"), files.atomic_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LabError, match=r"file.*LABKIT_CACHE"):
        files.write_text(tmp_path / "file" / "a.txt", "text")
    with pytest.raises(LabError, match=r"file.*LABKIT_CACHE"), files.atomic_folder(tmp_path / "file" / "a"):
        pass


@POSIX
def test_others_may_read_what_was_written(tmp_path):
    files.write_text(tmp_path / "a.txt", "text")
    with files.atomic_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o755


KILLED = """
import os, signal, sys
from pathlib import Path
from labkit import files
with getattr(files, sys.argv[1])(Path(sys.argv[2])) as temporary:
    (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@POSIX
@pytest.mark.parametrize("function", ["atomic_file", "atomic_folder"])
def test_a_killed_process_leaves_no_half_of_it(tmp_path, function):
    path = tmp_path / "a"
    process = program(KILLED, function, path, wait=False)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert not path.exists() and all(name.startswith(".") for name in names(tmp_path))


# A folder


def test_a_folder_appears_in_one_step(tmp_path):
    path = tmp_path / "a" / "b"
    with files.atomic_folder(path) as temporary:
        (temporary / "one").write_text("1")
        assert not path.exists()
    assert names(path) == ["one"] and names(path.parent) == ["b"]


def test_a_folder_that_failed_is_gone(tmp_path):
    with pytest.raises(ValueError), files.atomic_folder(tmp_path / "a") as temporary:
        (temporary / "one").write_text("1")
        raise ValueError
    assert names(tmp_path) == []


def test_the_folder_of_a_quicker_kernel_stays(tmp_path):
    path = tmp_path / "a"
    with files.atomic_folder(path) as temporary:
        (temporary / "one").write_text("mine")
        path.mkdir()
        (path / "one").write_text("theirs")
    assert (path / "one").read_text() == "theirs" and names(tmp_path) == ["a"]


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "a").write_text("in the way")
    with pytest.raises(LabError, match="Could not write.*a: "), files.atomic_folder(tmp_path / "a"):
        pass


# JSON and hashes


def test_json_comes_back_as_it_went(tmp_path):
    value = {"ñandú": [1, 2.5, None, True], "b": {"c": "d"}}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    (tmp_path / "a.json").write_text(text, encoding="utf-8-sig")
    assert files.read_json(tmp_path / "a.json") == value, "an editor on Windows writes a byte-order mark"
    raw = (tmp_path / "a.json").read_bytes()
    assert "ñandú".encode() in raw and b"\r" not in raw and raw.endswith(b"}\n")


def test_json_is_compressed_where_its_name_says_so(tmp_path):
    path, value = tmp_path / "a.json.xz", {"ñandú": [1, 2.5] * 1000}
    files.write_json(path, value)
    assert files.read_json(path) == value and path.stat().st_size < 300
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LabError, match=r"a\.json\.xz is damaged .*Throw it away\.$"):
        files.read_json(path, "Throw it away.")
    with pytest.raises(LabError, match=r"b\.json\.xz does not exist"):
        files.read_json(tmp_path / "b.json.xz")


@pytest.mark.parametrize("content", [b'{"a": 1, "b', b"", b"\xff\xfe\x00"])
def test_half_a_json_file_is_named_with_the_mend(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(LabError, match=r"run\.json is not a complete JSON file.*Throw it away\.$"):
        files.read_json(tmp_path / "run.json", "Throw it away.")


def test_a_missing_json_file_is_named_with_the_mend(tmp_path):
    with pytest.raises(LabError, match=r"run\.json does not exist. Delete it and run again\.$"):
        files.read_json(tmp_path / "run.json")


def test_a_digest_is_of_the_value_not_of_its_writing():
    assert files.digest({"a": 1, "b": [2, "é"]}) == files.digest({"b": [2, "é"], "a": 1})
    assert files.digest({"a": 1}) != files.digest({"a": 2}) != files.digest({"a": "2"})
    assert files.digest([1]) == files.digest(json.dumps([1]).encode())
    # pinned: run ids and stores of earlier versions must be found again
    assert files.digest({"a": [1, "é"]}, 12) == "5db14a2cddc9"
    assert len(files.digest(b"", 7)) == 7


# Disk space


def usage(monkeypatch, free):
    seen = []

    def disk_usage(place):
        seen.append(place)
        return SimpleNamespace(free=free)

    monkeypatch.setattr(files.shutil, "disk_usage", disk_usage)
    return seen


def test_a_disk_too_full_is_said_before_anything_is_written(tmp_path, monkeypatch):
    seen = usage(monkeypatch, 10**9)
    with pytest.raises(
        LabError, match=r"The store needs 0\.95 GB in .*not.yet, but only 1\.00 GB are free.*LABKIT_CACHE"
    ):
        files.need_disk(tmp_path / "not" / "yet", 0.95e9, "The store")
    assert seen == [tmp_path] and names(tmp_path) == []


def test_a_tenth_more_than_needed_suffices(tmp_path, monkeypatch):
    usage(monkeypatch, 10**9)
    files.need_disk(tmp_path, 0.9e9, "The store")


# Places and names


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    assert files.cache() == tmp_path
    monkeypatch.setenv("LABKIT_CACHE", "")
    assert files.cache() == files.home() / "data" / ".cache"
    assert (files.home() / "notebooks").is_dir()


def test_a_name_misspelt_gets_the_nearest_and_all_others():
    with pytest.raises(LabError, match="no model called 'lstn'. Did you mean 'lstm'. Choose one of: gru, lstm, rnn."):
        choose("lstn", {"gru": 1, "lstm": 2, "rnn": 3}, "model")
    with pytest.raises(LabError, match="called 7. Choose one of: gru"):
        choose(7, {"gru": 1}, "model")
