"""Archives: what is sound comes out whole; what is not is refused by name."""

import gzip
import io
import random
import stat
import tarfile
import zipfile

import pytest

from labkit.data.archives import BadArchive, Limits, unpack

ROOM = Limits(size=10_000_000, files=100)
FILES = {"README.md": b"hello", "yes/a_nohash_0.wav": b"\1\2" * 5_000, "no/b_nohash_0.wav": bytes(1_000)}


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


@pytest.fixture
def place(tmp_path):
    """A folder to unpack into, inside one that must stay as it is."""
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(archive, place, match, limits=ROOM, **options):
    """Unpacking must fail, name what it refuses, and write nothing outside the folder."""
    with pytest.raises(BadArchive, match=match) as caught:
        unpack(archive, place, limits, **options)
    assert archive.name in str(caught.value)
    assert [path for path in place.parent.rglob("*") if place not in (path, *path.parents)] == []
    assert not any(path.is_symlink() for path in place.rglob("*"))


@pytest.mark.parametrize("form", MAKERS)
def test_a_sound_archive_comes_out_whole(form, tmp_path, place):
    archive = MAKERS[form](tmp_path / "corpus", FILES.items())
    seen = []
    files, size = unpack(archive, place, ROOM, progress=lambda done, total: seen.append((done, total)))
    assert contents(place) == FILES
    assert (files, size) == (3, sum(map(len, FILES.values())))
    assert seen == sorted(seen) and seen[-1] == (archive.stat().st_size, archive.stat().st_size)


@pytest.mark.parametrize("form", MAKERS)
def test_the_top_folder_goes_and_only_what_is_asked_for_stays(form, tmp_path, place):
    archive = MAKERS[form](tmp_path / "corpus", [(f"corpus-1.0/./{name}", data) for name, data in FILES.items()])
    unpack(archive, place, ROOM, strip=1, only=("yes/", "README.md"))
    assert set(contents(place)) == {"README.md", "yes/a_nohash_0.wav"}


def test_folders_and_dots_of_a_real_archive_are_fine(tmp_path, place):
    top = tarfile.TarInfo("./")
    top.type = tarfile.DIRTYPE
    empty = tarfile.TarInfo("./empty")
    empty.type = tarfile.DIRTYPE
    unpack(tar_of(tmp_path / "a.tar.gz", [top, empty, ("./yes/a.wav", b"1")]), place, ROOM)
    assert contents(place) == {"yes/a.wav": b"1"} and (place / "empty").is_dir()


@pytest.mark.parametrize(
    "name, reason",
    [
        ("/etc/evil", "absolute"),
        ("//evil", "absolute"),
        ("../evil", "climbs"),
        ("yes/../../evil", "climbs"),
        ("..", "climbs"),
        ("..\\evil", "Windows"),
        ("C:\\evil", "Windows"),
        ("C:evil", "Windows"),
        ("yes/a.wav:stream", "Windows"),
        ("yes\\..\\..\\evil", "Windows"),
        ("nul", "of this name"),
        ("yes/COM1.wav", "of this name"),
        ("yes/evil. ", "of this name"),
        ("yes/ev\x07il", "unreadable"),
    ],
)
@pytest.mark.parametrize("form", MAKERS)
def test_no_name_leads_outside_on_any_system(form, name, reason, tmp_path, place):
    archive = MAKERS[form](tmp_path / "corpus", [("yes/good.wav", b"1"), (name, b"evil")])
    refuse(archive, place, f"member.*{reason}")


@pytest.mark.parametrize("form", MAKERS)
def test_a_bad_name_is_met_even_where_it_would_not_be_unpacked(form, tmp_path, place):
    archive = MAKERS[form](tmp_path / "corpus", [("top/yes/good.wav", b"1"), ("top/other/../../../evil", b"evil")])
    refuse(archive, place, "evil", strip=1, only=("yes/",))


@pytest.mark.parametrize(
    "kind, words",
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "named pipe"),
        (tarfile.GNUTYPE_SPARSE, "file with holes"),
        (b"Z", "unknown kind"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(kind, words, tmp_path, place):
    member = tarfile.TarInfo("yes/evil")
    member.type, member.linkname = kind, "../../outside"
    refuse(tar_of(tmp_path / "a.tar.gz", [member]), place, f"yes/evil.*{words}")


@pytest.mark.parametrize("mode, words", [(stat.S_IFLNK, "symbolic link"), (stat.S_IFCHR, "device")])
def test_links_and_devices_in_a_zip_are_refused(mode, words, tmp_path, place):
    info = zipfile.ZipInfo("yes/evil")
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    refuse(zip_of(tmp_path / "a.zip", [(info, "../../outside")]), place, f"yes/evil.*{words}")


def test_a_link_is_not_followed_by_a_later_member(tmp_path, place):
    link = tarfile.TarInfo("yes")
    link.type, link.linkname = tarfile.SYMTYPE, ".."
    refuse(tar_of(tmp_path / "a.tar.gz", [link, ("yes/evil", b"evil")]), place, "symbolic link")


@pytest.mark.parametrize("form", MAKERS)
def test_a_bomb_is_refused_by_its_size_its_ratio_and_its_count(form, tmp_path, place):
    zeros = MAKERS[form](tmp_path / "zeros", [(f"{number}.wav", bytes(3_000_000)) for number in range(5)])
    refuse(zeros, place, "'3.wav'.*12.0 MB, 10.0 MB allowed", Limits(size=10_000_000, files=100, ratio=1e9))
    assert sum(map(len, contents(place).values())) <= 10_000_000
    (place / "0.wav").unlink()
    refuse(zeros, place, "'0.wav'.*3.0 MB, 1.0 MB allowed", Limits(size=100_000_000, files=100, ratio=20))
    crowd = MAKERS[form](tmp_path / "crowd", [(f"a{number}.wav", b"") for number in range(101)])
    refuse(crowd, place, "'a100.wav'.*number 101", ROOM)


def test_a_bomb_made_of_one_long_header_is_refused(tmp_path, place):
    head = tarfile.TarInfo("name")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 50_000_000
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(head.tobuf())
        file.write(bytes(50_000_000))
    refuse(path, place, "header of 50,000,... bytes")


def test_a_bomb_made_of_many_headers_is_refused(tmp_path, place):
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(20):
            head = tarfile.TarInfo("name")
            head.type, head.size = tarfile.XHDTYPE, 1_000_000
            file.write(head.tobuf() + b"1000000 comment=" + b"x" * 999_983 + b"\n" + bytes(-1_000_000 % 512))
    refuse(path, place, "more than the 2 MB allowed", Limits(size=1_000_000, files=10))


def test_headers_without_end_are_refused(tmp_path, place):
    head = tarfile.TarInfo("name")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 1
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write((head.tobuf() + bytes(512)) * 5_000)
    refuse(path, place, "damaged", Limits(size=100_000_000, files=10))


@pytest.mark.parametrize("form", MAKERS)
def test_one_name_twice_and_a_file_as_folder_are_refused(form, tmp_path, place):
    with pytest.warns(UserWarning) if form == "zip" else pytest.MonkeyPatch.context():
        twice = MAKERS[form](tmp_path / "twice", [("yes/a.wav", b"1"), ("yes/a.wav", b"2")])
    refuse(twice, place, "yes/a.wav.*twice")
    mixed = MAKERS[form](tmp_path / "mixed", [("no", b"1"), ("no/a.wav", b"2")])
    refuse(mixed, place, "no/a.wav.*name of a file")


@pytest.mark.parametrize("form", MAKERS)
def test_a_truncated_archive_is_called_damaged_wherever_it_ends(form, tmp_path, place):
    noise = random.Random(1).randbytes(300_000)
    whole = MAKERS[form](tmp_path / "whole", [("a.wav", noise), ("b.wav", noise[::-1])]).read_bytes()
    for number, length in enumerate(random.Random(2).sample(range(100, len(whole) - 1), 8)):
        cut = tmp_path / f"cut{number}"
        cut.write_bytes(whole[:length])
        folder = place / str(number)
        folder.mkdir()
        with pytest.raises(BadArchive, match="damaged"):
            unpack(cut, folder, ROOM)


@pytest.mark.parametrize("form", MAKERS)
def test_a_changed_byte_does_not_pass(form, tmp_path, place):
    noise = random.Random(1).randbytes(100_000)
    whole = bytearray(MAKERS[form](tmp_path / "whole", [("a.wav", noise)]).read_bytes())
    whole[50_000] ^= 1
    (tmp_path / "whole").write_bytes(whole)
    with pytest.raises(BadArchive):
        unpack(tmp_path / "whole", place, ROOM)


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path, place):
    plain = bytearray(gzip.decompress(tar_of(tmp_path / "a.tar.gz", FILES.items()).read_bytes()))
    second = 1024  # README.md: one block of header, one of contents
    plain[second + 148 : second + 156] = b"999999\0 "  # the header's own checksum
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(bytes(plain)))
    with pytest.raises(BadArchive, match="last part is not readable"):
        unpack(tmp_path / "a.tar.gz", place, ROOM)


def test_a_web_page_in_place_of_the_archive_is_recognised(tmp_path, place):
    page = tmp_path / "a.tar.gz"
    page.write_bytes(b"<!DOCTYPE html><title>Log in to the campus network</title>")
    with pytest.raises(BadArchive, match="web page.*log in"):
        unpack(page, place, ROOM)


def test_pythons_own_filter_is_asked_too(tmp_path, place, monkeypatch):
    if not hasattr(tarfile, "data_filter"):
        pytest.skip("this Python has no data filter (3.11.4 has)")

    def strict(member, folder):
        raise tarfile.OutsideDestinationError(member, folder)

    monkeypatch.setattr(tarfile, "data_filter", strict)
    refuse(tar_of(tmp_path / "a.tar.gz", [("yes/a.wav", b"1")]), place, "yes/a.wav")
