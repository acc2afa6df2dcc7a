"""What all panels share: controls, a picture, a message; and a picture for readers without a kernel."""

import base64
import html
import struct
import sys
from contextlib import contextmanager

import ipywidgets
from ipywidgets import Layout
from matplotlib.figure import Figure

from ..data.audio import read_audio, wav_bytes
from ..errors import LabError, choose
from ..plots import quick, render, stamp

LOOK = {"style": {"description_width": "6.5em"}, "layout": {"width": "20.5em"}}  # three beside each other in a window
VIEW = "application/vnd.jupyter.widget-view+json"
# ipywidgets marks what the page still shows of a kernel that is gone; then, and only then, this is seen.
GONE = """<style>.labkit-gone {display: none} .jupyter-widgets-disconnected .labkit-gone {display: block}
.jupyter-widgets :focus-visible {outline: 3px solid #d55e00 !important; outline-offset: 1px}</style>
<div class="labkit-gone" role="alert"><b>The kernel was restarted, and this panel with it is gone.</b> Run the cells
above, then this cell again (menu Run: Run All Above Selected Cell).</div>"""
NO_SOUND = "Run {} was read without its recordings. Pass what lab.train(run.experiment) returns."


class Panel:
    """Base of the panels: a subclass adds controls and has two methods.

    `draw` returns the picture of the present state and its description, (Figure, str); `rows` what stands on the page,
    from top to bottom: widgets, names of controls, and tuples of these for a row.

    `controls` are the inputs by name; `figure` is the picture of the present state, `alt` the same in words, and `said`
    the message below it. `picture`, `message` and `sounds` are the widgets that show these.
    """

    def __init__(self, lab):
        self.lab, self.controls, self.sounds = lab, {}, []
        self.corpus = lab.data  # that is shown
        self.figure, self.said, self.alt = None, "", type(self).__name__
        # HTML, not an Output widget: that one catches what other cells print, and no test can run it
        self.picture, self.message = ipywidgets.HTML(layout={"overflow": "auto hidden"}), ipywidgets.HTML()
        self.players, self.held = [], False

    @property
    def synthetic(self):
        """Whether what the panel shows rests on synthetic speech."""
        return self.corpus.synthetic

    def still(self):
        """What a page shows where no kernel runs: (PNG, description)."""
        return self.render(self.figure), self.alt

    def add(self, name, kind, call=None, label=None, **settings):
        """Add an input, of a class of ipywidgets; `call` is called when its value changes."""
        self.controls[name] = getattr(ipywidgets, kind)(description=label or name, **{**LOOK, **settings})
        if call is not None:
            self.controls[name].observe(lambda change: self.attempt(call), "value")

    def button(self, name, icon, call, **settings):
        """A button; `call` is called when it is pressed."""
        button = ipywidgets.Button(description=name, icon=icon, **settings)
        button.on_click(lambda button: self.attempt(call))
        return button

    def add_player(self, **look):
        """Room for a sound, with its title above."""
        self.sounds.append(ipywidgets.Audio(format="wav", autoplay=False, loop=False, layout={"max_width": "100%"}))
        self.players.append(ipywidgets.VBox([ipywidgets.HTML(), self.sounds[-1]], layout=Layout(**look)))

    def play(self, sounds):
        """Offer sounds to listen to, a dict from titles to (samples, sample rate in Hz); players without are hidden."""
        for number, player in enumerate(self.players):
            player.layout.display = None if number < len(sounds) else "none"
        for player, (title, (samples, sample_rate)) in zip(self.players, sounds.items(), strict=False):
            player.children[0].value, player.children[1].value = title, wav_bytes(samples, sample_rate)

    def attempt(self, call, *args):
        """Call something; a mistake that a student can mend becomes the message."""
        try:
            call(*args)
        except (LabError, ValueError) as error:
            self.say(str(error), wrong=True)

    @contextmanager
    def drawn_once(self):
        """Several controls move; the panel is drawn when all have, not after each."""
        outer, self.held = self.held, True
        try:
            yield
        finally:
            self.held = outer
        self.redraw()

    def redraw(self):
        """Draw the present state; where that fails, the old picture stays."""
        if not self.held:
            self.attempt(self._draw)

    def _draw(self):
        self.figure, self.alt = self.draw()
        self.picture.value = image(self.quick(self.figure), self.alt)

    def quick(self, figure):
        """A figure as PNG bytes for the page, drawn while the reader waits."""
        return quick(figure, self.synthetic)

    def render(self, figure):
        """A figure as PNG bytes, stamped if it rests on synthetic speech."""
        if self.synthetic:
            stamp(figure)
        return render(figure)

    def say(self, text, wrong=False):
        """Show a message below the picture."""
        self.said = text
        # a bar beside the words, which keep the colour of the theme: legible on white and on black
        bar = "border-left: 5px solid #d55e00; padding-left: 8px; " if wrong else ""
        style = f"{bar}line-height: 1.5; white-space: normal; max-width: 60em"
        words = f"{'<b>Note:</b> ' if wrong else ''}{html.escape(text)}"
        self.message.value = f'<div role="status" aria-live="polite" style="{style}">{words}</div>{GONE}'

    def row(self, *items):
        """Widgets side by side; what does not fit goes to the next line, as it does when the page is zoomed."""
        widgets = [self.controls[item] if isinstance(item, str) else item for item in items]
        return ipywidgets.HBox(widgets, layout=Layout(flex_flow="row wrap", width="100%"))

    def view(self):
        """All that stands on the page, as one widget."""
        lines = [self.row(*(line if isinstance(line, tuple) else [line])) for line in self.rows()]
        return ipywidgets.VBox(lines, layout=Layout(width="100%"))

    def _repr_mimebundle_(self, include=None, exclude=None):
        """The live panel, and beside it its picture: what a web page shows when no kernel runs."""
        if "google.colab" in sys.modules:  # it shows widgets that are not its own only when asked
            from google.colab import output

            output.enable_custom_widget_manager()
        data = {"text/plain": f"{type(self).__name__}: {self.said}"}
        # written out, since Colab's ipywidgets 7 has no _repr_mimebundle_
        data[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self.view().model_id}
        png, alt = self.still()
        data["image/png"] = base64.b64encode(png).decode()
        return data, {"image/png": {"alt": alt}}


class ClipPanel(Panel):
    """A panel that shows one clip of `corpus`, chosen by the controls `word` and `speaker`."""

    def add_clip(self, labels, word, speaker):
        """Add the two controls; `word` (by default the first label) and `speaker` are shown first."""
        word = word or labels[0]
        choose(word, dict.fromkeys(labels), f"label of {self.corpus.name}")
        self.add("word", "Dropdown", self.new_word, options=labels, value=word)
        self.add("speaker", "Dropdown", self.redraw)
        self.add_player()
        self.new_word()
        if speaker is not None:
            names = [name for _, name in self.controls["speaker"].options]
            choose(speaker, dict.fromkeys(names), f"speaker who says {word!r}")
            self.controls["speaker"].value = speaker

    @property
    def clip(self):
        """The row of the corpus' table that is shown."""
        clips = self.corpus.clips
        chosen = (clips.label == self.controls["word"].value) & (clips.speaker == self.controls["speaker"].value)
        return clips[chosen].iloc[0]

    def hear(self, sample_rate):
        """The clip at a rate in Hz, which can then be listened to: (samples, who says what)."""
        clip = self.clip
        samples, _ = read_audio(self.corpus.root / clip.path, sample_rate)
        self.play({"": (samples, sample_rate)})
        return samples, f"{clip.label!r} by speaker {clip.speaker} ({clip.split} part)"

    def new_word(self):
        """Offer the speakers of the word; the same one stays if they say this word too."""
        clips, speaker = self.corpus.clips, self.controls["speaker"]
        clips = clips[clips.label == self.controls["word"].value].drop_duplicates("speaker").sort_values("speaker")
        before, names = speaker.value, list(clips.speaker)
        with self.drawn_once():
            speaker.options = list(zip(clips.speaker + " (" + clips.split + ")", names, strict=True))
            speaker.value = before if before in names else names[0]


def image(png, alt):
    """A PNG as HTML. (The Image widget knows no description for those who cannot see it.)

    Its size is known and it is decoded at once: nothing jumps or flickers. A narrow window scrolls it: still legible.
    """
    width, height = struct.unpack(">II", png[16:24])
    look = f'width="{width}" height="{height}" decoding="sync" style="max-width: max(100%, 40em); height: auto"'
    return f'<img {look} alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def empty_figure(width, height):
    """A figure outside of pyplot, so that no notebook draws it a second time (inches)."""
    return Figure(figsize=(width, height), layout="constrained", dpi=100)


def empty_picture(width, height, words):
    """A figure that holds nothing but a sentence."""
    figure = Figure(figsize=(width, height), layout="none", dpi=100)
    figure.text(0.5, 0.5, words, ha="center", va="center", color="0.35")
    return figure
