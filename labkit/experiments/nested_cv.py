"""Few voices: choose the settings and test them without either having seen the other (Cawley and Talbot, JMLR 2010).

With six voices there is none to spare for validation. So each voice in turn is the *outer* one, which is tested, and
everything is chosen inside the other five, where each in turn is the *inner* one, which validates. That would be 30
trainings of each configuration. But a network trained without the voices a and b serves twice: its accuracy on b helps
to choose for the outer voice a, and its accuracy on a helps to choose for b. That leaves 15 pairs (`pairs`).

And it serves a third time. Five of the fifteen networks have never heard the outer voice a: one for each other voice
that was left out with it. All five of the chosen configuration are asked about a, and they vote (`vote`).

For this to be fair, an epoch may not be chosen by one voice of a pair for the other: these runs keep the last epoch
(`Recipe(select="last")`), whose number was fixed beforehand.
"""

from itertools import combinations

import pandas as pd

from ..errors import LabError, choose
from ..metrics import speaker_interval


def pairs(voices):
    """The splits that leave two voices out, each pair once, for the axis "split" of a grid."""
    two = combinations(sorted(voices), 2)
    return [{"protocol": "leave_one_speaker_out", "speaker": a, "validation_speaker": b} for a, b in two]


def inner(runs):
    """What each choice rests on: accuracies of networks that heard neither the outer nor the inner voice.

    `runs` are tested runs of some configurations on all `pairs` of the voices. The table is indexed by configuration
    (an Experiment without split and seed) and by the outer voice, with a column for each inner voice; means over seeds.
    """
    rows = []
    for run in runs:
        if run.experiment.recipe.select != "last" or run.experiment.split.protocol != "leave_one_speaker_out":
            mend = 'Train with the split of nested.pairs and Recipe(select="last").'
            raise LabError(f"Run {run.id} chose its epoch on a voice, or was not split by voices. {mend}")
        tested, validated = voices_of(run)
        rows.append((_configuration(run), tested, validated, run.validation["accuracy"]))
        rows.append((_configuration(run), validated, tested, run.test()["accuracy"]))
    rows = pd.DataFrame(rows, columns=["configuration", "outer", "inner", "accuracy"])
    table = rows.groupby(["configuration", "outer", "inner"], sort=False).accuracy.mean().unstack().sort_index(axis=1)
    for (configuration, outer), accuracies in table.iterrows():
        absent = [voice for voice in accuracies.index[accuracies.isna()] if voice != outer]
        if absent or len(table.columns) < 3:
            mend = 'Train all pairs of at least three voices: axes={"split": nested.pairs(voices)}.'
            raise LabError(f"{configuration} was not trained without {outer} and {absent or 'another'}. {mend}")
    return table


def chosen(runs):
    """By outer voice: the runs that never heard it, of the configuration that was best inside the other voices."""
    best = inner(runs).mean(axis=1).groupby(level="outer").idxmax()  # the mean skips the outer voice
    return {
        voice: [run for run in runs if voice in voices_of(run) and _configuration(run) == configuration]
        for voice, (configuration, _) in best.items()
    }


def answers(run, voice):
    """Per clip of a voice that a run never heard: `path`, `speaker`, `label`, `predicted`, `confidence`."""
    parts = dict(zip(voices_of(run), ("test", "validation"), strict=True))
    return run.predictions(choose(voice, parts, f"voice that run {run.id} never heard"))


def vote(tables):
    """One answer from the `answers` of several networks on the same clips, weighted by their confidence."""
    votes = pd.concat(tables).groupby(["path", "predicted"]).confidence.sum()
    winner = dict(votes.groupby(level="path").idxmax().tolist())
    clips = tables[0][["path", "speaker", "label"]]
    if len(winner) != len(clips):
        raise LabError("These networks were asked about different clips. Take tables of one voice.")
    return clips.assign(predicted=clips.path.map(winner))


def report(runs):
    """How well a system that never heard a voice names its words: a table indexed by voice.

    Columns: `configuration`; `inside`, its mean accuracy on the other voices, by which it was chosen; `one network`,
    the mean accuracy of its networks on this voice; `all together`, that of their vote; `networks`, how many vote.
    Accuracies are fractions between 0 and 1.
    """
    inside, rows = inner(runs).mean(axis=1), {}
    for voice, group in chosen(runs).items():
        tables = [answers(run, voice) for run in group]
        rows[voice] = {
            "configuration": _configuration(group[0]),
            "inside": inside[_configuration(group[0]), voice],
            "one network": sum(map(_accuracy, tables)) / len(tables),
            "all together": _accuracy(vote(tables)),
            "networks": len(tables),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("voice")


def interval(runs, together=True):
    """Mean accuracy over the voices with its 95% interval over voices: of the vote, or of a network alone."""
    return speaker_interval(predictions(runs, together))


def predictions(runs, together=True):
    """What networks say of voices they never heard: a list with the table of their votes, or a table per network."""
    asked = [[answers(run, voice) for run in group] for voice, group in chosen(runs).items()]
    if together:
        return [pd.concat([vote(tables) for tables in asked])]
    return [pd.concat(tables) for tables in zip(*asked, strict=True)]


def voices_of(run):
    """The two voices that a run left out: (tested, validated)."""
    return run.experiment.split.speaker, run.experiment.split.validation_speaker


def _configuration(run):
    """What a run shares with those of other pairs and seeds."""
    return run.experiment.change(seed=0, split={"speaker": "", "validation_speaker": ""})


def _accuracy(table):
    return (table.label == table.predicted).mean()
