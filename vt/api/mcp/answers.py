"""What the tools answer: a job as it stands, the addresses of its results, and its texts."""

from __future__ import annotations

from typing import Any

from vt.domain import Job
from vt.dubbing.report import DubReport, Report
from vt.errors import JobNotFound, NoSuchResult
from vt.jobs.job_service import Jobs
from vt.jobs.results import ResultText

_FORMS = ("srt", "vtt")


def job(jobs: Jobs, found: Job, base: str) -> dict[str, Any]:
    """Return where a job stands.

    Args:
        jobs: know it.
        found: the job.
        base: the address of this server, as the client knows it.
    """
    told = {
        "job_id": found.id,
        "state": found.state.value,
        "stage": found.stage and found.stage.value,
        "percent": round(100 * found.fraction),
        "film": found.request.file,
        "target_language": found.request.target_language or None,
        "error": found.error,
    }
    if not found.state.is_over:
        outlook = jobs.outlook(found.id)
        seconds = None if outlook.seconds is None else round(outlook.seconds)
        return {**told, "jobs_ahead": outlook.ahead, "seconds_left": seconds}
    return {**told, "results": results(jobs, found, base)} if found.version else told


def results(jobs: Jobs, found: Job, base: str) -> dict[str, Any]:
    """Return where the results of a job are fetched, and what is to be said of them.

    Raises:
        JobNotFound: it has been removed.
        WrongState: it has none yet.
    """
    report, address = jobs.report(found.id), f"{base}/api/v1/jobs/{found.id}"
    subtitles = {code: {form: f"{address}/subtitles/{code}.{form}" for form in _FORMS} for code in _languages(report)}
    film = {"film": f"{address}/video"} if isinstance(report, DubReport) else {}
    notes = [remark.with_file_names({}) for remark in jobs.remarks(found.id)]
    return {**film, "subtitles": subtitles, "report": f"{address}/report", "notes": list(map(str, notes))}


def text(jobs: Jobs, job_id: str, language: str, form: str) -> str:
    """Return a text of a job; see `arguments.Text`.

    Raises:
        JobNotFound: there is no such job.
        WrongState: it has no results yet.
        NoSuchResult: it has no text in that language.
    """
    report = jobs.report(job_id)
    language = language or _languages(report)[0]
    return _plain(report, language) if form == "txt" else _subtitles(jobs, job_id, language, form)


def _languages(report: Report) -> list[str]:
    """Return the codes of the languages of a report, the dub's first."""
    target = [report.target_language.code] if isinstance(report, DubReport) else []
    return list(dict.fromkeys([*target, report.source.language.code]))


def _plain(report: Report, language: str) -> str:
    known = _languages(report)
    if language not in known:
        raise NoSuchResult(
            "The job has no text in {language}: there is one in {known}.", language=language, known=", ".join(known)
        )
    if isinstance(report, DubReport) and language == known[0]:
        return "".join(f"{line.text}\n" for line in report.segments)
    return "".join(f"{line.source_text}\n" for line in report.segments)


def _subtitles(jobs: Jobs, job_id: str, language: str, form: str) -> str:
    found = jobs.subtitles(job_id, language, form)
    if isinstance(found, ResultText):
        return found.text
    try:
        return found.path.read_text(encoding="utf-8")
    except FileNotFoundError:  # removed at this moment
        raise JobNotFound from None
