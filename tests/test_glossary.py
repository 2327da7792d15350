"""Glossaries: how files are read, where terms are found, and how every translator is made to hold to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.asking import pair
from tests.test_firefox import EN_PT, needs_models
from vt import languages
from vt.domain import NO_EDITS, Cancel, Edit, Edits, Segment
from vt.dubbing import glossing
from vt.dubbing.glossing import Glossing
from vt.dubbing.report import GlossaryUse, TermNotHeld
from vt.engines.apertium import Apertium
from vt.engines.firefox import Firefox
from vt.engines.protocols import Translator
from vt.errors import GlossaryError, GlossaryTooLarge
from vt.text.glossary import plurals, reading
from vt.text.glossary.matching import Finder, lost

# Reading


def entries(text: str) -> list[tuple[str, str, str]]:
    return [(one.source, one.target, one.language.code if one.language else "") for one in reading.read(text.encode())]


@pytest.mark.parametrize(
    "text",
    [
        "cluster,grupo,es\nKubernetes\n",
        "\ufeffcluster;grupo;es\r\nKubernetes;;\r\n",
        "source\ttarget\tlanguage\ncluster\tgrupo\tes\n\nKubernetes\tKubernetes\t\n",
        '"Term","Translation"\n"cluster","grupo","es"\n"Kubernetes",""',
        "  cluster , grupo , Spanish\nKubernetes, ,\n",
    ],
)
def test_files_are_read_with_any_separator_with_or_without_a_header_or_a_byte_order_mark(text: str) -> None:
    assert entries(text) == [("cluster", "grupo", "es"), ("Kubernetes", "Kubernetes", "")]


def test_a_comma_may_be_part_of_a_term() -> None:
    assert entries("Hello, world;Hola, mundo") == [("Hello, world", "Hola, mundo", "")]
    assert entries('"Hello, world","Hola, mundo"') == [("Hello, world", "Hola, mundo", "")]


def test_formulas_and_signs_are_terms_as_any_other() -> None:
    text = "=SUM(A1),=SUMA(A1)\n+1,más uno\n@home,en casa\nC++\n.NET\n"
    assert [row[0] for row in entries(text)] == ["=SUM(A1)", "+1", "@home", "C++", ".NET"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no term"),
        (b"source,target\n", "holds no term"),
        (b"cat,gato\nd\xf3g,perro\n", "Line 2 of the glossary is not in UTF-8"),
        ("cat,gato\n".encode("utf-16"), "Line 1 of the glossary is not in UTF-8"),
        (b"cat,gato\na,b,es,more\n", "Line 2 of the glossary has 4 columns"),
        (b"cat,gato\n\n,perro\n", "Line 3 of the glossary has a translation, but no term"),
        (b"cat," + b"x" * 101, "Line 1 of the glossary is too long: 100 characters"),
        (b"cat,gato\ndog\x00,perro\n", "Line 2 of the glossary holds a sign that is no text"),
        (b'cat,gato\n"big\ndog",perro\n', "Line 2 of the glossary holds a sign that is no text"),
        ("cat,\u202eotag\n".encode(), "Line 1 of the glossary holds a sign that is no text"),
        (b"***,\n", r"Line 1 of the glossary: \*\*\* holds no letter"),
        (b"cat,gato,klingonish\n", "Line 1 of the glossary names a language that is not known: klingonish"),
        (b'cat,gato\n"dog,perro\n', "Line 2 of the glossary cannot be read: a quotation mark"),
        (b'cat,gato\n"dog" x,perro\n', "Line 2 of the glossary cannot be read: a quotation mark"),
        (b"cat,gato\ndog,perro\nCat,minino\n", "Line 3 of the glossary translates Cat otherwise than line 1"),
        (b"".join(b"t%d,x\n" % n for n in range(1001)), "more than 1000 terms: line 1001"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_the_number_of_the_line(content: bytes, said: str) -> None:
    with pytest.raises(GlossaryError, match=said):
        reading.read(content)


def test_a_file_that_is_too_large_or_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "terms.csv"
    file.write_bytes(b"x" * (reading.MOST_BYTES + 1))
    with pytest.raises(GlossaryTooLarge, match="64 KiB"):
        glossing.read(file)
    with pytest.raises(GlossaryError, match="cannot be read"):
        glossing.read(tmp_path / "no.csv")
    with pytest.raises(GlossaryError, match="cannot be read"):
        glossing.read(tmp_path)
    assert glossing.read(None) == ()


def test_the_same_line_twice_is_one_term_and_a_language_goes_before_all_languages() -> None:
    read = reading.read(b"cat,gato\ncat,gato\ncat,chat,fr\n")
    assert [one.line for one in read] == [1, 3]
    assert [one.target for one in reading.of_language(read, languages.get("fr"))] == ["chat"]
    assert [one.target for one in reading.of_language(read, languages.get("pt"))] == ["gato"]


# Finding


def found(terms: str, text: str, code: str = "en") -> list[str]:
    return [match.text for match in Finder(reading.read(terms.encode()), languages.get(code)).matches(text)]


@pytest.mark.parametrize(
    ("terms", "text", "wanted"),
    [
        (
            "cat",
            "Concatenate a cat, cats, CATS, a cat's tail; scatter Cat.",
            ["cat", "cats", "CATS", "cat", "Cat"],
        ),
        ("box\nbus", "Boxes and buses, a box.", ["Boxes", "buses", "box"]),
        ("library", "Libraries, a library; librarian.", ["Libraries", "library"]),
        ("C++\nC#\nC\n.NET", "C, C++, C# and .NET; not ASP.NET or C++11.", ["C", "C++", "C#", ".NET"]),
        ("machine\nmachine learning\nlearning", "Machine  learning, machines.", ["Machine  learning", "machines"]),
        ("don't", "Don’t, don't.", ["Don’t", "don't"]),
        ("cafe\u0301", "A café and a CAFÉ", ["café", "CAFÉ"]),
        ("IT\nPC", "IT is it. PCs, a pc.", ["IT", "PCs"]),
        ("(x|y)", "Take (x|y), not x.", ["(x|y)"]),
        ("a.c", "abc a.c", ["a.c"]),
    ],
)
def test_terms_are_found_at_the_borders_of_words_in_any_case_and_in_the_plural(
    terms: str, text: str, wanted: list[str]
) -> None:
    assert found(terms, text) == wanted


def test_neither_spaces_nor_apostrophes_make_a_plural() -> None:
    matches = Finder(reading.read(b"don't know,ni idea"), languages.ENGLISH).matches("I don’t  know.")
    assert [(match.is_plural, match.put("es")) for match in matches] == [(False, "ni idea")]


def test_scripts_without_spaces_have_no_borders_and_marks_are_part_of_words() -> None:
    assert found("猫", "黒猫が好き", "ja") == ["猫"]
    assert found("고양이", "고양이는 귀엽다", "ko") == ["고양이"]
    assert found("कि", "किताब कि", "hi") == ["कि"]
    assert found("قط", "قط والقطة", "ar") == ["قط"]
    assert found("gato", "gatos", "es") == []  # plurals are known of English alone


def test_a_thousand_terms_are_looked_for_quickly_in_a_long_text() -> None:
    finder = Finder(reading.read("\n".join(f"term{n} of art" for n in range(1000)).encode()), languages.ENGLISH)
    assert len(finder.matches("word " * 20_000 + "term7 of art")) == 1


@pytest.mark.parametrize(
    ("code", "terms"),
    [
        ("es", "luz:luces camión:camiones crisis:crisis imagen:imágenes red|neuronal:redes|neuronales PC:PC"),
        ("es", "centro|de|datos:centros|de|datos clúster:clústeres orden:órdenes robot:robots"),
        ("fr", "réseau:réseaux cheval:chevaux festival:festivals nez:nez mise|à|jour:mises|à|jour"),
        ("pt", "função:funções nuvem:nuvens papel:papéis pão:pão túnel:túneis espanhol:espanhóis"),
        ("it", "gatto:gatti amico:amico rete:reti banca:banche problema:problema città:città"),
        ("de", "Lösung:Lösungen Katze:Katze"),
        ("ja", "猫:猫"),
    ],
)
def test_plurals_are_made_where_the_rules_are_sure(code: str, terms: str) -> None:
    pairs = [term.replace("|", " ").split(":") for term in terms.split()]
    assert [[one, plurals.plural(one, code)] for one, _ in pairs] == pairs


def test_what_a_translation_holds_is_counted_by_words_in_any_form() -> None:
    spanish = languages.get("es")
    matches = Finder(reading.read(b"cat,gato\nwild cat,gato salvaje"), languages.ENGLISH).matches("A cat, a wild cat.")
    assert not lost(matches, "Gatos y un gato salvaje.", spanish)
    assert [one.target for one in lost(matches, "Un gato salvaje.", spanish)] == ["gato"]
    assert [one.target for one in lost(matches, "Un gatopardo, un gato salvaje.", spanish)] == ["gato"]


# Holding


class Scripted:
    """Translates word by word, and treats marks as it is told."""

    def __init__(self, spoils: Callable[[str], str] = lambda text: text) -> None:
        self.asked: list[str] = []
        self._spoils = spoils

    def ask(self, texts: Sequence[str], lines: Sequence[int]) -> list[str]:
        assert len(texts) == len(lines)
        self.asked += texts
        return [self._spoils(self._translated(text)) for text in texts]

    def _translated(self, text: str) -> str:
        for word, said in (("cat", "minino"), ("The", "El"), ("sleep", "duerme")):
            text = text.replace(word, said)
        return text


def held(terms: str, sources: list[str], engine: Scripted, target: str = "es") -> list[str]:
    return Glossing.of(reading.read(terms.encode()), *pair("en", target)).translated(sources, engine.ask)


FIRST, SECOND = (mark.format(1) for mark in glossing.MARKS)


def test_a_translator_that_has_the_term_is_asked_once() -> None:
    engine = Scripted(lambda text: text.replace("minino", "gato"))
    assert held("cat,gato", ["The cat sleeps.", "Nothing here."], engine) == ["El gato duermes.", "Nothing here."]
    assert engine.asked == ["The cat sleeps.", "Nothing here."]


def test_a_term_gets_a_mark_that_the_translator_leaves_alone_in_the_lines_that_need_it() -> None:
    engine = Scripted()
    assert held("cat,gato", ["The cats sleep.", "Nothing here."], engine) == ["El gatos duerme.", "Nothing here."]
    assert engine.asked == ["The cats sleep.", "Nothing here.", f"The {FIRST} sleep."]


@pytest.mark.parametrize("spoilt", ["", f"{FIRST} {FIRST}", FIRST.replace("1", "7")])
def test_a_mark_that_was_lost_or_doubled_is_followed_by_another_kind_of_mark(spoilt: str) -> None:
    engine = Scripted(lambda text: text.replace(FIRST, spoilt))
    assert held("cat,gato", ["The cat sleep."], engine) == ["El gato duerme."]
    assert engine.asked[1:] == [f"The {FIRST} sleep.", f"The {SECOND} sleep."]


def test_where_no_mark_is_left_the_line_is_cut_at_its_terms() -> None:
    engine = Scripted(lambda text: f"{text.rstrip('.').replace(FIRST, '').replace(SECOND, '').strip().capitalize()}.")
    assert held("cat,gato", ["The cat sleep here.", "Cats!"], engine) == ["El gato duerme here.", "Gatos!"]
    assert engine.asked[-2:] == ["The", "sleep here."]


def test_what_belongs_to_a_term_is_not_joined_to_it_where_the_line_is_cut() -> None:
    engine = Scripted(lambda text: re.sub(r"X1Q|\{1\}", "", text.replace("'s", "ha")))
    assert held("cat,gato\ndog,perro", ["The cat's tail.", "The dogs’ tails."], engine) == [
        "El gato tail.",
        "El perros tails.",
    ]


def test_decomposed_letters_are_those_of_the_glossary() -> None:
    assert held("café,cafetería", ["The cafe\u0301 sleep."], Scripted()) == ["El cafetería duerme."]


def test_an_acronym_is_not_held_by_a_word_of_the_same_letters() -> None:
    engine = Scripted(lambda text: text.replace("IT", "ti"))
    assert held("IT,TI", ["The IT sleep."], engine) == ["El TI duerme."]


def test_a_mark_is_never_one_that_stands_in_the_text() -> None:
    assert held("cat,gato", [f"The cat {FIRST} sleep."], Scripted()) == [f"El gato {FIRST} duerme."]


def test_of_two_terms_one_may_be_had_and_the_other_not() -> None:
    """Nothing comes back of marks and parts: the plain translation stays, which holds one of them."""
    sources = ["The cat and the fish sleep."]

    def ask(texts: Sequence[str], lines: Sequence[int]) -> list[str]:
        del lines
        return ["El gato y el pescado." if text in sources else "pez" * ("fish" in text) for text in texts]

    glossed = Glossing.of(reading.read(b"cat,gato\nfish,pez"), *pair("en", "es"))
    assert glossed.translated(sources, ask) == ["gato pez"]
    segments = [Segment(0, 0.0, 1.0, sources[0]), Segment(1, 1.0, 2.0, "A dog.")]
    use = glossed.use(segments, ["El gato y el pescado.", "Un perro."], NO_EDITS)
    assert use == GlossaryUse(2, (), (TermNotHeld("fish", "pez", (0,)),))


def test_terms_of_no_line_are_listed_and_lines_that_somebody_wrote_are_not_counted() -> None:
    glossed = Glossing.of(reading.read(b"cat,gato\nfish,pez\nbird,ave"), *pair("en", "es"))
    segments = [Segment(0, 0.0, 1.0, "A cat."), Segment(1, 1.0, 2.0, "A fish.")]
    written = Edits({0: Edit(text="Minino.")})
    assert glossed.use(segments, ["Minino.", "Un pez."], written) == GlossaryUse(3, ("cat", "bird"), ())
    assert Glossing.of((), *pair("en", "es")).use(segments, ["", ""], NO_EDITS) is None


def test_a_line_that_is_in_the_target_language_already_holds_no_term() -> None:
    said = "Ayer por la tarde no había nadie en la casa de mi abuela."
    glossed = Glossing.of(reading.read(b"casa,mansi\xc3\xb3n"), *pair("en", "es"))
    use = glossed.use([Segment(0, 0.0, 1.0, said)], [said], NO_EDITS)
    assert use == GlossaryUse(1, ("casa",), ())


@pytest.mark.parametrize(
    ("terms", "source", "wanted"),
    [
        ("cat,gato", "CAT sleep", "GATO duerme"),
        ("cat,gato", "Cats sleep", "Gatos duerme"),
        ("iPhone", "IPHONE sleep", "IPHONE duerme"),
        ("iPhone", "An iphone sleep", "An iPhone duerme"),
        ("cat,المجموعة", "The cat sleep", "El المجموعة duerme"),
    ],
)
def test_capitals_of_the_source_are_carried_over(terms: str, source: str, wanted: str) -> None:
    assert held(terms, [source], Scripted(), "ar" if "ا" in terms else "es") == [wanted]


@pytest.mark.parametrize(
    ("code", "term"), [("ar", "العنقود"), ("hi", "गुच्छा"), ("ja", "ビジュアル スタジオ"), ("he", "אשכול")]
)
def test_scripts_of_all_directions_hold_terms_however_they_touch_their_neighbours(code: str, term: str) -> None:
    def ask(texts: Sequence[str], lines: Sequence[int]) -> list[str]:
        del lines
        return [text.replace("The ", "و").replace(" sleeps", "は") for text in texts]

    glossed = Glossing.of(reading.read(f"cat,{term}".encode()), *pair("en", code))
    (text,) = glossed.translated(["The cat sleeps."], ask)
    assert term in text
    assert FIRST not in text


# Real translators

TERMS = """
cluster,grupazo
Kubernetes
pod,vaina
node,nodal
pipeline,flujal
Apache Kafka
C++
.NET
firewall,cortafuegos
commit,confirmada
branch,ramal
merge request,petición de fusión
container,contenedor
load balancer,repartidor de carga
cache,antememoria
San Miguel
house,caserón
ship,navío
river,riachuelo
teacher,docente
"""
FRAMES = ("The {} is very old.", "We talked about the {} yesterday.", "Nobody knows where the {} goes.")
SENTENCES = [FRAMES[n % 3].format(term.split(",")[0]) for n, term in enumerate(TERMS.strip().splitlines())]
SENTENCES += ["The teacher saw the house and the ship.", "CLUSTERS AND PODS FAIL", "Houses need teachers."]


def lost_of(engine: Translator, target: str) -> list[str]:
    """Return which terms an engine loses, with its translations."""
    glossed = Glossing.of(reading.read(TERMS.encode()), *pair("en", target))
    texts = glossed.translated(SENTENCES, lambda told, _: list(engine.translate(told, Cancel())))
    finder = glossed.finder
    rows = zip(SENTENCES, texts, strict=True)
    return [f"{one.source}: {text}" for said, text in rows for one in lost(finder.matches(said), text, glossed.target)]


def test_a_glossary_of_twenty_terms_holds_in_apertium() -> None:
    assert lost_of(Apertium("eng-spa"), "es") == []


@needs_models
def test_a_glossary_of_twenty_terms_holds_in_firefox() -> None:
    engine = Firefox(EN_PT, languages.get("pt"))
    try:
        assert lost_of(engine, "pt") == []
    finally:
        engine.close()
