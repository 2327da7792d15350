"""Films and recordings that come with a request: received into a folder of their own, within the limits."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Request

from vt.api.dependencies import Threads
from vt.errors import BadUpload
from vt.jobs.job_service import Draft, Jobs
from vt.services import Services
from vt.text.captions import MOST_BYTES, too_large
from vt.text.glossary import reading
from vt.web.multipart import Upload, promised_bytes, receive


@asynccontextmanager
async def received(
    services: Services, threads: Threads, request: Request, visitor: str, fields: Sequence[str]
) -> AsyncIterator[tuple[Draft, Upload]]:
    """Receive a form into a draft, which is removed unless it is submitted.

    Args:
        services: whose limits count.
        threads: write to the disk.
        request: whose body is the form.
        visitor: the `key` of the one who sends it.
        fields: those that take files: file, subtitles, glossary.

    Raises:
        BadUpload: it is no form, or breaks off.
        FilmTooLarge: it is larger than this server takes.
        StorageError: the disk has no room for it.
        TooManyRequests: the visitor sends too many.
    """
    promised = promised_bytes(request.headers)
    with services.uploads.held(visitor):
        jobs = await threads.write(lambda: services.jobs)
        await threads.write(lambda: jobs.check_room(promised))
        lent = jobs.draft()
        draft = await threads.write(lent.__enter__)
        try:
            yield draft, await _form(jobs, threads, request, draft, fields)
        finally:
            failure = sys.exc_info()
            await threads.write(lambda: lent.__exit__(*failure))


async def _form(jobs: Jobs, threads: Threads, request: Request, draft: Draft, fields: Sequence[str]) -> Upload:
    def guarded(write: Callable[[], None]) -> None:
        jobs.check_room(0)  # others write too, and some requests do not tell their size
        write()

    async def on_thread(write: Callable[[], None]) -> None:
        await threads.write(lambda: guarded(write))

    known = {"file": draft.film, "subtitles": draft.subtitles, "glossary": draft.glossary}
    places = {name: known[name] for name in fields}

    def place(field: str, _: str) -> Path:
        if field not in places:
            raise BadUpload("A file came in a field that takes none: files go into {places}.", places=", ".join(places))
        return places[field]

    content_type = request.headers.get("content-type", "")
    stream, most = request.stream(), jobs.upload_limit
    glossary = {"glossary": (reading.MOST_BYTES, reading.too_large)}
    bounds = {"subtitles": (MOST_BYTES, too_large), **glossary}
    upload = await receive(stream, content_type, place, most, jobs.too_large, on_thread, bounds, glossary)
    for name in [name for name, given in upload.files.items() if not given and not places[name].stat().st_size]:
        del upload.files[name]  # a form's field that was left empty
    return upload
