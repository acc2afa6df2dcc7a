"""One loop for all: it learns, it repeats, and an interruption changes nothing."""

import io
import math
import os
import pickle
import signal
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import Interrupt, program, quietly, set_folders
from torch import nn

from labkit.data.speech_commands import load
from labkit.data.store import open_store
from labkit.device import room
from labkit.errors import LabError
from labkit.features import FEATURES, MFCC, LogMel, MelFrames, Raw, Spectrogram
from labkit.files import cache
from labkit.models import Model
from labkit.training import batches
from labkit.training.batches import Batches, batches_of
from labkit.training.loop import Callback, epoch_seed, fit, predict
from labkit.training.recipe import LOSSES, OPTIMISERS, SCHEDULES, Recipe, class_weights
from labkit.training.tensors import load_checkpoint, read_tensors, save_checkpoint, write_tensors

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")
CPU = torch.device("cpu")
FEATURE = MFCC(seconds=0.55, n_mfcc=8, deltas=0, hop_ms=40)  # 14 frames of 8 features
SHORT = Recipe(epochs=3, batch=16)


@pytest.fixture(scope="module")
def parts(made, decoded_once):
    """Training and validation part, the features resident; no test may change them."""
    with pytest.MonkeyPatch.context() as patch:
        set_folders(patch, decoded_once)
        corpus = load(made)
        return tuple(batches_of(corpus, part, FEATURE, CPU) for part in ("train", "validation"))


def network(name="gru", seed=0, feature=FEATURE, **options):
    torch.manual_seed(seed)
    return Model(name, **{"hidden": 8} | options).build(feature.shape, 3)


def weights(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def timeless(history):
    return [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in history]


def trained(parts, recipe=SHORT, net=None, **options):
    """(history without seconds, weights, what fit returned)."""
    net = net or network()
    fitted = fit(net, *parts, recipe, 3, **options)
    return timeless(fitted.history), weights(net), fitted


# Learning


def test_a_small_network_learns_the_tiny_corpus(parts):
    net = network(hidden=16, readout="mean")
    fitted = fit(net, *parts, Recipe(epochs=15, batch=12, lr=0.01), 3)
    assert fitted.history[0]["train_loss"] > 2 * fitted.history[-1]["train_loss"]
    assert fitted.history[-1]["train_accuracy"] > 0.95 and not fitted.stopped
    assert fitted.history[fitted.best_epoch - 1]["validation_accuracy"] > 0.85
    assert [epoch["epoch"] for epoch in fitted.history] == list(range(1, 16))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_each_optimiser_lowers_the_loss(optimiser, parts):
    history, _, _ = trained(parts, Recipe(epochs=6, batch=12, optimiser=optimiser, schedule="constant", lr=0.01))
    assert history[-1]["train_loss"] < 0.8 * history[0]["train_loss"]


def test_the_same_seed_gives_the_same_numbers_and_another_others(parts):
    first, second, third = (trained(parts, seed=seed, net=network(dropout=0.3)) for seed in (0, 0, 1))
    assert first[0] == second[0] and same(first[1], second[1])
    assert first[0] != third[0] and not same(first[1], third[1])


def test_training_leaves_the_students_own_random_numbers_alone(parts):
    torch.manual_seed(7)
    expected = torch.rand(3)
    net = network(dropout=0.3)
    torch.manual_seed(7)
    fit(net, *parts, SHORT, 3)
    assert torch.equal(torch.rand(3), expected)


def test_the_first_numbers_of_an_epoch_are_those_of_a_plain_loop(parts):
    """Two epochs of the loop that notebooks show in full view."""
    train, validation = parts
    recipe = Recipe(epochs=2, batch=16, schedule="constant", optimiser="sgd", lr=0.05, clip_norm=None)
    history, final, _ = trained(parts, recipe)
    net = network()
    optimiser = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=0.01)
    for epoch in (1, 2):
        total = right = 0
        order = torch.randperm(36, generator=torch.Generator().manual_seed(epoch_seed(0, epoch)))
        for index in order.split(16):  # 16, 16 and 4 clips
            x, lengths, targets = train[index]
            outputs = net(x, lengths)
            loss = nn.functional.cross_entropy(outputs, targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(index)  # by clips, not by batches
            right += (outputs.argmax(1) == targets).sum().item()
        with torch.no_grad():
            scores = net(*validation[torch.arange(18)][:2])
        row = history[epoch - 1]
        assert row["train_loss"] == pytest.approx(total / 36, rel=1e-6) and row["train_accuracy"] == right / 36
        expected = nn.functional.cross_entropy(scores, validation.targets).item()
        assert row["validation_loss"] == pytest.approx(expected, rel=1e-6)
        assert row["validation_accuracy"] == (scores.argmax(1) == validation.targets).double().mean().item()
        if row["epoch"] == fitted_best(history):
            assert all(torch.equal(final[name], value) for name, value in net.state_dict().items())


def fitted_best(history, figure="validation_accuracy"):
    return max(history, key=lambda row: (row[figure], -row["validation_loss"], -row["epoch"]))["epoch"]


# Which epoch is kept


def test_the_weights_of_the_best_epoch_on_validation_are_kept(parts):
    kept = {}

    class Keep(Callback):
        def epoch(self, history):
            kept[len(history)] = weights(net)

    net = network()
    recipe = Recipe(epochs=8, batch=12, lr=0.1, schedule="constant", optimiser="adam")  # restless
    fitted = fit(net, *parts, recipe, 3, callback=Keep())
    assert fitted.best_epoch < 8, "else this test shows nothing"
    assert fitted.best_epoch == fitted_best(fitted.history)
    assert same(weights(net), kept[fitted.best_epoch])
    scores, _ = predict(net, parts[1])
    found = (scores.argmax(1) == parts[1].targets).double().mean().item()
    assert found == fitted.history[fitted.best_epoch - 1]["validation_accuracy"]


class Fixed(nn.Module):
    """Guesses the same class for all in each epoch of validation, whatever it learns."""

    def __init__(self, guesses):
        super().__init__()
        self.guesses, self.count, self.weight = guesses, 0, nn.Parameter(torch.zeros(1))

    def forward(self, x, lengths):
        if self.training:
            return self.weight.expand(len(x), 3)
        self.count += 1
        return torch.tensor(self.guesses[self.count - 1], dtype=torch.float32)[: len(x)] + 0 * self.weight


def uneven(parts, counts):
    """A validation part with so many clips of each class."""
    train, validation = parts
    rows = np.concatenate([validation.rows[(validation.targets == c).numpy()][:n] for c, n in enumerate(counts)])
    targets = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    return train, Batches(validation.store, rows, targets, FEATURE, CPU)


def test_balanced_accuracy_selects_when_asked_for(parts):
    parts = uneven(parts, (6, 1, 1))
    guess = {
        "the frequent class": [[5.0, 0, 0]] * 8,  # accuracy 6/8, balanced 1/3
        "the rare ones": [[0, 0.1, 0]] * 7 + [[0, 0, 0.1]],  # accuracy 2/8, balanced 2/3
    }
    epochs = [guess["the frequent class"], guess["the rare ones"]]
    best = {}
    for select in ("accuracy", "balanced_accuracy"):
        fitted = fit(Fixed(epochs), *parts, Recipe(epochs=2, select=select), 3)
        best[select] = fitted.best_epoch
        assert [row["validation_accuracy"] for row in fitted.history] == [6 / 8, 2 / 8]
        assert [row["validation_balanced_accuracy"] for row in fitted.history] == pytest.approx([1 / 3, 2 / 3])
    assert best == {"accuracy": 1, "balanced_accuracy": 2}


def test_of_equal_accuracies_the_lower_loss_wins_and_then_the_earlier_epoch(parts):
    parts = uneven(parts, (2, 2, 2))
    sure, unsure = [[3.0, 0, 0]] * 6, [[0.1, 0, 0]] * 6
    assert fit(Fixed([sure, unsure, unsure]), *parts, Recipe(epochs=3), 3).best_epoch == 2


# Interruptions


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("how", ["stop", "raise"])
def test_an_interrupted_training_goes_on_to_the_same_numbers(how, optimiser, parts, tmp_path):
    recipe = Recipe(epochs=4, batch=16, optimiser=optimiser)
    options = {"dropout": 0.3, "layers": 2, "bidirectional": True}
    history, final, fitted = trained(parts, recipe, network(**options))
    checkpoint = tmp_path / "checkpoint.safetensors"
    for after in (1, 3):
        interrupted = network(**options)
        try:
            half = fit(interrupted, *parts, recipe, 3, 0, checkpoint, Interrupt(after, how))
            assert half.stopped and len(half.history) == after and how == "stop"
        except KeyboardInterrupt:
            assert how == "raise"
    resumed = trained(parts, recipe, network(seed=5, **options), checkpoint=checkpoint)
    assert resumed[0] == history and same(resumed[1], final) and resumed[2].best_epoch == fitted.best_epoch


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[3]))
from labkit.data.speech_commands import load
from labkit.training.batches import batches_of
from labkit.training.loop import Callback, fit
from test_training import CPU, FEATURE, SHORT, network

class Kill(Callback):
    def batch(self, epoch, done, total):
        if (epoch, done) == (3, 2):
            os.kill(os.getpid(), signal.SIGKILL)

corpus = load(sys.argv[1])
parts = [batches_of(corpus, part, FEATURE, CPU) for part in ("train", "validation")]
fit(network(dropout=0.3), *parts, SHORT, 3, checkpoint=Path(sys.argv[2]), callback=Kill())
"""


@pytest.mark.slow
@pytest.mark.weekly  # a whole run is killed in mid-epoch in test_runs.py
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_training_goes_on_to_the_same_numbers(parts, made, tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    process = program(KILLED, made, checkpoint, torch.get_num_threads(), wait=False)
    _, err = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, err
    callback = Count()
    resumed = trained(parts, net=network(seed=5, dropout=0.3), checkpoint=checkpoint, callback=callback)
    assert callback.epochs == [3], "two epochs were kept"
    history, final, _ = trained(parts, net=network(dropout=0.3))
    assert resumed[0] == history and same(resumed[1], final)


class Count(Callback):
    def __init__(self):
        super().__init__()
        self.epochs, self.batches = [], []

    def epoch(self, history):
        self.epochs.append(len(history))

    def batch(self, epoch, done, total):
        self.batches.append((epoch, done, total))


def test_a_watch_sees_each_batch_and_each_epoch(parts):
    callback = Count()
    trained(parts, Recipe(epochs=2, batch=16), callback=callback)
    assert callback.epochs == [1, 2] and callback.batches == [
        (epoch, done, 3) for epoch in (1, 2) for done in (1, 2, 3)
    ]


def test_stopping_keeps_what_was_learnt(parts, tmp_path):
    class Stop(Callback):
        def batch(self, epoch, done, total):
            self.stop = (epoch, done) == (3, 1)

    class Keep(Callback):
        def epoch(self, history):
            kept.append(weights(net))

    kept, net = [], network()
    long = replace(SHORT, epochs=5)
    fit(net, *parts, long, 3, callback=Keep())
    history, final, fitted = trained(parts, long, checkpoint=tmp_path / "c", callback=Stop())
    assert fitted.stopped and len(history) == 2 and same(final, kept[fitted.best_epoch - 1])


def test_stopping_in_the_first_epoch_says_that_nothing_was_learnt(parts, tmp_path):
    callback = Callback(stop=True)
    history, _, fitted = trained(parts, checkpoint=tmp_path / "c", callback=callback)
    assert fitted.stopped and history == [] and fitted.best_epoch == 0 and not (tmp_path / "c").exists()


def test_a_finished_training_is_not_trained_again(parts, tmp_path):
    history, final, _ = trained(parts, checkpoint=tmp_path / "c")
    callback = Count()
    again = trained(parts, net=network(seed=9), checkpoint=tmp_path / "c", callback=callback)
    assert again[0] == history and same(again[1], final) and callback.batches == []


# Checkpoints


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def pickled(kind, trap):
    if kind == "pickle":
        return pickle.dumps(trap)
    buffer = io.BytesIO()
    torch.save({"network": trap}, buffer, _use_new_zipfile_serialization=kind == "torch.save")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["pickle", "torch.save", "old torch.save"])
def test_a_checkpoint_that_is_a_pickle_is_refused_by_name_and_not_executed(kind, parts, tmp_path):
    trap, checkpoint = tmp_path / "trap", tmp_path / "checkpoint.safetensors"
    checkpoint.write_bytes(pickled(kind, Trap(trap)))
    with pytest.raises(LabError, match=r"checkpoint\.safetensors is not a whole safetensors file.*pickle.*Delete it"):
        trained(parts, checkpoint=checkpoint)
    assert not trap.exists() and checkpoint.exists()
    content = checkpoint.read_bytes() if kind == "pickle" else pickle.dumps(Trap(trap))
    pickle.loads(content).close()
    assert trap.exists(), "the trap works"


def test_half_a_checkpoint_is_named_with_the_mend(parts, tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    trained(parts, checkpoint=checkpoint)
    whole = checkpoint.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:4], b""):
        checkpoint.write_bytes(content)
        with pytest.raises(LabError, match=r"checkpoint\.safetensors is not a whole.*training starts from the first"):
            trained(parts, checkpoint=checkpoint)


def test_a_checkpoint_of_another_network_is_named_with_the_mend(parts, tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    trained(parts, checkpoint=checkpoint)
    with pytest.raises(LabError, match=r"checkpoint\.safetensors does not hold the state of this training. Delete it"):
        trained(parts, net=network(hidden=9), checkpoint=checkpoint)
    write_tensors(checkpoint, network().state_dict())
    with pytest.raises(LabError, match=r"checkpoint\.safetensors does not hold the state of this training. Delete it"):
        trained(parts, checkpoint=checkpoint)


def test_tensors_read_from_a_file_do_not_hold_on_to_it(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": torch.arange(4.0), "y": torch.ones(2, 3).T}, {"k": "v"})
    tensors, about = read_tensors(path, "Mend it.")
    assert about["k"] == "v" and torch.equal(tensors["y"], torch.ones(3, 2))
    if sys.platform == "linux":  # elsewhere a held file could not be replaced; here only the list of maps shows it
        with open("/proc/self/maps") as maps:
            assert str(path) not in maps.read()
    os.truncate(path, 0)
    assert torch.equal(tensors["x"], torch.arange(4.0))


def test_tied_weights_can_be_kept(tmp_path):
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    optimiser = torch.optim.Adam(net.parameters())
    save_checkpoint(tmp_path / "c", net, optimiser, [], (0.0, 0.0, 1, net.state_dict()))
    history, best = load_checkpoint(tmp_path / "c", net, optimiser)
    assert history == [] and best[:3] == (0.0, 0.0, 1) and same(best[3], net.state_dict())


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_a_disk_that_fills_costs_no_more_than_the_epoch(tmp_path):
    import resource

    path = tmp_path / "checkpoint.safetensors"
    write_tensors(path, {"x": torch.ones(10)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(LabError, match=r"^Could not write .*checkpoint\.safetensors: File too large\. Free some"):
            write_tensors(path, {"x": torch.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert torch.equal(read_tensors(path, "")[0]["x"], torch.ones(10)) and list(tmp_path.iterdir()) == [path]


# Features in memory or not


KINDS = {
    "mfcc": FEATURE,
    "raw": Raw(seconds=0.5),
    "log_mel": LogMel(seconds=0.5, n_mels=12),
    "mel_frames": MelFrames(seconds=0.5, n_mels=12),
    "spectrogram": Spectrogram(seconds=0.5, window_ms=20),
}
KINDS |= {f"{name} of any length": replace(feature, seconds=None) for name, feature in KINDS.items()}


def test_each_feature_is_tried():
    assert {type(feature) for feature in KINDS.values()} == set(FEATURES.values())


@pytest.mark.parametrize("feature", KINDS.values(), ids=list(KINDS))
def test_features_in_memory_in_a_file_and_batch_by_batch_are_the_same(feature, corpus):
    resident, waiting, streamed = (batches_of(corpus, "train", feature, CPU, memory=m) for m in (1e9, 0, 0))
    for index in resident.batches(7, seed=3):
        assert all(torch.equal(one, other) for one, other in zip(resident[index], waiting[index], strict=True))
    assert not list((cache() / "features").iterdir()), "the file is gone when the process is"
    streamed.resident = None
    for index in resident.batches(7, seed=3):
        first, second = resident[index], streamed[index]
        torch.testing.assert_close(first[0], second[0], rtol=0, atol=1e-4)
        assert torch.equal(first[1], second[1]) and torch.equal(first[2], second[2])
    for one, other in zip(resident.statistics(), streamed.statistics(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_features_are_computed_with_the_longest_clips_first(corpus, monkeypatch):
    # What a batch frees then has room for the next one; the other way round, memory grew by a gigabyte in notebook 07.
    computed, compute = [], Batches.compute

    def watched(self, rows, draws=None):
        computed.append(int(self.store.index.length.values[rows].max()))
        return compute(self, rows, draws)

    monkeypatch.setattr(Batches, "compute", watched)
    store = open_store(corpus, FEATURE.sample_rate)
    rows = np.resize(np.arange(len(store.index)), 200)  # each clip several times
    Batches(store, rows, torch.zeros(200, dtype=torch.int64), replace(FEATURE, seconds=None), CPU)
    assert len(computed) > 1 and computed == sorted(computed, reverse=True) != sorted(computed)


def test_features_in_a_file_train_to_the_same_bits(corpus, parts):
    waiting = [batches_of(corpus, part, FEATURE, CPU, memory=0) for part in ("train", "validation")]
    (first, kept, _), (second, other, _) = trained(parts), trained(waiting)
    assert first == second and all(torch.equal(value, other[name]) for name, value in kept.items())


def where_features_are(corpus, monkeypatch, feature, memory):
    """ "memory" or "file"."""
    places = []
    monkeypatch.setattr(batches, "_in_a_file", lambda numbers: places.append("file") or torch.empty(numbers))
    batches_of(corpus, "train", feature, CPU, memory=memory)
    return (places or ["memory"])[0]


def test_memory_decides_where_features_wait(corpus, monkeypatch):
    needed = 36 * 14 * 8 * 4
    assert where_features_are(corpus, monkeypatch, FEATURE, needed) == "memory"
    assert where_features_are(corpus, monkeypatch, FEATURE, needed - 1) == "file"
    free = replace(FEATURE, seconds=None)
    frames = sum(free.steps(batches_of(corpus, "train", free, CPU).samples))
    assert frames < 36 * 14, "kept without padding"
    assert where_features_are(corpus, monkeypatch, free, frames * 8 * 4) == "memory"
    assert where_features_are(corpus, monkeypatch, free, frames * 8 * 4 - 1) == "file"
    monkeypatch.setenv("LABKIT_MEMORY", f"{(needed + 1) / 1e9:.9f}")
    assert where_features_are(corpus, monkeypatch, FEATURE, None) == "memory"
    monkeypatch.setenv("LABKIT_MEMORY", f"{(needed - 1) / 1e9:.9f}")
    assert where_features_are(corpus, monkeypatch, FEATURE, None) == "file"
    monkeypatch.setenv("LABKIT_MEMORY", "much")
    with pytest.raises(LabError, match="LABKIT_MEMORY is 'much', not a number of gigabytes"):
        room(CPU)


def test_clips_of_any_length_train(corpus):
    feature = replace(FEATURE, seconds=None)
    parts = [batches_of(corpus, part, feature, CPU) for part in ("train", "validation")]
    frames = {parts[0][torch.tensor([number])][0].shape[1] for number in range(36)}
    assert len(frames) > 1
    history, _, _ = trained(parts, Recipe(epochs=12, batch=12, lr=0.02), network(feature=feature))
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]


def test_clips_of_like_length_share_a_batch(corpus):
    part = batches_of(corpus, "train", replace(FEATURE, seconds=None), CPU)
    fixed = batches_of(corpus, "train", FEATURE, CPU)

    def padding(batches):
        lengths = [part.samples[batch.numpy()] for batch in batches]
        return sum(len(some) * some.max() - some.sum() for some in lengths)

    batches = part.batches(6, seed=1)
    assert sorted(torch.cat(batches).tolist()) == list(range(36))
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in part.batches(6, seed=1)]
    assert [batch.tolist() for batch in batches] != [batch.tolist() for batch in part.batches(6, seed=2)]
    least = padding(torch.from_numpy(np.argsort(part.samples)).split(6))  # all 36 clips are one pool here
    assert padding(batches) == least < padding(fixed.batches(6, seed=1))
    longest = [part.samples[batch.numpy()].max() for batch in batches]
    assert longest != sorted(longest), "short clips first would be another lesson"


def test_predictions_come_in_the_order_of_the_clips(corpus):
    part = batches_of(corpus, "train", replace(FEATURE, seconds=None), CPU)
    net = network(feature=part.feature).eval()
    scores, _ = predict(net, part, batch=5)
    for number in (0, 7, 35):
        x, lengths, _ = part[torch.tensor([number])]
        torch.testing.assert_close(scores[number], net(x, lengths)[0], rtol=1e-4, atol=1e-5)


def test_statistics_are_of_the_valid_frames(corpus):
    for feature in (FEATURE, replace(FEATURE, seconds=None), Raw(seconds=0.55), LogMel(seconds=0.55, n_mels=12)):
        part = batches_of(corpus, "train", feature, CPU)
        frames = []
        for number in range(len(part)):
            x, lengths, _ = part[torch.tensor([number])]
            frames.append(x[0].narrow(feature.time_axis - 1, 0, int(lengths)).movedim(feature.time_axis - 1, 0))
        frames = torch.cat(frames).double()
        mean, std = part.statistics()
        torch.testing.assert_close(mean.flatten(), frames.mean(0).flatten().float(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(std.flatten(), frames.std(0, correction=0).flatten().float(), rtol=1e-3, atol=1e-4)
        assert (mean + part[torch.arange(3)][0]).shape == part[torch.arange(3)][0].shape


def test_each_clip_comes_once_an_epoch_in_an_order_of_the_seed(parts):
    train = parts[0]
    orders = [torch.cat(list(train.batches(10, seed))).tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2]) == list(range(36))
    assert [len(batch) for batch in train.batches(10, 1)] == [10, 10, 10, 6]
    assert torch.cat(list(train.batches(10))).tolist() == list(range(36))


def test_predicting_neither_trains_nor_depends_on_the_batch(parts):
    net = network(dropout=0.5)
    net.train()
    before = weights(net)
    scores, loss = predict(net, parts[1])
    again, _ = predict(net, parts[1], batch=5)
    assert loss is None and scores.shape == (18, 3) and not scores.requires_grad and same(weights(net), before)
    torch.testing.assert_close(scores, again, rtol=1e-5, atol=1e-6)


# Recipes


def test_schedules_have_their_shape():
    share = np.linspace(0, 1, 1001)
    one = np.array([SCHEDULES["one_cycle"](done, []) for done in share])
    assert one[0] == pytest.approx(0.04) and one.argmax() == 300 and one.max() == pytest.approx(1)
    assert (np.diff(one[:301]) > 0).all() and (np.diff(one[300:]) < 0).all() and 0 < one[-1] < 1e-4
    cosine = np.array([SCHEDULES["cosine"](done, []) for done in share])
    assert cosine[0] == 1 and cosine[500] == pytest.approx(0.5) and cosine[-1] == pytest.approx(0)
    assert (np.diff(cosine) <= 0).all() and {SCHEDULES["constant"](done, []) for done in share} == {1.0}
    for schedule in SCHEDULES.values():
        assert all(0 <= schedule(done, []) <= 1 for done in share)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_moves_batch_by_batch_through_all_epochs(schedule, parts, monkeypatch):
    rates = []

    class Spy(torch.optim.SGD):
        def step(self, closure=None):
            rates.append({group["lr"] for group in self.param_groups})
            return super().step(closure)

    monkeypatch.setitem(OPTIMISERS, "sgd", Spy)
    recipe = Recipe(epochs=4, batch=16, optimiser="sgd", schedule=schedule, lr=0.1)
    history, _, _ = trained(parts, recipe)
    assert rates == [{0.1 * SCHEDULES[schedule](number / 12, [])} for number in range(12)]
    assert [row["lr"] for row in history] == [0.1 * SCHEDULES[schedule](number / 12, []) for number in (2, 5, 8, 11)]


def test_a_schedule_made_for_batches_may_be_moved_on_once_an_epoch(parts):
    history, _, _ = trained(parts, Recipe(epochs=4, batch=16, schedule_step="epoch", lr=0.1))
    assert [row["lr"] for row in history] == [0.1 * SCHEDULES["one_cycle"](epoch / 12, []) for epoch in range(4)]


def test_the_plateau_schedule_is_torchs():
    """ReduceLROnPlateau with factor 0.5 and patience 2, fed the training loss."""
    losses = [3, 2, 2.1, 2.2, 2.0, 2.0, 1.9, 1.9, 1.9, 1.9, 1.8999, 1.9, 1.5, 2, 2, 2, 2, 2, 2, 2]
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=2)
    for number in range(len(losses)):
        history = [{"train_loss": loss} for loss in losses[:number]]
        assert SCHEDULES["plateau"](0.5, history) == optimiser.param_groups[0]["lr"]
        theirs.step(losses[number])
    assert optimiser.param_groups[0]["lr"] < 0.2


def test_softmax_before_the_loss_has_a_floor(parts):
    right = 50 * torch.eye(15)
    twice = LOSSES["softmax_cross_entropy"](right, torch.arange(15))
    once = LOSSES["cross_entropy"](right, torch.arange(15))
    assert twice.item() == pytest.approx(math.log(math.e + 14) - 1) and once.item() == pytest.approx(0, abs=1e-6)
    history, _, _ = trained(parts, Recipe(epochs=2, batch=16, loss="softmax_cross_entropy"))
    assert history[-1]["train_loss"] > math.log(math.e + 2) - 1


def test_class_weights_make_rare_classes_count_the_same():
    targets = torch.tensor([0] * 6 + [1] * 3 + [2])
    found = class_weights(targets, 4)
    assert found[:3].tolist() == pytest.approx([10 / 18, 10 / 9, 10 / 3]) and found[3] == 0
    assert (torch.bincount(targets, minlength=4) * found)[:3].tolist() == pytest.approx([10 / 3] * 3)
    assert class_weights(torch.tensor([0, 1, 1, 0]), 2).tolist() == [1, 1]


def test_class_weights_move_what_is_learnt(parts):
    train, _ = parts
    keep = np.concatenate([np.arange(12), [12, 24]])  # twelve of one class, one of each other
    some = Batches(train.store, train.rows[keep], train.targets[keep], FEATURE, CPU)

    class Prior(nn.Module):
        """Learns how frequent the classes are, and nothing else."""

        def __init__(self):
            super().__init__()
            self.scores = nn.Parameter(torch.zeros(3))

        def forward(self, x, lengths):
            return self.scores.expand(len(x), 3)

    guesses = {}
    for weigh in (False, True):
        recipe = Recipe(epochs=150, batch=14, lr=0.3, optimiser="sgd", weight_decay=0.0, class_weights=weigh)
        fit(net := Prior(), some, some, replace(recipe, clip_norm=None), 3)
        guesses[weigh] = net.scores.softmax(0).tolist()
    assert guesses[False] == pytest.approx([12 / 14, 1 / 14, 1 / 14], abs=0.02)
    assert guesses[True] == pytest.approx([1 / 3] * 3, abs=0.02)


def test_a_loss_that_is_not_finite_stops_with_an_explanation(parts, tmp_path):
    class Explode(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.steps = nn.Linear(8, 3), 0

        def forward(self, x, lengths):
            self.steps += self.training
            return self.linear(x.mean(1)) * (math.nan if self.steps == 5 else 1)

    with pytest.raises(
        LabError, match=r"became nan in epoch 2, batch 2. The epochs before are kept. Lower the learning rate"
    ):
        fit(Explode(), *parts, Recipe(epochs=3, batch=16), 3, checkpoint=tmp_path / "c")
    assert (tmp_path / "c").exists()
    with pytest.raises(
        LabError, match=r"batch 2. Lower the learning rate .lr, now 0.003. or set clip_norm=1.0 and train again"
    ):
        fit(Explode(), *parts, Recipe(epochs=3, batch=16, clip_norm=None), 3)


def test_weights_that_explode_in_the_last_step_are_noticed(parts):
    recipe = Recipe(epochs=1, batch=64, lr=1e38, optimiser="sgd", clip_norm=None, schedule="constant")
    with pytest.raises(LabError, match="became nan in the validation after epoch 1. Lower the learning rate"):
        trained(parts, recipe, network("rnn"))


def test_gradients_are_clipped_to_the_norm(parts, monkeypatch):
    norms = []
    clip = nn.utils.clip_grad_norm_

    def spy(parameters, limit):
        parameters = list(parameters)
        clip(parameters, limit)
        norms.append(torch.stack([weight.grad.norm() for weight in parameters]).norm().item())

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", spy)
    trained(parts, replace(SHORT, clip_norm=0.05))
    assert len(norms) == 9 and max(norms) == pytest.approx(0.05, rel=1e-3)
    trained(parts, replace(SHORT, clip_norm=None))
    assert len(norms) == 9


def test_sixteen_bits_train(parts):
    wide, narrow = (trained(parts, Recipe(epochs=6, batch=12, lr=0.01, precision=name)) for name in ("float32", "bf16"))
    assert narrow[0][-1]["train_loss"] < 0.8 * narrow[0][0]["train_loss"]
    assert narrow[0] != wide[0] and all(value.dtype == torch.float32 for value in narrow[1].values())
    assert narrow[0][0]["train_loss"] == pytest.approx(wide[0][0]["train_loss"], rel=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimiser": "adm"}, "no optimiser called 'adm'. Did you mean 'adam'"),
        ({"schedule": "onecycle"}, "no schedule called 'onecycle'. Did you mean 'one_cycle'"),
        ({"loss": "mse"}, "no loss called 'mse'. Choose one of: cross_entropy"),
        ({"select": "loss"}, "Recipe.select cannot be 'loss'.*balanced_accuracy"),
        ({"precision": "fp16"}, "Recipe.precision cannot be 'fp16'.*bf16"),
        ({"schedule_step": "step"}, "Recipe.schedule_step cannot be 'step'"),
        ({"epochs": 0}, "Recipe.epochs cannot be 0"),
        ({"batch": 0}, "Recipe.batch cannot be 0"),
        ({"lr": 0.0}, "Recipe.lr cannot be 0.0"),
        ({"lr": math.nan}, "Recipe.lr cannot be nan"),
        ({"lr": math.inf}, "Recipe.lr cannot be inf"),
        ({"clip_norm": 0}, "Recipe.clip_norm cannot be 0"),
        ({"weight_decay": -0.1}, "Recipe.weight_decay cannot be -0.1"),
        ({"momentum": -0.1}, "Recipe.momentum cannot be -0.1"),
    ],
)
def test_recipes_that_cannot_be_cooked_say_why(settings, message):
    with pytest.raises(LabError, match=message):
        Recipe(**settings)


def test_the_store_of_a_part_is_opened_without_a_word(corpus):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(batches_of(corpus, "test", FEATURE, CPU, store=quietly(open_store, corpus))) == 18


def test_a_clip_shorter_than_a_window_is_named(corpus):
    shortest = corpus.part("train").sort_values("seconds").path.iloc[0]
    with pytest.raises(LabError, match=rf"of \d+ clips are shorter than a window of 7200 .*{shortest} has 6400"):
        batches_of(corpus, "train", LogMel(seconds=None, window_ms=450.0), CPU)
    assert len(batches_of(corpus, "train", LogMel(window_ms=450.0), CPU)), "filled up to a second each has a window"
