"""Downloads, against a server on this machine that can do everything servers do wrong."""

import hashlib
import io
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
from urllib3.response import HTTPResponse

from labkit.data import download as module
from labkit.data.download import DOWNLOADS, BadArchive, Download, download, fetch, present
from labkit.errors import LabError

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
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.body):
                return self.answer(416, {"Content-Range": f"bytes */{len(server.body)}", "Content-Length": "0"})
            headers["Content-Range"] = f"bytes {start}-{len(server.body) - 1}/{len(server.body)}"
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
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    monkeypatch.setattr(module, "RETRY", module.RETRY.new(total=1, backoff_factor=0))
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
        sha256=hashlib.sha256(server.body).hexdigest(),
    )

    def register(**changes):
        monkeypatch.setitem(DOWNLOADS, "tiny", replace(entry, **changes))
        return DOWNLOADS["tiny"]

    register()
    return register


@pytest.fixture
def get(server, tmp_path):
    """Fetch what the server has into a file; returns its bytes."""

    def call(url=server.url, size=500_000, name="a"):
        entry = Download("Tiny", "https://example.org/tiny", "MIT", "tiny", "", url=url, size=size)
        fetch(entry, tmp_path / name)
        return (tmp_path / name).read_bytes()

    return call


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def leftovers(data):
    """What a download leaves in its own folder, locks aside."""
    return sorted(path.name for path in (data / ".downloads").iterdir() if path.suffix != ".lock")


# One file


def test_a_file_arrives_whole(server, get, tmp_path):
    server.body = random.Random(1).randbytes(900_000)
    assert get() == server.body
    assert sorted(path.name for path in tmp_path.glob("a.partial")) == [] and len(server.seen) == 1


@pytest.mark.parametrize("cut", [0, 1, *random.Random(3).sample(range(1, 300_000), 3)])
def test_a_cut_download_goes_on_where_it_stopped(cut, server, get, tmp_path):
    server.body, server.cuts = random.Random(1).randbytes(300_000), [cut] + [0] * bool(cut)
    with pytest.raises(LabError, match="are here and stay"):
        get()
    assert (tmp_path / "a.partial").read_bytes() == server.body[:cut]
    assert get() == server.body
    assert server.sent[-1] == 300_000 - cut  # no byte came twice
    assert server.seen[-1]["Range"] == f"bytes={cut}-"


def test_a_cut_is_noticed_where_urllib3_does_not_look(server, get, monkeypatch):
    stream = HTTPResponse.stream

    def trusting(self, *given, **named):
        self.enforce_content_length = False  # as urllib3 1 has it, which requests still takes
        return stream(self, *given, **named)

    monkeypatch.setattr(HTTPResponse, "stream", trusting)
    server.body, server.cuts = random.Random(1).randbytes(300_000), [100_000, 0]
    with pytest.raises(LabError, match="are here and stay"):
        get()
    assert get() == server.body


def test_ten_cuts_in_one_call_are_survived_as_long_as_each_attempt_brings_something(server, get, capsys):
    server.body = random.Random(1).randbytes(300_000)
    server.cuts = [random.Random(4).randint(1, 25_000) for _ in range(10)]
    assert get() == server.body
    assert len(server.sent) == 11 and sum(server.sent) == 300_000
    assert capsys.readouterr().out.count("Trying again") == 10


def test_a_server_without_ranges_starts_again_and_is_not_asked_for_ever(server, get):
    server.body, server.ranges, server.cuts = random.Random(1).randbytes(100_000), False, [40_000]
    assert get() == server.body and server.sent == [40_000, 100_000]
    server.cuts = [0, 0, 50_000, 40_000, 30_000]
    with pytest.raises(LabError):
        get(name="b")
    assert len(server.sent) == 4, "starting from zero each time is no progress"


@pytest.mark.parametrize(
    "lie",
    [
        {"Content-Range": "bytes 0-99999/100000"},  # another place than asked for
        {"Content-Range": "nonsense"},
    ],
)
def test_a_partial_answer_that_does_not_fit_is_not_appended(lie, server, get):
    server.body, server.cuts = random.Random(1).randbytes(100_000), [50_000, 0]
    with pytest.raises(LabError):
        get()
    server.lie = lie
    with pytest.raises(LabError, match="another version"):
        get()
    server.lie = None
    assert get() == server.body


def test_a_download_that_was_killed_when_all_had_come_is_complete(server, get, tmp_path):
    server.body = b"x" * 1000
    (tmp_path / "a.partial").write_bytes(server.body)
    assert get() == server.body and server.sent == []
    (tmp_path / "a").unlink()
    (tmp_path / "a.partial").write_bytes(server.body + b"longer than the file is now")
    with pytest.raises(LabError, match="another version"):
        get()
    assert get() == server.body


def test_a_redirected_download_resumes_too_and_a_circle_is_named(server, get):
    server.body, server.cuts = random.Random(1).randbytes(50_000), [20_000]
    there = server.url.replace("/corpus.tar.gz", "/moved")
    assert get(there) == server.body and server.sent == [20_000, 30_000]
    with pytest.raises(LabError, match="redirects"):
        get(there.replace("moved", "circle"), name="b")


def test_a_stalled_server_is_left_and_what_came_is_kept(server, get, tmp_path, monkeypatch):
    server.body, server.stall = random.Random(1).randbytes(100_000), 60_000
    monkeypatch.setattr(module.requests.Session, "get", once(module.requests.Session.get))
    with pytest.raises(LabError, match="are here and stay"):
        get()
    monkeypatch.undo()
    had, server.stall = (tmp_path / "a.partial").stat().st_size, None
    assert 0 < had <= 60_000 and get() == server.body and server.sent[-1] == 100_000 - had


def once(get):
    """Session.get whose second call finds no network."""
    calls = []

    def limited(self, *args, **options):
        calls.append(args)
        if len(calls) > 1:
            raise module.requests.ConnectionError("no network")
        return get(self, *args, **options)

    return limited


@pytest.mark.parametrize("status, attempts", [(404, 1), (403, 1), (503, 2), (429, 2)])
def test_a_refusal_is_final_and_a_busy_server_is_asked_again(status, attempts, server, get):
    server.status = status
    with pytest.raises(LabError, match=str(status)):
        get()
    assert len(server.seen) == attempts


def test_an_answer_without_a_length_or_much_too_long_is_bounded(server, get, tmp_path):
    server.body, server.length = b"x" * 900_000, False
    assert get() == server.body
    with pytest.raises(LabError, match="over twice"):
        get(size=100_000, name="b")
    assert (tmp_path / "b.partial").stat().st_size == 0 and not (tmp_path / "b").exists()


def test_nobody_listening_is_told_with_the_next_step(server, get):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody else can answer there
        with pytest.raises(LabError, match="refused.*same command"):
            get(f"http://127.0.0.1:{taken.getsockname()[1]}/corpus.tar.gz")


# A corpus


def test_a_corpus_is_fetched_checked_and_unpacked(corpus, server, tmp_path):
    assert not present("tiny", tmp_path)
    folder = download("tiny", tmp_path)
    assert folder == tmp_path / "tiny_v1" and contents(folder) == LAYOUT and present("tiny", tmp_path)
    assert leftovers(tmp_path) == []
    download("tiny", tmp_path)
    assert len(server.seen) == 1  # what is there is not fetched again


def test_a_zip_of_a_repository_loses_its_top_folder(corpus, server, tmp_path):
    server.body = zip_of(LAYOUT, top="repository-1.0/")
    corpus(url=server.url.replace(".tar.gz", ".zip"), sha256="")
    assert contents(download("tiny", tmp_path, keep_archive=True)) == LAYOUT
    assert leftovers(tmp_path) == ["corpus.zip"]


def test_an_interrupted_corpus_download_goes_on_in_the_next_call(corpus, server, tmp_path):
    server.cuts = [100_000, 0]
    with pytest.raises(LabError) as caught:
        download("tiny", tmp_path)
    for words in ("Run the same command again", "by hand", server.url, str(tmp_path / ".downloads" / "corpus.tar.gz")):
        assert words in str(caught.value)
    assert leftovers(tmp_path) == ["corpus.tar.gz.partial"]
    assert contents(download("tiny", tmp_path)) == LAYOUT
    assert sum(server.sent) == len(server.body)


def test_a_killed_download_goes_on_too(corpus, server, tmp_path):
    server.stall = 150_000
    code = (
        "import sys; from pathlib import Path; from labkit.data.download import Download, fetch;"
        "fetch(Download('', '', '', '', '', url=sys.argv[1], size=10**9), Path(sys.argv[2]))"
    )
    partial = tmp_path / ".downloads" / "corpus.tar.gz.partial"
    partial.parent.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", code, server.url, partial.with_suffix("")], cwd=Path(module.__file__).parents[2]
    )
    try:
        while not partial.exists() or partial.stat().st_size < 100_000:
            assert child.poll() is None
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()
    had, server.stall = partial.stat().st_size, None
    assert contents(download("tiny", tmp_path)) == LAYOUT
    assert server.sent[-1] == len(server.body) - had


def test_a_wrong_checksum_is_set_aside_and_never_unpacked(corpus, server, tmp_path):
    right = server.body
    server.body = tar_of(LAYOUT | {"yes/evil.wav": b"evil"})
    with pytest.raises(BadArchive, match="sha256"):
        download("tiny", tmp_path)
    assert not (tmp_path / "tiny_v1").exists() and leftovers(tmp_path) == ["corpus.tar.gz.rejected"]
    server.body = right
    assert contents(download("tiny", tmp_path)) == LAYOUT


@pytest.mark.parametrize("kind", ["pinned", "zip without a checksum"])
def test_a_file_that_changed_between_two_attempts_is_never_used(kind, corpus, server, tmp_path):
    other = {name: content[::-1] for name, content in LAYOUT.items()}
    if kind != "pinned":
        server.body = zip_of(LAYOUT, top="top/")
        corpus(url=server.url.replace(".tar.gz", ".zip"), sha256="")
    server.cuts = [100_000, 0]
    with pytest.raises(LabError, match="are here and stay"):
        download("tiny", tmp_path)
    right, server.body = server.body, tar_of(other) if kind == "pinned" else zip_of(other, top="top/")
    with pytest.raises(BadArchive, match="sha256" if kind == "pinned" else "damaged"):
        download("tiny", tmp_path)
    assert not (tmp_path / "tiny_v1").exists()
    server.body = right
    assert contents(download("tiny", tmp_path)) == LAYOUT


def test_where_no_checksum_is_published_this_is_said(corpus, tmp_path, capsys):
    corpus(sha256="")
    assert contents(download("tiny", tmp_path)) == LAYOUT
    assert "No checksum" in capsys.readouterr().out


@pytest.mark.parametrize("body", ["link", "outside", "page", "other", "bomb"])
def test_a_tampered_archive_leaves_no_folder_and_no_record(body, corpus, server, tmp_path):
    corpus(sha256="")
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w:gz") as tar:
        info = tarfile.TarInfo("yes/evil")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    server.body, match = {
        "link": (link.getvalue(), "'yes/evil'.*link or a device"),
        "outside": (tar_of({"testing_list.txt": b"", "../../evil": b"evil"}), "'../../evil'"),
        "page": (b"<html>please log in</html>" * 20, "web page"),
        "other": (tar_of({"something": b"else"}), "does not hold testing_list.txt"),
        "bomb": (tar_of({"zeros": bytes(10_000_000)}), "zeros"),
    }[body]
    with pytest.raises(BadArchive, match=match):
        download("tiny", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".downloads"]
    assert leftovers(tmp_path) == ["corpus.tar.gz.rejected"] and not (tmp_path.parent / "evil").exists()
    server.body = tar_of(LAYOUT)
    assert contents(download("tiny", tmp_path)) == LAYOUT


def test_an_archive_fetched_by_hand_is_used_after_the_same_check(corpus, server, tmp_path):
    (tmp_path / ".downloads").mkdir()
    (tmp_path / ".downloads" / "corpus.tar.gz").write_bytes(server.body)
    assert contents(download("tiny", tmp_path)) == LAYOUT
    assert server.seen == []


def test_a_refused_download_names_the_steps_by_hand(corpus, server, tmp_path):
    server.status = 404
    with pytest.raises(LabError, match="404.*by hand.*example.org.*same command"):
        download("tiny", tmp_path)


def test_a_full_disk_is_noticed_before_the_first_byte(corpus, server, tmp_path):
    corpus(unpacked=10**15)
    with pytest.raises(LabError, match="tiny .*needs 1000000"):
        download("tiny", tmp_path)
    assert server.seen == []


def test_a_disk_that_fills_while_unpacking_costs_neither_the_archive_nor_half_a_folder(corpus, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(module, "unpack", full)
        with pytest.raises(LabError, match="No space left"):
            download("tiny", tmp_path)
    assert leftovers(tmp_path) == ["corpus.tar.gz"] and not (tmp_path / "tiny_v1").exists()
    assert contents(download("tiny", tmp_path)) == LAYOUT


def test_what_a_killed_unpacking_left_is_swept_away(corpus, tmp_path):
    (tmp_path / ".tiny_v1.abc.partial").mkdir()
    (tmp_path / ".tiny_v1.abc.partial" / "half").write_bytes(b"x")
    assert contents(download("tiny", tmp_path)) == LAYOUT
    assert not list(tmp_path.glob(".tiny*"))


def test_a_folder_of_somebody_else_is_not_touched(corpus, server, tmp_path):
    (tmp_path / "tiny_v1").mkdir()
    (tmp_path / "tiny_v1" / "mine.wav").write_bytes(b"mine")
    with pytest.raises(LabError, match="lacks testing_list.txt.*Move it away"):
        download("tiny", tmp_path)
    assert contents(tmp_path / "tiny_v1") == {"mine.wav": b"mine"} and server.seen == []


def test_two_downloads_of_one_corpus_do_not_mix(corpus, server, tmp_path):
    (tmp_path / ".downloads").mkdir()
    with FileLock(tmp_path / ".downloads" / "tiny.lock"), pytest.raises(LabError, match="Another process"):
        download("tiny", tmp_path)
    assert server.seen == []


def test_a_data_folder_that_cannot_be_written_is_named(corpus, tmp_path):
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(LabError, match="data"):
        download("tiny", tmp_path / "data")


def test_common_voice_is_pointed_to(tmp_path):
    with pytest.raises(LabError, match="terms.*commonvoice.mozilla.org.*common_voice_es"):
        download("common_voice_es", tmp_path)
    with pytest.raises(LabError, match="CC BY-NC-SA.*accent.gmu.edu.*pieces of five seconds"):
        download("speech_accent_archive", tmp_path)
    with pytest.raises(LabError, match="Did you mean 'fsdd'"):
        download("fsddd", tmp_path)


@pytest.mark.parametrize("name", DOWNLOADS)
def test_the_registry_is_complete(name):
    entry = DOWNLOADS[name]
    assert entry.title and entry.page and entry.licence and entry.folder and entry.proof
    if entry.url:
        assert entry.url.startswith("https://") and entry.size < entry.unpacked
        assert not entry.sha256 or len(bytes.fromhex(entry.sha256)) == 32


def test_the_command_lists_and_fetches(corpus, tmp_path, capsys):
    from labkit.cli import main

    assert main(["download", "--data", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in DOWNLOADS) and "CC BY-SA 4.0" in listed
    assert main(["download", "tiny", "--data", str(tmp_path)]) == 0
    assert f"tiny is ready in {tmp_path / 'tiny_v1'}" in capsys.readouterr().out
    assert main(["download", "tinny", "--data", str(tmp_path)]) == 2
    assert "Did you mean 'tiny'" in capsys.readouterr().err
