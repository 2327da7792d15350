"""Phonemes by espeak-ng, the real program: punctuation stays, signs go, lines are never mixed up."""

from __future__ import annotations

import pytest

from vt.domain import Cancel
from vt.engines import kokoro
from vt.engines.kokoro_phonemes import phonemes
from vt.errors import Cancelled, ToolError


def noted(text: str, espeak_voice: str = "es") -> str:
    (one,) = phonemes([text], espeak_voice, Cancel())
    return one


SPANISH = {
    "¡Buenos días! ¿Qué tal?": "bwˈenos ðˈias! kˈe tˈal?",
    "La casa (vieja), «roja».": "la kˈasa (bjˈexa), “rˈoxa”.",
    "Chao… noche": "ʧˈao… nˈoʧe",
    "casa - roja": "kˈasa — rˈoxa",
    "casa!!! roja...": "kˈasa! rˈoxa…",
    "casa 😀 roja 漢字 мир": "kˈasa rˈoxa",
    "casa\x00\u200b\nroja": "kˈasa rˈoxa",
    "ｃａｓａ": "kˈasa",
}


@pytest.mark.parametrize(("text", "expected"), SPANISH.items())
def test_the_marks_stay_and_what_nobody_says_goes(text: str, expected: str) -> None:
    assert noted(text) == expected


@pytest.mark.parametrize(
    ("espeak_voice", "text", "expected"),
    [
        ("en-us", "They go now, boy.", "ðA ɡˌO nˈW, bˈY."),
        ("en-us", "Better little bird", "bˈɛɾəɹ lˈɪɾᵊl bˈɜɹd"),
        ("en-gb", "Go home; care.", "ɡˌQ hˈQm; kˈɛː."),
        ("fr-fr", "L’homme qu'il a vu !", "lˈɔm kil a vˈy !"),
        ("it", "pizza", "pˈiʦːa"),
        ("hi", "नमस्ते दुनिया।", "nəmˈʌsteː dˈʊnɪjˌaː."),
    ],
)
def test_each_language_has_the_notation_of_the_voices_training(espeak_voice: str, text: str, expected: str) -> None:
    assert noted(text, espeak_voice) == expected


@pytest.mark.parametrize("text", ["", " ", "...", "😀", "漢字", "-'-", "«»", "\x00"])
def test_a_text_with_nothing_to_say_has_no_phonemes(text: str) -> None:
    assert phonemes([text, "casa", text], "es", Cancel()) == ["", "kˈasa", ""]


def test_many_texts_keep_their_places() -> None:
    texts = [
        "casa",
        "",
        "casa roja. casa",
        "😀",
        "rock and roll, hello",
        "a" * 3000,
        "casa " * 500,
        "1.5 U.S. 10:30",
        "[[k]]",
    ]
    assert phonemes(texts, "es", Cancel()) == [noted(text) for text in texts]


def test_a_long_text_without_a_mark_is_whole() -> None:
    assert noted("casa " * 500).split() == ["kˈasa"] * 500


@pytest.mark.parametrize(
    "text", ["--help", "-f /etc/passwd", "<audio src='/etc/passwd'/>", "[[k'asa]]", "(en)casa(es)"]
)
def test_text_is_never_obeyed(text: str) -> None:
    assert "kˈasa" not in noted("[[kˈasa]]")
    assert noted(text)
    assert set("<[/-") & set(noted(text)) == set()


@pytest.mark.parametrize("code", ["en-us", "en-gb", "es", "fr-fr", "it", "pt-br", "hi"])
def test_nearly_all_signs_are_known_to_the_model(code: str) -> None:
    text = "नमस्ते दुनिया, आप कैसे हैं?" if code == "hi" else "La jolie maison, the nice church; zero chance, quinze."
    signs = noted(text, code)
    unknown = [sign for sign in signs if sign not in kokoro.signs()]
    assert len(unknown) <= 0.03 * len(signs), unknown


def test_an_unknown_voice_of_espeak_is_an_error_in_one_line() -> None:
    with pytest.raises(ToolError, match="espeak-ng") as caught:
        noted("hola", "qqq")
    assert "\n" not in str(caught.value)


def test_a_cancel_is_heeded() -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        phonemes(["hola"], "es", cancel)
