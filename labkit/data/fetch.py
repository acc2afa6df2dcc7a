"""Fetch one file by HTTP, going on where an earlier attempt stopped.

pooch, which the lab has through librosa, cannot resume, and keeps a download under a temporary name until its checksum
is known: a kernel killed then loses all of it. Hence these few functions on top of requests (pooch's own dependency).
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError
from ..files import cannot_write, read_json, write_json

BLOCK = 1 << 15  # bytes; a stall or a kill loses less than two of them


@dataclass(frozen=True)
class Network:
    """How patient to be.

    Parameters
    ----------
    timeout : float
        Seconds without a byte after which a connection counts as stalled.
    attempts : int
        Attempts in a row that bring nothing, before giving up.
    pause : float
        Seconds before the second attempt; doubled for each further one.
    """

    timeout: float = 30
    attempts: int = 4
    pause: float = 2


class NetworkError(LabError):
    """The file could not be fetched; what has arrived is kept."""


class _Broken(Exception):
    """This attempt failed, another may do better. `gained`: it brought bytes that the next one need not fetch."""

    def __init__(self, reason, gained=False):
        super().__init__(reason)
        self.gained = gained


def bar(**options):
    """A progress bar, unless LABKIT_BARS=off."""
    from tqdm.auto import tqdm

    return tqdm(disable=os.environ.get("LABKIT_BARS") == "off", **options)


def size_of(path):
    """Bytes of a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def fetch(url, partial, *, most, network=None):
    """Download `url` into `partial`, where the bytes of earlier attempts are kept and used.

    Beside it, `PARTIAL.json` remembers which version of the file the bytes belong to. The server is asked for the rest
    *if* its file is still that one (If-Range with the ETag, else the date; without either the size must agree); a
    server that sends the whole file instead is taken at its word, from zero.

    Parameters
    ----------
    url : str
    partial : Path
    most : int
        Bytes; a server that sends more is not believed.
    network : Network, optional

    Returns
    -------
    int
        Bytes of the file, now complete as far as the server says. Its checksum is the caller's to check.

    Raises
    ------
    NetworkError
        Nothing came for `network.attempts` attempts, or the server refuses (404 and the like).
    """
    network = network or Network()
    partial = Path(partial)
    failures = 0
    while True:
        try:
            _attempt(url, partial, most, network)
            return size_of(partial)
        except _Broken as broken:
            failures = 1 if broken.gained else failures + 1
            here = f"{size_of(partial) / 1e6:,.1f} MB are here and stay"
            if failures >= network.attempts:
                raise NetworkError(f"{url}: {broken}; {here}.") from broken
            print(f"{broken}; {here}. Trying again ({failures} of {network.attempts - 1}).", flush=True)
            time.sleep(network.pause * 2 ** (failures - 1))


def _attempt(url, partial, most, network):
    """One request. Returns when the file is complete, raises _Broken where another attempt makes sense."""
    import requests

    note_path = Path(f"{partial}.json")
    note = read_json(note_path) if note_path.exists() else {}
    have = size_of(partial) if note.get("url") == url else 0
    if have and have == note.get("size"):
        return
    headers = {"Accept-Encoding": "identity", "User-Agent": "labkit"}  # identity: the archive's own bytes are wanted
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator := note.get("etag") or note.get("modified"):
            headers["If-Range"] = validator
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=network.timeout)
    except requests.TooManyRedirects as error:
        raise NetworkError(f"{url} leads in a circle.") from error
    except requests.Timeout as error:
        raise _Broken(f"the server did not answer for {network.timeout:g} s") from error
    except requests.RequestException as error:
        raise _Broken(f"no connection ({_reason(error)})") from error
    with response:
        if response.status_code in (408, 429) or response.status_code >= 500:
            raise _Broken(f"the server answers {response.status_code} ({response.reason})")
        if have and response.status_code == 206 and _continues(response, have, note):
            _receive(response, partial, "ab", note["size"] or _total(response), most, network)
        elif response.status_code == 200:
            if have:
                print(
                    "The server sends the file from its beginning (it has changed, or cannot be resumed).", flush=True
                )
            partial.unlink(missing_ok=True)  # before the note changes: a kill in between must not mix two versions
            note = {"url": url, "etag": _strong(response), "modified": response.headers.get("Last-Modified")}
            note["size"] = _length(response)
            write_json(note_path, note)
            # If what came before had to be dropped, this attempt must finish to count as progress.
            _receive(response, partial, "wb", note["size"], most, network, progress=not have)
        elif response.status_code in (206, 416):
            partial.unlink(missing_ok=True)
            raise _Broken("the server has another version of the file")
        else:
            raise NetworkError(f"{response.url} answers {response.status_code} ({response.reason}).")


def _continues(response, have, note):
    """Whether a partial answer is the rest of the file that we have the beginning of."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != have:
        return False
    total = _total(response)
    if total and note.get("size") and total != note["size"]:
        return False
    etag = _strong(response)
    return not (etag and note.get("etag")) or etag == note["etag"]


def _receive(response, partial, mode, size, most, network, progress=True):
    """Append the body of an answer to `partial`."""
    import urllib3

    start = size_of(partial)
    blocks = response.raw.stream(BLOCK, decode_content=False)
    reason = "the connection was cut"
    try:
        with open(partial, mode) as file, bar(total=size, initial=start, unit="B", unit_scale=True) as shown:
            while True:
                try:
                    block = next(blocks, b"")
                except urllib3.exceptions.ReadTimeoutError:
                    reason = f"the server sent nothing for {network.timeout:g} s"
                    break
                except (urllib3.exceptions.HTTPError, ConnectionError) as error:
                    reason = f"the connection was cut ({_reason(error)})"
                    break
                if not block:
                    if size in (None, file.tell()):
                        return
                    break
                file.write(block)
                shown.update(len(block))
                if file.tell() > most:
                    file.truncate(0)  # nothing of it is worth keeping
                    raise NetworkError(f"{response.url} sends more than the {most / 1e6:,.0f} MB expected at most.")
    except OSError as error:
        raise cannot_write(partial, error) from error
    raise _Broken(reason, gained=progress and size_of(partial) > start)


def _length(response):
    """Bytes of the body, if the server says so."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _total(response):
    """Bytes of the whole file after a partial answer (`Content-Range: bytes 5-9/10`), if the server says so."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _strong(response):
    """The ETag, if it promises equal bytes; a weak one (W/) does not, and If-Range refuses it."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else None


def _reason(error):
    """The innermost cause of a chain of network errors, in a few words."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return str(getattr(error, "strerror", None) or error)[:100]
