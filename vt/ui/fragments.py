"""The fragments of the page as HTML: pure functions that fill templates with values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vt import languages
from vt.domain import BOTH, Job, JobState, Stage
from vt.dubbing import subtitling
from vt.dubbing.report import DubReport, RemoteUse, SlowedPart
from vt.engines.protocols import Voice
from vt.jobs.job_service import Outlook
from vt.jobs.joined import MOST, has_own_picture
from vt.jobs.removals import UNDO_SECONDS
from vt.languages import Language
from vt.models.inventory import StageInUse
from vt.models.language_grades import LanguageGrade
from vt.models.monitor import Trouble
from vt.translatable import LanguageName, Message
from vt.ui import job_files
from vt.ui.rendering import render
from vt.ui.words import Words

_STEPS = {
    Stage.PROBE: (Stage.PROBE, Stage.EXTRACT),
    Stage.TRANSCRIBE: (Stage.TRANSCRIBE,),
    Stage.TRANSLATE: (Stage.TRANSLATE,),
    Stage.SPEAK: (Stage.SPEAK, Stage.MIX),
    Stage.MUX: (Stage.MUX,),
}
"""The steps that the page shows, each with the stages of a job that belong to it."""


_NOT_SHOWN = ("mpeg1video", "mpeg2video")
"""Pictures that no browser shows: a player of such a film is black, and its sound is heard."""


def clock(seconds: float, tenths: bool = False) -> str:
    """Return a time as people read it on a player: 0:07, 12:30, 1:02:03."""
    rounded = round(seconds, 1) if tenths else round(seconds)
    minutes, rest = divmod(rounded, 60)
    hours, minutes = divmod(int(minutes), 60)
    last = f"{rest:04.1f}" if tenths else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{last}" if hours else f"{minutes}:{last}"


def head(words: Words, *, may_manage: bool) -> str:
    """Return the top of the page, with the sentences that its scripts show; the tab Models is for managers alone."""
    return render("head", words=words, may_manage=may_manage)


def heading(text: str, lead: str = "") -> str:
    """Return a section's heading."""
    return render("heading", text=text, lead=lead)


def small_print(text: str) -> str:
    """Return a sentence in small print."""
    return render("small_print", text=text)


def error(what: str, *sentences: str) -> str:
    """Return what went wrong, and what to do about it."""
    return render("error", what=what, sentences=sentences)


def nothing_here(what: str, sentence: str) -> str:
    """Return the text for a list or a player that is still empty."""
    return render("nothing_here", what=what, sentence=sentence)


# Upload


def limits(
    words: Words, megabytes: int, minutes: float, hours: float, formats: Iterable[str], *, is_known: bool = False
) -> str:
    """Return what may be uploaded, how long it is kept, and who finds it again; `is_known`: somebody has signed in."""
    return render(
        "limits",
        words=words,
        megabytes=megabytes,
        minutes=_without_point(minutes),
        hours=_without_point(hours),
        formats=formats,
        is_known=is_known,
    )


def _without_point(number: float) -> float:
    """Return a whole number as one: it is counted otherwise than a fraction."""
    return int(number) if number == int(number) else number


def languages_here(words: Words, grades: Sequence[LanguageGrade]) -> str:
    """Return into which languages films can be dubbed here, by how good that is; empty where there are none."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in grades:
        name = words.language_name(LanguageName(one.code, languages.get(one.code).name))
        groups.setdefault((one.voice, one.translation), []).append(name)
    rows = [
        (words(f"voice_{voice}"), words(f"translation_{translation}"), ", ".join(sorted(names, key=str.casefold)))
        for (voice, translation), names in groups.items()
    ]
    return render("languages_here", words=words, rows=rows) if rows else ""


def sending(words: Words) -> str:
    """Return the place where a script shows how far an upload is; it is hidden until there is one."""
    return render("sending", words=words, **words.those("sent_"))


def link_field(words: Words) -> str:
    """Return the field for a link to a film; what is typed there goes to the server by a script alone."""
    return render("link_field", words=words)


def chosen(words: Words, films: Sequence[tuple[str, float]]) -> str:
    """Return which films are chosen together, each with its length in seconds."""
    return render("chosen", words=words, title=words.counted("chosen", len(films)), films=films, clock=clock)


def inspection(words: Words, found: Mapping[str, Any], address: str, subtitles: str | None) -> str:
    """Return what is in a file: how long it is, its tracks, and a player for it."""
    sounds = [track_text(words, number, track) for number, track in enumerate(found["audio"], 1)]
    rows = [
        ("duration", [clock(found["duration_seconds"])]),
        ("picture", _picture(words, found["video"])),
        ("sound", sounds or [words("no_sound")]),
    ]
    if found["subtitles"]:
        tracks = (filter(None, (_spoken(t["language"]), t["title"], t["codec"])) for t in found["subtitles"])
        rows.append(("in_subtitles", [" ".join(track) for track in tracks]))
    if subtitles:
        rows.append(("with_subtitles", [subtitles]))
    has_picture = bool(found["video"])
    return render("inspection", words=words, file=found["file"], rows=rows, address=address, has_picture=has_picture)


def _picture(words: Words, video: Mapping[str, Any] | None) -> list[str]:
    if not video:
        return [words("no_picture")]
    return [video["codec"], words("not_shown")] if video["codec"] in _NOT_SHOWN else [video["codec"]]


def track_text(words: Words, number: int, track: Mapping[str, Any]) -> str:
    """Return the description of a sound track as text, not escaped for HTML."""
    about = [_spoken(track["language"]), track["title"] or "", track["codec"]]
    if count := track.get("channels"):
        about.append(words({1: "mono", 2: "stereo"}[count]) if count in (1, 2) else words.counted("channels", count))
    return f"{words('track', number=number)}: " + ", ".join(filter(None, about))


def _spoken(tag: str | None) -> str:
    """Return a track's language by its own name, or its tag where that names no language."""
    language = languages.find(tag) if tag else None
    return language.native_name if language else tag or ""


# Translate


def film_line(name: str, seconds: float | None, hint: str = "") -> str:
    """Return which film is about to be dubbed."""
    return render("film_line", name=name, seconds=seconds, hint=hint, clock=clock)


def engines_in_use(words: Words, rows: Sequence[tuple[str, Sequence[str]]], licences: Mapping[str, str]) -> str:
    """Return which engine does what, with its licence. Rows: the key of the words, and the engines' names."""
    first = [(key, names[0], licences.get(names[0])) for key, names in rows if names]
    return render("engines_in_use", words=words, rows=first) if first else ""


def sample(words: Words, voice_id: str, voice: str) -> str:
    """Return the button that plays a sample of a voice."""
    return render("sample", words=words, address=job_files.sample(voice_id), voice=voice)


def job_head(words: Words, job: Job, target: str) -> str:
    """Return which job is shown, and its state."""
    is_preview, state = job.request.preview, job.state.value
    return render("job_head", words=words, file=job.request.file, target=target, state=state, is_preview=is_preview)


def progress(
    words: Words,
    job: Job,
    left_seconds: float | None,
    news: str | None = None,
    outlook: Outlook | None = None,
    first_lines: Sequence[int] = (),
) -> str:
    """Return the progress of a job that waits or runs.

    Args:
        words: in the reader's language.
        job: as it stands.
        left_seconds: how long it still takes about; None: not known.
        news: a sentence on a download that it may wait for.
        outlook: of a job that waits, if it is known.
        first_lines: the numbers of those lines that can be heard already.
    """
    if job.state is JobState.QUEUED:
        left = _queue(words, outlook) if outlook else words("queued_hint")
    else:
        left = words("left_unknown") if left_seconds is None else words("left", time=duration(left_seconds))
    return render(
        "progress",
        words=words,
        step=step(words, job),
        left=left,
        fraction=job.fraction,
        percent=round(100 * job.fraction),
        steps=_steps(job.stage),
        news=words.sentence(news) if news else "",
        first_lines=" ".join(job_files.first_line(job.id, line) for line in first_lines),
    )


def _queue(words: Words, outlook: Outlook) -> str:
    place = words.counted("ahead", outlook.ahead) if outlook.ahead else words("ahead_none")
    return place if outlook.seconds is None else f"{place} {words('until_done', time=duration(outlook.seconds))}"


def step(words: Words, job: Job) -> str:
    """Return the stage of a job in words."""
    if job.state is JobState.QUEUED:
        return words("queued")
    again = f"{words('again')}: " if job.version else ""
    return again + words(f"stage_{job.stage or Stage.PROBE}")


def _steps(stage: Stage | None) -> list[tuple[str, str]]:
    """Return the steps, each with its class: past, here, or to come."""
    names = list(_STEPS)
    here = next((index for index, name in enumerate(names) if stage in _STEPS[name]), -1)
    return [
        (name, "vt-past" if index < here else "vt-here" if index == here else "") for index, name in enumerate(names)
    ]


def duration(seconds: float) -> str:
    """Return about how long something takes, in words that are the same in every language."""
    if seconds < 60:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def downloads(words: Words, job: Job, report: DubReport, has_picture: bool) -> str:
    """Return a link to every file that was made."""
    named = {x.code: words("download_subtitles", language=words.language_name(x)) for x in report.languages}
    if len(named) > 1:
        named[BOTH] = words("download_both")
    subtitles = [
        (said, [(form.upper(), job_files.subtitles(job.id, job.version, code, form)) for form in subtitling.FORMS])
        for code, said in named.items()
    ]
    return render(
        "downloads",
        words=words,
        has_picture=has_picture,
        film=job_files.film(job.id, job.version),
        subtitles=subtitles,
        report=job_files.report(job.id, job.version),
        everything=job_files.everything(job.id, job.version),
    )


def notes(words: Words, remarks: Iterable[str]) -> str:
    """Return the remarks of the report."""
    said = [words.sentence(remark) for remark in remarks]
    return render("notes", words=words, notes=said) if said else ""


def slowed(words: Words, parts: Sequence[SlowedPart]) -> str:
    """Return where the picture of a dub is slowed, and how much; nothing where it is as it was."""
    return render("slowed", words=words, parts=parts, clock=clock) if parts else ""


def usage(words: Words, use: RemoteUse | None) -> str:
    """Return what a language model took for a translation; nothing where none was asked."""
    return render("usage", words=words, use=use) if use else ""


@dataclass(frozen=True, slots=True)
class Film:
    """One film in the list of a browser's jobs, with the dubs that were made of it."""

    job: Job
    """The newest."""
    dubs: tuple[tuple[Job, str], ...]
    """Each with its language's own name; the newest first."""
    kept_seconds: float | None
    """For how long the last of them is kept; None: it is at work."""


def by_film(rows: Sequence[tuple[Job, str]], kept: Mapping[str, float]) -> list[Film]:
    """Return the jobs of a browser by their films: those of one name and length are one film, older previews included.

    Args:
        rows: each job with its language's own name, the newest first.
        kept: for how many seconds each is still kept.
    """
    films: dict[tuple[str, float], list[tuple[Job, str]]] = {}
    for job, target in rows:
        file = job.request.file
        longer = next((film for film in films if film[0] == file), None) if job.request.preview else None
        films.setdefault(longer or (file, round(job.seconds, 1)), []).append((job, target))
    return [Film(dubs[0][0], tuple(dubs), _kept(dubs, kept)) for dubs in films.values()]


def _joined(film: Film) -> str:
    """Return the address of the film with all its finished dubs in one file; empty where no two can share one."""
    newest: dict[str, Job] = {}
    for job, _ in film.dubs:
        if job.version and job.state is JobState.DONE and not (job.request.preview or has_own_picture(job)):
            newest.setdefault(job.request.target_language, job)
    newest.pop("", None)  # only written down
    dubs = list(newest.values())[:MOST]
    return job_files.joined([job.id for job in dubs], [job.version for job in dubs]) if len(dubs) > 1 else ""


def _kept(dubs: Sequence[tuple[Job, str]], kept: Mapping[str, float]) -> float | None:
    left = [kept[job.id] for job, _ in dubs if job.state.is_over and job.id in kept]
    return max(left) if len(left) == len(dubs) else None


def films(words: Words, listed: Sequence[Film], shown: str) -> str:
    """Return the list of this browser's films, the shown job marked."""
    rows = [
        {
            "film": film,
            "picture": job_files.picture(film.job.id),
            "joined": _joined(film),
            "date": words.date(film.job.created_at),
            "kept": "" if film.kept_seconds is None else words("kept_for", time=_long(words, film.kept_seconds)),
        }
        for film in listed
    ]
    return render("films", words=words, rows=rows, shown=shown, clock=clock)


def _long(words: Words, seconds: float) -> str:
    hours = round(seconds / 3600)
    return words.counted("days", round(hours / 24)) if hours >= 48 else words.counted("hours", max(1, hours))


def black_picture(words: Words, job: Job, state: str) -> str:
    """Return the offer of a copy that every browser can show; a script shows it where it is needed.

    `state` is that of the copy: `none`, `running`, `done` or `failed`.
    """
    return render("black_picture", words=words, state=state, address=job_files.copy(job.id, job.version))


def undo(words: Words, job: Job) -> str:
    """Return the offer to take the removal of a job back."""
    return render("undo", words=words, job=job, seconds=UNDO_SECONDS)


def sharing(words: Words, address: str) -> str:
    """Return the link by which others may see a job's results; `address`: where it leads, empty: there is none."""
    return render("sharing", words=words, address=address)


# Models


_NUMBERS = {"mb", "leases", "idle", "load", "disk", "memory"}
"""The columns that hold numbers."""
_BY_STAGE = ("stage", "configured", "serves", "why")
_IN_MEMORY = ("key", "kind", "state", "mb", "leases", "idle", "load")
_ON_DISK = ("name", "kind", "licence", "state", "disk", "memory")


def _grid(words: Words, title: str, columns: Sequence[str], rows: Iterable[tuple[object, ...]], empty: str = "") -> str:
    heads = _heads(words, columns)
    return render("grid", title=title, columns=heads, rows=[(cells, None) for cells in rows], empty=empty)


def _heads(words: Words, columns: Sequence[str]) -> list[tuple[str, bool]]:
    return [(words(f"column_{column}"), column in _NUMBERS) for column in columns]


def stages(words: Words, served: Iterable[StageInUse], licences: Mapping[str, str]) -> str:
    """Return what serves each stage of a default request, what the settings ask for, and why that is not the same."""
    rows = [
        (
            words(f"kind_{stage.stage}"),
            " ".join(stage.configured) or words("models_by_setup"),
            f"{stage.engine} {stage.model} ({licences[stage.engine]})" if stage.engine else words("models_nothing"),
            words.sentence(stage.why) if stage.why else "",
        )
        for stage in served
    ]
    return _grid(words, words("models_stages"), _BY_STAGE, rows)


def model_files(words: Words, models: Iterable[Mapping[str, Any]], free_mb: Mapping[str, float]) -> str:
    """Return the table of the models on the disk, each with a button where it may be removed."""
    rows = [
        (
            (
                " ".join(dict.fromkeys((model["engine"], model["name"].removeprefix(f"{model['engine']}:")))),
                words(f"kind_{model['model_type']}"),
                model["licence"],
                words("file_loaded" if model["in_memory"] else f"file_{model['state']}"),
                megabytes(words, model["disk_mb"]),
                megabytes(words, model["memory_mb"]),
            ),
            model,
        )
        for model in models
        if model["state"] != "absent"
    ]
    free = words("models_free", **{place: megabytes(words, room) for place, room in free_mb.items()})
    columns = _heads(words, _ON_DISK)
    return render("model_files", words=words, columns=columns, rows=rows, free=free, megabytes=megabytes)


def model_downloads(words: Words, models: Iterable[Mapping[str, Any]]) -> str:
    """Return the downloads that run, each with its progress and a button that ends it; empty where there are none."""
    rows = [
        (model, words.sentence(far) if far else model["name"], Message(far).values.get("percent") if far else None)
        for model in models
        if model["state"] == "downloading"
        for far in [model["progress"]]
    ]
    return render("model_downloads", words=words, rows=rows) if rows else ""


def troubles(words: Words, latest: Iterable[Trouble]) -> str:
    """Return the latest failures; empty where there are none."""
    rows = [(trouble.at, trouble.what, words.sentence(trouble.why)) for trouble in latest]
    return render("troubles", words=words, rows=rows) if rows else ""


def offered(words: Words, pairs: Mapping[str, Sequence[tuple[Language, Language]]], voices: Iterable[Voice]) -> str:
    """Return the directions in which each engine translates, and its voices, as lists that are opened."""
    said = words.language_name
    lists = [
        (words("models_pairs", engine=engine, count=len(ways)), [f"{said(one)} - {said(other)}" for one, other in ways])
        for engine, ways in pairs.items()
    ]
    spoken: dict[str, list[str]] = {}
    for voice in voices:
        spoken.setdefault(voice.engine, []).append(f"{said(voice.language)}: {voice.id}")
    lists += [(words("models_voices", engine=engine, count=len(names)), names) for engine, names in spoken.items()]
    return render("offered", title=words("models_offered"), lists=lists)


def megabytes(words: Words, size: float) -> str:
    """Return a size that is given in megabytes; a dash for none."""
    if not size:
        return "-"
    return f"{words.number(size / 1024, 1)} GB" if size >= 1024 else f"{words.number(size, 0 if size >= 10 else 1)} MB"


def models(words: Words, cache: Mapping[str, Any]) -> str:
    """Return the table of the models in memory."""
    rows = [_model(words, model) for model in cache["models"]]
    return _grid(words, words("models_memory"), _IN_MEMORY, rows, words("models_none"))


def _key(model: Mapping[str, Any]) -> str:
    """Return the key of a model, with the machine of a cluster that has it."""
    node = model.get("node")
    return f"{model['cache_key']} ({node})" if node else str(model["cache_key"])


def _model(words: Words, model: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        _key(model),
        words(f"kind_{model['model_type']}"),
        words(f"model_{model['state']}"),
        words.number(model["memory_usage_mb"], 1),
        model["leases"],
        round(model["idle_seconds"]),
        words.number(model["load_time_seconds"], 1),
    )


def memory(words: Words, cache: Mapping[str, Any]) -> str:
    """Return how much memory models take, and how often one was found, loaded and evicted."""
    counts = words("models_counts", **{name: cache[name] for name in ("hits", "misses", "loads", "evictions")})
    machine, *cards = cache["memory"]
    bars = [(words("models_used", **_whole(machine)), machine)]
    bars += [(words("models_used_on", device=card["device"], **_whole(card)), card) for card in cards]
    return render("memory", bars=bars, counts=counts)


def _whole(memory: Mapping[str, Any]) -> dict[str, str]:
    return {"used": f"{memory['used_mb']:.0f}", "budget": f"{memory['budget_mb']:.0f}"}


def health(words: Words, status: str, notes: Sequence[str], about: str) -> str:
    """Return the health of the service, with a line about its version and its jobs, and notes."""
    return render("health", words=words, status=status, notes=notes, about=about)


def action_result(text: str) -> str:
    """Return the message on what a button has done."""
    return render("action_result", text=text)
