"""Features are what librosa and torchaudio compute, and each clip's depend on that clip alone."""

import warnings

import numpy as np
import pytest
import soundfile
import torch

from labkit.errors import LabError, LabWarning
from labkit.features import FEATURES, MFCC, LogMel, MelFrames, Raw, delta
from labkit.features.spectral import mel_filters
from labkit.streaming import StreamingFeature

# Tolerances. Powers are computed in 32 bits here and there, in another order: they agree to about six digits.
DB = 0.01  # decibels, after log and DCT
RELATIVE = 1e-4
LIBROSA = {"mel_scale": "slaney", "mel_norm": "slaney", "top_db": 80.0}


def noise(samples=16_000, seed=0, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def sweep(samples=16_000, sample_rate=16_000):
    time = np.arange(samples) / sample_rate
    return (0.3 * np.sin(2 * np.pi * (100 + 3000 * time) * time)).astype(np.float32)


@pytest.fixture(scope="module")
def recordings(real_audio):
    """Some real clips at 16 kHz, float32, of differing length."""
    folder = real_audio / "speech_commands_4words"
    paths = [
        sorted((folder / word).glob("*.wav"))[number] for word in ("yes", "no", "up", "down") for number in (0, 500)
    ]
    return [soundfile.read(path, dtype="float32")[0] for path in paths]


def alone(feature, samples):
    """Features of one clip: numpy, without the batch; and the valid length."""
    x, lengths = feature.build()(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    return x[0].numpy(), int(lengths[0])


# librosa

WINDOWS = [
    {"window_ms": 20, "hop_ms": 10},
    {"window_ms": 40, "hop_ms": 20},
    {"window_ms": 25, "hop_ms": 10, "n_fft": 512},
    {"window_ms": 120, "hop_ms": 60, "n_fft": 2048},
]


def librosa_power(feature, samples):
    """librosa's mel power, shape (bands, frames)."""
    import librosa

    return librosa.feature.melspectrogram(
        y=samples,
        sr=feature.sample_rate,
        n_fft=feature.fft,
        hop_length=feature.hop,
        win_length=feature.window,
        n_mels=feature.n_mels,
        fmin=feature.f_min,
        fmax=feature.f_max,
        htk=feature.mel_scale == "htk",
        norm=feature.mel_norm,
    )


def check_against_librosa(options, samples):
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty bands, which both of them have
        feature = LogMel(seconds=None, **options)
        power = librosa_power(feature, samples)
        level = librosa.power_to_db(power, amin=feature.floor, top_db=feature.top_db)
        own, frames = alone(feature, samples)
        assert own.shape == (1, *level.shape) and frames == level.shape[1]
        np.testing.assert_allclose(own[0], level, atol=DB)
        plain, _ = alone(LogMel(seconds=None, **options | {"log": "none", "top_db": None}), samples)
        np.testing.assert_allclose(plain[0], power, rtol=RELATIVE, atol=RELATIVE * power.max() * 1e-3)
        own, frames = alone(MFCC(seconds=None, n_mfcc=20, **options), samples)
    mfcc = librosa.feature.mfcc(S=level, n_mfcc=20)
    slope = librosa.feature.delta(mfcc, width=7, mode="nearest")
    slope_of_slope = librosa.feature.delta(slope, width=7, mode="nearest")
    assert own.shape == (frames, 60)
    for number, expected in enumerate((mfcc, slope, slope_of_slope)):
        np.testing.assert_allclose(own.T[20 * number : 20 * (number + 1)], expected, atol=DB)


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("scale", [LIBROSA, {"top_db": 80.0}], ids=["slaney", "htk"])
def test_features_of_noise_and_of_a_sweep_are_librosas(window, scale):
    for samples in (noise(9_000), sweep(), np.zeros(4_000, np.float32)):
        check_against_librosa(window | scale, samples)


@pytest.mark.slow
def test_features_of_real_recordings_are_librosas(recordings):
    for number, samples in enumerate(recordings):
        check_against_librosa(WINDOWS[number % 4] | LIBROSA, samples)
        check_against_librosa({"window_ms": 40, "hop_ms": 20, "f_min": 60.0, "f_max": 7_000.0, "top_db": 25.0}, samples)


def test_librosas_own_defaults_are_reached_by_options():
    import librosa

    feature = MFCC(
        sample_rate=22_050,
        seconds=None,
        window_ms=2048 / 22.05,
        hop_ms=512 / 22.05,
        n_mels=128,
        n_mfcc=20,
        deltas=0,
        **LIBROSA,
    )
    for samples in (noise(), sweep()):
        np.testing.assert_allclose(alone(feature, samples)[0].T, librosa.feature.mfcc(y=samples), atol=DB)


def test_twice_a_slope_is_not_librosas_order_two():
    import librosa

    mfcc = alone(MFCC(seconds=None, deltas=0), noise())[0].T
    own = alone(MFCC(seconds=None), noise())[0].T[26:]
    assert np.abs(own - librosa.feature.delta(mfcc, width=7, order=2, mode="nearest")).max() > 100 * DB


# torchaudio


SCALES = pytest.mark.parametrize("scale", [{}, {"mel_scale": "slaney", "mel_norm": "slaney"}], ids=["htk", "slaney"])


@SCALES
def test_features_of_noise_and_of_a_sweep_are_torchaudios(scale):
    check_against_torchaudio(scale, [noise(), sweep(12_000), noise(15_000, level=1e-3)])


@SCALES
def test_features_of_real_recordings_are_torchaudios(scale, recordings):
    check_against_torchaudio(scale, recordings)


def check_against_torchaudio(scale, clips):
    import torchaudio.transforms as T

    mel = {"n_fft": 640, "win_length": 512, "hop_length": 160, "n_mels": 40, "pad_mode": "constant"}
    mel |= {"mel_scale": scale.get("mel_scale", "htk"), "norm": scale.get("mel_norm")}
    options = {"window_ms": 32, "hop_ms": 10, "n_fft": 640, "seconds": 1.0, "padding": "signal", **scale}
    x, lengths = batch([clip[:16_000] for clip in clips], 16_000)
    # (batch, 1, samples): with (batch, samples) torchaudio would take top_db from the loudest clip of the batch
    expected = T.MelSpectrogram(16_000, **mel)(x[:, None])
    own, frames = LogMel(log="none", **options).build()(x, lengths)
    assert own.shape == expected.shape == (len(clips), 1, 40, 101) and (frames == 101).all()
    torch.testing.assert_close(own, expected, rtol=RELATIVE, atol=1e-5)
    own, _ = LogMel(top_db=80.0, **options).build()(x, lengths)
    torch.testing.assert_close(own, T.AmplitudeToDB("power", 80.0)(expected), rtol=0, atol=DB)
    own, _ = MFCC(top_db=80.0, n_mfcc=13, deltas=0, **options).build()(x, lengths)
    expected = T.MFCC(16_000, 13, melkwargs=mel)(x[:, None])
    torch.testing.assert_close(own, expected[:, 0].transpose(1, 2), rtol=0, atol=DB)


def test_slopes_are_torchaudios():
    import torchaudio.functional as F

    x = torch.randn(3, 30, 5, generator=torch.Generator().manual_seed(0))
    for width in (3, 7, 9):
        expected = F.compute_deltas(x.transpose(1, 2), width, mode="replicate").transpose(1, 2)
        torch.testing.assert_close(delta(x, torch.full((3,), 30), width), expected, rtol=1e-5, atol=1e-6)


def test_the_slope_of_a_line_is_its_slope():
    x = torch.arange(20.0)[None, :, None] * torch.tensor([1.0, -2.5])
    slope = delta(x, torch.tensor([20]))[0, 3:-3]
    torch.testing.assert_close(slope, torch.tensor([1.0, -2.5]).expand(14, 2))


def test_natural_logarithm_and_decibels_differ_by_a_factor():
    level = alone(LogMel(), noise())[0]
    np.testing.assert_allclose(alone(LogMel(log="ln"), noise())[0] * 10 / np.log(10), level, atol=1e-4)
    assert alone(LogMel(), np.zeros(16_000, np.float32))[0].max() == pytest.approx(-100)
    assert alone(LogMel(floor=1e-3), noise(level=1e-4))[0].max() == pytest.approx(-30)


# Shapes and lengths


def test_windows_of_the_reference_study_give_its_frames():
    for window_ms, frames in ((20, 101), (40, 51), (80, 26), (120, 17)):
        feature = MFCC(window_ms=window_ms, hop_ms=window_ms / 2, n_fft=2048)
        x, valid = alone(feature, noise())
        assert x.shape == feature.shape == (frames, 39) and valid == frames


SHAPED = {
    "mfcc": MFCC(n_mfcc=20, deltas=1, n_mels=30),
    "log_mel": LogMel(n_mels=30, seconds=0.7),
    "mel_frames": MelFrames(n_mels=30, seconds=0.7),
    "raw": Raw(seconds=0.5),
    "odd window": MFCC(sample_rate=22_050, window_ms=60, hop_ms=20),  # 1323 samples
    "odd hop": LogMel(sample_rate=11_025, window_ms=23, hop_ms=9),
    "long window": MFCC(seconds=0.12, window_ms=120, hop_ms=10),
}


@pytest.mark.parametrize("name", SHAPED)
def test_a_feature_has_the_shape_it_states(name):
    feature = SHAPED[name]
    for samples in (1, 999, feature.samples - 1, feature.samples, feature.samples + 1, 3 * feature.samples):
        x, valid = alone(feature, noise(samples))
        assert x.shape == feature.shape
        kept = min(samples, feature.samples)
        assert valid == (kept if name == "raw" else 1 + kept // feature.hop) <= x.shape[feature.time_axis - 1]


def test_shapes_of_features_without_a_length_leave_it_open():
    assert MFCC(seconds=None).shape == (None, 39) and Raw(seconds=None).shape == (1, None)
    assert LogMel(seconds=None, n_mels=64).shape == (1, 64, None)
    assert alone(Raw(seconds=None), noise(1234))[0].shape == (1, 1234)


def test_raw_samples_are_the_samples():
    x, valid = alone(Raw(), noise(12_000))
    np.testing.assert_array_equal(x[0, :12_000], noise(12_000))
    assert valid == 12_000 and not x[0, 12_000:].any()


def test_filled_zeros_count_as_signal_only_where_asked():
    masked, signal = (alone(MFCC(padding=padding), noise(8_000)) for padding in ("masked", "signal"))
    assert masked[1] == 26 and signal[1] == 51
    assert not masked[0][26:].any() and np.abs(signal[0][26:]).max() > 100


# Each clip for itself

OPTIONS = [
    {"seconds": None},
    {"trim": 20.0, "seconds": 0.8},
    {"seconds": 1.0},
    {"seconds": 0.3},
    {"seconds": 1.0, "padding": "signal"},
    {"seconds": 0.4, "padding": "signal"},
]
SPECTRAL = [
    {},
    {"top_db": 30.0},
    {"clip_mean": True},
    {"log": "none"},
    {"log": "ln", "mel_scale": "slaney", "mel_norm": "slaney"},
    {"window_ms": 25, "hop_ms": 10, "n_fft": 512},
    {"sample_rate": 22_050, "window_ms": 60},  # an odd number of samples
]


def batch(clips, samples=None):
    samples = samples or max(map(len, clips))
    out = np.zeros((len(clips), samples), np.float32)
    for row, clip in zip(out, clips, strict=True):
        row[: len(clip)] = clip
    return torch.from_numpy(out), torch.tensor([len(clip) for clip in clips])


def check_alone(feature, clips):
    """Each clip's features must be the same alone, among any neighbours, and with any number of zeros behind it."""
    axis = feature.time_axis - 1
    neighbours = [noise(13_000, seed=9, level=0.9), np.zeros(300, np.float32)]
    extract = feature.build()
    waveforms = [batch(clips), batch(clips[::-1]), batch([*clips, *neighbours]), batch(clips, 20_000)]
    settings = [extract(*together) for together in waveforms]
    for number, clip in enumerate(clips):
        expected, valid = alone(feature, clip)
        expected = expected.take(range(valid), axis)
        scale = np.abs(expected).max() if getattr(feature, "log", "none") == "none" else 1
        for which, (x, found) in enumerate(settings):
            place = len(clips) - 1 - number if which == 1 else number
            assert found[place] == valid
            own = x[place].numpy()
            np.testing.assert_allclose(own.take(range(valid), axis), expected, rtol=0, atol=1e-3 * scale)
            silence = getattr(extract, "silence", 0.0)
            assert (own.take(range(valid, own.shape[axis]), axis) == np.float32(silence)).all(), "no sound beyond"


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", FEATURES)
def test_a_clip_alone_is_the_clip_in_a_batch(name, options):
    short = 17 if options.get("seconds", 1) else 1_400  # of its own length, a clip must fill a window
    clips = [noise(9_000, level=0.5), noise(3_333, seed=2, level=1e-3), noise(short, seed=3), sweep(16_500)]
    more = SPECTRAL[1:] if name != "raw" and options in (OPTIONS[0], OPTIONS[-1]) else []
    for settings in [{}, *more]:
        check_alone(FEATURES[name](**options, **settings), clips)


@pytest.mark.parametrize("name", FEATURES)
def test_a_real_clip_alone_is_the_clip_in_a_batch(name, recordings):
    for options in OPTIONS:
        check_alone(FEATURES[name](**options), recordings[:4])


@pytest.mark.parametrize("level", [0.3, 0.003])
def test_what_comes_before_and_after_the_word_is_cut_off(level):
    """A word of 0.3 s, 0.5 s late in a clip longer than the window, on a floor of noise 40 dB below."""
    clip = 0.01 * level * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    clip[8_000:12_800] += level * np.random.default_rng(1).standard_normal(4_800).astype(np.float32)
    feature = Raw(seconds=0.6, trim=30.0)
    x, lengths = feature.build()(*batch([clip, clip[::-1], clip[8_000:12_800]]))
    assert feature.reads is None and x.shape == (3, 1, 9_600) and not feature.streamable
    for row, found, source, start in zip(
        x[:, 0], lengths.tolist(), (clip, clip[::-1], clip[8_000:]), (8_000, 3_200, 0), strict=True
    ):
        before = round(0.03 * 16_000) if start else 0  # the margin, and the tick that the word touches
        assert 4_800 <= found <= 4_800 + 2 * round(0.04 * 16_000)
        np.testing.assert_array_equal(row[before : before + 4_800], source[start : start + 4_800])
        assert (row[found:] == 0).all()


def test_silence_is_not_trimmed_away():
    x, lengths = Raw(seconds=1.0, trim=30.0).build()(torch.zeros(2, 8_000), torch.tensor([8_000, 5]))
    assert lengths.tolist() == [8_000, 5] and (x == 0).all()


@pytest.mark.parametrize("name, options", [("log_mel", {}), ("mfcc", {"deltas": 0})])
def test_with_the_clips_mean_taken_away_a_microphone_makes_no_difference(name, options):
    """One that hears everything four times as loud; and what is taken away is the same at all times."""
    extract = FEATURES[name](clip_mean=True, floor=1e-20, **options).build()
    clips = [noise(8_000), noise(5_000, seed=1)]
    waveforms, lengths = batch(clips, 16_000)
    x, frames = extract(waveforms, lengths)
    torch.testing.assert_close(extract(4 * waveforms, lengths)[0], x, rtol=0, atol=1e-3)
    plain = FEATURES[name](floor=1e-20, **options).build()(waveforms, lengths)[0]
    time = FEATURES[name].time_axis
    for clip, plain_clip, valid in zip(x, plain, frames, strict=True):
        mean = clip.narrow(time - 1, 0, valid).mean(time - 1, keepdim=True)
        assert mean.abs().max() < 1e-3 and (plain_clip - clip).narrow(time - 1, 0, valid).std(time - 1).max() < 1e-3


def test_the_slope_at_the_end_is_of_the_clip_whatever_the_padding_holds():
    x = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[0, 12:] = 1e6
    lengths = torch.tensor([12, 20])
    torch.testing.assert_close(delta(changed, lengths)[0, :12], delta(x, lengths)[0, :12])
    torch.testing.assert_close(delta(x, lengths)[:1, :12], delta(x[:1, :12], lengths[:1]))


# Streaming


def test_features_say_whether_they_can_be_streamed():
    assert MFCC().streamable and LogMel(log="none").streamable
    assert not LogMel(top_db=80.0).streamable and not MFCC(clip_mean=True).streamable


def test_a_frame_needs_no_more_than_the_stated_look_ahead():
    feature = LogMel(seconds=None, n_fft=1024)
    look_ahead = StreamingFeature(MelFrames(seconds=None, n_fft=1024)).look_ahead
    assert look_ahead == pytest.approx(0.02)
    samples = noise()
    changed = samples.copy()
    changed[8_000 + round(look_ahead * 16_000) :] = 0.7
    before, after = alone(feature, samples)[0], alone(feature, changed)[0]
    frame = 8_000 // feature.hop
    np.testing.assert_allclose(after[..., : frame + 1], before[..., : frame + 1], atol=1e-4)
    assert np.abs(after[..., frame + 3 :] - before[..., frame + 3 :]).max() > 1


# Settings that do not fit


def test_empty_mel_bands_are_counted_and_the_largest_number_that_works_is_named():
    with pytest.warns(LabWarning, match=r"(\d+) of 128 mel bands are empty: n_fft 400 at 16000 Hz") as caught:
        LogMel(window_ms=25, hop_ms=12.5, n_mels=128).build()
    words = str(caught[0].message).split()
    empty, works = int(words[0]), int(words[words.index("most") + 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LogMel(window_ms=25, n_mels=works).build()
    with pytest.warns(LabWarning, match=f"of {works + 1} mel bands are empty"):
        filters = mel_filters(LogMel(window_ms=25, n_mels=works + 1))
    assert (filters.amax(0) == 0).any()
    with pytest.warns(LabWarning):
        assert (mel_filters(LogMel(window_ms=25, n_mels=128)).amax(0) == 0).sum() == empty > 0


def test_a_transform_too_short_for_any_band_still_says_something():
    with pytest.warns(LabWarning, match="mel bands are empty.*longer n_fft"):
        LogMel(sample_rate=1000, window_ms=2, hop_ms=2, n_mels=2, f_min=100.0, f_max=200.0).build()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MFCC(padding="zeros"), "MFCC.padding cannot be 'zeros'.*'masked' or 'signal'"),
        (lambda: MFCC(seconds=None, padding="signal"), "Set seconds"),
        (lambda: MFCC(seconds=None, trim=20.0), "Set seconds"),
        (lambda: MFCC(seconds=0), "MFCC.seconds cannot be 0"),
        (lambda: MFCC(trim=0), "MFCC.trim cannot be 0"),
        (lambda: Raw(sample_rate=0), "Raw.sample_rate cannot be 0"),
        (lambda: Raw(percentile=0), "Raw.percentile cannot be 0"),
        (lambda: Raw(percentile=101), "Raw.percentile cannot be 101"),
        (lambda: Raw(scatter=True, seconds=None), "Set seconds"),
        (lambda: LogMel(log="dB"), "LogMel.log cannot be 'dB'.*'db', 'ln' or 'none'"),
        (lambda: LogMel(mel_scale="mel"), "LogMel.mel_scale cannot be 'mel'"),
        (lambda: LogMel(mel_norm="area"), "LogMel.mel_norm cannot be 'area'"),
        (lambda: LogMel(mel_rate=0), "LogMel.mel_rate cannot be 0"),
        (lambda: LogMel(n_fft=400), "n_fft=400.*n_fft and seconds must hold a window"),
        (lambda: LogMel(hop_ms=0.01), "hop of 0.*the hop a sample"),
        (lambda: LogMel(window_ms=0), "LogMel.window_ms cannot be 0"),
        (lambda: LogMel(window_ms=0.05), "window of 1 samples"),
        (lambda: LogMel(seconds=0.02), "window of 640 samples.*seconds=0.02.*must hold a window"),
        (lambda: LogMel(n_mels=0), "LogMel.n_mels cannot be 0"),
        (lambda: LogMel(f_min=5000.0, f_max=4000.0), "f_min"),
        (lambda: LogMel(f_max=9000.0), "f_max"),
        (lambda: LogMel(floor=0.0), "LogMel.floor cannot be 0"),
        (lambda: MFCC(n_mfcc=41), "may not exceed n_mels"),
        (lambda: MFCC(n_mfcc=0), "MFCC.n_mfcc cannot be 0"),
        (lambda: MFCC(deltas=3), "MFCC.deltas cannot be 3"),
        (lambda: MFCC(delta_width=4), "delta_width=4 must be odd and at least 3"),
        (lambda: MFCC(delta_width=1), "delta_width=1 must be odd and at least 3"),
        (lambda: MFCC(delta_width=-1), "MFCC.delta_width cannot be -1"),
    ],
)
def test_settings_that_do_not_fit_say_what_to_change(make, message):
    with pytest.raises(LabError, match=message):
        make()


def test_a_clip_shorter_than_a_window_is_an_error_with_both_sizes():
    short, window = torch.zeros(1, 639), torch.zeros(1, 640)
    with pytest.raises(LabError, match="A clip of 639 samples is shorter than a window of 640 .40 ms at 16000 Hz"):
        LogMel(seconds=None).build()(short, torch.tensor([639]))
    assert LogMel(seconds=None).build()(window, torch.tensor([640]))[0].shape == (1, 1, 40, 3)
    assert LogMel().build()(short, torch.tensor([639]))[0].shape == (1, 1, 40, 51), "filled up to a second it may be"
