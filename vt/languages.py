"""The language table: one row a language, its names, and the code that each engine knows it by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vt.errors import LanguageError
from vt.translatable import LanguageName

AUTO = "auto"
"""Stands for a language in what users give, where it is to be found out."""

_TABLE = Path(__file__).with_name("languages.tsv")
_LONGEST = 80
"""No name or tag in the table is longer: what is longer is not worth comparing with it."""
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})+")
_FLORES = re.compile(r"[a-z]{3}-[a-z]{4}")
_SHARED = {"hbs": "hr", "zh": "zh"}
"""The owners of codes that several rows share. Serbo-Croatian is Croatian, as espeak-ng has it."""
_NAMED = {"ENGLISH": "en", "SPANISH": "es"}
"""The rows that have a name in this module."""


@dataclass(frozen=True, slots=True)
class Language(LanguageName):
    """One language, in one script. An empty code means that the engine does not know it."""

    iso639_3: str
    """The tag for tracks in media files: ISO 639-2/T, or 639-3 where that has none."""
    native_name: str
    """In the language itself where that is known, else in English."""
    whisper: str
    """Shared by the scripts of a language: it is what is heard."""
    flores: str
    """The FLORES-200 code that NLLB takes."""
    mms: str
    """The MMS-TTS code."""
    espeak: str
    """The espeak-ng voice."""
    apertium: tuple[str, ...]
    """All codes by which Apertium's pairs call it, best first: a pair `a-b` may use any of them."""
    aliases: tuple[str, ...] = ()
    """Other codes and names that a look-up accepts."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:  # noqa: ANN401 (pydantic's own types)
        """Let pydantic keep a language as its code, and read it from that."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _kept, serialization=core_schema.plain_serializer_function_ser_schema(attrgetter("code"))
        )


if TYPE_CHECKING:
    ALL: tuple[Language, ...]
    ENGLISH: Language
    SPANISH: Language
else:

    def __getattr__(name: str) -> tuple[Language, ...] | Language:
        """`ALL` and single rows, read at their first use, so that importing this module costs nothing."""
        if name == "ALL":
            return _table()
        if name in _NAMED:
            return get(_NAMED[name])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get(code_or_name: str) -> Language:
    """Return the language of a code (BCP 47, ISO 639, FLORES) or of an English or native name, in any case.

    Raises:
        LanguageError: there is none; the sentence names the nearest.
    """
    found = find(code_or_name)
    if found is None:
        raise LanguageError(_unknown(code_or_name))
    return found


def find(code_or_name: str) -> Language | None:
    """Return the language that `get` returns; None where there is none."""
    key = _key(code_or_name)
    return _index().get(key) or _by_tag(key)


def spoken(code_or_name: str) -> Language | None:
    """Return the language that a film is said to speak; None where it is to be found out (`auto`)."""
    return None if code_or_name.strip().lower() == AUTO else get(code_or_name)


def name_in(code: str, reader: str) -> str:
    """Return the name that a language has in the reader's, who is named by a code too."""
    import langcodes

    return str(langcodes.Language.get(code).display_name(reader))


def by_whisper(code: str) -> Language | None:
    """Return the language that Whisper calls by this code."""
    return _whisper_index().get(code)


def by_apertium(code: str) -> Language | None:
    """Return the language that Apertium's pairs call by this code; their names hold other words, too."""
    return _apertium_index().get(code)


@cache
def _table() -> tuple[Language, ...]:
    """Read all rows, in order of their codes."""
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    return tuple(_row(line) for line in lines[1:])


def _row(line: str) -> Language:
    """Read one line of the table."""
    code, iso639_3, name, native, whisper, flores, mms, espeak, apertium, aliases = line.split("\t")
    others = tuple(aliases.split("; ")) if aliases else ()
    return Language(code, name, iso639_3, native, whisper, flores, mms, espeak, tuple(apertium.split()), others)


@cache
def _index() -> dict[str, Language]:
    """Map what a look-up accepts to rows. Codes win over names: `ga` is Irish, not the Ga language."""
    index: dict[str, Language] = {}
    for words in (_codes, _aliases, _names):
        for language in _table():
            for word in words(language):
                index.setdefault(_key(word), language)
    return index


def _codes(language: Language) -> Iterator[str]:
    """Yield the codes of a row that any user may type."""
    yield language.code
    yield language.iso639_3
    if language.flores:
        yield language.flores
        # The bare first half is free to take: a second script's row comes after the default one's.
        yield language.flores.partition("_")[0]


def _aliases(language: Language) -> Iterator[str]:
    """Yield further codes and names of a row."""
    yield from language.aliases


def _names(language: Language) -> Iterator[str]:
    """Yield the names of a row."""
    yield language.name
    yield language.native_name


@cache
def _whisper_index() -> dict[str, Language]:
    """Map Whisper's codes to rows."""
    index = {language.whisper: language for language in _table() if language.whisper}
    return index | _owners(index)


@cache
def _apertium_index() -> dict[str, Language]:
    """Map Apertium's codes to rows."""
    index = {code: language for language in _table() for code in language.apertium}
    return index | _owners(index)


def _owners(index: dict[str, Language]) -> dict[str, Language]:
    """Find the owners of those shared codes that an index has."""
    return {code: _index()[owner] for code, owner in _SHARED.items() if code in index}


def _key(text: str) -> str:
    """Return the form in which words are compared: neither case, width, spacing nor `_` for `-` matter."""
    if len(text) > _LONGEST:
        return ""
    if not text.isprintable():  # a byte order mark or zero-width space, pasted along and invisible
        text = "".join(char for char in text if char.isprintable() or char.isspace())
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("_", "-").split())


def _by_tag(key: str) -> Language | None:
    """Find the row of a tag with more in it than the table needs: `pt-br`, `zh-tw`, `en-latn-us`."""
    if not _TAG.fullmatch(key):
        return None
    import langcodes

    try:
        tag = langcodes.Language.get(key)
    except ValueError:
        return None
    plain = _index().get(tag.language or "")
    if plain is None:
        return None
    other_script = _index().get(f"{plain.code}-{tag.maximize().script}".casefold())
    # A script that the table does not have is an error: the answer would come in another one.
    return other_script or (plain if tag.script in (None, *_scripts(plain)) else None)


def _kept(code: Any) -> Language:  # noqa: ANN401 (whatever a file holds)
    """Return the language that was kept as its code."""
    found = find(code) if isinstance(code, str) else None
    if found is None:
        raise ValueError("no code of a language")
    return found


def _scripts(language: Language) -> tuple[str | None, ...]:
    """Name the script of a row as NLLB and as langcodes do (Hang and Kore)."""
    import langcodes

    return language.flores.partition("_")[2], langcodes.Language.get(language.code).maximize().script


def _unknown(text: str) -> str:
    """Compose the sentence on an unknown language, with the nearest choices."""
    shown = _shown(text)
    if not shown:
        return "No language was given: use a code or a name, such as es or Spanish."
    near = [f"{language.code} ({language.name})" for language in _near(shown)]
    if not near:
        return f'Unknown language "{shown}": use a code or a name, such as es or Spanish.'
    last = " or ".join([", ".join(near[:-1]), near[-1]] if len(near) > 1 else near)
    return f'Unknown language "{shown}". Did you mean {last}?'


def _shown(text: str) -> str:
    """Make what was typed fit to be quoted in a sentence: short, printable, in one line, without quotes."""
    clean = "".join(char if char.isprintable() and char not in '"`\\' else " " for char in text[: 4 * _LONGEST])
    clean = " ".join(clean.split())
    return clean if len(clean) <= 40 else f"{clean[:39].rstrip()}…"


def _near(text: str, most: int = 3) -> list[Language]:
    """Find the languages whose codes or names are most like the text; more so those that most engines know."""
    import difflib

    key = _key(text)
    ranked: dict[Language, float] = dict.fromkeys(_meant(key), 1.2)
    words = [word for word in _index() if not _FLORES.fullmatch(word)]
    for word in difflib.get_close_matches(key, words, n=20, cutoff=0.65):
        language = _index()[word]
        score = difflib.SequenceMatcher(None, word, key).ratio() + 0.03 * _known_by(language)
        ranked[language] = max(score, ranked.get(language, 0.0))
    worth = max(ranked.values(), default=0.0) - 0.2
    best_first = sorted(ranked, key=lambda language: -ranked[language])
    return [language for language in best_first if ranked[language] >= worth][:most]


def _known_by(language: Language) -> int:
    """Count the engines that know the language."""
    cells = (language.whisper, language.flores, language.mms, language.espeak, language.apertium)
    return sum(map(bool, cells))


def _meant(key: str) -> list[Language]:
    """Guess what a tag in a foreign script (`sr-latn`) or a country's code (`jp`, `cz`) stands for."""
    if _TAG.fullmatch(key):
        code = key.partition("-")[0]
    elif re.fullmatch("[a-z]{2}", key):
        import langcodes

        code = langcodes.Language.make(territory=key.upper()).maximize().language or ""
        # English is what langcodes answers where there is no such country.
        code = "" if code == "en" else code
    else:
        return []
    return [_index()[code]] if code in _index() else []
