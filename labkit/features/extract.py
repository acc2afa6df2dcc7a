"""Computing spectrograms, mel bands, cepstral coefficients and their slopes, for whole batches."""

import math
import warnings

import torch
from torch import nn

from ..errors import LabError, LabWarning


class SpectralExtractor(nn.Module):
    """Computes a `Spectral` feature: `extractor(waveforms, lengths) -> (x, lengths)`.

    Parameters
    ----------
    feature : Spectral

    Notes
    -----
    The zeros that centre the first and the last frame are the same zeros that fill a batch, so a clip alone and a clip
    in a batch get the same frames.
    """

    def __init__(self, feature):
        super().__init__()
        self.feature = feature
        window = torch.hann_window(feature.window, periodic=True, dtype=torch.float64)
        self.register_buffer("window", window.float(), persistent=False)
        filters = mel_filters(feature) if feature.mel else None  # (frequencies, bands)
        self.register_buffer("filters", filters, persistent=False)
        self.cepstrum = hasattr(feature, "n_mfcc")
        if self.cepstrum:
            import torchaudio.functional as F

            self.register_buffer("dct", F.create_dct(feature.n_mfcc, feature.n_mels, norm="ortho"), persistent=False)

    def forward(self, waveforms, lengths):
        feature = self.feature
        waveforms, lengths = feature.fit(waveforms, lengths)  # (batch, samples)
        if waveforms.shape[1] < feature.shortest:
            raise LabError(
                f"A clip of {waveforms.shape[1]} samples is shorter than a window of {feature.window} "
                f"({feature.window_ms:g} ms at {feature.sample_rate} Hz). Take a longer clip, or shorten window_ms."
            )
        mel = self.power(waveforms)  # (batch, frames, frequencies)
        if feature.mel:
            mel = mel @ self.filters  # (batch, frames, bands)
        lengths = feature.steps(lengths)  # frames centred inside the clip
        mask = torch.arange(mel.shape[1], device=mel.device) < lengths[:, None]  # (batch, frames)
        mel = self.logarithm(mel, mask)
        if feature.clip_mean:
            mel = mel - (mel * mask[..., None]).sum(1, keepdim=True) / lengths[:, None, None]
        if not self.cepstrum:
            mel = torch.where(mask[..., None], mel, self.silence)  # in dB, 0 would be a loud picture
            picture = feature.time_axis == 3
            return (mel.transpose(1, 2)[:, None] if picture else mel), lengths  # (batch, 1, bands, frames)
        blocks = [mel @ self.dct]  # (batch, frames, coefficients)
        for _ in range(feature.deltas):
            blocks.append(delta(blocks[-1], lengths, feature.delta_width))
        return torch.cat(blocks, dim=-1) * mask[..., None], lengths  # (batch, frames, features)

    @property
    def silence(self):
        """What the feature shows where there is no sound."""
        if self.cepstrum or self.feature.clip_mean:
            return 0.0
        floor = {"db": 10 * math.log10(self.feature.floor), "ln": math.log(self.feature.floor), "none": 0.0}
        return floor[self.feature.log]

    def power(self, waveforms):
        """|STFT|^2, shape (batch, frames, frequencies)."""
        feature = self.feature
        # Frame t is centred on sample t * hop. torch.stft gives the same; cutting frames ourselves leaves them in the
        # order that the mel product wants, and a window shorter than the transform needs no zeros around it.
        count = feature.steps(waveforms.shape[1])
        after = (count - 1) * feature.hop + feature.window - self.before - waveforms.shape[1]
        padded = nn.functional.pad(waveforms, (self.before, max(after, 0)))
        frames = padded.unfold(1, feature.window, feature.hop)[:, :count]  # (batch, frames, window), a view
        return self.spectrum(frames)

    @property
    def before(self):
        """Samples of a frame's window that lie before its time."""
        return self.feature.fft // 2 - (self.feature.fft - self.feature.window) // 2

    def spectrum(self, frames):
        """Power spectrum of frames of samples: from (batch, frames, window) to (batch, frames, frequencies)."""
        real, imaginary = torch.view_as_real(torch.fft.rfft(frames * self.window, n=self.feature.fft)).unbind(-1)
        return torch.addcmul(real * real, imaginary, imaginary)

    def logarithm(self, mel, mask):
        if self.feature.log == "none":
            return mel
        level = mel.clamp(min=self.feature.floor).log()
        level = level * (10 / math.log(10)) if self.feature.log == "db" else level
        if self.feature.top_db is not None:
            loudest = level.masked_fill(~mask[..., None], -math.inf).amax(dim=(1, 2), keepdim=True)
            level = torch.maximum(level, loudest - self.feature.top_db)
        return level


def mel_filters(feature):
    """Triangular mel filters, shape (frequencies, bands); warns of bands so narrow that no frequency falls in."""
    import torchaudio.functional as F

    def make(bands):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchaudio's own warning does not say what would work
            return F.melscale_fbanks(
                feature.fft // 2 + 1,
                feature.f_min,
                feature.top,
                bands,
                feature.filter_rate,
                feature.mel_norm,
                feature.mel_scale,
            )

    filters = make(feature.n_mels)
    if empty := int((filters.amax(0) == 0).sum()):
        works = next((bands for bands in range(feature.n_mels, 0, -1) if (make(bands).amax(0) > 0).all()), 0)
        warnings.warn(
            f"{empty} of {feature.n_mels} mel bands are empty: n_fft {feature.fft} at {feature.filter_rate} Hz is too "
            f"coarse for them. At most {works} bands work; or take a longer n_fft.",
            LabWarning,
            stacklevel=3,
        )
    return filters


def delta(x, lengths, width=7):
    """Slope over time by linear regression, edge frames repeated (HTK book, eq. 5.16).

    Parameters
    ----------
    x : torch.Tensor
        Shape (batch, frames, features).
    lengths : torch.Tensor
        Shape (batch,): valid frames; the last valid one is repeated, whatever the padding holds.
    width : int
        Odd number of frames.

    Returns
    -------
    torch.Tensor
        As `x`. Delta-deltas are this function applied twice, which is not librosa's `order=2`.
    """
    half, frames = width // 2, x.shape[1]
    last = (lengths - 1).clamp(min=0)
    index = torch.arange(-half, frames + half, device=x.device).clamp(min=0)
    index = torch.minimum(index, last[:, None])  # (batch, frames + 2 half)
    x = x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))
    slope = 0
    for n in range(1, half + 1):
        slope = slope + n * (x[:, half + n : half + n + frames] - x[:, half - n : half - n + frames])
    return slope / (2 * sum(n * n for n in range(1, half + 1)))
