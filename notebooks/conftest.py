"""Hooks for nbval, which runs each code cell of these notebooks as one test (README.md, "How the tests run").

They count on nbval 0.11.0: its items have `cell`, `parent.kernel` and `parent.timed_out`.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from queue import Empty

import pytest
from nbval.kernel import RunningKernel

from tools.run_tests import set_environment

# `python -m labkit test` has set these; a bare `pytest --nbval-lax notebooks` shall mean the same.
if not os.environ.get("LABKIT_RESULTS"):
    os.environ["LABKIT_RESULTS"] = tempfile.mkdtemp(prefix="labkit-")
set_environment()

# No tests and no examples: two files of one name confuse --doctest-modules, the answers have tests of their own, and
# the code of translations is proved to be that of the originals.
collect_ignore = ["conftest.py", "solutions", "es"]
WAIT = 5  # seconds between two looks at whether a silent kernel still lives
_await_reply = RunningKernel.await_reply


def await_reply(self, msg_id, timeout=None):
    """nbval's, but it notices at once that the kernel died, instead of waiting for the cell's whole time limit."""
    end = time.monotonic() + (timeout or float("inf"))
    while True:
        try:
            return _await_reply(self, msg_id, timeout=max(0.01, min(WAIT, end - time.monotonic())))
        except Empty:
            if not self.is_alive():
                raise RuntimeError("The kernel died in this cell, perhaps for want of memory.") from None
            if time.monotonic() >= end:
                raise


RunningKernel.await_reply = await_reply


def is_cell(item):
    """Is this test a cell of a notebook?"""
    return hasattr(item, "cell") and hasattr(item.parent, "kernel")


def pytest_collection_modifyitems(items):
    """Put the longest notebooks first and tests last, so that no worker is left with a long one in the end."""
    times = json.loads(Path(__file__).with_name("times.json").read_text(encoding="utf-8"))
    items.sort(key=lambda item: -times.get(item.path.stem, {"seconds": 0})["seconds"] if is_cell(item) else 1)


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):
        # bars and warnings differ between machines; what a cell says on stdout is what it claims
        collector.skip_compare += ("stderr",)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Remember the first cell that did not run; one whose output differs did run, so the next ones can."""
    yield
    if is_cell(item) and call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
        if "Cell outputs differ" not in str(call.excinfo.value):
            item.parent.first_failure = getattr(item.parent, "first_failure", item.name)


def pytest_runtest_setup(item):
    first = is_cell(item) and getattr(item.parent, "first_failure", None)
    if first:
        pytest.skip(f"{first} of this notebook failed before")
