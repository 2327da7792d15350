"""A report as one HTML page that needs nothing from elsewhere but the film that lies beside it."""

from __future__ import annotations

import base64
import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from vt import media
from vt.cli import report
from vt.dubbing.report import DubbedLine, DubReport, HeardLine, Report
from vt.errors import MediaError

_TEMPLATES = Path(__file__).with_name("templates")
_PARTS = 1200
"""Of an outline: about as many as a wide screen has pixels."""
_LINES_A_WIDTH = 60
_EASY, _BRISK = 1.1, 1.2
_MOST_TICKS = 12


@dataclass(frozen=True, slots=True)
class Outlines:
    """The films beside a report, and how loud their sound is over time."""

    film: Path | None = None
    """The dubbed one; None where it is not there."""
    original: Path | None = None
    heard: Sequence[float] = ()
    """Peaks of the original's sound in equal parts, 0..1."""
    said: Sequence[float] = ()
    """The same of the dub's."""


def outlines(file: Path, told: Report) -> Outlines:
    """Look for the films of a report beside it, and listen to the dubbed one, which has both sounds."""
    film = next(
        (path for end in ("mp4", "m4a") if (path := file.with_name(f"{report.stem(file)}.{end}")).is_file()), None
    )
    name = Path(told.source.file).name
    places = (file.absolute().parent / name, file.absolute().parent.parent / name)
    original = next((place for place in places if os.path.isfile(place)), None)  # noqa: PTH113 (no name raises)
    if film is None or not isinstance(told, DubReport):
        return Outlines(None, original or film)
    try:
        info = media.probe(film)
        dub, heard = (*info.audio[:2], None, None)[:2]
        said, before = (media.peaks(info, track, _PARTS) if track else [] for track in (dub, heard))
    except MediaError:
        return Outlines(film, original)
    return Outlines(film, original, before, said)


def page(file: Path, told: Report, target: Path) -> str:
    """Return the page of the report in `file`, to be written to `target`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found, style = outlines(file, told), (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    film_seconds = max(told.source.duration_seconds, 0.001)
    lines = [_Line(line, film_seconds) for line in told.segments]
    names = {speaker.id: speaker.label for speaker in told.speakers}
    return environment.get_template("report.html").render(
        told=told,
        is_dub=isinstance(told, DubReport),
        facts=report.facts(told),
        lines=lines,
        slowed=[(part, *_percent(part.start, part.end, film_seconds)) for part in report.slowed(told)],
        names=names,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        film=found.film and _link(found.film, target),
        original=found.original and _link(found.original, target),
        has_picture=bool(found.film and found.film.suffix == ".mp4"),
        heard=_shape(found.heard, found),
        said=_shape(found.said, found),
        wide=max(100, 100 * len(lines) // _LINES_A_WIDTH),
        ticks=_ticks(film_seconds),
        clock=report.clock,
    )


class _Line:
    """A line as the page shows it: places in percent of the film."""

    def __init__(self, line: DubbedLine | HeardLine, film_seconds: float) -> None:
        self.told = line
        self.left, self.width = _percent(line.start, line.end, film_seconds)
        self.begins, self.text, self.tempo, self.ease = line.start, "", 1.0, "easy"
        if isinstance(line, DubbedLine) and line.text:
            self.begins, self.text, self.tempo = line.placed_start, line.text, line.tempo
            self.said_left, self.said_width = _percent(line.placed_start, line.placed_end, film_seconds)
            self.ease = "easy" if line.tempo <= _EASY else "brisk" if line.tempo <= _BRISK else "fast"


def _percent(start: float, end: float, film_seconds: float) -> tuple[str, str]:
    return f"{100 * start / film_seconds:.3f}", f"{max(0.05, 100 * (end - start) / film_seconds):.3f}"


def _shape(peaks: Sequence[float], found: Outlines) -> str:
    """Return an outline as the path of an SVG of 1 by 2, in which the loudest of both sounds fills the height."""
    if not peaks:
        return ""
    loudest = max(*found.heard, *found.said, 0.01)
    above = [f"{at / len(peaks):.5f},{1 - peak / loudest:.3f}" for at, peak in enumerate(peaks)]
    below = [f"{at / len(peaks):.5f},{1 + peak / loudest:.3f}" for at, peak in enumerate(peaks)]
    return f"M{' '.join([*above, *reversed(below)])}Z"


def _ticks(film_seconds: float) -> list[tuple[str, str]]:
    """Return times along the film, with their places in percent."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
    hours = math.ceil(film_seconds / 3600 / _MOST_TICKS)
    every = next((step for step in steps if film_seconds / step <= _MOST_TICKS), 3600 * hours)
    times = range(0, int(film_seconds) + 1, every)
    return [(f"{100 * time / film_seconds:.3f}", report.clock(time).removesuffix(".0")) for time in times]


def _link(path: Path, target: Path) -> str:
    """Return the address of a file from a page."""
    return quote(os.fsencode(os.path.relpath(path.absolute(), target.absolute().parent)))
