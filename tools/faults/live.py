"""Faults of panels, and of processes."""

import html
import io
import math
import os
import shutil
import signal
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import soundfile
import tiny

import labkit
from labkit.data import download, speech_commands
from labkit.data.store import open_store
from labkit.errors import LabError
from labkit.experiments.run import train
from labkit.experiments.sweep import sweep
from labkit.synthetic.generate import make
from labkit.synthetic.words import SyntheticSize

from .. import kill
from . import FORK, harm, judge
from .archives import packed
from .runs import QUICK, at

# Panels


def panels(scratch, rng):
    at(scratch / "panels")
    made = tiny.make(scratch / "panels" / "tiny")
    good = io.BytesIO()
    soundfile.write(good, tiny.tone("rise", tiny.SPEAKERS[0], seconds=1.0), 16_000, format="WAV")
    good = good.getvalue()
    header = bytearray(good)
    uploads = {how: change for how, change in harm.BYTES.items()}
    uploads |= {
        "promises gigabytes": lambda data, rng: data[:40] + b"\xf0\xff\xff\xff" + data[44:],
        "at 1 Hz": lambda data, rng: data[:24] + b"\1\0\0\0" + data[28:],
        "at 2 GHz": lambda data, rng: data[:24] + b"\xff\xff\xff\x7f" + data[28:],
        "an hour": lambda data, rng: long(3600),
        "of 60 channels": lambda data, rng: long(1, 60),
        "silent": lambda data, rng: bytes(header[:44]) + bytes(32_000),
    }

    def long(seconds, channels=1):
        out = io.BytesIO()
        soundfile.write(out, np.full((8000 * seconds, channels), 0.1, np.float32), 8000, format="WAV", subtype="PCM_U8")
        return out.getvalue()

    def open_lab(place):
        at(place)
        root = shutil.copytree(made, place / "tiny")
        (place / "data").mkdir()
        os.environ.pop("LABKIT_DATA", None)
        lab = labkit.start("panels", data=root, device="cpu")
        os.environ["LABKIT_DATA"] = str(place / "data")
        return root, lab

    labkit.RecorderPanel(open_lab(scratch / "panels" / "warm")[1], word="rise")  # imports what panels need, once

    def uploaded(how, name, place, rng):
        _, lab = open_lab(place)
        panel = labkit.RecorderPanel(lab, word="rise")
        about = {"type": "audio/wav", "last_modified": pd.Timestamp.now(tz="UTC").to_pydatetime()}
        content = how(good, rng)

        def job():
            panel.controls["upload"].value = [{"name": name, "size": len(content), "content": content, **about}]
            return panel.takes, panel.message.value

        return judge(
            job,
            [html.escape(name), "Nothing was heard", "clipped"],
            lambda takes: len(takes) == 1 and len(takes[0][1]) <= 16_000,
        )

    for how, change in uploads.items():
        yield f"upload: {how}", partial(uploaded, change, "mine.wav")
    for how, name in {"markup": "<img src=x>.wav", "long": "x" * 5000 + ".wav", "path": "../../x.wav"}.items():
        yield f"upload: named {how}", partial(uploaded, harm.page, name)

    def typed(which, value, place, rng):
        _, lab = open_lab(place)
        panel = labkit.RecorderPanel(lab, word="rise")
        about = {"type": "audio/wav", "last_modified": pd.Timestamp.now(tz="UTC").to_pydatetime()}
        panel.controls["upload"].value = [{"name": "a.wav", "size": len(good), "content": good, **about}]
        panel.controls[which].value = value

        def job():
            panel.keep.click()
            kept = [path for path in place.rglob("*.wav") if not path.is_relative_to(place / "tiny")]
            assert all(path.is_relative_to(place / "data" / "recordings") for path in kept), "it left its folder"
            return kept, panel.message.value

        return judge(job, [which, repr(value), "Kept as"], lambda kept: kept)

    for value in ("../../evil", "", "a/b", "x" * 300, "con", "a\0b", ".hidden", "a\nb", "ñandú", "rise"):
        yield f"word {value[:10]!r}", partial(typed, "word", value)
        yield f"speaker {value[:10]!r}", partial(typed, "speaker", value)

    def set_to(path, value, place, rng):
        _, lab = open_lab(place)
        panel = labkit.TrainerPanel(lab, QUICK, guess=0.5)
        os.environ["LABKIT_BARS"] = "off"

        def job():
            panel.controls[path].value = value
            panel.train.click()
            panel.wait(20)
            panel.stop.click() if panel.busy else None
            panel.wait(10)
            return panel.run or panel.busy, panel.message.value

        return judge(job, [path.split(".")[-1], path.split(".")[-1].replace("_", " ")], lambda run: True)

    for path, value in (
        *(("feature.n_mels", 10**6), ("feature.sample_rate", 10**9), ("model.hidden", 10**7), ("recipe.batch", 0)),
        *(("feature.seconds", "1e9"), ("model.dropout", 2.0), ("recipe.lr", float("nan")), ("seed", -1)),
        *(("model.layers", 10**6), ("recipe.epochs", -3), ("guess", "lots")),
    ):
        yield f"trainer {path} = {value}", partial(set_to, path, value)

    def deleted(what, place, rng):
        root, lab = open_lab(place)
        panel = labkit.TrainerPanel(lab, QUICK.change(recipe={"epochs": 30}), guess=0.5)

        def job():
            panel.train.click()
            time.sleep(rng.uniform(0, 6))
            for path in (root, place / "cache", place / "results"):
                if path.name in what:
                    shutil.rmtree(path, ignore_errors=True)
            panel.wait(40)
            return not panel.busy and (panel.run is not None or panel.error is not None), panel.message.value

        return judge(job, ["Trained", "tiny", "cache", "results", "delete", "Resume"], lambda over: False)

    for what in (["tiny"], ["cache"], ["results"], ["tiny", "cache"]):
        yield f"deleted under a training: {', '.join(what)}", partial(deleted, what)


# Processes


def training(place):
    at(place)
    train(LONGER, speech_commands.load(SCRATCH / "tiny"), place / "results")


def store(place):
    at(place)
    open_store(speech_commands.load(SCRATCH / "many"), 8000, progress=False)


def swept(place):
    at(place)
    members = [LONGER.change(seed=seed, recipe={"epochs": 4}) for seed in range(4)]
    runs, failed = sweep(members, speech_commands.load(SCRATCH / "tiny"), place / "results", report=lambda line: None)
    if failed:
        raise failed[0][1]
    for run in runs:
        run.test()


def generation(place):
    make(place / "made", SyntheticSize(**kill.SMALL | {"speakers": 3}), workers=2, progress=False)


def fetched(place):
    content = packed([("testing_list.txt", b""), *((f"yes/{n}.wav", bytes([n]) * 50_000) for n in range(30))])
    slow = type("Slow", (Serving,), {"content": content})
    server = ThreadingHTTPServer(("127.0.0.1", 0), slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/x.tar.gz"
    entry = download.Download("x", "x", "x", "x", "testing_list.txt", url=url, size=len(content), unpacked=2_000_000)
    download.DOWNLOADS["x"] = entry
    download.download("x", place / "data")


class Serving(BaseHTTPRequestHandler):
    """A slow server that can go on from the middle."""

    def log_message(self, *words):
        pass

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        self.end_headers()
        for place in range(start, len(self.content), 2000):
            self.wfile.write(self.content[place : place + 2000])
            time.sleep(0.01)


JOBS = {"training": training, "store": store, "sweep": swept, "generation": generation, "download": fetched}
KILLS = {"training": 12, "store": 8, "sweep": 8, "generation": 3, "download": 6}  # of each kind
LONGER = QUICK.change(recipe={"epochs": 12})


def processes(scratch, rng):
    global SCRATCH
    SCRATCH = scratch / "processes"
    at(SCRATCH)
    tiny.make(SCRATCH / "tiny")
    many = tiny.make(SCRATCH / "many")
    for number in range(1500):
        samples = np.random.default_rng(number).normal(0, 0.1, 16_000)
        soundfile.write(many / "fall" / f"{number:08x}_nohash_9.wav", samples, 16_000)

    def start(job, place):
        process = FORK.Process(target=_alone, args=(JOBS[job], place))
        process.start()
        return process

    def ended(process):
        process.join(50)
        return process.exitcode

    def act(job, how, place, rng):
        begin = time.monotonic()
        assert ended(start(job, place / "reference")) == 0
        seconds, expected = time.monotonic() - begin, kill.fingerprint(place / "reference")
        own = place / "product"
        own.mkdir()
        first = start(job, own)
        second = start(job, own) if how == "two" else None
        time.sleep(rng.uniform(0.02, seconds))
        if how == "SIGINT":
            os.kill(first.pid, signal.SIGINT)
        else:
            os.killpg(first.pid, signal.SIGKILL)
        if ended(first) is None or (second is not None and ended(second) is None):
            return "hang", "it did not end"
        if second is not None and second.exitcode != 0 and job != "download":  # which refuses a second one by name
            return "raw", f"the other process ended with {second.exitcode}"
        if ended(start(job, own)) != 0:
            return "damage", "the next run failed"
        found = kill.fingerprint(own)
        return ("correct", "the same bytes") if found == expected else ("damage", "other bytes")

    for job, many in KILLS.items():
        for how in ("SIGKILL", "SIGINT", "two"):
            for number in range(many if how == "SIGKILL" else math.ceil(many / 3)):
                yield f"{job}: {how} {number}", partial(act, job, how)


def _alone(job, place):
    """A process (and a group) of its own, in which an interrupted job ends as it would at the prompt."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        job(place)
    except KeyboardInterrupt:
        os._exit(130)
    except LabError:
        os._exit(2)
    except BaseException:
        os._exit(1)
    os._exit(0)


FAMILIES = {"panels": panels, "processes": processes}
