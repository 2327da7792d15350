"""The tools: what an assistant may have done here, by the same services and within the same limits as the routes."""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

from anyio import move_on_after

from vt.api.dependencies import Threads
from vt.api.mcp import answers, arguments
from vt.domain import Job, JobSpec
from vt.errors import InputError
from vt.jobs.job_service import Draft, disk_errors
from vt.jobs.progress_feed import follow
from vt.languages import AUTO
from vt.services import Services
from vt.web.visitors import ConcurrencyLimit

Told: TypeAlias = dict[str, Any] | str
OnProgress: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Is told how far something is, 0..1, and what it is at."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who has made it, and what serves it."""

    services: Services
    threads: Threads
    waits: ConcurrencyLimit
    visitor: str
    """The `key` of the `Visitor`."""
    base: str
    """The address of this server as the client knows it, such as https://dub.example.org."""
    on_progress: OnProgress


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    title: str
    description: str
    arguments: type[arguments.Arguments]
    run: Callable[[Call, Any], Awaitable[Told]]
    reads_only: bool = True


async def _begin(call: Call, asked: arguments.Dub | arguments.Transcribe) -> Told:
    if bool(asked.film_base64) == bool(asked.from_job):
        raise InputError("Give a film in film_base64, or another job's id in from_job. send_large_film takes the rest.")
    job = await call.threads.probe(lambda: _submitted(call, asked, asked.spec(asked.file_name)))
    return await _told(call, job)


def _submitted(call: Call, asked: arguments.Film, spec: JobSpec) -> Job:
    services = call.services
    with services.uploads.held(call.visitor), services.probes.held(call.visitor), services.jobs.draft() as draft:
        if asked.from_job:
            spec = services.jobs.reuse(draft, asked.from_job, spec)
        else:
            _receive(services, draft, asked.film_base64)
        return services.jobs.submit(draft, spec, call.visitor)


def _receive(services: Services, draft: Draft, said: str) -> None:
    try:
        film = base64.b64decode("".join(said.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("What is in film_base64 is no base64 (RFC 4648).") from error
    if len(film) > arguments.MOST_FILM_BYTES:
        raise InputError("The film is too large for a call (1.4 MB are the most): send_large_film says how it is sent.")
    services.jobs.check_room(len(film))
    with disk_errors():
        draft.film.write_bytes(film)


async def _told(call: Call, job: Job) -> dict[str, Any]:
    return await call.threads.read(lambda: answers.job(call.services.jobs, job, call.base))


async def _send_large_film(call: Call, asked: arguments.LargeFilm) -> Told:
    """Say how a film is sent by HTTP, which makes a job of it."""
    spec = asked.spec("")
    target = spec.target.code if spec.target else ""
    fields = {
        "target_language": target,
        "transcribe": "" if target else "true",
        "source_language": "" if spec.source_language == AUTO else spec.source_language,
        "voice": spec.wishes.voice,
        "speakers": str(spec.speakers or ""),
        "background": spec.finish.background or "",
        "fit": spec.finish.fit or "",
        "burn": spec.finish.burn,
        "preview": "true" if spec.preview else "",
    }
    given = {name: str(value) for name, value in fields.items() if value}
    url = f"{call.base}/api/v1/jobs"
    # Not by -F, which would send a file of the client's in place of a value that begins with @ or <.
    parts = [part for name, value in given.items() for part in ("--form-string", f"{name}={value}")]
    command = ["curl", "-sS", "-F", "file=@FILM", *parts, url]
    settings = call.services.settings
    return {
        "how": "Replace FILM in the command by the path of the film, and run it where the film is. Its answer is JSON: "
        "the id in it is the job_id for the other tools.",
        "command": shlex.join(command),
        "method": "POST",
        "url": url,
        "form_fields": {"file": "the film", **given},
        "most_megabytes": settings.max_upload_mb,
        "most_minutes": settings.max_duration_minutes,
    }


async def _job(call: Call, asked: arguments.Follow) -> Told:
    job = await call.threads.read(lambda: call.services.jobs.get(asked.job_id))
    if asked.wait_seconds and not job.state.is_over:
        with call.waits.held(call.visitor):
            job = await _awaited(call, job, asked.wait_seconds)
    return await _told(call, job)


async def _awaited(call: Call, job: Job, seconds: float) -> Job:
    """Return a job when it is over, or as it stands after so many seconds; on the way tell how far it is."""
    jobs, last = await call.threads.read(lambda: call.services.jobs), job
    with move_on_after(seconds):
        async with aclosing(follow(jobs, job.id, call.threads.read)) as changes:
            async for last in changes:
                await call.on_progress(last.fraction, (last.stage or last.state).value)
    return last


async def _text(call: Call, asked: arguments.Text) -> Told:
    whole = await call.threads.read(
        lambda: answers.text(call.services.jobs, asked.job_id, asked.language.strip(), asked.form)
    )
    end = asked.start + arguments.MOST_CHARACTERS
    more = f"\n[There is more: call again with start={end}.]" if len(whole) > end else ""
    return whole[asked.start : end] + more


async def _cancel(call: Call, asked: arguments.OfJob) -> Told:
    return await _told(call, await call.threads.change(lambda: call.services.jobs.cancel(asked.job_id)))


async def _list_languages(call: Call, _: arguments.Nothing) -> Told:
    offers = await call.threads.read(call.services.factory.offers)
    return {
        "films_may_speak": {one.language.code: one.language.name for one in offers if one.hear},
        "dubs_may_speak": {one.language.code: one.language.name for one in offers if one.translate_to and one.speak},
    }


async def _list_voices(call: Call, asked: arguments.Voices) -> Told:
    return {"voices": await call.threads.read(lambda: call.services.voices(asked.language))}


TOOLS: Mapping[str, Tool] = {
    "dub": Tool(
        "Dub a film",
        "Begin to dub a small film, or once more the film of another job, into a language. Answers at once with the "
        "job, which takes minutes: follow it with get_job. Films above 1.4 MB go through send_large_film.",
        arguments.Dub,
        _begin,
        reads_only=False,
    ),
    "transcribe": Tool(
        "Write down a film",
        "Begin to write down what is said in a small film or recording, or in the film of another job. Answers at once "
        "with the job: follow it with get_job, then read it with get_text.",
        arguments.Transcribe,
        _begin,
        reads_only=False,
    ),
    "send_large_film": Tool(
        "How to send a large film",
        "Say how a film of any size that this server takes is sent: a command with curl, which answers with the id of "
        "the job. With target_language the film is dubbed, without it written down.",
        arguments.LargeFilm,
        _send_large_film,
    ),
    "get_job": Tool(
        "Follow a job",
        "Say where a job stands, now or when it is over, and where its results are fetched: the dubbed film, subtitles "
        "and the report.",
        arguments.Follow,
        _job,
    ),
    "get_text": Tool(
        "Read a text of a job",
        "Give what is said in a film whose job is done, in the film's language or the dub's: as plain text or as "
        "subtitles, at most 100,000 characters a call.",
        arguments.Text,
        _text,
    ),
    "cancel_job": Tool(
        "Cancel a job",
        "End a job that waits or runs, for good.",
        arguments.OfJob,
        _cancel,
        reads_only=False,
    ),
    "list_languages": Tool(
        "List the languages",
        "List the languages that films may speak, and those that they can be dubbed into here, now.",
        arguments.Nothing,
        _list_languages,
    ),
    "list_voices": Tool(
        "List the voices",
        "List the voices that can speak a language here, the one that is used by default first.",
        arguments.Voices,
        _list_voices,
    ),
}
"""By name. Managing models is none of them."""
