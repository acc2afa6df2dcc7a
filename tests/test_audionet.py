"""AudioNet and the GRUs on samples: counts, equal numbers whatever the padding, clips placed in their window."""

import numpy as np
import pytest
import torch

from labkit.errors import LabError
from labkit.experiments.experiment import Experiment
from labkit.features import Raw, Spectrogram
from labkit.models import Model, count_parameters
from labkit.published.r3_audionet import STUDENT, VARIANTS, settings

pytest_plugins = ["tiny"]


def build(name, samples=8000, **changes):
    experiment = Experiment.from_dict(settings(name))
    torch.manual_seed(0)
    return Model(experiment.model.name, **{**dict(experiment.model.options), **changes}).build((1, samples), 10)


# Networks


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.parameters])
def test_each_network_has_its_published_number_of_parameters(name):
    assert count_parameters(build(name)) == VARIANTS[name].parameters


def test_the_two_published_counts_are_among_them():
    assert {variant.parameters for variant in VARIANTS.values()} > {17_107_162, 8_900_314}
    assert count_parameters(build("Becker", norm=True)) == 17_107_162 + 2 * (64 + 4 * 128)  # all but the first


@pytest.mark.parametrize("name", VARIANTS)
def test_what_lies_beyond_a_clip_does_not_matter(name):
    network = build(name, 1024).eval()
    lengths = torch.tensor([1024, 700, 300])
    x = torch.randn(3, 1, 1024)
    noisy = x.clone()
    x *= torch.arange(1024) < lengths[:, None, None]
    torch.testing.assert_close(network(x, lengths), network(noisy, lengths))


@pytest.mark.parametrize("frame", [1, 8])
def test_a_gru_ignores_the_zeros_after_the_clip_unless_they_count_as_signal(frame):
    x, lengths = torch.randn(2, 1, 400), torch.tensor([400, 160])
    for readout in ("last", "mean", "max"):
        torch.manual_seed(0)
        network = Model("sample_gru", hidden=8, frame=frame, readout=readout).build((1, None), 10)
        alone = network(x[1:, :, :160], lengths[1:])
        assert torch.allclose(network(x, lengths)[1:], alone, atol=1e-5)
        assert not torch.allclose(network(x, torch.tensor([400, 400]))[1:], alone, atol=1e-5), "as the study had it"


def test_the_repaired_gru_gives_a_clip_the_same_scores_alone_and_in_company():
    network = build("repaired GRU").eval()
    x, lengths = torch.randn(2, 1, 8000), torch.tensor([8000, 3000])
    x[1, :, 3000:] = 0
    torch.testing.assert_close(network(x, lengths)[1:], network(x[1:], lengths[1:]), rtol=1e-3, atol=1e-4)
    assert network.convolutions.steps(8000) < 70, "the recurrent layer takes few steps"


def test_a_normal_start_has_the_spread_that_was_asked_for():
    network = build("Becker")
    assert network.linears[0].weight.std().item() == pytest.approx(0.1, rel=0.01)
    assert network.head.bias.abs().max() == 0


def test_a_rectified_head_is_another_function_than_two_matrices_in_a_row():
    straight, bent = build("student", 1024, rectify=False, dropout=0.0), build("student", 1024, dropout=0.0)
    x, lengths = torch.randn(4, 1, 1024), torch.full((4,), 1024)
    assert not torch.allclose(straight.eval()(x, lengths), bent.eval()(x, lengths))


@pytest.mark.parametrize(
    ("name", "shape", "options", "words"),
    [
        ("audionet", (1, None), {}, "of one length"),
        ("audionet", (1, 40, 101), {}, "use the feature 'raw'"),
        ("audionet", (1, 100), {"widths": STUDENT}, r"\(1, 100\).*Raise seconds"),
        ("audionet", (1, 8000), {"std": -1.0}, "std .* -1.0"),
        ("sample_gru", (40, 13), {}, "use the feature 'raw'"),
        ("sample_gru", (1, 8000), {"frame": 0}, "frame .* 0"),
        ("sample_gru", (1, 8000), {"readout": "first"}, "readout"),
        ("sample_gru", (1, 300), {"frame": 301}, r"\(1, 300\)"),
        ("raw_recurrent", (1, 8000), {"blocks": 5}, "blocks .* 5"),
    ],
)
def test_impossible_networks_say_what_would_work(name, shape, options, words):
    with pytest.raises(LabError, match=words):
        Model(name, **options).build(shape, 10)


def test_the_table_names_what_was_trained_and_how():
    student = Experiment.from_dict(settings("student"))
    assert (student.recipe.optimiser, student.recipe.lr, student.recipe.batch) == ("sgd", 1e-4, 100)
    assert Experiment.from_dict(settings("student's GRU")).feature.padding == "signal", "its zeros were read, too"
    with pytest.raises(LabError, match="no published network"):
        settings("AlexNet")


# Features


def clips(*lengths, sample_rate=8000):
    waves = torch.zeros(len(lengths), max(lengths))
    for row, length in enumerate(lengths):
        waves[row, :length] = torch.from_numpy(np.random.default_rng(row).integers(1, 9000, length) / 32768)
    return waves, torch.tensor(lengths)


def test_a_scattered_clip_lies_whole_at_one_place_of_its_window():
    waves, lengths = clips(3000, 5000, 7999, 8000, 9000)
    feature = Raw(sample_rate=8000, scatter=True)
    x, ends = feature.build()(waves, lengths)
    assert x.shape == (5, 1, 8000)
    starts = []
    for row, (end, length) in enumerate(zip(ends.tolist(), lengths.clamp(max=8000).tolist(), strict=True)):
        starts.append(end - length)
        torch.testing.assert_close(x[row, 0, end - length : end], waves[row, :length])
        assert x[row, 0].count_nonzero() == length, "nothing was lost, nothing doubled"
    assert starts[0] != starts[1] and starts[3] == starts[4] == 0
    alone, end = feature.build()(waves[:1, :3000], lengths[:1])
    assert torch.equal(alone[0], x[0]) and end == ends[0], "its neighbours change nothing"
    assert (Raw(sample_rate=8000, scatter=True, padding="signal").build()(waves, lengths)[1] == 8000).all()


def test_places_are_spread_over_the_window():
    rng = np.random.default_rng(0)
    waves = torch.from_numpy(rng.integers(-9000, 9000, (400, 1000)) / 32768).float()
    ends = Raw(sample_rate=8000, scatter=True).build()(waves, torch.full((400,), 1000))[1] - 1000
    counts = torch.histc(ends.float(), 7, 0, 7000)
    assert counts.min() > 30 and counts.max() < 90  # 57 each


def test_the_percentile_is_that_of_the_window_where_zeros_count_as_published():
    waves, lengths = clips(4000, 8000)
    window = np.zeros(8000)
    window[:4000] = waves[0, :4000] * 32768  # their samples were whole numbers of 16 bits
    for padding, counted in (("signal", window), ("masked", window[:4000])):
        x, _ = Raw(sample_rate=8000, percentile=95.0, padding=padding).build()(waves, lengths)
        right = torch.from_numpy(window / (np.percentile(counted, 95) + 0.001)).float()
        torch.testing.assert_close(x[0, 0], right, rtol=1e-4, atol=1e-5)
    silent, _ = Raw(sample_rate=8000, percentile=95.0).build()(torch.zeros(1, 8000), torch.tensor([8000]))
    assert silent.abs().max() == 0


def test_a_short_clip_explodes_only_where_zeros_count():
    waves, lengths = clips(300)
    loudest = {
        padding: Raw(sample_rate=8000, percentile=95.0, padding=padding).build()(waves, lengths)[0].abs().max()
        for padding in ("signal", "masked")
    }
    assert loudest["signal"] > 1e6 and loudest["masked"] < 2


def test_a_louder_recording_becomes_the_same_numbers():
    waves, lengths = clips(4000)
    build = Raw(sample_rate=8000, percentile=95.0).build()
    torch.testing.assert_close(build(waves, lengths)[0], build(waves / 8, lengths)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", [{"percentile": 0.0}, {"percentile": 101.0}, {"scatter": True, "seconds": None}])
def test_impossible_settings_of_samples_are_refused(bad):
    with pytest.raises(LabError, match="Set seconds|Raw.percentile cannot be"):
        Raw(**bad)


def test_old_experiments_on_samples_keep_their_ids():
    assert Experiment(feature=Raw(), model=Model("m5")).to_dict() == {
        "feature": {"name": "raw"},
        "model": {"name": "m5"},
    }


def test_the_spectrogram_is_the_power_at_each_frequency_as_in_the_paper():
    feature = Spectrogram(sample_rate=8000, window_ms=56.875, hop_ms=4.375, padding="signal")
    assert (feature.window, feature.hop, feature.shape) == (455, 35, (1, 228, 229))
    time = torch.arange(8000) / 8000
    x, frames = feature.build()(torch.sin(2 * torch.pi * 1000 * time)[None], torch.tensor([8000]))
    assert x.shape == (1, 1, 228, 229) and frames == 229
    assert (x[0, 0, :, 20:-20].argmax(0) == round(1000 * 455 / 8000)).all()
    reference = torch.stft(
        torch.sin(2 * torch.pi * 1000 * time),
        455,
        35,
        window=torch.hann_window(455),
        return_complex=True,
        pad_mode="constant",
    )
    levels = 10 * reference.abs().square().clamp(min=1e-3).log10()  # below that, 32-bit numbers are noise
    torch.testing.assert_close(x[0, 0].clamp(min=-30), levels, rtol=1e-3, atol=0.1)
