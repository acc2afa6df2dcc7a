"""What people write about their accent, and the class that it counts as.

The table `dialects_es.csv` has a line for each accent and a column for each way of forming classes. `fifteen` is the
merge of a published project (its 42 texts, among them four cells with two accents that the order of its rules decided);
`area` are the dialect areas of Moreno Fernández (La lengua española en su geografía, 2009), and the Philippines. "-"
says that a text is known and belongs to no class; an empty cell, that its parts decide. To teach it a text, add a line.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

NO_CLASS = "-"


@dataclass(frozen=True)
class Classes:
    """The class table of a language."""

    columns: tuple  # ways of forming classes
    table: dict  # from a text, as `same` writes it, to its classes
    texts: tuple = ()  # all texts, as people write them

    def of(self, cell, column):
        """What a cell with one or several accents counts as, by one of `columns`: (class or "", why it has none).

        >>> spanish = classes("es")
        >>> spanish.of("rioplatense", "area"), spanish.of("mexicano|chileno", "area")
        (('rioplatense', ''), ('', 'several classes'))
        """
        if not same(cell):
            return "", "no accent"
        whole, *parts = [self.table.get(same(text), {}).get(column, "") for text in (cell, *accents_in(cell))]
        named = {whole} - {"", NO_CLASS} or set(parts) - {"", NO_CLASS}  # the whole cell may have a line of its own
        if len(named) == 1:
            return named.pop(), ""
        if named:
            return "", "several classes"
        return "", "no class" if NO_CLASS in (whole, *parts) else "unknown"

    def unknown(self, cell):
        """The accents in a cell that the table lacks."""
        if same(cell) in self.table:
            return ()
        return tuple(text for text in accents_in(cell) if same(text) not in self.table)


def accents_in(cell):
    """The accents in a cell, joined by "|" or, in older releases, by "," without a space."""
    return tuple(text.strip() for text in re.split(r"\||,(?! )", cell) if text.strip())


def same(text):
    """One way of writing: letters with accents as one sign, single spaces, lower case."""
    return " ".join(unicodedata.normalize("NFC", text).split()).casefold()


@cache
def classes(locale):
    """The class table of a locale, such as "es", or None if there is none."""
    path = Path(__file__).parent / f"dialects_{locale}.csv"
    if not re.fullmatch("[A-Za-z-]+", locale) or not path.is_file():
        return None
    table = pd.read_csv(path, index_col="accent", dtype=str, keep_default_na=False)
    rows = {same(accent): dict(row) for accent, row in table.iterrows()}
    return Classes(tuple(table.columns), rows, tuple(table.index))
