"""Faults of records and weights, of settings, of panels, and of processes."""

import io
import json
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
from labkit.experiments.experiment import Experiment
from labkit.experiments.records import elsewhere, read_runs, summary, table
from labkit.experiments.run import train
from labkit.experiments.sweep import sweep
from labkit.features import FEATURES
from labkit.models import MODELS, parameters
from labkit.training.augment import Augmentation
from labkit.training.recipe import Recipe

from .. import kill
from . import FORK, harm, judge
from .corpora import packed

QUICK = tiny.quick()
RUN_FILES = ("run.json", "weights.safetensors", "validation.csv.gz", "test.json", "test.csv.gz")


def at(place):
    """Cache and results of this fault alone."""
    os.environ["LABKIT_CACHE"], os.environ["LABKIT_RESULTS"] = str(place / "cache"), str(place / "results")
    os.environ["LABKIT_FIGURES"] = str(place / "figures")


# Records and weights


def records(scratch, rng):
    at(scratch / "records")
    made = tiny.make(scratch / "records" / "tiny")
    corpus, results = speech_commands.load(made), scratch / "records" / "results"
    trained = [train(QUICK.change(seed=seed), corpus, results) for seed in (0, 1)]
    for run in trained:
        run.test()
    good, first = shown(results), trained[0]
    stopped = QUICK.change(seed=2)
    train(stopped, corpus, results, callback=tiny.Interrupt(2))
    half = next(results.rglob("checkpoint.safetensors")).parent

    def act(file, harmed, place, rng):
        at(place)
        own = shutil.copytree(results, place / "results")
        folder = own / first.folder.relative_to(results)
        path = folder / file
        harmed(path, rng)
        names = [folder.name, file, first.id]
        kind, said = judge(lambda: (shown(own), ""), names, lambda found: found == good)
        if kind == "named" and len(read_runs_quietly(own)) != 1:
            return "silent", f"other records are lost, too: {said}"
        if kind not in ("named", "correct"):
            return ("raw" if kind == "named" else kind), said
        again = judge(
            lambda: used(QUICK.change(seed=0), corpus, own), [*names, "weights"], lambda found: found == before
        )
        if again[0] in ("correct", "named"):
            shutil.rmtree(folder)  # the last advice of each message
            if (
                judge(lambda: used(QUICK.change(seed=0), corpus, own), [], lambda found: found == before)[0]
                != "correct"
            ):
                return "damage", again[1]
            return max((kind, said), again, key=lambda one: one[0] == "named")
        return again

    before = used(QUICK.change(seed=0), corpus, results)[0]
    record = json.loads((first.folder / "run.json").read_text())
    test = json.loads((first.folder / "test.json").read_text())

    def bytes_of(how, path, rng):
        path.write_bytes(how(path.read_bytes(), rng))

    def written(value, path, rng):
        path.write_text(json.dumps(value))

    for file in RUN_FILES:
        for how, change in (harm.TEXT if file.endswith("json") else harm.BYTES).items():
            for number in range(2 if how in ("flip", "scramble", "zeros", "cut") else 1):
                yield f"{file}: {how} {number}", partial(act, file, partial(bytes_of, change))
        for how, change in harm.FILE.items():
            yield f"{file}: {how}", partial(act, file, lambda path, rng, change=change: change(path))
        other = trained[1].folder / file
        yield f"{file}: another run's", partial(act, file, lambda path, rng, other=other: shutil.copy(other, path))
        if file.endswith("gz"):
            yield f"{file}: bomb", partial(act, file, partial(bytes_of, harm.bomb))
    for file, value in (("run.json", record), ("test.json", test)):
        ways = [way for way in harm.places(value) if "sounds" not in way]
        top = [way for way in ways if len(way) == 1]
        for way in top:
            yield (
                f"{file}: without {way[0]}",
                partial(act, file, partial(written, harm.change(value, way, delete=True))),
            )
        for way in [*top, *rng.sample(ways, min(30, len(ways)))]:
            other = rng.choice(harm.NONSENSE)
            name = f"{file}: {'.'.join(map(str, way))} is {str(other)[:20]!r}"
            yield name, partial(act, file, partial(written, harm.change(value, way, other)))
        bare = {key: part for key, part in value.items() if key not in ("hash", "of")}  # as the first edition wrote it
        for way in rng.sample(top, min(12, len(top))):
            for other in rng.sample(harm.NONSENSE, 2):
                name = f"{file}: old, {way[0]} is {str(other)[:20]!r}"
                yield (
                    name,
                    partial(act, file, partial(written, harm.change(bare, way, other) if way[0] in bare else bare)),
                )

    def interrupted(file, harmed, place, rng):
        at(place)
        own = shutil.copytree(results, place / "results")
        path = own / half.relative_to(results) / file
        harmed(path, rng)
        kind, said = judge(
            lambda: used(stopped, corpus, own), [path.name, path.parent.name], lambda found: found == aim
        )
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)
        again = judge(lambda: used(stopped, corpus, own), [], lambda found: found == aim)
        return (kind, said) if again[0] == "correct" else ("damage", f"{again[1]} after {said}")

    finished = shutil.copytree(results, scratch / "records" / "finished")
    aim = used(stopped, corpus, finished)[0]
    for file in ("checkpoint.safetensors", "experiment.json"):
        for how, change in harm.BYTES.items():
            for number in range(2):
                yield f"{file}: {how} {number}", partial(interrupted, file, partial(bytes_of, change))
        for how, change in harm.FILE.items():
            yield f"{file}: {how}", partial(interrupted, file, lambda path, rng, change=change: change(path))


def read_runs_quietly(folder):
    return [run for run in tiny.quietly(read_runs, folder) if run.experiment.seed == 1]


def shown(results):
    """What the tables show of all records."""
    runs = read_runs(results)
    for part in ("validation", "test"):
        table(runs, part)
    rows = {run.id: (json.dumps(run.record["history"]), str(run.test()), str(run.validation)) for run in runs}
    elsewhere(runs)
    return str(summary(runs).to_dict("records")), rows


def used(experiment, corpus, results):
    """What a run says once its network is used."""
    run = train(experiment, corpus, results)
    weights = {name: value.tolist() for name, value in run.network.state_dict().items()}
    history = run.history.drop(columns="seconds").to_numpy().tolist()
    found = run.predictions("validation").to_csv(), run.predictions().to_csv(), str(run.test()), history
    return (str(weights), *found), ""


# Settings

VALUES = (*harm.NONSENSE, -math.inf, math.inf, 0.5, 1000, 100_000, 1e6, 10**9, 1e-300, 2**63, "nan", [1, 2])


def settings(scratch, rng):
    at(scratch / "settings")
    made = tiny.make(scratch / "settings" / "tiny")
    corpus = speech_commands.load(made)
    open_store(corpus, 16_000, progress=False)

    def act(way, value, base, place, rng):
        os.environ["LABKIT_RESULTS"] = str(place / "results")
        os.environ["LABKIT_CACHE"] = str(shutil.copytree(scratch / "settings" / "cache", place / "cache"))
        written = json.loads(json.dumps(base))
        part = written
        for key in way[:-1]:
            part = part.setdefault(key, {})
        part[way[-1]] = value

        def job():
            experiment = Experiment.from_dict(written)
            text = json.dumps(experiment.to_dict(), allow_nan=False)
            assert Experiment.from_dict(json.loads(text)) == experiment, "it is not read as it was written"
            run = train(experiment, corpus, place / "results", callback=tiny.Interrupt(1))
            if run is not None:
                json.dumps(run.record, allow_nan=False)
            return experiment, ""

        def meaningful(experiment):
            return not isinstance(value, bool) and value == value

        return judge(job, [way[-1], str(way[-1]).replace("_", " ")], meaningful)

    small = {"feature": {"seconds": 0.55, "hop_ms": 40}, "recipe": {"epochs": 2, "batch": 16}}
    ways = [(("seed",), small), (("corpus", "clips_per_label"), small), (("corpus", "labels"), small)]
    ways += [(("target", name), small) for name in ("column", "classes")]
    ways += [(("split", name), small) for name in ("protocol", "fold", "seed", "validation", "test", "most_clips")]
    ways += [(("recipe", name), small) for name in vars(Recipe())]
    ways += [(("recipe", "augmentation", name), small) for name in vars(Augmentation())]
    for name, kind in FEATURES.items():
        model = {"mfcc": "gru", "mel_frames": "gru", "raw": "audionet"}.get(name, "word_cnn")
        base = small | {"feature": {"name": name, "seconds": 0.55}, "model": {"name": model}}
        ways += (
            [(("feature", setting), base) for setting in vars(kind())] if name in ("mfcc", "raw", "spectrogram") else []
        )
    for model in sorted(MODELS):
        takes = getattr(MODELS[model], "takes", "frames")
        feature = {"name": {"images": "log_mel", "samples": "raw"}.get(takes, "mfcc"), "seconds": 0.55}
        base = small | {"feature": feature, "model": {"name": model}}
        ways += [(("model", setting), base) for setting in parameters(model)]
    every = [(way, value, base) for way, base in ways for value in VALUES]
    huge = [one for one in every if isinstance(one[1], int | float) and one[1] in (1000, 100_000, 1e6, 10**9)]
    for way, value, base in [*rng.sample(every, 170), *rng.sample(huge, 50)]:
        if not isinstance(value, str) or "\0" not in value:
            yield (
                f"{base.get('model', {}).get('name', '')} {'.'.join(way)} = {str(value)[:20]!r}",
                partial(act, way, value, base),
            )


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
            job, [name, "Nothing was heard", "clipped"], lambda takes: len(takes) == 1 and len(takes[0][1]) <= 16_000
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
    exec(kill.GENERATE.replace("sys.argv[1]", "WHERE").replace("sys.argv[2]", "WHAT"), GENERATED(place))


def GENERATED(place):
    return {"WHERE": str(place / "made"), "WHAT": json.dumps(kill.SMALL | {"speakers": 3})}


def fetched(place):
    content = packed([("testing_list.txt", b""), *((f"yes/{n}.wav", bytes([n]) * 50_000) for n in range(30))])
    slow = type("Slow", (Serving,), {"content": content})
    server = ThreadingHTTPServer(("127.0.0.1", 0), slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/x.tar.gz"
    entry = download.Download("x", "x", "x", "x", "testing_list.txt", url, len(content), 2_000_000)
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


FAMILIES = {"records": records, "settings": settings, "panels": panels, "processes": processes}
