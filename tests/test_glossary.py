"""The glossary has the terms of the notebooks, and the Spanish notebooks are those of the lab in another language."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
SPANISH = sorted((ROOT / "notebooks" / "es").glob("*.ipynb"))
TEXT = (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8")
ENTRY = re.compile(r'<a id="([^"]+)"></a>\*\*([^*]+)\*\*: (.+?)  \n\*\*([^*]+)\*\* \(es\): (.+)')
ENTRIES = ENTRY.findall(TEXT)
# What is written in capitals and is no term of the field: names of corpora, journals, makers, units.
NAMES = "AISTATS BC CPU CPUS F1 F2 F3 FSDD GB GPU HTTPS ICASSP ICLR IEEE IJCNN JMLR KWT LREC M1 M2 M3 M5 MB MIT MNIST"
NO_TERMS = {"bare", "The test, once", "La prueba, una sola vez"}  # a name in 06, titles of sections
NAMES += " ICML IPA KB NVIDIA OGG README RESULTS TASSP TIMIT TU TV UK USA WAV"


def prose(path):
    """The text of a notebook, without code, formulas, addresses and what lies behind "Further reading"."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    text = re.split(r"^## (?:Further reading|Para leer más)", "\n\n".join(cells), flags=re.MULTILINE)[0]
    away = r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)]*\)|^ {4}.*?$"
    return re.sub(away, " ", text, flags=re.DOTALL | re.MULTILINE)


def known():
    """Every form of every entry, in small letters: singular and plural, English and Spanish."""
    names = {name.lower() for _, english, _, spanish, _ in ENTRIES for name in (english, spanish, *english.split())}
    return names | {f"{name}s" for name in names}


def introduced(path):
    """The terms that a notebook introduces in italics: "called *pitch*", "(*dropout*)", or in "You will learn"."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    text = re.split(r"^## (?:Further reading|Para leer más)", "\n\n".join(cells), flags=re.MULTILINE)[0]
    learn = re.search(r"\*\*(?:You will learn|Qué aprenderás):\*\*(.*)", cells[0])[1]
    return terms_in(text) | set(re.findall(r"\*([^*]+)\*", re.sub(r"\[[^\]]*\]", "", learn)))


def terms_in(text):
    """A term that is linked to the glossary has its entry there, whatever its form here, and is left out."""
    return set(re.findall(r"(?:\bcalled |\bllama |\()\*([^*\n]{3,})\*(?=[^*\w])", text))


def without_entry(text, names):
    """Acronyms in a text that have no entry."""
    found = {word.removesuffix("s") for word in re.findall(r"(?<![\w-])[A-Z][A-Z0-9]{1,6}s?(?![\w-])", text)}
    return {word for word in found if word.lower() not in names and word.upper() not in NAMES.split()}


def test_each_entry_is_two_lines_in_their_order():
    assert len(ENTRIES) == TEXT.count("<a id=") >= 80
    terms = [english for _, english, *_ in ENTRIES]
    assert terms == sorted(terms, key=str.lower) and len(set(terms)) == len(terms)
    for anchor, english, meaning, spanish, significado in ENTRIES:
        assert anchor == re.sub(r"[^\w]+", "-", english.lower()).strip("-")
        assert spanish and 20 < len(meaning) < 140 and 20 < len(significado) < 140, english


@pytest.mark.parametrize("path", [*NOTEBOOKS, *SPANISH], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_acronym_of_a_notebook_has_an_entry(path):
    assert without_entry(prose(path), known()) == set()


@pytest.mark.parametrize("path", [*NOTEBOOKS, *SPANISH], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_term_that_a_notebook_introduces_has_an_entry(path):
    found = {term for term in introduced(path) if term.lower() not in known() and term not in NAMES.split()}
    assert found <= NO_TERMS, found


def test_a_term_without_an_entry_is_found():
    text = "This is called *lateral inhibition*, or (*masking*), *not* that; called [*pitch*](GLOSSARY.md#pitch)."
    assert terms_in(text) == {"lateral inhibition", "masking"}


def test_an_acronym_without_an_entry_is_found():
    assert without_entry("MFCCs, a GRU, the XYZ and two QRNNs by IEEE", known()) == {"XYZ", "QRNN"}


@pytest.mark.parametrize("path", [*NOTEBOOKS, *SPANISH], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_links_to_the_glossary_lead_to_an_entry(path):
    anchors = {anchor for anchor, *_ in ENTRIES}
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        for up, anchor in re.findall(r"\]\(((?:\.\./)+)docs/GLOSSARY\.md#([^)]+)\)", cell.source):
            assert anchor in anchors and (path.parent / up / "docs" / "GLOSSARY.md").is_file()


def test_each_term_is_linked_once_at_most_and_most_are():
    text = "\n".join(cell.source for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells)
    linked = re.findall(r"docs/GLOSSARY\.md#([^)]+)\)", text)
    assert len(set(linked)) == len(linked) >= 60


# ---- translations


@pytest.mark.parametrize("path", SPANISH, ids=lambda path: path.stem)
def test_a_translation_has_the_same_code_and_follows_each_text(path):
    ours = nbformat.read(path.parents[1] / path.name, as_version=4).cells
    theirs = nbformat.read(path, as_version=4).cells
    assert [cell.cell_type for cell in theirs] == [cell.cell_type for cell in ours]
    for number, (cell, translated) in enumerate(zip(ours, theirs, strict=True)):
        if cell.cell_type == "code":
            assert translated.source == cell.source, f"cell {number} holds other code"
            continue
        old = f"cell {number} was changed since it was translated: {cell.source[:60]!r}"
        assert translated.metadata.get("translates") == cell.id, old
        assert translated.source != cell.source and len(translated.source) > 0.6 * len(cell.source)
        for pattern in (r"(?<!`)`[^`\n]+`(?!`)", r"\$[^$\n]+\$", r"\]\((https?://[^)]+|[^)]+\.ipynb)\)"):
            lost = set(re.findall(pattern, cell.source)) - set(re.findall(pattern, translated.source))
            lost = {one for one in lost if "colab" not in one}
            assert not lost, f"cell {number} has lost {lost}"


def test_there_are_two_translations():
    assert [path.stem for path in SPANISH] == ["00_from_scratch", "01_exploration"]
