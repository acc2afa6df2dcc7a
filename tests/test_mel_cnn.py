"""The published mel CNNs, their raw rivals and the modern network: counts, shapes, sizes that are too small."""

import warnings

import pytest
import torch
from torch import nn

from labkit.errors import LabError, LabWarning
from labkit.experiments.experiment import Experiment
from labkit.experiments.sweep import Grid
from labkit.features import LogMel, Raw
from labkit.files import home
from labkit.models import Model, count_parameters
from labkit.published.r2_mel_cnn import VARIANTS, settings

pytest_plugins = ["tiny"]

WORDS = 35


def count(name, shape, **options):
    return count_parameters(Model(name, **options).build(shape, WORDS))


# Counts: published, or computed from the published architecture


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_has_its_published_number_of_parameters(name):
    experiment = Experiment.from_dict(settings(name))
    network = experiment.model.build(experiment.feature.shape, WORDS)
    assert count_parameters(network) == VARIANTS[name].parameters


def test_the_study_has_its_three_counts():
    assert count("mel_cnn", (1, 128, 81)) == 464_899
    assert count("mel_cnn", (1, 40, 101)) == 161_795  # what M1-16k's code feeds: its flatten of 1,024 does not fit
    assert count("mel_cnn", (1, 80, 81)) == 301_059  # what it was drawn for
    assert Model("mel_cnn").build((1, 128, 81), WORDS).linear1.in_features == 1664
    assert Model("mel_cnn").build((1, 80, 81), WORDS).linear1.in_features == 1024
    assert Model("mel_cnn").build((1, 40, 101), WORDS).linear1.in_features == 480


def test_true_8_khz_would_have_given_another_network():
    true = LogMel(sample_rate=8000, n_mels=128, window_ms=50, hop_ms=25)
    told = LogMel(n_mels=128, window_ms=25, hop_ms=12.5, mel_rate=8000)
    assert true.fft == told.fft == 400 and true.shape == (1, 128, 41) and told.shape == (1, 128, 81)
    assert Model("mel_cnn").build(true.shape, WORDS).linear1.in_features == 624


def test_the_raw_rivals_have_their_published_counts():
    second = Raw(seconds=1.0).shape
    assert count("m5", second) == 26_915
    assert count("raw_recurrent", second, cell="lstm") == 558_755
    assert count("raw_recurrent", second, cell="gru") == 509_347


def test_the_modern_networks_are_small():
    assert count("word_cnn", (1, 40, 101)) < 50_000
    # BC-ResNet has 9,200 and 321,000 parameters for 12 classes, with five norms where ours has one.
    assert 7_000 < count_parameters(Model("bc_resnet", hidden=16).build((1, 40, 101), 12)) < 9_200
    assert 300_000 < count_parameters(Model("bc_resnet", hidden=128).build((1, 40, 101), 12)) < 321_000


# The table


def test_a_variant_is_what_the_study_says_of_it():
    experiment = Experiment.from_dict(settings("M3-8k"))
    feature, recipe = experiment.feature, experiment.recipe
    assert (feature.fft, feature.hop, feature.n_mels, feature.log, feature.mel_rate) == (400, 200, 128, "none", 8000)
    assert (feature.sample_rate, feature.padding, feature.normalise) == (16_000, "signal", False)
    assert (recipe.optimiser, recipe.lr, recipe.batch, recipe.epochs) == ("adam", 0.01, 256, 10)
    assert (recipe.schedule, recipe.schedule_step, recipe.clip_norm) == ("one_cycle", "epoch", None)
    assert Experiment.from_dict(settings("M1-8k")).recipe.weight_decay == 1e-4
    assert Experiment.from_dict(settings("M2-8k")).recipe.schedule == "constant"
    places = {name: Experiment.from_dict(settings(name)).model.full["dropout"] for name in ("M1-8k", "M3-8k", "M3-16k")}
    assert places == {"M1-8k": (0.5, 0.5, 0, 0), "M3-8k": (0, 0.3, 0.3, 0), "M3-16k": (0.3, 0.3, 0.3, 0.3)}
    with pytest.raises(LabError, match="no published network called 'M3-8'. Did you mean 'M3-8k'"):
        settings("M3-8")


def test_dropout_stands_where_the_table_says():
    x, lengths = torch.randn(2, 1, 20, 20), torch.tensor([20, 20])
    for place in range(4):
        shares = tuple(0.9 if number == place else 0.0 for number in range(4))
        network = Model("mel_cnn", dropout=shares).build((1, 20, 20), 3).train()
        assert [layer.p > 0 for layer in network.drop] == [number == place for number in range(4)]
        assert (network(x, lengths) != network(x, lengths)).any()


def varied():
    """The grid of the records, by what each row changes in M3 as it was run."""
    grid = Grid.read(home() / "results" / "mel_cnn.json")
    changes = grid.axes["experiment"]
    members = [member for member in grid.experiments() if member.seed == grid.seeds[0]]
    assert len(members) == len(changes) and {} in changes
    return members[changes.index({})], list(zip(changes, members, strict=True))


def test_the_grid_is_the_table_with_other_clips_and_as_many_updates():
    same = {"epochs": 20, "batch": 32}  # 3,640 updates of 32 clips where the study made 3,320 of 256
    found = [member for _, member in varied()[1]]
    for name in ("M1-8k", "M3-8k", "M3-8k repaired"):
        experiment = Experiment.from_dict(settings(name))
        corpus = {"labels": found[0].corpus.labels}
        assert experiment.change(corpus=corpus, recipe=same) in found, name


def test_a_repair_is_the_four_changes_and_each_single_row_is_one_thing():
    base, rows = varied()
    true = {"sample_rate": 8000, "n_fft": 400, "mel_rate": None}
    singles = [
        change for change, _ in rows if len(change) == 1 and len(*change.values()) == 1 and "dropout" not in str(change)
    ]
    assert {"feature": {"log": "db"}} in singles
    repaired = base.change(feature=true | {"log": "db", "normalise": True}, recipe={"schedule_step": "batch"})
    assert repaired in [member for _, member in rows]
    for change, member in rows:
        assert member == base.change(**change)
        assert member.feature.shape == base.feature.shape == (1, 128, 81), "the same network, whatever is changed"


def test_an_axis_may_change_several_parts_together():
    both = {"feature": {"n_mels": 20}, "recipe": {"lr": 0.1}}
    grid = Grid(axes={"experiment": [{}, both], "recipe.batch": [8, 16]}, seeds=(0,))
    found = [(each.feature.n_mels, each.recipe.lr, each.recipe.batch) for each in grid.experiments()]
    assert found == [(40, 0.003, 8), (40, 0.003, 16), (20, 0.1, 8), (20, 0.1, 16)]
    for wrong in (["sample_rate"], [{"seed": 1}], [{"corpus": {"name": "folder"}}]):
        with pytest.raises(LabError, match="settings by part|cannot be an axis"):
            Grid(axes={"experiment": wrong})


def test_options_written_as_lists_are_the_same_model():
    assert Model("mel_cnn", dropout=[0.5, 0.5, 0.0, 0.0]) == Model("mel_cnn", dropout=(0.5, 0.5, 0.0, 0.0))
    assert Model("mel_cnn", dropout=[0.0, 0.0, 0.0, 0.0]) == Model("mel_cnn")


# The networks themselves


def plain(network, x):
    """The same mel CNN written the usual way, in the usual layout."""
    layers = network.state_dict()
    usual = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(3), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(3)),
        *(nn.Flatten(), nn.Linear(network.linear1.in_features, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU()),
        nn.Linear(128, WORDS),
    )
    names = ("convolution1", "convolution2", "linear1", "linear2", "head")
    for name, layer in zip(names, [layer for layer in usual if hasattr(layer, "weight")], strict=True):
        layer.load_state_dict({kind: layers[f"{name}.{kind}"].contiguous() for kind in ("weight", "bias")})
    return usual, usual(x)


def test_the_mel_cnn_equals_the_usual_layers_in_outputs_and_gradients():
    torch.manual_seed(0)
    network = Model("mel_cnn").build((1, 40, 51), WORDS)
    x, lengths = torch.randn(3, 1, 40, 51), torch.full((3,), 51)
    usual, expected = plain(network, x)
    logits = network(x, lengths)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    (logits.square().sum() + expected.square().sum()).backward()
    for mine, theirs in zip(network.parameters(), usual.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4)


def test_convolutions_of_height_one_are_the_usual_ones_over_time():
    torch.manual_seed(0)
    network = Model("m5").build((1, 16_000), WORDS).eval()
    x = torch.randn(2, 1, 16_000)
    y = x
    for (convolution, norm, *_), stride in zip(network.convolutions.blocks, (16, 1, 1, 1), strict=True):
        y = nn.functional.conv1d(y, convolution.weight[:, :, 0], convolution.bias, stride)
        y = nn.functional.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        y = nn.functional.max_pool1d(y.relu(), 4)
    expected = network.head(y.mean(2))
    assert y.shape == (2, 64, 3)
    torch.testing.assert_close(network(x, torch.tensor([16_000, 16_000])), expected, rtol=1e-4, atol=1e-5)


def test_the_first_step_of_the_modern_network_is_broadcast_over_all_bands():
    torch.manual_seed(0)
    block = Model("bc_resnet").build((1, 40, 51), 4).blocks[1].eval()
    x, inside = torch.zeros(1, 16, 20, 9), torch.ones(1, 1, 1, 9)
    before = block(x, inside)
    x[0, :, 0, 4] = 1.0  # a sound in the lowest band and one frame
    changed = (block(x, inside) - before).abs().amax(1)[0] > 1e-6  # (bands, frames)
    assert changed[:, 3:6].all(), "the row reaches each band, and the neighbouring frames"
    assert not changed[:, :3].any() and not changed[:, 6:].any()


@pytest.mark.parametrize("name", ["word_cnn", "bc_resnet"])
def test_the_modern_networks_take_any_length(name):
    one_frame = torch.randn(2, 1, 40, 1), torch.ones(2)
    assert torch.isfinite(Model(name).build((1, 40, None), 3).eval()(*one_frame)).all()


@pytest.mark.slow
def test_the_modern_network_learns_the_tiny_words(corpus, tmp_path):
    from labkit.experiments.run import train
    from labkit.training.recipe import Recipe

    feature = LogMel(seconds=None, n_mels=20, hop_ms=20)
    experiment = Experiment(feature=feature, model=Model("word_cnn", hidden=16), recipe=Recipe(epochs=6, batch=6))
    run = train(experiment, corpus, tmp_path)
    assert run.validation["accuracy"] > 0.6 > run.validation["chance"]


@pytest.mark.parametrize(("name", "options"), [("mel_cnn", {}), ("word_cnn", {"dropout": 0.0})])
def test_the_layout_changes_the_speed_alone(name, options):
    found = []
    for layout in (torch.channels_last, torch.contiguous_format):
        torch.manual_seed(0)
        network = Model(name, **options).build((1, 40, 51), 4)
        network.layout = layout
        network.to(memory_format=layout)
        x = torch.randn(3, 1, 40, 51, generator=torch.Generator().manual_seed(1))
        logits = network(x, torch.tensor([51, 40, 30]))
        logits.square().sum().backward()
        found.append([logits.detach(), *(weight.grad for weight in network.parameters() if weight.grad is not None)])
    assert len(found[0]) == len(found[1]) > 5
    for ours, usual in zip(*found, strict=True):
        torch.testing.assert_close(ours, usual, rtol=1e-3, atol=1e-4)


# Sizes that do not fit


def test_a_spectrogram_too_small_for_the_pools_says_what_would_do():
    assert count("mel_cnn", (1, 17, 17)) > 0
    with pytest.raises(LabError, match=r"\(1, 16, 81\).*Raise seconds or n_mels"):
        Model("mel_cnn").build((1, 16, 81), 4)
    with pytest.raises(LabError, match=r"\(1, 40, 16\).*Raise seconds or n_mels"):
        Model("mel_cnn").build((1, 40, 16), 4)
    with pytest.raises(LabError, match="'mel_cnn'.*seconds=1.0"):
        Model("mel_cnn").build(LogMel(seconds=None).shape, 4)


@pytest.mark.parametrize(("name", "smallest"), [("m5", 6848), ("raw_recurrent", 1349)])
def test_a_clip_shorter_than_the_windows_says_what_would_do(name, smallest):
    lengths = torch.tensor([smallest])
    assert Model(name).build((1, smallest), 4).eval()(torch.randn(1, 1, smallest), lengths).shape == (1, 4)
    with pytest.raises(LabError, match=rf"\(1, {smallest - 1}\).*Raise seconds"):
        Model(name).build((1, smallest - 1), 4)
    with pytest.raises(LabError, match=f"'{name}'.*seconds=1.0"):
        Model(name).build((1, None), 4)
    with pytest.raises(LabError, match=f"'{name}'.*use the feature 'raw'"):
        Model(name).build((51, 39), 4)


def test_sizes_that_make_no_network_say_so():
    wrong = {
        "mel_cnn": [{"dropout": (0.5,)}, {"dropout": (1.0, 0.0, 0.0, 0.0)}, {"channels": (8,)}, {"hidden": 1}],
        "word_cnn": [{"hidden": 0}, {"channels": 0}, {"blocks": -1}, {"kernel": 8}, {"dropout": 1.0}],
        "bc_resnet": [{"hidden": 30}, {"hidden": 0}, {"stride": 0}, {"dropout": 1.0}],
    }
    for name, each in wrong.items():
        for options in each:
            with pytest.raises(LabError, match=f"{next(iter(options))}.*Change it"):
                Model(name, **options).build((1, 40, 51), 4)
    for name in ("bc_resnet", "word_cnn"):
        with pytest.raises(LabError, match=f"'{name}'.*use the feature 'log_mel'"):
            Model(name).build((51, 39), 4)


def test_the_studys_own_bands_are_said_to_be_empty():
    with pytest.warns(LabWarning, match="4 of 128 mel bands are empty.*At most 89 bands work"):
        Experiment.from_dict(settings("M3-16k")).feature.build()
    with warnings.catch_warnings():
        warnings.simplefilter("error", LabWarning)
        for name in ("M3-8k", "M3-8k repaired"):
            Experiment.from_dict(settings(name)).feature.build()
