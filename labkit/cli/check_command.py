"""`python -m labkit check`: is everything here that a student needs? Each line is [ok], or [mend] and what to do.

It has to work exactly where something is broken: each look is guarded, and nothing heavy is imported at the start.
"""

import os
import platform
import shutil
import sys
from importlib import import_module, metadata
from pathlib import Path

from ..files import home

PYTHON = ((3, 11), (3, 13))  # oldest and newest
DISK = 2e9  # bytes: synthetic corpora, their stores, results
MEMORY = 2e9  # bytes: the largest notebook at scale "lab", with room to spare
INSTALL = "run `python -m pip install -r requirements.lock -e .` in the lab's folder"


def add_arguments(parser):
    pass


def main(args):
    bad = 0
    for ok, text in looks():
        print(f"[{'ok' if ok else 'mend'}] {text}", flush=True)
        bad += not ok
    if bad:
        print(f"\n{bad} to mend, from the top: one often mends the next. Then run `python -m labkit check` again.")
    else:
        print("\nEverything is here. Next: `python -m jupyter lab notebooks`, and open 00_from_scratch.")
    return int(bad > 0)


def looks(folder=None):
    """Yield (ok, text) for each thing, cheap ones first."""
    folder = Path(folder or home())
    yield python_version(sys.version_info)
    yield from packages(folder / "requirements.txt")
    yield labkit_here(folder, _version("labkit"))
    yield loads(
        "torch",
        "its libraries do not fit together (perhaps two versions were mixed)",
        lambda torch: torch.ones(2).sum(),
    )
    yield loads(
        "torchaudio", "it needs exactly the torch it was built for", lambda audio: audio.functional.melscale_fbanks
    )
    yield loads("soundfile", "it reads recordings", lambda soundfile: soundfile.available_formats()["WAV"])
    yield espeak()
    yield device()
    yield torch_threads()
    yield disk(shutil.disk_usage(folder).free)
    yield memory(free_memory())
    yield corpora()
    yield kernel()


def python_version(version):
    """Is this Python (a tuple that starts with major, minor, patch) one that the lab runs on?"""
    oldest, newest = (".".join(map(str, end)) for end in PYTHON)
    name = ".".join(map(str, tuple(version)[:3]))
    if PYTHON[0] <= tuple(version)[:2] <= PYTHON[1]:
        return True, f"Python {name} at {sys.executable}"
    return False, f"Python {name}: the lab needs {oldest} to {newest}. Install one and make .venv anew with it."


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def packages(path):
    """Look at each line of requirements.txt; a package that is fine is only counted."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield False, f"packages: none are installed for this Python ({sys.executable}): {INSTALL}"
        return
    try:
        lines = [line.split("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except OSError:
        yield True, "packages: requirements.txt is not here, so their versions were not compared"
        return
    fine = []
    for requirement in (Requirement(line) for line in lines if line):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        ok, text = package(requirement, _version(requirement.name))
        if ok:
            fine.append(text)
        else:
            yield ok, text
    yield True, f"packages: {', '.join(fine)}"


def package(requirement, installed):
    """Does the installed version (None if there is none) satisfy a `packaging` Requirement?"""
    if installed is None:
        return False, f"{requirement.name}: not installed: {INSTALL}"
    if not requirement.specifier.contains(installed, prereleases=True):
        return (
            False,
            f"{requirement.name}: version {installed} is here, the lab needs {requirement.specifier}: {INSTALL}",
        )
    return True, f"{requirement.name} {installed}"


def labkit_here(folder, installed):
    """Is labkit installed, and is the copy that a notebook would import the one of this folder?"""
    here = Path(__file__).resolve().parents[1]
    if installed is None:
        return (
            False,
            "labkit: notebooks cannot import it yet: run `python -m pip install --no-deps -e .` in the lab's folder",
        )
    if (folder / "labkit").is_dir() and here != (folder / "labkit").resolve():
        return (
            False,
            f"labkit: installed from {here}, not from this folder: run `python -m pip install --no-deps -e .` here",
        )
    return True, f"labkit {installed}"


def loads(name, why, use, load=import_module):
    """Import a package and use it once.

    A torch and a torchaudio that do not belong together fail with OSError or RuntimeError, not only ImportError.
    """
    try:
        module = load(name)
        use(module)
    except Exception as error:  # whatever it is, the student needs the mend and not a stack
        first = (str(error).strip().splitlines() or [""])[0]
        return False, f"{name}: does not load ({type(error).__name__}: {first}); {why}: {INSTALL}"
    return True, f"{name} {getattr(module, '__version__', '')} loads".replace("  ", " ")


def espeak(load=import_module):
    """Can espeak-ng, which speaks the synthetic corpora, find its library and its voices?"""
    mend = (
        "synthetic speech cannot be made, everything on real recordings still works: "
        "run `python -m pip install --force-reinstall espeakng-loader`, or use real "
        "recordings: `python -m labkit download speech_commands` (2.4 GB)"
    )
    try:
        import ctypes

        loader = load("espeakng_loader")
        library = ctypes.CDLL(loader.get_library_path())
        # 2: hand the samples over instead of playing them; 0x8000: do not end this process if that fails
        if library.espeak_Initialize(2, 0, str(loader.get_data_path()).encode(), 0x8000) <= 0:
            return False, f"espeak-ng: it does not find its voices; {mend}"
        if library.espeak_SetVoiceByName(b"en") != 0:
            return False, f"espeak-ng: it has no English voice; {mend}"
        voices = len(list((Path(loader.get_data_path()) / "voices" / "!v").iterdir()))
        return True, f"espeak-ng: {voices} voice variants"
    except Exception as error:
        return False, f"espeak-ng: does not load ({type(error).__name__}: {error}); {mend}"


def device(load=import_module):
    """The device that training will use."""
    try:
        torch = load("torch")
        if torch.cuda.is_available():
            return True, f"device: CUDA, {torch.cuda.get_device_name(0)}"
        if torch.backends.mps.is_available():
            return True, "device: MPS (Apple's GPU)"
    except Exception as error:
        return False, f"device: unknown, because torch does not work ({type(error).__name__}): mend torch first"
    note = ""
    if shutil.which("nvidia-smi"):
        note = "; this machine seems to have an NVIDIA GPU that torch cannot use: see the README, CPU-only and back"
    return True, f"device: CPU ({platform.processor() or platform.machine()}), enough for scale 'lab'{note}"


def cores():
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def torch_threads(load=import_module, cores=cores):
    """Threads that torch computes with, beside the cores there are."""
    try:
        count = load("torch").get_num_threads()
    except Exception:
        return False, "threads: unknown, because torch does not work: mend torch first"
    asked = os.environ.get("LABKIT_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if count > cores():
        return (
            False,
            f"threads: torch uses {count} on {cores()} cores, which slows it down: set LABKIT_THREADS={cores()}",
        )
    return True, f"threads: torch uses {count} of {cores()} cores{' (as set)' if asked else ''}"


def disk(free):
    """Enough bytes free for the synthetic corpora, their stores and results?"""
    if free < DISK:
        return (
            False,
            f"disk: {free / 1e9:.1f} GB free, {DISK / 1e9:.0f} GB needed: free some, or point LABKIT_CACHE elsewhere",
        )
    return True, f"disk: {free / 1e9:.1f} GB free"


def free_memory():
    """Memory that programs can still have, in bytes; None where the system does not tell."""
    try:
        import psutil

        return psutil.virtual_memory().available
    except Exception:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def memory(free):
    """Enough bytes of memory free to train at scale "lab"?"""
    if free is None:
        return True, "memory: this system does not tell; close other programs if a kernel dies"
    if free < MEMORY:
        return (
            False,
            f"memory: {free / 1e9:.1f} GB free, {MEMORY / 1e9:.0f} GB needed: close other programs and kernels",
        )
    return True, f"memory: {free / 1e9:.1f} GB free"


def corpora(load=import_module):
    """Which corpora are there? None is fine: the synthetic ones are made when they are needed."""
    try:
        here = load("labkit.data")
        where, names = here.data_folder(), here.found()
        if not where.is_dir() and os.environ.get("LABKIT_DATA"):
            return False, f"corpora: LABKIT_DATA is {where}, which is no folder. Set it to one, or unset it."
    except Exception as error:
        return False, f"corpora: cannot be looked for ({type(error).__name__}: {error}): mend the packages above first"
    if names:
        return True, f"corpora: {', '.join(names)}"
    return (
        True,
        f"corpora: none in {where} yet; synthetic speech is made when needed (real: `python -m labkit download`)",
    )


def kernel(load=import_module):
    """Would Jupyter start its "python3" kernel with this very Python?"""
    try:
        spec = load("jupyter_client.kernelspec").KernelSpecManager().get_kernel_spec("python3")
        load("jupyterlab")
    except Exception as error:
        return False, f"Jupyter: no kernel to run notebooks with ({type(error).__name__}): {INSTALL}"
    program = spec.argv[0]
    # Jupyter replaces a bare "python" by the Python that it runs with
    if os.path.isabs(program) and not _same(program, sys.executable):
        mend = "run `python -m ipykernel install --sys-prefix`, or set JUPYTER_PREFER_ENV_PATH=1"
        return False, f"Jupyter: its kernel python3 is another Python ({program}): {mend}"
    return True, "Jupyter: JupyterLab, and a kernel with this Python"


def _same(one, other):
    """Do two programs lie in the same folder (python, python3 and python3.12 of one environment are one)?"""
    return os.path.normcase(os.path.dirname(one)) == os.path.normcase(os.path.dirname(other))
