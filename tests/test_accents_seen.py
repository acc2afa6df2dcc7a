"""Pictures of accents, and the speed of batches of like lengths: what is shown, and that all sides see the same."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import soundfile
import tiny
import torch
from tiny import RATE

from labkit import plots
from labkit.features import MelFrames
from tools.bench import accents as bench

pytest_plugins = ["tiny"]
matplotlib.use("Agg")


def test_sounds_that_differ_are_marked_where_they_are_said():
    base = [("l", 0.0), ("'a", 0.1), ("T", 0.2), ("o", 0.3), ("s", 0.4), ("", 0.5)]
    seseo = [("l", 0.0), ("'a", 0.1), ("s", 0.2), ("o", 0.3), ("s", 0.4), ("", 0.5)]
    dropped = [("l", 0.0), ("'a", 0.1), ("T", 0.2), ("o", 0.3), ("", 0.42)]
    assert plots.differing(seseo, base) == [(0.2, 0.3, "s")] and plots.differing(base, base) == []
    assert plots.differing(dropped, base) == [(0.42, 0.46, "-")]
    both = [("h", 0.0), ("a", 0.1), ("h", 0.2), ("a", 0.3), ("s", 0.4), ("", 0.5)]
    plain = [("X", 0.0), ("a", 0.1), ("s", 0.2), ("a", 0.3), ("T", 0.4), ("", 0.5)]
    assert [said for _, _, said in plots.differing(both, plain)] == ["h", "h", "s"]


def test_a_sentence_in_several_accents_is_a_picture_each():
    sound = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype("float32")
    times = [("l", 0.0), ("T", 0.4), ("", 1.0)], [("l", 0.0), ("s", 0.4), ("", 1.0)]
    spoken = {"castellano": (sound, RATE, times[0]), "andino": (sound, RATE, times[1])}
    figure = plots.said_in(spoken, "castellano")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["castellano", "andino"]
    marks = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert marks == [["l", "T", ""], ["s"]], "the reference has all its sounds, the other what differs"


def test_what_a_network_would_answer_at_each_frame_is_drawn_below_the_sound():
    probabilities = torch.tensor([[0.5, 0.5], [0.2, 0.8], [0.1, 0.9]])
    feature = MelFrames(seconds=None)
    figure = plots.answers(torch.zeros(40, 3), feature, probabilities, ["a", "b"], [(0.02, 0.04, "S")])
    below = figure.axes[1]
    assert np.allclose(below.lines[1].get_ydata(), [50, 80, 90]) and np.allclose(
        below.lines[1].get_xdata(), [0, 0.02, 0.04]
    )
    assert [text.get_text() for text in below.texts] == ["S"]


@pytest.fixture
def sentences(tmp_path, own_folders):
    """Twenty noises of one to five seconds, as a corpus."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(20):
        seconds = float(rng.uniform(1, 5))
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * rng.standard_normal(round(seconds * RATE)), RATE)
        rows.append({"path": f"{number}.wav", "label": "ab"[number % 2], "speaker": f"s{number}", "seconds": seconds})
    table = pd.DataFrame(rows).assign(split="train", bytes=[(tmp_path / row["path"]).stat().st_size for row in rows])
    return tiny.Corpus("noises", tmp_path, RATE, ("a", "b"), "none", False, table)


@pytest.mark.slow
def test_both_sides_of_the_comparison_train_on_every_clip(sentences):
    for name, side in bench.sides(sentences).items():
        assert 0.3 < side() < 3, name


def test_both_sides_compute_the_same_frames(sentences):
    files = [sentences.root / path for path in sentences.clips.path[:3]]
    kept = bench.batches_of(sentences, "train", bench.FIVE, "cpu")
    x, lengths, _ = kept[torch.arange(3)]
    theirs, their_lengths, _ = bench.per_item(files, torch.zeros(3), "cpu")
    assert torch.allclose(x, theirs, rtol=1e-3, atol=1e-4) and torch.equal(lengths, their_lengths)


def test_the_padding_of_a_batch_changes_no_result(sentences):
    """Frames and scores of a clip, alone and beside the longest one."""
    own = bench.batches_of(sentences, "train", bench.OWN, "cpu")
    torch.manual_seed(0)
    network = bench.NETWORK.build(bench.OWN.shape, 2).eval()
    order = torch.from_numpy(own.samples).argsort()
    short, beside = order[:1], torch.stack([order[0], order[-1]])
    with torch.no_grad():
        alone, together = (network(*own[index][:2]) for index in (short, beside))
    assert own[beside][0].shape[1] > 1.5 * own[short][0].shape[1]
    assert torch.allclose(alone[0], together[0], atol=1e-5)


def test_batches_of_like_lengths_hold_little_padding(sentences):
    own = bench.batches_of(sentences, "train", bench.OWN, "cpu")
    padded = sum(own[index][0].shape[1] * len(index) for index in own.batches(4, seed=0))
    mixed = sum(own[index][0].shape[1] * len(index) for index in torch.randperm(20).split(4))
    frames = int(sum(own[index][1].sum() for index in own.batches(4)))
    assert padded < 1.25 * frames < mixed
    assert sorted(torch.cat(own.batches(4, seed=0)).tolist()) == list(range(20))
