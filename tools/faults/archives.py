"""Faults of archives."""

import gzip
import io
import random
import tarfile
import zipfile
from functools import partial

from labkit.data.download import Download, unpack

from . import harm, judge


def packed(members, kind="tar"):
    """An archive of (name, bytes) pairs and of TarInfo, as bytes."""
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            if info is not member:
                info.size = len(member[1])
            archive.addfile(info, None if info is member else io.BytesIO(member[1]))
    return out.getvalue()


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


FILES = [(f"c/yes/{number}.wav", random.Random(number).randbytes(3000)) for number in range(5)]
EVIL = {
    "up": ("../../evil", b"x"),
    "absolute": ("/evil", b"x"),
    "drive": ("C:/evil", b"x"),
    "backslashes": ("..\\..\\evil", b"x"),
    "unc": ("\\\\host\\evil", b"x"),
    "long name": ("c/" + "x" * 300, b"x"),
    "deep": ("c/" + "x/" * 3000 + "y", b"x"),
    "NUL": ("c/a\0b", b"x"),
    "twice": FILES[0],
    "file for folder": ("c/yes", b"x"),
    "file in a file": ("c/yes/0.wav/x", b"x"),
    "dot": (".", b"x"),
    "bomb": ("c/bomb", bytes(1 << 28)),
    "stream": ("c/yes/0.wav:hidden", b"x"),
    "new line": ("c/a\nb", b"x"),
}
LINKS = {
    "link out": link("c/l", "../../.."),
    "link in": link("c/l", "yes/0.wav"),
    "hard link": link("c/l", "/etc/passwd", tarfile.LNKTYPE),
    "device": link("c/l", "", tarfile.CHRTYPE),
    "fifo": link("c/l", "", tarfile.FIFOTYPE),
}


def archives(scratch, rng):
    good = {f"yes/{number}.wav": data for number, (_, data) in enumerate(FILES)}

    def act(content, kind, place, rng):
        name, proof = ("corpus.zip", "yes") if kind == "zip" else ("corpus.tar.gz", "c/yes")
        entry = Download(
            "x", "https://x", "x", "x", proof=proof, url=f"https://x/{name}", size=100_000, unpacked=30_000
        )
        archive, inside = place / name, place / "outer" / "x"
        inside.mkdir(parents=True)
        archive.write_bytes(content(rng))

        def job():
            try:
                unpack(entry, archive, inside)
            finally:
                out = [path for path in place.rglob("*") if not path.is_relative_to(inside)]
                assert set(out) == {archive, inside.parent}, f"it left its folder: {out}"
                assert sum(path.stat().st_size for path in inside.rglob("*")) < 1e6, "it filled the disk"
            files = {
                path.relative_to(inside).as_posix(): path.read_bytes() for path in inside.rglob("*") if path.is_file()
            }
            return {path.removeprefix("c/"): data for path, data in files.items()}, ""

        return judge(job, [name], lambda found: good.items() <= found.items())

    for kind in ("tar", "zip"):
        whole = packed(FILES, kind)
        for how, change in harm.BYTES.items():
            for time in range(3):
                yield (
                    f"{kind}: {how} {time}",
                    partial(act, lambda rng, change=change, whole=whole: change(whole, rng), kind),
                )
        for how, member in EVIL.items():
            yield f"{kind}: {how}", partial(act, lambda rng, m=member, k=kind: packed([*FILES, m], k), kind)
    for how, member in LINKS.items():
        yield f"tar: {how}", partial(act, lambda rng, m=member: packed([*FILES, m]), "tar")
    yield "tar: a bomb of gzip", partial(act, lambda rng: gzip.compress(bytes(1 << 29)), "tar")


FAMILIES = {"archives": archives}
