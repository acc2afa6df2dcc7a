"""The self-checks of 02: several right answers pass, wrong ones are told why."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from labkit.checks.resultados_1 import check_leak, check_reach, check_readout
from labkit.models.rnn import both_ends, last_frame, max_frames, mean_frames


def run(trained, tested):
    """A record as far as the check looks at it."""
    table = pd.DataFrame({"speaker": tested})
    return SimpleNamespace(record={"training_speakers": trained}, predictions=lambda part: table)


CASES = {
    "A": [run(["ana", "ben", "cem"], ["ben", "dea"]), run(["ana", "ben", "cem"], ["cem", "dea"])],
    "B": [run(["ana", "ben"], ["cem", "dea"])],
}


def test_the_leak_is_found_with_its_witnesses(capsys):
    for witnesses in (["ben"], {"ben", "cem"}, pd.Series(["cem"]), np.array(["ben"])):
        assert check_leak(CASES, "A", witnesses)
    assert capsys.readouterr().out.count("Right.") == 4


@pytest.mark.parametrize(
    ("suspect", "witnesses", "words"),
    [
        ("C", [], "which of ['A', 'B']"),
        ("A", "ben", "a list of speakers"),
        ("A", None, "a list of speakers"),
        ("A", [], "a suspicion is no proof"),
        ("A", ["eve"], "'eve' is neither trained on nor tested in 'A'"),
        ("A", ["ben", "ana"], "ana is trained on only"),
        ("A", ["dea"], "dea is tested only"),
        ("B", ["ana"], "nobody who was trained on is tested. Look at the other one"),
    ],
)
def test_a_wrong_suspicion_is_told_why(suspect, witnesses, words, capsys):
    assert not check_leak(CASES, suspect, witnesses)
    assert words in capsys.readouterr().out


def test_thirteen_frames_are_right_however_they_are_computed(capsys):
    exact = math.log(1e-3) / math.log(0.577)
    for predict in (lambda hop: 13 * hop, lambda hop: exact * hop, lambda hop: torch.tensor(13.0 * hop)):
        assert check_reach(predict)
    for predict, words in (
        (lambda hop: 40, "4.0 frames"),
        (lambda hop: 13, "1.3 frames"),
        (lambda hop: "long", "should be a number, not 'long'"),
        (lambda hop: None, "should be a number, not None"),
        (lambda hop: 1 / 0, "ZeroDivisionError"),
    ):
        assert not check_reach(predict)
        assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    "readout",
    [
        both_ends,
        mean_frames,
        max_frames,
        lambda outputs, lengths: torch.cat([mean_frames(outputs, lengths), both_ends(outputs, lengths)], dim=1),
        lambda outputs, lengths: torch.stack([outputs[n, : lengths[n]].sum(0) for n in range(len(outputs))]),
    ],
)
def test_readouts_that_hear_all_of_the_clip_pass(readout):
    assert check_readout(readout)


@pytest.mark.parametrize(
    ("readout", "words"),
    [
        (last_frame, "the backward half has not heard the first frame yet"),
        (lambda outputs, lengths: outputs[:, 0], "the forward half has not heard the last frame yet"),
        (lambda outputs, lengths: outputs[:, -1], "frames beyond the clip's end"),
        (lambda outputs, lengths: outputs.mean(1), "frames beyond the clip's end"),
        (
            lambda outputs, lengths: last_frame(outputs, lengths)[:, :5],
            "the backward half, outputs[..., 5:], has no part",
        ),
        (lambda outputs, lengths: outputs, "shape (2, something), not (2, 9, 10)"),
        (lambda outputs, lengths: None, "not NoneType"),
        (lambda outputs, lengths: torch.zeros(2, 3), "does not depend on the outputs"),
        (lambda outputs: outputs, "readout on outputs of shape (2, 9, 10) fails: TypeError"),
    ],
)
def test_readouts_that_do_not_are_told_why(readout, words, capsys):
    assert not check_readout(readout)
    assert words in capsys.readouterr().out
