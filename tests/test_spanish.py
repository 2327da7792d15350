"""The service's sentences in Spanish: each is one that is really said, and comes with its values."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from vt import languages, media
from vt.domain import JobState
from vt.engines import apertium
from vt.errors import VtError
from vt.store import QueueFull, WrongState
from vt.ui import spanish
from vt.ui.words import Words

ROOT = Path(__file__).parent.parent


def places(template: str) -> list[str]:
    return sorted(name for _, name, *_ in string.Formatter().parse(template) if name)


def skeleton(template: str) -> str:
    return "".join(text + ("{}" if name is not None else "") for text, name, *_ in string.Formatter().parse(template))


def said_in(module: Path) -> Iterator[str]:
    """Yield all texts in a module's code, with nothing in the places of their values."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def test_each_sentence_is_said_somewhere_just_so_and_keeps_its_values() -> None:
    own = Path(spanish.__file__)
    said = {text for module in (ROOT / "vt").rglob("*.py") if module != own for text in said_in(module)}
    for english, translated in spanish.SENTENCES.items():
        assert skeleton(english) in said, english
        unsaid = set(places(english)) - set(places(translated))
        assert unsaid <= {"state", "had", "folder", "code"}, english
        assert set(places(translated)) <= set(places(english)), english


def error(raised: VtError | None = None, path: Path | None = None) -> str:
    if raised:
        return str(raised)
    assert path is not None
    with pytest.raises(VtError) as found:
        media.probe(path)
    return str(found.value)


def test_what_goes_wrong_is_told_a_spanish_reader_in_spanish_and_others_as_it_was_said(tmp_path: Path) -> None:
    spanish_words, english_words = Words("es"), Words("en")
    notes, nothing = tmp_path / "notes (1).mp4", tmp_path / "nothing.mp4"
    notes.write_text("no film")
    nothing.touch()
    with pytest.raises(VtError) as unheard:
        apertium.chain(languages.get("eu"), languages.get("de"))
    told = {
        error(path=notes): f"{notes} no es un archivo de vídeo o audio que se pueda leer (como mp4,",
        error(path=nothing): f"{nothing} está vacío",
        error(QueueFull()): "Ya hay demasiados trabajos esperando",
        error(WrongState(JobState.RUNNING)): "El trabajo no lo permite ahora",
        error(unheard.value): "Aquí nadie traduce del euskera al alemán: elige",
    }
    for sentence, wanted in told.items():
        assert spanish_words.sentence(sentence).startswith(wanted), sentence
        assert english_words.sentence(sentence) == sentence


def test_a_sentence_that_nobody_has_translated_stays_as_it_is() -> None:
    assert Words("es").sentence("The {moon} is full (probability 0.9).") == "The {moon} is full (probability 0.9)."
