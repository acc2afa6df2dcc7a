"""AudioMNIST: its layout and metadata, its published folds, its synthetic twin, and all that can be wrong with them."""

import hashlib
import json

import numpy as np
import pytest
import soundfile
from around import find_real_audio, want
from tiny import table_corpus

from labkit import data as corpora
from labkit.data import audiomnist
from labkit.data.audiomnist import META
from labkit.data.splits import GROUPS, Split, published_parts, shared_speakers, split
from labkit.errors import LabError
from labkit.experiments.experiment import Target
from labkit.synthetic import espeak
from labkit.synthetic.digits import SIZES, SPEAKERS, WOMEN, DigitSize
from labkit.synthetic.generate import make as make_twin

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")

PERSON = {
    **{"accent": "german", "age": 30, "gender": "male", "native speaker": "no"},
    **{"origin": "Europe,  Germany, Bremen", "recordingdate": "17-06-22-11-04-28", "recordingroom": "vr-romm"},
}


@pytest.fixture
def place(tmp_path):
    """Three digits by the speakers 01 and 02, in the layout of AudioMNIST."""
    root = tmp_path / "audiomnist"
    for speaker in ("01", "02"):
        (root / "data" / speaker).mkdir(parents=True)
        for digit in (0, 3, 7):
            sound = 0.1 * np.random.default_rng(digit).standard_normal(4800)
            soundfile.write(root / "data" / speaker / f"{digit}_{speaker}_0.wav", sound, 48_000)
    metadata(root, {"01": PERSON, "02": PERSON | {"age": "26", "gender": "female", "accent": "German/Spanish"}})
    return root


def metadata(root, people):
    (root / "data" / META).write_text(json.dumps(people), encoding="utf-8")


# Layout and metadata


def test_clips_come_with_what_is_known_of_their_speaker(place):
    corpus = audiomnist.load(place)
    assert (corpus.name, corpus.sample_rate, corpus.labels) == ("audiomnist", 48_000, tuple("0123456789"))
    assert len(corpus) == 6 and not corpus.synthetic and corpus.skipped == ()
    row = corpus.clips.set_index("path").loc["01/3_01_0.wav"]
    assert (row.label, row.speaker, row.repetition, row.age, row.gender) == ("3", "01", 0, 30, "male")
    assert (row.accent, row.room, row.native, row.origin) == ("German", "vr-room", "no", "Europe, Germany, Bremen")
    assert set(corpus.clips.gender) == {"male", "female"} and "German/Spanish" in set(corpus.clips.accent)


def test_the_data_folder_itself_will_do(place):
    inside = audiomnist.load(place / "data")
    assert inside.name == "audiomnist" and inside.fingerprint == audiomnist.load(place).fingerprint


def test_missing_metadata_is_named_with_where_to_get_it(place):
    (place / "data" / META).unlink()
    with pytest.raises(LabError, match=rf"{META} .*labkit download audiomnist"):
        audiomnist.load(place)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"01": {"age": 30', "is not a complete JSON"),
        (b"\xff\xfe\x00", "is not a complete JSON"),
        (b"[1, 2]", "is no table of speakers"),
        (b'{"01": "male"}', "look at 01"),
        (b"{}", "is no table of speakers"),
    ],
)
def test_broken_metadata_is_named_with_what_to_do(place, text, words):
    (place / "data" / META).write_bytes(text)
    with pytest.raises(LabError, match=rf"{META} .*{words}.*Copy {META}"):
        audiomnist.load(place)


def test_what_cannot_be_is_left_empty_and_told(place):
    metadata(place, {"01": PERSON | {"age": 1234, "gender": "man"}, "02": {"gender": "female"}})
    corpus = audiomnist.load(place)
    told = " ".join(corpus.skipped)
    assert "the age of speaker 01 cannot be '1234'" in told and "the age of speaker 02 cannot be ''" in told
    assert "the gender of speaker 01 cannot be 'man'" in told
    assert corpus.clips.age.isna().all() and set(corpus.clips.gender) == {"", "female"}


def test_speakers_in_one_of_clips_and_metadata_are_told(place):
    metadata(place, {"02": PERSON, "09": PERSON})
    corpus = audiomnist.load(place)
    told = " ".join(corpus.skipped)
    assert "1 of 2 speakers have no clips here" in told and "the first: 09." in told
    assert f"1 speakers are not in {META}" in told and "the first: 01." in told and len(corpus) == 6
    assert set(corpus.clips.gender[corpus.clips.speaker == "01"]) == {""}


def test_clips_longer_than_the_window_are_told(place):
    soundfile.write(place / "data" / "01" / "0_01_1.wav", np.full(60_000, 0.1), 48_000)
    told = " ".join(audiomnist.load(place).skipped)
    assert "1 clips are longer than 1 s" in told and "01/0_01_1.wav" in told and "give it more seconds" in told


def test_files_of_another_name_or_folder_are_told(place):
    (place / "data" / "01" / "3_02_0.wav").write_bytes((place / "data" / "02" / "3_02_0.wav").read_bytes())
    (place / "data" / "01" / "4_01_0.wav").write_bytes(b"RIFF")
    corpus = audiomnist.load(place)
    told = " ".join(corpus.skipped)
    assert (
        "1 files left out (named wrongly), the first: 01/3_02_0.wav (named wrongly: SPEAKER/DIGIT_SPEAKER_R.wav" in told
    )
    assert "01/4_01_0.wav (not audio)" in told and len(corpus) == 6


def test_a_folder_without_clips_says_what_is_expected(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match=r"Clips are named SPEAKER/DIGIT_SPEAKER_R.wav.*labkit download audiomnist"):
        audiomnist.load(tmp_path / "empty")


def test_the_real_sample_and_all_sixty_speakers_load():
    real = find_real_audio()
    if real is None:
        want("real")
    corpus = audiomnist.load(real / "audiomnist_sample")
    assert len(corpus) == 31 and corpus.sample_rate == 48_000 and set(corpus.clips.label) == {"0"}
    assert set(corpus.clips.speaker) == {"01", "02", "03"} and corpus.clips.seconds.between(0.3, 1).all()
    people, notes = audiomnist.read_metadata(corpus.root / META)
    assert sorted(people.index) == list(SPEAKERS) and [note for note in notes if "1234" in note]
    assert tuple(sorted(people.index[people.gender == "female"])) == WOMEN and (people.gender == "male").sum() == 48
    assert "57 of 60 speakers have no clips here" in " ".join(corpus.skipped)
    assert "vr-romm" not in set(people.room)
    for protocol in ("audiomnist_digit", "audiomnist_gender"):
        with pytest.raises(LabError, match=r"audiomnist_sample lacks \d+ of the \d+ speakers.*(04|12), "):
            split(corpus, Split(protocol))


# Published folds


def sixty(**options):
    """A table with the sixty speakers, ten digits each."""
    corpus = table_corpus(speakers=60, clips=1, labels=tuple("0123456789"), **options)
    names = {f"s{number:03}": f"{number + 1:02}" for number in range(60)}
    speaker = corpus.clips.speaker.map(names)
    gender = speaker.map(lambda name: "female" if name in WOMEN else "male")
    return corpus.with_clips(corpus.clips.assign(speaker=speaker, gender=gender))


def test_each_speaker_is_in_one_group_of_digits():
    assert sorted(name for group in GROUPS["audiomnist_digit"] for name in group) == list(SPEAKERS)
    assert all(len(group) == 12 for group in GROUPS["audiomnist_digit"])


def test_groups_of_the_gender_task_have_three_women_and_three_men():
    names = [name for group in GROUPS["audiomnist_gender"] for name in group]
    assert len(set(names)) == len(names) == 24 and set(WOMEN) <= set(names)
    assert all(len(set(group) & set(WOMEN)) == 3 and len(group) == 6 for group in GROUPS["audiomnist_gender"])


@pytest.mark.parametrize(("protocol", "count"), [("audiomnist_digit", 5), ("audiomnist_gender", 4)])
def test_each_speaker_is_tested_once_and_validates_once(protocol, count):
    tested = [
        {name for name, part in published_parts(protocol, number).items() if part == "test"} for number in range(count)
    ]
    assert [tuple(sorted(names)) for names in tested] == [
        tuple(sorted(GROUPS[protocol][(number + 1) % count])) for number in range(count)
    ]
    assert len(set.union(*tested)) == sum(map(len, tested))
    validating = {
        name
        for number in range(count)
        for name, part in published_parts(protocol, number).items()
        if part == "validation"
    }
    assert validating == set.union(*tested)


def test_two_published_lines_are_as_published():
    digits, gender = published_parts("audiomnist_digit", 0), published_parts("audiomnist_gender", 0)
    assert {name for name, part in digits.items() if part == "test"} == set(
        "26 52 60 18 32 42 05 13 22 33 45 51".split()
    )
    assert {name for name, part in gender.items() if part == "train"} == set(
        "36 47 56 26 12 57 02 44 50 25 37 45".split()
    )


@pytest.mark.parametrize(("protocol", "count"), [("audiomnist_digit", 5), ("audiomnist_gender", 4)])
def test_a_published_split_keeps_everybody_in_one_part(protocol, count):
    corpus = sixty()
    for number in range(count):
        parts = split(corpus, Split(protocol, fold=number))
        assert shared_speakers(parts) == [] and parts.protocol == protocol
        sizes = [parts.part(part).speaker.nunique() for part in ("train", "validation", "test")]
        assert sizes == ([36, 12, 12] if count == 5 else [12, 6, 6])
    with pytest.raises(LabError, match=f"{protocol} has no fold {count}.* from 0 to {count - 1}"):
        split(corpus, Split(protocol, fold=count))


def test_who_is_in_no_part_of_the_gender_task_is_left_out_and_counted():
    corpus = split(Target("gender").apply(sixty()), Split("audiomnist_gender"))
    assert corpus.clips.speaker.nunique() == 24 and corpus.labels == ("female", "male")
    assert corpus.clips.groupby("split").label.value_counts().unstack().nunique(axis=1).eq(1).all(), "balanced"
    assert "clips of 36 speakers are in no part of audiomnist_gender" in " ".join(corpus.skipped)


def test_a_fold_of_a_corpus_that_lacks_speakers_names_them():
    corpus = sixty().only(speakers=[name for name in SPEAKERS if name not in ("12", "50")])
    with pytest.raises(LabError, match=r"table lacks 2 of the 60 speakers of audiomnist_digit: 12, 50\. Use"):
        split(corpus, Split("audiomnist_digit"))
    assert len(split(corpus, Split("folds"))) == len(corpus), "what the message advises works"


# The synthetic twin

FEW = DigitSize(repetitions=1, speakers=("01", "12"))


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    place = tmp_path_factory.mktemp("data") / "synthetic_audiomnist"
    return make_twin(place, FEW, workers=2, progress=False)


def fingerprint(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_twin_is_read_by_the_same_loader_and_says_that_it_is_synthetic(twin):
    corpus = audiomnist.load(twin)
    assert corpus.synthetic and len(corpus) == 20 and corpus.sample_rate == 16_000 and corpus.skipped == ()
    assert set(corpus.clips.label) == set("0123456789") and corpus.clips.seconds.max() <= 1.0
    assert dict(zip(corpus.clips.speaker, corpus.clips.gender, strict=True)) == {"01": "male", "12": "female"}


def test_the_twin_is_the_same_each_time_and_made_once(twin, tmp_path):
    again = make_twin(tmp_path / "again", FEW, workers=1, progress=False)
    assert fingerprint(again) == fingerprint(twin)
    before = (again / "data" / META).stat().st_mtime_ns
    assert make_twin(again, FEW) == again and (again / "data" / META).stat().st_mtime_ns == before
    with pytest.raises(LabError, match="made with other settings"):
        make_twin(again, DigitSize(repetitions=2, speakers=FEW.speakers))


def test_no_two_speakers_of_the_twin_share_a_voice():
    clips, files = SIZES["lab"].plan()
    rows, genders = json.loads(files[f"data/{META}"]), espeak.variants()
    persons = {person: rows[person.name] for person in clips}
    assert [person.name for person in persons] == list(SPEAKERS)
    assert len({person.voice.variant for person in persons}) == 60
    assert {person.name for person, row in persons.items() if row["gender"] == "female"} == set(WOMEN)
    for person, row in persons.items():
        assert genders[person.voice.variant] in (row["gender"], "")
        assert (row["gender"] == "female") is (genders[person.voice.variant] == "female")


def test_a_smaller_twin_has_the_same_voices():
    (few, table), (clips, whole) = FEW.plan(), SIZES["lab"].plan()
    assert set(few) <= set(clips)
    assert json.loads(table[f"data/{META}"]).items() <= json.loads(whole[f"data/{META}"]).items()


@pytest.mark.parametrize("size", [DigitSize(repetitions=0), DigitSize(speakers=()), DigitSize(speakers=("61",))])
def test_impossible_twins_are_refused(size, tmp_path):
    with pytest.raises(LabError, match="Ask for some"):
        make_twin(tmp_path / "nothing", size)
    assert not (tmp_path / "nothing").exists()


def test_the_lab_finds_both(place, twin, monkeypatch):
    assert corpora.find("audiomnist", place).name == "audiomnist"
    monkeypatch.setenv("LABKIT_DATA", str(twin.parent))
    assert "audiomnist (synthetic_audiomnist)" in corpora.found()
