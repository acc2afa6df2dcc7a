"""Packed sweeps: what goes in comes out, and a damaged file is named and spoils no other sweep."""

import gzip
import json
import lzma
import shutil

import pandas as pd
import pytest
from tiny import quick

from labkit.errors import LabError
from labkit.experiments.packed import PackedRun, Sweep
from labkit.experiments.records import elsewhere, read_runs, summary
from labkit.experiments.run import Run, read_record, train
from labkit.experiments.sweep import committed
from labkit.files import home
from tools import pack_records
from tools.audit import audit
from tools.pack_records import BETWEEN, grids_of_results, pack, times, unpack

pytest_plugins = ["tiny"]
RECORDS = home() / "results" / "records"
CORPORA = sorted(folder.name for folder in RECORDS.iterdir() if list(folder.glob("*.jsonl")))
LARGE = ("fsdd", "native_language", "speech_commands_4words", "speech_commands_core", "speech_commands_35words")


def contents(folder):
    """Text of each packed file below a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    read = {".gz": gzip.decompress, ".xz": lzma.decompress}
    return {path.relative_to(folder).as_posix(): read.get(path.suffix, bytes)(path.read_bytes()) for path in paths}


@pytest.mark.slow
@pytest.mark.parametrize(
    "corpus", [pytest.param(name, marks=[pytest.mark.weekly] if name in LARGE else []) for name in CORPORA]
)
def test_every_committed_run_comes_out_as_a_folder_and_goes_in_again_to_the_same_bytes(corpus, tmp_path):
    grids = grids_of_results()
    for path in sorted((RECORDS / corpus).glob("*.jsonl")):
        packed = list(Sweep(path).runs())
        for run in packed:
            folder = unpack(run, tmp_path / path.stem)
            alone = Run(folder, read_record(folder))
            assert alone.history.equals(run.history) and alone.validation == run.validation
            assert {test: alone.read_test(test) for test in alone.tests} == {
                test: run.read_test(test) for test in run.tests
            }
            parts = {table.name.removesuffix(".csv.gz") for table in folder.glob("*.csv.gz")}
            assert parts == set(run.record["tables"]) and "validation" in parts
            for part in parts:
                pd.testing.assert_frame_equal(alone.predictions(part), run.predictions(part), check_exact=True)
            if "audit" in run.record:
                assert audit(alone) == audit(run)
        pack([path.stem], tmp_path / path.stem, tmp_path / "again", grids)
    expected = {f"{corpus}/{name}": text for name, text in contents(RECORDS / corpus).items()}
    again = contents(tmp_path / "again")
    assert [name for name in expected if again.get(name) != expected[name]] == [] and list(again) == list(expected)


def test_pandas_reads_each_file_in_one_line():
    path = RECORDS / "fsdd" / "voice_mnist.jsonl"
    header = pd.read_json(path, lines=True, dtype={"id": str})
    history = pd.read_csv(path.with_suffix(".history.csv.xz"))
    predictions = pd.read_csv(path.with_suffix(".predictions.csv.xz"), dtype=str)
    run, *_ = committed("voice_mnist", "fsdd")
    assert run.id in set(header.id) and len(history[history.run == run.id]) == len(run.history)
    test = predictions[predictions.part == "test"].dropna(subset=f"{run.id}.predicted")
    assert (test.label == test[f"{run.id}.predicted"]).mean() == run.test()["accuracy"]


@pytest.fixture
def copied(tmp_path):
    """Two committed sweeps of a corpus, where a test may damage one."""
    for path in [*(RECORDS / "fsdd").glob("voice_mnist.*"), *(RECORDS / "fsdd").glob("raw_gru.*")]:
        shutil.copy(path, tmp_path)
    shutil.copy(RECORDS / "fsdd" / "speakers.csv.xz", tmp_path)
    return tmp_path


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    return content[:-200] + bytes([content[-200] ^ 4]) + content[-199:]


def another_number(content):
    """A whole file that says something else."""
    return lzma.compress(lzma.decompress(content).replace(b"0.99", b"0.98"))


def another_file(content):
    return lzma.compress(b"a,b\n1,2\n")


def no_json(content):
    first, second, *rest = content.split(b"\n")
    return b"\n".join([first, second[:-20], *rest])


def another_run(content):
    """The histories of two runs are exchanged."""
    first, second = (json.loads(line) for line in content.splitlines()[:2])
    first["history"], second["history"] = second["history"], first["history"]
    return "\n".join([json.dumps(first), json.dumps(second)]).encode()


@pytest.mark.parametrize(
    ("file", "damage"),
    [(f"voice_mnist.{kind}.csv.xz", damage) for kind in ("history", "predictions") for damage in (cut, flipped)]
    + [(f"voice_mnist.{kind}.csv.xz", another_number) for kind in ("history", "predictions")]
    + [(f"voice_mnist.{kind}.csv.xz", another_file) for kind in ("history", "predictions")]
    + [(f"voice_mnist.{kind}.csv.xz", None) for kind in ("history", "predictions")]
    + [("voice_mnist.jsonl", no_json)],
)
def test_a_damaged_file_is_named_and_spoils_no_other_sweep(file, damage, copied):
    whole = {run.id for run in Sweep(copied / "raw_gru.jsonl").runs()}
    assert len(read_runs(copied)) == len(whole) + 3
    if damage:
        (copied / file).write_bytes(damage((copied / file).read_bytes()))
    else:
        (copied / file).unlink()
    with pytest.warns(UserWarning, match=rf"sweep voice_mnist cannot be read.*{file}.*(damaged|is not).*again") as said:
        assert {run.id for run in read_runs(copied)} == whole
    assert len(said) == 1


def test_the_history_of_another_run_is_refused(copied):
    path = copied / "voice_mnist.jsonl"
    path.write_bytes(another_run(path.read_bytes()))
    with pytest.raises(LabError, match=r"history.csv.xz is damaged, or is not what voice_mnist.jsonl says"):
        list(Sweep(path).runs())


def test_a_record_whose_training_speakers_are_missing_is_refused(copied):
    (copied / "speakers.csv.xz").write_bytes(lzma.compress(b"list,speaker\nx,george\n"))
    with pytest.warns(UserWarning, match="speakers.csv.xz is damaged, or is not what") as said:
        assert read_runs(copied) == [] and len(said) == 2


@pytest.fixture
def trained(two_runs, corpus, tmp_path):
    """Three tested runs, one of them tested on another corpus and audited; their experiments."""
    (tmp_path / "results").rename(tmp_path / "local")
    experiments = [quick().change(seed=seed) for seed in (0, 1, 2)]
    runs = [train(experiment, corpus, tmp_path / "local") for experiment in experiments]
    runs[2].test()
    audit(runs[0])
    return experiments, runs


def test_packing_merges_repeats_to_the_same_bytes_and_keeps_a_run_of_two_grids_once(trained, corpus, tmp_path):
    experiments, runs = trained
    local, records = tmp_path / "local", tmp_path / "records"
    grids = {"one": experiments[:1], "two": experiments[:2]}
    pack(["one"], local, records, grids)
    first = contents(records)
    pack(["two", "other"], local, records, grids)
    headers = {path.stem: [run.id for run in Sweep(path).runs()] for path in records.rglob("*.jsonl")}
    assert headers == {"one": [runs[0].id], "two": [runs[1].id], "other": [runs[2].id]}
    whole = contents(records)
    assert {name: whole[name] for name in first if "speakers" not in name} == {
        name: text for name, text in first.items() if "speakers" not in name
    }
    pack(["one", "two", "other"], local, records, grids)
    assert contents(records) == whole
    assert summary(read_runs(records)).equals(summary(read_runs(local)))
    assert len(elsewhere(read_runs(records))) == 0 and len(read_runs(tmp_path)) == 3, "a run in both forms counts once"


def test_a_packed_run_is_found_instead_of_trained(trained, corpus, tmp_path, monkeypatch):
    experiments, runs = trained
    pack(["one"], tmp_path / "local", tmp_path / "records", {"one": experiments})
    monkeypatch.setattr("labkit.experiments.run.fit", lambda *_, **__: pytest.fail("trained again"))
    for run in runs:
        again = train(run.experiment, corpus, tmp_path / "records")
        assert isinstance(again, PackedRun) and again.test() == run.test() and again.corpus is not None
        assert again.folder == tmp_path / "records" / run.folder.relative_to(tmp_path / "local")
        assert again.record["commit"] == run.record["commit"] and again.record["sounds"] == run.record["sounds"]
    with pytest.raises(LabError, match="record without weights"):
        again.network  # noqa: B018
    assert audit(train(experiments[0], corpus, tmp_path / "records")) == audit(runs[0])
    assert (again.folder.parent / "sounds" / f"{again.record['sounds']}.csv.xz").exists()


def test_a_kill_before_the_header_is_written_leaves_the_old_sweep_whole(trained, tmp_path, monkeypatch):
    experiments, runs = trained
    records, grids = tmp_path / "records", {"one": experiments}
    half = shutil.copytree(runs[1].folder, tmp_path / "half" / "tiny" / runs[1].name).parents[1]
    pack(["one"], half, records, grids)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pack_records, "write_text", interrupt)
        pack(["one"], tmp_path / "local", records, grids)
    assert [(run.id, run.test()) for run in read_runs(records)] == [(runs[1].id, runs[1].test())]
    pack(["one"], tmp_path / "local", records, grids)
    assert [run.id for run in read_runs(records)] == [run.id for run in runs]


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_run_that_was_trained_twice_is_not_packed_over(trained, tmp_path):
    experiments, runs = trained
    pack(["one"], tmp_path / "local", tmp_path / "records", {"one": experiments})
    record = json.loads((runs[0].folder / "run.json").read_text())
    record["history"][0]["seconds"] += 1
    del record["hash"]  # else it would be damaged
    (runs[0].folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(LabError, match=f"{runs[0].name} was trained another time .*one.jsonl"):
        pack(["one"], tmp_path / "local", tmp_path / "records", {"one": experiments})


@pytest.mark.slow
def test_the_command_packs_and_unpacks(tmp_path, capsys):
    run = committed("voice_mnist", "fsdd")[0]
    pack_records.main(["unpack", run.id, str(tmp_path / "local")])
    pack_records.main(["--records", str(tmp_path / "records"), "pack", "voice_mnist", str(tmp_path / "local")])
    said = capsys.readouterr().out
    assert f"{run.name}\n" in said and "voice_mnist.jsonl: 1 runs" in said
    assert read_runs(tmp_path / "records")[0].test() == run.test()
    with pytest.raises(LabError, match="No run of recurrent .*Train them first"):
        pack(["recurrent"], tmp_path / "local", tmp_path / "records")
    with pytest.raises(LabError, match="is there already"):
        unpack(run, tmp_path / "local")


@pytest.mark.slow
def test_the_table_of_times_is_that_of_the_records():
    ((_, shown, _),) = BETWEEN.findall((home() / "docs" / "RESULTS.md").read_text(encoding="utf-8"))
    assert shown.strip() == times(RECORDS)
