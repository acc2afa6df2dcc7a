"""An experiment is a value: written, read, compared, and never silently another one."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from tiny import table_corpus

import labkit
from labkit.data.splits import Split
from labkit.errors import LabError
from labkit.experiments.experiment import SCHEMA, Experiment, Subset, Target
from labkit.features import MFCC, LogMel, Raw
from labkit.files import digest
from labkit.models import Model
from labkit.training.augment import Augmentation
from labkit.training.recipe import Recipe

EXAMPLES = [
    Experiment(),
    Experiment(seed=3),
    Experiment(model=Model("lstm", hidden=64, bidirectional=True), recipe=Recipe(epochs=5, clip_norm=None)),
    Experiment(corpus=Subset(labels=("yes", "no"), clips_per_label=10), feature=LogMel(n_mels=64, top_db=80.0)),
    Experiment(split=Split("folds", fold=2, folds=7), feature=Raw(seconds=None)),
    Experiment(target=Target("accent", (("us", "american"), ("uk", "british")))),
    Experiment(
        feature=MFCC(n_fft=2048, mel_norm="slaney", mel_scale="slaney", trim=20.0, normalise=False, padding="signal")
    ),
]
IDS = [  # of EXAMPLES on the corpus with the fingerprint 0123456789abcdef
    *("57c4b19301fd", "79753aec4b35", "cb46666fa91a", "23166fef0e4a"),
    *("5168181c18ff", "78eb5b9bf178", "d4401a37836b"),
]


def through_json(experiment):
    return Experiment.from_dict(json.loads(json.dumps(experiment.to_dict())))


@pytest.mark.parametrize("experiment", EXAMPLES, ids=lambda experiment: experiment.id("")[:4])
def test_an_experiment_comes_back_from_json_as_it_went(experiment):
    again = through_json(experiment)
    assert again == experiment and hash(again) == hash(experiment) and again.id("f") == experiment.id("f")


def test_only_what_differs_from_the_defaults_is_written():
    assert Experiment().to_dict() == {}
    assert Experiment(recipe=Recipe(lr=0.01), seed=2).to_dict() == {"recipe": {"lr": 0.01}, "seed": 2}
    assert Experiment(feature=MFCC(n_mfcc=20)).to_dict() == {"feature": {"name": "mfcc", "n_mfcc": 20}}


def test_ids_are_pinned():
    """An id is where a result is found again. If this fails, old results are lost, or (worse) taken for others.

    Whoever changes what a setting means raises SCHEMA, and then renews these.
    """
    assert SCHEMA == 1
    assert [experiment.id("0123456789abcdef") for experiment in EXAMPLES] == IDS


def test_defaults_are_pinned():
    """Defaults are not written into ids: a changed one would give an old id another meaning."""
    assert asdict(Subset()) == {"name": "speech_commands", "labels": None, "clips_per_label": None, "extra": ()}
    assert asdict(Target()) == {"column": "label", "classes": None}
    assert asdict(Split()) == {
        **{"protocol": "official", "fold": 0, "folds": 5, "speaker": ""},
        **{"validation": 0.1, "test": 0.1, "seed": 0, "most_clips": None},
        **{"validation_speaker": "", "train": ()},
    }
    feature = {"sample_rate": 16_000, "seconds": 1.0, "padding": "masked", "normalise": True}
    feature |= {"trim": None}
    spectral = feature | {"window_ms": 40.0, "hop_ms": 20.0, "n_fft": None, "n_mels": 40, "f_min": 0.0, "f_max": None}
    spectral |= {"mel_scale": "htk", "mel_norm": None, "log": "db", "floor": 1e-10, "top_db": None, "mel_rate": None}
    spectral |= {"clip_mean": False}
    assert (
        asdict(Raw()) == feature | {"normalise": False, "percentile": None, "scatter": False}
        and asdict(LogMel()) == spectral
    )
    assert asdict(MFCC()) == spectral | {"n_mfcc": 13, "deltas": 2, "delta_width": 7}
    assert asdict(Recipe()) == {
        **{"epochs": 20, "batch": 64, "lr": 3e-3, "optimiser": "adamw", "weight_decay": 0.01, "momentum": 0.9},
        **{"schedule": "one_cycle", "schedule_step": "batch", "loss": "cross_entropy"},
        **{"class_weights": False, "clip_norm": 5.0, "select": "accuracy", "precision": "float32"},
        "augmentation": asdict(Augmentation()),
    }
    recurrent = {"hidden": 128, "layers": 1, "bidirectional": False, "readout": "mean", "dropout": 0.0}
    assert Model("rnn").full == Model("gru").full == Model("lstm").full == recurrent
    assert Experiment() == Experiment(Subset(), Target(), Split(), MFCC(), Model("gru"), Recipe(), 0)


def test_an_id_depends_on_each_part_the_corpus_and_nothing_else(monkeypatch):
    changes = [
        {"corpus": {"clips_per_label": 5}},
        {"target": {"column": "accent"}},
        {"split": {"seed": 1}},
        {"feature": {"hop_ms": 10.0}},
        {"model": {"hidden": 64}},
        {"model": {"name": "lstm"}},
        {"recipe": {"lr": 0.1}},
        {"seed": 1},
    ]
    ids = [Experiment().change(**change).id("f") for change in changes]
    assert len({*ids, Experiment().id("f"), Experiment().id("another corpus")}) == len(changes) + 2
    assert Experiment(model=Model("gru", hidden=128)).id("f") == Experiment().id("f")
    before = Experiment().id("f")
    monkeypatch.setattr("labkit.experiments.experiment.SCHEMA", SCHEMA + 1)
    assert Experiment().id("f") != before


def test_equal_experiments_have_equal_ids_however_numbers_were_written():
    whole = Experiment(feature=MFCC(seconds=2, hop_ms=10), recipe=Recipe(lr=1, clip_norm=1), seed=np.int64(3))
    point = Experiment(feature=MFCC(seconds=2.0, hop_ms=10.0), recipe=Recipe(lr=1.0, clip_norm=1.0), seed=3)
    assert whole == point and whole.id("f") == point.id("f") == through_json(whole).id("f")
    assert Experiment(recipe=Recipe(epochs=np.int64(5), lr=np.float64(0.1))).id("f") == Experiment(
        recipe=Recipe(epochs=5, lr=0.1)
    ).id("f")


def test_an_augmentation_is_written_and_read_with_the_recipe():
    recipe = Recipe(augmentation=Augmentation(shift=0.1, gain=6, time_masks=2))
    experiment = Experiment(recipe=recipe)
    written = {"shift": 0.1, "gain": 6.0, "time_masks": 2}
    assert experiment.to_dict() == {"recipe": {"augmentation": written}} and through_json(experiment) == experiment
    assert Experiment(recipe=Recipe(augmentation=Augmentation())).to_dict() == {}
    assert Experiment().change(recipe={"augmentation": written}) == experiment
    with pytest.raises(LabError, match="setting of Augmentation.*shift"):
        Recipe(augmentation={"shiftt": 1})


def test_lists_are_as_good_as_tuples():
    listed = Experiment(Subset(labels=["yes", "no"]), Target("accent", [["us", "american"], ["uk", "british"]]))
    assert listed == Experiment(Subset(labels=("yes", "no")), EXAMPLES[5].target) and len({listed}) == 1


def test_single_settings_can_be_changed():
    base = EXAMPLES[2]
    other = base.change(recipe={"lr": 0.5}, model={"layers": 2}, corpus={"labels": ["up"]}, seed=9)
    assert (other.recipe.lr, other.recipe.epochs, other.seed) == (0.5, 5, 9) and other.corpus.labels == ("up",)
    assert other.model == Model("lstm", hidden=64, bidirectional=True, layers=2) and base.seed == 0
    assert base.change(model={"name": "gru"}).model == Model("gru", hidden=64, bidirectional=True)
    assert base.change(feature=Raw()).feature == Raw()
    assert base.change(feature={"name": "raw", "seconds": 0.5}).feature == Raw(seconds=0.5)  # in a grid, for example


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modle": {}}, "no setting of Experiment called 'modle'. Did you mean 'model'"),
        ({"model": {"name": "grub"}}, "no model called 'grub'. Did you mean 'gru'"),
        ({"model": {"name": "gru", "width": 1}}, "no hyperparameter of the model 'gru' called 'width'"),
        ({"feature": {"name": "mfc"}}, "no feature called 'mfc'. Did you mean 'mfcc'"),
        ({"feature": {"name": "raw", "n_mels": 3}}, "no setting of .*called 'n_mels'"),
        ({"recipe": {"epoch": 3}}, "no setting of .ecipe called 'epoch'. Did you mean 'epochs'"),
        ({"recipe": {"optimiser": "adm"}}, "no optimiser called 'adm'"),
        ({"seed": "1"}, "seed cannot be '1'"),
        ({"recipe": {"lr": "fast"}}, "Recipe.lr cannot be 'fast'"),
        ({"split": {"protcol": "folds"}}, "no setting of .plit called 'protcol'. Did you mean 'protocol'"),
        ({"corpus": {"words": []}}, "no setting of Subset called 'words'. Choose one of: name, labels"),
        ({"recipe": 3}, "recipe"),
        ({"model": "gru"}, "model"),
        ([], "experiment"),
    ],
)
def test_settings_misspelt_get_a_suggestion(values, message):
    with pytest.raises(LabError, match=message):
        Experiment.from_dict(values)


@pytest.mark.parametrize(
    "values",
    [
        *[{"recipe": {key: value}} for key, value in [("epochs", 2.5), ("epochs", True), ("class_weights", "no")]],
        *[{"feature": {"name": "mfcc", key: value}} for key, value in [("n_mfcc", 13.5), ("sample_rate", 8000.5)]],
        *[{"split": {"folds": "5"}}, {"corpus": {"clips_per_label": "5"}}, {"corpus": {"labels": "abc"}}],
        *[{"target": {"classes": "abc"}}, {"target": {"classes": [["a", "b", "c"]]}}],
    ],
)
def test_settings_of_another_kind_say_so(values):
    with pytest.raises(LabError, match="Change it"):
        Experiment.from_dict(values)


def test_a_part_may_be_given_as_its_settings():
    assert Experiment(recipe={"epochs": 3}, feature={"name": "raw"}).recipe == Recipe(epochs=3)
    assert Experiment(feature={"n_mfcc": 20}).feature == MFCC(n_mfcc=20)


def test_changing_what_is_not_there_gets_a_suggestion():
    with pytest.raises(LabError, match="no part of an experiment called 'recip'. Did you mean 'recipe'"):
        Experiment().change(recip={})
    with pytest.raises(LabError, match="no setting of .ecipe called 'epoch'. Did you mean 'epochs'"):
        Experiment().change(recipe={"epoch": 1})
    with pytest.raises(LabError, match="Recipe.lr cannot be 'fast'"):
        Experiment().change(recipe={"lr": "fast"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "gru"}, r"model.*'gru'.*Model"),
        ({"feature": "mfcc"}, r"feature.*'mfcc'.*Feature"),
        ({"recipe": 3}, r"recipe.*Recipe"),
        ({"split": "official"}, r"split.*'official'.*Split"),
        ({"corpus": "speech_commands"}, r"corpus.*Subset"),
        ({"target": "label"}, r"target.*Target"),
    ],
)
def test_a_part_of_the_wrong_kind_says_which_is_meant(values, message):
    with pytest.raises(LabError, match=message):
        Experiment(**values)


# What is predicted


def accents():
    corpus = table_corpus(speakers=8)
    known = {"s000": "us", "s001": "uk", "s002": "us", "s003": "nz", "s004": "uk"}
    return corpus.with_clips(corpus.clips.assign(accent=corpus.clips.speaker.map(known)))


def test_the_target_may_be_any_column():
    corpus = accents()
    known = corpus.with_clips(corpus.clips[corpus.clips.accent.notna()])
    found = Target("accent").apply(known)
    assert found.labels == ("nz", "uk", "us") and (found.clips.label == found.clips.accent).all()
    assert Target().apply(corpus) is corpus
    assert found.fingerprint != known.fingerprint and not found.skipped


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_clips_without_a_value_are_left_out_and_counted(missing):
    corpus = accents()
    accent = corpus.clips.accent.astype(object)
    corpus = corpus.with_clips(corpus.clips.assign(accent=accent.where(accent.notna(), missing)))
    out = corpus.clips.accent.isna().sum()
    found = Target("accent").apply(corpus)
    assert found.labels == ("nz", "uk", "us") and len(found) == len(corpus) - out
    assert found.skipped == (f"{out} clips of table have no accent, or one outside the class table, and are left out.",)


def test_a_class_table_joins_values_and_leaves_out_the_others():
    corpus = accents()
    found = Target("accent", (("uk", "old"), ("us", "new"), ("nz", "new"))).apply(corpus)
    assert found.labels == ("old", "new") and set(found.clips.label[found.clips.speaker == "s003"]) == {"new"}
    words = Target("label", (("yes", "positive"),)).apply(corpus)
    assert words.labels == ("positive",) and len(words) == (corpus.clips.label == "yes").sum()
    assert words.skipped[0].startswith(f"{len(corpus) - len(words)} clips of table have no label, or one outside")


def test_an_empty_text_is_no_class():
    corpus = accents()
    corpus = corpus.with_clips(corpus.clips.assign(accent=corpus.clips.accent.fillna("")))
    assert Target("accent").apply(corpus).labels == ("nz", "uk", "us")


def test_numbers_may_be_classes():
    corpus = table_corpus(speakers=6)
    corpus = corpus.with_clips(corpus.clips.assign(age=corpus.clips.speaker.str[-1].astype(int) % 2))
    assert Target("age").apply(corpus).labels == ("0", "1")


def test_an_unknown_column_gets_a_suggestion():
    with pytest.raises(LabError, match="no column of table called 'acent'. Did you mean 'accent'"):
        Target("acent").apply(accents())


def test_a_choice_applies_to_a_corpus():
    corpus = table_corpus(speakers=20)
    assert Subset().apply(corpus).clips.equals(corpus.clips)
    some = Subset(labels=("yes",), clips_per_label=3).apply(corpus)
    assert some.labels == ("yes",) and len(some) == 3
    with pytest.raises(LabError, match="no label of table called 'yess'. Did you mean 'yes'"):
        Subset(labels=("yess",)).apply(corpus)


def test_names_of_the_package_are_found_or_told():
    assert labkit.Experiment is Experiment and set(labkit.__all__) >= {"start", "train", "Experiment", "LabError"}
    for name in labkit.__all__:
        assert getattr(labkit, name) is not None
    with pytest.raises(AttributeError, match="labkit has no 'Experimnt'; it offers .*Experiment"):
        labkit.Experimnt  # noqa: B018


def test_a_changed_model_of_a_students_own_is_another_run():
    from torch import nn

    from labkit.models import MODELS, code_of, register

    def define(width, doc):
        class Own(nn.Module):
            def __init__(self, shape, classes, hidden=8):
                super().__init__()
                self.layer = nn.Linear(shape[1], classes)

            def forward(self, x, lengths):
                return self.layer(x.mean(1)) * (width if doc else 0)

        return Own

    def twice():
        class Own(nn.Module):
            def __init__(self, shape, classes, hidden=8):
                super().__init__()
                self.layer = nn.Linear(shape[1], classes)

            def forward(self, x, lengths):
                return 2 * self.layer(x.mean(1))

        return Own

    try:
        ids = []
        for made in (define(1, True), define(1, True), twice()):
            register("own")(made)
            ids.append(Experiment(model=Model("own")).id("corpus"))
        assert ids[0] == ids[1] != ids[2]
        assert code_of("gru") is None  # labkit's own have SCHEMA for that
    finally:
        MODELS.pop("own", None)


def test_names_of_the_first_edition_are_read_and_run_ids_are_still_made_of_them():
    old = {"recipe": {"rate": 0.01, "augmentation": {"noise": 0.5, "noise_share": 0.25}}, "model": {"name": "gru"}}
    new = {"recipe": {"lr": 0.01, "augmentation": {"noise": 0.5, "noise_fraction": 0.25}}}
    experiment = Experiment.from_dict(old)
    assert experiment == Experiment.from_dict(new) and experiment.to_dict() == new
    assert experiment.id("x") == digest({"experiment": {"recipe": old["recipe"]}, "corpus": "x", "schema": SCHEMA}, 12)


def test_only_a_recipe_has_old_names():
    """A student's model may call an option as it likes."""
    with pytest.raises(LabError, match="'rate'"):
        Experiment.from_dict({"model": {"name": "gru", "rate": 1}})
