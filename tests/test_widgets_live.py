"""The live panel without a browser: blocks of sound in, words out, and what it says when the stream misbehaves."""

import io

import numpy as np
import pandas as pd
import pytest
import soundfile
from ears import RATE, classifier, stream
from PIL import Image

import labkit
from labkit.errors import LabError
from labkit.plots import STAMP
from labkit.streaming import Decision, detect
from labkit.widgets import LivePanel
from labkit.widgets.listening import PROBLEMS

pytest_plugins = ["tiny"]
BLOCK = 1280  # samples: 80 ms


@pytest.fixture
def lab(made, own_folders):
    return labkit.start("panels", data=made, device="cpu")


@pytest.fixture
def panel(lab, request):
    """A panel whose messages to the browser are kept in `panel.sent`."""
    drawn = (
        test_spoken_words_are_shown_with_their_times_while_the_stream_runs,
        test_a_recording_of_synthetic_voices_is_stamped,
    )
    if request.function not in drawn:
        request.getfixturevalue("unseen")
    panel = LivePanel(lab, classifier())
    panel.sent = []
    panel.microphone.send = lambda content, buffers=None: panel.sent.append(content)
    return panel


def int16(samples):
    return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")


def block(panel, samples, start, sample_rate=RATE, session="one"):
    content = {"kind": "block", "session": session, "sample_rate": sample_rate, "start": start}
    panel.receive(content, [memoryview(int16(samples).tobytes())])


def speak(panel, samples, size=BLOCK, sample_rate=RATE, session="one", stop=True):
    """What the browser sends for this sound."""
    panel.receive({"kind": "start", "session": session, "sample_rate": sample_rate})
    for start in range(0, len(samples), size):
        block(panel, samples[start : start + size], start, sample_rate, session)
    if stop:
        panel.receive({"kind": "stop", "session": session, "sample_rate": sample_rate})


def said(words):
    return [word.word for word in words]


def test_spoken_words_are_shown_with_their_times_while_the_stream_runs(panel):
    sound = stream("low", "high")
    speak(panel, sound, stop=False)
    assert said(panel.words) == ["low", "high"] and panel.said == "Listening."
    shown = panel.microphone.heard
    assert [(word["number"], word["word"]) for word in shown] == [(0, "low"), (1, "high")]
    assert 0.7 < shown[0]["reported"] < 1.7 < shown[1]["reported"] < 3.0 and 0.6 <= shown[0]["confidence"] <= 1
    panel.receive({"kind": "stop", "session": "one", "sample_rate": RATE})
    assert "2 words reported: low" in panel.said and "A block took" in panel.said
    assert "low at" in panel.alt and Image.open(io.BytesIO(panel.still()[0])).size[0] > 700


@pytest.mark.slow
@pytest.mark.parametrize("size", [999, BLOCK, 10 * RATE])
def test_the_words_do_not_depend_on_how_the_sound_is_cut(panel, size):
    sound = stream("low", "high", "low")
    expected, _, probabilities = detect(classifier(), int16(sound), RATE)
    speak(panel, sound, size)
    assert panel.words == expected and len(expected) == 3
    assert np.abs(panel.detector.probabilities - probabilities).max() < 1e-5
    assert said(panel.play(sound, RATE)) == said(expected)


def test_each_block_is_answered_with_the_number_of_the_next_sample(panel):
    speak(panel, stream("low"), stop=False)
    answers = [content for content in panel.sent if content["kind"] == "heard"]
    assert [answer["upto"] for answer in answers[:3]] == [BLOCK, 2 * BLOCK, 3 * BLOCK]
    assert max(share for answer in answers for _, share in answer["steps"]) >= 0.6
    levels = [answer["level"] for answer in answers]
    assert min(levels) >= -60 and -20 < max(levels) <= 0


def test_a_microphone_of_another_rate_is_heard_the_same(panel):
    speak(panel, labkit.resample(stream("low", "high"), RATE, 48_000), 3840, 48_000)
    assert said(panel.words) == ["low", "high"] and panel.detector.problems == []


def test_sound_that_was_left_out_is_named_and_the_stream_goes_on(panel):
    sound = stream("low", "high", "low")
    panel.receive({"kind": "start", "session": "one", "sample_rate": RATE})
    gap = slice(round(1.2 * RATE), round(2.4 * RATE))  # the second word
    for start in range(0, len(sound), 1600):
        if not gap.start <= start < gap.stop:
            block(panel, sound[start : start + 1600], start)
    assert "the stream stopped for 1.2 s" in panel.said and "Note:" in panel.message.value
    panel.receive({"kind": "stop", "session": "one"})
    assert said(panel.words)[-1] == "low" and panel.words[-1].reported > 3 and "high" not in said(panel.words)
    assert "the stream stopped" in panel.said and f"{len(sound) / RATE:.0f} s" in panel.alt


def test_a_block_that_cannot_be_heard_is_a_message_and_the_next_ones_are_heard(panel):
    sound = stream("low")
    panel.receive({"kind": "start", "session": "one", "sample_rate": RATE})
    block(panel, sound[:BLOCK], 0, sample_rate=3)
    assert "cannot be" in panel.said
    for start in range(0, len(sound), BLOCK):
        block(panel, sound[start : start + BLOCK], start)
    assert said(panel.words) == ["low"]


def test_a_start_forgets_what_was_heard_before(panel):
    speak(panel, stream("low"))
    panel.receive({"kind": "start", "session": "two"})
    assert panel.words == [] and panel.microphone.heard == [] and panel.detector.seconds == 0
    assert {"kind": "clear"} in panel.sent


def test_of_two_views_the_newer_one_speaks(panel):
    speak(panel, stream("low"), session="one", stop=False)
    panel.receive({"kind": "start", "session": "two"})
    assert {"kind": "end", "session": "one"} in panel.sent
    block(panel, stream("high"), 0, session="one")
    assert panel.words == [] and panel.sent[-1] == {"kind": "end", "session": "one"}


def test_a_stop_without_a_sound_is_no_error(panel):
    speak(panel, np.zeros(0))
    assert "0.0 s heard, 0 words reported." in panel.said and "nothing was heard" in panel.alt
    assert panel.play(np.zeros(0), RATE) == []


@pytest.mark.parametrize("name", [*PROBLEMS, "AbortError"])
def test_what_the_browser_refuses_is_a_message_that_says_what_to_do(panel, name):
    panel.receive({"kind": "problem", "name": name, "message": "no"})
    assert "Start again" in panel.said or "in a browser" in panel.said
    assert "Note:" in panel.message.value


def test_a_page_in_the_background_is_named(panel):
    speak(panel, stream("low"), stop=False)
    panel.receive({"kind": "hidden", "session": "one"})
    assert "background" in panel.said
    panel.receive({"kind": "visible", "session": "one"})
    assert panel.said == "Listening."


def test_another_decision_judges_a_recording_again_and_words_to_come(panel):
    sound = stream("low", "high")
    assert len(panel.play(sound, RATE)) == 2
    options = dict(panel.controls["allowed"].options)
    assert panel.controls["allowed"].description == "threshold", "nobody measured its false alarms"
    panel.controls["allowed"].value = options["0.99"]
    assert panel.words == [] and "0 words" in panel.said and panel.microphone.threshold == 0.99
    assert panel.microphone.heard == []
    speak(panel, sound)
    assert panel.words == []
    panel.controls["allowed"].value = options["0.6 (given)"]
    assert said(panel.words) == ["low", "high"] and len(panel.microphone.heard) == 2


def test_the_slider_counts_in_false_alarms_an_hour_where_they_were_measured(lab):
    run = classifier()
    rows = [{"budget": budget, "decision": {"threshold": threshold}} for budget, threshold in ((0.5, 1.01), (2, 0.6))]
    run.record |= {"budgets": rows, "decision": rows[1]["decision"]}
    panel = LivePanel(lab, run)
    slider = panel.controls["allowed"]
    assert slider.description == "false alarms" and [name for name, _ in slider.options] == ["0.5 an hour", "2 an hour"]
    assert slider.label == "2 an hour" and panel.detector.decision.threshold == 0.6
    assert len(panel.play(stream("low", "high"), RATE)) == 2
    slider.index = 0
    assert panel.words == [] and panel.detector.decision.threshold == 1.01 and panel.microphone.threshold == 1.0


def test_a_shipped_detector_allows_what_it_was_chosen_for(lab):
    detector = LivePanel(lab).detector
    assert detector.decision == Decision.budgets(detector.run)[2] and detector.second is None


def test_a_shipped_detector_comes_with_its_second_network(lab, monkeypatch):
    run, other = classifier(), classifier()
    run.record |= {"second": "other"}
    monkeypatch.setattr("labkit.widgets.live_panel.pretrained.load", lambda name: {"one": run, "other": other}[name])
    assert LivePanel(lab, "one").detector.second is other


def upload(panel, name, content):
    about = {"type": "audio/wav", "last_modified": pd.Timestamp.now(tz="UTC").to_pydatetime()}
    panel.controls["upload"].value = [{"name": name, "size": len(content), "content": content, **about}]


def sound_file(samples, sample_rate, kind="WAV"):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format=kind)
    return buffer.getvalue()


def test_a_file_is_heard_as_the_microphone_is(panel):
    sound = labkit.resample(stream("low", "high"), RATE, 48_000)
    upload(panel, "two.flac", sound_file(np.stack([sound, sound], axis=1), 48_000, "FLAC"))
    assert said(panel.words) == ["low", "high"] and "2 words reported" in panel.said
    assert panel.controls["upload"].value == ()


def test_a_file_ends_the_listening(panel):
    speak(panel, stream("low"), stop=False)
    upload(panel, "high.wav", sound_file(stream("high"), RATE))
    assert {"kind": "end", "session": "one"} in panel.sent
    block(panel, stream("low"), 0)
    assert said(panel.words) == ["high"] and "1 words reported: high" in panel.said


@pytest.mark.parametrize(
    "content, words",
    [
        (b"RIFF no sound", "x.wav: it cannot be read"),
        (sound_file(np.zeros(0), RATE), "x.wav: it holds no samples"),
        (sound_file(np.zeros(601 * 100), 100), "x.wav: it lasts 601 s, and 600 s is the most here"),
    ],
)
def test_a_file_that_cannot_be_heard_is_a_message(panel, content, words):
    speak(panel, stream("low"))
    upload(panel, "x.wav", content)
    assert words in panel.said and said(panel.words) == ["low"], "what was heard before stays"


def test_a_long_recording_shows_its_last_half_minute(panel):
    panel.play(np.concatenate([np.zeros(40 * RATE), stream("low")]), RATE)
    assert said(panel.words) == ["low"] and "last 30 s" in panel.alt and panel.words[0].reported > 40


def test_a_recording_of_synthetic_voices_is_stamped(panel):
    def stamps():
        return [text.get_text() for text in panel.figure.texts]

    panel.play(stream("low"), RATE, synthetic=True)
    assert STAMP in stamps()
    speak(panel, stream("low"))
    assert STAMP not in stamps()


def test_a_panel_takes_a_shipped_network_by_its_name(lab):
    with pytest.raises(LabError, match="pretrained network"):
        LivePanel(lab, "no-words")
    panel = LivePanel(lab, "eight-words")
    assert panel.detector.labels and "It knows:" in panel.said and "unknown" not in panel.said
    data, about = panel._repr_mimebundle_()
    assert data["image/png"] and about["image/png"]["alt"] == "Empty: nothing was heard yet"
