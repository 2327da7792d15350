"""The language table against the engines' own lists, and the look-ups that users make in it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import langcodes
import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES as WHISPER  # it has no public list
from pydantic import TypeAdapter, ValidationError

from vt import languages
from vt.domain import Transcript
from vt.errors import LanguageError

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parent.parent
MODES = Path("/usr/share/apertium/modes")
MAJOR = "ar bn de el es fa fr gu he hi it ja ko mr nl pa pl pt ru sv ta te th tr uk ur vi zh"


def listed(name: str) -> list[str]:
    return (DATA / name).read_text(encoding="utf-8").split()


def refused(text: str) -> str:
    """Return the sentence with which a look-up fails."""
    with pytest.raises(LanguageError) as caught:
        languages.get(text)
    return str(caught.value)


# The columns


def test_every_whisper_code_leads_to_one_row_and_none_is_invented() -> None:
    assert {language.whisper for language in languages.ALL} - {""} == set(WHISPER)
    for code in WHISPER:
        language = languages.by_whisper(code)
        assert language and language.whisper == code


def test_only_a_second_script_of_a_language_shares_a_whisper_code() -> None:
    rows = Counter(language.whisper for language in languages.ALL if "-" not in language.code)
    assert all(rows[code] == 1 for code in WHISPER)
    for language in languages.ALL:
        if "-" in language.code:
            assert language.whisper == languages.get(language.code.partition("-")[0]).whisper


def test_every_flores_code_of_nllb_is_in_exactly_one_row() -> None:
    assert Counter(language.flores for language in languages.ALL if language.flores) == Counter(
        listed("flores200_codes.txt")
    )


def test_the_list_of_flores_codes_is_well_formed() -> None:
    codes = listed("flores200_codes.txt")
    assert len(codes) == len(set(codes)) == 202
    for code in codes:
        language, script = code.split("_")
        assert (len(language), len(script)) == (3, 4), code
        assert langcodes.tag_is_valid(f"{language}-{script}"), code


def test_every_mms_code_is_in_exactly_one_row() -> None:
    assert Counter(language.mms for language in languages.ALL if language.mms) == Counter(listed("mms_tts_codes.txt"))


def test_espeak_has_every_voice_that_the_table_names() -> None:
    table = subprocess.run(["espeak-ng", "--voices"], capture_output=True, text=True, check=True).stdout
    voices = {line.split()[1] for line in table.splitlines()[1:]}
    for voice in {language.espeak for language in languages.ALL} - {"", *voices}:
        spoken = subprocess.run(["espeak-ng", "-q", "-v", voice, "x"], capture_output=True, check=False)
        assert spoken.returncode == 0, voice


def test_no_two_languages_share_an_espeak_voice_but_for_two_scripts_of_one() -> None:
    rows = Counter(language.espeak for language in languages.ALL if language.espeak and "-" not in language.code)
    assert set(rows.values()) == {1}


def test_every_main_mode_of_the_installed_apertium_pairs_is_known_at_both_ends() -> None:
    pairs = [mode.stem.split("-") for mode in MODES.glob("*.mode")]
    main = [pair for pair in pairs if len(pair) == 2 and all(code.isalpha() and code.islower() for code in pair)]
    assert ["eng", "spa"] in main
    for code in {code for pair in main for code in pair}:
        language = languages.by_apertium(code)
        assert language and code in language.apertium, code


def test_apertium_codes_are_the_iso_codes_of_their_language() -> None:
    for language in languages.ALL:
        for code in language.apertium:
            if not code.startswith("hbs"):
                assert languages.get(code) == language, code


def test_serbo_croatian_of_apertium_serves_its_three_standards() -> None:
    assert [languages.get(code).apertium for code in ("bs", "hr", "sr")] == [
        ("hbs_BS", "hbs"),
        ("hbs_HR", "hbs"),
        ("hbs_SR", "hbs"),
    ]
    assert languages.by_apertium("hbs") == languages.get("hr")


# The rows


def test_every_row_is_known_to_some_engine() -> None:
    for language in languages.ALL:
        assert language.whisper or language.flores or language.mms or language.espeak or language.apertium


def test_codes_are_unique_valid_and_in_their_shortest_form() -> None:
    assert len({language.code for language in languages.ALL}) == len(languages.ALL)
    for language in languages.ALL:
        tag = langcodes.Language.get(language.code, normalize=False)
        assert langcodes.tag_is_valid(language.code), language
        assert language.code == str(tag), language
        assert len(langcodes.standardize_tag(language.code)) >= len(language.code), language


def test_a_script_is_named_only_where_the_language_has_another_row() -> None:
    codes = {language.code for language in languages.ALL}
    assert {code.partition("-")[0] for code in codes if "-" in code} <= codes


def test_media_tags_are_the_terminological_three_letter_codes() -> None:
    assert languages.get("fr").iso639_3 == "fra"
    assert languages.get("German").iso639_3 == "deu"
    assert languages.get("zh-Hant").iso639_3 == "zho"
    assert languages.get("no").iso639_3 == "nor"
    assert languages.get("yue").iso639_3 == "yue"
    for language in languages.ALL:
        assert len(language.iso639_3) == 3 and language.iso639_3.isascii() and language.iso639_3.islower()
        assert language.iso639_3 == langcodes.Language.get(language.code, normalize=False).to_alpha3()


def test_every_language_has_both_names_and_no_two_share_one() -> None:
    for names in ([row.name for row in languages.ALL], [row.native_name for row in languages.ALL]):
        assert all(name == name.strip() and name.isprintable() and name for name in names)
        assert len({name.casefold() for name in names}) == len(names)


def test_the_major_languages_have_a_name_of_their_own() -> None:
    for code in MAJOR.split():
        language = languages.get(code)
        assert language.native_name != language.name, code


def test_no_alias_is_hidden_by_another_row() -> None:
    for language in languages.ALL:
        for alias in language.aliases:
            assert languages.get(alias) == language, alias


def test_the_macrolanguages_are_joined_with_their_standard_member() -> None:
    for code, flores, mms in [
        ("ar", "arb_Arab", "ara"),
        ("fa", "pes_Arab", "fas"),
        ("sw", "swh_Latn", "swh"),
        ("or", "ory_Orya", "ory"),
        ("mn", "khk_Cyrl", "mon"),
        ("ms", "zsm_Latn", "zlm"),
        ("lv", "lvs_Latn", "lav"),
        ("sq", "als_Latn", "sqi"),
        ("mg", "plt_Latn", "mlg"),
        ("om", "gaz_Latn", "orm"),
        ("tl", "tgl_Latn", "tgl"),
        ("no", "nob_Latn", ""),
        ("az", "azj_Latn", ""),
        ("zh", "zho_Hans", ""),
    ]:
        assert (languages.get(code).flores, languages.get(code).mms) == (flores, mms)


def test_the_generator_gives_the_committed_table(tmp_path: Path) -> None:
    if (version("langcodes"), version("language_data")) != ("3.5.1", "1.4.0"):
        pytest.skip("the table was made with other names")
    made = tmp_path / "languages.tsv"
    subprocess.run([sys.executable, ROOT / "scripts" / "make_languages.py", made], check=True)
    assert made.read_bytes() == (ROOT / "vt" / "languages.tsv").read_bytes()


# The look-ups


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("es", "es"),
        ("ES", "es"),
        (" es\n", "es"),
        ("\ufeffes\u200b", "es"),
        ("spa", "es"),
        ("spa_Latn", "es"),
        ("spanish", "es"),
        ("SPANISH", "es"),
        ("Español", "es"),
        ("espan\u0303ol", "es"),
        ("ESPAÑOL", "es"),
        ("castellano", "es"),
        ("es-419", "es"),
        ("pt_BR", "pt"),
        ("en-US", "en"),
        ("en-Latn-GB", "en"),
        ("deu-DE", "de"),
        ("fre", "fr"),
        ("fra", "fr"),
        ("iw", "he"),
        ("jw", "jv"),
        ("nb", "no"),
        ("nb-NO", "no"),
        ("no-nyn", "nn"),
        ("fil", "tl"),
        ("tl-PH", "tl"),
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh-Hans-TW", "zh"),
        ("cmn", "zh"),
        ("Mandarin", "zh"),
        ("zh-TW", "zh-Hant"),
        ("zh_HK", "zh-Hant"),
        ("cmn-hant", "zh-Hant"),
        ("zho_Hant", "zh-Hant"),
        ("chinese  (traditional)", "zh-Hant"),
        ("zh-yue", "yue"),
        ("arb_Arab", "ar"),
        ("fa-AF", "prs"),
        ("ks-Deva", "ks-Deva"),
        ("kas_Arab", "ks"),
        ("ko-Hang", "ko"),
        ("ko-Kore-KR", "ko"),
        ("日本語", "ja"),
        ("mitla zapotec", "zaw"),
        ("en-x-anything", "en"),
    ],
)
def test_a_language_is_found_by_any_of_its_codes_and_names(text: str, code: str) -> None:
    assert languages.get(text).code == code


def test_every_language_is_found_by_its_code_names_and_flores_code() -> None:
    for language in languages.ALL:
        assert languages.get(language.code) == languages.get(language.code.upper()) == language
        assert languages.get(language.iso639_3).iso639_3 == language.iso639_3
        assert not language.flores or languages.get(language.flores) == language


def test_only_a_name_that_is_also_a_code_leads_elsewhere() -> None:
    codes = {key for row in languages.ALL for key in (row.code, row.iso639_3, row.flores[:3])}
    for language in languages.ALL:
        if language.name.casefold() not in codes | {alias for row in languages.ALL for alias in row.aliases}:
            assert languages.get(language.name) == language


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("spansh", "es (Spanish)"),
        ("espanol", "es (Spanish)"),
        ("Chinees", "zh (Chinese)"),
        ("Vietnamse", "vi (Vietnamese)"),
        ("frensh", "fr (French)"),
        ("sr-Latn", "sr (Serbian)"),
        ("jp", "ja (Japanese)"),
        ("cz", "cs (Czech)"),
    ],
)
def test_an_unknown_language_is_answered_with_the_nearest_choice_first(text: str, near: str) -> None:
    assert refused(text).startswith(f'Unknown language "{text}". Did you mean {near}')


def test_several_choices_read_as_a_sentence() -> None:
    assert refused("tlh") == 'Unknown language "tlh". Did you mean th (Thai), tl (Tagalog) or te (Telugu)?'


def test_what_is_like_nothing_is_answered_with_examples() -> None:
    assert refused("🤖") == 'Unknown language "🤖": use a code or a name, such as es or Spanish.'


@pytest.mark.parametrize("text", ["", "  ", "\n\t\x00", '"', "\u202e\ud800"])
def test_no_language_at_all_is_said_so(text: str) -> None:
    assert refused(text) == "No language was given: use a code or a name, such as es or Spanish."


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000,
        "\u0301" * 10_000,
        'a"b\\c`d',
        "fr\x1b[31m\r\nSet-Cookie: x",
        "../../etc/passwd",
        "en-",
        "-en",
        "en--us",
        "zh-Hant-" + "a" * 60,
        "a-" * 200,
        "x-foo",
        "und",
        "en-Latn-Latn",
        "\ud800xqx\u202e",
    ],
)
def test_garbage_is_answered_with_one_short_clean_line(text: str) -> None:
    sentence = refused(text)
    assert len(sentence) < 200
    assert sentence.isprintable()
    assert sentence.count('"') == 2
    assert sentence.endswith(("?", "."))


def test_the_engines_own_codes_are_looked_up_strictly() -> None:
    assert languages.by_whisper("jw") == languages.get("jv")
    assert languages.by_whisper("zh") == languages.get("zh")
    assert languages.by_apertium("eng") == languages.by_apertium("en") == languages.get("en")
    assert languages.by_whisper("JW") is languages.by_whisper("spanish") is None
    assert languages.by_apertium("eco") is languages.by_apertium("cat_valencia") is None


def test_a_name_that_the_module_lacks_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NONE"):
        getattr(languages, "NONE")  # noqa: B009  (mypy knows that it is not there)


# What is kept

TRANSCRIPT = {
    "language": "pt",
    "language_detected": True,
    "segments": [
        {
            "id": 0,
            "start": 0.5,
            "end": 1.25,
            "text": "Bom dia.",
            "speaker": "",
            "overlaps": False,
            "pauses": [],
            "words": [[0.5, 0.75, 3], [0.75, 1.25, 4]],
            "confidence": 0.9,
        }
    ],
    "dropped": [],
    "overlapped_seconds": 0.0,
}


def test_a_language_is_kept_as_its_code_and_read_back_from_that() -> None:
    shape = TypeAdapter(Transcript)
    found = shape.validate_python(TRANSCRIPT)
    assert found.language is languages.get("pt")
    assert shape.dump_python(found, mode="json") == TRANSCRIPT


@pytest.mark.parametrize("code", ["", "xx", None, 7, ["pt"]])
def test_what_is_kept_and_names_no_language_is_damaged(code: object) -> None:
    with pytest.raises(ValidationError, match="no code of a language"):
        TypeAdapter(Transcript).validate_python(TRANSCRIPT | {"language": code})


# The cost

QUICK = """
import dataclasses, functools, pathlib, re, sys, time, typing, unicodedata
start = time.process_time()
from vt import languages
languages.ALL
print(time.process_time() - start)
assert not {"langcodes", "language_data", "difflib"} & set(sys.modules)
"""


def test_the_table_is_read_in_a_moment_and_without_the_language_libraries() -> None:
    times = [
        float(subprocess.run([sys.executable, "-c", QUICK], cwd=ROOT, capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.03
