"""Texts and settings that hypothesis makes up: each is read, or refused in a sentence."""

from __future__ import annotations

import math
import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.expressions import COMMON
from tests.fuzz.seeds import SRT, VTT
from vt import languages
from vt.errors import LanguageError, SettingsError, SubtitleError
from vt.jobs.job_service import plain_name
from vt.settings import Settings, load
from vt.text import captions, normalization, sentences, splitting, subtitles
from vt.text.subtitles import Cue

HOSTILE = [
    *COMMON, "<b>", "</i>", "{\\an8}", "\\N", "[music]", "(applause)", "- ", "MAN: ", "NOTE x", "&#x1F600;", "&#0;",
    "&lt;", "WEBVTT", "Good day.", "你好。", "مرحبا", "\u202e", "\U0001f469\u200d", "\x1b[0m", "\ufeff", "9" * 30,
]  # fmt: skip
TIMES = ["00:00:01,000", "00:01.500", "99:59:59,999", "0:0:0,0", "00:00:00.00", "-1", "1e9", "NaN", "00:00:61,000",
         "999:00:00,000", "٠٠:٠٠:٠١,٠٠٠", "00:00:01,0000"]  # fmt: skip

texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=12), max_size=12).map("".join)
cues = st.tuples(
    st.sampled_from(["1\n", "", "intro\n", "\n\n"]),
    st.sampled_from(TIMES[:6]) | st.sampled_from(TIMES),
    st.sampled_from([" --> ", "-->", " -> ", " --> "]),
    st.sampled_from(TIMES[:6]) | st.sampled_from(TIMES),
    st.sampled_from(["\n", " align:start\n", "\r\n", "\n\n"]),
    texts,
    st.sampled_from(["\n\n", "\n", ""]),
).map("".join)
files = st.tuples(st.sampled_from(["", "WEBVTT\n\n", "\ufeff", "STYLE\n"]), st.lists(cues, max_size=6)).map(
    lambda parts: parts[0] + "".join(parts[1])
)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-7"])
contents = (
    st.binary(max_size=400)
    | st.tuples(files, encodings).map(lambda pair: pair[0].encode(pair[1], "replace"))
    | st.tuples(st.sampled_from([SRT, VTT]), st.integers(0, 150), st.binary(max_size=9)).map(
        lambda parts: parts[0].encode()[: parts[1]] + parts[2] + parts[0].encode()[parts[1] :]
    )
)
LONGEST_FILM = 50 * 3600.0
"""In seconds: SRT cannot tell of more than a hundred hours."""
FREELY = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@FREELY
@given(contents)
@example(b"1\n00:00:01,000 --> 00:00:02,000\n" + b"&#" + b"9" * 1900)
def test_subtitles_of_any_bytes_are_read_or_refused_in_a_sentence(content: bytes) -> None:
    try:
        found = captions.read(content).utterances
    except SubtitleError as error:
        assert re.fullmatch(r"[^\n]{10,250}\.", str(error))
        return
    assert all(any(map(str.isalnum, cue.text)) for cue in found)
    assert not [sign for cue in found for sign in cue.text if unicodedata.category(sign) == "Cc"]
    assert all(0 <= cue.start < cue.end < math.inf for cue in found)
    assert all(before.start <= after.start for before, after in pairwise(found))
    segments = sentences.sentences(captions.words(found))
    assert all(segment.text and segment.start <= segment.end for segment in segments)
    inside = [Cue(each.start, each.end, each.text) for each in segments if each.start < LONGEST_FILM]
    written = subtitles.cues(inside, LONGEST_FILM)
    for form in (subtitles.srt, subtitles.vtt):
        assert form(written).count("-->") == len(written)


@FREELY
@given(texts, st.sampled_from(["es", "en", "fr", "de", "tr", "sw", "hi", "ar", "hu", "ja", "xx"]))
@example("9.999" * 2000, "es")
@example("1" + ".111" * 1430, "hu")
def test_any_line_can_be_normalized_and_cut_into_pieces_of_which_nothing_is_lost(text: str, code: str) -> None:
    normalization.normalized(text, code)
    found = splitting.pieces(text, lambda part: len(part) <= 20)
    assert "".join("".join(found).split()) == "".join(text.split())


@FREELY
@given(texts | st.text(max_size=300))
def test_any_name_of_a_file_is_made_fit_to_be_shown(name: str) -> None:
    shown = plain_name(name)
    assert shown.isprintable()
    assert 0 < len(shown.encode()) <= 200
    assert "/" not in shown


@FREELY
@given(texts | st.text(max_size=100) | st.from_regex(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}", fullmatch=True))
def test_any_language_is_known_or_refused_in_a_sentence(name: str) -> None:
    try:
        assert languages.get(languages.get(name).code).code
    except LanguageError as error:
        assert re.fullmatch(r"[^\n]{10,250}[.?]", str(error))


VARIABLES = [field.alias or name for name, field in Settings.model_fields.items()]
VALUES = [
    "", " ", "0", "1", "-1", "true", "no", "1e999", "nan", "9" * 5000, "~nosuchuser/x", "~", "/", "auto", "cuda", "*",
    ",", "http://[", "http://", "https://x:99999", "a,b", "0.0.0.0/0", "::1", "10.0.0.0/99", "٣", "𝟗", "x" * 9000,
    "a\nb", "%s", "{language}", "\udc80",
]  # fmt: skip
signs = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
said = st.sampled_from(VALUES) | st.text(signs, max_size=30)


def loaded(environment: dict[str, str]) -> None:
    """See that an environment gives settings, or a sentence."""
    with pytest.MonkeyPatch.context() as monkey:
        for name in VARIABLES:
            monkey.delenv(name, raising=False)
        for name, value in environment.items():
            monkey.setenv(name, value)
        try:
            found = load()
        except SettingsError as error:
            assert any(name in str(error) for name in environment)
            assert len(str(error)) < 600
            return
    # What is made of them is made without an error too.
    made = [getattr(found, name) for name, value in vars(Settings).items() if isinstance(value, property)]
    assert len(made) > 3


@pytest.mark.parametrize("variable", VARIABLES)
def test_any_value_of_a_variable_is_taken_or_refused_in_a_sentence_that_names_it(variable: str) -> None:
    for value in VALUES:
        loaded({variable: value})


@FREELY
@given(st.dictionaries(st.sampled_from(VARIABLES), said, max_size=5))
def test_any_environment_gives_settings_or_a_sentence_that_names_the_variable(environment: dict[str, str]) -> None:
    loaded(environment)
