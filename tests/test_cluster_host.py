"""What runs on a machine of a cluster: pieces of work by real engines, and how what goes wrong is told."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from pydantic import SecretStr

from tests.asking import pair
from tests.clusters import FACTS
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer, choice
from tests.test_factory import settings
from vt import languages
from vt.cluster.host import OF_NODES, Host, given_by
from vt.cluster.pieces import Ask, Ended, Kind, Offer, Piece, alike, facts
from vt.cluster.storage import Enclosed
from vt.domain import Cancel, Clip
from vt.engines.protocols import Heard
from vt.errors import Cancelled, EngineError, LanguageError, ModelUnavailable, VtError
from vt.factory import AIServiceFactory
from vt.settings import Settings
from vt.translatable import Message

SPANISH = languages.SPANISH
SPEECH = Ask("tts", target=SPANISH)
TRANSLATION = Ask("translation", *pair("en", "es"))
LINES = [("Buenos días.", 1.0), ("Hasta mañana.", 1.2)]
SENTENCES = ["The house is big.", "Good morning."]


@pytest.fixture(scope="module")
def factory() -> Iterator[AIServiceFactory]:
    with closing(AIServiceFactory(settings())) as made:
        yield made


@pytest.fixture
def host(factory: AIServiceFactory) -> Host:
    return Host({}, factory=factory)


def offered(host: Host, ask: Ask) -> Offer:
    found = host.offer(ask)
    assert isinstance(found, Offer), found
    return found


def lacking(host: Host, ask: Ask) -> VtError:
    found = host.offer(ask)
    assert isinstance(found, VtError), found
    return found


def done(host: Host, ask: Ask, method: str, *arguments: object) -> list[Any]:
    """Return the answers to a piece that asks for what the host has offered; all of them can travel."""
    answers = list(host.work("1", Piece(ask, offered(host, ask).choice, method, arguments)))
    return cast("list[Any]", pickle.loads(pickle.dumps(answers)))  # noqa: S301 (our own)


class Troubled:
    """Speaks one line, and then meets an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        del lines, cancel
        yield Clip(np.zeros(3, np.int16), 16_000)
        raise self.error

    def close(self) -> None:
        """Do nothing."""


def troubled(error: Exception) -> Host:
    """Return a host whose voice meets an error while it speaks."""
    made = FakeFactory(ScriptedTranscriber([]), cast("ToneSynthesizer", Troubled(error)))
    return Host({}, factory=cast("AIServiceFactory", made))


class Refusing(FakeFactory):
    """Raises an error in place of loading anything."""

    def __init__(self, error: Exception) -> None:
        super().__init__(ScriptedTranscriber([]), ToneSynthesizer())
        self.error = error

    def tts_service(self, *_: object, **__: object) -> Any:  # noqa: ANN401
        raise self.error


def refusing(error: Exception) -> Host:
    return Host({}, factory=cast("AIServiceFactory", Refusing(error)))


def scripted() -> tuple[Host, FakeFactory]:
    made = FakeFactory(ScriptedTranscriber([Heard(())]), ToneSynthesizer())
    return Host({}, factory=cast("AIServiceFactory", made)), made


# Offers


def test_a_host_offers_what_its_factory_would_serve(host: Host, factory: AIServiceFactory) -> None:
    spoken, translated = offered(host, SPEECH), offered(host, TRANSLATION)
    assert spoken.choice == factory.tts_service(SPANISH).choice
    assert translated.choice == factory.translation_service(*pair("en", "es")).choice
    assert (spoken.choice.info.name, translated.choice.info.name) == ("espeak-ng", "apertium")
    assert (spoken.has_many_voices, spoken.detects, spoken.language) == (False, False, None)
    assert pickle.loads(pickle.dumps(spoken)) == spoken  # noqa: S301 (our own)


def test_of_recognition_it_is_told_what_is_heard_and_whether_languages_are_told_apart() -> None:
    host, made = scripted()
    found = offered(host, Ask("stt", languages.ENGLISH))
    assert found == Offer(choice("scripted", "stt"), languages.ENGLISH, detects=True)
    assert made.heard.calls == 0


def test_what_nobody_serves_is_answered_with_the_error_and_not_raised(host: Host) -> None:
    assert isinstance(lacking(host, Ask("translation", *pair("zu", "is"))), LanguageError)
    nowhere = lacking(host, Ask("tts", target=SPANISH, voice="nobody-has-it"))
    assert isinstance(pickle.loads(pickle.dumps(nowhere)), VtError)  # noqa: S301 (our own)


@pytest.mark.parametrize("kind", ["translation", "tts", "nonsense"])
def test_an_ask_that_lacks_its_languages_is_served_by_nobody(host: Host, kind: Kind) -> None:
    assert str(lacking(host, Ask(kind))) == "No machine of the cluster serves that."


def test_an_unexpected_error_of_an_offer_is_answered_too_for_the_host_lives_on() -> None:
    error = lacking(refusing(ValueError("bad header in /home/me/models")), SPEECH)
    assert str(error) == "A machine of the cluster met an unexpected error (ValueError)."
    assert isinstance(lacking(refusing(MemoryError()), SPEECH), ModelUnavailable)


# Pieces


def test_a_piece_of_speech_gives_the_clips_that_the_factory_gives(host: Host, factory: AIServiceFactory) -> None:
    *clips, end = done(host, SPEECH, "speak", LINES)
    assert end == Ended()
    own = list(factory.tts_service(SPANISH).speak(LINES, Cancel()))
    assert [clip.sample_rate for clip in clips] == [clip.sample_rate for clip in own]
    assert all(np.array_equal(there.samples, here.samples) for there, here in zip(clips, own, strict=True))


def test_a_piece_of_translation_gives_the_sentences_that_the_factory_gives(
    host: Host, factory: AIServiceFactory
) -> None:
    *texts, end = done(host, TRANSLATION, "translate", SENTENCES, None)
    assert end == Ended()
    assert texts == list(factory.translation_service(*pair("en", "es")).translate(SENTENCES, Cancel()))


def test_what_was_enclosed_is_opened_for_the_engine() -> None:
    host, made = scripted()
    made.heard.script = ()
    ask = Ask("stt", languages.ENGLISH)
    assert done(host, ask, "transcribe", Enclosed(np.zeros(9, np.int16)), languages.ENGLISH) == [Ended()]
    assert done(host, ask, "detect", Enclosed(np.zeros(9, np.int16))) == [(languages.ENGLISH, 0.75), Ended()]
    assert made.heard.calls == 1


def test_the_budgets_of_a_translation_are_passed_on() -> None:
    host, made = scripted()
    assert done(host, TRANSLATION, "translate", ["one", "two"], [3.0, 4.0]) == ["ONE", "TWO", Ended()]
    assert done(host, TRANSLATION, "translate", ["one"], None) == ["ONE", Ended()]
    assert made.translated.budgets == [[3.0, 4.0], None]


def test_a_piece_that_another_voice_would_speak_is_refused_before_anything_is_said(host: Host) -> None:
    wanted = replace(offered(host, SPEECH).choice, model="another", voice="Ana")
    (end,) = host.work("1", Piece(SPEECH, wanted, "speak", (LINES,)))
    assert end.is_unlike
    assert isinstance(end.error, ModelUnavailable)
    assert str(end.error).startswith("A machine of the cluster has espeak-ng ")
    assert str(end.error).endswith("in place of espeak-ng another Ana.")


def test_the_device_and_the_reason_of_a_choice_make_no_difference() -> None:
    one = choice("tone", "tts")
    assert alike(one, replace(one, device="cuda", fallback_reason=Message("There was no memory.")))
    assert not alike(one, replace(one, model="other"))
    assert not alike(one, replace(one, voice="other"))


def test_a_piece_that_nobody_serves_here_is_for_another_machine(host: Host) -> None:
    ask = Ask("translation", *pair("zu", "is"))
    (end,) = host.work("1", Piece(ask, choice("nllb", "translation"), "translate", (SENTENCES, None)))
    assert end.is_unlike
    assert isinstance(end.error, LanguageError)


def test_an_error_of_the_work_is_none_of_a_machine_that_serves_otherwise() -> None:
    answers = done(troubled(EngineError("It cannot be spoken.")), SPEECH, "speak", LINES)
    assert isinstance(answers[0], Clip)
    assert (type(answers[-1].error), str(answers[-1].error)) == (EngineError, "It cannot be spoken.")
    assert not answers[-1].is_unlike


def test_an_unexpected_error_becomes_a_sentence_without_its_text_which_may_name_paths() -> None:
    answers = done(troubled(FileNotFoundError(2, "No such file", "/home/me/secret")), SPEECH, "speak", LINES)
    assert len(answers) == 2
    error = answers[-1].error
    assert isinstance(error, EngineError)
    assert str(error) == "A machine of the cluster met an unexpected error (FileNotFoundError)."
    assert "/home/me" not in f"{error.in_full} {error.__cause__} {error.__context__}"


@pytest.mark.parametrize("error", [MemoryError("of an array"), RuntimeError("CUDA out of memory"), OSError(12, "no")])
def test_memory_that_runs_out_is_told_as_what_it_is(error: Exception) -> None:
    answers = done(troubled(error), SPEECH, "speak", LINES)
    assert type(answers[-1].error) is MemoryError
    assert str(answers[-1].error) == ""
    assert not answers[-1].is_unlike


# Cancelling


def piece_of(host: Host) -> Piece:
    return Piece(SPEECH, offered(host, SPEECH).choice, "speak", (LINES,))


def test_a_piece_that_was_cancelled_before_it_began_does_nothing() -> None:
    host, made = scripted()
    host.cancel("1")
    (end,) = host.work("1", piece_of(host))
    assert isinstance(end.error, Cancelled)
    assert made.spoken.asked == []
    assert len(list(host.work("1", piece_of(host)))) == 3  # nobody has cancelled that one


def test_a_cancel_ends_a_piece_that_is_under_way_and_no_other() -> None:
    host, made = scripted()
    first, second = host.work("1", piece_of(host)), host.work("2", piece_of(host))
    assert isinstance(next(first), Clip)
    assert isinstance(next(second), Clip)
    host.cancel("1")
    (end,) = first
    assert isinstance(end.error, Cancelled)
    assert len(list(second)) == 2
    assert len(made.spoken.asked) == 3


def test_however_many_are_cancelled_after_their_end_a_piece_under_way_can_be() -> None:
    host, _ = scripted()
    answers = host.work("long", piece_of(host))
    next(answers)
    for number in range(3000):
        host.cancel(str(number))
    host.cancel("long")
    (end,) = answers
    assert isinstance(end.error, Cancelled)


# Models


def test_models_are_seen_and_freed_from_afar(host: Host, factory: AIServiceFactory) -> None:
    assert host.models().keys() == factory.get_model_status().keys()
    assert host.clear("no such model") == ((), 0, ())
    assert host.clear("") == ((), 0, ())
    host.preload(("a model that nobody has",))


# Settings and facts


def test_no_secret_of_the_server_is_given_to_its_hosts() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field)}
    assert len(secret) >= 5
    assert secret <= OF_NODES
    given = given_by(settings(hf_token="hf_secret", admin_token="a secret", vad="false"))  # noqa: S106 (no real ones)
    assert not any(isinstance(value, SecretStr) for value in given.values())
    assert "secret" not in str(given)


def test_what_nodes_have_of_their_own_are_settings_and_all_others_are_given() -> None:
    names = set(Settings.model_fields)
    assert names >= OF_NODES
    assert given_by(settings()).keys() == names - OF_NODES


def test_what_is_given_can_travel_and_names_no_folder_of_the_server(tmp_path: Path) -> None:
    given = given_by(settings(vad=False, data_dir=str(tmp_path)))
    assert given["vad"] is False
    assert "data_dir" not in given
    assert pickle.loads(pickle.dumps(given)) == given  # noqa: S301 (our own)


def test_facts_are_those_of_the_process_and_the_first_difference_is_named() -> None:
    own = facts()
    assert scripted()[0].about() == own
    assert own.difference(own) is None
    assert {"numpy", "onnxruntime"} <= own.libraries.keys()
    assert replace(own, code="").difference(own) == "its files of vt are not those of the server"
    assert FACTS.difference(replace(FACTS, libraries={"numpy": "2.0", "torch": "2.4"})) == (
        "it has torch -, and the server 2.4"
    )
    assert replace(FACTS, version="2", code="other").difference(FACTS) == "it has vt 2, and the server 1.0"
