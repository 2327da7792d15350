"""Films that a language model translates: what stands in for it, what is kept, what is told, and what never is."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.asking import asked, pair
from tests.chat_server import ENGLISH, SPANISH, Answer, ChatServer
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.test_factory import settings
from vt import languages
from vt import settings as vt_settings
from vt.cli.report import facts
from vt.domain import Cancel, Edit, Edits, Wishes
from vt.dubbing import pipeline
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.report import DubReport, read
from vt.engines.apertium import ApertiumEngine
from vt.engines.llm import INFO, LlmEngine
from vt.engines.llm_endpoint import Patience
from vt.engines.registry import BUILT_IN
from vt.errors import LanguageError, ModelUnavailable, SettingsError
from vt.factory import AIServiceFactory
from vt.languages import Language
from vt.models.catalogue import Catalogue
from vt.models.inventory import StageInUse
from vt.models.services import TranslationService
from vt.settings import Settings
from vt.ui import fragments
from vt.ui.words import Words

KEY = "sk-very-secret-1234"
COUNT = 4
SAID = [SPANISH.format(number) for number in range(COUNT)]
SRT = "".join(
    f"{number + 1}\n00:00:00,{200 * number:03} --> 00:00:00,{200 * number + 180:03}\n{ENGLISH.format(number)}\n\n"
    for number in range(COUNT)
)
QUICK = Patience(pause_seconds=0.001)
INSTEAD = "1 line was translated by apertium instead. The language model tiny did not answer in Spanish."


def configured(url: str, **fields: object) -> Settings:
    own = {"engines": "auto", "hub_offline": True, "translation_engine": "llm", "llm_model": "tiny", "llm_key": KEY}
    return settings(llm_url=url, **{**own, **fields})


@contextmanager
def serving(url: str, **fields: object) -> Iterator[AIServiceFactory]:
    """Make a factory whose language model is not waited for long, and which knows Apertium beside it."""
    own = configured(url, **fields)
    table = replace(BUILT_IN, translation=(LlmEngine(QUICK), ApertiumEngine()))
    with closing(AIServiceFactory(own, catalogue=Catalogue(own, engines=table))) as factory:
        yield factory


class Studio(FakeFactory):
    """Reads subtitles, speaks tones, and has translated what a real factory has translated."""

    def __init__(self, real: AIServiceFactory) -> None:
        super().__init__(ScriptedTranscriber([]), ToneSynthesizer(0.01), real.settings)
        self.real = real

    def translation_service(self, source: Language, target: Language, **more: Any) -> TranslationService:  # noqa: ANN401
        return self.real.translation_service(source, target, **more)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


def dubbed(
    factory: AIServiceFactory,
    film: Path,
    folder: Path,
    edits: Edits | None = None,
    said: str = SRT,
    glossary: Path | None = None,
) -> dict[str, Any]:
    """Dub what subtitles say with the pieces that are kept in a folder, and return the report."""
    place = folder / str(len(list(folder.iterdir())))
    place.mkdir()
    written = place / "film.srt"
    written.write_text(said)
    more = {"glossary": glossary, **({"edits": edits} if edits else {})}
    request = asked(film, "es", "en", written, **more)
    artifacts = Artifacts(folder / "pieces")
    return pipeline.dub(request, Studio(factory), place, artifacts=artifacts).report.as_json()


def texts(report: dict[str, Any]) -> list[str]:
    return [line.get("shortened") or line["text"] for line in report["segments"]]


def bad(asked: Sequence[Any]) -> str:
    """Leave one line in English, whichever it is called in the question."""
    made = [(one["id"], one["text"]) for one in asked]
    return json.dumps({"lines": [{"id": number, "text": text if " 2 " in text else SPANISH.format(text.split()[3])}
                                 for number, text in made]})  # fmt: skip


def test_a_film_is_translated_and_what_that_took_stands_in_its_report(film: Path, tmp_path: Path) -> None:
    with ChatServer() as server, serving(server.url) as factory:
        report = dubbed(factory, film, tmp_path)
        metrics = factory.metrics.exposition().decode()
    use, calls = report["engines"]["translation"], len(server.questions)
    assert texts(report) == SAID
    assert (use["engine"], use["model"], use["device"], use["fallback_reason"]) == ("llm", "tiny", "remote", None)
    assert use["usage"] == {
        "calls": calls, "prompt_tokens": 100 * calls, "completion_tokens": 10 * calls, "lines_by_others": 0
    }  # fmt: skip
    told = read(json.dumps(report))
    took = f"{calls} questions, {100 * calls} tokens asked with, {10 * calls} answered with"
    assert isinstance(told, DubReport) and ("That took", took) in facts(told)
    assert fragments.usage(Words("en"), told.engines.translation.usage) == (
        f'<p class="vt-hint">Questions to the language model: {calls}. '
        f"Tokens of questions: {100 * calls}, of answers: {10 * calls}.</p>"
    )
    assert INFO.remark in report["notes"]
    assert f"vt_llm_calls_total {float(calls)}" in metrics
    assert f'vt_llm_tokens_total{{kind="prompt"}} {100.0 * calls}' in metrics
    assert "vt_llm_fallen_lines_total 0.0" in metrics
    assert server.questions[0].asked[0]["at_most"] > 0


@pytest.mark.soak
def test_what_is_kept_is_not_asked_for_again_and_still_counted(film: Path, tmp_path: Path) -> None:
    with ChatServer() as server, serving(server.url) as factory:
        first = dubbed(factory, film, tmp_path)
        asked_for = len(server.questions)
        for kept in (tmp_path / "pieces").glob("texts*"):  # as where the run was killed before all was translated
            kept.unlink()
        again = dubbed(factory, film, tmp_path)
        assert len(server.questions) == asked_for
        edits = Edits({1: Edit(source_text=ENGLISH.format("seven"))})
        edited = dubbed(factory, film, tmp_path, edits)
    assert again["engines"] == first["engines"]
    assert texts(edited)[1] == SPANISH.format("seven")
    (context_before, *_) = server.questions[-1].entries
    assert context_before == {"context": ENGLISH.format(0)}
    assert edited["engines"]["translation"]["usage"]["calls"] == asked_for + 1


@pytest.mark.soak
def test_a_line_that_the_model_fails_with_is_translated_by_the_next_engine(film: Path, tmp_path: Path) -> None:
    with ChatServer([Answer(bad)] * 99) as server, serving(server.url) as factory:
        report = dubbed(factory, film, tmp_path)
        metrics = factory.metrics.exposition().decode()
    made = texts(report)
    assert [made[number] for number in (0, 1, 3)] == [SAID[number] for number in (0, 1, 3)]
    assert made[2] not in (SAID[2], ENGLISH.format(2), "")
    assert report["engines"]["translation"]["engine"] == "llm"
    assert report["engines"]["translation"]["usage"]["lines_by_others"] == 1
    assert INSTEAD in report["notes"]
    assert any(note.startswith("Apertium translates by rules") for note in report["notes"])
    assert "vt_llm_fallen_lines_total 0.0" not in metrics


TERMS = {f"gadget{chr(97 + number)}": f"cacharro{chr(97 + number)}" for number in range(20)}
PAIRS = [*zip(list(TERMS)[::2], list(TERMS)[1::2], strict=True)]
OF_TERMS = "".join(
    f"{number + 1}\n00:00:00,{80 * number:03} --> 00:00:00,{80 * number + 70:03}\n"
    f"The {one} and the {other} sleep in the old house by the river.\n\n"
    for number, (one, other) in enumerate(PAIRS)
)


def with_terms(asked: Sequence[Any], *, forgets: Collection[str] = ()) -> str:
    """Translate lines of `OF_TERMS` with the terms that the question names, but for some of the terms."""
    rows = []
    for entry in asked:
        one, other = ("aparato" if term in forgets else said for term, said in entry["terms"].items())
        rows.append({"id": entry["id"], "text": f"El {one} y el {other} duermen en la casa vieja junto al río."})
    return json.dumps({"lines": rows})


def glossary_of(terms: Mapping[str, str], folder: Path) -> Path:
    file = folder / "terms.csv"
    file.write_text("".join(f"{source},{target}\n" for source, target in terms.items()))
    return file


@pytest.mark.soak
def test_twenty_terms_of_a_glossary_are_told_and_lines_that_break_one_are_asked_for_again(
    film: Path, tmp_path: Path
) -> None:
    forgetful = partial(with_terms, forgets=set(list(TERMS)[:6:2]))
    glossary = glossary_of(TERMS, tmp_path)
    (tmp_path / "work").mkdir()
    with ChatServer([Answer(forgetful), *[Answer(with_terms)] * 9]) as server, serving(server.url) as factory:
        report = dubbed(factory, film, tmp_path / "work", said=OF_TERMS, glossary=glossary)
    first, second = (question.asked for question in server.questions[:2])  # what follows are shorter wordings
    assert [entry["terms"] for entry in first] == [{term: TERMS[term] for term in pair} for pair in PAIRS]
    assert [entry["text"] for entry in second] == [entry["text"] for entry in first[:3]]
    assert report["glossary"] == {"terms": 20, "unmatched": [], "not_held": []}
    assert all(TERMS[term] in text for pair, text in zip(PAIRS, texts(report), strict=True) for term in pair)
    assert report["engines"]["translation"]["usage"]["lines_by_others"] == 0


@pytest.mark.soak
def test_a_term_that_the_model_never_holds_is_put_into_its_line_all_the_same(film: Path, tmp_path: Path) -> None:
    def marked(asked: Sequence[Any]) -> str:
        if "terms" in asked[0]:
            return with_terms(asked, forgets=TERMS)
        rows = [{"id": one["id"], "text": f"El X1Q y el X2Q duermen en la casa {one['id']}."} for one in asked]
        return json.dumps({"lines": rows})

    glossary = glossary_of(TERMS, tmp_path)
    (tmp_path / "work").mkdir()
    with ChatServer([Answer(marked)] * 99) as server, serving(server.url) as factory:
        report = dubbed(factory, film, tmp_path / "work", said=OF_TERMS, glossary=glossary)
    assert report["glossary"]["not_held"] == []
    assert texts(report)[0].startswith("El cacharroa y el cacharrob duermen")
    assert report["engines"]["translation"]["usage"]["lines_by_others"] == 0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "The server of the language model tiny does not answer: check VT_LLM_URL."),
        (Answer(status=500), "The server of the language model tiny is busy or has an error (500)."),
        (Answer(lambda _: "no JSON"), "The language model tiny did not answer in the form that was asked for."),
    ],
)
@pytest.mark.soak
def test_where_the_server_fails_the_film_is_translated_by_the_next_engine_with_the_reason(
    answer: Answer | None, why: str, film: Path, tmp_path: Path
) -> None:
    with ChatServer([answer or Answer()] * 999) as server, serving(server.url) as factory:
        if answer is None:
            server.close()
        report = dubbed(factory, film, tmp_path)
    use = report["engines"]["translation"]
    assert use["engine"] == "apertium"
    assert why in use["fallback_reason"]
    assert any(why in note for note in report["notes"])
    assert INFO.remark not in report["notes"]
    assert all(texts(report))
    assert KEY not in json.dumps(report)


@pytest.mark.soak
def test_a_server_that_is_gone_makes_the_health_worse_until_it_is_back() -> None:
    wrong, failing = Answer(status=401, body=b"{}"), [Answer(status=500)] * QUICK.tries
    with ChatServer(failing, models=wrong) as server, serving(server.url) as factory:
        assert factory.translation_service(*pair("en", "es")).choice.info.name == "apertium"
        assert factory.health_check()["status"] == "degraded"
        assert "check VT_LLM_KEY" in " ".join(factory.notes())
        server.models = Answer(body=b"{}")
        service = factory.translation_service(*pair("en", "es"))
        assert factory.health_check()["status"] == "healthy"
        list(service.translate([ENGLISH.format(1)], Cancel()))
        assert "an error (500)" in str(factory.troubles.latest())
        assert factory.get_model_status()["models"] == []  # the next one looks anew whether it is there
        assert list(service.translate([ENGLISH.format(1)], Cancel())) == [SAID[1]]


@pytest.mark.soak
def test_a_server_that_did_not_serve_twice_is_left_alone_by_that_film() -> None:
    with ChatServer([Answer(status=500)] * 99) as server, serving(server.url) as factory:
        service = factory.translation_service(*pair("en", "es"))
        for _ in range(4):
            list(service.translate([ENGLISH.format(1)], Cancel()))
    assert len(server.questions) == 2 * QUICK.tries
    assert service.take_spent().calls == 2 * QUICK.tries


def test_it_takes_no_memory_and_is_among_the_models() -> None:
    with ChatServer() as server, serving(server.url) as factory:
        factory.translation_service(*pair("en", "es"))
        (model,) = factory.get_model_status()["models"]
        stage: StageInUse = factory.inventory.stages()[1]
    assert (model["model_name"], model["device"], model["memory_usage_mb"]) == ("tiny", "remote", 0.0)
    assert model["cache_key"].startswith("translation_llm_tiny-")
    assert (stage.engine, stage.model) == ("llm", "tiny")
    assert "VT_LLM_MODEL=tiny" in stage.configured


def test_without_a_cache_it_serves_too() -> None:
    with ChatServer() as server, serving(server.url, cache_enabled=False) as factory:
        assert list(factory.translation_service(*pair("en", "es")).translate([ENGLISH.format(1)], Cancel())) == [
            SAID[1]
        ]


# Where nothing stands in


def test_where_nothing_may_stand_in_a_server_that_is_down_is_an_error_and_a_line_stays_empty() -> None:
    with ChatServer([Answer(bad)] * 3) as server, serving(server.url, fallback=False) as factory:
        service = factory.translation_service(*pair("en", "es"))
        lines = [ENGLISH.format(number) for number in range(COUNT)]
        assert list(service.translate(lines, Cancel())) == [SAID[0], SAID[1], "", SAID[3]]
        server.close()
        with pytest.raises(ModelUnavailable, match=r"does not answer: .* VT_FALLBACK=false allows nothing"):
            list(service.translate(lines, Cancel()))


def test_where_nobody_else_knows_the_languages_a_server_that_is_down_is_an_error() -> None:
    with ChatServer() as server, serving(server.url) as factory:
        service = factory.translation_service(*pair("is", "sw"))
        server.close()
        with pytest.raises(ModelUnavailable, match="check VT_LLM_URL"):
            list(service.translate(["Góðan daginn, hundurinn sefur."], Cancel()))


# Who is served by it


def test_auto_and_another_engine_never_take_it() -> None:
    with ChatServer() as server:
        for own in ("auto", "apertium"):
            with serving(server.url, translation_engine=own) as factory:
                listed = Catalogue(factory.settings).translation(*pair("en", "es"))
                assert "llm" not in {candidate.info.name for candidate in listed}
                offer = next(offer for offer in factory.offers() if offer.language == languages.SPANISH)
                assert "llm" not in offer.translate_to
                assert factory.translation_service(*pair("en", "es")).choice.info.name != "llm"
                named = factory.translation_service(*pair("en", "es"), engine="llm")
                assert list(named.translate([ENGLISH.format(1)], Cancel())) == [SAID[1]]
        with serving(server.url) as factory:
            assert factory.translation_service(*pair("en", "es"), engine="auto").choice.info.name != "llm"
            offer = next(offer for offer in factory.offers() if offer.language == languages.SPANISH)
            assert offer.translate_to[0] == "llm"
            assert "sw" in factory.targets()["is"]


def test_where_it_is_not_configured_who_names_it_is_told_which_settings_are_needed() -> None:
    with pytest.raises(SettingsError, match=r"VT_TRANSLATION_ENGINE=llm: .* needs VT_LLM_URL, .* and VT_LLM_MODEL"):
        Catalogue(configured(""))
    with pytest.raises(SettingsError, match="VT_LLM_MODEL"):
        Catalogue(configured("http://127.0.0.1:1/v1", llm_model=""))
    with pytest.raises(SettingsError, match="VT_ENGINES=embedded"):
        Catalogue(configured("http://127.0.0.1:1/v1", engines="embedded"))
    with closing(AIServiceFactory(settings())) as factory:
        factory.check(*pair("en", "es"), wishes=Wishes(translation_engine="llm"))
        choice = factory.translation_service(*pair("en", "es"), engine="llm").choice
        assert choice.info.name != "llm"
        assert "needs VT_LLM_URL" in str(choice.fallback_reason)


def test_languages_that_models_have_hardly_read_are_refused() -> None:
    with (
        pytest.raises(LanguageError, match="not asked to translate Abidji"),
        serving("http://127.0.0.1:1/v1") as factory,
    ):
        factory.check(*pair("en", "abi"), hears=False)


def test_what_is_fetched_ahead_is_no_model_of_a_server() -> None:
    wanted = Catalogue(configured("http://127.0.0.1:1/v1")).wanted()
    assert "llm" not in {candidate.info.name for candidate in wanted}
    assert {candidate.info.kind for candidate in wanted} == {"stt", "translation", "tts"}


# What is never told


def test_the_key_is_told_to_nobody_but_the_server(film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refusal = Answer(status=401, body=f"Incorrect API key provided: {KEY}".encode())
    with ChatServer([refusal] * 99) as server, serving(server.url) as factory:
        report = dubbed(factory, film, tmp_path)
        told = [
            json.dumps(report),
            *(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()),
            json.dumps(factory.get_model_status()),
            repr(factory.inventory.stages()),
            repr(factory.settings),
            repr(factory.troubles.latest()),
            str(factory.notes()),
            factory.metrics.exposition().decode(),
        ]
    assert server.questions[0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY in factory.settings.secrets
    assert [one for one in told if KEY in one] == []
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("ftp://example.org", "use an address such as"),
        ("http://", "use an address such as"),
        ("http://example.org:99999/v1", "use an address such as"),
        ("http://name:word@example.org/v1", "a key belongs into VT_LLM_KEY"),
        ("http://example.org/v1?key=1", "a key belongs into VT_LLM_KEY"),
        ("https://example.org/v1/chat/completions", "use the base address"),
        ("http://exa mple.org", "use an address such as"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_the_start(
    url: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VT_LLM_URL", url)
    with pytest.raises(SettingsError, match=form) as raised:
        vt_settings.load()
    assert str(raised.value).startswith("The environment variable VT_LLM_URL cannot be used: ")


def test_a_key_with_a_line_end_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VT_LLM_KEY", f"{KEY}\nX-Header: 1")
    with pytest.raises(SettingsError) as raised:
        vt_settings.load()
    assert KEY not in str(raised.value)
    monkeypatch.setenv("VT_LLM_KEY", f" {KEY}\n")
    found = vt_settings.load()
    assert found.llm_key
    assert found.llm_key.get_secret_value() == KEY
    assert KEY not in repr(found)
