"""Firefox Translations: the real library with the real models that the set-up brings, and its real records."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.asking import pair
from vt import languages
from vt.domain import Cancel
from vt.engines import firefox
from vt.engines.firefox import Firefox
from vt.engines.firefox_vocabulary import UNKNOWN, Source
from vt.errors import Cancelled, InputError, LanguageError, ModelUnavailable

ROOT = Path(__file__).parent.parent
MODELS = Path(sys.prefix) / "share" / "vt" / "models" / "firefox"
EN_PT = MODELS / "en-pt"
needs_models = pytest.mark.skipif(
    firefox.missing(EN_PT) is not None, reason="the English-Portuguese models were not to be had at set-up"
)
AWKWARD = [
    "",
    " ",
    "\n",
    ".",
    "...",
    "?!",
    "—",
    "«»",
    "🎬",
    "👩‍👩‍👧 🇪🇸",
    "1984",
    "3.14",
    "[",
    "<b>",
    "*",
    "$",
    "中文 العربية",
]


def quiet(_: str) -> None:
    """Hear what is told, and forget it."""


@pytest.fixture(scope="module")
def to_portuguese() -> Iterator[Firefox]:
    engine = Firefox(EN_PT, languages.get("pt"))
    yield engine
    engine.close()


def translated(engine: Firefox, *texts: str) -> list[str]:
    return list(engine.translate(texts, Cancel()))


# --- translating -------------------------------------------------------------------------------------------------


@needs_models
def test_a_house_is_a_casa_and_the_same_each_time(to_portuguese: Firefox) -> None:
    assert translated(to_portuguese, "The house is red.", "The house is red.") == ["A casa é vermelha."] * 2


@needs_models
def test_what_holds_no_word_comes_back_as_it_is(to_portuguese: Firefox) -> None:
    assert translated(to_portuguese, *AWKWARD) == AWKWARD


@needs_models
def test_awkward_texts_leave_their_neighbours_as_they_would_be_alone(to_portuguese: Firefox) -> None:
    marks = [f"The house number {number} is red." for number in range(len(AWKWARD))]
    mixed = [text for pair in zip(marks, AWKWARD, strict=True) for text in pair]
    assert translated(to_portuguese, *mixed)[::2] == translated(to_portuguese, *marks)


@needs_models
def test_a_newline_is_a_space_and_half_a_surrogate_no_harm(to_portuguese: Firefox) -> None:
    assert translated(to_portuguese, "The house\n\nis red.") == ["A casa é vermelha."]
    assert len(translated(to_portuguese, "The house \ud800 is red.")) == 1


@needs_models
def test_both_sentences_of_a_line_are_translated(to_portuguese: Firefox) -> None:
    (found,) = translated(to_portuguese, "The house is red. The dog is white! Where is the cat?")
    assert found == " ".join(translated(to_portuguese, "The house is red.", "The dog is white!", "Where is the cat?"))


@needs_models
@pytest.mark.parametrize("text", ["the house is red, " * 111, "the house is red " * 118, "x" * 2000])
def test_a_line_of_two_thousand_characters_loses_nothing(to_portuguese: Firefox, text: str) -> None:
    (found,) = translated(to_portuguese, text)
    assert 0.8 < len(found) / len(text) < 1.8
    assert found.count("casa") >= 0.9 * text.count("house")


@needs_models
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Mr. Müller lives in Łódź.", "O Sr. Müller vive em Łódź."),
        ("It costs €1,500 a month.", "Custa €1.500 por mês."),
        ("I like 🍎 and 🍐.", "Eu gosto de 🍎 e 🍐."),
        ("The word 中文 means Chinese.", "A palavra 中文 significa chinês."),
        ("♪Life is good♪", "♪ A vida é boa ♪"),
        ("It’s a “good” day.", 'É um dia "bom".'),
    ],
)
def test_what_the_vocabulary_lacks_is_kept(to_portuguese: Firefox, text: str, wanted: str) -> None:
    assert translated(to_portuguese, text) == [wanted]


@needs_models
def test_any_thread_may_translate_and_close(to_portuguese: Firefox) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(translated(to_portuguese, "A cat."))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == translated(to_portuguese, "A cat.") * 4
    other = Firefox(EN_PT, languages.get("pt"))
    closing = threading.Thread(target=other.close)
    closing.start()
    closing.join()


@needs_models
def test_a_cancel_is_heard_between_two_sentences(to_portuguese: Firefox) -> None:
    cancel = Cancel()
    work = to_portuguese.translate(["One house.", "Two houses."], cancel)
    next(work)
    cancel.set()
    with pytest.raises(Cancelled):
        next(work)


MEASURED = """
import sys
from pathlib import Path

import fxtranslate
import psutil
import sentencepiece

from vt import languages
from vt.domain import Cancel
from vt.engines import firefox

process = psutil.Process()
before = process.memory_info().rss
engine = firefox.Firefox(Path(sys.argv[1]), languages.get("pt"))
list(engine.translate([f"The house number {number} is red." for number in range(60)], Cancel()))
print(process.memory_info().rss - before)
engine.close()
"""


@needs_models
def test_the_estimate_is_within_a_quarter_of_what_a_model_takes() -> None:
    # In a process of its own: here, memory that others have freed would be taken again.
    argv = [sys.executable, "-c", MEASURED, str(EN_PT)]
    taken = int(subprocess.run(argv, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    assert 0.75 < firefox.estimated_bytes(EN_PT) / taken < 1.25


# --- folders -----------------------------------------------------------------------------------------------------


def folder_of(place: Path, **sizes: int) -> Path:
    """Make a folder of model files of these sizes, of zeros."""
    names = {"model": "model.enes.intgemm.alphas.bin", "vocab": "vocab.enes.spm", "lex": "lex.50.50.enes.s2t.bin"}
    place.mkdir(parents=True)
    for kind, size in sizes.items():
        with (place / names.get(kind, f"{kind}.enes.spm")).open("wb") as file:
            file.truncate(size)
    return place


MB = 2**20


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({}, r"no model\.\*\.bin"),
        ({"vocab": MB}, r"no model\.\*\.bin"),
        ({"model": 2 * MB}, r"no vocab\.\*\.spm"),
        ({"model": 2 * MB, "srcvocab": MB}, r"no vocab\.\*\.spm"),
        ({"model": 100, "vocab": MB}, "not whole"),
        ({"model": 2 * MB, "vocab": 0}, "not whole"),
        ({"model": 600 * MB, "vocab": MB}, "larger than any"),
    ],
)
def test_a_folder_that_is_not_whole_is_not_taken(tmp_path: Path, sizes: dict[str, int], sentence: str) -> None:
    folder = folder_of(tmp_path / "en-es", **sizes)
    with pytest.raises(ModelUnavailable, match=sentence):
        Firefox(folder, languages.get("es"))


def test_a_folder_that_is_half_downloaded_is_not_taken(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "en-es", model=2 * MB, vocab=MB)
    assert firefox.missing(folder) is None
    (folder / ".lex.50.50.enes.s2t.bin.download").touch()
    assert "half downloaded" in (firefox.missing(folder) or "")


def test_a_folder_that_is_not_there_is_not_taken(tmp_path: Path) -> None:
    assert "is not there" in (firefox.missing(tmp_path / "none") or "")
    assert firefox.estimated_bytes(tmp_path / "none") == 0


def test_vocabularies_of_their_own_for_both_sides_are_whole(tmp_path: Path) -> None:
    assert firefox.missing(folder_of(tmp_path / "en-ja", model=2 * MB, srcvocab=MB, trgvocab=MB)) is None


@needs_models
@pytest.mark.parametrize("kind", ["model", "vocab", "lex"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "en-pt"
    shutil.copytree(EN_PT, folder)
    damaged = firefox.files(folder)[kind]
    with damaged.open("r+b") as file:
        file.truncate(damaged.stat().st_size * 2 // 3)
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        Firefox(folder, languages.get("pt"))
    capfd.readouterr()  # a panic of the library prints itself


# --- fetching ----------------------------------------------------------------------------------------------------


def record(pair: str, path: Path) -> dict[str, object]:
    """Return the record of a file as Mozilla's Remote Settings have it (collection translations-models-v2)."""
    content = path.read_bytes()
    source, target = pair.split("-")
    return {
        "name": path.name,
        "schema": 1,
        "version": "3.0",
        "fileType": path.name.partition(".")[0],
        "attachment": {
            "hash": "0" * 64,
            "size": len(content),
            "filename": f"{path.name}.zst",
            "location": f"main-workspace/translations-models-v2/{path.name}.zst",
            "mimetype": "application/zstd",
        },
        "architecture": "tiny",
        "sourceLanguage": source,
        "targetLanguage": target,
        "decompressedHash": hashlib.sha256(content).hexdigest(),
        "decompressedSize": len(content),
        "filter_expression": "",
        "id": path.name,
        "last_modified": 1,
    }


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, Path]], None]]:
    """Serve records, of directions and their folders, to the library, whose cache is empty and of our own."""
    bodies: list[bytes] = [b"nothing yet"]

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(bodies[-1])))
            self.end_headers()
            self.wfile.write(bodies[-1])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def publish(pairs: dict[str, Path]) -> None:
        records = [record(pair, path) for pair, folder in pairs.items() for path in firefox.files(folder).values()]
        bodies.append(json.dumps({"data": records}).encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("FXTRANSLATE_RECORDS_URL", f"http://127.0.0.1:{server.server_port}/records")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # whoever goes out all the same gets nowhere
    yield publish
    server.shutdown()
    server.server_close()


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Whole files of a direction, in the library's own cache: what it verifies and does not download again."""
    folder = tmp_path / "cache" / "fxtranslate" / "models" / "en-es"
    folder_of(folder, model=2 * MB, vocab=MB, lex=MB)
    return folder


Publish = Callable[[dict[str, Path]], None]


def test_a_direction_is_fetched_once_and_verified_by_the_library(
    tmp_path: Path, published: Publish, theirs: Path
) -> None:
    published({"en-es": theirs})
    told: list[str] = []
    folder = tmp_path / "models" / "en-es"
    fetch = functools.partial(firefox.fetch, *pair("en", "es"), folder, told.append, Cancel())
    fetch()
    assert firefox.files(folder).keys() == {"model", "vocab", "lex"}
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"en-es", ".en-es.lock"}
    assert told[-1] == "Firefox's model from English to Spanish is here now."
    published({})
    fetch()
    assert told[-1] == "Firefox's model from English to Spanish is here already."


def test_of_two_who_fetch_the_same_direction_one_does_and_the_other_waits(
    tmp_path: Path, published: Publish, theirs: Path
) -> None:
    published({"en-es": theirs})
    told: list[str] = []
    folder = tmp_path / "models" / "en-es"
    threads = [
        threading.Thread(target=firefox.fetch, args=(*pair("en", "es"), folder, told.append, Cancel()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert firefox.missing(folder) is None
    assert sum(sentence.startswith("Downloading") for sentence in told) == 1


def test_a_folder_left_half_is_made_anew(tmp_path: Path, published: Publish, theirs: Path) -> None:
    published({"en-es": theirs})
    folder = folder_of(tmp_path / "models" / "en-es", model=100)
    told: list[str] = []
    firefox.fetch(*pair("en", "es"), folder, told.append, Cancel())
    assert firefox.missing(folder) is None
    assert "en-es was left half made: it is made again." in told


def test_a_file_that_is_not_what_the_record_says_is_not_taken(tmp_path: Path, published: Publish, theirs: Path) -> None:
    published({"en-es": theirs})
    with firefox.files(theirs)["model"].open("r+b") as file:
        file.write(b"damaged")
    with pytest.raises(ModelUnavailable, match="from English to Spanish cannot be downloaded: "):
        firefox.fetch(*pair("en", "es"), tmp_path / "models" / "en-es", quiet, Cancel())
    assert {path.name for path in (tmp_path / "models").iterdir()} == {".en-es.lock"}


def test_a_direction_that_nobody_publishes_is_an_error_and_no_way_round_is_taken(
    tmp_path: Path, published: Publish, theirs: Path
) -> None:
    published({"en-es": theirs, "fr-en": theirs})
    with pytest.raises(LanguageError, match="from Spanish to English cannot be had: Mozilla publishes none"):
        firefox.fetch(*pair("es", "en"), tmp_path / "es-en", quiet, Cancel())


@pytest.mark.parametrize(("source", "target"), [("es", "fr"), ("en", "en")])
def test_only_directions_to_or_from_english_can_be_fetched(tmp_path: Path, source: str, target: str) -> None:
    with pytest.raises(LanguageError, match="firefox:es-en or firefox:en-es"):
        firefox.fetch(*pair(source, target), tmp_path / "x", quiet, Cancel())


@pytest.mark.usefixtures("published")
def test_records_that_are_none_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be downloaded: invalid JSON"):
        firefox.fetch(*pair("en", "es"), tmp_path / "en-es", quiet, Cancel())


def test_where_downloads_are_forbidden_nothing_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"to Spanish is not here, and HF_HUB_OFFLINE allows no downloads\."):
        firefox.fetch(*pair("en", "es"), tmp_path / "en-es", quiet, Cancel(), "HF_HUB_OFFLINE allows no downloads")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        firefox.fetch(*pair("en", "es"), tmp_path / "file" / "en-es", quiet, Cancel())


def test_a_cancelled_fetch_leaves_nothing(tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        firefox.fetch(*pair("en", "es"), tmp_path / "models" / "en-es", quiet, cancel)
    assert {path.name for path in (tmp_path / "models").iterdir()} == {".en-es.lock"}


# --- vocabularies ------------------------------------------------------------------------------------------------


def by_characters(known: str) -> Source:
    """Read with a vocabulary of these characters, each a token."""
    return Source(lambda text: [1 if char in known else UNKNOWN for char in text], 10)


ASCII = "".join(map(chr, range(32, 127)))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "<plain>"),
        ("it’s – so", "<it's - so>"),
        ("¡Olé!", "<Olé!>"),
        ("Zoë met Zoe", "<Zoë met Zoë>"),
        ("£5 and £6", "<£5 and £6>"),
        ("£5 and €6", "£5 <and> €6"),
        ("€5 or $6", "€5 <or $6>"),
        ("a 🍎b", "<a> 🍎 <b>"),
        ("日本 is Japan", "日本 <is Japan>"),
        ("日本", "日本"),
        ("mail 日@x.y now", "<mail> 日@x.y <now>"),
    ],
)
def test_words_are_put_as_the_vocabulary_has_them_and_taken_back(text: str, wanted: str) -> None:
    assert by_characters(ASCII).translated(text, lambda run: f"<{run}>") == wanted


def test_a_character_that_the_vocabulary_has_is_left_alone() -> None:
    assert by_characters(ASCII + "¿ñ“").translated("¿“año”?", lambda run: run) == '¿“año"?'
