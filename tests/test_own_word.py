"""One more word from a few recordings: it is recognised on other voices, and the old words keep their rows."""

import numpy as np
import pytest
import torch
from tiny import RATE, SPEAKERS, TEST, quick, tone
from torch import nn

from labkit.data.speech_commands import load
from labkit.errors import LabError
from labkit.experiments import fine_tune
from labkit.experiments import run as runs
from labkit.experiments.fine_tune import enroll, fit_row, judge, last_layer
from labkit.streaming import Decision, Detector
from labkit.training.augment import Augmentation
from tools.ship import ship

pytest_plugins = ["tiny"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where this module's stores, runs and networks lie."""
    place = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_CACHE", str(place / "cache"))
        patch.setenv("LABKIT_BARS", "off")
        patch.setattr(fine_tune, "VARIED", Augmentation(shift=0.05, gain=3.0))  # a tone is another one at another speed
        yield place


@pytest.fixture(scope="module")
def corpus(made, place):
    return load(made)


@pytest.fixture(scope="module")
def base(corpus, place):
    """A pretrained network that knows two of the three tones, and the third as "unknown"."""
    classes = (("fall", "fall"), ("hold", "hold"), ("rise", "unknown"))
    experiment = quick().change(
        target={"classes": classes}, model={"dropout": 0.0, "hidden": 16}, recipe={"epochs": 12}
    )
    run = runs.train(experiment, corpus, place / "runs")
    return ship(run, "two-tones", place / "pretrained")


def recorded(corpus, count=4):
    """Recordings of the new word by so many of the speakers that train."""
    return corpus.only(labels=["rise"], speakers=SPEAKERS[:count])


@pytest.fixture(scope="module")
def grown(base, corpus):
    return enroll(base, "rise", recorded(corpus), corpus)


def test_the_new_word_is_recognised_on_other_voices_and_the_old_ones_still_are(base, grown, corpus):
    table = judge(base, grown, corpus)
    new, old = table.loc["'rise' is recognised"], table.loc["an old word is recognised"]
    assert new.before == 0 and new.after >= 0.8 and (new.clips, new.speakers) == (6, len(TEST))
    assert old.after >= old.before - 0.1 and old.clips == 12 and old.low <= old.after <= old.high
    assert "recordings of 4 speaker(s)" in repr(grown) and grown.labels == ("fall", "hold", "unknown", "rise")


def test_the_old_rows_stay_as_they_are(base, grown, corpus):
    sounds = torch.from_numpy(np.stack([tone(word, TEST[0]) for word in ("fall", "hold", "rise")])).float()
    x = grown.experiment.feature.build()(sounds, torch.full((3,), sounds.shape[1]))
    with torch.no_grad():
        before, after = base.network(*x), grown.network(*x)
    assert before.shape == (3, 3) and after.shape == (3, 4)
    assert torch.allclose(before, after[:, :3], atol=1e-6)
    assert base.labels == ("fall", "hold", "unknown"), "the pretrained network itself is not changed"


def test_a_detector_reports_the_new_word(grown):
    sound = 1e-3 * np.random.default_rng(0).standard_normal(3 * RATE).astype("float32")
    sound[RATE : RATE + RATE // 2] += tone("rise", TEST[0])
    found = Detector(grown, Decision(threshold=0.6, smoothing=0.1, refractory=0.5)).push(sound, RATE)
    assert "rise" in [word.word for word in found if 1.0 < word.reported < 2.2]


def test_other_words_from_the_same_microphone_keep_it_from_being_learnt(base, corpus, monkeypatch):
    asked = {}

    def counted(new, old, fraction):
        asked["old"] = len(old[0])
        return fit_row(new, old, fraction)

    monkeypatch.setattr(fine_tune, "fit_row", counted)
    enroll(base, "rise", recorded(corpus), corpus)
    without = asked["old"]
    beside = corpus.only(labels=["rise", "hold"], speakers=SPEAKERS[:4])
    grown = enroll(base, "rise", beside, corpus)
    assert asked["old"] == without + fine_tune.TIMES * (beside.clips.label == "hold").sum()
    assert set(SPEAKERS[:4]) <= set(grown.record["training_speakers"])


def test_voices_that_were_recorded_are_not_tested_on(base, grown, corpus):
    with pytest.raises(LabError, match="speakers were trained on"):
        judge(base, grown, corpus, "train")
    mine = corpus.with_clips(recorded(corpus).clips.assign(split="test", speaker="you"))
    grown = enroll(base, "rise", mine, corpus)
    assert "you" in grown.record["training_speakers"]
    with pytest.raises(LabError, match="you for one"):
        judge(base, grown, mine)


def test_the_same_recordings_give_the_same_row(base, grown, corpus):
    again = enroll(base, "rise", recorded(corpus), corpus)
    for one, other in zip(grown.network.state_dict().values(), again.network.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_the_more_weight_the_new_word_has_the_more_often_it_is_found(base, corpus, monkeypatch):
    tables = []
    for weight in (0.001, 0.9):
        monkeypatch.setattr(fine_tune, "fit_row", lambda new, old, fraction, weight=weight: fit_row(new, old, weight))
        tables.append(judge(base, enroll(base, "rise", recorded(corpus), corpus), corpus))
    shy, eager = (table.after for table in tables)
    assert eager["'rise' is recognised"] > shy["'rise' is recognised"]
    assert eager["an old word is recognised"] <= shy["an old word is recognised"]


@pytest.mark.parametrize(
    "word, count, words",
    [("fall", 3, "knows 'fall' already"), ("rise", 1, "There are 2 recordings of 'rise'"), ("wow", 3, "There are 0")],
)
def test_a_known_word_and_too_few_recordings_say_so(base, corpus, word, count, words):
    with pytest.raises(LabError, match=words):
        enroll(base, word, recorded(corpus, count), corpus)


def test_without_other_words_there_is_nothing_to_tell_it_from(base, corpus):
    with pytest.raises(LabError, match="no clips in its part 'train'"):
        enroll(base, "rise", recorded(corpus), corpus.only(labels=["rise"]))


def test_a_network_without_a_linear_layer_at_its_end_says_so():
    with pytest.raises(LabError, match="does not end in one linear layer"):
        last_layer(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), 3)
    name, layer = last_layer(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5)), 5)
    assert name == "1" and layer.out_features == 5


def test_the_fitted_row_is_what_softmax_then_uses():
    generator = torch.Generator().manual_seed(0)
    new, old = torch.randn(20, 3, generator=generator).double() + 2, torch.randn(200, 3, generator=generator).double()
    rows = torch.randn(4, 3, generator=generator).double()
    row, bias = fit_row((new, new @ rows.T), (old, old @ rows.T), fraction=0.2)

    def loss(shift, by):
        logits = [torch.cat([x @ rows.T, (x @ (row + shift) + bias + by)[:, None]], 1) for x in (new, old)]
        chance = [each.softmax(1)[:, -1] for each in logits]
        return float(-0.2 * chance[0].log().mean() - 0.8 * (1 - chance[1]).log().mean())

    best = loss(torch.zeros(3), 0.0)
    assert best < 0.25
    for direction in torch.eye(3).double():
        assert min(loss(0.3 * direction, 0.0), loss(-0.3 * direction, 0.0)) > best
    assert min(loss(torch.zeros(3), 0.3), loss(torch.zeros(3), -0.3)) > best


def test_words_outside_the_vocabulary_are_counted_apart(base, grown, corpus):
    other = corpus.with_clips(
        corpus.clips.assign(label=corpus.clips.label.replace({"hold": "hum"})), labels=("fall", "hum", "rise")
    )
    table = judge(base, grown, other)
    assert table.loc["any other word is taken for 'rise'", "clips"] == 6
    assert table.loc["an old word is recognised", "clips"] == 6
    assert table.loc["any other word is taken for 'rise'", "before"] == 0


def test_a_training_begins_with_the_weights_of_another_run(corpus, tmp_path):
    first = runs.train(quick(), corpus, tmp_path)
    kept = quick().change(start=first.id, recipe={"lr": 1e-9, "epochs": 1}, seed=1)
    again = runs.train(kept, corpus, tmp_path)
    for one, other in zip(first.network.parameters(), again.network.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5), "another seed, and yet the same weights"
    assert set(first.record["training_speakers"]) <= set(again.record["training_speakers"])
    with pytest.raises(LabError, match="is not in"):
        runs.train(kept.change(start="0" * 12), corpus, tmp_path)
    with pytest.raises(LabError, match="other classes"):
        runs.train(kept.change(model={"hidden": 7}), corpus, tmp_path)
