"""What this machine has that tests need: real recordings, a real browser. (No fixtures: those are in conftest.py.)

A module of its own, since the notebooks have a conftest.py, too, and one process knows one module of that name.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
CHROME = (  # where Chrome and its relatives are when they are not on the PATH
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
QUIET = (  # no GPU, and no traffic of the browser's own
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WANTING = {  # what a test may lack: how the summary says it
    "real": "real recordings (set LABKIT_REAL to a folder that holds speech_commands_4words, fsdd ...)",
    "browser": "a browser (install Chromium or Chrome, or set LABKIT_BROWSER to its program)",
    "weekly": "time (they run every week; set LABKIT_REQUIRE=weekly to run them now)",
}


def required(what):
    """Does LABKIT_REQUIRE ask for it?"""
    return what in os.environ.get("LABKIT_REQUIRE", "").split(",")


def want(what):
    """Skip the test, saying what it lacks; or fail it where LABKIT_REQUIRE asks for that."""
    if required(what):
        pytest.fail(f"LABKIT_REQUIRE asks for {WANTING[what]}, but there are none here.", pytrace=False)
    pytest.skip(f"for want of {WANTING[what]}")


def find_real_audio():
    """The folder with the real recordings, or None.

    It is LABKIT_REAL; or it is unpacked, once, from a folder of real recordings beside the checkout.
    """
    if os.environ.get("LABKIT_REAL"):
        folder = Path(os.environ["LABKIT_REAL"])
        return folder if folder.is_dir() else None
    unpack = ROOT.parent / "shared" / "real_audio" / "unpack.py"
    if not unpack.is_file():
        return None
    folder = ROOT / "build" / "real_audio"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # two workers want it at once; a complete archive is left alone
        subprocess.run([sys.executable, str(unpack), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


def find_browser():
    """The program of an installed Chromium, Chrome or Edge, or None."""
    asked = os.environ.get("LABKIT_BROWSER")
    names = (asked,) if asked else ("chromium", "chromium-browser", "google-chrome", "chrome", *CHROME)
    return next((found for found in map(shutil.which, names) if found), None)
