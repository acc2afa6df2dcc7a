"""What an audit keeps: the accuracy on clips that were trained on, and without `eval()`."""

from dataclasses import replace

import pytest
import tiny
import torch

from labkit.errors import LabError
from labkit.experiments.records import read_runs
from labkit.experiments.run import Run, train
from labkit.files import read_json
from labkit.models import Model
from tools.audit import audit, main

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")


def test_an_audit_is_kept_beside_the_record_of_what_was_tested(made, corpus, tmp_path, monkeypatch):
    one, other = (train(tiny.quick().change(seed=seed), corpus, tmp_path / "out") for seed in (0, 1))
    one.test()
    words = [str(tmp_path / "out"), "--data", str(made), "--device", "cpu"]
    assert main(words) == 0
    assert [run.tested for run in (one, other)] == [True, False]
    for run in read_runs(tmp_path / "out"):
        assert (run.folder / "audit.json").exists() == run.tested
        if run.tested:
            figures, trained = read_json(run.folder / "audit.json"), run.predictions("train")
            assert set(trained.speaker) == set(run.record["training_speakers"])
            assert figures["train"]["accuracy"] == (trained.label == trained.predicted).mean()
            assert set(run.predictions("training_mode").path) == set(run.predictions("test").path)
    monkeypatch.setattr("labkit.experiments.run.predictions", lambda *_, **__: pytest.fail("computed again"))
    assert main(words) == 0


def test_training_mode_is_what_a_network_does_without_eval(corpus, tmp_path):
    for dropout, same in ((0.0, True), (0.9, False)):  # no dropout, no normalisation: no difference
        run = train(tiny.quick().change(model={"dropout": dropout}), corpus, tmp_path)
        audit(run)
        assert (list(run.predictions("training_mode").predicted) == list(run.predictions("test").predicted)) == same


def test_an_audit_moves_no_running_statistics_and_counts_batches_as_the_study_did(corpus, tmp_path):
    run = train(replace(tiny.quick(), model=Model("r1_gru", hidden=4)), corpus, tmp_path)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    figures = audit(run, batch=12)["training_mode"]
    assert all(before[name].equal(value) for name, value in run.network.state_dict().items())
    assert not run.network.training and figures["batch"] == 12 and figures["clips"] == 18
    table = run.predictions("training_mode")
    order = torch.randperm(18, generator=torch.Generator().manual_seed(0))  # as Source.batches draws it
    right = torch.tensor((table.label == table.predicted).to_numpy(dtype=float))[order]
    assert figures["mean_of_batches"] == pytest.approx((right[:12].mean() + right[12:].mean()).item() / 2)


def test_an_audit_needs_the_corpus(corpus, tmp_path):
    run = train(tiny.quick(), corpus, tmp_path)
    with pytest.raises(LabError, match="without its corpus. Call labkit.train"):
        audit(Run(run.folder, run.record))
