"""Augmentation: what happens to a clip is what was asked for, and depends on (seed, epoch, clip) alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import quietly

from labkit.data.store import open_store
from labkit.errors import LabError
from labkit.features import MFCC, LogMel, MelFrames, Raw
from labkit.training.augment import Augmentation, Augmenter, moved, noise_bank, uniform
from labkit.training.batches import batches_of

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")
CPU = torch.device("cpu")
RATE = 16_000
ALL = Augmentation(shift=0.1, speed=0.1, gain=6, noise=0.8, time_masks=1, time_mask=0.1, band_masks=1)
FEATURES = {
    "log_mel": LogMel(seconds=0.55, n_mels=12),
    "log_mel of the word alone": LogMel(seconds=0.4, n_mels=12, trim=20.0, clip_mean=True),
    "mel_frames of any length": MelFrames(seconds=None, n_mels=12),
    "raw": Raw(seconds=0.55),
    "mfcc": MFCC(seconds=0.55, padding="signal"),
}


def for_feature(settings, feature):
    return (
        settings if hasattr(feature, "n_mels") and not hasattr(feature, "n_mfcc") else replace(settings, band_masks=0)
    )


def tone(frequency, samples=RATE):
    return torch.sin(2 * torch.pi * frequency * torch.arange(samples) / RATE)


def augmenter(settings, feature=None, noises=None, clips=1):
    return Augmenter(settings, feature or Raw(), [f"{number}.wav" for number in range(clips)], noises)


def fixed(**columns):
    """Draws of one clip, 0.5 (which changes nothing) but where said otherwise."""
    draws = torch.full((1, 12), 0.5)
    for name, value in columns.items():
        draws[0, ["speed", "shift", "noise_at", "snr", "noisy", "gain", "width", "first"].index(name)] = value
    return draws


@pytest.mark.parametrize("name", FEATURES)
def test_a_clip_is_varied_alike_in_any_order_and_batch(name, corpus):
    feature = FEATURES[name]
    part = quietly(batches_of, corpus, "train", feature, CPU, augmentation=for_feature(ALL, feature))
    plain = batches_of(corpus, "train", feature, CPU)
    part.begin(3, 5)
    whole, lengths, _ = part[torch.arange(len(part))]
    again, _, _ = part[torch.arange(len(part))]
    assert torch.equal(whole, again)
    for index in torch.randperm(len(part), generator=torch.Generator().manual_seed(0)).split(7):
        x, valid, _ = part[index]
        assert torch.equal(valid, lengths[index])
        steps = x.shape[feature.time_axis]
        torch.testing.assert_close(x, whole[index].narrow(feature.time_axis, 0, steps), rtol=1e-4, atol=2e-3)
    for moment in ((3, 6), (4, 5)):
        part.begin(*moment)
        other, _, _ = part[torch.arange(len(part))]
        assert other.shape != whole.shape or (other - whole).abs().amax() > 0.1
    assert whole.shape != plain[torch.arange(len(part))][0].shape or not torch.equal(
        whole, plain[torch.arange(len(part))][0]
    )


def test_a_clip_is_varied_alike_in_a_smaller_corpus(corpus):
    feature = FEATURES["log_mel"]
    smaller = corpus.only(speakers=sorted(corpus.part("train").speaker.unique())[:3])
    both = []
    for some in (corpus, smaller):
        part = batches_of(some, "train", feature, CPU, store=open_store(corpus), augmentation=ALL)
        part.begin(0, 1)
        both.append(dict(zip(some.part("train").path, part[torch.arange(len(part))][0], strict=True)))
    for path, x in both[1].items():
        torch.testing.assert_close(x, both[0][path], rtol=1e-4, atol=2e-3)


def test_nothing_happens_before_an_epoch_begins_nor_without_an_augmentation(corpus):
    feature = FEATURES["log_mel"]
    varied, plain = (batches_of(corpus, "train", feature, CPU, augmentation=some) for some in (ALL, Augmentation()))
    assert plain.augmenter is None and plain.resident is not None and varied.resident is None
    some = torch.arange(8)
    torch.testing.assert_close(varied[some][0], plain[some][0], rtol=1e-4, atol=1e-3)
    assert batches_of(corpus, "train", feature, CPU, augmentation=Augmentation(time_masks=1)).resident is not None


def test_shift_moves_by_whole_samples():
    x = torch.arange(1.0, 101)[None]
    for by in (-7, 0, 13):
        out = moved(x, torch.ones(1, 1), torch.full((1, 1), float(by)), 100)[0]
        expected = torch.zeros(100)
        expected[max(by, 0) : 100 + min(by, 0)] = x[0, max(-by, 0) : 100 - max(by, 0)]
        assert torch.equal(out, expected)


def test_outside_the_clip_is_silence_at_any_speed():
    x = torch.ones(1, 50)
    out = moved(x, torch.full((1, 1), 1.1), torch.full((1, 1), 20.0), 200)[0]
    assert not out[:19].any() and not out[20 + 46 + 1 :].any() and (out[21:64] == 1).all()


def test_speed_changes_pitch_and_length():
    change = augmenter(Augmentation(speed=0.2))
    for draw, factor in ((1.0, 1.2), (0.0, 0.8)):
        x, lengths = change.waveforms(tone(1000)[None, :12_000], torch.tensor([12_000]), fixed(speed=draw))
        peak = np.abs(np.fft.rfft(x[0, : int(lengths)].numpy())).argmax() * RATE / int(lengths)
        assert peak == pytest.approx(1000 * factor, abs=3)
        assert int(lengths) == min(round(12_000 / factor), RATE)


def test_gain_is_in_decibels():
    change = augmenter(Augmentation(gain=6))
    for draw, level in ((1.0, 6), (0.0, -6), (0.5, 0)):
        x, _ = change.waveforms(tone(1000)[None], torch.tensor([RATE]), fixed(gain=draw))
        assert 20 * torch.log10(x.std() / tone(1000).std()).item() == pytest.approx(level, abs=0.01)


def test_noise_has_the_level_that_was_drawn_and_stays_inside_the_clip():
    noises = torch.randn(5 * RATE, generator=torch.Generator().manual_seed(0))
    change = augmenter(Augmentation(noise=0.6, snr_low=0, snr_high=20), noises=noises)
    clip = torch.zeros(1, RATE)
    clip[0, :9_000] = tone(440, 9_000)
    x, _ = change.waveforms(clip, torch.tensor([9_000]), fixed(noisy=0.1, snr=0.25))
    added = x - clip
    assert 10 * torch.log10(clip.square().sum() / added.square().sum()).item() == pytest.approx(5, abs=0.01)
    assert added[0, :9_000].std() > 0 and not added[0, 9_000:].any()
    untouched, _ = change.waveforms(clip, torch.tensor([9_000]), fixed(noisy=0.7, snr=0.25))
    assert torch.equal(untouched, clip)
    filled = augmenter(Augmentation(noise=1.0), Raw(padding="signal"), noises)
    x, _ = filled.waveforms(clip, torch.tensor([9_000]), fixed())
    assert x[0, 9_000:].std() > 0, "where zeros count as signal, noise reaches them"


def test_silence_stays_finite():
    change = augmenter(replace(ALL, band_masks=0), noises=torch.randn(5 * RATE))
    x, _ = change.waveforms(torch.zeros(1, RATE), torch.tensor([RATE]), fixed())
    assert torch.isfinite(x).all()


@pytest.mark.parametrize("feature", [LogMel(n_mels=20), MelFrames(n_mels=20)], ids=["picture", "sequence"])
def test_masks_hide_what_they_say_behind_the_mean_of_the_clip(feature):
    x = torch.randn(1, 51, 20, generator=torch.Generator().manual_seed(1))
    x[:, 40:] = -100  # padding
    change = augmenter(Augmentation(time_masks=1, time_mask=0.2, band_masks=1, band_mask=0.5), feature)
    hides = [0.8, 0.25, 0.5, 0.0]  # 8 of 10 frames from 8 on; 5 of 10 bands from 0 on
    draws = torch.tensor([[0.5] * 6 + hides + [0.5] * 3])
    picture = x.transpose(1, 2)[:, None] if feature.time_axis == 3 else x
    out = change.masks(picture, torch.tensor([40]), draws)
    out = out[:, 0].transpose(1, 2) if feature.time_axis == 3 else out
    hidden = torch.zeros(51, 20, dtype=torch.bool)
    hidden[8:16], hidden[:40, :5] = True, True
    expected = torch.where(hidden, x[0, :40].mean(0), x[0])
    torch.testing.assert_close(out[0], expected)
    assert torch.equal(out[0, 40:], x[0, 40:])


def test_random_numbers_are_even_and_independent():
    keys = np.arange(20_000, dtype=np.uint64)
    draws = uniform(keys, 4)
    assert draws.shape == (20_000, 4) and draws.min() >= 0 and draws.max() < 1
    assert np.abs(np.histogram(draws, 20, (0, 1))[0] / 4000 - 1).max() < 0.06
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.03
    assert np.abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.03


def test_noise_comes_from_the_corpus_where_it_has_some(corpus):
    own = noise_bank(corpus, Raw(), CPU)
    made = noise_bank(replace(corpus, noises=()), Raw(), CPU)
    assert len(made) >= 2 * RATE and made.std() == pytest.approx(0.1, rel=0.01)
    assert bool(corpus.noises) == (len(own) != len(made))
    assert torch.equal(made, noise_bank(replace(corpus, noises=()), Raw(), CPU))
    assert len(noise_bank(replace(corpus, noises=()), Raw(seconds=30), CPU)) >= 60 * RATE


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shift": -1}, "Augmentation.shift cannot be -1"),
        ({"speed": 1.0}, "Augmentation.speed cannot be 1"),
        ({"noise": 1.5}, "Augmentation.noise cannot be 1.5"),
        ({"band_mask": 1.5}, "Augmentation.band_mask cannot be 1.5"),
        ({"snr_low": 30.0}, "snr_low=30.0.*Exchange"),
        ({"time_masks": 1.5}, "Augmentation.time_masks cannot be 1.5"),
        ({"time_masks": -1}, "Augmentation.time_masks cannot be -1"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(LabError, match=message):
        Augmentation(**values)


@pytest.mark.parametrize("feature", [Raw(), MFCC()], ids=["raw", "mfcc"])
def test_bands_can_be_hidden_only_where_there_are_some(feature):
    with pytest.raises(LabError, match=r"has none\. Use the feature 'log_mel'"):
        augmenter(Augmentation(band_masks=1), feature)


OTHERS = Augmentation(pieces=0.3, backwards=0.2)


def spoilt(settings, samples, generator, kind=0.0, where=0.0):
    """One clip as the dice have it: which it becomes, which kind of that, and how large a piece."""
    chosen = Augmenter(settings, Raw(), ["a.wav"], torch.zeros(0), other=2)
    draws = torch.full((1, 9), 0.5)
    draws[0, -3:] = torch.tensor([generator, kind, where])
    x, lengths = chosen.waveforms(samples[None], torch.tensor([len(samples)]), draws)
    return x[0], chosen.targets(torch.tensor([1]), draws).item(), lengths.item()


def test_what_is_made_no_word_counts_as_other():
    samples = torch.arange(1, RATE + 1) / RATE
    for generator, target in ((0.1, 2), (0.19, 2), (0.21, 2), (0.49, 2), (0.51, 1)):
        x, got, length = spoilt(OTHERS, samples, generator, kind=0.1)
        assert got == target and length == RATE and torch.equal(x, samples) == (target == 1)


def test_backwards_is_the_whole_or_the_order_of_its_sounds():
    samples = torch.arange(1, RATE + 1) / RATE
    whole, _, _ = spoilt(OTHERS, samples, 0.1, kind=0.2)
    assert torch.equal(whole, samples.flip(0))
    sounds, _, _ = spoilt(OTHERS, samples, 0.1, kind=0.7)
    stretch = round(0.12 * RATE)
    last = RATE // stretch * stretch
    assert torch.equal(sounds[: RATE - last], samples[last:]), "the last sound first, itself forwards"
    assert torch.equal(sounds[stretch : 2 * stretch], samples[last - stretch : last])


def test_a_piece_holds_the_share_of_the_energy_that_was_drawn():
    samples = torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    first, _, _ = spoilt(OTHERS, samples, 0.3, kind=0.2, where=0.5)
    rest, _, _ = spoilt(OTHERS, samples, 0.3, kind=0.5, where=0.5)
    for x, kept in ((first, slice(0, 100)), (rest, slice(-100, None))):
        assert abs(x.square().sum() / samples.square().sum() - 0.2) < 0.01 and torch.equal(x[kept], samples[kept])
    nothing, target, _ = spoilt(OTHERS, samples, 0.3, kind=0.9)
    assert not nothing.any() and target == 2


def test_noise_alone_is_as_loud_as_it_would_be_behind_the_word():
    settings = replace(OTHERS, noise=1.0, snr_low=0.0, snr_high=0.0)
    noise = torch.randn(3 * RATE, generator=torch.Generator().manual_seed(1))
    chosen = Augmenter(settings, Raw(), ["a.wav"], noise, other=0)
    draws = torch.full((1, 9), 0.5)
    draws[0, -3:] = torch.tensor([0.3, 0.9, 0.5])
    x, _ = chosen.waveforms(tone(440)[None], torch.tensor([RATE]), draws)
    assert abs(x.square().mean() - 0.5) < 0.01


def test_a_source_gives_the_class_of_what_it_made(corpus):
    with_other = replace(corpus, labels=(*corpus.labels, "unknown"))
    part = quietly(batches_of, with_other, "train", Raw(seconds=0.55), CPU, augmentation=Augmentation(backwards=0.5))
    _, _, before = part[torch.arange(len(part))]
    part.begin(0, 1)
    _, _, targets = part[torch.arange(len(part))]
    share = (targets == 3).float().mean()
    assert (before < 3).all() and 0.2 < share < 0.8 and torch.equal(targets[targets < 3], before[targets < 3])
    with pytest.raises(LabError, match="need a class 'unknown'"):
        batches_of(corpus, "train", Raw(seconds=0.55), CPU, augmentation=Augmentation(backwards=0.5))


def test_a_share_of_each_noise_stays_unheard(corpus):
    own, half = noise_bank(corpus, Raw(seconds=0.1), CPU), noise_bank(corpus, Raw(seconds=0.1), CPU, 0.5)
    assert len(half) == len(own) // 2 and torch.equal(half, own[: len(half)])
    for values in ({"noise_fraction": 0.0}, {"pieces": -0.1}, {"pieces": 0.6, "backwards": 0.6}):
        with pytest.raises(LabError, match=next(iter(values))):
            Augmentation(**values)
