"""The browser that later tests drive JupyterLab with starts, and clicks."""

import functools
import http.server
import threading

import pytest

PAGE = """<!doctype html><title>Smoke</title>
<button onclick="document.querySelector('p').textContent = 'trained'">Train</button><p>waiting</p>"""


@pytest.fixture
def address(tmp_path):
    """Address of a small local server with one page."""
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_click_in_the_browser_changes_the_page(page, address):
    page.goto(address)
    assert page.title() == "Smoke"
    assert page.inner_text("p") == "waiting"
    page.click("text=Train")
    assert page.inner_text("p") == "trained"
