"""A JupyterLab of the tests' own, and a notebook in it, driven by a browser.

The server keeps everything (settings, run files, kernels' results) below one folder and ends with the test.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import nbformat
import tiny
from around import QUIET, find_browser, want
from nbformat.v4 import new_code_cell, new_notebook
from tiny import until

PATIENCE = 180_000  # milliseconds: a busy machine may take long, and nobody waits longer than needed
NOTEBOOK = "panels.ipynb"
SETTINGS = {
    # every cell stays on the page, also where it is out of sight
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
}
DONE = "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].every(p => /\\[\\d+\\]/.test(p.innerText))"

IDLE = "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@contextmanager
def jupyter(folder, sources, environment, without=()):
    """Start JupyterLab with one notebook of these cells; gives the notebook's address.

    Parameters
    ----------
    folder : Path
        Empty; all that the server writes goes there.
    sources : list of str
        The code cells.
    environment : dict of str to str
        What the kernel shall find beside the present environment.
    without : sequence of str
        JupyterLab's own extensions that shall not be there.
    """
    folder = Path(folder)
    home, root = folder / "home", folder / "notebooks"
    root.mkdir(parents=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(
        new_notebook(cells=[new_code_cell(source) for source in sources], metadata={"kernelspec": kernel}),
        root / NOTEBOOK,
    )
    left_out = ("announcements", "splash")  # two splash screens at once throw: each takes the same picture away
    names = [f"@jupyterlab/apputils-extension:{name}" for name in left_out]
    quiet = {"disabledExtensions": dict.fromkeys((*names, *without), True)}
    write(home / "config" / "labconfig" / "page_config.json", quiet)
    for name, values in SETTINGS.items():
        write(home / "settings" / name, values)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    options = ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    options += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
    log = folder / "jupyter.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [*command, *options],
            env=os.environ | {name: str(value) for name, value in {**own, **environment}.items()},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/api?token={token}", process, log), seconds=PATIENCE / 1000)
        yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK}?token={token}&reset"
    finally:
        process.send_signal(signal.SIGTERM)  # upon which it ends its kernels
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def browser_that_hears(sound):
    """A browser whose microphone hears a file over and over; where there is no browser the test is skipped."""
    program = find_browser()
    if program is None:
        want("browser")
    from playwright.sync_api import sync_playwright

    microphone = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    microphone.append(f"--use-file-for-fake-audio-capture={sound}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=[*QUIET, *microphone])
        yield chromium
        chromium.close()


@contextmanager
def opened(browser, folder, cells, **environment):
    """A page with a notebook of these cells, run on the tiny corpus; it may throw no error until it is closed."""
    tiny.make(folder / "data" / "speech_commands")
    own = {f"LABKIT_{name.upper()}": folder / name for name in ("data", "cache", "results", "figures")}
    environment = {**own, **environment}
    here = os.path.dirname(__file__)
    environment["PYTHONPATH"] = os.pathsep.join([os.path.dirname(here), here, os.environ.get("PYTHONPATH", "")])
    with jupyter(folder / "jupyter", cells, environment | {"LABKIT_BARS": "off"}) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60_000)
        errors = []
        page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
        told = run_all(page, address)
        assert not told, told
        yield page
        page.close()
        assert not errors, f"the page threw {errors}"


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


def answers(address, process, log):
    assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
    try:
        with urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def command(page, name, **arguments):
    """Call one of JupyterLab's commands, as its menus do."""
    page.evaluate("([name, args]) => window.jupyterapp.commands.execute(name, args)", [name, arguments])


def run_all(page, address):
    """Open the notebook and run its cells, to the end."""
    page.goto(address, timeout=PATIENCE)
    page.wait_for_selector(".jp-CodeCell", timeout=PATIENCE)
    page.wait_for_function(IDLE, timeout=PATIENCE)
    command(page, "notebook:run-all-cells")
    page.wait_for_function(DONE, timeout=PATIENCE)
    errors = page.locator('.jp-OutputArea-output[data-mime-type*="stderr"], .jp-OutputArea-output .ansi-red-fg')
    return errors.all_inner_texts()


def cell(page, number):
    """The output of a code cell, counted from 0."""
    return page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea").first


def theme(page, dark):
    name = "JupyterLab Dark" if dark else "JupyterLab Light"
    command(page, "apputils:change-theme", theme=name)
    light = "false" if dark else "true"
    page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{light}'", timeout=PATIENCE)


def reach(page, target, key="Tab"):
    """Press Tab (or another key) until an element has the focus, which must then be seen: a ring around it."""
    for _ in range(40):
        if target.evaluate("element => element === document.activeElement"):
            ring = target.evaluate("element => getComputedStyle(element).outline")
            assert "solid 3px" in ring, ring
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not get there")
