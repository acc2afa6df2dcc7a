"""The panels of the notebooks in JupyterLab, in a real browser: one server and one notebook, panel after panel."""

import random

import chapters
import in_jupyter
import pytest
from around import required
from in_jupyter import cell, theme
from test_browser_panels import button, changed, contrast, picture, says

NAMES = [name for name in chapters.SHORTER if required("weekly") or name not in chapters.LONG]
CELLS = ["import chapters", *(f"panel = chapters.panel({name!r})\npanel" for name in NAMES)]
PANELS = range(1, len(CELLS))
EACH = [pytest.param(number, id=name) for number, name in zip(PANELS, NAMES, strict=True)]
if not required("weekly"):
    EACH += [pytest.param(None, id=name, marks=pytest.mark.weekly) for name in chapters.LONG]
TRAINED = 1  # a panel with the button "Train this one"
KEYS = {"03_Resultados_2": "ArrowLeft"}  # its slider starts at the end
KEYS |= {"04_mel_cnn": "Space", "07_accent_classification": "Space"}  # they have boxes to tick only
# Whether the caption has, for each control, its name and what it shows; and whether the picture is that of the caption.
AGREE = """panel => {
    const said = panel.querySelector('[role="status"]').innerText;
    const shown = [...panel.querySelectorAll('.widget-hslider, .widget-dropdown, .widget-checkbox, .widget-text')];
    const words = shown.map(control => {
        const box = control.querySelector('input[type="checkbox"]'), choice = control.querySelector('select');
        if (box) return `${control.innerText.trim()} ${box.checked ? 'on' : 'off'}`;
        const typed = control.querySelector('input')?.value ?? control.querySelector('.widget-readout')?.innerText;
        const value = choice ? choice.selectedOptions[0].text : typed;
        return `${control.querySelector('label').innerText} ${value}`.replace(/\\s/g, ' ');  // they may not break
    });
    return words.length > 0 && words.every(each => said.includes(each)) && panel.querySelector('img').alt === said;
}"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The notebook with all panels, run; on a busy machine that takes minutes."""
    folder = tmp_path_factory.mktemp("tinker")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_jupyter, "PATIENCE", 900_000)
        with in_jupyter.opened(browser, folder, CELLS, LABKIT_DATA="synthetic") as page:
            yield page


def moved(page, panel, key):
    """Press a key on the first slider of a panel, or on its first box, and wait for the picture of the new settings."""
    image = panel.locator("img").first
    before = image.get_attribute("alt")  # two settings may look the same
    panel.get_by_role("checkbox" if key == "Space" else "slider").first.focus()
    page.keyboard.press(key)
    other = "([panel, before]) => panel.querySelector('img').alt !== before"
    page.wait_for_function(other, arg=[panel.element_handle(), before])


@pytest.mark.parametrize("number", EACH)
def test_a_slider_moved_by_the_keyboard_redraws_and_the_caption_follows(page, number):
    panel = cell(page, number)
    image = panel.locator("img").first
    image.wait_for()
    size = [image.evaluate(f"image => image.{side}") for side in ("naturalWidth", "width", "height")]
    assert size[0] > 700 and image.get_attribute("decoding") == "sync" and size[1] > 500
    code = panel.get_by_label("as code")
    moved(page, panel, KEYS.get(NAMES[number - 1], "ArrowRight"))
    said = panel.locator('[role="status"]').first.inner_text()
    assert image.get_attribute("alt") == said, "the picture is that of the caption"
    name, value = code.input_value().partition("(")[2].partition(",")[0].split("=")
    word = "on" if value == "True" else value.strip("'").removesuffix(".0")
    says(panel, f"{name} {word}")
    assert image.evaluate("image => image.height") == size[2], "nothing jumps"


@pytest.mark.parametrize("number", EACH)
def test_after_random_moves_the_caption_is_that_of_the_controls(page, number):
    """Five moves at a time, as fast as a hand: the kernel has not drawn the first when the last comes."""
    panel, chance = cell(page, number), random.Random(0)
    controls = panel.locator('[role="slider"], input[type="checkbox"], select, input[type="number"]').all()
    for move in range(chapters.MOVES):
        control = chance.choice(controls)
        control.focus()
        if control.get_attribute("role") == "slider":
            page.keyboard.press(chance.choice(["ArrowLeft", "ArrowRight"]))
        elif control.get_attribute("type") == "checkbox":
            page.keyboard.press("Space")
        elif control.get_attribute("type") == "number":
            control.fill(str(chance.choice([20, 50, 80])))
            page.keyboard.press("Enter")
        else:
            control.select_option(index=chance.randrange(control.locator("option").count()))
        if move % 5 == 4:
            page.wait_for_function(AGREE, arg=panel.element_handle())
            assert not panel.get_by_text("Note:").count()
    button(panel, "Reset").click()
    page.wait_for_function(AGREE, arg=panel.element_handle())


def test_reset_and_a_choice_by_its_label(page):
    panel = cell(page, TRAINED)
    before = picture(panel)
    panel.get_by_label("cell", exact=True).select_option("GRU")
    changed(page, panel, before)
    says(panel, "cell GRU")
    button(panel, "Reset").focus()
    page.keyboard.press("Space")
    says(panel, "cell RNN, weights uniform, normalise off")


def test_train_this_one_opens_a_trainer_that_asks_for_a_guess(page):
    panel = cell(page, TRAINED)
    button(panel, "Train this one").focus()
    page.keyboard.press("Enter")
    says(panel, "First write your guess")
    assert panel.get_by_label("lr", exact=True).input_value() == "0.0002"


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_words_are_readable_in_both_themes_and_nothing_is_cut_off(page, dark):
    theme(page, dark)
    for width in (1280, 1024, 640):  # 1024 is what 125% leaves of 1280
        page.set_viewport_size({"width": width, "height": 900})
        for number in PANELS:
            panel = cell(page, number)
            box = panel.bounding_box()
            for element in panel.locator("input:visible, select:visible, button:visible, .widget-html:has(img)").all():
                found = element.bounding_box()
                assert found["x"] + found["width"] <= box["x"] + box["width"] + 1, (number, width)
    for number in PANELS:
        for element in (
            cell(page, number).locator('[role="status"]:visible, label:visible, .widget-readout:visible').all()
        ):
            if element.inner_text().strip():
                assert contrast(page, element) >= 4.5, (number, element.inner_text())
    page.set_viewport_size({"width": 1280, "height": 1000})


def test_after_a_restart_of_the_kernel_each_panel_says_what_to_do(page):
    notes = page.locator(".labkit-gone:visible")
    assert notes.count() == 0
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    cell(page, 1).locator(".labkit-gone:visible").first.wait_for()
    for number in PANELS:
        assert "Run the cells above" in " ".join(cell(page, number).locator(".labkit-gone:visible").all_inner_texts())
