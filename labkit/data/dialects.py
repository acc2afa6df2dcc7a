"""What people write about their accent, and the class that it counts as.

The table `accents_es.csv` has a line for each accent and a column for each way of forming classes. `fifteen` is the
merge of a published project (its 42 texts, among them four cells with two accents that the order of its rules decided);
`area` are the dialect areas of Moreno Fernández (La lengua española en su geografía, 2009), and the Philippines. "-"
says that a text is known and belongs to no class; an empty cell, that its parts decide. To teach it a text, add a line.
"""

import csv
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NO_CLASS = "-"
_CUT = re.compile(r"\||,(?! )")  # texts are joined by "|" or, in older releases, by "," without a space


@dataclass(frozen=True)
class Classes:
    """The class table of a language.

    Parameters
    ----------
    columns : tuple of str
        Ways of forming classes.
    table : dict
        From a text, as `same` writes it, to its classes.
    texts : tuple of str
        All texts, as people write them.
    """

    columns: tuple
    table: dict
    texts: tuple = ()

    def of(self, cell, column):
        """What a cell counts as.

        Parameters
        ----------
        cell : str
            One or several accents.
        column : str
            One of `columns`.

        Returns
        -------
        tuple of (str, str)
            The class, or ""; and why there is none: "" (it has one), "no accent", "several classes", "no class"
            (known, and none of them), "unknown".

        Examples
        --------
        >>> spanish = classes("es")
        >>> spanish.of("rioplatense", "area"), spanish.of("México,North Mexico", "area")[0]
        (('rioplatense', ''), 'mexicano_centroamericano')
        >>> spanish.of("mexicano|chileno", "area"), spanish.of("de mi pueblo", "area")
        (('', 'several classes'), ('', 'unknown'))
        """
        if not same(cell):
            return "", "no accent"
        found = [self.table.get(same(text), {}).get(column, "") for text in (cell, *accents_in(cell))]
        if found[0] not in ("", NO_CLASS):  # the whole cell has a line of its own
            return found[0], ""
        named = set(found[1:]) - {"", NO_CLASS}
        if len(named) == 1:
            return named.pop(), ""
        if named:
            return "", "several classes"
        return "", "no class" if NO_CLASS in found else "unknown"

    def unknown(self, cell):
        """The accents in a cell that the table lacks."""
        if same(cell) in self.table:
            return ()
        return tuple(text for text in accents_in(cell) if same(text) not in self.table)


def accents_in(cell):
    """The accents in a cell, several of which may be joined.

    Examples
    --------
    >>> accents_in("España: Centro-Sur peninsular (Madrid, Toledo, Castilla-La Mancha),catalan")
    ('España: Centro-Sur peninsular (Madrid, Toledo, Castilla-La Mancha)', 'catalan')
    """
    return tuple(text.strip() for text in _CUT.split(cell) if text.strip())


def same(text):
    """One way of writing: letters with accents as one sign, single spaces, lower case."""
    return " ".join(unicodedata.normalize("NFC", text).split()).casefold()


@cache
def classes(locale):
    """The class table of a locale, or None if there is none."""
    path = Path(__file__).parent / f"dialects_{locale}.csv"
    if not re.fullmatch("[A-Za-z-]+", locale) or not path.is_file():
        return None
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = tuple(name for name in rows[0] if name != "accent")
    table = {same(row["accent"]): {name: row[name] for name in columns} for row in rows}
    return Classes(columns, table, tuple(row["accent"] for row in rows))
