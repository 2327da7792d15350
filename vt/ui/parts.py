"""Pure: the pieces of the page that are looked at, as HTML. Whatever a user named is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vt import languages
from vt.domain import Job, JobState, Stage
from vt.errors import LanguageError
from vt.report import DubbedLine, DubReport
from vt.ui import files
from vt.ui.words import Words

_STEPS = {
    Stage.PROBE: (Stage.PROBE, Stage.EXTRACT),
    Stage.TRANSCRIBE: (Stage.TRANSCRIBE,),
    Stage.TRANSLATE: (Stage.TRANSLATE,),
    Stage.SPEAK: (Stage.SPEAK, Stage.MIX),
    Stage.MUX: (Stage.MUX,),
}
"""What is shown as one step, and the stages of a job that it stands for."""
_BRISK, _HURRIED = 1.1, 1.3


def escaped(text: object) -> str:
    """Return text that stands for itself, in an element or in an attribute."""
    return html.escape(str(text))


def clock(seconds: float, tenths: bool = False) -> str:
    """Return a time as people read it on a player: 0:07, 12:30, 1:02:03."""
    rounded = round(seconds, 1) if tenths else round(seconds)
    minutes, rest = divmod(rounded, 60)
    hours, minutes = divmod(int(minutes), 60)
    last = f"{rest:04.1f}" if tenths else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{last}" if hours else f"{minutes}:{last}"


def head(words: Words) -> str:
    """Return the top of the page."""
    return (
        f"<header class='vt-head'><span class='vt-mark' aria-hidden='true'><i></i><i></i><i></i></span>"
        f"<h1>vt</h1><p>{words('tagline')}</p></header>"
    )


def title(text: str, lead: str = "") -> str:
    """Return a section's heading."""
    return f"<h2 class='vt-title'>{escaped(text)}</h2>" + (f"<p class='vt-lead'>{escaped(lead)}</p>" if lead else "")


def trouble(what: str, sentence: str) -> str:
    """Return what went wrong, and what to do about it."""
    return f"<div class='vt-trouble' role='alert'><strong>{escaped(what)}</strong><p>{escaped(sentence)}</p></div>"


def empty(what: str, sentence: str) -> str:
    """Return what is said where there is nothing yet."""
    return f"<div class='vt-empty'><h2>{escaped(what)}</h2><p>{escaped(sentence)}</p></div>"


# Upload


def limits(words: Words, megabytes: int, minutes: float, hours: float, formats: Iterable[str]) -> str:
    """Return what may be uploaded, and what becomes of it."""
    said = (
        words("limit_size", megabytes=megabytes),
        words("limit_length", minutes=f"{minutes:g}"),
        words("limit_kept", hours=f"{hours:g}"),
        words("limit_private"),
        words("limit_formats", formats=escaped(", ".join(formats))),
    )
    items = "".join(f"<li>{line}</li>" for line in said)
    bytes_ = megabytes * 2**20
    return (
        f"<section class='vt-card vt-limits' data-most='{bytes_}'><h3>{words('limits')}</h3><ul>{items}</ul></section>"
    )


def inspection(words: Words, found: Mapping[str, Any], address: str, subtitles: str | None) -> str:
    """Return what is in a file: how long it is, its tracks, and a player for it."""
    rows = [
        ("duration", clock(found["duration_seconds"])),
        ("picture", escaped(found["video"]["codec"]) if found["video"] else words("no_picture")),
        ("sound", "<br>".join(_sounds(words, found["audio"])) or words("no_sound")),
    ]
    if found["subtitles"]:
        tracks = (
            escaped(" ".join(filter(None, (_spoken(t["language"]), t["title"], t["codec"]))))
            for t in found["subtitles"]
        )
        rows.append(("in_subtitles", "<br>".join(tracks)))
    if subtitles:
        rows.append(("with_subtitles", escaped(subtitles)))
    facts = "".join(f"<dt>{words(key)}</dt><dd>{value}</dd>" for key, value in rows)
    return (
        f"<section class='vt-card vt-facts' aria-live='polite'>{_player(address, bool(found['video']))}"
        f"<div><h3>{escaped(found['file'])}</h3><dl aria-label='{words('in_it')}'>{facts}</dl></div></section>"
    )


def _sounds(words: Words, tracks: Sequence[Mapping[str, Any]]) -> list[str]:
    return [escaped(track_text(words, number, track)) for number, track in enumerate(tracks, 1)]


def track_text(words: Words, number: int, track: Mapping[str, Any]) -> str:
    """Return a sound track in words, not escaped."""
    about = [_spoken(track["language"]), track["title"] or "", track["codec"]]
    if count := track.get("channels"):
        about.append(words({1: "mono", 2: "stereo"}.get(count, "channels"), count=count))
    return f"{words('track', number=number)}: " + ", ".join(filter(None, about))


def _spoken(tag: str | None) -> str:
    """Return a track's language by its own name, or its tag where that is none."""
    try:
        return languages.get(tag).native_name if tag else ""
    except LanguageError:
        return str(tag)


def _player(address: str, has_picture: bool, subtitles: str = "", language: str = "", label: str = "") -> str:
    kind = "video" if has_picture else "audio"
    track = (
        f"<track kind='subtitles' src='{escaped(subtitles)}' srclang='{escaped(language)}' label='{escaped(label)}' "
        "default>"
        if subtitles
        else ""
    )
    return f"<{kind} controls playsinline preload='metadata' src='{escaped(address)}'>{track}</{kind}>"


# Translate


def film_line(name: str, seconds: float | None, hint: str = "") -> str:
    """Return which film it is about."""
    length = f" <span>{clock(seconds)}</span>" if seconds else ""
    more = f"<p>{escaped(hint)}</p>" if hint else ""
    return f"<div class='vt-film'><h2>{escaped(name)}</h2>{length}{more}</div>"


def served(words: Words, rows: Sequence[tuple[str, Sequence[str]]], licences: Mapping[str, str]) -> str:
    """Return who does what, and under which licence. Rows: the words' key, and the names of the engines."""
    items = []
    for key, names in rows:
        if names:
            who = ", ".join(_engine(words, name, licences) for name in names[:1])
            items.append(f"<li>{words(key)} {who}</li>")
    return f"<ul class='vt-served'>{''.join(items)}</ul>" if items else ""


def _engine(words: Words, name: str, licences: Mapping[str, str]) -> str:
    licence = licences.get(name)
    if licence is None:
        return f"<b>{escaped(name)}</b>"
    warning = f", {words('non_commercial')}" if "-NC-" in licence else ""
    return f"<b>{escaped(name)}</b> <small>{escaped(licence)}{warning}</small>"


def sample(words: Words, voice_id: str, voice: str) -> str:
    """Return the button that lets a voice be heard."""
    said = f"{words('hear')}: {escaped(voice)}"
    return (
        f"<button type='button' class='vt-play' data-sample='{escaped(files.sample(voice_id))}' aria-label='{said}' "
        f"title='{said}' data-hear='{words('hear')}' data-hush='{words('hush')}'><i aria-hidden='true'></i>"
        f"<span>{words('hear')}</span></button>"
    )


def job_head(words: Words, job: Job, target: str) -> str:
    """Return which job it is about, and how it stands."""
    state = job.state.value
    return (
        f"<div class='vt-job-head'><h2 class='vt-title'>{escaped(job.request.file)}</h2>"
        f"<span class='vt-arrow' aria-hidden='true'>→</span><span class='vt-target'>{escaped(target)}</span>"
        f"<span class='vt-state vt-{state}'>{words(f'state_{state}')}</span></div>"
    )


def progress(words: Words, job: Job, left_seconds: float | None, news: str | None = None) -> str:
    """Return where a job is that waits or runs; `news`: what it may be waiting for."""
    percent = round(100 * job.fraction)
    now = step(words, job)
    if job.state is JobState.QUEUED:
        left = words("queued_hint")
    else:
        left = words("left_unknown") if left_seconds is None else words("left", time=_duration(left_seconds))
    awaited = f"<p class='vt-news'>{escaped(words.sentence(news))}</p>" if news else ""
    steps = "".join(_step(words, name, job.stage) for name in _STEPS)
    return (
        f"<section class='vt-card vt-progress'><div class='vt-now'><strong>{now}</strong><span>{left}</span>"
        f"<b>{percent} %</b></div><div class='vt-bar' role='progressbar' aria-label='{words('progress')}' "
        f"aria-valuemin='0' aria-valuemax='100' aria-valuenow='{percent}' aria-valuetext='{percent} %, {now}'>"
        f"<i style='width:{100 * job.fraction:.1f}%'></i></div><ol class='vt-steps' aria-hidden='true'>{steps}</ol>"
        f"{awaited}<p class='vt-hint'>{words('close_hint')}</p></section>"
    )


def step(words: Words, job: Job) -> str:
    """Return what a job is at."""
    if job.state is JobState.QUEUED:
        return words("queued")
    again = f"{words('again')}: " if job.version else ""
    return again + words(f"stage_{job.stage or Stage.PROBE}")


def _step(words: Words, name: Stage, stage: Stage | None) -> str:
    names = list(_STEPS)
    at = next((i for i, key in enumerate(names) if stage in _STEPS[key]), -1)
    here = names.index(name)
    state = "vt-past" if here < at else "vt-here" if here == at else ""
    return f"<li class='{state}'>{words(f'short_{name}')}</li>"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def players(words: Words, job: Job, report: DubReport, names: Mapping[str, str], has_picture: bool) -> str:
    """Return the dub, its subtitles on, and the original beside it."""
    code = report.target_language
    at = files.film(job.id, job.version)
    track = files.subtitles(job.id, job.version, code, "vtt")
    dub = _player(at, has_picture, track, code, names[code])
    original = _player(files.original(job.id), has_picture)
    heard = names[report.source.language]
    return (
        f"<div class='vt-players{'' if has_picture else ' vt-sound'}'>"
        f"<figure class='vt-dub'>{dub}<figcaption><b>{words('dubbed')}</b> {escaped(names[code])}</figcaption></figure>"
        f"<figure class='vt-original'>{original}<p class='vt-cannot'>{words('cannot_play')}</p>"
        f"<figcaption><b>{words('original')}</b> {escaped(heard)}</figcaption>"
        "</figure></div>"
    )


def downloads(words: Words, job: Job, report: DubReport, has_picture: bool) -> str:
    """Return a link to every file that was made."""
    film = words("download_video" if has_picture else "download_audio")
    items = [_download(files.film(job.id, job.version), film, "vt-main")]
    for code in report.languages:
        said = words("download_subtitles", language=escaped(words.language_name(code)))
        both = (
            _download(
                files.subtitles(job.id, job.version, code, ending), ending.upper(), label=f"{said}, {ending.upper()}"
            )
            for ending in ("srt", "vtt")
        )
        items.append(f"<span>{said} {''.join(both)}</span>")
    items.append(f"<span>{words('download_report')} {_download(files.report(job.id, job.version), 'JSON')}</span>")
    return f"<nav class='vt-downloads' aria-label='{words('downloads')}'>{''.join(items)}</nav>"


def _download(address: str, said: str, kind: str = "", label: str = "") -> str:
    named = f" aria-label='{label}'" if label else ""
    return f"<a class='{kind}' href='{escaped(address)}'{named} download>{said}</a>"


def notes(words: Words, remarks: Iterable[str]) -> str:
    """Return what the user should know of this dub."""
    items = "".join(f"<li>{escaped(words.sentence(note))}</li>" for note in remarks)
    if not items:
        return ""
    return f"<details class='vt-notes' open><summary>{words('notes')}</summary><ul>{items}</ul></details>"


def chart(words: Words, report: DubReport) -> str:
    """Return the lines on the film's timeline: where they were said, and where they are spoken, by their tempo."""
    film = max(report.source.duration_seconds, 0.001)
    said = "".join(_bar(line.start, line.end, film, "vt-slot", clock(line.start)) for line in report.segments)
    spoken = "".join(
        _bar(
            line.placed_start, line.placed_end, film, f"vt-{_ease(line.tempo)}",
            f"{clock(line.placed_start, True)}  ×{words.number(line.tempo, 2)}  {line.text}",
        )
        for line in report.segments
        if line.text
    )  # fmt: skip
    timing = report.timing
    summary = words(
        "chart_said",
        count=len(report.segments),
        overlap=round(100 * timing.speech_overlap),
        tempo=words.number(timing.max_tempo, 2),
        off=round(100 * timing.off_by_more_than_0_3s),
    )
    legend = "".join(f"<li><i class='vt-{kind}'></i>{words(f'tempo_{kind}')}</li>" for kind in ("ok", "brisk", "fast"))
    wide = max(100.0, 100 * len(report.segments) / 60)
    return (
        f"<section class='vt-card vt-chart'><h3>{words('chart')}</h3><p>{summary}</p>"
        f"<div class='vt-scroll'><div class='vt-lanes' style='width:{wide:.0f}%' role='img' aria-label='{summary}'>"
        f"<span>{words('lane_original')}</span><div>{said}</div>"
        f"<span>{words('lane_dub')}</span><div>{spoken}</div>"
        f"<span></span><div class='vt-ticks'>{_ticks(film, wide)}</div>"
        f"</div></div><ul class='vt-legend'>{legend}</ul></section>"
    )


def _bar(start: float, end: float, film: float, kind: str, said: str) -> str:
    left, width = 100 * start / film, 100 * (end - start) / film
    return f"<i class='{kind}' style='left:{left:.3f}%;width:{width:.3f}%' title='{escaped(said)}'></i>"


def _ticks(film: float, wide: float) -> str:
    """Return the times under the lanes, about eight on a page's width."""
    wanted = film / (8 * wide / 100)
    every = next((nice for nice in (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800) if nice >= wanted), 3600)
    at = range(0, int(film) + 1, every)
    return "".join(f"<small style='left:{100 * second / film:.3f}%'>{clock(second)}</small>" for second in at)


def _ease(tempo: float) -> str:
    return "ok" if tempo <= _BRISK else "brisk" if tempo <= _HURRIED else "fast"


def lines(words: Words, report: DubReport, job: Job) -> str:
    """Return the table of lines, to be mended in place once nobody works on them."""
    can_edit = job.state.is_over
    rows = "".join(_line(words, line, report, can_edit) for line in report.segments)
    busy = "" if can_edit else " data-busy='true'"
    many = words("many_changed", count="#")
    counted = f"data-none='{words('unchanged')}' data-one='{words('one_changed')}' data-many='{many}'"
    return (
        f"<section class='vt-card vt-lines' data-version='{job.version}'><h3>{words('lines')}</h3>"
        f"<p id='vt-lines-hint'>{words('lines_hint')}</p>"
        f"<table aria-describedby='vt-lines-hint'><thead><tr><th>{words('time')}</th><th>{words('heard')}</th>"
        f"<th>{words('said')}</th><th>{words('tempo')}</th></tr></thead><tbody>{rows}</tbody></table>"
        f"<div class='vt-save'><span role='status' {counted}>{words('unchanged')}</span>"
        f"<button type='button' data-save disabled{busy}>{words('save')}</button></div></section>"
    )


def _line(words: Words, line: DubbedLine, report: DubReport, can_edit: bool) -> str:
    number, at = line.id, clock(line.start)
    ease = _ease(line.tempo)
    lock = "" if can_edit else " readonly"

    def field(name: str, label: str, language: str) -> str:
        value = escaped(getattr(line, name))
        return (
            f"<textarea data-line='{number}' data-field='{name}' lang='{escaped(language)}' rows='2' maxlength='2000' "
            f"aria-label='{words(label, number=number + 1)}' placeholder='{words('silent')}'{lock}>{value}</textarea>"
        )

    heard = field("source_text", "heard_of", report.source.language)
    said = field("text", "said_of", report.target_language)
    label = words("play_line", time=at)
    play = f"<button type='button' data-at='{line.placed_start}' aria-label='{label}'>{at}</button>"
    return (
        f"<tr data-row='{number}'><td>{play}</td><td>{heard}</td><td>{said}</td>"
        f"<td><span class='vt-tempo vt-{ease}'>×{words.number(line.tempo, 2)}</span></td></tr>"
    )


def films(words: Words, rows: Sequence[tuple[Job, str]], shown: str) -> str:
    """Return this browser's jobs, with the one that is looked at marked. Rows: a job, and its target language."""
    if not rows:
        return f"<section class='vt-card vt-yours'><h3>{words('yours')}</h3><p>{words('yours_none')}</p></section>"
    items = "".join(_film(words, job, target, job.id == shown) for job, target in rows)
    return f"<section class='vt-card vt-yours'><h3>{words('yours')}</h3><ul>{items}</ul></section>"


def _film(words: Words, job: Job, target: str, shown: bool) -> str:
    state = job.state.value
    here = " aria-current='true'" if shown else ""
    return (
        f"<li><button type='button' data-open='{escaped(job.id)}'{here}><b>{escaped(job.request.file)}</b>"
        f"<span>→ {escaped(target)}</span><em class='vt-state vt-{state}'>{words(f'state_{state}')}</em></button></li>"
    )
