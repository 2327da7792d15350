"""Builds vt/languages.tsv from the engines' own lists; run by hand, with another path to only look."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import langcodes
from faster_whisper.tokenizer import _LANGUAGE_CODES as WHISPER
from langcodes.data_dicts import LANGUAGE_ALPHA3_BIBLIOGRAPHIC, NORMALIZED_MACROLANGUAGES

ROOT = Path(__file__).resolve().parent.parent
LISTS = ROOT / "tests" / "data"
COLUMNS = ("code", "iso639_3", "name", "native_name", "whisper", "flores", "mms", "espeak", "apertium", "aliases")

# The voices of espeak-ng 1.51 (Debian 12) that stand for living or learned languages. Left out are the
# languages of fiction (piqd, qdb, qya, sjn), Pyash, regional voices beside a language's main one, and
# voices that read another language's letters (fa-latn). Listed here, not asked for, so that the
# table does not depend on the machine that makes it.
ESPEAK = """
    af am an ar as az ba be bg bn bpy bs ca chr cmn cs cv cy da de el en-us eo es et eu fa fi fr-fr ga gd gn grc
    gu hak haw he hi hr ht hu hy hyw ia id io is it ja jbo ka kk kl kn ko kok ku ky la lb lfn lt ltg lv mi mk ml
    mr ms mt my nb nci ne nl nog om or pa pap pl pt-br qu quc ro ru sd shn si sk sl smj sq sr sv sw ta te th tk
    tn tr tt ug uk ur uz vi yue
"""

# The codes in the names of the main modes of Debian 12's Apertium pairs. Each pair has chosen its own,
# so a language has up to two. Underscored variants are left out, but for the three standards of
# Serbo-Croatian, which are languages of their own everywhere else.
APERTIUM = """
    afr arg ast bel br bul ca cat dan en eng eo es eu fr fra frp gl hbs_BS hbs_HR hbs_SR hin ind isl ita mkd nld
    nno nob oc oci pol por pt ro rus slv spa srd swe szl ukr urd zlm
"""
SERBO_CROATIAN = {"hbs_BS": "bs", "hbs_HR": "hr", "hbs_SR": "sr"}

# Where a language has several voices, the one of the country that CLDR names first (en-US, fr-FR, pt-BR).
# For Portuguese it also goes with what NLLB and MMS have mostly learned from: Brazilian texts.
VOICES = {"en-us": "en", "fr-fr": "fr", "pt-br": "pt", "cmn": "zh", "nb": "no"}

# A member of a macrolanguage shares the macrolanguage's row where CLDR takes it for the standard form
# and there is an ISO 639-1 code to gain. These go beyond CLDR, or against it:
FOLDED = {
    "fuv": "ff",  # the only Fula in FLORES, and MMS has but `ful`
    "nb": "no",  # Whisper, media files and CLDR say `no` for Bokmål
    "pbt": "ps",  # the only Pashto in FLORES
    "quy": "qu",  # the only Quechua in FLORES; CLDR's choice, quz, has its own row
    "tgl": "tl",  # langcodes says `fil`, which is longer
    "zlm": "ms",  # MMS and Apertium mean Malay at large
}
# langcodes folds these, and the engines tell them apart.
OWN_ROW = ("ajp", "prs", "quz", "tw")
OLD_CODES = {"jw": "jv"}  # Whisper's

# The second scripts of a language in FLORES; the first, named here, has the bare code.
FIRST_SCRIPTS = {"ace": "Latn", "bjn": "Latn", "kas": "Arab", "knc": "Latn", "taq": "Latn", "zho": "Hans"}

# Names and codes in use beside those of CLDR and of the standards.
ALIASES = {
    "bn": "Bangla",
    "ca": "Valencian",
    "ckb": "Sorani",
    "el": "Modern Greek",
    "es": "Castilian; Castellano",
    "fa": "Farsi",
    "ff": "Nigerian Fulfulde",
    "gd": "Gaelic",
    "he": "iw",
    "ht": "Haitian",
    "hy": "Eastern Armenian",
    "id": "in",
    "jv": "jw",
    "km": "Cambodian",
    "ku": "Kurmanji; Northern Kurdish",
    "ky": "Kirghiz",
    "lb": "Letzeburgesch",
    "mi": "Maori",
    "mni": "Meitei",
    "my": "Myanmar",
    "nl": "Flemish",
    "no": "Bokmål; Norwegian Bokmål; Norsk bokmål; nob",
    "ny": "Chichewa; Chewa",
    "or": "Oriya",
    "pa": "Panjabi",
    "prs": "fa-AF; prs-AF",
    "ps": "Pushto",
    "pt": "Brazilian Portuguese",
    "qu": "Ayacucho Quechua",
    "ro": "mo; Moldavian; Moldovan",
    "si": "Sinhalese",
    "sl": "Slovene",
    "st": "Sesotho",
    "tl": "fil; Filipino; Pilipino",
    "tn": "Setswana",
    "ug": "Uighur",
    "yi": "ji",
    "yue": "Yue; Yue Chinese",
    "zh": "Mandarin; Mandarin Chinese; Simplified Chinese; Chinese (Simplified); Chinese (China); 简体中文",
    "zh-Hant": "Traditional Chinese; Chinese (Taiwan); 繁體中文; 正體中文",
}
NAMES = {"bn": "Bengali"}  # where people look for another name than CLDR's

# Where langcodes has no name in the language, or that of a relative.
NATIVE_NAMES = {
    "apc": "شامي",
    "ff": "Fulfulde",
    "jbo": "La .lojban.",
    "jv": "Basa Jawa",
    "ms": "Bahasa Melayu",
    "tw": "Twi",
}


@dataclass
class Row:
    """One line of the table in the making."""

    code: str
    cells: dict[str, str] = field(default_factory=dict)
    apertium: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)

    def put(self, column: str, value: str) -> None:
        """Fill a cell, which nothing else may claim."""
        if column in self.cells:
            raise ValueError(f"{self.code}: {column} is both {self.cells[column]} and {value}")
        self.cells[column] = value

    def has(self, code: str) -> bool:
        """Tell whether the row has this ISO 639-3 code without an alias."""
        return code in (self.cells["iso639_3"], self.cells.get("flores", "").partition("_")[0])

    def line(self) -> str:
        """Write the row as it stands in the file."""
        cells = {**self.cells, "apertium": " ".join(self.apertium), "aliases": "; ".join(self.aliases)}
        return "\t".join([self.code, *(cells.get(column, "") for column in COLUMNS[1:])])


class Rows(defaultdict[str, Row]):
    """The rows by their codes, made when first asked for."""

    def __missing__(self, code: str) -> Row:
        """Add a row."""
        self[code] = Row(code)
        return self[code]


def main() -> None:
    """Write the table."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "vt" / "languages.tsv"
    rows = build()
    lines = ["\t".join(COLUMNS), *(rows[code].line() for code in sorted(rows))]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def build() -> Rows:
    """Build the whole table."""
    rows = Rows()
    add_whisper(rows)
    add_flores(rows)
    for code in read("mms_tts_codes.txt"):
        rows[canonical(code)].put("mms", code)
    for voice in ESPEAK.split():
        rows[VOICES.get(voice, voice)].put("espeak", voice)
    add_apertium(rows)
    # Its speakers hear and speak what those of zh do; only the writing differs.
    rows["zh-Hant"].cells |= {"whisper": "zh", "espeak": "cmn"}
    for row in rows.values():
        describe(row)
    add_aliases(rows)
    return rows


def read(name: str) -> list[str]:
    """Read one of the lists of codes."""
    return (LISTS / name).read_text(encoding="utf-8").split()


def add_whisper(rows: Rows) -> None:
    """Add Whisper's codes, which are ISO 639-1 but for an old one."""
    for code in WHISPER:
        rows[OLD_CODES.get(code, code)].put("whisper", code)


def add_flores(rows: Rows) -> None:
    """Add the FLORES codes; the script shows in our code where a language has two."""
    for code in read("flores200_codes.txt"):
        language, script = code.split("_")
        second = FIRST_SCRIPTS.get(language, script) != script
        rows[canonical(language) + (f"-{script}" if second else "")].put("flores", code)


def add_apertium(rows: Rows) -> None:
    """Add Apertium's codes; the longer one is what newer pairs use, so it goes first."""
    for code in sorted(APERTIUM.split(), key=lambda code: (-len(code), code)):
        rows[SERBO_CROATIAN.get(code) or canonical(code)].apertium.append(code)
    for code in SERBO_CROATIAN.values():
        rows[code].apertium.append("hbs")


def canonical(code: str) -> str:
    """Return the code of the row that an ISO 639 code belongs to."""
    short = str(langcodes.Language.get(code).language)
    for form in (code, short):
        if form in FOLDED or form in OWN_ROW:
            return FOLDED.get(form, form)
    macro = NORMALIZED_MACROLANGUAGES.get(short, short)
    return macro if len(macro) == 2 else short


def describe(row: Row) -> None:
    """Fill in the names and the media tag."""
    tag = langcodes.Language.get(row.code, normalize=False)
    name = NAMES.get(row.code) or plain(tag.display_name())
    row.put("name", name)
    row.put("native_name", native_name(row.code, tag, name))
    row.put("iso639_3", tag.to_alpha3())


def native_name(code: str, tag: langcodes.Language, name: str) -> str:
    """Return the language's name for itself, with the capital that it has in a menu."""
    # For these langcodes gives the name of the whole family, or of its standard language.
    own = name if code in NORMALIZED_MACROLANGUAGES else plain(tag.autonym())
    own = NATIVE_NAMES.get(code, own)
    # isiZulu has its capital elsewhere.
    return own[0].title() + own[1:] if own.split()[0].islower() else own


def plain(name: str) -> str:
    """Strip what tells a language from a macrolanguage that the table does not have."""
    return name.removesuffix(" (individual language)")


def add_aliases(rows: Rows) -> None:
    """Add the older ISO 639-2/B codes, the members that share a macrolanguage's row, and names."""
    for code, bibliographic in LANGUAGE_ALPHA3_BIBLIOGRAPHIC.items():
        if code in rows and bibliographic != rows[code].cells["iso639_3"]:
            rows[code].aliases.append(bibliographic)
    members = {**NORMALIZED_MACROLANGUAGES, **FOLDED}
    for member, macro in sorted(members.items()):
        if member not in rows and canonical(member) == macro in rows and not rows[macro].has(member):
            rows[macro].aliases.append(member)
    for code, names in ALIASES.items():
        rows[code].aliases.extend(names.split("; "))


if __name__ == "__main__":
    main()
