"""Nobody is in two parts, unless the split says that it leaks."""

from pathlib import Path

import pandas as pd
import pytest
from tiny import table_corpus

from labkit.data.corpus import EXTRA, Corpus
from labkit.data.splits import LEAKY, PROTOCOLS, Split, shared_speakers, split
from labkit.errors import LabError
from labkit.experiments.experiment import Experiment
from labkit.training.recipe import Recipe

PARTS = ("train", "validation", "test")


def random_corpora():
    """Corpora of many shapes; speakers have one clip or many, labels are even or not."""
    for seed in range(12):
        yield table_corpus(
            speakers=60 + 17 * seed, clips=1 + seed % 5, labels=("a", "b", "c")[: 1 + seed % 3], seed=seed
        )


def settings_of(protocol, corpus, seed):
    if protocol == "folds":
        return Split(protocol, fold=seed % 5, folds=5, seed=seed)
    if protocol == "leave_one_speaker_out":
        return Split(protocol, speaker=corpus.clips.speaker.iloc[7 * seed % len(corpus)])
    return Split(protocol, validation=0.1 + 0.02 * (seed % 4), test=0.3 - 0.02 * (seed % 4), seed=seed)


OTHER = (*LEAKY, "new_voices")  # whose validation knows the tested speakers, and chooses nothing


def speakers(corpus, part):
    return set(corpus.part(part).speaker)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name not in OTHER and "audiomnist" not in name])
def test_no_speaker_is_in_two_parts(protocol):
    for seed, corpus in enumerate(random_corpora()):
        if protocol == "official":
            kinds = dict(zip(sorted(corpus.clips.speaker.unique()), 20 * PARTS, strict=False))
            corpus = corpus.with_clips(corpus.clips.assign(split=corpus.clips.speaker.map(kinds).fillna("train")))
        result = split(corpus, settings_of(protocol, corpus, seed))
        sets = [speakers(result, part) for part in PARTS]
        assert all(sets) and not sets[0] & sets[1] and not sets[0] & sets[2] and not sets[1] & sets[2]
        assert len(result) == len(corpus)
        assert result.protocol == ("its own lists" if protocol == "official" else protocol)
        assert set.union(*sets) == set(corpus.clips.speaker) and shared_speakers(result) == []
        assert split(corpus, settings_of(protocol, corpus, seed)).clips.equals(result.clips), "the same every time"


def test_the_leaky_split_leaks_and_says_so():
    corpus = table_corpus(speakers=40, clips=8)
    result = split(corpus, Split("by_clip_leaky", validation=0.2, test=0.2))
    assert len(speakers(result, "train") & speakers(result, "test")) > 20 and result.protocol == "by_clip_leaky"
    assert shared_speakers(result) == sorted(
        (speakers(result, "train") & speakers(result, "test"))
        | (speakers(result, "train") & speakers(result, "validation"))
        | (speakers(result, "validation") & speakers(result, "test"))
    )
    share = result.clips.split.value_counts(normalize=True)
    assert abs(share["test"] - 0.2) < 0.08 and abs(share["validation"] - 0.2) < 0.08
    other = split(corpus, Split("by_clip_leaky", validation=0.2, test=0.2, seed=1))
    assert (other.clips.split != result.clips.split).any()


def test_official_parts_that_share_a_speaker_are_refused():
    corpus = table_corpus(speakers=6, split=lambda name: PARTS[int(name[1:]) % 3])
    assert split(corpus, Split()).clips.equals(corpus.clips)
    clips = corpus.clips.copy()
    clips.loc[clips.index[clips.speaker == "s004"][0], "split"] = "test"
    with pytest.raises(LabError, match="1 speakers of table are in more than one part, s004 for one.*'by_speaker'"):
        split(corpus.with_clips(clips), Split())


@pytest.mark.parametrize("protocol", ["by_speaker", "by_clip_leaky"])
def test_new_speakers_move_nobody(protocol):
    more = table_corpus(speakers=120)
    fewer = more.only(speakers=[f"s{number:03}" for number in range(0, 120, 2)])
    settings = Split(protocol, validation=0.2, test=0.2)
    before = split(fewer, settings).clips.set_index("path").split
    after = split(more, settings).clips.set_index("path").split
    assert len(before) < len(after) and (after[before.index] == before).all()


def test_each_fold_is_tested_once_and_validates_once():
    corpus = table_corpus(speakers=23)
    parts = [split(corpus, Split("folds", fold=fold, folds=4)) for fold in range(4)]
    tested = [speakers(part, "test") for part in parts]
    assert set.union(*tested) == set(corpus.clips.speaker) and sum(map(len, tested)) == 23
    assert max(map(len, tested)) - min(map(len, tested)) <= 1
    for fold in range(4):
        assert speakers(parts[fold], "validation") == tested[(fold + 1) % 4]
    assert speakers(split(corpus, Split("folds", folds=4, seed=1)), "test") != tested[0]


@pytest.mark.parametrize("settings", [{"fold": 5}, {"folds": 2}, {"folds": 24}])
def test_folds_that_cannot_be_made_say_why(settings):
    with pytest.raises(LabError, match="table has 23 speakers: fold .* cannot be made. Choose folds between 3"):
        split(table_corpus(speakers=23), Split("folds", **settings))


def test_leaving_one_speaker_out_validates_on_the_next():
    corpus = table_corpus(speakers=5)
    for tested, validating in (("s001", "s002"), ("s004", "s000")):
        result = split(corpus, Split("leave_one_speaker_out", speaker=tested))
        assert speakers(result, "test") == {tested} and speakers(result, "validation") == {validating}
        assert len(speakers(result, "train")) == 3
    with pytest.raises(LabError, match="no speaker of table called 's9'. .*s000, s001"):
        split(corpus, Split("leave_one_speaker_out", speaker="s9"))
    with pytest.raises(LabError, match="2 speakers; leaving one out needs three"):
        split(table_corpus(speakers=2), Split("leave_one_speaker_out", speaker="s001"))


def test_leaving_one_speaker_out_validates_on_whom_one_names():
    result = split(table_corpus(4), Split("leave_one_speaker_out", speaker="s000", validation_speaker="s003"))
    assert set(result.part("test").speaker) == {"s000"} and set(result.part("validation").speaker) == {"s003"}
    assert set(result.part("train").speaker) == {"s001", "s002"}
    with pytest.raises(LabError, match="'s000' cannot both be tested and validate"):
        split(table_corpus(4), Split("leave_one_speaker_out", speaker="s000", validation_speaker="s000"))
    with pytest.raises(LabError, match="no speaker of table called 's009'"):
        split(table_corpus(4), Split("leave_one_speaker_out", speaker="s000", validation_speaker="s009"))


def test_new_voices_are_all_who_do_not_train():
    corpus = table_corpus(speakers=4, clips=20)
    for known in (["s001"], ["s000", "s002", "s003"]):
        result = split(corpus, Split("new_voices", train=known))
        others = set(corpus.clips.speaker) - set(known)
        assert speakers(result, "train") == set(known)
        assert speakers(result, "test") == others >= speakers(result, "validation")
        clips = corpus.clips[corpus.clips.speaker.isin(others)].groupby("speaker").size()
        assert len(result.part("validation")) == (clips // 10).sum() > 0
    with pytest.raises(LabError, match="no speaker of table called 's9'"):
        split(corpus, Split("new_voices", train=["s9"]))
    with pytest.raises(LabError, match="every part needs clips"):
        split(corpus, Split("new_voices", train=[f"s00{number}" for number in range(4)]))


def test_no_epoch_may_be_chosen_on_new_voices():
    with pytest.raises(LabError, match="no epoch may be chosen"):
        Experiment(split=Split("new_voices", train=["s001"]))
    assert Experiment(split=Split("new_voices", train=["s001"]), recipe=Recipe(select="last"))


def test_an_empty_part_is_named():
    with pytest.raises(
        LabError, match=r"'official' of table gives .'train': \d+, 'validation': 0, 'test': 0.*every part"
    ):
        split(table_corpus(), Split())
    for settings in (Split("by_speaker", test=0), Split("by_clip_leaky", test=0), Split("by_clip_leaky", validation=0)):
        with pytest.raises(LabError, match=f"'{settings.protocol}' of table gives .*: 0.*every part needs clips"):
            split(table_corpus(speakers=200), settings)
    with pytest.raises(LabError, match="gives .'train': 0,"):
        split(table_corpus(speakers=200), Split("by_speaker", validation=0.5, test=0.5))


def test_an_unknown_protocol_gets_a_suggestion():
    with pytest.raises(LabError, match="no split protocol called 'by_speakers'. Did you mean 'by_speaker'"):
        split(table_corpus(), Split("by_speakers"))


def test_parts_are_pinned_so_that_no_change_of_hash_moves_people():
    corpus = table_corpus(speakers=12, clips=1)

    def tested(protocol, label="no"):
        clips = split(corpus, Split(protocol, validation=0.3, test=0.3)).part("test")
        return " ".join(sorted(clips.speaker[clips.label == label]))

    assert tested("by_speaker") == tested("by_speaker", "yes") == "s001 s004 s009 s010"
    assert tested("folds") == "s003 s004 s008"
    assert tested("by_clip_leaky") == "s002 s008 s010" and tested("by_clip_leaky", "yes") == "s004 s007 s008 s010"


# Labels and speakers that are uneven, as volunteers are


def people(**given):
    """A corpus as a table: label = number of clips of each of its speakers."""
    rows = [
        {"path": f"{label}{number}_{clip}.wav", "label": label, "speaker": f"{label}{number}", "seconds": 1.0}
        for label, counts in given.items()
        for number, count in enumerate(counts)
        for clip in range(count)
    ]
    table = pd.DataFrame(rows).assign(split="train", bytes=1)
    return Corpus("people", Path("nowhere"), 16_000, tuple(given), "none", False, table)


def test_a_stratified_split_has_each_label_in_each_part():
    corpus = people(a=[5] * 20, b=[1] * 10, c=[9] * 3)
    result = split(corpus, Split("stratified", validation=0.2, test=0.3))
    counts = result.clips.groupby(["label", "split"]).speaker.nunique().unstack()
    assert counts.to_dict("index") == {
        "a": {"test": 6, "train": 10, "validation": 4},
        "b": {"test": 3, "train": 5, "validation": 2},
        "c": {"test": 1, "train": 1, "validation": 1},
    }
    assert shared_speakers(result) == [] and result.skipped == () and len(result) == len(corpus)
    other = split(corpus, Split("stratified", validation=0.2, test=0.3, seed=1))
    assert speakers(other, "test") != speakers(result, "test")


def test_labels_of_one_or_two_people_are_set_aside_and_counted():
    result = split(people(a=[5] * 6, b=[4, 4], c=[3], d=[1] * 3), Split("stratified"))
    assert result.labels == ("a", "d") and set(result.clips.label) == {"a", "d"}
    assert result.skipped == (
        "11 clips of 3 speakers are in no part of stratified (too few speakers for three parts: b, c).",
    )
    with pytest.raises(LabError, match="gives .'train': 0, .*every part needs clips. Use more speakers"):
        split(people(a=[5, 5], b=[1]), Split("stratified"))


def test_joined_clips_do_not_keep_a_label_that_the_main_corpus_cannot_test():
    corpus = people(a=[5] * 6, b=[4, 4])
    more = corpus.clips.assign(path="../more/" + corpus.clips.path, speaker="more/" + corpus.clips.speaker)
    both = pd.concat([corpus.clips.assign(**{EXTRA: ""}), more.assign(**{EXTRA: "more"})])
    result = split(corpus.with_clips(both), Split("stratified"))
    assert result.labels == ("a",) and set(result.clips.label) == {"a"}
    assert set(result.clips.split[result.clips[EXTRA] == "more"]) == {"train"}


def test_a_cap_takes_clips_from_the_talkative_only():
    corpus = people(a=[3, 100, 2, 7], b=[50, 1, 1])
    result = split(corpus, Split("stratified", most_clips=4))
    assert result.clips.groupby("speaker").size().to_dict() == {
        **{"a0": 3, "a1": 4, "a2": 2, "a3": 4},
        **{"b0": 4, "b1": 1, "b2": 1},
    }
    assert result.skipped == ("145 clips of 3 speakers are left out: the split takes at most 4 of each.",)
    fewer = split(corpus, Split("stratified", most_clips=2))
    assert set(fewer.clips.path) < set(result.clips.path), "fewer are some of the same"
    assert split(corpus, Split("stratified", most_clips=100)).skipped == ()


def test_a_speaker_of_two_labels_stays_in_one_part():
    corpus = people(a=[5] * 6, b=[5] * 6)
    clips = corpus.clips.copy()
    clips.loc[clips.speaker == "b0", "speaker"] = "a0"
    result = split(corpus.with_clips(clips), Split("stratified"))
    assert result.clips[result.clips.speaker == "a0"].split.nunique() == 1 and shared_speakers(result) == []


@pytest.mark.parametrize("wrong", [{"most_clips": 0}, {"fold": -1}, {"validation": 1.5}, {"seed": "one"}])
def test_settings_that_cannot_be_are_named(wrong):
    with pytest.raises(LabError, match=f"Split.{next(iter(wrong))}.*Change it"):
        Split("stratified", **wrong)


def test_new_settings_leave_old_splits_as_they_were():
    from labkit.experiments.experiment import Experiment

    assert Experiment(split=Split("by_speaker")).to_dict() == {"split": {"protocol": "by_speaker"}}
    assert split(table_corpus(), Split("by_speaker", validation=0.3, test=0.3)).skipped == ()
