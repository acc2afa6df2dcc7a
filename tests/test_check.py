"""`python -m labkit check` and the list of commands: each thing that can be broken is broken here, with fakes."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from labkit import cli
from labkit.cli import check_command as check
from labkit.errors import LabError


def broken(error):
    """An import that fails with `error`."""

    def load(name):
        raise error

    return load


def fake(module):
    return lambda name: module


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 4), (3, 13, 9)])
def test_supported_pythons_are_ok(version):
    assert check.python_version(version)[0]


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0), (2, 7, 18)])
def test_other_pythons_are_named_with_the_range(version):
    ok, text = check.python_version(version)
    assert not ok and "3.11 to 3.13" in text and ".".join(map(str, version)) in text


def test_a_missing_package_is_named_with_the_command():
    ok, text = check.package(Requirement("soxr>=0.3"), None)
    assert not ok and "soxr" in text and "pip install" in text


def test_a_package_of_the_wrong_version_is_named_with_both_versions():
    ok, text = check.package(Requirement("torch>=2.11,<2.15,!=2.13.*"), "2.13.1")
    assert not ok and "2.13.1" in text and "!=2.13.*" in text


def test_a_cpu_build_is_the_version_it_says():
    assert check.package(Requirement("torchaudio==2.11.0"), "2.11.0+cpu")[0]


def test_every_line_of_the_requirements_is_compared(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# a list\npackaging>=1  # there\nno-such-package>=2  # why\nnothing ; python_version < '3'\n")
    bad, good = list(check.packages(path))
    assert not bad[0] and "no-such-package" in bad[1]
    assert good[0] and "packaging" in good[1] and "nothing" not in good[1]


def test_without_a_requirements_file_nothing_is_claimed(tmp_path):
    ((ok, text),) = check.packages(tmp_path / "requirements.txt")
    assert ok and "not compared" in text


@pytest.mark.parametrize("error", [OSError("libcudart.so: cannot open"), RuntimeError("op exists"), ImportError("x")])
def test_a_pair_of_torch_and_torchaudio_that_does_not_fit_is_told_in_a_line(error):
    ok, text = check.loads("torchaudio", "why", lambda module: None, load=broken(error))
    assert not ok and str(error) in text and "pip install" in text and "\n" not in text


def test_a_package_that_loads_but_does_not_work_is_no_ok():
    ok, text = check.loads("soundfile", "why", lambda module: module.missing, load=fake(SimpleNamespace()))
    assert not ok and "AttributeError" in text


def test_without_espeak_the_mend_says_what_still_works():
    ok, text = check.espeak(load=broken(ModuleNotFoundError("No module named 'espeakng_loader'")))
    assert not ok and "real recordings still works" in text


def test_espeak_without_its_voices_is_no_ok(tmp_path):
    # a process of its own: espeak keeps one state for each process
    code = f"""if True:
        import espeakng_loader
        from labkit.cli import check
        espeakng_loader.get_data_path = lambda: {str(tmp_path)!r}
        print(check.espeak())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(False") and "voices" in done.stdout


def test_a_gpu_is_named():
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda index: "Toy 9000")
    assert check.device(load=fake(SimpleNamespace(cuda=cuda))) == (True, "device: CUDA, Toy 9000")


def test_a_broken_torch_does_not_end_the_check():
    assert not check.device(load=broken(OSError()))[0]
    assert not check.torch_threads(load=broken(OSError()))[0]


def test_more_threads_than_cores_are_to_mend():
    torch = SimpleNamespace(get_num_threads=lambda: 16)
    ok, text = check.torch_threads(load=fake(torch), cores=lambda: 4)
    assert not ok and "LABKIT_THREADS=4" in text
    assert check.torch_threads(load=fake(torch), cores=lambda: 16)[0]


@pytest.mark.parametrize("look, needed", [(check.disk, check.DISK), (check.memory, check.MEMORY)])
def test_too_little_room_is_told_with_both_figures(look, needed):
    ok, text = look(needed / 10)
    assert not ok and f"{needed / 1e10:.1f} GB free" in text and f"{needed / 1e9:.0f} GB needed" in text
    assert look(needed * 2)[0]


def test_a_system_that_does_not_tell_its_memory_is_no_fault():
    assert check.memory(None)[0]


def test_corpora_are_listed_and_none_is_fine(tmp_path, monkeypatch):
    def module(names, folder=tmp_path):
        return fake(SimpleNamespace(found=lambda: names, data_folder=lambda: folder))

    assert "fsdd" in check.corpora(load=module(["fsdd"]))[1]
    ok, text = check.corpora(load=module([]))
    assert ok and "download" in text and str(tmp_path) in text
    assert not check.corpora(load=broken(ImportError("pandas")))[0]
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "nowhere"))
    ok, text = check.corpora(load=module([], tmp_path / "nowhere"))
    assert not ok and "LABKIT_DATA" in text


def test_a_kernel_of_another_python_is_found_out(tmp_path):
    def module(program):
        spec = SimpleNamespace(argv=[program, "-m", "ipykernel_launcher"])
        return fake(SimpleNamespace(KernelSpecManager=lambda: SimpleNamespace(get_kernel_spec=lambda name: spec)))

    assert check.kernel(load=module("python"))[0]
    assert check.kernel(load=module(sys.executable))[0]
    other = str(tmp_path / "python")
    ok, text = check.kernel(load=module(other))
    assert not ok and other in text
    assert not check.kernel(load=broken(ImportError()))[0]


@pytest.mark.parametrize("fine", [True, False])
def test_the_exit_status_says_whether_something_is_to_mend(monkeypatch, capsys, fine):
    monkeypatch.setattr(check, "looks", lambda: [(True, "one"), (fine, "two: do this")])
    assert cli.main(["check"]) == (0 if fine else 1)
    printed = capsys.readouterr().out
    assert "[ok] one" in printed and f"[{'ok' if fine else 'mend'}] two: do this" in printed


def test_the_check_of_this_very_environment_imports_nothing_heavy_before_it_prints():
    code = (
        "import sys, labkit.cli.check; print([name for name in ('torch', 'librosa', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_command_all_commands_are_listed(capsys):
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in cli.COMMANDS)


def test_an_unknown_command_is_answered_in_words(capsys):
    assert cli.main(["tset"]) == 2
    assert "Did you mean 'test'?" in capsys.readouterr().err


def test_a_command_whose_module_is_absent_does_not_break_the_others(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, "absent", ("labkit.cli.absent", "is not there"))
    assert cli.main(["absent"]) == 2
    assert "not part of this version" in capsys.readouterr().err
    assert cli.main([]) == 0


@pytest.mark.parametrize(
    "error, status, said", [(LabError("Say why."), 2, "LabError: Say why."), (KeyboardInterrupt(), 130, "Interrupted")]
)
def test_a_students_mistake_and_ctrl_c_end_without_a_stack(monkeypatch, capsys, error, status, said):
    def fail():
        raise error

    monkeypatch.setattr(check, "looks", fail)
    assert cli.main(["check"]) == status
    printed = capsys.readouterr().err
    assert said in printed and "Traceback" not in printed


def test_a_command_does_not_swallow_a_word_it_does_not_know(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["check", "--colour"])
    assert stop.value.code == 2 and "--colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    "rest, paths",
    [
        ([], ["tests", "labkit", "notebooks"]),
        (["-k", "tests"], ["tests", "labkit", "notebooks"]),
        (["tests/conftest.py::test_x", "-x"], []),
    ],
)
def test_what_the_test_command_does_not_know_goes_to_pytest(tmp_path, rest, paths):
    from labkit.cli import test_command as test

    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "conftest.py").touch()
    line = test.command(rest, tmp_path)
    assert line[len(line) - len(rest) - len(paths) :] == [*rest, *paths]
