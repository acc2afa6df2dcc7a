"""Networks that come with the lab: written and read back, and refused where something is wrong with them."""

import re
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from tiny import quick

from labkit.errors import LabError
from labkit.experiments import pretrained as shipped
from labkit.experiments.run import train
from labkit.files import home, read_json, write_json
from labkit.models import MODELS
from tools import ship as shipping
from tools.ship import ship

pytest_plugins = ["tiny"]


@pytest.fixture
def run(corpus, tmp_path):
    return train(quick(), corpus, tmp_path / "runs")


def rewrite(folder, **changes):
    """Change what the record of a pretrained network says; None takes an entry out."""
    record = read_json(folder / "run.json") | changes
    write_json(folder / "run.json", {key: value for key, value in record.items() if value is not None})


def test_a_shipped_network_answers_as_its_run_did(run, corpus, tmp_path):
    ship(run, "tiny-words", tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("tiny-")] == ["tiny-words"]
    again = shipped.load("tiny-words", place=tmp_path)
    assert again.labels == run.labels and again.experiment == run.experiment
    assert not again.network.training and (again.id, again.name) == (run.id, "tiny-words")
    assert again.test() == run.test() and again.predictions().equals(run.predictions())
    table, figures = again.evaluate(corpus)
    assert figures == run.test() and (table.predicted.values == run.predictions().predicted.values).all()
    path = corpus.root / table.path.iloc[0]
    from labkit.data.audio import read_audio

    sound = torch.from_numpy(read_audio(path, 16_000)[0])[None]
    chances = again.probabilities(sound)
    assert chances.shape == (1, 3) and again.labels[chances.argmax()] == table.predicted.iloc[0]
    assert abs(chances.sum() - 1) < 1e-5 and "validation" in repr(again)
    with pytest.raises(LabError, match=r"write sound\[None\]"):
        again.probabilities(sound[0])


def test_weights_of_16_bits_take_fewer_bytes_and_are_nearly_the_same(run, corpus, tmp_path):
    whole, half = ship(run, "tiny-words", tmp_path), ship(run, "tiny-half", tmp_path, half=True)
    sizes = [(shipped.folder / "weights.safetensors").stat().st_size for shipped in (whole, half)]
    assert sizes[1] < sizes[0]
    assert "16 bits" in (half.folder / "card.md").read_text(encoding="utf-8")
    given = {name: value.numpy() for name, value in half.network.state_dict().items()}
    for name, value in whole.network.state_dict().items():
        assert np.allclose(given[name], value.numpy(), rtol=1e-3, atol=1e-6), name


def test_it_refuses_the_voices_it_was_trained_on(run, corpus, tmp_path):
    ship(run, "tiny-words", tmp_path)
    with pytest.raises(LabError, match="speakers were trained on"):
        shipped.load("tiny-words", place=tmp_path).evaluate(corpus, "train")


def test_the_card_says_what_it_was_measured_on(run, tmp_path):
    ship(run, "tiny-words", tmp_path)
    card = (tmp_path / "tiny-words" / "card.md").read_text(encoding="utf-8")
    for words in (
        "fall, hold, rise",
        "tiny",
        "| test | 18 | 3 |",
        "chance",
        "Licence",
        f"{100 * run.test()['accuracy']:.1f}%",
        f"hold {100 * run.confusion().loc['hold', 'hold'] / run.confusion().loc['hold'].sum():.1f}%",
    ):
        assert words in card, words


def test_a_damaged_file_an_unknown_name_and_another_version_say_so(run, tmp_path):
    ship(run, "tiny-words", tmp_path)
    folder = tmp_path / "tiny-words"
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    with pytest.raises(LabError, match="no pretrained network called 'tiny-word'. Did you mean 'tiny-words'"):
        shipped.load("tiny-word", place=tmp_path)
    for damaged in (whole[:-100], b"", b"not tensors", b"\x80\x04" + whole):
        path.write_bytes(damaged)
        with pytest.raises(LabError, match="not a whole safetensors file.*git checkout"):
            shipped.load("tiny-words", place=tmp_path)
    path.write_bytes(whole)
    rewrite(folder, schema=99)
    with pytest.raises(LabError, match="schema 99, not 1.*git pull"):
        shipped.load("tiny-words", place=tmp_path)
    rewrite(folder, schema=1, labels=None)
    with pytest.raises(LabError, match=r"is not a run record \(labels .*git checkout"):
        shipped.load("tiny-words", place=tmp_path)
    rewrite(folder, history=None)
    with pytest.raises(LabError, match="is not a run record .*git checkout"):
        shipped.load("tiny-words", place=tmp_path)
    (folder / "run.json").write_text("{")
    with pytest.raises(LabError, match="run.json is not a complete JSON file .*git checkout"):
        shipped.load("tiny-words", place=tmp_path)


def test_weights_that_fit_no_model_of_this_lab_say_so(run, tmp_path):
    ship(run, "tiny-words", tmp_path)
    folder = tmp_path / "tiny-words"
    for model in ({"name": "gru", "hidden": 9}, {"name": "gone"}):
        rewrite(folder, experiment=run.record["experiment"] | {"model": model})
        with pytest.raises(LabError, match="does not fit this version of the lab .* git pull"):
            shipped.load("tiny-words", place=tmp_path)


def test_synthetic_voices_and_large_networks_are_not_shipped(run, tmp_path, monkeypatch):
    made = replace(run, record=run.record | {"corpus": run.record["corpus"] | {"synthetic": True}})
    with pytest.raises(LabError, match="recordings of people"):
        ship(made, "voices", tmp_path)
    monkeypatch.setattr(shipping, "LARGEST", 1000)
    with pytest.raises(LabError, match="Ship a smaller one"):
        ship(run, "large", tmp_path)
    assert list(tmp_path.rglob("card.md")) == []


@pytest.mark.parametrize("name", sorted(path.name for path in (home() / "results" / "pretrained").iterdir()))
def test_each_committed_network_loads_is_small_and_was_trained_on_people(name):
    folder = home() / "results" / "pretrained" / name
    assert (folder / "weights.safetensors").stat().st_size < 1_000_000
    network = shipped.load(name)
    assert not network.record["corpus"]["synthetic"] and network.experiment.model.name in MODELS
    sample_rate = network.experiment.feature.sample_rate
    assert network.probabilities(torch.zeros(1, sample_rate)).shape == (1, len(network.labels))
    card = (folder / "card.md").read_text(encoding="utf-8")
    assert network.record["corpus"]["licence"] in card and re.search(r"\| test \| [\d,]+ \| [\d,]+ \|", card)


def test_a_network_ships_with_the_decisions_that_validation_chose(run, tmp_path):
    from labkit.streaming import Decision, Detector

    ship(run, "tiny-words", tmp_path)
    assert Decision.of(shipped.load("tiny-words", place=tmp_path)) is None
    chosen = {2: Decision(threshold=0.65, smoothing=0.1, refractory=0.5), 20: Decision(threshold=0.3)}
    curve = [{"budget": budget, "decision": asdict(each), "noise": {}} for budget, each in chosen.items()]
    ship(run, "tiny-words", tmp_path, curve, second="others")
    again = shipped.load("tiny-words", place=tmp_path)
    assert Decision.of(again) == chosen[2] and Detector(again).decision == chosen[2]
    assert Decision.budgets(again) == chosen and again.record["second"] == "others"
    assert Detector(again, Decision(threshold=0.9)).decision.threshold == 0.9
    card = (tmp_path / "tiny-words" / "card.md").read_text(encoding="utf-8")
    assert "at most 2 false alarms in an hour" in card and "nothing for 0.5 s" in card and "results/live/" in card


def test_the_card_says_what_the_class_of_all_else_was_taught_with(corpus, tmp_path):
    classes = (("fall", "fall"), ("rise", "rise"), ("hold", "unknown"))
    experiment = quick().change(target={"classes": classes}, recipe={"augmentation": {"pieces": 0.2, "backwards": 0.1}})
    ship(train(experiment, corpus, tmp_path / "runs"), "two-words", tmp_path)
    card = (tmp_path / "two-words" / "card.md").read_text(encoding="utf-8")
    assert "one of 2 spoken words: fall, rise." in card and "no class for anything else" not in card
    assert "1 other words of the corpus, pieces of words and noise alone, words played backwards" in card.replace(
        "\n", " "
    )


def test_a_damaged_network_never_reaches_a_stream(run, tmp_path):
    """The error names the file; whoever listens goes on with the network that is loaded."""
    from labkit.streaming import Detector

    ship(run, "tiny-words", tmp_path)
    detector = Detector(shipped.load("tiny-words", place=tmp_path))
    detector.push(torch.zeros(8000))
    path = tmp_path / "tiny-words" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(LabError, match=r"weights\.safetensors is not a whole safetensors file"):
        shipped.load("tiny-words", place=tmp_path)
    detector.push(torch.zeros(8000))
    assert detector.seconds == 1.0 and detector.problems == []
