"""Few voices: choose the settings and test them without either having seen the other (Cawley and Talbot, JMLR 2010).

With six voices there is none to spare for validation. So each voice in turn is the *outer* one, which is tested, and
everything is chosen inside the other five, where each in turn is the *inner* one, which validates. That would be 30
trainings of each configuration. But a network trained without the voices a and b serves twice: its accuracy on b helps
to choose for the outer voice a, and its accuracy on a helps to choose for b. That leaves 15 pairs (`pairs`). What was
chosen for a is then trained on all five others (the split "new_voices"), and asked about a once.

For this to be fair, an epoch may not be chosen by one voice of a pair for the other: these runs keep the last epoch
(`Recipe(select="last")`), whose number was fixed beforehand.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from ..errors import LabError


def pairs(voices):
    """The splits that leave two voices out, each pair once, for the axis "split" of a grid."""
    two = combinations(sorted(voices), 2)
    return [{"protocol": "leave_one_speaker_out", "speaker": a, "validation_speaker": b} for a, b in two]


def answers(runs):
    """What tested runs on all `pairs` say of the two voices that each never heard: their predictions, a row per clip.

    For the clips of one voice the other one is called `outer`: for it a choice may rest on them. `configuration` is an
    Experiment without split and seed, `run` an id.
    """
    tables, configurations = [], {}
    for run in runs:
        split = run.experiment.split
        if run.experiment.recipe.select != "last" or split.protocol != "leave_one_speaker_out":
            mend = 'Train with the split of nested.pairs and Recipe(select="last").'
            raise LabError(f"Run {run.id} chose its epoch on a voice, or was not split by voices. {mend}")
        configurations[run.id] = run.experiment.change(seed=0, split={"speaker": "", "validation_speaker": ""})
        for part, outer in (("test", split.validation_speaker), ("validation", split.speaker)):
            tables.append(run.predictions(part).assign(outer=outer, run=run.id))
    said = pd.concat(tables, ignore_index=True)
    found = list(dict.fromkeys(configurations.values()))
    numbers = said.run.map({run: found.index(configuration) for run, configuration in configurations.items()})
    # a category: to hash and compare an Experiment for each of thousands of rows would take seconds
    configuration = pd.Categorical.from_codes(numbers, found)
    return said.assign(configuration=configuration, right=said.label == said.predicted)


def inner(said):
    """What each choice rests on: accuracy by configuration and outer voice (rows) and by inner voice (columns)."""
    groups = said.groupby(["configuration", "outer", "speaker"], sort=False, observed=True)
    table = groups.right.mean().unstack().sort_index(axis=1)
    for (configuration, outer), accuracies in table.iterrows():
        absent = [voice for voice in accuracies.index[accuracies.isna()] if voice != outer]
        if absent or len(table.columns) < 3:
            mend = 'Train all pairs of at least three voices: axes={"split": nested.pairs(voices)}.'
            raise LabError(f"{configuration} was not trained without {outer} and {absent or 'another'}. {mend}")
    return table


def chosen(said):
    """Of all answers, those about each voice by the configuration that was best inside the other voices."""
    best = inner(said).mean(axis=1).groupby(level="outer").idxmax()  # the mean skips the outer voice
    mine = [(said.speaker == voice) & (said.configuration == best[voice][0]) for voice in best.index]
    return said[np.any(mine, axis=0)]


def choices(runs):
    """The configuration that the other voices choose for each voice: an Experiment, indexed by voice."""
    return chosen(answers(runs)).groupby("speaker").configuration.first().astype(object)


def by_voice(runs, parts=("test",)):
    """Accuracy of each run on each voice that it was asked about: `voice`, `accuracy`, `training voices`, `seed`.

    Each row is one network and one voice; accuracies are fractions between 0 and 1.
    """
    rows = []
    for run in runs:
        said = pd.concat([run.predictions(part) for part in parts])
        about = {"training voices": run.record["speakers"]["train"], "seed": run.experiment.seed}
        for voice, right in (said.label == said.predicted).groupby(said.speaker).mean().items():
            rows.append({"voice": voice, "accuracy": right, **about})
    return pd.DataFrame(rows)
