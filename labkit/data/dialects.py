"""What people write about their accent, and the class that it counts as.

`dialects_es.csv` has a line for each accent: its text, the code that old releases have for it, and its class in each
way of forming classes. `fifteen` is the merge of a published project (its 42 texts, among them four cells with two
accents that the order of its rules decided); `area` are the dialect areas of Moreno Fernández (La lengua española en su
geografía, 2009), and the Philippines. "-": known, and in no class; an empty class: the parts of the text decide.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path

import pandas as pd

NO_CLASS = "-"


class Classes:
    """The class table of a language."""

    def __init__(self, path):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        self.columns = list(table.columns[2:])  # ways of forming classes
        rows = table.to_dict("records")
        self.table = {same(row[name]): row for name in ("code", "accent") for row in rows if row[name]}

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
        return tuple(text for text in accents_in(cell) if not {same(text), same(cell)} & self.table.keys())


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
    return Classes(path) if re.fullmatch("[A-Za-z-]+", locale) and path.is_file() else None
