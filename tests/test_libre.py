"""LibreTranslate's shape, as Subtitle Edit and others ask for it: texts translated, and their languages told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers import Server
from vt.api.libre.requests import MOST_CHARACTERS

GERMAN = "Guten Morgen, wie geht es dir heute? Das Haus ist sehr schön."
TRANSLATE, DETECT = "/libre/translate", "/libre/detect"


def told(server: Server, status: int, route: str = TRANSLATE, **more: Any) -> str:  # noqa: ANN401
    """Ask for what is refused, and return the sentence, in LibreTranslate's shape."""
    answer = server.ask("POST", route, **more)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    (sentence,) = answer.json().values()
    assert list(answer.json()) == ["error"]
    return str(sentence)


def test_subtitle_edit_has_its_lines_translated(server: Server) -> None:
    said = '{"q": "The house is big.\\nThe garden is green.", "source": "en", "target": "es"}'
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    answer = server.json("POST", TRANSLATE, content=said.encode(), headers=headers)
    assert answer == {"translatedText": "La casa es grande.\nEl jardín es verde."}


@pytest.mark.soak
def test_a_list_comes_back_as_a_list_each_text_from_its_own_language(server: Server) -> None:
    texts = ["Good morning to all of my friends.", "¿Dónde está la casa de mi abuela?", "  ", "4711"]
    asked = {"q": texts, "source": "auto", "target": "es", "alternatives": 1, "api_key": "none", "format": "text"}
    answer = server.json("POST", TRANSLATE, json=asked)
    assert set(answer) == {"translatedText", "detectedLanguage", "alternatives"}
    assert answer["translatedText"][0].startswith("Buen") and answer["translatedText"][1:] == texts[1:]
    assert [found["language"] for found in answer["detectedLanguage"]][:2] == ["en", "es"]
    assert all(0 <= found["confidence"] <= 100 for found in answer["detectedLanguage"])
    assert [len(others) <= 1 for others in answer["alternatives"]] == [True] * 4


def test_forms_and_what_stands_in_the_address_do_as_well_as_json(server: Server) -> None:
    asked = {"q": "The house is big.", "source": "en", "target": "es"}
    wanted = {"translatedText": "La casa es grande."}
    assert server.json("POST", TRANSLATE, data=asked) == wanted
    assert server.json("POST", TRANSLATE, files={name: (None, value) for name, value in asked.items()}) == wanted
    assert server.json("POST", TRANSLATE, params=asked) == wanted


def test_the_languages_of_a_text_are_told_the_likeliest_first_and_all_are_listed(server: Server) -> None:
    found = server.json("POST", DETECT, data={"q": "Buenos días a todos mis amigos de la casa."})
    assert found[0]["language"] == "es" and found[0]["confidence"] >= found[-1]["confidence"]
    rows = server.json("GET", "/libre/languages")
    english = next(row for row in rows if row["code"] == "en")
    assert set(english) == {"code", "name", "targets"} and "es" in english["targets"] and "en" not in english["targets"]


def test_among_others_a_text_of_a_language_that_is_not_translated_spoils_nothing(server: Server) -> None:
    asked = {"q": ["Good morning, my dear friends.", GERMAN], "source": "auto", "target": "es"}
    answer = server.ask("POST", TRANSLATE, json=asked).raise_for_status().json()
    assert answer["translatedText"][0].startswith("Buenos días")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"q": None}, "the field q"),
        ({"q": []}, "the field q"),
        ({"q": ""}, "the field q"),
        ({"q": [1]}, "the field q"),
        ({"q": "x" * (MOST_CHARACTERS + 1)}, "too many"),
        ({"q": ["x"] * 257}, "too many"),
        ({"q": "<b>x</b>", "format": "html"}, "not HTML"),
        ({"source": None}, "the field source"),
        ({"source": ["en"]}, "the field source"),
        ({"target": "auto"}, 'Unknown language "auto"'),
        ({"target": "../etc"}, "Unknown language"),
        ({"target": "sw"}, "Nobody here translates English to Swahili"),
        ({"source": "auto", "q": GERMAN}, "seems to be in German, which is not translated here"),
        ({"alternatives": "many"}, "the field alternatives"),
        ({"alternatives": -1}, "the field alternatives"),
    ],
)
def test_what_cannot_be_translated_is_refused_in_a_sentence(server: Server, asked: dict[str, Any], said: str) -> None:
    assert said in told(server, 400, json={"q": "Hello.", "source": "en", "target": "es"} | asked)


def test_bodies_that_are_no_requests_and_other_doors_are_refused_in_the_same_shape(server: Server) -> None:
    for body in (b"{", b"[]", b"null", b"[" * 40_000, b"\xff\xfe"):
        told(server, 400, content=body)
    told(server, 413, content=b"x" * (2 * 2**20 + 1))
    told(server, 403, json={}, headers={"Origin": "https://elsewhere.example"})
    told(server, 404, "/libre/translate_file", files={"file": ("../x.txt", b"x")})
    assert server.ask("GET", TRANSLATE).json() == {"error": "Specified method is invalid for this resource."}
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    told(server, 400, content=b"no form", headers=form)
    odd = '{"q": "The garden\\u0000 \\ud800 is green.", "source": "en", "target": "es"}'
    assert server.json("POST", TRANSLATE, content=odd)["translatedText"].startswith("El jardín")
    assert "Traceback" not in server.log + server.said
