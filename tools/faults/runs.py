"""Faults of records and weights, and of settings."""

import json
import math
import os
import shutil
from functools import partial

import tiny

from labkit.data import speech_commands
from labkit.data.splits import Split
from labkit.data.store import open_store
from labkit.experiments.experiment import Experiment, Subset, Target
from labkit.experiments.records import elsewhere, read_runs, summary, table
from labkit.experiments.run import train
from labkit.features import FEATURES
from labkit.models import MODELS, parameters
from labkit.training.augment import Augmentation
from labkit.training.recipe import Recipe

from . import harm, judge

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
        for way in rng.sample(top, min(12, len(top))):  # another number or word, and no hash: nobody can tell
            for other in (None, [[]]):
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

HUGE = (1000, 100_000, 1e6, 10**9)
VALUES = (*harm.NONSENSE, *HUGE, -math.inf, math.inf, 0.5, 1e-300, 2**63, "nan", [1, 2])


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

        return judge(job, [way[-1], way[-1].replace("_", " ")], lambda experiment: value is not True and value == value)

    small = {"feature": {"seconds": 0.55, "hop_ms": 40}, "recipe": {"epochs": 2, "batch": 16}}
    ways = []  # to a setting, its default, and an experiment that has it
    for section, own in (("corpus", Subset()), ("target", Target()), ("split", Split()), ("recipe", Recipe())):
        ways += [((section, name), value, small) for name, value in vars(own).items()]
    ways += [(("recipe", "augmentation", name), value, small) for name, value in vars(Augmentation()).items()]
    for name, model in (("mfcc", "gru"), ("raw", "audionet"), ("spectrogram", "word_cnn")):
        base = small | {"feature": {"name": name, "seconds": 0.55}, "model": {"name": model}}
        ways += [(("feature", setting), value, base) for setting, value in vars(FEATURES[name]()).items()]
    for model in sorted(MODELS):
        feature = {"images": "log_mel", "samples": "raw"}.get(getattr(MODELS[model], "takes", "frames"), "mfcc")
        base = small | {"feature": {"name": feature, "seconds": 0.55}, "model": {"name": model}}
        ways += [(("model", name), setting.default, base) for name, setting in parameters(model).items()]
    every = [(way, value, base) for way, default, base in ways for value in VALUES if type(value) is not type(default)]
    every += [(way, value, base) for way, default, base in ways for value in VALUES if value in HUGE]
    for way, value, base in rng.sample(every, 200):
        name = f"{base.get('model', {}).get('name', '')} {'.'.join(way)} = {str(value)[:20]}"
        yield name, partial(act, way, value, base)


FAMILIES = {"records": records, "settings": settings}
