"""Recordings of one's own: what is there is read, what is missing is asked for."""

import shutil
import unicodedata
import warnings

import numpy as np
import pytest
import soundfile

from labkit.data import MARKER, find
from labkit.data.corpus import parts_by_speaker
from labkit.data.folder import load
from labkit.errors import LabError, LabWarning

PEOPLE = ("ana", "luis", "eva", "tom", "zoe", "max", "ida", "leo")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "recordings"


def record(path, seconds=0.5, sample_rate=16_000):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(int(seconds * sample_rate)), sample_rate)
    return path


def record_people(root, people=PEOPLE, labels=("yes", "no")):
    for label in labels:
        for name in people:
            for number in range(2):
                record(root / label / f"{name}_{number}.wav", 0.1)
    return root


def quiet(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabWarning)
        return load(root, **options)


def table_of(root, text, name="clips.csv", **options):
    root.mkdir(exist_ok=True)
    (root / name).write_text(text, **{"encoding": "utf-8"} | options)
    return root / name


# Folders


def test_a_folder_for_each_class_gives_labels_speakers_and_a_split_by_speaker(root):
    corpus = load(record_people(root))
    assert corpus.labels == ("no", "yes") and len(corpus) == 32 and corpus.clips.speaker.nunique() == 8
    assert corpus.protocol == "by_speaker" and not corpus.synthetic and corpus.skipped == ()
    assert (corpus.clips.groupby("speaker").split.nunique() == 1).all()
    assert set(corpus.clips.split) == {"train", "validation", "test"}
    row = corpus.clips[corpus.clips.path == "yes/ana_1.wav"].iloc[0]
    assert (row.label, row.speaker, row.seconds) == ("yes", "ana", 0.1)
    assert row.bytes == (root / "yes" / "ana_1.wav").stat().st_size


def test_three_people_are_enough_for_three_parts_and_fewer_are_not(root):
    for count in (3, 4, 7, 20):
        record_people(root, [f"p{number}" for number in range(count)], ["yes"])
        parts = load(root).clips.groupby("speaker").split.first()
        assert set(parts) == {"train", "validation", "test"}, count
        shutil.rmtree(root)
    with pytest.warns(LabWarning, match="2 .ana, luis., so nobody is left"):
        load(record_people(root, ["ana", "luis"]))


def test_many_people_are_split_as_everywhere_else(root):
    record_people(root, [f"p{number}" for number in range(60)], ["yes"])
    corpus = load(root)
    assert (corpus.clips.split == parts_by_speaker(corpus.clips.speaker)).all()


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff", "au", "caf"])
def test_every_format_of_libsndfile_is_read(kind, root):
    record(root / "yes" / f"ana_1.{kind}", 0.5, 44_100)
    corpus = quiet(root)
    assert len(corpus) == 1 and corpus.clips.seconds.iloc[0] == pytest.approx(0.5, abs=0.06)


def test_files_that_cannot_be_used_are_left_out_and_counted_aloud(root):
    record_people(root)
    (root / "yes" / "ana_7.wav").write_bytes(b"")
    (root / "yes" / "ana_8.wav").write_text("no sound")
    (root / "no" / "Thumbs.db").write_text("no underscore here, and nobody needs one")
    (root / "no" / ".hidden").write_text("hidden")
    whole = record(root / "no" / "ana_9.wav", 1.0).read_bytes()
    (root / "no" / "ana_9.wav").write_bytes(whole[: len(whole) // 2])
    record(root / "no" / "deeper" / "ana_1.wav")
    record(root / "stray_1.wav")
    corpus = load(root)
    assert len(corpus) == 32
    told = " ".join(corpus.skipped)
    for words in ("1 files left out (empty file)", "2 files left out (not audio)", "1 files left out (truncated)"):
        assert words in told
    assert "2 files left out (named wrongly), the first: no/deeper/ana_1.wav" in told
    assert "hidden" not in told


def test_what_phones_write_comes_with_the_mend(root):
    record_people(root)
    (root / "yes" / "ana_5.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    assert any("ffmpeg -i clip.m4a clip.wav" in note for note in load(root).skipped)


def test_unknown_speakers_are_asked_for_with_the_reason_and_three_ways_out(root):
    record_people(root)
    record(root / "yes" / "take1.wav")
    with pytest.raises(LabError, match="1 clips do not say who speaks.*yes/take1.wav") as caught:
        load(root)
    for words in ("keeps each person in one part", "SPEAKER_anything.wav", "clips.csv", 'speaker="ana"'):
        assert words in str(caught.value)


def test_one_person_may_be_named_for_all(root):
    record(root / "yes" / "take1.wav")
    record(root / "no" / "take_2.wav")
    with pytest.warns(LabWarning, match="1 .ana., so nobody is left for validation and test"):
        corpus = load(root, speaker="ana")
    assert set(corpus.clips.speaker) == {"ana"} and set(corpus.clips.split) == {"train"}


def test_a_class_is_not_taken_for_a_speaker(root):
    record(root / "yes" / "yes_1.wav")
    with pytest.raises(LabError, match="1 clips have a speaker with the name of the class, the first: yes/yes_1.wav"):
        load(root)


def test_numbers_in_front_that_make_everyone_a_new_person_are_noticed(root):
    for number in range(8):
        record(root / "yes" / f"{number:03}_ana.wav", 0.1)
    with pytest.warns(LabWarning, match="Each clip .*another person: 8 .000, 001"):
        load(root)


def test_one_name_in_two_spellings_is_noticed(root):
    record_people(root)
    record(root / "yes" / "Ana_5.wav")
    with pytest.warns(LabWarning, match="written in small letters .* the first: Ana"):
        load(root)


def test_accents_written_as_one_sign_or_two_are_one_class(root):
    record(root / unicodedata.normalize("NFC", "sí") / "ana_1.wav")
    record(root / unicodedata.normalize("NFD", "sí") / "ana_2.wav")
    assert quiet(root).labels == (unicodedata.normalize("NFC", "sí"),)


def test_noises_are_no_class(root):
    record_people(root)
    record(root / "_background_noise_" / "kitchen.wav")
    corpus = load(root)
    assert corpus.noises == ("_background_noise_/kitchen.wav",) and corpus.labels == ("no", "yes")


def test_a_synthetic_folder_stays_stamped(root):
    record_people(root)
    (root / MARKER).write_text("made by a program")
    assert load(root).synthetic


def test_a_folder_without_classes_or_without_anything_says_how_to_lay_it_out(root, tmp_path):
    with pytest.raises(LabError, match="does not exist.*yes/ana_1.wav"):
        load(tmp_path / "nowhere")
    root.mkdir()
    with pytest.raises(LabError, match="It holds no sounds.*one folder for each class"):
        load(root)
    record(root / "ana_1.wav")
    with pytest.raises(LabError, match="1 files left out .named wrongly.*ana_1.wav"):
        load(root)
    (root / "yes").mkdir()
    (root / "ana_1.wav").rename(root / "yes" / "ana_1.wav")
    (root / "yes" / "ana_1.wav").write_bytes(b"")
    with pytest.raises(LabError, match="holds no clips.*empty file"):
        load(root)


def test_the_registry_opens_it(root):
    assert find("folder", record_people(root)).name == "recordings"


# Tables


def test_a_table_gives_path_label_speaker_and_keeps_the_rest(root):
    record(root / "take1.wav")
    record(root / "sub" / "take2.flac")
    table_of(root, "path,label,speaker,age,seconds,rate\ntake1.wav,yes,ana,07,99,1\nsub/take2.flac,null,NA,,99,1\n")
    clips = quiet(root).clips
    assert clips[["path", "label", "speaker", "age"]].values.tolist() == [
        ["take1.wav", "yes", "ana", "07"],
        ["sub/take2.flac", "null", "NA", ""],
    ]
    assert clips.seconds.tolist() == [0.5, 0.5]  # measured, not believed


def test_the_table_may_have_any_name_and_what_spreadsheets_make_of_it(root):
    record(root / "a, b.wav")
    record(root / "sub" / "c.wav")
    text = 'Path;Label; Speaker;\n"a, b.wav";yes;ana;\n\nsub\\c.wav;no;luis;\n;;;\n'
    table = table_of(root, text, "mine.csv", encoding="utf-8-sig", newline="\r\n")
    corpus = quiet(table)
    assert corpus.clips.path.tolist() == ["a, b.wav", "sub/c.wav"] and corpus.skipped == ()
    assert corpus.root == root and "" not in corpus.clips


@pytest.mark.parametrize(
    "head, words",
    [
        (
            "file,label,speaker",
            r"lacks the columns \['path'\]: it has \['file', 'label', 'speaker'\].*path, label, speaker",
        ),
        ("path,word,who", r"lacks the columns \['label', 'speaker'\]"),
        ("path,label,age", r"lacks the columns \['speaker'\].*keeps each person.*speaker=.ana."),
        ("path,label,speaker,label", "two columns of one name"),
    ],
)
def test_wrong_columns_are_named_with_those_expected(head, words, root):
    table_of(root, f"{head}\n{','.join('x' for _ in head.split(','))}\n")
    with pytest.raises(LabError, match=words):
        load(root)


def test_a_table_without_speakers_may_be_one_person(root):
    record(root / "a.wav")
    table_of(root, "path,label\na.wav,yes\n")
    assert set(quiet(root, speaker="ana").clips.speaker) == {"ana"}
    table_of(root, "path,label,speaker\na.wav,yes,luis\n")
    with pytest.raises(LabError, match=r"names the speakers \['luis'\].*speaker='ana'"):
        load(root, speaker="ana")
    table_of(root, "path,label,speaker\na.wav,yes,\n")
    with pytest.raises(LabError, match="1 clips do not say who speaks"):
        load(root)
    assert set(quiet(root, speaker="ana").clips.speaker) == {"ana"}


def test_lines_without_a_usable_file_are_counted_aloud(root, tmp_path):
    record(root / "good.wav")
    record(tmp_path / "outside.wav")
    (root / "empty.wav").write_bytes(b"")
    (root / "text.wav").write_text("no sound")
    outside = ("../outside.wav", str(tmp_path / "outside.wav"), "C:\\outside.wav", "C:outside.wav")
    lines = [
        ("good.wav", "yes"),
        ("gone.wav", "yes"),
        ("empty.wav", "no"),
        ("text.wav", "no"),
        ("", "yes"),
        ("x.wav", ""),
    ]
    lines += [(path, "yes") for path in outside]
    table_of(root, "path,label,speaker\n" + "".join(f"{path},{label},ana\n" for path, label in lines))
    corpus = quiet(root)
    assert corpus.clips.path.tolist() == ["good.wav"]
    told = " ".join(corpus.skipped)
    for words in ("missing file", "empty file", "not audio", "no path", "no label"):
        assert f"1 lines left out ({words})" in told or f"1 files left out ({words})" in told
    assert "4 files left out (not below recordings), the first: ../outside.wav (not below recordings: line 8 of" in told


def test_a_full_path_inside_the_folder_is_fine(root):
    record(root / "a.wav")
    table_of(root, f"path,label,speaker\n{root.resolve() / 'a.wav'},yes,ana\n")
    assert quiet(root).clips.path.tolist() == ["a.wav"]


def test_a_path_with_an_accent_is_found_however_it_is_written(root):
    record(root / unicodedata.normalize("NFD", "sí.wav"))
    table_of(root, f"path,label,speaker\n{unicodedata.normalize('NFC', 'sí.wav')},sí,ana\n")
    assert len(quiet(root)) == 1


def test_a_table_that_is_no_table_is_named(root):
    table_of(root, "path,label,speaker\na.wav,yes,ana,more\n")
    with pytest.raises(LabError, match="Line 2 of .* has 4 columns, the first line has 3"):
        load(root)
    table_of(root, "path,label,speaker\nsí.wav,sí,ana\n", encoding="latin-1")
    with pytest.raises(LabError, match="UTF-8"):
        load(root)
    table_of(root, "")
    with pytest.raises(LabError, match="lacks the columns"):
        load(root)
    table_of(root, "path,label,speaker\n")
    with pytest.raises(LabError, match="holds no clips"):
        load(root)


def test_a_clip_listed_twice_is_refused(root):
    record(root / "a.wav")
    table_of(root, "path,label,speaker\na.wav,yes,ana\n./a.wav,no,ana\n")
    with pytest.raises(LabError, match="a.wav twice"):
        quiet(root)


def test_the_tables_own_split_is_obeyed_and_a_leak_in_it_is_called_one(root):
    for name in "abc":
        record(root / f"{name}.wav")
    head = "path,label,speaker,split\n"
    table_of(root, head + "a.wav,yes,ana,Train\nb.wav,yes,luis,val\nc.wav,yes,eva,testing\n")
    corpus = load(root)
    assert corpus.clips.split.tolist() == ["train", "validation", "test"] and corpus.protocol == "its own lists"
    table_of(root, head + "a.wav,yes,ana,train\nb.wav,yes,ana,test\nc.wav,yes,eva,validation\n")
    with pytest.warns(LabWarning, match="1 speakers are in more than one part .* the first: ana"):
        assert load(root).protocol == "by_clip_leaky"
    table_of(root, head + "a.wav,yes,ana,train\nb.wav,yes,ana,tset\nc.wav,yes,eva,test\n")
    with pytest.raises(LabError, match="'tset'. Did you mean 'test'"):
        load(root)


def test_real_recordings_in_a_students_folder(real_audio, root):
    """FSDD as a student would lay it out: DIGIT/NAME_R.wav."""
    for source in sorted((real_audio / "fsdd" / "recordings").glob("[0-2]_*_[0-3].wav")):
        digit, name, number = source.stem.split("_")
        (root / digit).mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / digit / f"{name}_{number}.wav")
    corpus = quiet(root, sample_rate=8_000)
    assert corpus.labels == ("0", "1", "2") and len(corpus) == 72
    assert set(corpus.clips.speaker) == {"george", "jackson", "lucas", "nicolas", "theo", "yweweler"}
    shutil.copytree(real_audio / "fsdd" / "recordings", root.parent / "fsdd" / "7", ignore=lambda *_: set())
    with pytest.raises(LabError, match="with the name of the class"):  # 7_jackson_3.wav in the folder 7
        load(root.parent / "fsdd")
