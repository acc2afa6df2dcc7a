"""Faults of sounds, and of the tables beside them."""

import json
import os
import shutil
import struct
from functools import partial

import numpy as np
import soundfile
import tiny

from labkit.data import audiomnist, common_voice, folder, speech_commands
from labkit.data.store import open_store
from labkit.files import cache

from . import harm, judge

KINDS = {"wav": {}, "float.wav": {"subtype": "FLOAT"}, "flac": {}, "ogg": {}, "mp3": {}}
CLIPS = 12
LENGTH = 16_000  # samples of each clip
HEADER = {  # where a WAV header says what: (byte, how it is written)
    "riff size": (4, "<I"),
    "format": (20, "<H"),
    "channels": (22, "<H"),
    "rate": (24, "<I"),
    "bytes a second": (28, "<I"),
    "bytes a frame": (32, "<H"),
    "bits": (34, "<H"),
    "data size": (40, "<I"),
}
NUMBERS = (0, 1, 2, 3, 100, 4000, 16_001, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFF0, 0xFFFFFFFF)
NAMES = {
    "\\r": "a\rb_1",
    "\\n": "a\nb_1",
    "comma": "a,b_1",
    "quote": 'a"b_1',
    "not UTF-8": os.fsdecode(b"a\xff\xfe_1"),
    "long": "a_" + "b" * 240,
    "space": " a _1",
    "percent": "a%s{x}_1",
    "RTL": "a\u202eb_1",
    "decomposed": "an\u0303a_1",
}


def recordings(place, kind):
    """Twelve clips of one second by six people, in one format."""
    for number in range(CLIPS):
        rng = np.random.default_rng(number)
        phase = np.cumsum(2 * np.pi * rng.uniform(200, 2000) / 16_000 * np.linspace(0.5, 1.5, LENGTH))
        path = place / ("yes", "no")[number % 2] / f"p{number // 2}_{number}.{kind.split('.')[-1]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(phase) + 0.01 * rng.standard_normal(LENGTH), 16_000, **KINDS[kind])
    return place


def heard(place, load=folder.load):
    """(name and samples of each clip that can be used, notes); every clip is there or counted."""
    corpus = load(place)
    store = open_store(corpus, 16_000, progress=False)
    corpus = corpus.without(store.problems)
    rows = store.index.index.get_indexer(corpus.clips.path)
    return dict(zip(corpus.clips.path, (store.rows([row])[0][0] for row in rows), strict=True)), " ".join(
        corpus.skipped
    )


def whole(sounds, clips=CLIPS, length=LENGTH):
    """Whether all clips are there with all they held (an MP3 may have some silence more)."""
    return len(sounds) == clips and all(length * 0.97 <= len(samples) for samples in sounds.values())


def sounds(scratch, rng):
    ready = {kind: recordings(scratch / "sounds" / kind, kind) for kind in KINDS}

    def act(harmed, kind, mend, place, rng):
        root = shutil.copytree(ready[kind], place / "mine")
        os.environ["LABKIT_CACHE"] = str(place / "cache")
        path = rng.choice(sorted(root.rglob("*.*")))
        before = path.read_bytes()
        harmed(path, rng)

        return judge(lambda: heard(root), [path.stem], whole, partial(harm.put_back, path, before) if mend else None)

    def bytes_of(how, path, rng):
        path.write_bytes(how(path.read_bytes(), rng))

    def field(name, value, path, rng):
        place, form = HEADER[name]
        data = bytearray(path.read_bytes())
        struct.pack_into(form, data, place, value & (0xFFFF if form == "<H" else 0xFFFFFFFF))
        path.write_bytes(data)

    def named(name, path, rng):
        path.rename(path.with_name(name + path.suffix))

    for kind in KINDS:
        for how, change in harm.BYTES.items():
            for time in range(3 if kind in ("mp3", "ogg") else 2):
                yield f"{kind}: {how} {time}", partial(act, partial(bytes_of, change), kind, True)
    for name in HEADER:
        for value in rng.sample(NUMBERS, 6):
            yield f"wav: {name} {value}", partial(act, partial(field, name, value), "wav", True)
    for how, change in sorted(harm.FILE.items() - {("gone", harm.gone)}):  # nobody knows of a clip that is not there
        yield f"wav: {how}", partial(act, lambda path, rng, change=change: change(path), "wav", True)

    def called(name, place, rng):
        root = shutil.copytree(ready["wav"], place / "mine")
        os.environ["LABKIT_CACHE"] = str(place / "cache")
        path = rng.choice(sorted(root.rglob("*.wav")))
        path.rename(path.with_name(f"{name}.wav"))
        return judge(
            lambda: heard(root), [name, name.encode(errors="backslashreplace").decode(), repr(name)[1:-1]], whole
        )

    for how, name in NAMES.items():
        yield f"name: {how}", partial(called, name)

    def cached(pattern, how, place, rng):
        root = shutil.copytree(ready["wav"], place / "mine")
        os.environ["LABKIT_CACHE"] = str(place / "cache")
        good = heard(root)[0]
        path = rng.choice(sorted(cache().glob(pattern)))
        if how in harm.FILE:
            harm.FILE[how](path)
        else:
            path.write_bytes(harm.BYTES[how](path.read_bytes(), rng))

        def same(found):
            return found.keys() == good.keys() and all(np.array_equal(found[key], good[key]) for key in good)

        told = judge(lambda: heard(root), [path.name, path.parent.name], same)
        shutil.rmtree(cache())
        return told if judge(lambda: heard(root), [], same)[0] == "correct" else ("damage", told[1])

    for pattern in ("headers-*/*.csv.gz", "stores/*/*.csv.gz"):
        for how in ("cut", "emptied", "flip", "dropped", "gone", "to_folder"):
            yield f"cache: {pattern} {how}", partial(cached, pattern, how)
    for how in ("cut", "emptied", "twice", "gone", "to_folder"):
        yield f"cache: stores/*/*.int16 {how}", partial(cached, "stores/*/*.int16", how)


# Tables


def voices(place):
    """A release of Common Voice: 12 clips by 6 people."""
    clips = place / "clips"
    clips.mkdir(parents=True)
    head = "client_id path sentence up_votes down_votes age gender accents variant locale segment".split()
    lines = ["\t".join(head)]
    for number in range(CLIPS):
        soundfile.write(clips / f"c{number}.wav", 0.1 * np.random.default_rng(number).standard_normal(8000), 16_000)
        cells = [f"p{number // 2}", f"c{number}.wav", "hola", "2", "0", "", "", "México", "", "es", ""]
        lines.append("\t".join(cells))
    (place / "validated.tsv").write_text("\n".join(lines) + "\n")
    durations = ["clip\tduration[ms]", *(f"c{number}.wav\t500" for number in range(CLIPS))]
    (place / "clip_durations.tsv").write_text("\n".join(durations) + "\n")
    return place


def listed(place):
    """Recordings with a table."""
    lines = ["path,label,speaker"]
    for path in sorted(recordings(place, "wav").rglob("*.wav")):
        lines.append(f"{path.relative_to(place).as_posix()},{path.parent.name},{path.stem.split('_')[0]}")
    (place / "clips.csv").write_text("\n".join(lines) + "\n")
    return place


def digits(place):
    people = {}
    for speaker in ("01", "02", "03"):
        (place / "data" / speaker).mkdir(parents=True)
        people[speaker] = {"accent": "german", "age": 30, "gender": "male", "native speaker": "no", "origin": "x"}
        for digit in range(4):
            sound = 0.1 * np.random.default_rng(digit).standard_normal(4800)
            soundfile.write(place / "data" / speaker / f"{digit}_{speaker}_0.wav", sound, 16_000)
    (place / "data" / audiomnist.META).write_text(json.dumps(people))
    return place


CELLS = {
    **{"NUL": "\0", "dot": ".", "dots": "..", "long": "x" * 300, "very long": "x" * 200_000, "outside": "../../secret"},
    **{"absolute": "/etc/passwd", "\\r": "a\rb", "quote": '"', "tab": "a\tb", "nothing": "", "surrogate": "\\ud800"},
    **{"formula": "=1+1", "slash": "/", "drive": "C:\\x.wav", "number": "1e400", "nan": "nan", "home": "~/x.wav"},
}
TABLES = {  # reader, what makes the corpus, its table, how cells stand in it
    "common voice": (common_voice.load, voices, "validated.tsv", "\t"),
    "durations": (common_voice.load, voices, "clip_durations.tsv", "\t"),
    "clips.csv": (folder.load, listed, "clips.csv", ","),
    "audiomnist": (audiomnist.load, digits, f"data/{audiomnist.META}", None),
    "lists": (speech_commands.load, tiny.make, "testing_list.txt", "/"),
}


def metadata(scratch, rng):
    ready = {name: make(scratch / "tables" / name) for name, (_, make, *_) in TABLES.items()}
    (scratch / "secret").write_text("secret")

    def act(name, harmed, place, rng):
        load, _, table, _ = TABLES[name]
        root = shutil.copytree(ready[name], place / "mine")
        os.environ["LABKIT_CACHE"] = str(place / "cache")
        path = root / table
        before = path.read_bytes()
        good = load(root)
        if harmed in harm.FILE.values():
            harmed(path)
        else:
            harmed(path, rng)

        def job():
            corpus = load(root)
            assert not any("secret" in said or "passwd" in said for said in corpus.clips.path), "it left its folder"
            notes = [note for note in corpus.skipped if note not in good.skipped]
            return corpus, " ".join(notes)

        def same(corpus):
            return len(corpus) == len(good) and set(corpus.clips.path) == set(good.clips.path)

        return judge(
            job, [path.name, path.stem, "lines", "left out", root.name], same, partial(harm.put_back, path, before)
        )

    def bytes_of(how, path, rng):
        path.write_bytes(how(path.read_bytes(), rng))

    def cell(value, between, path, rng):
        lines = path.read_text().split("\n")
        number = rng.randrange(1, len(lines) - 1)
        cells = lines[number].split(between)
        cells[rng.randrange(min(len(cells), 3))] = value
        lines[number] = between.join(cells)
        path.write_text("\n".join(lines))

    for name, (_, _, _, between) in TABLES.items():
        for how, change in harm.TEXT.items():
            yield f"{name}: {how}", partial(act, name, partial(bytes_of, change))
        for how, change in harm.FILE.items():
            yield f"{name}: {how}", partial(act, name, change)
        for how, value in CELLS.items() if between else ():
            yield f"{name}: a cell is {how}", partial(act, name, partial(cell, value, between))


FAMILIES = {"sounds": sounds, "metadata": metadata}
