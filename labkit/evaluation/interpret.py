"""Looking into a network: what its last layer reads."""

import torch

from ..training.batches import batches_of


@torch.no_grad()
def last_layer(run, part="test"):
    """What the last layer of a run's network reads: the clips of a part, and a vector for each, (clips, width)."""
    table, seen = run.corpus.part(part), []
    clips = batches_of(run.corpus, part, run.experiment.feature, run.device)
    hook = run.network.network.head.register_forward_pre_hook(lambda layer, given: seen.append(given[0].cpu()))
    index = clips.batches(64)
    for batch in index:
        run.network(*clips[batch][:2])
    hook.remove()
    return table, torch.cat(seen)[torch.cat(index).argsort()]
