"""Common Voice read from a folder: any release, any language, and no line of its tables lost in silence."""

import numpy as np
import pytest
import soundfile
from tiny import quietly

from labkit import data as corpora
from labkit.data import MARKER, common_voice, layout
from labkit.data.dialects import accents_in, classes
from labkit.data.layout import scan, states
from labkit.data.store import open_store
from labkit.errors import LabError

pytest_plugins = ["tiny"]
pytestmark = pytest.mark.usefixtures("own_folders")

NORTH = (
    "España: Norte peninsular (Asturias, Castilla y León, Cantabria, País Vasco, Navarra, Aragón, La Rioja, "
    "Guadalajara, Cuenca)"
)
CENTRE = "España: Centro-Sur peninsular (Madrid, Toledo, Castilla-La Mancha)"
SOUTH = "España: Sur peninsular (Andalucia, Extremadura, Murcia)"
PLATE = "Rioplatense: Argentina, Uruguay, este de Bolivia, Paraguay"
ANDES = "Andino-Pacífico: Colombia, Perú, Ecuador, oeste de Bolivia y Venezuela andina"
CARIBBEAN = (
    "Caribe: Cuba, Venezuela, Puerto Rico, República Dominicana, Panamá, Colombia caribeña, México caribeño, Costa del "
    "golfo de México"
)
OLD = "client_id path sentence up_votes down_votes age gender accent locale segment".split()
NEW = "client_id path sentence up_votes down_votes age gender accents variant locale segment".split()
# Who speaks how, in the words of a new release.
PEOPLE = {"ana": NORTH, "luz": PLATE, "eva": f"{SOUTH},Acento de Málaga", "tom": "México|North Mexico", "zoe": ""}
# The 42 texts of the Delta Segment 16.1, and the class that R5 gave to each.
FIFTEEN = {
    SOUTH: "sur_espana",
    "Chileno: Chile, Cuyo": "chile",
    CARIBBEAN: "caribe",
    PLATE: "rioplatense",
    CENTRE: "espana",
    "América central": "mexico",
    "México": "mexico",
    "México,North Mexico": "mexico",
    ANDES: "andino_pacifico",
    NORTH: "espana",
    "Cordobés: Argentina": "rioplatense",
    f"{SOUTH},{NORTH}": "sur_espana",
    f"{SOUTH},Acento de Málaga": "sur_espana",
    "Pais Vasco ": "vasco",
    "España: Islas Canarias": "canario",
    "neutro de colombia,español sin acentos y algo neutro de colombia": "colombia",
    f"{NORTH},España: Islas Canarias": "espana",
    "colombia del centro del pais": "colombia",
    "México,Norte de Mexico": "mexico",
    f"{ANDES},Colombia: Santander": "andino_pacifico",
    "Español latinoamericano argentina": "rioplatense",
    "Galicia": "gallego",
    "Norte de Guayaquil, Ecuador, Sudamérica.": "ecuador",
    "Acento catalán": "catalan",
    "Acento típico de Madrid, España": "espana",
    "Español del centro de Venezuela ": "venezuela",
    "España: país vasco": "vasco",
    "Español como segunda lengua,norteamericano ": "norteamericano",
    "Medellín Colombia ": "colombia",
    f"{PLATE},{CENTRE}": "espana",
    "Argentino": "rioplatense",
    f"Argentino,{PLATE}": "rioplatense",
    "Mexico: Aguascalientes ": "mexico",
    f"{CENTRE},I have trouble pronouncing the letter r": "espana",
    "Acento mexico latino del centro del": "mexico",
    "Español, chile": "chile",
    "Mexicano": "mexico",
    "Español de Argentina": "rioplatense",
    "México,San Luis Potosí ": "mexico",
    f"{CENTRE},español neutro": "espana",
    "Dialecto del suroeste de España, con matices cansrios": "canario",
    f"Español (Argentina),{PLATE}": "rioplatense",
}


def line(speaker, number, head=NEW, **cells):
    """A line of a table."""
    own = {
        "client_id": speaker,
        "path": f"common_voice_es_{number}.mp3",
        "sentence": f"Frase número {number}.",
        "up_votes": "2",
        "down_votes": "0",
        "age": "thirties",
        "gender": "female",
        "accents": PEOPLE.get(speaker, ""),
        "accent": "rioplatense",
        "locale": "es",
    }
    return "\t".join({**own, **cells}.get(name, "") for name in head)


def write(folder, name, lines, head=NEW, ends="\n", before=b""):
    text = ends.join(["\t".join(head), *lines]) + ends
    (folder / f"{name}.tsv").write_bytes(before + text.encode())


def clip(folder, number, seconds=0.5, ending="mp3", sample_rate=16_000):
    (folder / "clips").mkdir(exist_ok=True, parents=True)
    rng = np.random.default_rng(number)
    path = folder / "clips" / f"common_voice_es_{number}.{ending}"
    soundfile.write(path, 0.1 * rng.standard_normal(round(seconds * sample_rate)), sample_rate)
    return path


@pytest.fixture
def release(tmp_path):
    """Ten clips of five people, two of each."""
    folder = tmp_path / "cv-corpus-17.0" / "es"
    lines = []
    for number in range(10):
        clip(folder, number)
        lines.append(line(list(PEOPLE)[number // 2], number))
    write(folder, "validated", lines)
    return folder


def load(folder):
    return quietly(common_voice.load, folder)


def validated(release):
    return (release / "validated.tsv").read_text(encoding="utf-8").splitlines()


# The table of classes


def test_the_42_texts_of_a_published_project_become_its_15_classes():
    known = classes("es")
    assert len(FIFTEEN) == 42 and len(set(FIFTEEN.values())) == 15
    assert {text: known.of(text, "fifteen")[0] for text in FIFTEEN} == FIFTEEN


def test_old_codes_and_new_texts_are_the_same_accents():
    known = classes("es")
    codes = {"nortepeninsular": NORTH, "centrosurpeninsular": CENTRE, "surpeninsular": SOUTH, "andino": ANDES}
    codes |= {"rioplatense": PLATE, "caribe": CARIBBEAN, "chileno": "Chileno: Chile, Cuyo", "mexicano": "México"}
    codes |= {"canario": "España: Islas Canarias", "americacentral": "América central"}
    for column in known.columns:
        assert {code: known.of(code, column) for code in codes} == {
            code: known.of(text, column) for code, text in codes.items()
        }
    assert len({known.of(code, "area")[0] for code in [*codes, "filipinas"]}) == 9


def test_several_accents_in_a_cell_are_told_apart():
    assert accents_in(f"{NORTH},catalan") == (NORTH, "catalan")
    assert accents_in(f"{ANDES}|Acento costeño de Lima Perú|") == (ANDES, "Acento costeño de Lima Perú")
    known = classes("es")
    assert known.of(f"{NORTH}|{CENTRE}", "area") == ("castellano", ""), "two texts of one class"
    assert known.of(f"{NORTH}|{PLATE}", "area") == ("", "several classes")
    assert known.of(f"{PLATE}|con alguna erre rara", "area") == ("rioplatense", ""), "the known part decides"
    assert known.unknown(f"{PLATE}|con alguna erre rara") == ("con alguna erre rara",)
    assert known.of("español neutro", "area") == ("", "no class") and known.of(" ", "area") == ("", "no accent")


def test_an_accent_is_found_however_its_letters_are_written():
    known = classes("es")
    assert known.of("Me\u0301xico", "area") == known.of("  MÉXICO ", "area") == known.of("México", "area")
    assert classes("xx") is None and classes("../accents_es") is None


# A release


def test_a_release_is_read(release):
    corpus = load(release)
    assert corpus.name == "cv-corpus-17.0_es" and len(corpus) == 10 and not corpus.synthetic
    assert corpus.labels == ("andaluz", "castellano", "mexicano_centroamericano", "rioplatense", "unknown")
    assert corpus.skipped == (
        "2 of 10 clips have no fifteen: 2 (no accent).",
        "2 of 10 clips have no area: 2 (no accent).",
    )
    first = corpus.clips.iloc[0]
    assert (first.speaker, first.path, first.label) == ("ana", "clips/common_voice_es_0.mp3", "castellano")
    assert (first.age, first.gender, first.up_votes, first.down_votes, first["list"]) == (
        *("thirties", "female", 2, 0, "validated"),
    )
    assert first.sentence == "Frase número 0." and first.accent == NORTH and first.fifteen == "espana"
    assert corpus.protocol == "by_speaker" and corpus.clips.groupby("speaker").split.nunique().max() == 1
    assert corpus.sample_rate == 16_000 and abs(corpus.clips.seconds - 0.5).max() < 0.15
    assert load(release.parent).fingerprint == corpus.fingerprint, "the folder around it will do"


def test_durations_are_kept_and_measured_once(release, monkeypatch):
    load(release)
    monkeypatch.setattr("labkit.data.layout._header", lambda *_: pytest.fail("read again"))
    assert len(load(release)) == 10


def test_an_old_release_is_read(release):
    write(release, "validated", [line("ana", number, OLD) for number in range(10)], OLD)
    corpus = load(release)
    assert set(corpus.clips.area) == {"rioplatense"} and set(corpus.clips.accent) == {"rioplatense"}


def test_clips_not_voted_on_are_read_too(release):
    clip(release, 77)
    write(release, "other", [line("kim", 77, accents="Chileno: Chile, Cuyo", up_votes="0")])
    corpus = load(release)
    assert len(corpus) == 11 and dict(corpus.clips["list"].value_counts()) == {"validated": 10, "other": 1}
    assert corpus.clips.set_index("speaker").label["kim"] == "chileno"
    write(release, "invalidated", [line("kim", 78), line("kim", 79)])
    assert "About 2 clips in invalidated.tsv are not used: listeners voted them down." in load(release).skipped
    write(release, "other", [line("kim", 77), line("ana", 0)])
    assert (
        "1 lines left out (they repeat a clip), the first: clips/common_voice_es_0.mp3 (they repeat a clip: line 3 of "
        "other.tsv)." in " ".join(load(release).skipped)
    )


def test_official_parts_are_obeyed_and_a_clip_in_no_list_goes_where_its_speaker_is(release):
    rows = validated(release)[1:]
    for name, numbers in {"train": (0, 1, 2), "dev": (4,), "test": (6,)}.items():
        write(release, name, [rows[number] for number in numbers])
    corpus = load(release)
    assert corpus.protocol == "official" and len(corpus) == 10
    parts = corpus.clips.groupby("speaker").split.agg(set)
    assert dict(parts) == {"ana": {"train"}, "luz": {"train"}, "eva": {"validation"}, "tom": {"test"}, "zoe": {"train"}}
    write(release, "test", [rows[3], rows[6]])  # luz is in train.tsv, too
    assert load(release).protocol == "by_clip_leaky"


def test_a_synthetic_folder_says_so(release):
    (release / MARKER).write_text("made by a program")
    assert load(release).synthetic and corpora.find("common_voice", release).synthetic


# Tables that people and programs have damaged


def reads_as_before(release, count=10):
    corpus = load(release)
    assert len(corpus) == count and set(corpus.clips.speaker) == set(PEOPLE)
    return corpus


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(release):
    before = load(release)
    write(release, "validated", validated(release)[1:], ends="\r\n", before=b"\xef\xbb\xbf")
    assert load(release).fingerprint == before.fingerprint and load(release).skipped == before.skipped


def test_quotes_that_do_not_close_swallow_no_lines(release):
    rows = validated(release)[1:]
    rows[1] = line("ana", 1, sentence='"Afortunadamente')
    rows[2] = line("luz", 2, sentence='Ben, Maggie y Hal"')
    rows[3] = line("luz", 3, sentence='"Sí", dijo')
    rows[4] = line("eva", 4, sentence='"Perdió el ""Henry""."')
    write(release, "validated", rows)
    corpus = reads_as_before(release)
    assert list(corpus.clips.sentence[1:5]) == [
        '"Afortunadamente',
        'Ben, Maggie y Hal"',
        '"Sí", dijo',
        'Perdió el "Henry".',
    ]


def test_a_line_end_inside_quotes_loses_one_clip_which_is_counted(release):
    rows = validated(release)[1:]
    rows[2] = line("luz", 2, sentence='"dos\nlíneas"')
    write(release, "validated", rows)
    corpus = reads_as_before(release, 9)
    assert "2 lines left out" in corpus.skipped[0] and "the first: line 4 of validated.tsv (" in corpus.skipped[0]


def test_a_tab_in_a_sentence_moves_no_cell(release):
    rows = validated(release)[1:]
    rows[2] = line("luz", 2, sentence="una\ttabla")
    write(release, "validated", rows)
    corpus = reads_as_before(release)
    assert corpus.clips.sentence[2] == "una tabla" and corpus.clips.age[2] == "thirties"
    assert (
        "1 lines were mended (a tab in the sentence, or no empty cells at the end), the first: line 4 of validated.tsv."
        in corpus.skipped[0]
    )


def test_lines_that_cannot_be_read_are_counted(release):
    rows = validated(release)[1:]
    rows[2] = "luz"
    rows[3] = line("luz", 3, up_votes="muchos")
    rows[5] = rows[5].rstrip("\t")  # an editor cut the empty cells off
    rows.insert(4, "")
    write(release, "validated", rows)
    corpus = load(release)
    assert len(corpus) == 8
    told = " ".join(corpus.skipped)
    assert "2 lines left out (their cells do not fit the columns), the first: line 4 of validated.tsv (" in told
    assert "1 lines were mended (a tab in the sentence, or no empty cells at the end), the first: line 8 of " in told


def test_missing_columns_are_named(release):
    head = [name for name in NEW if name not in ("client_id", "age")]
    write(release, "validated", [line("ana", number, head) for number in range(10)], head)
    with pytest.raises(LabError, match=r"validated\.tsv lacks the columns .'client_id'"):
        load(release)
    head = [name for name in NEW if name not in ("age", "accents", "down_votes")]
    write(release, "validated", [line("ana", number, head) for number in range(10)], head)
    corpus = load(release)
    assert corpus.skipped[0] == "The tables have no column down_votes, age, accent: left empty."
    assert set(corpus.clips.age) == {""} and set(corpus.clips.down_votes) == {0} and corpus.labels == ("unknown",)


def test_a_table_that_is_no_table_is_named(release):
    (release / "validated.tsv").write_bytes("client_id\tpath\tEspaña".encode("latin-1"))
    with pytest.raises(LabError, match=r"validated\.tsv cannot be read as text in UTF-8.*save it as UTF-8"):
        load(release)
    write(release, "validated", [], ["client_id", "path", "path"])
    with pytest.raises(LabError, match="two columns of one name"):
        load(release)
    write(release, "validated", [])
    with pytest.raises(LabError, match="holds no clips"):
        load(release)


def test_lines_that_repeat_a_clip_are_counted(release):
    rows = validated(release)[1:]
    write(release, "validated", [*rows, rows[0], line("luz", 1)])
    corpus = reads_as_before(release)
    assert "2 lines left out (they repeat a clip), the first: clips/common_voice_es_0.mp3" in corpus.skipped[-3]
    assert "line 12 of validated.tsv" in corpus.skipped[-3]
    write(release, "other", [line("kim", 1)])
    assert "1 clips have lines that disagree on speaker or accent" in " ".join(load(release).skipped)


def test_clips_that_are_missing_empty_or_cut_off_are_counted(release):
    (release / "clips" / "common_voice_es_0.mp3").unlink()
    (release / "clips" / "common_voice_es_1.mp3").write_bytes(b"")
    path = release / "clips" / "common_voice_es_2.mp3"
    path.write_bytes(path.read_bytes()[:-40])
    (release / "clips" / "common_voice_es_3.mp3").write_bytes(b"no sound at all" * 50)
    corpus = load(release)
    assert len(corpus) == 6
    kinds = ("missing file", "empty file", "truncated", "not audio")
    assert all(f"1 files left out ({kind})" in " ".join(corpus.skipped) for kind in kinds)
    for file in (release / "clips").iterdir():
        file.unlink()
    with pytest.raises(LabError, match="holds no clips .*10 files left out .missing file.*Unpack"):
        load(release)


def test_lengths_that_the_release_tells_are_believed_and_no_file_but_the_first_is_opened(release, monkeypatch):
    lines = [f"common_voice_es_{number}.mp3\t{5000 if number == 3 else 500}" for number in range(10)]
    (release / "clip_durations.tsv").write_text("\n".join(["clip\tduration[ms]", *lines]), encoding="utf-8")
    (release / "clips" / "common_voice_es_1.mp3").unlink()
    (release / "clips" / "common_voice_es_2.mp3").write_bytes(b"")
    read, opened = layout._header, []
    monkeypatch.setattr("labkit.data.layout._header", lambda path, size: opened.append(path.name) or read(path, size))
    corpus = load(release)
    told = " ".join(corpus.skipped)
    assert len(corpus) == 8 and "1 files left out (missing file)" in told and "1 files left out (empty file)" in told
    sounds = [name for name in opened if (release / "clips" / name).is_file() and name != "common_voice_es_2.mp3"]
    assert sounds == ["common_voice_es_0.mp3"] and corpus.sample_rate == 16_000
    assert sorted(corpus.clips.seconds) == [0.5] * 7 + [5.0]
    store = open_store(corpus)  # which finds that a clip was cut off
    assert list(store.problems) == ["clips/common_voice_es_3.mp3"] and "5.00 s promised" in str(store.problems)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100, 48_000])
def test_an_mp3_that_ends_within_a_frame_is_found_and_a_whole_one_is_not(tmp_path, sample_rate):
    path = clip(tmp_path, 1, sample_rate=sample_rate)
    assert scan(tmp_path, states(tmp_path, [f"clips/{path.name}"])).problem.isna().all()
    whole = path.read_bytes()
    for data, cut in ((whole[:-30], True), (whole[: len(whole) // 2 + 7], True), (whole + b"TAG" + bytes(125), False)):
        path.write_bytes(data)
        assert bool(scan(tmp_path, states(tmp_path, [f"clips/{path.name}"])).problem.notna()[0]) == cut


def test_frames_of_changing_size_are_followed_where_no_header_says_how_many_bytes_there_are(tmp_path):
    """As of a variable bit rate, streamed: here the frames of a small and a large file behind each other."""
    joined = b""
    for level in (0.9, 0.1):
        path, noise = tmp_path / f"{level}.mp3", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
        soundfile.write(path, noise, 16_000, compression_level=level, bitrate_mode="CONSTANT")
        data = path.read_bytes()
        joined += data[data.index(data[:2], 4) :]  # without the first frame, which counts them
    path = tmp_path / "joined.mp3"
    for data, cut in ((joined, False), (joined[:-30], True)):
        path.write_bytes(data)
        assert bool(scan(tmp_path, states(tmp_path, [path.name])).problem.notna()[0]) == cut


def test_clips_without_a_speaker_are_counted(release):
    rows = validated(release)[1:]
    rows[4] = line("", 4)
    write(release, "validated", rows)
    corpus = load(release)
    told = "1 lines left out (no client_id), the first: clips/common_voice_es_4.mp3 (no client_id: line 6 of"
    assert len(corpus) == 9 and told in corpus.skipped[0]


def test_nothing_outside_the_folder_of_clips_is_opened(release):
    clip(release.parent / "secret", 1)
    rows = validated(release)[1:]
    rows[4] = line("eva", 4, path="../../secret/clips/common_voice_es_4.mp3")
    write(release, "validated", rows)
    assert load(release).clips.path[4] == "clips/common_voice_es_4.mp3"


def test_clips_in_another_format_are_found(release):
    (release / "clips" / "common_voice_es_0.mp3").unlink()
    clip(release, 0, ending="flac")
    rows = validated(release)[1:]
    rows[1] = line("ana", 1, path="common_voice_es_1")  # as the first releases wrote it
    write(release, "validated", rows)
    assert list(reads_as_before(release).clips.path[:2]) == [
        "clips/common_voice_es_0.flac",
        "clips/common_voice_es_1.mp3",
    ]


def test_a_release_without_accents_can_be_used_for_something_else(release):
    write(release, "validated", [line("ana", number, accents="") for number in range(10)])
    corpus = load(release)
    assert len(corpus) == 10 and corpus.labels == ("unknown",)
    assert "None of 10 clips says an accent" in corpus.skipped[0] and 'Target("gender")' in corpus.skipped[0]


def test_accents_that_the_table_lacks_are_counted_and_shown(release):
    rows = validated(release)[1:]
    rows[0] = line("ana", 0, accents="de Jaén")
    rows[1] = line("ana", 1, accents="de jaén|de Cádiz")
    rows[2] = line("luz", 2, accents=f"{NORTH}|{PLATE}")
    write(release, "validated", rows)
    corpus = reads_as_before(release)
    told = " ".join(corpus.skipped)
    assert "5 of 10 clips have no area: 2 (no accent), 1 (several classes), 2 (unknown)." in told
    assert "2 accents are not in the table of classes: 'de jaén' (2), 'de cádiz' (1)." in told
    assert list(corpus.clips.label[:3]) == ["unknown"] * 3 and corpus.clips.accent[0] == "de Jaén"


def test_another_language_is_read_with_each_text_as_a_class(release):
    folder = release.rename(release.with_name("de"))
    people = {number: ("Österreichisches Deutsch", "Schweizerdeutsch", "")[number % 3] for number in range(10)}
    write(folder, "validated", [line(f"s{n}", n, accents=text, locale="de") for n, text in people.items()])
    corpus = load(folder)
    assert corpus.labels == ("Schweizerdeutsch", "unknown", "Österreichisches Deutsch")[::2] + ("unknown",)
    assert "There is no table of accents for 'de'" in corpus.skipped[0]


def test_mixed_languages_are_counted(release):
    rows = validated(release)[1:]
    rows[0] = line("ana", 0, locale="gl")
    write(release, "validated", rows)
    assert "The tables mix languages: 'es' 9, 'gl' 1." in load(release).skipped


def test_a_folder_that_is_no_release_says_what_to_do(tmp_path):
    with pytest.raises(LabError, match="is no release of Common Voice.*download common_voice_es.*LABKIT_DATA"):
        load(tmp_path)
    with pytest.raises(LabError, match="is no release of Common Voice"):
        load(tmp_path / "nothing")
    for name in ("de", "fr"):
        clip(tmp_path / name, 1)
        write(tmp_path / name, "validated", [line("ana", 1)])
    with pytest.raises(LabError, match="in one language .found: de, fr.*the folder with its clips"):
        load(tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_each_line_of_a_damaged_table_becomes_a_row_or_is_counted(seed, release):
    """Characters that matter to a reader of tables are inserted, and others deleted, anywhere but in the first line."""
    rng = np.random.default_rng(seed)
    head, *lines = (release / "validated.tsv").read_text(encoding="utf-8").split("\n")
    text = list("\n".join(lines))
    for place in sorted(rng.integers(0, len(text), 12), reverse=True):
        text[place : place + int(rng.integers(0, 2))] = rng.choice(list('\t\n\r"\u2028 ,;\0x'))
    (release / "validated.tsv").write_text(head + "\n" + "".join(text), encoding="utf-8", newline="")
    rows, notes = common_voice._rows(release, "es")
    counted = [int(note.removeprefix("es: ").split()[0]) for note in notes if "left out" in note]
    written = "".join(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert len(rows) + sum(counted) == sum(bool(line.strip()) for line in written)


# Real recordings: the loader from end to end. They are far too few to say anything of an accuracy.


@pytest.mark.slow
def test_real_clips_are_read_and_decoded(real_audio):
    corpus = common_voice.load(real_audio / "common_voice_6.1_es_sample")
    assert len(corpus) == 100 and corpus.clips.speaker.nunique() == 69 and corpus.sample_rate == 48_000
    assert (corpus.clips.area != "").sum() == (corpus.clips.accent != "").sum() == 57
    assert dict(corpus.clips.area.value_counts()) == {
        **{"": 43, "castellano": 20, "andaluz": 13, "rioplatense": 7, "mexicano_centroamericano": 6, "andino": 5},
        **{"caribeno": 5, "chileno": 1},
    }
    assert corpus.skipped == (
        "43 of 100 clips have no fifteen: 43 (no accent).",
        "43 of 100 clips have no area: 43 (no accent).",
    )
    some = corpus.with_clips(corpus.clips[corpus.clips.area != ""][:12])
    store = quietly(open_store, some, 16_000, progress=False)
    assert not store.problems
    heard = store.index.length.reindex(some.clips.path).to_numpy() / 16_000
    assert abs(heard - some.clips.seconds).max() < 0.1


def test_real_clips_go_through_to_a_record(real_audio, tmp_path):
    from labkit.data.splits import Split
    from labkit.experiments.experiment import Experiment, Subset, Target
    from labkit.experiments.run import train
    from labkit.features import MelFrames
    from labkit.models import Model
    from labkit.training.recipe import Recipe

    experiment = Experiment(
        corpus=Subset("common_voice"),
        target=Target("area"),
        split=Split("stratified", validation=0.15, test=0.18, most_clips=10),
        feature=MelFrames(hop_ms=80, n_mels=10, window_ms=80, seconds=None),
        model=Model("lstm", hidden=4),
        recipe=Recipe(epochs=1, batch=16),
    )
    run = quietly(train, experiment, common_voice.load(real_audio / "common_voice_6.1_es_sample"), tmp_path)
    assert not run.synthetic and run.record["clips"] == {"train": 30, "validation": 6, "test": 7}
    assert len(run.labels) == 5 and "andaluz, chileno" in " ".join(run.record["skipped"])
    assert run.test()["clips"] == 7
