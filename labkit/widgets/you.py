"""The "you" row: how a network does on recordings of your own."""

import warnings

import pandas as pd

from ..data.recordings import yours
from ..errors import LabError, LabWarning
from ..metrics import interval


def with_you(table, run):
    """A table of accuracies with a row "you" below it, where you have recordings of your own.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per configuration; the column `mean`, and perhaps `low`, `high`, `clips`, `speakers`.
    run : Run
        The network that listens.

    Returns
    -------
    pandas.DataFrame
        The table as it was where there are no recordings, or none of the words that the network knows.
    """
    corpus = yours(run.labels)
    if corpus is None:
        return table
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LabWarning)
            predictions, _ = run.evaluate(corpus)
    except LabError as error:
        warnings.warn(f"Your recordings are left out: {error}", LabWarning, stacklevel=2)
        return table
    clips = len(predictions)
    metric = table.metric.iloc[0] if "metric" in table else "accuracy"
    row = interval([predictions], metric=metric) | {"clips": clips}
    name = f"you ({clips} clip{'' if clips == 1 else 's'})"
    mine = pd.DataFrame([{column: row[column] for column in table if column in row}], index=[name])
    return pd.concat([table, mine]).rename_axis(table.index.name)
