"""Synthetic accents: each made by its rules and by nothing else, the same bytes each time, no half-made corpus."""

import dataclasses
import re
import wave

import numpy as np
import pytest
import tiny

from labkit import data as corpora
from labkit.data import common_voice
from labkit.data.dialects import classes, same
from labkit.errors import LabError
from labkit.synthetic import espeak
from labkit.synthetic import spanish as synthetic_accents
from labkit.synthetic.acoustics import stream
from labkit.synthetic.generate import make
from labkit.synthetic.spanish import ACCENTS, SENTENCES, SIZES, WHERE, AccentSize, pronounce, rules, speakers, spoken
from tools.kill import fingerprint

pytest_plugins = ["tiny"]


def say_sounds(sounds):
    return espeak.say(f"[[{sounds}]]", "es")


TINY = AccentSize(voices={"train": 1, "dev": 1, "test": 1}, sentences=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data") / "synthetic_common_voice"
    return make(place, TINY, workers=2, progress=False)


@pytest.fixture(scope="module")
def lab_people():
    return speakers(SIZES["lab"])


# The rules


def test_each_rule_names_its_source_and_a_known_place():
    assert {rule.accent for rule in rules()} == set(ACCENTS) and len(ACCENTS) >= 5
    for rule in rules():
        assert re.search(r"\d{4}", rule.source) and rule.what and 0 < rule.chance <= 1
        assert rule.where in WHERE


SPOKEN = {  # what espeak-ng says of a few words, and what each accent makes of it
    "l^'uBja": {"castellano": "J^'uBja", "andaluz": "J^'uBja", "rioplatense": "S'uBja", "andino": "l^'uBja"},
    "Tap'atos": {"castellano": "Tap'atos.", "andaluz": "Tap'ato", "caribeno": "sap'ato", "rioplatense": "sap'atos"},
    "J^'a": {"castellano": "J^'a", "rioplatense": "S'a", "andino": "J^'a"},
    "los k'ampos 'altos": {"caribeno": "loh k'ampoh 'alto", "rioplatense": "loh k'ampos 'altos"},
    "los kaB'al^os kr'uTan": {"rioplatense": "loh kaB'aSoh kr'usan", "andino": "l@s kaB'al^@s kr'usan"},
    "k'axas aT'ules": {"andaluz": "k'ahah aT'ule", "caribeno": "k'ahah as'ule"},
    "'este m'ismo": {"andaluz": "'ehte m'ihmo", "castellano": "'es.te m'is.mo"},
    "s'olo": {"andaluz": "T'olo", "caribeno": "s'olo", "castellano": "s.'olo"},
    "x'ente": {"castellano": "X'ente", "andaluz": "h'ente", "caribeno": "h'ente", "rioplatense": "x'ente"},
    "berD'ad": {"castellano": "berD'aT", "andaluz": "berD'a", "rioplatense": "berD'ad"},
    "kans'aDo": {"caribeno": "kans'ao", "andaluz": "kanT'aDo", "castellano": "kans.'aDo"},
    "k'arne": {"caribeno": "k'alne", "andino": "k'arne"},
    "'amaB**a": {"caribeno": "'amaB**a"},
    "p'eR2o": {"andino": "p'ez.o", "castellano": "p'eR2o"},
    "p'an": {"caribeno": "p'aN", "andino": "p'an"},
    "mutS'atSo": {"andaluz": "muS'aSo", "castellano": "mutS'atSo"},
    "pas'eos d'es": {"andino": "pas'e@s d'es"},
}


@pytest.mark.parametrize("sounds", SPOKEN)
def test_accents_change_sounds_as_their_rules_say(sounds):
    assert {accent: pronounce(sounds, accent) for accent in SPOKEN[sounds]} == SPOKEN[sounds]


def test_no_two_accents_say_all_sentences_alike():
    sounds = spoken(SENTENCES)
    said = {accent: [pronounce(text, accent) for text in sounds] for accent in ACCENTS}
    for one in ACCENTS:
        for other in set(ACCENTS) - {one}:
            unlike = np.mean([a != b for a, b in zip(said[one], said[other], strict=True)])
            assert unlike > 0.9, f"{one} and {other} differ in {unlike:.0%} of the sentences"


def test_a_rule_is_followed_as_often_as_it_says():
    rng = stream("test")
    for strength, chance in ((1.0, 0.8), (0.5, 0.64)):
        said = [pronounce("'este", "rioplatense", rng, strength) for _ in range(2000)]
        assert abs(np.mean([text == "'ehte" for text in said]) - chance) < 0.03
    assert all(pronounce("aT'ul", "caribeno", rng, 0.3) == "as'ul" for _ in range(200)), "what all say, all say"


def test_rules_can_be_left_out_by_how_they_begin():
    said = {
        what: pronounce("J^'a l^'eBo T'inko 'este", "rioplatense", without=what) for what in ("she", "seseo", "s as")
    }
    assert said["she"] == "J^'a l^'eBo s'inko 'ehte"
    assert said["seseo"] == "S'a S'eBo T'inko 'ehte" and said["s as"] == "S'a S'eBo s'inko 'este"


@pytest.mark.slow
def test_each_sound_that_a_rule_says_is_one_that_espeak_knows():
    silent = len(say_sounds("aa")[0])
    for sound in {rule.say for rule in rules() if rule.say}:
        assert len(say_sounds(f"a{sound}a")[0]) > 1.05 * silent, sound


def test_listening_tells_when_each_sound_begins():
    samples, sample_rate, times = say_sounds("k'asa")
    assert [sound for sound, _ in times if sound][:4] == ["k", "'a", "s", "a"]
    begins = [second for _, second in times]
    assert begins == sorted(begins) and begins[-1] <= len(samples) / sample_rate + 0.1


def test_an_unknown_accent_gets_a_suggestion():
    with pytest.raises(LabError, match="no accent called 'andaluza'. Did you mean 'andaluz'"):
        pronounce("a", "andaluza")


# The people: nothing but the sounds may tell the accent


def test_at_least_sixty_people_each_with_a_voice_and_a_part_of_their_own(lab_people):
    assert len(lab_people) >= 60 and len({person.name for person in lab_people}) == len(lab_people)
    own = {person.voice.variant for person in lab_people}
    assert len(own) == len(lab_people), "so no voice is in two parts"
    assert not {"Gene", "Gene2"} <= own and not {"iven", "iven3"} <= own, "near copies"


def test_each_person_says_the_same_sentences_in_every_accent():
    clips, files = SIZES["lab"].plan()
    lines = [line.split("\t") for line in files["validated.tsv"].splitlines()[1:]]
    said = {}
    for name, _, sentence, *_, accent, _, _, _ in lines:
        said.setdefault(name, {}).setdefault(accent, []).append(sentence)
    assert len(said) == len(clips)
    for own in said.values():
        assert sorted(own) == sorted(ACCENTS.values()) and len({tuple(texts) for texts in own.values()}) == 1


def test_too_many_voices_are_refused():
    for voices in ({"train": 100, "dev": 1, "test": 1}, {"train": 5, "dev": 0, "test": 1}):
        with pytest.raises(LabError, match="each part needs one"):
            speakers(dataclasses.replace(TINY, voices=voices))


# The corpus


@pytest.mark.slow
def test_it_is_read_as_common_voice_is(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    corpus = common_voice.load(folder)
    assert corpus.synthetic and corpus.skipped == () and corpus.labels == tuple(sorted(ACCENTS))
    assert corpus.protocol == "its own lists" and corpus.sample_rate == 16_000 and len(corpus) == 15
    assert dict(corpus.clips.split.value_counts()) == {"train": 5, "validation": 5, "test": 5}
    assert (corpus.clips.area == corpus.clips.label).all() and (corpus.clips.fifteen != "").all()
    assert set(corpus.clips.sentence) <= set(SENTENCES) and corpus.clips.seconds.between(1.2, 6.0).all()
    assert corpus.clips.seconds.nunique() > 10, "clips are as long as they need to be"
    assert set(corpus.clips.accent.map(same)) <= classes("es").table.keys()


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(folder, tmp_path):
    again = make(tmp_path / "again", TINY, workers=1, progress=False)
    assert fingerprint(again) == fingerprint(folder)
    assert make(folder, TINY) == folder, "a complete one is left as it is"


def test_other_rules_make_another_corpus(folder, monkeypatch):
    changed = tuple(rule._replace(chance=0.5) for rule in rules())
    monkeypatch.setattr(synthetic_accents, "rules", lambda: changed)
    with pytest.raises(LabError, match="was made with other settings"):
        make(folder, TINY)


@pytest.mark.slow
def test_an_accent_is_in_its_sounds(folder):
    """The same voice says the same sentence in two accents: the clips differ, and one accent twice is the same."""
    text = spoken(["Ella ya llamó a los vecinos."])[0]
    heard = {accent: say_sounds(pronounce(text, accent))[0] for accent in ACCENTS}
    assert len({sound.tobytes() for sound in heard.values()}) == len(ACCENTS)
    assert np.array_equal(heard["andino"], say_sounds(pronounce(text, "andino"))[0])


def test_clips_are_sound_at_16_khz(folder):
    for path in sorted(folder.glob("clips/*.wav"))[:5]:
        with wave.open(str(path)) as file:
            assert file.getframerate() == 16_000 and file.getnchannels() == 1
            assert np.abs(np.frombuffer(file.readframes(-1), "<i2")).max() > 500


def test_a_generation_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic_accents, "pronounce", lambda *given: "V V")  # sounds that espeak-ng does not know
    with pytest.raises(LabError, match="says nothing"):
        make(tmp_path / "corpus", TINY, progress=False)
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


@pytest.mark.skipif(not hasattr(__import__("os"), "killpg"), reason="this system has no SIGKILL")
def test_a_generation_that_is_killed_leaves_nothing_that_looks_finished(tmp_path):
    import os
    import signal
    import time

    source = (
        "import sys, os\nos.setsid()\nfrom labkit.synthetic.generate import make\n"
        "from labkit.synthetic.spanish import AccentSize\n"
        "size = AccentSize(voices={'train': 2, 'dev': 1, 'test': 1}, sentences=6)\n"
        "make(sys.argv[1], size, workers=2, progress=False)"
    )
    process = tiny.program(source, tmp_path / "corpus", wait=False)
    tiny.until(lambda: any(tmp_path.glob(".corpus.*.partial/clips/*.wav")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.1)
    assert not (tmp_path / "corpus").exists()


@pytest.mark.slow
def test_the_registry_knows_that_there_is_a_stand_in(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(synthetic_accents.SIZES, "lab", TINY)
    monkeypatch.setenv("LABKIT_BARS", "off")
    corpus = corpora.find("common_voice", "auto")
    assert corpus.synthetic and corpus.name == "synthetic_common_voice"
    assert corpora.found() == ["common_voice (synthetic_common_voice)"]
    with pytest.raises(LabError, match="common_voice_es is not in .*download common_voice_es"):
        corpora.find("common_voice", "real")
