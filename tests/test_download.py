"""Downloads, against a server on this machine that can do everything servers do wrong."""

import hashlib
import io
import json
import random
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from labkit.data import download as module
from labkit.data.archives import BadArchive
from labkit.data.download import DOWNLOADS, Download, download, present
from labkit.data.fetch import Network, NetworkError, fetch
from labkit.errors import LabError

IMPATIENT = Network(timeout=0.3, attempts=1, pause=0)
PATIENT = Network(timeout=5, attempts=2, pause=0)
CLIPS = {f"yes/{number:02}_nohash_0.wav": random.Random(number).randbytes(20_000) for number in range(15)}
LAYOUT = {"testing_list.txt": b"yes/00_nohash_0.wav\n", **CLIPS}


def tar_of(files, top=""):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def zip_of(files, top=""):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(top + name, data)
    return packed.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `body` at any address; its attributes say how badly."""

    daemon_threads = True
    body = b""
    etag = '"first"'
    modified = None
    ranges = True
    length = True  # announce the length
    lie = None  # a header to send in place of the right one
    status = 200
    cuts = ()  # for each request in turn: bytes after which the connection is cut
    stall = None  # bytes after which nothing more comes

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.sent, self.released = [], [], threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/corpus.tar.gz"

    def handle_error(self, request, client_address):
        pass  # clients that go away are part of these tests


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.seen.append(dict(self.headers))
        self.close_connection = True
        if self.path == "/moved":
            return self.answer(302, {"Location": server.url, "Content-Length": "0"})
        if self.path == "/circle":
            return self.answer(302, {"Location": "/circle", "Content-Length": "0"})
        if server.status != 200:
            return self.answer(server.status, {"Content-Length": "0"})
        start, headers = 0, {}
        asked = self.headers.get("Range")
        same = self.headers.get("If-Range") in (None, server.etag, server.modified)
        if asked and server.ranges and same:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.body):
                return self.answer(416, {"Content-Range": f"bytes */{len(server.body)}", "Content-Length": "0"})
            headers["Content-Range"] = f"bytes {start}-{len(server.body) - 1}/{len(server.body)}"
        if server.etag:
            headers["ETag"] = server.etag
        if server.modified:
            headers["Last-Modified"] = server.modified
        if server.length:
            headers["Content-Length"] = str(len(server.body) - start)
        self.answer(206 if "Content-Range" in headers else 200, headers | (server.lie or {}))
        number = len(server.sent)
        end = start + server.cuts[number] if number < len(server.cuts) else len(server.body)
        if server.stall is not None:
            end = start + server.stall
        part = server.body[start:end]
        server.sent.append(len(part))
        self.wfile.write(part)
        self.wfile.flush()
        if server.stall is not None:
            server.released.wait(10)

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in (headers | {"Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("LABKIT_BARS", "off")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.released.set()
        serving.shutdown()
        thread.join()


@pytest.fixture
def corpus(server, monkeypatch):
    """A small corpus in the registry, called "tiny", which the server has as .tar.gz."""
    server.body = tar_of(LAYOUT)
    entry = Download(
        title="Tiny",
        page="https://example.org/tiny",
        licence="MIT",
        folder="tiny_v1",
        proof="testing_list.txt",
        url=server.url,
        size=len(server.body),
        unpacked=sum(map(len, LAYOUT.values())),
        files=len(LAYOUT),
        sha256=hashlib.sha256(server.body).hexdigest(),
    )

    def register(**changes):
        monkeypatch.setitem(DOWNLOADS, "tiny", replace(entry, **changes))
        return DOWNLOADS["tiny"]

    register()
    return register


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def leftovers(data):
    """What a download leaves in its own folder, locks aside."""
    return sorted(path.name for path in (data / ".downloads").iterdir() if path.suffix != ".lock")


# One file


def test_a_file_arrives_whole(server, tmp_path):
    server.body = random.Random(1).randbytes(1_000_000)
    assert fetch(server.url, tmp_path / "a.partial", most=2_000_000, network=IMPATIENT) == 1_000_000
    assert (tmp_path / "a.partial").read_bytes() == server.body
    assert fetch(server.url, tmp_path / "a.partial", most=2_000_000, network=IMPATIENT) == 1_000_000
    assert len(server.seen) == 1  # the second call saw that nothing is missing


@pytest.mark.parametrize("cut", [0, *random.Random(3).sample(range(1, 300_000), 9)])
def test_a_cut_download_goes_on_where_it_stopped(cut, server, tmp_path):
    server.body = random.Random(1).randbytes(300_000)
    server.cuts = [cut]
    partial = tmp_path / "a.partial"
    with pytest.raises(NetworkError, match="cut.*are here and stay"):
        fetch(server.url, partial, most=400_000, network=IMPATIENT)
    assert partial.read_bytes() == server.body[:cut]
    fetch(server.url, partial, most=400_000, network=IMPATIENT)
    assert partial.read_bytes() == server.body
    assert server.sent == [cut, 300_000 - cut]  # no byte came twice
    if cut:
        assert server.seen[1]["Range"] == f"bytes={cut}-" and server.seen[1]["If-Range"] == '"first"'


def test_ten_cuts_in_one_call_are_survived_as_long_as_each_attempt_brings_something(server, tmp_path, capsys):
    server.body = random.Random(1).randbytes(300_000)
    server.cuts = [random.Random(4).randint(1, 25_000) for _ in range(10)]
    fetch(server.url, tmp_path / "a.partial", most=400_000, network=PATIENT)
    assert (tmp_path / "a.partial").read_bytes() == server.body
    assert len(server.sent) == 11 and sum(server.sent) == 300_000
    assert capsys.readouterr().out.count("Trying again") == 10


def test_attempts_that_bring_nothing_are_counted(server, tmp_path):
    server.body, server.cuts = b"x" * 1000, [10] + [0] * 50
    with pytest.raises(NetworkError, match="cut"):
        fetch(server.url, tmp_path / "a.partial", most=2000, network=Network(timeout=5, attempts=3, pause=0))
    assert len(server.sent) == 3  # the first brought ten bytes, then two brought none


def test_a_server_without_ranges_starts_again_and_is_not_asked_for_ever(server, tmp_path, capsys):
    server.body, server.ranges, server.cuts = random.Random(1).randbytes(100_000), False, [40_000]
    fetch(server.url, tmp_path / "a.partial", most=200_000, network=PATIENT)
    assert (tmp_path / "a.partial").read_bytes() == server.body and server.sent == [40_000, 100_000]
    assert "from its beginning" in capsys.readouterr().out
    server.cuts = [0, 0] + [50_000, 60_000, 70_000, 80_000, 90_000]
    with pytest.raises(NetworkError):
        fetch(server.url, tmp_path / "b.partial", most=200_000, network=PATIENT)
    assert len(server.sent) == 4  # starting from zero each time is no progress


@pytest.mark.parametrize("kind", ["etag", "modified", "neither"])
def test_a_file_that_changed_between_two_attempts_is_never_mixed(kind, server, tmp_path):
    first, second = random.Random(1).randbytes(100_000), random.Random(2).randbytes(120_000)
    server.etag = {"etag": '"one"', "modified": 'W/"weak"'}.get(kind)
    server.modified = "Mon, 01 Jan 2024 00:00:00 GMT" if kind == "modified" else None
    server.body, server.cuts = first, [50_000]
    with pytest.raises(NetworkError):
        fetch(server.url, tmp_path / "a.partial", most=200_000, network=IMPATIENT)
    server.etag = {"etag": '"two"', "modified": 'W/"other"'}.get(kind)
    server.modified = "Tue, 02 Jan 2024 00:00:00 GMT" if kind == "modified" else None
    server.body = second
    fetch(server.url, tmp_path / "a.partial", most=200_000, network=PATIENT)
    assert (tmp_path / "a.partial").read_bytes() == second
    asked = {"etag": '"one"', "modified": "Mon, 01 Jan 2024 00:00:00 GMT", "neither": None}
    assert server.seen[1].get("If-Range") == asked[kind]  # never a weak ETag


@pytest.mark.parametrize(
    "lie",
    [
        {"Content-Range": "bytes 0-99999/100000"},  # another place than asked for
        {"Content-Range": "nonsense"},
        {"ETag": '"other"'},  # ignores If-Range
    ],
)
def test_a_partial_answer_that_does_not_fit_is_not_appended(lie, server, tmp_path):
    server.body, server.cuts = random.Random(1).randbytes(100_000), [50_000]
    with pytest.raises(NetworkError):
        fetch(server.url, tmp_path / "a.partial", most=200_000, network=IMPATIENT)
    server.lie = lie
    with pytest.raises(NetworkError, match="another version"):
        fetch(server.url, tmp_path / "a.partial", most=200_000, network=IMPATIENT)
    server.lie = None
    fetch(server.url, tmp_path / "a.partial", most=200_000, network=IMPATIENT)
    assert (tmp_path / "a.partial").read_bytes() == server.body


def test_a_file_that_shrank_is_fetched_anew(server, tmp_path):
    server.body, server.etag, server.cuts = b"x" * 1000, None, [500]
    with pytest.raises(NetworkError):
        fetch(server.url, tmp_path / "a.partial", most=2000, network=IMPATIENT)
    server.body = b"y" * 300  # answers 416 to a range that begins at 500
    fetch(server.url, tmp_path / "a.partial", most=2000, network=PATIENT)
    assert (tmp_path / "a.partial").read_bytes() == server.body


def test_bytes_of_one_address_are_not_used_for_another(server, tmp_path):
    server.body, server.cuts = b"x" * 1000, [500]
    with pytest.raises(NetworkError):
        fetch(server.url, tmp_path / "a.partial", most=2000, network=IMPATIENT)
    server.body = b"y" * 1000
    fetch(server.url + "?new", tmp_path / "a.partial", most=2000, network=IMPATIENT)
    assert (tmp_path / "a.partial").read_bytes() == server.body and "Range" not in server.seen[1]


def test_a_redirect_is_followed_and_a_circle_is_named(server, tmp_path):
    server.body = b"x" * 1000
    there = server.url.replace("/corpus.tar.gz", "/moved")
    assert fetch(there, tmp_path / "a.partial", most=2000, network=IMPATIENT) == 1000
    with pytest.raises(NetworkError, match="circle"):
        fetch(there.replace("moved", "circle"), tmp_path / "b.partial", most=2000, network=IMPATIENT)


def test_a_redirected_download_resumes_too(server, tmp_path):
    server.body, server.cuts = random.Random(1).randbytes(50_000), [20_000]
    fetch(server.url.replace("/corpus.tar.gz", "/moved"), tmp_path / "a.partial", most=60_000, network=PATIENT)
    assert (tmp_path / "a.partial").read_bytes() == server.body and server.sent == [20_000, 30_000]


def test_a_stalled_server_is_left_and_what_came_is_kept(server, tmp_path):
    server.body, server.stall = random.Random(1).randbytes(100_000), 60_000
    with pytest.raises(NetworkError, match="sent nothing for 0.3 s; 0.0 MB are here"):
        fetch(server.url, tmp_path / "a.partial", most=200_000, network=IMPATIENT)
    had, server.stall = (tmp_path / "a.partial").stat().st_size, None
    assert 0 < had <= 60_000
    assert fetch(server.url, tmp_path / "a.partial", most=200_000, network=PATIENT) == 100_000
    assert server.sent[-1] == 100_000 - had and (tmp_path / "a.partial").read_bytes() == server.body


@pytest.mark.parametrize("status, attempts", [(404, 1), (403, 1), (503, 2), (429, 2)])
def test_a_refusal_is_final_and_a_busy_server_is_asked_again(status, attempts, server, tmp_path):
    server.status = status
    with pytest.raises(NetworkError, match=str(status)):
        fetch(server.url, tmp_path / "a.partial", most=2000, network=PATIENT)
    assert len(server.seen) == attempts


def test_a_rest_that_is_cut_is_noticed_although_the_beginning_had_no_length(server, tmp_path):
    server.body, server.length, server.stall = random.Random(1).randbytes(200_000), False, 100_000
    with pytest.raises(NetworkError, match="nothing for"):
        fetch(server.url, tmp_path / "a.partial", most=10**6, network=IMPATIENT)
    server.stall, server.cuts = None, [0, 30_000]
    with pytest.raises(NetworkError, match="cut"):
        fetch(server.url, tmp_path / "a.partial", most=10**6, network=IMPATIENT)
    fetch(server.url, tmp_path / "a.partial", most=10**6, network=IMPATIENT)
    assert (tmp_path / "a.partial").read_bytes() == server.body


def test_an_answer_without_a_length_or_much_too_long_is_bounded(server, tmp_path):
    server.body, server.length = b"x" * 900_000, False
    assert fetch(server.url, tmp_path / "a.partial", most=1_000_000, network=IMPATIENT) == 900_000
    with pytest.raises(NetworkError, match="more than"):
        fetch(server.url, tmp_path / "b.partial", most=100_000, network=IMPATIENT)
    assert (tmp_path / "b.partial").stat().st_size == 0


def test_nobody_listening_is_told_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody else can answer there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/corpus.tar.gz"
        with pytest.raises(NetworkError, match="no connection"):
            fetch(url, tmp_path / "a.partial", most=1000, network=IMPATIENT)


# A corpus


def test_a_corpus_is_fetched_checked_and_unpacked(corpus, server, tmp_path):
    assert not present("tiny", tmp_path)
    folder = download("tiny", tmp_path, network=PATIENT)
    assert folder == tmp_path / "tiny_v1" and contents(folder) == LAYOUT and present("tiny", tmp_path)
    assert leftovers(tmp_path) == []
    download("tiny", tmp_path, network=PATIENT)
    assert len(server.seen) == 1  # what is there is not fetched again


def test_a_zip_of_a_repository_loses_its_top_folder(corpus, server, tmp_path):
    server.body = zip_of(LAYOUT | {"code/train.py": b"print()"}, top="repository-1.0/")
    corpus(url=server.url.replace(".tar.gz", ".zip"), sha256=None, strip=1, only=("yes/", "testing_list.txt"))
    assert contents(download("tiny", tmp_path, keep_archive=True, network=PATIENT)) == LAYOUT
    assert leftovers(tmp_path) == ["tiny_v1.zip"]


def test_an_interrupted_corpus_download_goes_on_in_the_next_call(corpus, server, tmp_path):
    server.cuts = [100_000]
    with pytest.raises(NetworkError) as caught:
        download("tiny", tmp_path, network=IMPATIENT)
    for words in ("Run the same command again", "by hand", server.url, str(tmp_path / ".downloads" / "tiny_v1.tar.gz")):
        assert words in str(caught.value)
    assert leftovers(tmp_path) == ["tiny_v1.tar.gz.partial", "tiny_v1.tar.gz.partial.json"]
    assert contents(download("tiny", tmp_path, network=IMPATIENT)) == LAYOUT
    assert sum(server.sent) == len(server.body)


def test_a_killed_download_goes_on_too(corpus, server, tmp_path):
    server.stall = 150_000
    code = (
        "import sys; from pathlib import Path; from labkit.data.fetch import fetch;"
        "fetch(sys.argv[1], Path(sys.argv[2]), most=10**9)"
    )
    partial = tmp_path / ".downloads" / "tiny_v1.tar.gz.partial"
    partial.parent.mkdir()
    child = subprocess.Popen([sys.executable, "-c", code, server.url, partial], cwd=Path(module.__file__).parents[2])
    try:
        while not partial.exists() or partial.stat().st_size < 100_000:
            assert child.poll() is None
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()
    had, server.stall = partial.stat().st_size, None
    assert contents(download("tiny", tmp_path, network=IMPATIENT)) == LAYOUT
    assert server.sent[-1] == len(server.body) - had


def test_a_wrong_checksum_is_set_aside_and_never_unpacked(corpus, server, tmp_path):
    right = server.body
    server.body = tar_of(LAYOUT | {"yes/evil.wav": b"evil"})
    with pytest.raises(LabError, match="sha256.*Nothing was unpacked") as caught:
        download("tiny", tmp_path, network=IMPATIENT)
    assert "checksums.json" not in str(caught.value)  # a public checksum is not to be talked away
    assert not (tmp_path / "tiny_v1").exists() and leftovers(tmp_path) == ["tiny_v1.tar.gz.rejected"]
    server.body = right
    assert contents(download("tiny", tmp_path, network=IMPATIENT)) == LAYOUT


def test_an_unknown_checksum_is_recorded_and_holds_from_then_on(corpus, server, tmp_path):
    corpus(sha256=None)
    folder = download("tiny", tmp_path, network=IMPATIENT)
    known = json.loads((tmp_path / "checksums.json").read_text())
    assert known[server.url]["sha256"] == hashlib.sha256(server.body).hexdigest()
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    server.body = tar_of(LAYOUT | {"yes/more.wav": b"more"})
    with pytest.raises(LabError, match="checksums.json"):
        download("tiny", tmp_path, network=IMPATIENT)
    assert not folder.exists()
    (tmp_path / "checksums.json").unlink()
    assert "yes/more.wav" in contents(download("tiny", tmp_path, network=IMPATIENT))


@pytest.mark.parametrize("body", ["link", "outside", "page", "other", "bomb"])
def test_a_tampered_archive_leaves_no_folder_and_no_record(body, corpus, server, tmp_path):
    corpus(sha256=None)
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w:gz") as tar:
        info = tarfile.TarInfo("yes/evil")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    server.body, match = {
        "link": (link.getvalue(), "yes/evil.*symbolic link"),
        "outside": (tar_of({"testing_list.txt": b"", "../../evil": b"evil"}), "'../../evil'"),
        "page": (b"<html>please log in</html>" * 20, "web page"),
        "other": (tar_of({"something": b"else"}), "does not hold testing_list.txt"),
        "bomb": (tar_of({"zeros": bytes(10_000_000)}), "zeros"),
    }[body]
    with pytest.raises(BadArchive, match=match):
        download("tiny", tmp_path, network=IMPATIENT)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".downloads"]
    assert leftovers(tmp_path) == ["tiny_v1.tar.gz.rejected"] and not (tmp_path.parent / "evil").exists()
    server.body = tar_of(LAYOUT)
    assert contents(download("tiny", tmp_path, network=IMPATIENT)) == LAYOUT


def test_an_archive_fetched_by_hand_is_used_after_the_same_check(corpus, server, tmp_path):
    (tmp_path / ".downloads").mkdir()
    (tmp_path / ".downloads" / "tiny_v1.tar.gz").write_bytes(server.body)
    assert contents(download("tiny", tmp_path, network=IMPATIENT)) == LAYOUT
    assert server.seen == []


def test_a_refused_download_names_the_steps_by_hand(corpus, server, tmp_path):
    server.status = 404
    with pytest.raises(NetworkError, match="404.*by hand.*example.org.*same command"):
        download("tiny", tmp_path, network=IMPATIENT)


def test_a_full_disk_is_noticed_before_the_first_byte(corpus, server, tmp_path):
    corpus(unpacked=10**15)
    with pytest.raises(LabError, match="tiny .*needs 1000000"):
        download("tiny", tmp_path, network=IMPATIENT)
    assert server.seen == []


def test_a_disk_that_fills_while_unpacking_costs_neither_the_archive_nor_half_a_folder(corpus, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(module, "unpack", full)
        with pytest.raises(LabError, match="No space left"):
            download("tiny", tmp_path, network=IMPATIENT)
    assert leftovers(tmp_path) == ["tiny_v1.tar.gz"] and not (tmp_path / "tiny_v1").exists()
    assert contents(download("tiny", tmp_path, network=IMPATIENT)) == LAYOUT


def test_what_a_killed_unpacking_left_is_swept_away(corpus, tmp_path):
    (tmp_path / ".tiny_v1.abc.partial").mkdir()
    (tmp_path / ".tiny_v1.abc.partial" / "half").write_bytes(b"x")
    (tmp_path / "tiny_v1").mkdir()  # empty: nothing to lose
    assert contents(download("tiny", tmp_path, network=IMPATIENT)) == LAYOUT
    assert not list(tmp_path.glob(".tiny*"))


def test_a_folder_of_somebody_else_is_not_touched(corpus, server, tmp_path):
    (tmp_path / "tiny_v1").mkdir()
    (tmp_path / "tiny_v1" / "mine.wav").write_bytes(b"mine")
    with pytest.raises(LabError, match="lacks testing_list.txt.*Move it away"):
        download("tiny", tmp_path, network=IMPATIENT)
    assert contents(tmp_path / "tiny_v1") == {"mine.wav": b"mine"} and server.seen == []


def test_two_downloads_of_one_corpus_do_not_mix(corpus, server, tmp_path):
    (tmp_path / ".downloads").mkdir()
    with FileLock(tmp_path / ".downloads" / "tiny.lock"), pytest.raises(LabError, match="Another process"):
        download("tiny", tmp_path, network=IMPATIENT)
    assert server.seen == []


def test_a_data_folder_that_cannot_be_written_is_named(corpus, tmp_path):
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(LabError, match="Could not write"):
        download("tiny", tmp_path / "data", network=IMPATIENT)


def test_common_voice_is_pointed_to(tmp_path):
    with pytest.raises(LabError, match="terms.*commonvoice.mozilla.org.*common_voice_es"):
        download("common_voice_es", tmp_path)
    with pytest.raises(LabError, match="Did you mean 'fsdd'"):
        download("fsddd", tmp_path)


@pytest.mark.parametrize("name", DOWNLOADS)
def test_the_registry_is_complete(name):
    entry = DOWNLOADS[name]
    assert entry.title and entry.page and entry.licence and entry.folder and entry.proof
    if entry.url:
        assert entry.url.startswith("https://") and entry.size < entry.unpacked and entry.files
        assert entry.sha256 is None or len(bytes.fromhex(entry.sha256)) == 32
        assert entry.limits.size > entry.unpacked and entry.limits.ratio * entry.size > 2 * entry.unpacked


def test_the_command_lists_and_fetches(corpus, tmp_path, capsys):
    from labkit.cli import main

    assert main(["download", "--data", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in DOWNLOADS) and "CC BY-SA 4.0" in listed
    assert main(["download", "tiny", "--data", str(tmp_path)]) == 0
    assert f"tiny is ready in {tmp_path / 'tiny_v1'}" in capsys.readouterr().out
    assert main(["download", "tinny", "--data", str(tmp_path)]) == 2
    assert "Did you mean 'tiny'" in capsys.readouterr().err
