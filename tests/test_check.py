"""`python -m labkit check` and the list of commands: each thing that can be broken is broken here."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from labkit import cli
from labkit.errors import LabError
from tools import check

pytest_plugins = ["tiny"]
LOOKS = {name: (look, mend) for name, look, mend in check.LOOKS}


@pytest.fixture
def said(monkeypatch, capsys):
    """What the command prints of one look, in one line."""

    def run(name):
        monkeypatch.setattr(check, "LOOKS", [row for row in check.LOOKS if row[0] == name])
        status = cli.main(["check"])
        line = capsys.readouterr().out.splitlines()[0]
        assert line.startswith(f"[mend] {name}: " if status else f"[ok] {name}: ")
        return line

    return run


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """Make the import of a package run some source instead."""

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        for module in [module for module in sys.modules if module.split(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)

    return write


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 4), (3, 13, 9)])
def test_supported_pythons_are_ok(version):
    assert ".".join(map(str, version)) in check.python(version)


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0), (2, 7, 18)])
def test_other_pythons_are_named(version):
    with pytest.raises(LabError, match=r"\.".join(map(str, version))):
        check.python(version)
    assert "3.11" in LOOKS["Python"][1] and "3.13" in LOOKS["Python"][1]


def test_every_line_of_the_requirements_is_compared(tmp_path, monkeypatch):
    installed = {"packaging": "26.0", "torchaudio": "2.11.0+cpu", "torch": "2.13.1"}

    def version(name):
        if name not in installed:
            raise check.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(check.metadata, "version", version)
    path = tmp_path / "requirements.txt"
    path.write_text("# a list\n\npackaging>=1  # there\ntorchaudio==2.11.0\nnothing ; python_version < '3'\n")
    assert check.packages(tmp_path) == "packaging 26.0, torchaudio 2.11.0+cpu"
    path.write_text("packaging>=1\nno-such-package>=2  # why\ntorch>=2.11,<2.15,!=2.13.*\n")
    with pytest.raises(LabError) as caught:
        check.packages(tmp_path)
    for words in ("no-such-package>=2 (none", "torch", "2.13.1", "!=2.13.*"):
        assert words in str(caught.value)
    assert "packaging" not in str(caught.value) and "pip install" in LOOKS["packages"][1]


def test_without_a_requirements_file_nothing_is_claimed(tmp_path):
    assert "not compared" in check.packages(tmp_path)


@pytest.mark.parametrize(
    "error", ["OSError('libcudart.so: cannot open')", "RuntimeError('op exists')", "ImportError('x')"]
)
def test_a_pair_of_torch_and_torchaudio_that_does_not_fit_is_told_in_a_line(error, broken, said):
    broken("torchaudio", f"raise {error}")
    line = said("torchaudio")
    assert line.startswith("[mend]") and error.split("'")[1] in line and "pip install" in line


def test_a_broken_torch_does_not_end_the_check(broken, said):
    kept = {module: value for module, value in sys.modules.items() if module.split(".")[0] == "torch"}
    try:
        broken("torch", "raise OSError('libtorch.so')")
        assert "libtorch.so" in said("torch")
    finally:
        sys.modules.update(kept)


def test_without_espeak_the_mend_says_what_still_works(monkeypatch, said):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    line = said("espeak-ng")
    assert line.startswith("[mend]") and "Everything else works with real recordings" in line


def test_espeak_without_its_voices_is_no_ok(tmp_path):
    # a process of its own: espeak keeps one state for each process
    code = f"""if True:
        import espeakng_loader
        from tools import check
        espeakng_loader.get_data_path = lambda: {str(tmp_path)!r}
        print(check.espeak())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "voices" in done.stderr


def test_a_gpu_is_named(monkeypatch):
    import torch

    monkeypatch.setattr("labkit.device.settle", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Toy 9000")
    assert ", on Toy 9000 with " in check.torch()


def test_a_gpu_that_torch_does_not_use_is_told(monkeypatch):
    import torch

    monkeypatch.setattr("labkit.device.settle", lambda: torch.device("cpu"))
    monkeypatch.setattr(check.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "NVIDIA GPU: see the README" in check.torch()


def test_more_threads_than_cores_are_to_mend(monkeypatch):
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    monkeypatch.setattr(check, "cores", lambda: 4)
    with pytest.raises(LabError, match="16 threads on 4 cores.*LABKIT_THREADS"):
        check.torch()
    monkeypatch.setattr(check, "cores", lambda: 16)
    assert "16 threads) with 16 cores" in check.torch()


@pytest.mark.parametrize("name, needed", [("disk", check.DISK), ("memory", check.MEMORY)])
def test_too_little_room_is_told_with_both_figures(name, needed, monkeypatch):
    free = []
    monkeypatch.setattr(check.shutil, "disk_usage", lambda place: SimpleNamespace(free=free[-1]))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free[-1]))
    free.append(needed / 10)
    with pytest.raises(LabError, match=f"{needed / 1e10:.1f} GB free, {needed / 1e9:.0f} GB needed"):
        LOOKS[name][0]()
    free.append(needed * 2)
    assert LOOKS[name][0]() == f"{needed / 5e8:.1f} GB free"


def test_corpora_are_listed_and_none_is_fine(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    assert "download" in check.corpora() and str(tmp_path) in check.corpora()
    (tmp_path / "fsdd").mkdir()
    assert "fsdd" in check.corpora()
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(LabError, match="LABKIT_DATA"):
        check.corpora()


def test_a_kernel_of_another_python_is_found_out(tmp_path, monkeypatch):
    specs = []
    monkeypatch.setattr(
        "jupyter_client.kernelspec.KernelSpecManager.get_kernel_spec",
        lambda self, name: SimpleNamespace(argv=[specs[-1], "-m", "ipykernel_launcher"]),
    )
    for fine in ("python", sys.executable):
        specs.append(fine)
        assert "this Python" in check.jupyter()
    specs.append(str(tmp_path / "python"))
    with pytest.raises(LabError, match="another Python"):
        check.jupyter()


@pytest.mark.parametrize("fine", [True, False])
def test_the_exit_status_says_whether_something_is_to_mend(monkeypatch, capsys, fine):
    def look():
        if not fine:
            raise ValueError("broken")

    monkeypatch.setattr(check, "LOOKS", [("one", lambda: 1, ""), ("two", look, "do this")])
    assert cli.main(["check"]) == (0 if fine else 1)
    printed = capsys.readouterr().out
    assert "[ok] one: 1" in printed and ("[mend] two: ValueError: broken: do this" in printed) != fine


def test_the_check_of_this_very_environment_imports_nothing_heavy_before_it_prints():
    heavy = "('torch', 'librosa', 'sklearn', 'pandas', 'pydantic')"
    code = f"import sys, tools.check; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_command_all_commands_are_listed(capsys):
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in cli.COMMANDS)


def test_an_unknown_command_is_answered_in_words(capsys):
    assert cli.main(["tset"]) == 2
    assert "Did you mean 'test'?" in capsys.readouterr().err


def test_a_command_that_lacks_a_package_names_it_and_the_check(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "labkit.cli.results_command", None)
    assert cli.main(["results"]) == 2
    assert "labkit check" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, status, said", [(LabError("Say why."), 2, "LabError: Say why."), (KeyboardInterrupt(), 130, "Interrupted")]
)
def test_a_students_mistake_and_ctrl_c_end_without_a_stack(monkeypatch, capsys, error, status, said):
    def fail(args):
        raise error

    monkeypatch.setattr(check, "main", fail)
    assert cli.main(["check"]) == status
    printed = capsys.readouterr().err
    assert said in printed and "Traceback" not in printed


def test_a_command_does_not_swallow_a_word_it_does_not_know(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["check", "--colour"])
    assert stop.value.code == 2 and "--colour" in capsys.readouterr().err


LINES = """
import json, sys
import pytest
for line in json.loads(sys.argv[1]):
    print("line", flush=True)
    assert pytest.main(line) == 0
"""


@pytest.mark.slow
def test_what_the_test_command_does_not_know_goes_to_pytest(tmp_path):
    from tools import run_tests as test

    asked = [
        ([], {"tests", "labkit", "notebooks"}),
        (["-k", "tests"], {"tests"}),
        (["-k", "test_a"], {"tests", "labkit", "notebooks"}),
        (["tests/test_tests.py::test_a", "-x"], {"tests"}),
    ]

    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for folder in ("tests", "labkit", "notebooks", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"test_{folder}.py").write_text("def test_a(): pass\n")
    python, module, pytest_itself = test.command([])[:3]
    assert (python, module, pytest_itself) == (sys.executable, "-m", "pytest")
    lines = [[*test.command(rest)[3:], "--collect-only", "-q", "-n", "0"] for rest, _ in asked]
    own = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}  # -v would print a tree
    words = [python, "-c", LINES, json.dumps(lines)]  # one process: most of a call is the import of plugins
    said = subprocess.run(words, cwd=tmp_path, env=own, capture_output=True, text=True, check=True).stdout
    found = [{row.split("/")[0] for row in part.splitlines() if "::" in row} for part in said.split("line\n")[1:]]
    assert found == [expected for _, expected in asked]


def test_what_a_corpus_needs_is_said_before_anything_is_built(made, own_folders, tmp_path, capsys, monkeypatch):
    assert cli.main(["check", "--data", str(made)]) == 0
    said = capsys.readouterr().out
    assert "clips: 72 of 12 speakers, 0.01 hours" in said and "1,000 clips are 0.02 GB" in said
    assert all(word in said for word in ("waveform store: 0.00 GB of all", "minutes to build it", "GB of table"))
    assert not list((tmp_path / "cache").glob("stores/*/*"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    assert cli.main(["check", "--data", str(made)]) == 1
    assert "[mend] disk: too full for all clips" in capsys.readouterr().out
