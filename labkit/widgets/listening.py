"""What the recorder and the live panel share: sound from the browser's microphone, or from uploaded files."""

import io

import numpy as np
import soundfile

from ..data.audio import SCALE, resample, whole_sound
from ..errors import LabError
from .browser import Microphone
from .panel import Panel

RATE = 16_000  # Hz, of what is recorded or uploaded
HIDDEN = "This page is in the background now. Listening goes on; the browser may give it less time."
PROBLEMS = {  # the browser's name for what went wrong, in words
    "NotAllowedError": "The browser was not allowed to use the microphone. Click the lock or the microphone beside the "
    "page's address, and allow it.",
    "NotFoundError": "No microphone was found. Plug one in.",
    "NotReadableError": "The microphone cannot be read: another program may be using it. Close that program.",
    "Unsupported": "This page may not use a microphone: browsers allow it only on https:// pages and on localhost, and "
    "VS Code never. Open the notebook in a browser on this computer.",
    "Ended": "The microphone was unplugged or switched off. Plug it in.",
    "Suspended": "The browser has paused the sound. Click on the page; if the level still does not move, press Stop.",
}


class ListeningPanel(Panel):
    """Base of the panels that listen to the microphone (`begin`, `block`, `end`) and to uploaded files (`take`)."""

    synthetic = False  # until a recording is heard that says otherwise

    def __init__(self, lab, press, longest, multiple=False, **microphone):
        super().__init__(lab)
        self.press, self.longest = press, longest  # name of the button; seconds of an uploaded file
        self.microphone, self._session = Microphone(**microphone), None
        self.microphone.on_msg(lambda widget, content, buffers: self.receive(content, buffers))
        look = {"accept": "audio/*,.wav,.flac,.ogg,.mp3", "style": {}, "layout": {}}
        self.add("upload", "FileUpload", self._uploaded, "Upload", multiple=multiple, **look)

    def receive(self, content, buffers=()):
        """What the browser sends: see `Microphone`."""
        kind, session = content["kind"], content.get("session")
        if kind == "problem":
            unknown = f"The microphone failed ({content['name']}: {content['message']})."
            on = f"To go on, press {self.press} again, or upload a file that was recorded with another program."
            self.say(f"{PROBLEMS.get(content['name'], unknown)} {on}", wrong=True)
        elif kind == "start":
            self._interrupt()  # the panel is shown twice: the newer one speaks
            self._session = session
            self.begin()
            self.say("Listening.")
        elif session != self._session:
            self.microphone.send({"kind": "end", "session": session})
        elif kind == "block":
            samples = np.frombuffer(buffers[0], "<i2").astype(np.float32) / SCALE
            answer = {"kind": "heard", "session": session, "upto": content["start"] + len(samples)}
            self.microphone.send(answer | self.block(samples, content["sample_rate"], content["start"]))
        elif kind == "stop":
            self._session = None
            self.end()
        else:  # hidden, visible, resumed
            self.say(HIDDEN if kind == "hidden" else "Listening.")

    def _interrupt(self):
        """Tell the page that listens, if one does, that its session is over."""
        if self._session:
            self.microphone.send({"kind": "end", "session": self._session})
        self._session = None

    def _uploaded(self):
        files, problems = self.controls["upload"].value, []
        if not files:
            return
        self.controls["upload"].set_trait("value", type(files)())  # so that the same file can be uploaded again
        self._interrupt()  # a file ends the listening: two sounds at once would be taken for one
        if isinstance(files, dict):  # ipywidgets 7, on Colab
            files = [{"name": name, **file} for name, file in files.items()]
        self.batch = []  # what becomes of them, for panels that take several at once
        with self.drawn_once():
            for file in files:
                try:
                    self.take(file["name"], from_file(bytes(file["content"]), file["name"], self.longest))
                except LabError as error:
                    problems.append(f"{file['name']}: {error}")
        if problems:
            self.say(" ".join(problems), wrong=True)


def from_file(content, name, longest):
    """The bytes of a sound file of at most `longest` seconds as one channel at 16 kHz: (samples,), float32."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            sample_rate, seconds = file.samplerate, file.frames / file.samplerate
            samples = whole_sound(file) if seconds <= longest else None
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        mend = f"Export it again as WAV, or convert it (`ffmpeg -i {name} clip.wav`), and upload that."
        raise LabError(f"it cannot be read as audio ({error}). {mend}") from error
    if samples is None:
        wrong = f"it lasts {seconds:.0f} s, and {longest:.0f} s is the most here"
        raise LabError(f"{wrong}. Cut it into shorter files, and upload those.")
    if not len(samples):
        raise LabError("it holds no samples. Record it again.")
    if not np.isfinite(samples).all():
        raise LabError("it holds values that are not numbers. Export it again as 16-bit PCM.")
    return resample(samples.mean(axis=1), sample_rate, RATE)
