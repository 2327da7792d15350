"""The command `vt jobs`: the jobs of a running server, listed, followed, ended, removed, and their results fetched."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vt.cli import display
from vt.cli.client import Client
from vt.errors import InputError
from vt.system import folders

_NOTHING = "There are no jobs."


def run(arguments: argparse.Namespace, client: Client) -> list[str]:
    """Do what is asked for, and return the lines to print.

    Raises:
        InputError: the server does not know the job, or it is not in a state for that.
        ToolError: the server does not answer.
    """
    if not arguments.id:
        if arguments.fetch or arguments.cancel or arguments.remove:
            raise InputError("Name the job, by the id that it had when it was begun.")
        return _told(client.jobs(), as_json=arguments.json)
    if arguments.fetch:
        return [str(path) for path in _fetched(client, arguments.id, arguments.out)]
    if arguments.remove:
        client.remove_job(arguments.id)
        return [f"removed {arguments.id}"]
    job = client.cancel_job(arguments.id) if arguments.cancel else client.job(arguments.id)
    return _told([job], as_json=arguments.json)


def _told(jobs: Sequence[dict[str, Any]], *, as_json: bool) -> list[str]:
    if as_json:
        return [json.dumps(job, ensure_ascii=False) for job in jobs]
    return [display.jobs(jobs)] if jobs else [_NOTHING]


def _fetched(client: Client, job_id: str, out: Path) -> list[Path]:
    """Fetch the results of a job, and return their files; all of them, or none."""
    told = client.report(job_id)
    dubbed, heard = told.get("target_language"), told["source"]["language"]
    routes = [
        f"subtitles/{code}.{form}" for code in dict.fromkeys(filter(None, (dubbed, heard))) for form in ("srt", "vtt")
    ]
    with folders.work_folder(out) as folder:
        files = [client.fetch(job_id, route, folder) for route in (*(["video"] if dubbed else []), *routes)]
        stem = files[0].stem if dubbed else files[0].stem.removesuffix(f".{heard}")
        report = folder / f"{stem}.report.json"
        report.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return folders.deliver([*files, report], out)
