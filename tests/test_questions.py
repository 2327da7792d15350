"""Questions keep their marks through a translation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vt.text.questions import asked_alike, rises


@pytest.mark.parametrize(
    ("code", "text", "wanted"),
    [
        ("es", "Donde usted vive?", "¿Dónde usted vive?"),
        ("es", "Vino ella", "¿Vino ella?"),
        ("es", "Él vino. Usted lo vio?", "Él vino. ¿Usted lo vio?"),
        ("es", "Si llueve, te quedas?", "Si llueve, ¿te quedas?"),
        ("es", "Cuando vienes?", "¿Cuándo vienes?"),
        ("es", "“Quién es?”", "“¿Quién es?”"),
        ("es", "¿Quién es?", "¿Quién es?"),
        ("es", "Sí, pero ¿quién?", "Sí, pero ¿quién?"),
        ("fr", "Vient-il.", "Vient-il?"),
        ("ar", "أين تعيش.", "أين تعيش؟"),
        ("el", "Πού μένεις;", "Πού μένεις;"),
        ("ja", "どこに住んでいますか。", "どこに住んでいますか？"),
        ("th", "คุณอยู่ที่ไหน", "คุณอยู่ที่ไหน"),
        ("es", "...", "..."),
        ("es", "", ""),
    ],
)
def test_a_question_ends_with_its_mark_and_in_spanish_begins_with_it(code: str, text: str, wanted: str) -> None:
    assert asked_alike("Is it?", text, code) == wanted


def test_what_is_not_asked_stays_as_it_is_and_what_is_called_is_marked_in_spanish() -> None:
    assert asked_alike("He lives there.", "Vive donde vive.", "es") == "Vive donde vive."
    assert asked_alike("Come here! Now.", "Ven aquí! Ahora.", "es") == "¡Ven aquí! Ahora."
    assert asked_alike("Come here!", "Viens ici !", "fr") == "Viens ici !"
    assert asked_alike("If it rains, run!", "Si llueve, corre!", "es") == "¡Si llueve, corre!"


@pytest.mark.parametrize(
    ("code", "text", "wanted"),
    [
        ("en", "Did he come home?", True),
        ("en", "He came. Did you see him?", True),
        ("en", "Where do you live?", False),
        ("en", "With whom did you go?", False),
        ("en", "He came home.", False),
        ("es", "Si llueve, ¿te quedas?", True),
        ("es", "¿De dónde vienes?", False),
        ("fr", "Vous venez ?", True),
        ("hi", "तुम कहाँ रहते हो?", False),
        ("hi", "तुम घर आए?", True),
        ("ja", "来ますか?", False),
        ("en", "?", False),
    ],
)
def test_the_voice_rises_where_the_answer_is_yes_or_no(code: str, text: str, wanted: bool) -> None:
    assert rises(text, code) is wanted


@given(st.text(alphabet='aB que.?!¿¡,…"” 3', max_size=30), st.sampled_from(["es", "fr", "ar"]), st.booleans())
def test_nothing_but_marks_and_accents_changes_and_a_second_time_nothing(text: str, code: str, asks: bool) -> None:
    source = "Is it?" if asks else "It is."
    once = asked_alike(source, text, code)
    assert asked_alike(source, once, code) == once
    plain = once.replace("é", "e").replace("É", "E")
    assert [char for char in plain if char.isalnum()] == [char for char in text if char.isalnum()]
