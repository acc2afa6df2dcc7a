"""Fixtures that several tests share: real recordings and a real browser, where this machine has them.

Without them their tests are skipped, and the last lines of the run say so. LABKIT_REQUIRE="real,browser" makes such
a skip a failure; continuous integration sets it, so that nothing goes untested there unnoticed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

collect_ignore = ["conftest.py"]  # it holds no examples, and two files of one name confuse --doctest-modules
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
}


def want(what):
    """Skip the test, saying what it lacks; or fail it where LABKIT_REQUIRE asks for that."""
    if what in os.environ.get("LABKIT_REQUIRE", "").split(","):
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


@pytest.fixture(scope="session")
def real_audio():
    """Folder with real recordings: speech_commands_4words/, fsdd/ ... in their publishers' layouts."""
    folder = find_real_audio()
    return folder if folder is not None else want("real")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium of Playwright's synchronous API.

    One for each module: while it lives, an event loop counts as running in this process, and notebooks that
    the same worker tests later need their own.
    """
    program = find_browser()
    if program is None:
        want("browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A fresh page whose errors fail the test that uses it."""
    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not errors, f"the page threw {errors}"


def pytest_terminal_summary(terminalreporter):
    """Name what was skipped for want of something, so that a green run does not look like a whole one."""
    reasons = [
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        for report in terminalreporter.stats.get("skipped", [])
    ]
    for words in WANTING.values():
        count = sum(f"for want of {words}" in reason for reason in reasons)
        if count:
            terminalreporter.write_line(
                f"NOT TESTED: {count} tests skipped for want of {words}", yellow=True, bold=True
            )
