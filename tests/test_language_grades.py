"""How good a dub into each language is said to be: by the engines' own facts, and by the routes that were measured."""

from __future__ import annotations

from vt import languages
from vt.engines import apertium, espeak, firefox, kokoro, nllb
from vt.engines.translation_routes import Hop
from vt.models.language_grades import Grade, LanguageGrade, graded
from vt.models.language_support import Offer
from vt.ui import fragments
from vt.ui.words import Words

ENGINES = {one.name: one for one in (apertium.INFO, espeak.INFO, firefox.INFO, kokoro.INFO, nllb.INFO)}
HOPS = {Hop("apertium", "en", "ca"), Hop("apertium", "en", "es"), Hop("firefox", "en", "pt")}
BY_RULES, NEURAL = ("firefox", "apertium"), ("nllb", "firefox", "apertium")


def offer(code: str, to: tuple[str, ...], speak: tuple[str, ...]) -> Offer:
    return Offer(languages.get(code), translate_to=to, speak=speak)


def test_voices_and_translations_are_graded_and_the_best_come_first() -> None:
    english = Offer(languages.ENGLISH, translate_from=BY_RULES, translate_to=BY_RULES, speak=("kokoro",))
    offers = [
        english,
        offer("ca", ("apertium",), ("espeak-ng",)),
        offer("es", ("apertium",), ("kokoro", "espeak-ng")),
        offer("pt", BY_RULES, ("kokoro", "espeak-ng")),
        offer("de", (), ("espeak-ng",)),
        offer("it", ("apertium",), ()),
        offer("yi", ("nllb",), ("espeak-ng",)),
    ]
    assert graded(offers, ENGINES, HOPS, "en") == [
        LanguageGrade("pt", Grade.GOOD, Grade.GOOD),
        LanguageGrade("es", Grade.GOOD, Grade.ROUGH),
        LanguageGrade("ca", Grade.ROUGH, Grade.FAIR),
    ]


def test_an_engine_that_comes_first_and_knows_no_routes_is_what_translates() -> None:
    english = Offer(languages.ENGLISH, translate_from=NEURAL)
    found = graded([english, offer("es", NEURAL, ("espeak-ng",))], ENGINES, HOPS, "en")
    assert found == [LanguageGrade("es", Grade.ROUGH, Grade.GOOD)]


def test_the_page_says_it_in_words_and_in_the_readers_language() -> None:
    grades = [LanguageGrade("es", Grade.GOOD, Grade.ROUGH), LanguageGrade("ca", Grade.GOOD, Grade.ROUGH)]
    said = fragments.languages_here(Words("de"), grades)
    assert "<dt>Natürliche Stimme, grobe Übersetzung</dt><dd>Katalanisch, Spanisch</dd>" in said
    assert fragments.languages_here(Words("en"), []) == ""
