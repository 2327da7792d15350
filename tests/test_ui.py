"""What the page is made of: its words, what a browser remembers, uploads that go, and text that stays text."""

from __future__ import annotations

import asyncio
import re
import string
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.reports import dub_report
from vt.domain import NO_EDITS, Finish, Fit, Job, JobSpec, JobState, Stage
from vt.dubbing.report import DubbedLine, SpeakerUse
from vt.errors import UploadGone
from vt.factory import AIServiceFactory, Preloaded
from vt.jobs.store import new_id
from vt.models.inventory import StageInUse
from vt.models.language_grades import Grade, LanguageGrade
from vt.models.monitor import Trouble
from vt.services import Services
from vt.settings import Settings
from vt.translatable import Message
from vt.ui import film_endpoints, fragments
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import KEPT_SECONDS, TAKEN_SECONDS, Owner
from vt.ui.scripts import MOST_JOBS
from vt.ui.shared import MOST_FILMS, Memory, Shared, Subject
from vt.ui.tabs.models import preload_text
from vt.ui.tabs.upload import UploadTab
from vt.ui.words import LANGUAGES, Words, translations
from vt.web.visitors import ConcurrencyLimit

TEMPLATES = Path(fragments.__file__).with_name("templates")
ENGLISH = Words("en")
LINE = DubbedLine(0, 1.0, 3.0, "<b>Hi</b>", "'\"><script>", 2.0, 2.0, 2.4, 1.2, 1.0, 3.0, 0.0)


def test_every_word_is_there_in_every_language_with_the_same_places_for_values() -> None:
    words = translations().translations
    assert set(words) == set(LANGUAGES)
    for key, english in words["en"].items():
        for language in LANGUAGES:
            said = words[language][key]
            fields = [{name for _, name, *_ in string.Formatter().parse(text) if name} for text in (english, said)]
            assert fields[0] == fields[1], f"{language}, {key}"
            assert not {"'", '"'} & set(said), f"{language}, {key} would end an attribute"


@pytest.mark.parametrize("kept", [None, [], "x", {"jobs": "x"}, {"jobs": [1, "../../etc"], "view": 7}])
def test_a_memory_that_is_none_is_an_empty_one(kept: Any) -> None:  # noqa: ANN401
    assert Memory.of(kept) == Memory()


def test_a_memory_has_the_latest_job_first_and_not_too_many() -> None:
    ids = [new_id() for _ in range(MOST_JOBS + 1)]
    memory = Memory()
    for job_id in ids:
        memory = memory.with_job(job_id)
    assert (memory.jobs[0], len(memory.jobs), memory.view) == (ids[-1], MOST_JOBS, ids[-1])
    assert Memory.of(memory.kept()) == memory
    gone = memory.without(ids[-1])
    assert (gone.view, ids[-1] in gone.jobs) == ("", False)


def test_an_upload_goes_by_its_age_and_sooner_where_a_job_has_it(tmp_path: Path) -> None:
    uploaded = tmp_path / "uploads"
    for name in ("waiting", "taken"):
        (uploaded / name).mkdir(parents=True)
        (uploaded / name / "film.mp4").write_bytes(b"film")
    job = tmp_path / "input"
    uploads.take(uploaded / "taken" / "film.mp4", job)
    assert job.samefile(uploaded / "taken" / "film.mp4")

    def left() -> set[str]:
        return {path.name for path in uploaded.iterdir()}

    uploads.sweep(uploaded, time.time() + TAKEN_SECONDS - 60)
    assert left() == {"waiting", "taken"}
    uploads.sweep(uploaded, time.time() + TAKEN_SECONDS + 60)
    assert left() == {"waiting"}
    uploads.sweep(uploaded, time.time() + KEPT_SECONDS + 60)
    assert left() == set()
    assert job.read_bytes() == b"film"


def test_what_was_uploaded_for_a_job_goes_with_it_and_nothing_else_does(tmp_path: Path) -> None:
    uploaded = tmp_path / "uploads"
    for name in ("taken", "waiting"):
        (uploaded / name).mkdir(parents=True)
        (uploaded / name / "film.mp4").write_bytes(b"film")
    job = tmp_path / "input"
    uploads.take(uploaded / "taken" / "film.mp4", job)
    uploads.drop(uploaded, job)
    assert [path.parent.name for path in uploaded.rglob("*.mp4")] == ["waiting"]


@pytest.mark.parametrize("held", [None, "x", {}, {"name": "film", "job_id": "../../etc"}])
def test_a_page_that_holds_no_film_holds_none(held: Any) -> None:  # noqa: ANN401
    assert Subject.of(held) is None


def test_a_page_holds_a_film_as_it_was_given() -> None:
    film = Subject("talk.mp4", 3.5, ("Track 1", "Track 2"), "en", True, new_id(), "en", "es", more=("b", "c"))
    assert Subject.of({**film.kept(), "tracks": list(film.tracks), "more": ["b", "c"]}) == film
    assert Subject.of({"name": "x", "more": ["b"] * 99}) == Subject("x", 0.0, more=("b",) * (MOST_FILMS - 1))
    assert Subject.of({"name": "x", "seconds": "y", "tracks": 7}) == Subject("x", 0.0)
    for seconds in (float("inf"), float("nan"), -1, 1e300):
        assert Subject.of({"name": "x", "seconds": seconds}) == Subject("x", 0.0)


def test_an_upload_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UploadGone, match="upload it again"):
        uploads.take(tmp_path / "gone.mp4", tmp_path / "input")


HOSTILE = "</textarea><img src=x>'\"{{ 7 * 7 }}"
TRACK = {"language": None, "title": HOSTILE, "codec": HOSTILE}
FOUND = {"file": HOSTILE, "duration_seconds": 3.0, "video": {"codec": HOSTILE}, "audio": [TRACK], "subtitles": [TRACK]}
REPORT = dub_report(LINE)
TALK = replace(
    REPORT,
    segments=(replace(LINE, speaker=0),),
    speakers=(SpeakerUse(0, HOSTILE, 1.0, HOSTILE), SpeakerUse(1, HOSTILE, 1.0)),
)
MODEL = {
    "name": HOSTILE, "engine": HOSTILE, "model_type": "stt", "licence": HOSTILE, "state": "here", "disk_mb": 1.0,
    "removable_mb": 1.0, "memory_mb": 1.0, "in_memory": False, "progress": None,
}  # fmt: skip
VOICES = [(HOSTILE, HOSTILE), ("b", HOSTILE)]
STAGE = StageInUse("stt", (HOSTILE,), HOSTILE, HOSTILE, why=Message(HOSTILE))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(
    "a", JobState.RUNNING, Stage.SPEAK, 0.5, None, NOW, NOW, JobSpec(HOSTILE, "es"), 1, NO_EDITS, NO_EDITS, 0, 0, ""
)


@pytest.mark.parametrize(
    "made",
    [
        fragments.heading(HOSTILE, HOSTILE), fragments.small_print(HOSTILE), fragments.error(HOSTILE, HOSTILE),
        fragments.nothing_here(HOSTILE, HOSTILE),
        fragments.limits(ENGLISH, 1, 2.0, 3.0, [HOSTILE]), fragments.inspection(ENGLISH, FOUND, HOSTILE, HOSTILE),
        fragments.film_line(HOSTILE, 3.0, HOSTILE), fragments.chosen(ENGLISH, [(HOSTILE, 3.0)]),
        fragments.sending(ENGLISH), fragments.link_field(ENGLISH),
        fragments.languages_here(ENGLISH, [LanguageGrade("es", Grade.GOOD, Grade.ROUGH)]),
        fragments.engines_in_use(ENGLISH, [("served_hear", [HOSTILE])], {HOSTILE: HOSTILE}),
        fragments.sample(ENGLISH, HOSTILE, HOSTILE), fragments.job_head(ENGLISH, JOB, HOSTILE),
        fragments.progress(ENGLISH, replace(JOB, id=HOSTILE), 7.0, HOSTILE, None, [0, 1]),
        fragments.downloads(ENGLISH, JOB, REPORT, False), fragments.notes(ENGLISH, [HOSTILE]),
        fragments.films(ENGLISH, fragments.by_film([(JOB, HOSTILE)], {}), "a"),
        fragments.undo(ENGLISH, JOB), fragments.black_picture(ENGLISH, JOB, HOSTILE),
        fragments.sharing(ENGLISH, HOSTILE),
        fragments.health(ENGLISH, "healthy", [HOSTILE], HOSTILE), fragments.action_result(HOSTILE),
        fragments.model_downloads(ENGLISH, [MODEL | {"state": "downloading"}]),
        fragments.model_files(ENGLISH, [MODEL], {"data": 1.0, "models": 2048.0}),
        fragments.stages(ENGLISH, [STAGE], {HOSTILE: HOSTILE}),
        fragments.troubles(ENGLISH, [Trouble(NOW, HOSTILE, Message(HOSTILE))]),
    ],
)  # fmt: skip
def test_what_people_and_films_say_stays_text(made: str) -> None:
    assert "<img src=x" not in made and "<script" not in made and "49" not in made
    assert made.count("<textarea") == made.count("</textarea>")
    assert "x>'" not in made and 'x>"' not in made, "it would end an attribute"


def test_limits_have_the_readers_decimal_sign() -> None:
    for code, said in (("en", "<b>0.5 minutes</b>"), ("es", "<b>0,5 minutos</b>"), ("de", "<b>0,5 Minuten</b>")):
        assert said in fragments.limits(Words(code), 1, 0.5, 24.0, ["mp4"])


def test_no_template_trusts_anything_but_numbers_and_our_own_script() -> None:
    trusted = {file.name: file.read_text(encoding="utf-8").count("|safe") for file in TEMPLATES.glob("*.html")}
    assert {name: count for name, count in trusted.items() if count} == {
        "limits.html": 3,
        "card.html": 1,
        "shared.html": 1,
        "shared_gone.html": 1,
    }


@pytest.mark.parametrize("is_there", [True, False])
def test_the_sample_film_is_offered_where_it_is_there_and_nowhere_else(tmp_path: Path, is_there: bool) -> None:
    sample = tmp_path / "sample.mp4"
    if is_there:
        sample.write_bytes(b"film")
    chosen = Settings(data_dir=tmp_path / "data", preload_models=False, engines="embedded")

    async def built(services: Services) -> gr.Blocks:  # in an event loop, else Gradio makes one that nobody closes
        page: gr.Blocks
        with gr.Blocks() as page:
            UploadTab(services, Shared(gr.Tabs(), gr.HTML(), gr.HTML()), sample)
        return page

    with closing(Services(chosen, AIServiceFactory(chosen))) as services:
        page = asyncio.run(built(services))
    (button,) = (block for block in page.blocks.values() if block.elem_id == "vt-sample")
    around = [button]
    while around[-1].parent:
        around.append(around[-1].parent)
    assert all(block.visible for block in around) == is_there


def test_why_a_preload_failed_is_said_in_the_readers_language_and_without_a_path() -> None:
    why = Message("The folder {folder} of the NLLB model is not there.", folder=Path("/srv/models/nllb"))
    model = Preloaded("nllb", "translation", "failed", why)
    assert preload_text(Words("es"), model) == "nllb: falló (La carpeta nllb del modelo NLLB no está.)"
    assert preload_text(ENGLISH, Preloaded("nllb", "translation", "loading")) == "nllb: loading"


def test_a_caller_who_follows_too_much_already_is_refused_before_a_job_is_made(tmp_path: Path) -> None:
    chosen = Settings(data_dir=tmp_path / "data", preload_models=False, engines="embedded")
    with closing(Services(chosen, AIServiceFactory(chosen))) as services:
        services.followers = ConcurrencyLimit("followers of jobs", each=1, total=1)

        async def call() -> None:
            async with film_endpoints.underway(services, JobSpec("", "es"), "film.mp4", None, Owner("somebody")):
                raise AssertionError("it was let in")

        with services.followers.held("somebody"), pytest.raises(gr.Error, match="Too many followers of jobs"):
            asyncio.run(call())
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("seconds", "said"), [(7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3723, "1:02:03")])
def test_times_are_read_as_on_a_player(seconds: float, said: str) -> None:
    assert fragments.clock(seconds) == said


def dub(name: str, language: str, **more: Any) -> Job:  # noqa: ANN401 (of its request)
    return replace(JOB, id=name, state=JobState.DONE, version=1, request=JobSpec("talk.mp4", language, **more))


@pytest.mark.parametrize(
    ("jobs", "address"),
    [
        ([dub("c", "fr"), dub("b", "es"), dub("a", "es")], "films/c/joined?v=1-1&amp;with=b"),
        ([dub("b", "es"), dub("a", "es")], None),
        ([dub("b", "fr", preview=True), dub("a", "es")], None),
        ([dub("b", "fr", finish=Finish(burn="fr")), dub("a", "es")], None),
        ([dub("b", "fr", finish=Finish(fit=Fit.PICTURE)), dub("a", "es")], None),
        ([replace(dub("b", "fr"), state=JobState.RUNNING), dub("a", "es")], None),
    ],
)
def test_a_film_with_several_finished_languages_is_offered_in_one_file(jobs: list[Job], address: str | None) -> None:
    told = fragments.films(ENGLISH, fragments.by_film([(job, job.request.target_language) for job in jobs], {}), "")
    assert re.findall(r'href="([^"]*joined[^"]*)"', told) == ([address] if address else [])
