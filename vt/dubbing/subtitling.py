"""The subtitles of a dub: its lines in either language, or in both at a time, as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vt.domain import BOTH, Segment
from vt.dubbing.report import DubbedLine, DubReport, HeardLine, Report, Script
from vt.errors import InputError
from vt.languages import Language
from vt.text import subtitles
from vt.text.subtitles import Cue

FORMS = {"srt": subtitles.srt, "vtt": subtitles.vtt, "ass": subtitles.ass}
"""How each form of subtitles is written."""
KARAOKE = "ass"
"""The form in which words can light up."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What is said in a film, and what its dub says, line by line."""

    film_seconds: float
    heard_language: Language
    heard: tuple[Cue, ...]
    said_language: Language | None = None
    """None where the film was only written down."""
    said: tuple[Cue, ...] = ()
    """One for each line that was heard; its text is empty where nothing is said."""

    @property
    def languages(self) -> tuple[Language, ...]:
        """Those that there are subtitles in, that of the dub first."""
        return tuple(dict.fromkeys(filter(None, (self.said_language, self.heard_language))))

    @property
    def names(self) -> tuple[str, ...]:
        """By what `cues` finds subtitles: codes of languages, and `both` where there are two."""
        codes = [language.code for language in self.languages]
        return (*codes, BOTH) if len(codes) > 1 else tuple(codes)

    def cues(self, name: str) -> list[Cue]:
        """Return the subtitles of one of the `names`."""
        if name == BOTH:
            lines = zip(self.said, self.heard, strict=True)
            return subtitles.in_both(lines, self.film_seconds, self.said_language, self.heard_language)
        language = next(language for language in self.languages if language.code == name)
        side = self.said if language == self.said_language else self.heard
        return subtitles.cues((cue for cue in side if cue.text), self.film_seconds, language)

    def written(self, name: str, form: str, *, karaoke: bool = False) -> str:
        """Return the subtitles of one of the `names` in one of the `FORMS`; with `karaoke` words light up in time.

        Raises:
            InputError: words cannot light up in that form.
        """
        if not karaoke:
            return FORMS[form](self.cues(name))
        if form != KARAOKE:
            raise InputError("Words light up in subtitles of the form ass only, and not in {form}.", form=form)
        return subtitles.ass(self.cues(name), karaoke=True)


def of_transcript(segments: Sequence[Segment], language: Language, film_seconds: float, who: Sequence[str]) -> Sides:
    """Return the one side of a film that is only written down; `who` names each line's speaker where that is shown."""
    return Sides(film_seconds, language, _heard(segments, who))


def of_script(script: Script, film_seconds: float, who: Sequence[str]) -> Sides:
    """Return both sides of a dub; `who` names each line's speaker where that is shown."""
    phrases = script.phrases or [()] * len(script.texts)
    lines = zip(script.placements, script.texts, who, phrases, strict=True)
    said = tuple(Cue(placed.start, placed.end, text, name, words=words) for placed, text, name, words in lines)
    transcript = script.transcript
    heard = _heard(transcript.segments, who)
    return Sides(film_seconds, transcript.language, heard, script.target_language, said)


def of_report(report: Report, *, mark_speakers: bool) -> Sides:
    """Return what a report tells of; `mark_speakers`: whether speakers are shown where there are several."""
    labels = {speaker.id: speaker.label for speaker in report.speakers} if mark_speakers else {}
    lines: Sequence[HeardLine | DubbedLine] = report.segments
    who = [labels.get(line.speaker, "") if line.speaker is not None else "" for line in lines]
    rows = zip(lines, who, strict=True)
    heard = tuple(Cue(at.start, at.end, at.source_text, name, words=at.source_words) for at, name in rows)
    film, language = report.source.duration_seconds, report.source.language
    if not isinstance(report, DubReport):
        return Sides(film, language, heard)
    placed = zip(report.segments, who, strict=True)
    said = tuple(Cue(at.placed_start, at.placed_end, at.text, name, words=at.phrases) for at, name in placed)
    return Sides(film, language, heard, report.target_language, said)


def _heard(segments: Sequence[Segment], who: Sequence[str]) -> tuple[Cue, ...]:
    lines = zip(segments, who, strict=True)
    return tuple(Cue(at.start, at.end, at.text, name, pauses=at.pauses, words=at.words) for at, name in lines)
