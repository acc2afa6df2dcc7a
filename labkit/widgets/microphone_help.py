"""What the recorder and the live panel share: what can go wrong with a microphone, in words; uploaded files."""

import io

import numpy as np
import soundfile

from ..data.audio import resample
from ..errors import LabError

RATE = 16_000  # Hz, of what is recorded or uploaded
PHONE = ("m4a", "aac", "mp4", "mov", "webm", "wma", "amr", "3gp")  # what phones and browsers like to write
UPLOAD = "You can also record with another program and upload the file."
PROBLEMS = {  # the browser's name for what went wrong: what to do; {again} is the button to press
    "NotAllowedError": "The browser was not allowed to use the microphone. Press the lock or the microphone beside the "
    f"page's address, allow it, and press {{again}} again. {UPLOAD}",
    "NotFoundError": f"No microphone was found. Plug one in and press {{again}} again. {UPLOAD}",
    "NotReadableError": "The microphone is there but cannot be read: another program may be using it. Close that "
    f"program and press {{again}} again. {UPLOAD}",
    "Unsupported": "This page may not use a microphone: browsers give it only to https:// pages and to localhost, and "
    f"VS Code gives it to none. Open the notebook in a browser on this computer. {UPLOAD}",
    "Empty": "The recording is empty: it was stopped before a sound arrived. Press {again} again.",
    "Ended": "The microphone was unplugged or switched off. Plug it in and press {again} again.",
    "Suspended": "The browser has paused the sound. Click on the page; if nothing moves then, stop and press {again} "
    "again.",
}
PROBLEMS["SecurityError"] = PROBLEMS["NotAllowedError"]
PROBLEMS["OverconstrainedError"] = PROBLEMS["NotFoundError"]


def what_to_do(content, again):
    """A problem that the microphone reports (`name` and `message`), as a sentence; `again` is the button to press."""
    unknown = f"The microphone failed ({content['name']}: {content['message']}). Press {{again}} again. {UPLOAD}"
    return PROBLEMS.get(content["name"], unknown).format(again=again)


def from_file(content, name, longest):
    """The bytes of a sound file of at most `longest` seconds as one channel at 16 kHz: (samples,), float32."""
    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        kind = name.rpartition(".")[2].lower()
        convert = f"Convert it to WAV (`ffmpeg -i {name} clip.wav`)" if kind in PHONE else "Export it again as WAV"
        raise LabError(f"{name}: it cannot be read as audio ({error}). {convert} and upload that.") from error
    if not len(samples):
        raise LabError(f"{name}: it holds no samples. Record it again.")
    if not np.isfinite(samples).all():
        raise LabError(f"{name}: it holds values that are not numbers. Export it again as 16-bit PCM.")
    if len(samples) > longest * rate:
        raise LabError(
            f"{name}: it lasts {len(samples) / rate:.0f} s, and {longest:.0f} s is the most here. Cut it into shorter "
            "files (one for each word if you want to keep them), and upload those."
        )
    return resample(samples.mean(axis=1), rate, RATE)
