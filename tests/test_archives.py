"""Archives: what is sound comes out whole; what is not is refused by name, and nothing leaves the folder."""

import gzip
import io
import random
import stat
import tarfile
import zipfile
from dataclasses import replace

import pytest

from labkit.data import download as module
from labkit.data.download import BadArchive, Download, unpack

FILES = {"README.md": b"hello", "yes/a_nohash_0.wav": b"\1\2" * 5_000, "no/b_nohash_0.wav": bytes(1_000)}
ENTRY = Download("Tiny", "https://example.org/tiny", "MIT", "tiny", proof=".", unpacked=1_500_000)


def tar_of(path, members):
    """Write a .tar.gz of (name, bytes) pairs or TarInfo objects."""
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def zip_of(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)
    return path


MAKERS = {"tar": tar_of, "zip": zip_of}


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


@pytest.fixture
def place(tmp_path):
    """A folder to unpack into, inside one that must stay as it is."""
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(archive, place, match):
    """Unpacking must fail, name what it refuses, and write nothing outside the folder."""
    with pytest.raises(BadArchive, match=match) as caught:
        unpack(ENTRY, archive, place)
    assert archive.name in str(caught.value)
    assert [path for path in place.parent.rglob("*") if place not in (path, *path.parents)] == []
    assert not any(path.is_symlink() for path in place.rglob("*"))


def test_a_sound_archive_comes_out_whole(make, tmp_path, place):
    unpack(ENTRY, make(tmp_path / "corpus", FILES.items()), place)
    assert contents(place) == FILES


def test_the_top_folder_goes(make, tmp_path, place):
    archive = make(tmp_path / "corpus", [(f"corpus-1.0/./{name}", data) for name, data in FILES.items()])
    unpack(replace(ENTRY, url="https://github.com/somebody/corpus/archive/1.0.zip"), archive, place)
    assert contents(place) == FILES


def test_folders_and_dots_of_a_real_archive_are_fine(tmp_path, place):
    top, empty = tarfile.TarInfo("./"), tarfile.TarInfo("./empty")
    top.type = empty.type = tarfile.DIRTYPE
    unpack(ENTRY, tar_of(tmp_path / "a.tar.gz", [top, empty, ("./yes/a.wav", b"1")]), place)
    assert contents(place) == {"yes/a.wav": b"1"}


NAMES = [
    "/etc/evil",
    "//evil",
    "../evil",
    "yes/../../evil",
    "..",
    "..\\evil",
    "C:\\evil",
    "C:evil",
    "yes\\..\\..\\evil",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_outside_on_any_system(make, name, tmp_path, place):
    archive = make(tmp_path / "corpus", [("top/yes/good.wav", b"1"), (name, b"evil")])
    refuse(archive, place, "leads out")


LINKS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]


@pytest.mark.parametrize("kind", LINKS)
def test_links_and_devices_in_a_tar_are_refused(kind, tmp_path, place):
    member = tarfile.TarInfo("yes")
    member.type, member.linkname = kind, ".."
    refuse(tar_of(tmp_path / "a.tar.gz", [member, ("yes/evil", b"evil")]), place, "'yes'.*link or a device")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(mode, tmp_path, place):
    info = zipfile.ZipInfo("yes/evil")
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    refuse(zip_of(tmp_path / "a.zip", [(info, "../../outside")]), place, "'yes/evil'.*link or a device")


def test_a_bomb_is_refused_while_it_is_written(make, tmp_path, place, monkeypatch):
    zeros = make(tmp_path / "zeros", [(f"{number}.wav", bytes(1_000_000)) for number in range(5)])
    refuse(zeros, place, "'3.wav'.*3,000,000 bytes")
    assert sum(map(len, contents(place).values())) <= 3_000_000
    monkeypatch.setattr(module, "MOST_FILES", 100)
    crowd = make(tmp_path / "crowd", [(f"a{number}.wav", b"") for number in range(101)])
    refuse(crowd, place, "'a100.wav'.*more than 100 files")


def test_headers_without_end_are_refused(tmp_path, place):
    head = tarfile.TarInfo("name")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 1
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress((head.tobuf() + bytes(512)) * 5_000))
    refuse(path, place, "damaged")


def test_one_name_twice_and_a_file_as_folder_are_refused(make, tmp_path, place):
    with pytest.warns(UserWarning) if make is zip_of else pytest.MonkeyPatch.context():
        twice = make(tmp_path / "twice", [("yes/a.wav", b"1"), ("yes/a.wav", b"2")])
    refuse(twice, place, "'yes/a.wav'")
    mixed = make(tmp_path / "mixed", [("no", b"1"), ("no/a.wav", b"2")])
    refuse(mixed, place, "'no/a.wav'")


def test_a_truncated_or_changed_archive_is_called_damaged_wherever_it_ends(make, tmp_path, place):
    noise = random.Random(1).randbytes(300_000)
    whole = make(tmp_path / "whole", [("a.wav", noise), ("b.wav", noise[::-1])]).read_bytes()
    damaged = [whole[:length] for length in random.Random(2).sample(range(100, len(whole) - 1), 8)]
    damaged.append(whole[:50_000] + bytes([whole[50_000] ^ 1]) + whole[50_001:])
    for number, data in enumerate(damaged):
        path, folder = tmp_path / f"damaged{number}", place / str(number)
        path.write_bytes(data)
        folder.mkdir()
        with pytest.raises(BadArchive, match=f"damaged{number} is damaged"):
            unpack(ENTRY, path, folder)


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path, place):
    plain = bytearray(gzip.decompress(tar_of(tmp_path / "a.tar.gz", FILES.items()).read_bytes()))
    second = 1024  # README.md: one block of header, one of contents
    plain[second + 148 : second + 156] = b"999999\0 "  # the header's own checksum
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(bytes(plain)))
    refuse(tmp_path / "a.tar.gz", place, "damaged")
