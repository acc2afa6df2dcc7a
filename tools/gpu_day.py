"""What a GPU is needed for, in one go: `PYTHONPATH=tests python -m tools.gpu_day --device cuda` writes one table.

Each registered model is trained on tones on both devices and compared; an interrupted training is resumed; the lab's
LSTM cell is timed against torch.nn.LSTM; and an epoch of R1's GRU runs on a stand-in of the size of Speech Commands.
`--clips 200 --models gru` shows on a CPU in a minute that the script works.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import tiny
import torch
from tqdm import tqdm

from labkit.data.speech_commands import load
from labkit.device import device_name, settle
from labkit.experiments.run import train
from labkit.features import MFCC, LogMel, Raw
from labkit.files import write_text
from labkit.models import MODELS, TAKES, Model
from labkit.models.cell_layer import CellLayer

FEATURES = (MFCC(seconds=0.55, hop_ms=20, n_mfcc=8, deltas=0), LogMel(seconds=0.55, n_mels=40), Raw(seconds=0.55))
FEATURES += (MFCC(), LogMel(), Raw())
TOLERANCE = 0.02  # of the loss, relative: float32 on two devices, three epochs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--clips", type=int, default=105_829, help="of the stand-in (default: as Speech Commands)")
    parser.add_argument("--models", nargs="+", default=list(MODELS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("build/gpu_day.md"))
    args = parser.parse_args()
    device, rows = settle(args.device), []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        os.environ["LABKIT_CACHE"] = str(place / "cache")
        corpus = load(tiny.make(place / "tiny"))
        for name in tqdm(args.models, "models"):
            rows.append((f"{name}: {TOLERANCE:.0%} of the CPU's loss", *checked(compare, name, corpus, place, device)))
        rows.append(("a training that was interrupted goes on as if not", *checked(resume, corpus, place, device)))
        rows.append(("the lab's LSTM cell beside torch.nn.LSTM", *checked(cells, device)))
        rows.append((f"R1's GRU, an epoch of {args.clips:,} clips", *checked(full_size, args.clips, place, device)))
    lines = [f"| {device_name(device)}, torch {torch.__version__} | | |", "|---|---|---|"]
    table = "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
    write_text(args.out, table + "\n")
    print(table)
    return int(any(row[1] != "ok" for row in rows))


def checked(look, *arguments):
    """("ok" or "FAILED", what was seen): one failure may not end the day."""
    try:
        fine, seen = look(*arguments)
        return "ok" if fine else "FAILED", seen
    except Exception as error:  # whatever a driver says
        return "FAILED", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def compare(name, corpus, place, device):
    """Whether a model's losses on the device are those of the CPU; on the first feature that it can read."""
    for feature in FEATURES:
        try:
            Model(name).build(feature.shape, 3)
            break
        except Exception:  # another shape, or an input that is too short: the next feature
            continue
    else:
        return False, f"no feature of gpu_day fits; it takes {', '.join(TAKES)}"
    experiment = tiny.quick().change(recipe={"lr": 1e-3})
    experiment = type(experiment)(feature=feature, model=Model(name), recipe=experiment.recipe)
    losses = []
    for where in (device, torch.device("cpu")):
        run = train(experiment, corpus, place / f"{name}-{len(losses)}", where)
        losses.append(run.history.train_loss.to_numpy())
        run.test()
    worst = np.max(np.abs(losses[0] / losses[1] - 1))
    return worst <= TOLERANCE, f"largest difference {worst:.1e}"


def resume(corpus, place, device):
    experiment = tiny.quick()
    train(experiment, corpus, place / "cut", device, tiny.Interrupt(1))
    cut, whole = (train(experiment, corpus, place / name, device).history.train_loss for name in ("cut", "whole"))
    return bool(np.allclose(cut, whole, rtol=1e-5)), "same bits" if cut.equals(whole) else "not the same bits"


def cells(device, rounds=20):
    x, milliseconds = torch.randn(256, 50, 39, device=device), []
    for layer in (CellLayer("lstm_cell", 39, 64), torch.nn.LSTM(39, 64, batch_first=True)):
        layer = layer.to(device)
        for number in range(rounds + 5):
            if number == 5:  # what comes before is for warming up
                _, started = x.sum().item(), time.perf_counter()  # item() waits for the device
            layer(x)[0].square().mean().backward()
        next(layer.parameters()).grad.sum().item()
        milliseconds.append(1000 * (time.perf_counter() - started) / rounds)
    return True, f"{milliseconds[0]:.1f} ms against {milliseconds[1]:.1f} ms a step"


def full_size(clips, place, device, speakers=2618):
    """Seconds of each step from the files to the second epoch; the stand-in is noise, for sizes and not for sense."""
    folder, noise = place / "full", np.random.default_rng(0).normal(0, 0.05, 600_000)
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for number in range(clips):
        word, voice = number % 35, number // 35 % min(speakers, max(30, clips // 35))
        path = f"word{word:02}/{voice:08x}_nohash_{number // 35 // speakers}.wav"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        start = number * 997 % 580_000
        soundfile.write(folder / path, noise[start : start + 16_000], 16_000)
        if voice % 10 < 2:
            lists[("validation_list.txt", "testing_list.txt")[voice % 10]].append(path)
    for name, paths in lists.items():
        write_text(folder / name, "\n".join(paths) + "\n")
    began = time.perf_counter()
    corpus = load(folder)
    loaded = time.perf_counter() - began
    experiment = tiny.quick().change(feature=MFCC(window_ms=40, hop_ms=20), model={"name": "gru", "hidden": 128})
    run = train(experiment.change(recipe={"epochs": 2, "batch": 64}), corpus, place / "full-runs", device)
    whole, epoch = time.perf_counter() - began, run.history.seconds.iloc[-1]
    return True, f"load {loaded:.0f} s, store, features and two epochs {whole - loaded:.0f} s, an epoch {epoch:.1f} s"


if __name__ == "__main__":
    raise SystemExit(main())
