"""All families of faults."""

import random

from . import Fault, archives, corpora, live, runs

FAMILIES = corpora.FAMILIES | archives.FAMILIES | runs.FAMILIES | live.FAMILIES


def every_fault(scratch, seed=0, families=tuple(FAMILIES), limit=None):
    """The faults of some families, decided by the seed; `limit`: so many of each, spread over the family."""
    found = []
    for family in families:
        rng = random.Random(f"{seed} {family}")
        own = [Fault(family, name, act) for name, act in FAMILIES[family](scratch, rng)]
        found += own if limit is None else rng.sample(own, min(limit, len(own)))
    return found
