"""A trained network on changed sound: noise, level, another microphone, bands taken away.

Claims such as "quality and environment do not matter" become an experiment: change the test clips, not the network.
"""

import math

import torch

from ..data.store import open_store
from ..errors import LabError
from ..training.batches import source
from ..training.loop import predict
from .evaluate import graded, need_clips, own_corpus, refuse_training_speakers


def listen(run, part="test", *, augmentation=None, sound=None, picture=None):
    """Predictions of a run on clips that were changed first.

    Parameters
    ----------
    run : Run
        With its corpus and its weights.
    part : str
    augmentation : Augmentation, optional
        What is drawn for each clip, such as `Augmentation(noise=1.0, snr_low=10.0, snr_high=10.0)`; the same in every
        call.
    sound : callable, optional
        From waveforms (batch, samples), float32, and their rate in Hz to changed ones: `level`, `band`.
    picture : callable, optional
        From features, as the experiment shapes them, to changed ones: `without_bands`.

    Returns
    -------
    tuple of (pandas.DataFrame, dict)
        Predictions per clip (`path`, `speaker`, `label`, `predicted`) and scores, as a test has them.
    """
    corpus = own_corpus(run)
    store = open_store(corpus, run.experiment.feature.sample_rate)
    corpus = corpus.without(store.problems)
    need_clips(corpus, part)
    refuse_training_speakers(run, corpus.part(part))
    clips = source(corpus, part, run.experiment.feature, run.device, 0, store, augmentation)
    clips.begin(0, 1)
    extract = clips.extract

    def changed(waveforms, lengths):
        if sound is not None:
            waveforms = sound(waveforms, run.experiment.feature.sample_rate)
        x, lengths = extract(waveforms, lengths)
        return (x if picture is None else picture(x)), lengths

    clips.extract = changed
    guess = predict(run.network, clips, run.experiment.recipe)[0].argmax(1).cpu().numpy()
    table = corpus.part(part)[["path", "speaker", "label"]]
    table = table.assign(predicted=[run.labels[number] for number in guess])
    return table, graded(run, clips, guess)


def level(db):
    """Louder or softer by so many dB; what goes beyond full scale is cut off, as a microphone would."""
    return lambda waveforms, rate: (waveforms * 10 ** (db / 20)).clamp(-1, 1)


def band(low, high, edge=0.2):
    """What a microphone or a line between `low` and `high` Hz lets through.

    Parameters
    ----------
    low, high : float
        Half of the amplitude is left there.
    edge : float
        Width of both slopes in octaves.
    """
    if not 0 < low < high or edge <= 0:
        raise LabError(f"low={low}, high={high}, edge={edge}: 0 < low < high, edge above 0. Change these.")

    def sound(waveforms, rate):
        samples = waveforms.shape[1]
        hertz = torch.fft.rfftfreq(2 * samples, 1 / rate, device=waveforms.device).clamp(min=1e-3)
        inside = torch.minimum((hertz / low).log2(), (high / hertz).log2())  # octaves from the nearer edge
        gain = 0.5 + 0.5 * torch.sin((inside / edge).clamp(-1, 1) * (math.pi / 2))
        return torch.fft.irfft(torch.fft.rfft(waveforms, 2 * samples) * gain)[:, :samples]

    return sound


def without_bands(run, first, last):
    """Pictures whose mel bands from `first` up to `last` (not included) show their mean over the training part."""
    if not run.experiment.feature.normalise:
        raise LabError("The mean of a band is known where the feature is normalised. Set normalise=True.")
    mean = run.network.front.mean  # (1, bands, 1)

    def picture(x):  # (batch, 1, bands, frames)
        x = x.clone()
        x[:, :, first:last] = mean[:, first:last]
        return x

    return picture
