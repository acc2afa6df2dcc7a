"""How fast WAV files become MFCCs with deltas: librosa clip by clip, against labkit from files and from the store."""

import itertools
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from labkit.data import find
from labkit.data.audio import SCALE, decode, read_audio
from labkit.data.store import open_store
from labkit.features import MFCC
from tools.bench import ratio, take_turns

SETTINGS = {
    "R1's n_fft of 2048": MFCC(window_ms=40, hop_ms=20, n_fft=2048, normalise=False),
    "the lab's own (n_fft 640)": MFCC(window_ms=40, hop_ms=20, normalise=False),
}
BATCH = 64  # larger ones leave the cache


def main(args):
    corpus = find("speech_commands", args.data, "lab")
    corpus = corpus.with_clips(corpus.clips.head(args.clips))
    print(f"{len(corpus):,} clips of {corpus.name}, {torch.get_num_threads()} threads, {args.rounds} rounds in turns")
    for name, feature in SETTINGS.items():
        with tempfile.TemporaryDirectory(prefix="labkit-bench-", ignore_cleanup_errors=True) as folder:
            sides = _sides(corpus, feature, Path(folder))
            with torch.no_grad():
                times = take_turns(sides, args.rounds)
        print(
            f"\n{name}: window {feature.window}, hop {feature.hop}, {feature.n_mels} bands, 13 + deltas + delta-deltas"
        )
        for side, seconds in times.items():
            middle, low, high = ratio(times, "librosa, clip by clip", side)
            speed = len(corpus) / np.median(seconds)
            print(f"  {side:<24} {speed:8,.0f} clips/s  {middle:5.1f} times librosa [{low:.1f} to {high:.1f}]")
    return 0


def _sides(corpus, feature, folder):
    """The functions to compare: each goes once from the clips of the corpus to their features."""
    numbers = itertools.count()
    os.environ["LABKIT_CACHE"] = str(folder / "built")
    built, extract = open_store(corpus, feature.sample_rate, progress=False), feature.build()
    _check_equal(corpus.root / corpus.clips.path[0], feature, extract)

    def batched(waveforms, lengths):
        extract(torch.from_numpy(waveforms).float().div_(SCALE), torch.from_numpy(lengths))

    def from_store(store=built):
        for start in range(0, len(corpus), BATCH):
            batched(*store.rows(np.arange(start, min(start + BATCH, len(corpus))), feature.samples))

    def from_files():
        clips = decode(corpus.root, list(corpus.clips.path), feature.sample_rate)
        while some := list(itertools.islice(clips, BATCH)):
            waveforms = np.zeros((len(some), feature.samples), np.int16)
            for row, (samples, *_) in zip(waveforms, some, strict=True):
                row[: len(samples)] = samples[: feature.samples]
            batched(waveforms, np.array([min(len(samples), feature.samples) for samples, *_ in some]))

    def first_time():
        os.environ["LABKIT_CACHE"] = str(folder / f"fresh{next(numbers)}")
        from_store(open_store(corpus, feature.sample_rate, progress=False))

    def clip_by_clip():
        for path in corpus.clips.path:
            _librosa(corpus.root / path, feature)

    return {
        "librosa, clip by clip": clip_by_clip,
        "labkit, from files": from_files,
        "... building the store": first_time,
        "labkit, from the store": from_store,
    }


def _librosa(path, feature):
    """One clip as the reference notebooks do it, with the same settings as ours; shape (39, frames)."""
    import librosa

    samples, _ = librosa.load(path, sr=feature.sample_rate)
    samples = librosa.util.fix_length(samples, size=feature.samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mel = librosa.feature.melspectrogram(
            y=samples,
            sr=feature.sample_rate,
            n_fft=feature.fft,
            win_length=feature.window,
            hop_length=feature.hop,
            n_mels=feature.n_mels,
            htk=feature.mel_scale == "htk",
            norm=feature.mel_norm,
        )
    level = librosa.power_to_db(mel, amin=feature.floor, top_db=None)
    mfcc = librosa.feature.mfcc(S=level, n_mfcc=feature.n_mfcc)
    first = librosa.feature.delta(mfcc, width=7, mode="nearest")
    return np.concatenate([mfcc, first, librosa.feature.delta(first, width=7, mode="nearest")])


def _check_equal(path, feature, extract):
    """A comparison of speeds is worth something only if both sides compute the same."""
    samples = torch.from_numpy(read_audio(path, 16_000)[0])[None]
    ours = extract(samples, torch.tensor([feature.samples]))[0][0].T.numpy()
    difference = np.abs(ours - _librosa(path, feature)).max()
    assert difference < 1e-2, f"the two sides differ by {difference} dB"
