"""A trained network learns one more word from a few recordings of your own (`enroll`).

A network that tells words apart ends in a matrix with a row for each word. Everything before it turns sound into a
vector, and a new word needs only a row of its own: a logistic regression on that vector. The old rows stay as they are,
so the only clips that change are those that now go to the new word (compare Mazumder et al., arXiv 2104.01454).
"""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from ..data.corpus import UNKNOWN
from ..errors import LabError
from ..evaluation.predictions import need_clips, predictions, refuse_training_speakers
from ..metrics import interval
from ..training.augment import Augmentation
from ..training.batches import batches_of

VARIED = Augmentation(shift=0.2, speed=0.1, gain=6.0, noise=0.7, snr_low=0.0, snr_high=25.0)
TIMES = 20  # that each recording is heard, varied anew; other clips are heard once
FEWEST = 3  # recordings


def enroll(run, word, recordings, others):
    """Teach a trained network one more word: a run in memory only, whose `labels` end with the new word.

    `recordings` has clips of `word`, in any part. Its clips of *other* words tell the word from the voice and the
    microphone: without them, whatever you say into yours may be taken for the word. `others` is what else it must not
    be confused with, the training part's clips of other words (old words among them keep these from being forgotten).
    The new row is fitted by logistic regression, as if the new word were as frequent as each old class. The speakers of
    both count as trained on.
    """
    if word in run.labels:
        raise LabError(f"{run.name} knows {word!r} already. Take another word.")
    mine = recordings.clips[recordings.clips.label == word]
    if len(mine) < FEWEST:
        raise LabError(f"There are {len(mine)} recordings of {word!r}. Record it at least {FEWEST} times, better five.")
    beside = recordings.clips[recordings.clips.label != word].assign(split="train")
    mine = recordings.with_clips(mine.assign(split="train"), labels=(word,))
    rest = others.with_clips(others.clips[(others.clips.label != word) & (others.clips.split == "train")])
    need_clips(rest, "train")
    network = copy.deepcopy(run.network)
    name, layer = last_layer(network, len(run.labels))
    network.set_submodule(name, nn.Identity())  # what is left turns sound into the vector that the layer reads
    new, old = _heard(run, network, layer, mine, TIMES), _heard(run, network, layer, rest, 1)
    if len(beside):
        same = _heard(run, network, layer, recordings.with_clips(beside), TIMES)
        old = [torch.cat(pair) for pair in zip(old, same, strict=True)]
    start = run.labels.index(UNKNOWN) if UNKNOWN in run.labels else None
    if start is not None:  # until now the word was unknown: its row begins as that of "unknown"
        new, old = ((x, logits - logits[:, [start]]) for x, logits in (new, old))
    row, bias = fit_row(new, old, fraction=1 / (len(run.labels) + 1))
    if start is not None:
        row, bias = row + layer.weight[start].double().cpu(), bias + layer.bias[start].double().cpu()
    layer.weight = nn.Parameter(torch.cat([layer.weight, row[None].to(layer.weight)]))
    layer.bias = nn.Parameter(torch.cat([layer.bias, bias[None].to(layer.bias)]))
    layer.out_features += 1
    network.set_submodule(name, layer)
    name, speakers = f"{run.name}+{word}", set(mine.clips.speaker)
    learnt = f"learnt from {len(mine)} recordings of {len(speakers)} speaker(s)"
    record = run.record | {
        "id": f"{run.id}+{word}",
        "labels": [*run.labels, word],
        "training_speakers": sorted(
            {*run.record["training_speakers"], *speakers, *beside.speaker, *rest.clips.speaker}
        ),
        "in_words": f"{name}: {run.name} and {word!r}, {learnt}",
    }
    taught = replace(run, folder=run.folder.with_name(name), record=record)
    taught.network = network.eval()
    return taught


def last_layer(network, classes):
    """The linear layer that gives the logits, behind its name in the network."""
    named = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.Linear)]
    if not named or named[-1][1].out_features != classes or named[-1][1].bias is None:
        raise LabError("This network does not end in one linear layer, so a word cannot be added. Take another one.")
    return named[-1]


@torch.no_grad()
def _heard(run, network, layer, corpus, times):
    """What the last layer reads for the training clips of a corpus (clips * times, features), and its logits."""
    clips, vectors = batches_of(corpus, "train", run.experiment.feature, run.device, augmentation=VARIED), []
    for epoch in range(times):
        clips.begin(0, epoch)
        vectors += [network(*clips[index][:2]) for index in clips.batches(256)]
    vectors = torch.cat(vectors)
    return vectors.double().cpu(), layer(vectors).double().cpu()


def fit_row(new, old, fraction, weight_decay=1e-3):
    """The new row w, shape (features,), and its bias b, by logistic regression.

    `new` and `old` are what was heard of the new word and of everything else: vectors x (clips, features) and the old
    rows' logits s (clips, classes). Softmax then gives the new word the probability sigmoid(w x + b - logsumexp(s)).
    `fraction` is the weight of the new word, the rest is that of everything else.
    """
    x, logits = map(torch.cat, zip(new, old, strict=True))
    wanted = (torch.arange(len(x)) < len(new[0])).double()
    weight = torch.where(wanted > 0, fraction / len(new[0]), (1 - fraction) / len(old[0]))
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)  # fitted on a common scale, so that the decay treats all alike
    z, offset = (x - mean) / std, logits.logsumexp(1)
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
    w = row.detach()[:-1] / std
    return w, row.detach()[-1] - w @ mean + offset.mean()


def judge(before, after, corpus, part="test"):
    """What adding a word brought and cost, on voices that nobody trained on.

    `corpus` has clips of the new word and of others. A row for each question with `clips`, `speakers`, `before` and
    `after` (fractions between 0 and 1), and for `after` the 95% interval over speakers, `low` and `high`.
    """
    word, clips = after.labels[-1], corpus.part(part).set_index("path")
    for name, run in (("before", before), ("after", after)):
        # Every clip is asked about, whatever was said: here its label is a place-holder that the run knows.
        blank = corpus.with_clips(corpus.clips.assign(label=run.labels[0]), labels=run.labels)
        clips = clips.join(predictions(run, part, blank).set_index("path").predicted.rename(name), how="inner")
    meant = clips.label.replace(dict(before.experiment.target.classes or ()))
    new = clips.label == word
    known = meant.isin(before.labels) & (meant != UNKNOWN) & ~new
    questions = [f"{word!r} is recognised", "an old word is recognised", f"any other word is taken for {word!r}"]
    asked = pd.Categorical(np.select([new, known], questions[:2], questions[2]), questions)
    clips = clips.assign(label=meant.where(known, word), predicted=clips.after).reset_index()
    rows = {}
    for question, table in clips.groupby(asked, observed=True):
        found = interval([table])
        right = (table.before == table.label).mean()
        rows[question] = {"clips": len(table), "before": right, "after": found["mean"], **found}
    return pd.DataFrame(rows.values(), list(rows), ["clips", "speakers", "before", "after", "low", "high"])


def begin_with(network, experiment, corpus, results):
    """Give a network the weights of the run that its experiment starts from, if any; who trained that run."""
    from .run import Run, read_record  # here, since a run asks for the one that it starts from

    if not experiment.start:
        return []
    folders = [path.parent for path in Path(results).glob(f"*/*-{experiment.start}/run.json")]
    if not folders:
        raise LabError(f"Run {experiment.start}, where training starts, is not in {results}. Train it there first.")
    run = Run(folders[0], read_record(folders[0]))
    mine = (corpus.labels, experiment.model, experiment.feature)
    if (run.labels, run.experiment.model, run.experiment.feature) != mine:
        raise LabError(f"Run {run.id} has other classes, or another model or feature. Start from one of the same.")
    refuse_training_speakers(run, corpus.clips[corpus.clips.split != "train"])
    network.load_state_dict(run.network.state_dict())
    return run.record["training_speakers"]
