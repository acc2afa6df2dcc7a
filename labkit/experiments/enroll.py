"""A word of your own: one more row in the last layer of a trained network, from a few recordings.

A network that tells words apart ends in a matrix with a row for each word. Everything before it turns sound into a
vector, and a new word needs no more than a row of its own: a logistic regression on that vector. The old rows stay as
they are, so among the old words nothing changes but for the clips that now go to the new one (this is how a speaker or
a word is enrolled from few examples; compare Mazumder et al., arXiv 2104.01454).
"""

import copy

import pandas as pd
import torch
from torch import nn

from ..errors import LabError
from ..evaluation.predictions import need_clips, predictions
from ..metrics import speaker_interval
from ..training.augment import Augmentation
from ..training.batches import source

VARIED = Augmentation(shift=0.2, speed=0.1, gain=6.0, noise=0.7, snr_low=0.0, snr_high=25.0)
FEWEST = 3  # recordings


def add_word(run, word, recordings, others, *, varied=VARIED, times=20, share=None, weight_decay=1e-3, seed=0):
    """Teach a trained network one more word: a run in memory only, whose `labels` end with the new word.

    Its row is fitted by logistic regression: the new word against all other sounds, given what the old rows say. The
    speakers of both count as trained on.

    Parameters
    ----------
    recordings, others : Corpus
        Clips of `word`, in any part; and what it must not be confused with, the training part's clips of other words.
        Old words among them are the rehearsal that keeps them.
    varied, times : Augmentation, int
        What changes from one hearing to the next, and how often each recording is heard. Other clips are heard once.
    share : float, optional
        Weight of the new word against everything else, between 0 and 1: the more, the more often it is found, and the
        more often something else is taken for it. By default as if it were as frequent as each old class.
    """
    if word in run.labels:
        raise LabError(f"{run.name} knows {word!r} already. Take another word.")
    mine = recordings.clips[recordings.clips.label == word]
    if len(mine) < FEWEST:
        raise LabError(f"There are {len(mine)} recordings of {word!r}. Record it at least {FEWEST} times, better five.")
    mine = recordings.with_clips(mine.assign(split="train"), labels=(word,))
    rest = others.with_clips(others.clips[(others.clips.label != word) & (others.clips.split == "train")])
    need_clips(rest, "train")
    network = copy.deepcopy(run.network)
    name, layer = last_layer(network, len(run.labels))
    new, new_scores = vectors(run, layer, network, mine, varied, times, seed)
    old, old_scores = vectors(run, layer, network, rest, varied, 1, seed)
    share = 1 / (len(run.labels) + 1) if share is None else share
    row, bias = fit(new, old, new_scores, old_scores, share, weight_decay)
    grown = nn.Linear(layer.in_features, layer.out_features + 1, device=layer.weight.device)
    with torch.no_grad():
        grown.weight.copy_(torch.cat([layer.weight, row[None].to(layer.weight)]))
        grown.bias.copy_(torch.cat([layer.bias, bias[None].to(layer.bias)]))
    network.set_submodule(name, grown)
    speakers = set(mine.clips.speaker)
    return run.with_network(
        network,
        f"{run.name}+{word}",
        id=f"{run.id}+{word}",
        labels=[*run.labels, word],
        training_speakers=sorted({*run.record["training_speakers"], *speakers, *rest.clips.speaker}),
        in_words=f"{run.name}+{word}: {run.name} and {word!r}, learnt from {len(mine)} recordings of "
        f"{len(speakers)} speaker(s)",
    )


def last_layer(network, classes):
    """The linear layer that gives the scores, and its name in the network."""
    named = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.Linear)]
    if not named or named[-1][1].out_features != classes or named[-1][1].bias is None:
        raise LabError("This network does not end in one linear layer, so a word cannot be added. Take another one.")
    return named[-1]


@torch.no_grad()
def vectors(run, layer, network, corpus, varied, times, seed):
    """What the last layer reads for the training clips of a corpus, and what it says: float64, on the CPU."""
    clips = source(corpus, "train", run.experiment.feature, run.device, augmentation=varied)
    seen, scores = [], []
    hook = layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].double().cpu()))
    for epoch in range(times):
        clips.begin(seed, epoch)
        for index in clips.batches(256):
            x, lengths, _ = clips[index]
            scores.append(network(x, lengths).double().cpu())
    hook.remove()
    return torch.cat(seen), torch.cat(scores)  # (clips * times, features), (clips * times, classes)


def fit(new, old, new_scores, old_scores, share, weight_decay):
    """The new row, shape (features,), and its bias, by logistic regression.

    `new` and `old` are vectors (clips, features) of the new word and of everything else, the scores (clips, classes)
    what the old rows say. With these scores s fixed, softmax gives the new word the probability
    sigmoid(w x + b - logsumexp(s)).
    """
    x = torch.cat([new, old])
    offset = torch.cat([new_scores, old_scores]).logsumexp(1)
    wanted = torch.cat([torch.ones(len(new)), torch.zeros(len(old))]).double()
    weight = torch.where(wanted > 0, share / len(new), (1 - share) / len(old))
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)  # fitted on a common scale, so that the decay treats all alike
    z = (x - mean) / std
    row = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([row], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        logit = z @ row[:-1] + row[-1] - (offset - offset.mean())
        value = nn.functional.binary_cross_entropy_with_logits(logit, wanted, weight, reduction="sum")
        value = value + weight_decay / 2 * row[:-1].square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    found = row.detach()
    w = found[:-1] / std
    return w, found[-1] - w @ mean + offset.mean()


def judge(before, after, corpus, part="test"):
    """What adding a word brought and cost, on voices that nobody trained on.

    `corpus` has clips of the new word and of others. A row for each question with `clips`, `speakers`, `before` and
    `after` (fractions between 0 and 1), and for `after` the 95% interval over speakers, `low` and `high`.
    """
    word = after.labels[-1]
    clips = corpus.part(part).set_index("path")
    for name, run in (("before", before), ("after", after)):
        # Every clip is asked about, whatever was said: here its label is a place-holder that the run knows.
        blank = corpus.with_clips(corpus.clips.assign(label=run.labels[0]), labels=run.labels)
        clips = clips.join(predictions(run, part, blank).set_index("path").predicted.rename(name), how="inner")
    meant = clips.label.replace(dict(before.experiment.target.classes or ()))
    new = clips.label == word
    known = meant.isin(before.words) & ~new
    questions = {
        f"{word!r} is recognised": (new, word),
        "an old word is recognised": (known, meant),
        f"any other word is taken for {word!r}": (~new & ~known, word),
    }
    rows = {}
    for question, (asked, answer) in questions.items():
        if asked.any():
            table = clips.assign(label=answer, predicted=clips.after)[asked].reset_index()
            interval = speaker_interval([table])
            rows[question] = {
                "clips": len(table),
                "speakers": interval["speakers"],
                "before": (table.before == table.label).mean(),
                "after": interval["mean"],
                "low": interval["low"],
                "high": interval["high"],
            }
    return pd.DataFrame.from_dict(rows, orient="index")
