"""The live panel in JupyterLab, in a real browser whose microphone hears a human word over and over.

One server, one notebook and one browser serve all tests of this module; they run in this order.
"""

import random
import re

import chapters
import ears
import in_jupyter
import numpy as np
import pytest
import soundfile
from around import find_real_audio, want
from in_jupyter import cell, command, reach, theme
from test_browser_panels import button, changed, contrast, picture, says

SECONDS = 2.5  # of what the microphone hears again and again
WORD = "yes"  # or, where there are no recordings, a tone that `ears` knows
NETWORK = "eight-words-live"
LIVE, PATIENCE = 1, 3  # numbers of cells
# Whether the words of the picture are those of the message: of a recording of at most 30 s, and at most eight words.
AGREE = """panel => {
    const said = [...panel.querySelectorAll('[role="status"]')].at(-1).innerText, alt = panel.querySelector('img').alt;
    const drawn = [...alt.matchAll(/(\\S+) at ([\\d.]+) s/g)].map(([, word, when]) => `${word} (${when} s,`);
    const named = said.match(/ s, \\d+%\\)/g) ?? [];
    return said.includes(' s heard') && drawn.length === named.length && drawn.every(each => said.includes(each));
}"""
CELLS = [
    "import os, time\nimport ears, labkit\nlab = labkit.start('panels', device='cpu')",
    "panel = labkit.LivePanel(lab, {classifier})\npanel",
    """push = panel.push


def slow(*block):  # as slow as the test wants
    while not os.path.exists({gate!r}):
        time.sleep(0.05)
    push(*block)


panel.push = slow""",
    "waiting = 1.0 if globals().get('waiting') == 10.0 else 10.0\npanel.microphone.waiting = waiting",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def spoken(folder):
    """(the word, a file with it): somebody whom no network was trained on; a tone where there are no recordings."""
    real = find_real_audio()
    heard = 1e-4 * np.random.default_rng(0).standard_normal(round(SECONDS * ears.RATE))
    if real is None:
        samples, word = ears.stream("low", pause=0.2), "low"
    else:
        corpus = real / "speech_commands_35words"
        tested = (corpus / "testing_list.txt").read_text(encoding="utf-8").split()
        samples, _ = soundfile.read(corpus / next(path for path in sorted(tested) if path.startswith(f"{WORD}/")))
        samples, word = 0.5 * samples / np.abs(samples).max(), WORD
    heard[ears.RATE // 2 :][: len(samples)] += samples
    soundfile.write(folder / "spoken.wav", heard, ears.RATE, subtype="PCM_16")
    return word, folder / "spoken.wav"


@pytest.fixture(scope="module")
def browser(spoken):
    """As the fixture that all browser tests share, with a microphone that hears `spoken` over and over."""
    with in_jupyter.browser_that_hears(spoken[1]) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser, folder, spoken):
    """The notebook with the panel, run; nothing slows it down."""
    classifier = repr(NETWORK) if spoken[0] == WORD else "ears.classifier()"
    (folder / "gate").touch()
    cells = [source.format(classifier=classifier, gate=str(folder / "gate")) for source in CELLS]
    with in_jupyter.opened(browser, folder, cells) as page:
        yield page


@pytest.fixture
def panel(page):
    """The live panel; after the test it does not listen."""
    panel = cell(page, LIVE)
    yield panel
    if "Stop" in panel.locator(".labkit-record").inner_text():
        panel.locator(".labkit-record").click()
        says(panel, "s heard")  # else the next test takes the old "Listening" for its own


def press(panel, name):
    """Press the button once it is called so."""
    panel.locator(".labkit-record", has_text=name).click()


def run(page, number):
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")


def heard(panel, number=0):
    """Text of a recognised word, the newest being number 0, once it is there."""
    item = panel.locator(".labkit-heard li").nth(number)
    item.wait_for()
    return item.inner_text()


def test_a_spoken_human_word_appears_as_recognised_text(page, panel, spoken):
    if find_real_audio() is None:
        want("real")
    before = picture(panel)
    press(panel, "Start")
    words = [heard(panel), heard(panel, 1)]  # the microphone says it again and again
    for text in words:
        assert re.fullmatch(rf"{spoken[0]} \d+\.\d s, \d+%", text), words
    log = panel.get_by_role("log", name=re.compile("recognised words"))
    assert log.get_attribute("aria-live") == "polite"
    press(panel, "Stop")
    says(panel, rf"s heard, \d+ words reported: {spoken[0]} \(")
    changed(page, panel, before)
    assert panel.locator("img").first.get_attribute("alt").count(f"{spoken[0]} at") >= 2


def test_the_level_and_the_last_seconds_are_drawn_while_it_listens(page, panel, spoken):
    press(panel, "Start")
    page.wait_for_function("meter => meter.value > -40", arg=panel.locator("meter").element_handle())
    assert heard(panel).startswith(spoken[0])
    canvas = panel.locator("canvas.labkit-timeline")
    page.wait_for_function(
        "canvas => /[1-9] words recognised/.test(canvas.getAttribute('aria-label'))", arg=canvas.element_handle()
    )
    colours = canvas.evaluate("""canvas => {
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(Array.from(data.filter((_, i) => i % 4 === 3))).size;
    }""")
    assert colours > 3, "bars, a line and words are drawn"


def test_it_is_driven_by_the_keyboard_alone(page, panel):
    slider, record = panel.get_by_role("slider"), panel.locator(".labkit-record")
    slider.focus()
    page.keyboard.press("End")  # what is said is reported soonest
    most = panel.locator(".widget-readout").inner_text()
    reach(page, panel.get_by_role("button", name=re.compile("Upload")))
    reach(page, record)
    words = panel.locator(".labkit-heard")
    old = words.inner_text()
    page.keyboard.press("Enter")
    panel.locator(".labkit-record", has_text="Stop").wait_for()
    # What is heard now, not before. (Where the kernel is busy, a note of a gap follows "Listening" at once.)
    page.wait_for_function(
        "([list, old]) => list.innerText && list.innerText !== old", arg=[words.element_handle(), old]
    )
    page.keyboard.press("Space")  # the button has kept the focus
    says(panel, "s heard, .* words reported")
    before = picture(panel)
    reach(page, slider, "Shift+Tab")
    page.keyboard.press("Home")
    changed(page, panel, before)
    assert panel.locator(".widget-readout").inner_text() != most


def test_after_random_moves_the_picture_has_the_words_of_the_message(page, panel):
    chance, keys = random.Random(0), ["ArrowLeft", "ArrowRight", "Home", "End"]
    for _ in range(chapters.MOVES):
        move = chance.choice(["slider", "listen"])
        if move == "slider":
            panel.get_by_role("slider").focus()
            page.keyboard.press(chance.choice(keys))
        else:
            press(panel, "Start")
            page.wait_for_timeout(chance.choice([0, 300, 3000]))
            press(panel, "Stop")
        if move != "slider" or panel.locator('[role="status"]', has_text=" s heard").count():
            page.wait_for_function(AGREE, arg=panel.element_handle())
        assert not panel.get_by_text("Note:").count()


def test_a_slow_kernel_is_named_and_what_was_said_meanwhile_is_heard_later(page, panel, folder):
    press(panel, "Start")
    heard(panel)
    (folder / "gate").unlink()
    panel.locator(".labkit-words", has_text="does not answer").wait_for()
    count = panel.locator(".labkit-heard li").count()
    (folder / "gate").touch()
    panel.locator(".labkit-words", has_text="listening").wait_for()
    page.wait_for_function(
        "([list, count]) => list.children.length > count || count >= 8",
        arg=[panel.locator(".labkit-heard").element_handle(), count],
    )
    press(panel, "Stop")
    says(panel, "words reported")
    assert "stream stopped" not in panel.locator('[role="status"]').last.inner_text(), "sound waited, none was lost"


def test_sound_that_waited_too_long_is_left_out_and_named_and_words_go_on(page, panel, folder):
    run(page, PATIENCE)  # from now on one second may wait
    press(panel, "Start")
    heard(panel)
    (folder / "gate").unlink()
    panel.locator(".labkit-words", has_text="The last 1 s wait here").wait_for()
    (folder / "gate").touch()
    says(panel, r"the stream stopped for \d+\.\d s")
    count = panel.locator(".labkit-heard li").count()
    page.wait_for_function(
        "([list, count]) => list.children.length > count",
        arg=[panel.locator(".labkit-heard").element_handle(), count],
    )
    press(panel, "Stop")
    says(panel, "words reported.*the stream stopped")
    run(page, PATIENCE)  # as before


def test_a_page_in_the_background_says_so(page, panel):
    press(panel, "Start")
    says(panel, "Listening")
    panel.locator(".labkit-record", has_text="Stop").wait_for()  # the browser has begun, too
    for hidden, words in (("true", "in the background"), ("false", "Listening")):
        page.evaluate(f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        says(panel, words)
    page.evaluate("delete document.hidden")
    press(panel, "Stop")
    says(panel, "words reported|heard, 0 words")


@pytest.mark.parametrize(
    "name, words",
    [("NotAllowedError", "not allowed to use the microphone"), ("NotFoundError", "No microphone was found")],
)
def test_a_refused_or_missing_microphone_is_a_message(page, panel, name, words):
    page.evaluate(
        "name => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', name)); }", name
    )
    press(panel, "Start")
    says(panel, f"{words}.* press Start again")
    page.evaluate("delete navigator.mediaDevices.getUserMedia")
    assert panel.locator(".labkit-record").inner_text() == "● Start" and panel.locator(".labkit-record").is_enabled()


def test_a_file_is_uploaded_and_its_words_are_shown(page, panel, spoken):
    before = picture(panel)
    with page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name=re.compile("Upload")).click()
    chooser.value.set_files(spoken[1])
    changed(page, panel, before)
    says(panel, f"{SECONDS} s heard, 1 words reported: {spoken[0]}")
    assert panel.locator(".labkit-heard li").count() == 1 and heard(panel).startswith(spoken[0])


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_words_are_readable_in_both_themes(page, panel, dark):
    theme(page, dark)
    for kind in ('[role="status"]', "label", ".labkit-record", ".labkit-heard li", ".labkit-heard strong"):
        for element in panel.locator(f"{kind}:visible").all():
            if element.inner_text().strip():
                assert contrast(page, element) >= 4.5, (kind, element.inner_text())


def test_a_restarted_kernel_is_named_and_the_cell_run_again_listens(page, panel):
    press(panel, "Start")
    heard(panel)
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    panel.locator(".labkit-words", has_text="the kernel was restarted").wait_for()
    assert button(panel, "● Start").is_enabled()
    panel.locator(".labkit-recorder").evaluate("view => view.dataset.old = 'yes'")
    command(page, "notebook:run-all-cells")
    panel.locator(".labkit-recorder:not([data-old])").wait_for()
    press(panel, "Start")
    heard(panel)
    press(panel, "Stop")
    says(panel, "words reported")
