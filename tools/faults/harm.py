"""What can happen to the bytes of a file, to a JSON value, and to a file itself."""

import copy
import gzip
import os

NONSENSE = (None, True, -1, 0, 7, 1e300, float("nan"), 10**30, "", "x", "../../x", "a\0b", [], [[]], {}, {"x": 1})


def cut(data, rng):
    return data[: rng.randrange(1, max(len(data), 2))]


def flip(data, rng):
    """One bit."""
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def scramble(data, rng):
    """A stretch of other bytes."""
    place, size = rng.randrange(len(data)), min(rng.choice((4, 64, 512)), len(data))
    return (data[:place] + rng.randbytes(size) + data[place + size :])[: len(data)]


def zeros(data, rng):
    """A stretch of zeros, as a file system leaves it after a crash."""
    place = rng.randrange(len(data))
    size = rng.randrange(1, len(data) - place + 1)
    return data[:place] + bytes(size) + data[place + size :]


def dropped(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.randrange(1, 1 + len(data) // 4) :]


def inserted(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + rng.randbytes(rng.randrange(1, 300)) + data[place:]


def twice(data, rng):
    return data + data


def emptied(data, rng):
    return b""


def page(data, rng):
    return b"<!DOCTYPE html><html><body>404 not found</body></html>\n" * 40


def bomb(data, rng):
    """Four gigabytes of zeros, packed small."""
    return gzip.compress(bytes(1 << 24)) * 256


def nested(data, rng):
    return b"[" * 200_000 + b"]" * 200_000


def utf16(data, rng):
    return data.decode("utf-8", "replace").encode("utf-16")


def latin(data, rng):
    return data.replace(b"\n", b" \xe9\xff\n", 2)


def nul(data, rng):
    place = rng.randrange(len(data))
    return data[:place] + b"\0" + data[place:]


BYTES = {f.__name__: f for f in (cut, flip, scramble, zeros, dropped, inserted, twice, emptied, page)}
TEXT = BYTES | {f.__name__: f for f in (utf16, latin, nul, nested)}


def to_folder(path):
    path.unlink()
    path.mkdir()


def to_fifo(path):
    path.unlink()
    os.mkfifo(path)


def to_dangling(path):
    path.unlink()
    path.symlink_to("gone/away")


def to_loop(path):
    path.unlink()
    path.symlink_to(path.name)


def to_device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def gone(path):
    path.unlink()


FILE = {f.__name__: f for f in (to_folder, to_fifo, to_dangling, to_loop, to_device, gone)}


def places(value, way=()):
    """The way to each value inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*way, key)
        yield from places(part, (*way, key))


def change(value, way, other=None, delete=False):
    """A copy of a JSON value with another value at the end of a way, or with nothing there."""
    value = copy.deepcopy(value)
    part = value
    for key in way[:-1]:
        part = part[key]
    if delete:
        del part[way[-1]]
    else:
        part[way[-1]] = other
    return value


def put_back(path, before):
    """The file as it was, whatever stands in its place."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.write_bytes(before)
