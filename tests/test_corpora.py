"""What a corpus is: its table, its fingerprint, its parts; and Speech Commands read from a folder."""

import os
import sys

import pandas as pd
import pytest
import soundfile
import tiny
from tiny import SPEAKERS, TEST, VALIDATION, table_corpus

from labkit import data as corpora
from labkit.data import MARKER, speech_commands
from labkit.data.corpus import Corpus, parts_by_speaker
from labkit.data.layout import audio_files, scan, states, usable
from labkit.data.speech_commands import protocol_of, published_part
from labkit.errors import LabError

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")


def corpus_of(table, labels=("no", "yes"), **changes):
    return Corpus("table", None, 16_000, labels, "none", False, table, **changes)


# The table


def test_the_tiny_corpus_is_what_it_should_be(corpus):
    clips = corpus.clips
    assert len(corpus) == 72 and corpus.labels == ("fall", "hold", "rise") and corpus.sample_rate == 16_000
    assert not corpus.synthetic and corpus.licence == "CC BY 4.0" and corpus.name == "tiny" and corpus.skipped == ()
    assert corpus.noises == ("_background_noise_/hiss.wav",)
    assert set(corpus.part("test").speaker) == set(TEST) and set(corpus.part("validation").speaker) == set(VALIDATION)
    assert [len(corpus.part(part)) for part in ("train", "validation", "test")] == [36, 18, 18]
    assert sorted(clips.repetition.unique()) == [0, 1] and sorted(clips.seconds.unique()) == [0.4, 0.45, 0.5, 0.55]
    assert repr(corpus) == (
        "tiny: 72 clips of 12 speakers, 3 labels, 16,000 Hz (its own lists: train 36, validation 18, test 18)"
    )
    with pytest.raises(LabError, match="no part called 'tests'. Did you mean 'test'"):
        corpus.part("tests")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="speaker"), "lacks the columns .'speaker'.*must fill"),
        (lambda table: pd.concat([table, table[:1]]), r"lists no/s000_0\.wav twice"),
        (lambda table: table.assign(label="maybe"), "clips of maybe, which are not among its labels"),
        (lambda table: table.assign(split="dev"), "in the parts dev.*one of"),
        (lambda table: table.assign(speaker=7), r"no/s000_0\.wav.*speaker.*text"),
        (lambda table: table.assign(speaker=table.speaker.where(table.label == "no")), r"yes/s000_0\.wav.*speaker"),
        (lambda table: table.assign(speaker=""), r"no/s000_0\.wav.*speaker"),
    ],
)
def test_a_table_that_breaks_the_contract_is_refused(change, message):
    with pytest.raises(LabError, match=message):
        corpus_of(change(table_corpus().clips))


# The fingerprint


def test_a_fingerprint_is_of_the_table_and_nothing_else(made, folder):
    here, there = speech_commands.load(made), speech_commands.load(folder)
    assert here.fingerprint == there.fingerprint, "another folder"
    moved = folder.rename(folder.with_name("another name"))
    assert speech_commands.load(moved).fingerprint == here.fingerprint, "another name"
    mixed = here.clips.sample(frac=1, random_state=0)
    assert here.with_clips(mixed).fingerprint == here.fingerprint, "another order of rows"
    assert here.with_clips(here.clips[here.clips.columns[::-1]]).fingerprint == here.fingerprint, "or of columns"


def test_a_fingerprint_is_the_same_when_headers_are_read_again(made):
    assert speech_commands.load(made).fingerprint == speech_commands.load(made).fingerprint
    assert len(list(corpora.layout.cache().glob("headers-*/*.csv.gz"))) == 1, "the second scan was read from the cache"


CHANGES = {
    "a file's size": {"bytes": 16045},
    "its length": {"seconds": 0.51},
    "its label": {"label": "hold"},
    "its speaker": {"speaker": "someone"},
    "its part": {"split": "test"},
    "its path": {"path": "fall/another.wav"},
    "whatever else is known": {"repetition": 9},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_fingerprint_changes_with(what, corpus):
    clips = corpus.clips.copy()
    for column, value in CHANGES[what].items():
        assert clips.loc[0, column] != value
        clips.loc[0, column] = value
    assert corpus.with_clips(clips).fingerprint != corpus.fingerprint


def test_a_fingerprint_changes_with_the_labels_the_rate_and_a_clip_less(corpus):
    others = [
        corpus.with_clips(corpus.clips[1:]),
        corpus.with_clips(corpus.clips, labels=("rise", "hold", "fall")),
        corpus.with_clips(corpus.clips, sample_rate=8_000),
        corpus.with_clips(corpus.clips.assign(accent="")),
    ]
    assert len({other.fingerprint for other in [corpus, *others]}) == 5


def test_a_fingerprint_follows_the_file_on_disk(folder):
    before = speech_commands.load(folder).fingerprint
    path = folder / tiny.name("rise", SPEAKERS[0])
    soundfile.write(path, tiny.tone("rise", SPEAKERS[0], seconds=0.5001), 16_000)
    assert speech_commands.load(folder).fingerprint != before


# Parts of a corpus


def test_a_part_of_a_corpus_is_the_same_every_time(corpus):
    some = corpus.only(labels=["rise", "fall"], clips_per_label=5)
    assert some.labels == ("rise", "fall"), "in the order asked for"
    assert (some.clips.groupby(["label", "split"]).size() == 5).all() and len(some) == 30
    again = corpus.with_clips(corpus.clips[::-1]).only(labels=["rise", "fall"], clips_per_label=5)
    assert set(again.clips.path) == set(some.clips.path)
    more = corpus.only(labels=["rise", "fall"], clips_per_label=7)
    assert set(some.clips.path) < set(more.clips.path), "more are the same and some more"
    assert list(some.clips.index) == list(range(30))
    assert set(corpus.only(speakers=SPEAKERS[:2]).clips.speaker) == set(SPEAKERS[:2])
    assert len(corpus.only(clips_per_label=1000)) == 72
    assert corpus.only(labels=["rise", "rise"]).labels == ("rise",)


def test_a_choice_that_leaves_nothing_says_so(corpus):
    with pytest.raises(LabError, match="no label of tiny called 'raise'. Did you mean 'rise'.*fall, hold, rise"):
        corpus.only(labels=["raise"])
    for choice in ({"clips_per_label": 0}, {"speakers": ["nobody"]}, {"labels": []}):
        with pytest.raises(LabError, match="Nothing of tiny is left"):
            corpus.only(**choice)


def test_clips_left_out_are_counted_and_the_first_is_named(corpus):
    first, second = corpus.clips.path[:2]
    less = corpus.without({first: "too loud", second: "too quiet"})
    assert len(less) == 70 and less.skipped == (
        f"2 clips could not be read and are left out, the first: {first} (too loud).",
    )
    assert corpus.without({}) is corpus


def test_speakers_get_their_part_by_name_alone():
    speakers = pd.Series([f"person {number}" for number in range(2000)])
    parts = parts_by_speaker(speakers, 0.1, 0.2)
    share = parts.value_counts(normalize=True)
    assert abs(share["validation"] - 0.1) < 0.03 and abs(share["test"] - 0.2) < 0.03
    fewer = parts_by_speaker(speakers[::3], 0.1, 0.2)
    assert (fewer == parts[::3]).all(), "the part of the others plays no role"
    assert (parts_by_speaker(speakers, 0.1, 0.2, seed=1) != parts).any()
    # pinned: a changed hash would move people between training and test, unnoticed
    names = ["ana", "luis", "eva", "tom", "zoe", "max", "ida", "leo"]
    parts = dict(zip(names, parts_by_speaker(pd.Series(names), 0.25, 0.25), strict=True))
    assert [name for name in names if parts[name] == "validation"] == ["ida"]
    assert [name for name in names if parts[name] == "test"] == ["ana", "eva", "leo"]


# Headers


def test_headers_say_what_each_file_holds(folder):
    soundfile.write(folder / "fall" / "b.flac", tiny.tone("fall", SPEAKERS[0]), 8_000)
    table = scan(folder, states(folder, ["fall/b.flac", tiny.name("fall", SPEAKERS[0], 1), "fall/none.wav"]))
    assert list(table.sample_rate) == [8_000, 16_000, 0]
    assert list(table.seconds) == [1.0, 0.4, 0.0] and table.problem[2] == "missing file"
    assert table.problem.isna()[:2].all() and table.bytes[1] == (folder / table.path[1]).stat().st_size
    pd.testing.assert_frame_equal(table, scan(folder, states(folder, table.path)))


def test_headers_are_read_again_when_a_file_changes(folder):
    path = tiny.name("fall", SPEAKERS[0])
    assert scan(folder, states(folder, [path])).seconds[0] == 0.5
    soundfile.write(folder / path, tiny.tone("fall", SPEAKERS[0], seconds=0.3), 16_000)
    assert scan(folder, states(folder, [path])).seconds[0] == 0.3
    clip = tiny.tone("rise", SPEAKERS[0], seconds=0.3)
    soundfile.write(folder / path, clip, 8_000)  # of the same size
    os.utime(folder / path, ns=(1, 1))
    assert scan(folder, states(folder, [path])).seconds[0] == 0.6


def test_headers_are_read_once(folder, monkeypatch):
    paths = audio_files(folder)
    scan(folder, paths)
    monkeypatch.setattr("labkit.data.layout._header", lambda *_: pytest.fail("read again"))
    assert len(scan(folder, paths)) == 73


def test_hidden_files_and_folders_are_no_recordings(folder):
    (folder / ".trash").mkdir()
    (folder / ".trash" / "a.wav").write_bytes(b"")
    (folder / "fall" / "._a.wav").write_bytes(b"")  # macOS leaves these
    (folder / "fall" / "notes.txt").write_bytes(b"")
    found = list(audio_files(folder).path)
    assert len(found) == 73 and found == sorted(found) and not any("\\" in path for path in found)


def test_problems_are_told_by_kind():
    table = pd.DataFrame({"path": list("abcd"), "problem": ["empty file", None, "truncated: 1", "truncated: 2"]})
    good, notes = usable(table, "mine")
    assert list(good.path) == ["b"] and "problem" not in good
    assert notes == [
        "mine: 1 files left out (empty file), the first: a (empty file).",
        "mine: 2 files left out (truncated), the first: c (truncated: 1).",
    ]


# Speech Commands


def test_nothing_is_written_into_the_corpus_folder(made):
    before = sorted(path for path in made.rglob("*"))
    speech_commands.load(made)
    assert sorted(path for path in made.rglob("*")) == before


def test_lists_may_name_absent_files_which_are_counted(folder):
    with open(folder / "testing_list.txt", "a", encoding="utf-8") as file:
        file.write("\nfall/00000000_nohash_0.wav\r\nrise/11111111_nohash_3.wav\n\n")
    corpus = speech_commands.load(folder)
    assert len(corpus.part("test")) == 18 and len(corpus) == 72
    assert corpus.skipped == ("tiny: testing_list.txt names 2 files that are not here; the test part is what is here.",)


def test_a_list_written_on_windows_is_read(folder):
    for name in ("testing_list.txt", "validation_list.txt"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    corpus = speech_commands.load(folder)
    assert len(corpus.part("test")) == 18 and len(corpus.part("validation")) == 18 and not corpus.skipped


def test_files_named_wrongly_are_counted_wherever_they_lie(folder):
    clip = tiny.tone("fall", SPEAKERS[0])
    (folder / "fall" / "more").mkdir()
    odd = [
        "fall/ana.wav",
        "fall/more/0a_nohash_0.wav",
        "0a_nohash_0.wav",
        "rise/AB_nohash_0.wav",
        "rise/0b_nohash_0.WAV",
    ]
    for path in odd:
        soundfile.write(folder / path, clip, 16_000, format="WAV")
    corpus = speech_commands.load(folder)
    assert len(corpus) == 72 and corpus.skipped == (
        "tiny: 5 files left out (named wrongly), the first: 0a_nohash_0.wav (named wrongly: WORD/HASH_nohash_N.wav is "
        "expected).",
    )


def test_a_marker_makes_a_corpus_synthetic(folder):
    (folder / MARKER).write_text("made by a program")
    corpus = speech_commands.load(folder)
    assert corpus.synthetic and "synthetic" in repr(corpus)


def test_a_folder_given_as_a_dot_has_a_name(made, monkeypatch):
    monkeypatch.chdir(made / "fall")
    corpus = speech_commands.load("..")
    assert corpus.name == "tiny" and (corpus.root / corpus.clips.path[0]).is_file()
    monkeypatch.chdir(made.parent)
    assert (corpus.root / corpus.clips.path[0]).is_file(), "wherever the notebook goes"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_is_refused_by_name(folder):
    os.mkdir(os.fsencode(folder) + b"/ca\xf1a")
    soundfile.write(
        os.fsencode(folder) + b"/ca\xf1a/0a_nohash_0.wav", tiny.tone("fall", SPEAKERS[0]), 16_000, format="WAV"
    )
    with pytest.raises(LabError, match=r"ca\\udcf1a/0a_nohash_0\.wav.*[Rr]ename") as caught:
        speech_commands.load(folder)
    str(caught.value).encode()  # it can be printed


# Finding corpora


def test_a_corpus_is_found_by_its_folder_or_the_one_around_it(made, tmp_path):
    (tmp_path / "SpeechCommands").mkdir()
    tiny.make(tmp_path / "SpeechCommands" / "speech_commands_v0.02")
    assert corpora.find("speech_commands", made).name == "tiny"
    assert corpora.find("speech_commands", str(tmp_path)).name == "speech_commands_v0.02"


def test_the_environment_says_where_corpora_lie(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(LabError, match=r"speech_commands_v0.02 is not in .*: run `python -m labkit download"):
        corpora.find("speech_commands", "real")
    tiny.make(tmp_path / "speech_commands_v0.02")
    assert len(corpora.find("speech_commands", "real")) == len(corpora.find("speech_commands", "auto")) == 72
    assert corpora.found() == ["speech_commands (speech_commands_v0.02)"]


def test_a_synthetic_folder_is_never_taken_for_a_real_one(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    (tiny.make(tmp_path / "speech_commands") / MARKER).write_text("made by a program")
    with pytest.raises(LabError, match="is not in"):
        corpora.find("speech_commands", "real")


def test_auto_falls_back_to_the_synthetic_corpus_and_synthetic_insists(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    made = []

    def stand_in(entry, scale):
        made.append((entry.name, scale))
        folder = tmp_path / "synthetic_speech_commands"
        if not folder.exists():
            (tiny.make(folder) / MARKER).write_text("made by a program")
        return folder

    monkeypatch.setattr(corpora.Entry, "synthesise", stand_in)
    assert corpora.find("speech_commands", "auto").synthetic and made == [("speech_commands", "lab")]
    tiny.make(tmp_path / "speech_commands")
    assert not corpora.find("speech_commands", "auto").synthetic and len(made) == 1
    assert corpora.find("speech_commands", "synthetic", "full").synthetic and made[1:] == [("speech_commands", "full")]


def test_unknown_names_of_corpora_get_a_suggestion():
    with pytest.raises(LabError, match="no corpus called 'speech_comands'. Did you mean 'speech_commands'"):
        corpora.find("speech_comands")


# Real recordings


def test_real_speech_commands_has_its_official_parts(real_audio):
    corpus = corpora.find("speech_commands", real_audio / "speech_commands_4words")
    assert [len(corpus.part(part)) for part in ("train", "validation", "test")] == [2727, 679, 880]
    assert [corpus.part(part).speaker.nunique() for part in ("train", "validation", "test")] == [1000, 235, 112]
    assert corpus.labels == ("down", "no", "up", "yes") and len(corpus.noises) == 2 and not corpus.skipped
    assert corpus.protocol == "official"


@pytest.mark.slow
def test_parts_that_are_not_the_publishers_are_not_called_official(real_audio):
    corpus = corpora.find("speech_commands", real_audio / "speech_commands_35words")
    assert corpus.protocol == "its own lists" and "its own lists: train 1,832" in repr(corpus)
    assert corpora.find("speech_commands", real_audio / "speech_commands_v0.01_30words").protocol == "official"
    record = {"protocol": "official", "corpus": {"synthetic": False}, "training_speakers": ["c50f55b8"]}
    assert published_part("c50f55b8") == "train" and protocol_of(record) == "official"
    tested = corpus.part("train").speaker.unique()[:1].tolist()
    assert protocol_of(record | {"training_speakers": tested}) == "its own lists"
    assert protocol_of(record | {"corpus": {"synthetic": True}}) == "its own lists"
    assert protocol_of(record | {"protocol": "by_speaker"}) == "by_speaker"


def test_real_lists_that_name_absent_files_are_used_as_far_as_they_go(real_audio):
    corpus = corpora.find("speech_commands", real_audio / "speech_commands_v0.01_30words")
    assert len(corpus.labels) == 30 and len(corpus) == 300
    assert [note.split(": ")[1].split(" files that are not here")[0] for note in corpus.skipped] == [
        "validation_list.txt names 6754",
        "testing_list.txt names 6784",
    ]
    listed = (corpus.root / "testing_list.txt").read_text().split()
    assert len(corpus.part("test")) == len(listed) - 6784 > 0
