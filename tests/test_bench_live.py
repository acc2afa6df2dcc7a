"""`python -m tools.bench live`: what is compared, and what is said."""

import numpy as np
import pytest
from streams import classifier

from labkit.streaming import Detector
from tools.bench import BENCHES, live
from tools.bench.__main__ import main as bench_main


@pytest.fixture
def network(monkeypatch):
    network = classifier()
    monkeypatch.setattr(live, "load", lambda name, device: network)
    return network


def test_bench_live_says_real_time_factor_latency_and_what_keeping_the_state_saves(network, capsys):
    assert "live" in BENCHES
    assert bench_main(["live", "--clips", "100", "--rounds", "1"]) == 0
    out = capsys.readouterr().out
    for words in ("100 blocks of 80 ms", "its state kept", "run again on the last second", "99 of 100 blocks within"):
        assert words in out, words
    assert "times less work" in out and "promised: at most 0.05 and 20 ms" in out


def test_too_few_blocks_have_no_slowest_of_a_hundred(network, capsys):
    assert bench_main(["live", "--clips", "20"]) == 2
    assert "at least a hundred" in capsys.readouterr().err


def test_promises_are_kept_or_not():
    times = {"stream": np.full((3, 200), 0.001), "again": np.full((3, 200), 0.008)}
    lines = live.report(times, 200)
    assert "real-time factor 0.0125 [0.0125 to 0.0125], 99 of 100 blocks within 1.00 ms" in lines[0]
    assert "8.0 times less work" in lines[2] and "ms: kept" in lines[3]
    times["stream"][:, 195:] = 0.03  # three in a hundred are late, and no mean shows it
    assert "NOT KEPT" in live.report(times, 200)[3]
    times["stream"][:] = 0.005
    assert "NOT KEPT" in live.report(times, 200)[3]


def test_the_other_side_thinks_the_same_of_the_same_second(network):
    """At a second, both have heard all there is; where windows end, both answer from the same sound."""
    samples = (0.05 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)
    forgetful, stream = live.Forgetful(network), Detector(network)
    for start in range(0, 16_000, 1280):
        forgetful.push(samples[start : start + 1280])
        stream.push(samples[start : start + 1280])
    assert len(forgetful.times) == 12 and np.allclose(np.diff(forgetful.times), 0.08)
    near = np.abs(stream.times - forgetful.times[-1]).argmin()
    assert np.abs(stream.probabilities[near] - forgetful.probabilities[-1]).max() < 0.2
