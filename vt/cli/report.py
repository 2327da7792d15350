"""The command `vt report`: a report as text, as a page, or as the subtitles that it tells of."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vt.dubbing import report, subtitling
from vt.dubbing.report import DubbedLine, DubReport, HeardLine, Report
from vt.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_ENDING = ".report.json"
_MOST_BYTES = 64 * 2**20


def of_film(file: Path) -> Path:
    """Return the report of a dubbed film, which lies beside it; a report is its own."""
    return file if file.name.endswith(".json") else file.with_name(f"{file.stem}{_ENDING}")


def stem(file: Path) -> str:
    """Return what the name of the dubbed film beside a report begins with, such as talk.es."""
    return file.name.removesuffix(".json").removesuffix(".report")


def stem_of_film(file: Path, told: Report) -> str:
    """Return what the names of all files of a film begin with, such as talk."""
    return stem(file).removesuffix(f".{told.target_language.code}" if isinstance(told, DubReport) else "")


def read(file: Path) -> Report:
    """Return the report in a file.

    Raises:
        InputError: it cannot be read, or holds none.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        # One that is cut off is damaged.
        return report.read(content[:_MOST_BYTES])
    except OSError as error:
        raise InputError("{file} cannot be read: {reason}.", file=file, reason=str(error.strerror)) from error
    except (ValueError, RecursionError) as error:
        raise InputError("{file} is no report of vt, or it is damaged.", file=file) from error


def subtitles(told: Report, name: str, *, mark_speakers: bool, karaoke: bool = False) -> str:
    """Return subtitles of what a report tells, by names such as es.ass and both.srt.

    Args:
        told: the report.
        name: which, and in what form.
        mark_speakers: whether they show where another person speaks.
        karaoke: whether words light up as they are spoken.

    Raises:
        InputError: there are none of that name, or words cannot light up in that form.
    """
    sides = subtitling.of_report(told, mark_speakers=mark_speakers)
    which, _, form = name.rpartition(".")
    if which not in sides.names or form not in subtitling.FORMS:
        known = ", ".join(f"{one}.{each}" for one in sides.names for each in subtitling.FORMS)
        raise InputError("There are no subtitles {name}: there are {known}.", name=name[:80], known=known)
    return sides.written(which, form, karaoke=karaoke)


def facts(told: Report) -> list[tuple[str, str]]:
    """Return what is said of the whole film: what each fact is called, and the fact."""
    found = [("Film", f"{told.source.file}, {clock(told.source.duration_seconds)}"), ("Language", _languages(told))]
    for name, use in (("Heard by", told.engines.stt), *_other_engines(told)):
        if use:
            found.append((name, " ".join(filter(None, (use.engine, use.model, use.voice, f"on {use.device}")))))
            found += _of_usage(use.usage)
    if isinstance(told, DubReport):
        timing, loud = told.timing, told.loudness
        found += [
            ("Speech overlap", f"{timing.speech_overlap:.0%}"),
            ("Fastest line", f"{timing.max_tempo:.2f} times"),
            ("Late by more than 0.3 s", f"{timing.off_by_more_than_0_3s:.0%} of the lines"),
            ("Loudness", f"{loud.integrated_lufs} LUFS, peak {loud.true_peak_dbtp} dBTP"),
            ("Took", clock(told.total_seconds)),
        ]
        found += _of_glossary(told.glossary)
    found += [("Speaker", f"{each.label}, {each.seconds:.0f} s {each.voice}") for each in told.speakers]
    return found


def _of_usage(use: report.RemoteUse | None) -> Iterator[tuple[str, str]]:
    """Tell what a language model took; a server may not count tokens."""
    if use is None:
        return
    counted = f"{use.prompt_tokens:,} tokens asked with, {use.completion_tokens:,} answered with"
    questions = f"{use.calls:,} questions" if use.calls != 1 else "1 question"
    yield "That took", f"{questions}, {counted}" if use.prompt_tokens or use.completion_tokens else questions


def _of_glossary(use: report.GlossaryUse | None) -> Iterator[tuple[str, str]]:
    if use is None:
        return
    yield "Glossary", f"{use.terms} terms" if use.terms != 1 else "1 term"
    if use.unmatched:
        yield "In no line", ", ".join(use.unmatched)
    for term in use.not_held:
        kept = "kept" if term.source == term.target else f"as {term.target}"
        yield "Not held", f"{term.source}, {kept}: lines {', '.join(map(str, term.lines))}"


def _languages(told: Report) -> str:
    heard = told.source.language.name
    return f"{heard} to {told.target_language.name}" if isinstance(told, DubReport) else heard


def _other_engines(told: Report) -> Sequence[tuple[str, report.EngineUse]]:
    if not isinstance(told, DubReport):
        return ()
    return (("Translated by", told.engines.translation), ("Spoken by", told.engines.tts))


def clock(seconds: float) -> str:
    """Return a time of a film, such as 1:02:03.4."""
    tenths = round(10 * seconds)
    hours, minutes, rest = tenths // 36_000, tenths // 600 % 60, tenths % 600 / 10
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def as_text(told: Report) -> str:
    """Return a report as text for a terminal."""
    from rich.console import Console
    from rich.table import Table

    head = Table.grid(padding=(0, 2))
    for name, fact in facts(told):
        head.add_row(_text(name, "bold"), _text(fact))
    out = io.StringIO()
    console = Console(file=out, force_terminal=sys.stdout.isatty(), width=None if sys.stdout.isatty() else 120)
    console.print(head)
    for note in told.notes:
        console.print(_text(f"! {note}", "yellow"))
    console.print(_lines(told))
    for gone in told.dropped:
        console.print(_text(f"left out {clock(gone.start)} to {clock(gone.end)}: {gone.reason} {gone.text}", "dim"))
    for part in slowed(told):
        console.print(_text(f"slowed {clock(part.start)} to {clock(part.end)}: {part.factor:.2f} times as long", "dim"))
    return out.getvalue().rstrip("\n")


def slowed(told: Report) -> Sequence[report.SlowedPart]:
    """Return where the picture is slowed; of a transcript, nowhere."""
    return told.slowed if isinstance(told, DubReport) else ()


def _text(said: str, style: str = "") -> Text:
    """Return what anybody may have said as text that is no command to a terminal."""
    from rich.text import Text

    return Text("".join(sign if sign.isprintable() else " " for sign in said), style)


def _lines(told: Report) -> Table:
    from rich import box
    from rich.table import Table

    is_dub = isinstance(told, DubReport)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in ("", "at", "tempo", "said", "says now") if is_dub else ("", "at", "said"):
        table.add_column(name, justify="right" if name in ("", "at", "tempo") else "left", overflow="fold")
    for line in told.segments:
        table.add_row(*(_text(cell) for cell in _cells(line)))
    return table


def _cells(line: DubbedLine | HeardLine) -> list[str]:
    """Return what a table says of a line: its number, when, how fast it is spoken, and the words of both sides."""
    if isinstance(line, HeardLine):
        return [str(line.id), clock(line.start), line.source_text]
    late = f" +{line.overflow_seconds:.1f} s" if line.overflow_seconds else ""
    tempo = f"{line.tempo:.2f}{late}" if line.text else ""
    return [str(line.id), clock(line.placed_start if line.text else line.start), tempo, line.source_text, line.text]
