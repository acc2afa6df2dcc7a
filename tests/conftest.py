"""Fixtures that several tests share: real recordings and a real browser, where this machine has them.

Without them their tests are skipped, and the last lines of the run say so. LABKIT_REQUIRE="real,browser" makes such
a skip a failure; continuous integration sets it, so that nothing goes untested there unnoticed.
"""

import pytest
from around import QUIET, WANTING, find_browser, find_real_audio, required, want

collect_ignore = ["conftest.py"]  # it holds no examples, and two files of one name confuse --doctest-modules


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk():
    """No file of a test has to survive a power cut, and a disk may take a second for a training's twenty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labkit.files._sync", lambda path: None)
        yield


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


def pytest_collection_modifyitems(items):
    """Mark what needs a browser, so that `labkit test --quick` leaves it out; and skip what runs every week only."""
    for item in items:
        if item.get_closest_marker("weekly") and not required("weekly"):
            item.add_marker(pytest.mark.skip(reason=f"for want of {WANTING['weekly']}"))
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


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
