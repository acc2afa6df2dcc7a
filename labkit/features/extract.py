"""Computing spectrograms, mel bands, cepstral coefficients and their slopes, for whole batches."""

import math
import warnings

import torch
from torch import nn

from ..errors import LabError, LabWarning


class SpectralExtractor(nn.Module):
    """Computes a `Spectral` feature: `extractor(waveforms, lengths)` gives (x, lengths)."""

    def __init__(self, feature):
        super().__init__()
        self.feature = feature
        self.cepstrum = hasattr(feature, "n_mfcc")
        window = torch.hann_window(feature.window, periodic=True, dtype=torch.float64).float()
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", mel_filters(feature) if feature.mel else None, persistent=False)
        self.before = feature.fft // 2 - (feature.fft - feature.window) // 2  # samples of a window before its time
        if self.cepstrum:
            import torchaudio.functional as F

            self.register_buffer("dct", F.create_dct(feature.n_mfcc, feature.n_mels, norm="ortho"), persistent=False)

    def forward(self, waveforms, lengths):
        feature = self.feature
        waveforms, _, lengths = feature.fit(waveforms, lengths)  # (batch, samples)
        samples, window = waveforms.shape[1], feature.window
        if samples < feature.shortest:
            needs = f"a window of {window} ({feature.window_ms:g} ms at {feature.sample_rate} Hz)"
            raise LabError(f"A clip of {samples} samples is shorter than {needs}. Leave it out, or shorten window_ms.")
        # Frame t is centred on sample t * hop. The zeros around fill a batch, too: a clip alone gets the same.
        count = feature.steps(samples)
        after = (count - 1) * feature.hop + window - self.before - samples
        padded = nn.functional.pad(waveforms, (self.before, max(after, 0)))
        mel = self.spectrum(padded.unfold(1, window, feature.hop)[:, :count])  # (batch, frames, frequencies)
        if feature.mel:
            mel = mel @ self.filters  # (batch, frames, bands)
        lengths = feature.steps(lengths)  # frames centred inside the clip
        mask = (torch.arange(count, device=mel.device) < lengths[:, None])[..., None]  # (batch, frames, 1)
        mel = self.logarithm(mel, mask)
        if feature.clip_mean:
            mel = mel - (mel * mask).sum(1, keepdim=True) / lengths[:, None, None]
        if self.cepstrum:
            blocks = [mel @ self.dct]  # (batch, frames, coefficients)
            for _ in range(feature.deltas):
                blocks.append(delta(blocks[-1], lengths, feature.delta_width))
            return torch.cat(blocks, dim=-1) * mask, lengths  # (batch, frames, features)
        mel = torch.where(mask, mel, self.silence)  # in dB, 0 would be loud
        return (mel.transpose(1, 2)[:, None] if feature.time_axis == 3 else mel), lengths  # (batch, 1, bands, frames)

    @property
    def silence(self):
        """The feature's value where there is no sound."""
        if self.cepstrum or self.feature.clip_mean or self.feature.log == "none":
            return 0.0
        return math.log(self.feature.floor) if self.feature.log == "ln" else 10 * math.log10(self.feature.floor)

    def spectrum(self, frames):
        """Power spectrum |STFT|^2: from (batch, frames, window) to (batch, frames, frequencies)."""
        real, imaginary = torch.view_as_real(torch.fft.rfft(frames * self.window, n=self.feature.fft)).unbind(-1)
        return torch.addcmul(real * real, imaginary, imaginary)

    def logarithm(self, mel, mask):
        """The feature's `log`, `floor` and `top_db`; `mask`, (batch, frames, 1), says which frames are of the clip."""
        if self.feature.log == "none":
            return mel
        level = mel.clamp(min=self.feature.floor).log()
        if self.feature.log == "db":
            level = level * (10 / math.log(10))
        if self.feature.top_db is not None:
            loudest = level.masked_fill(~mask, -math.inf).amax(dim=(1, 2), keepdim=True)
            level = torch.maximum(level, loudest - self.feature.top_db)
        return level


def mel_filters(feature):
    """Triangular mel filters, shape (frequencies, bands); warns of bands so narrow that no frequency falls in."""
    from torchaudio.functional import melscale_fbanks

    bands, rate, scale = feature.n_mels, feature.filter_rate, (feature.mel_norm, feature.mel_scale)

    def make(count):
        return melscale_fbanks(feature.fft // 2 + 1, feature.f_min, feature.top, count, rate, *scale)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchaudio's own warning does not say what would work
        filters = make(bands)
        works = next((count for count in range(bands, 0, -1) if make(count).amax(0).all()), 0)
    if empty := int((filters.amax(0) == 0).sum()):
        about = f"{empty} of {bands} mel bands are empty: n_fft {feature.fft} at {rate} Hz is too coarse for them."
        warnings.warn(f"{about} At most {works} bands work; or take a longer n_fft.", LabWarning, stacklevel=3)
    return filters


def delta(x, lengths, width=7):
    """Slope over time by linear regression over `width` frames (HTK book, eq. 5.16): x is (batch, frames, features).

    At the edges the first and the last valid frame are repeated, whatever the padding holds. Delta-deltas are this
    function applied twice, which is not librosa's `order=2`.
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
