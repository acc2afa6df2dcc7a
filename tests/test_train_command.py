"""`python -m labkit train`: by hand, and as the process that trains for a panel."""

import dataclasses
import json
import subprocess
import sys

from tiny import quick

from labkit.cli import main
from labkit.experiments import run as runs

pytest_plugins = ["tiny"]
NUMBERS = ["train_loss", "validation_loss", "validation_accuracy"]


def test_an_experiment_in_a_file_is_trained_like_any_other(made, corpus, tmp_path, capsys):
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps(quick().to_dict()), encoding="utf-8")
    words = ["train", str(file), "--data", str(made), "--results", str(tmp_path / "by hand"), "--device", "cpu"]
    assert main(words) == 0 and main(words) == 0  # the second time it is there
    (record,) = (tmp_path / "by hand").rglob("run.json")
    other = runs.train(quick(), corpus, tmp_path / "other")
    history = runs.Run(record.parent, runs.read_record(record.parent)).history
    assert history[NUMBERS].equals(other.history[NUMBERS])
    assert str(record.parent) in capsys.readouterr().out and not (record.parent / "experiment.json").exists()


def test_a_file_that_is_no_experiment_is_named(made, tmp_path, capsys):
    assert main(["train", str(tmp_path / "missing.json"), "--data", str(made)]) == 2
    assert "missing.json" in capsys.readouterr().err


def test_jobs_come_as_lines_and_the_process_ends_when_nobody_sends_any_more(corpus, tmp_path):
    tables = {"clips": corpus.clips.to_dict("list"), "whole": corpus.whole.to_dict("list"), "root": str(corpus.root)}
    about = {field.name: getattr(corpus, field.name) for field in dataclasses.fields(corpus)} | tables
    where = {"results": str(tmp_path / "results"), "device": "cpu", "module": "labkit.models.rnn"}
    job = {"corpus": about, "experiment": quick().to_dict(), **where}
    run_id = runs.place(quick(), corpus, tmp_path)[1]
    lines = [job | {"id": run_id}, job | {"id": "of other code"}]
    command = [sys.executable, "-m", "labkit", "train", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        process.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
        process.stdin.flush()
        said = []
        while "foreign" not in (said[-1] if said else {}):
            said.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(60) == 0
    kinds = [kind for message in said for kind in message]
    assert kinds.count("epoch") == 3 and kinds.count("batch") >= 3 and kinds[-2:] == ["done", "foreign"]
    assert runs.read_record(tmp_path / "results" / corpus.name / f"gru-{run_id}")["history"] == said[-3]["epoch"]
