"""Speakers who are heard in several films of a batch keep their voices, and others get their own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import films
from tests.asking import asked
from tests.captions import timed
from tests.fakes import ScriptedTranscriber, ScriptedVoices
from tests.test_ensemble import Choir, ChoirFactory
from vt.domain import JobRequest, Wishes, Word
from vt.dubbing.casting import Role
from vt.dubbing.known_voices import KnownVoices, Person
from vt.dubbing.pipeline import dub
from vt.engines.protocols import Heard

HERE = ("es", "kokoro")
ANNA, BEN, CLARA = Person("Anna"), Person("Ben"), Person("Clara")


def voice(seed: int, blur: float = 0.0) -> Person:
    """Return somebody by the sound of their voice; with a blur as it sounds in another film."""
    vector = np.random.default_rng(seed).normal(0, 1, 192)
    vector += np.random.default_rng(seed + 100).normal(0, 1, 192) * blur
    return Person(voiceprint=tuple(vector / np.linalg.norm(vector)))


def cast(known: KnownVoices, people: Sequence[Person], spoken_by: tuple[str, str] = HERE) -> list[str]:
    """Return the voices of the people of a film; whoever is new gets one that nobody else has in it."""

    def chosen(kept: Mapping[int, Role]) -> list[Role]:
        free = (Role(f"v{number}") for number in range(99))
        others = (role for role in free if role not in kept.values())
        return [kept.get(place) or next(others) for place in range(len(people))]

    return [role.voice for role in known.cast(spoken_by, people, chosen)]


def test_who_is_heard_again_keeps_the_voice_whoever_else_speaks() -> None:
    known = KnownVoices()
    assert cast(known, [voice(1), voice(2)]) == ["v0", "v1"]
    assert cast(known, [voice(3), voice(2, 0.4), voice(1, 0.4)]) == ["v2", "v1", "v0"]
    assert cast(known, [voice(2)]) == ["v1"]


def test_who_is_named_again_keeps_the_voice_whatever_the_case_of_the_letters() -> None:
    known = KnownVoices()
    assert cast(known, [ANNA, BEN]) == ["v0", "v1"]
    assert cast(known, [CLARA, Person("BEN"), Person("ANNA")]) == ["v2", "v1", "v0"]


def test_other_languages_and_engines_have_voices_of_their_own() -> None:
    known = KnownVoices()
    cast(known, [ANNA, BEN])
    assert cast(known, [BEN, ANNA], ("fr", "kokoro")) == ["v0", "v1"]
    assert cast(known, [BEN, ANNA], ("es", "espeak-ng")) == ["v0", "v1"]
    assert cast(known, [BEN, ANNA]) == ["v1", "v0"]


def test_two_who_had_one_voice_in_two_films_have_two_where_they_meet() -> None:
    known = KnownVoices()
    assert cast(known, [ANNA]) == cast(known, [BEN]) == ["v0"]
    assert sorted(cast(known, [ANNA, BEN])) == ["v0", "v1"]


def test_nobody_of_whom_nothing_is_known_is_taken_for_another() -> None:
    known = KnownVoices()
    assert cast(known, [Person(), voice(1)]) == ["v0", "v1"]
    assert cast(known, [voice(1), Person()]) == ["v1", "v0"]


def test_those_whom_no_film_had_for_longest_are_forgotten_first() -> None:
    known = KnownVoices()
    cast(known, [ANNA, BEN, CLARA])
    for number in range(198):
        cast(known, [Person(f"somebody {number}")])
    assert cast(known, [CLARA]) == ["v2"]
    assert cast(known, [BEN]) == ["v1"]
    for number in range(200):
        cast(known, [Person(f"somebody else {number}")])
    assert cast(known, [CLARA]) == ["v0"]


# In films


def said(turns: Sequence[tuple[float, int]]) -> list[Word]:
    """Return a sentence of 14 words for each turn, until the next."""
    starts = [*(start for start, _ in turns), turns[-1][0] + 6]
    edges = [np.linspace(start, end, 15) for start, end in itertools.pairwise(starts)]
    return [Word(float(at[n]), float(at[n + 1]), " so." if n == 13 else " so") for at in edges for n in range(14)]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("noise") / "noise.wav"
    films.ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=25:r=16000:a=0.1", target)
    return target


def dubbed(request: JobRequest, turns: Sequence[tuple[float, int]], folder: Path, known: KnownVoices) -> dict[str, Any]:
    """Return the report of a film in which voices speak by a script."""
    served = ChoirFactory(ScriptedTranscriber([Heard(tuple(said(turns)))]), Choir())
    served.embedder = ScriptedVoices(turns)
    folder.mkdir(exist_ok=True)
    return dub(request, served, folder, known_voices=known).report.as_json()


def voices(report: dict[str, Any]) -> list[str]:
    """Return the voices of the speakers; a single one has the choir's own, unless the report names another."""
    return [speaker.get("voice", "woman") for speaker in report.get("speakers", [report["engines"]["tts"]])]


@pytest.mark.soak
def test_films_of_a_batch_have_the_same_voices_though_others_begin_to_speak(noise: Path, tmp_path: Path) -> None:
    known, request = KnownVoices(), asked(noise, "es")
    first = voices(dubbed(request, [(0, 1), (6, 2), (12, 1), (18, 2)], tmp_path / "one", known))
    again = voices(dubbed(request, [(0, 2), (6, 1), (12, 2), (18, 1)], tmp_path / "two", known))
    assert again == first[::-1]
    assert voices(dubbed(request, [(0, 2), (6, 1), (12, 2), (18, 1)], tmp_path / "alone", KnownVoices())) == first


@pytest.mark.soak
def test_who_speaks_alone_in_one_film_keeps_the_voice_in_another(noise: Path, tmp_path: Path) -> None:
    known, request = KnownVoices(), asked(noise, "es")
    both = voices(dubbed(request, [(0, 1), (6, 2), (12, 1), (18, 2)], tmp_path / "one", known))
    assert voices(dubbed(request, [(0, 2), (6, 2)], tmp_path / "two", known)) == both[1:]
    assert voices(dubbed(request, [(0, 1), (6, 1)], tmp_path / "three", known)) == both[:1]
    wished = replace(request, wishes=Wishes("woman"))
    assert voices(dubbed(wished, [(0, 2), (6, 2)], tmp_path / "four", known)) == ["woman"] != both[1:]


@pytest.mark.soak
def test_a_name_in_the_captions_of_two_films_is_one_person(noise: Path, tmp_path: Path) -> None:
    known, found = KnownVoices(), list[dict[str, str]]()
    for name, names in (("one", ("ANNA", "BEN")), ("two", ("CLARA", "BEN", "ANNA"))):
        file = tmp_path / f"{name}.srt"
        file.write_text(timed(*((3 * at, 3 * at + 2, f"{who}: Good day to you.") for at, who in enumerate(names * 2))))
        request = replace(asked(noise, "es", source_language="en"), subtitles=file)
        report = dubbed(request, [(0, 1)], tmp_path / name, known)
        found.append({speaker["label"]: speaker["voice"] for speaker in report["speakers"]})
    assert {name: found[1][name] for name in ("ANNA", "BEN")} == found[0]
