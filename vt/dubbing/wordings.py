"""Shorter wordings for lines that would have to be hurried: found while a film is translated, chosen once it is spoken.

A line is spoken in full wherever there is time. Where its tempo would be above 1.2, it gets the first of these that is
short enough: without fillers and hesitations; with shorter words; another translation by the same translator, of the
original without its fillers; a translation by another route. What each of them loses is bounded, and no line is touched
whose words somebody has changed by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import fsum

from pydantic import TypeAdapter

from vt.domain import Line, Placement, Progress
from vt.dubbing import timing
from vt.dubbing.artifacts import Json, fingerprint
from vt.dubbing.ensemble import Calibration, Ensemble, Worded
from vt.dubbing.glossing import Glossing
from vt.dubbing.hearing import slots_of
from vt.dubbing.recognition import Heard
from vt.dubbing.report import Script
from vt.dubbing.run import Run, with_model
from vt.dubbing.speaking import Take
from vt.dubbing.translating import Made, Translated, Translating
from vt.models.services import TranslationService
from vt.models.spent import NOTHING_SPENT, Spent
from vt.text import shorter_wordings
from vt.translatable import Message

_LIKELY_TEMPO = 1.08
"""Lines that are this fast by the number of their letters may be too fast once they are spoken."""
_SHORTEST = 0.6
"""Of the length of a translation: another that is shorter than that leaves something out."""
_LETTERS = 4
"""A word of the original with so many letters that stands in its translation was not translated."""
_ROUNDS = 16
"""Each shortens one line of every place where lines are hurried."""

_OTHERS: TypeAdapter[dict[int, list[str]]] = TypeAdapter(dict[int, list[str]])


# While a film is translated


def with_others(translating: Translating, found: Translated) -> Translated:
    """Return a translation with other wordings of its lines, best first; none of what there is surely time for."""
    run = translating.run
    if run.request.finish.literal or found.choice.info.listens:
        return replace(found, others=((),) * len(found.texts))
    segments = translating.heard.transcript.segments
    lines = [line for line in _crowded(translating, found.texts) if found.texts[line] != segments[line].text]
    asked: Json = [[line, segments[line].text, found.texts[line]] for line in lines]
    terms = [translating.glossing.identity] if translating.glossing.identity else []
    used = [found.choice.model, *map(str, found.choice.route)]
    name = fingerprint("otherwise", translating.heard_name, *used, asked, *terms)
    made: dict[int, list[str]] = run.kept(
        "otherwise", name, _OTHERS, lambda: _translated(translating, found, lines, name)
    )
    wordings = tuple(tuple(made.get(line, ())) for line in range(len(found.texts)))
    return replace(found, others=wordings, spent=found.spent + translating.kept_spent(name))


def _crowded(translating: Translating, texts: Sequence[str]) -> list[int]:
    """Return the lines that will have to be quickened, as far as the number of their letters tells."""
    slots = slots_of(translating.heard.transcript.segments)
    pace = translating.pace()
    lengths = [len(text) / pace for text in texts]
    base = timing.base_rate(lengths, slots)
    lines = [Line(*slot, length / base) for slot, length in zip(slots, lengths, strict=True)]
    plan = timing.place(lines, translating.heard.film_seconds)
    return [line for line, placed in enumerate(plan) if placed.tempo > _LIKELY_TEMPO]


def _translated(translating: Translating, found: Translated, lines: Sequence[int], name: str) -> dict[int, list[str]]:
    """Return what other translations say in place of some lines; what they took is kept by `name`."""
    quiet = replace(translating, run=replace(translating.run, on_progress=_unheard))
    code, said = translating.target.code, translating.heard.transcript.segments
    plain = {line: shorter_wordings.without_fillers(said[line].text, translating.source.code) for line in lines}
    made: dict[int, list[str]] = {line: [] for line in lines}
    spent: list[Spent] = []

    def add(service: TranslationService, some: Sequence[int], budgets: list[float] | None = None) -> None:
        wordings = quiet.from_text(service, [plain[line] for line in some], budgets, some) if some else Made(())
        spent.append(wordings.spent.without_fallen)
        for line, wording in zip(some, wordings.texts, strict=True):
            if _is_sound(wording, found.texts[line], said[line].text, code):
                made[line].append(wording)

    def by_the_same(service: TranslationService) -> None:
        budgets = quiet.budgets(service, said, timing.COMFORTABLE_TEMPO)
        again = [line for line in lines if budgets or plain[line] != said[line].text]
        add(service, again, budgets and [budgets[line] for line in again])

    if found.choice.info.heeds_lengths or any(plain[line] != said[line].text for line in lines):
        with_model(lambda after: quiet.service(after, listening=False), by_the_same)
    if shorter_wordings.has_rules(code):  # else nobody could tell whether another translator lost a negation
        for service in translating.run.services.other_translations(found.choice, cancel=translating.run.cancel):
            add(service, lines)
    translating.keep_spent(name, sum(spent, NOTHING_SPENT))
    return made


def _unheard(progress: Progress) -> None:
    """Take progress of what is part of another step."""


def _is_sound(wording: str, text: str, original: str, code: str) -> bool:
    """Tell whether another translation is shorter than `text` and, as far as that can be told, says the same."""
    if not _SHORTEST * len(text) <= len(wording) < len(text):
        return False
    left = _long_words(original) & _long_words(wording) - _long_words(text)
    return not left and shorter_wordings.says_as_much(wording, text, code)


def _long_words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W\d_]+", text.lower()) if len(word) >= _LETTERS}


# Once a film is spoken


def applied(worded: Worded, script: Script) -> Script:
    """Return a script with the lines worded like this whose text nobody has changed by hand."""
    texts, fuller = list(script.texts), [""] * len(script.texts)
    for line, (text, is_written) in enumerate(zip(worded.texts, script.written, strict=True)):
        if text != texts[line] and not is_written:
            texts[line], fuller[line] = text, texts[line]
    return replace(script, texts=tuple(texts), fuller=tuple(fuller))


_WORDED = TypeAdapter(Worded)


def chosen(
    run: Run, voices: Ensemble, calibration: Calibration, heard: Heard, found: Translated, glossing: Glossing
) -> Worded:
    """Return how each line is worded so that none is hurried, as far as there are shorter wordings.

    Args:
        run: where that is kept.
        voices: speak what is shorter, to measure it.
        calibration: of the voices, by the lines in full.
        heard: the film's transcript, before any edit.
        found: the lines in full, and their other wordings.
        glossing: the terms that no wording may lose.
    """
    naturals = calibration.natural_seconds()
    if run.request.finish.literal:
        return Worded(found.texts, tuple(naturals))
    segments = heard.transcript.segments
    slots, rows = slots_of(segments), zip(segments, found.texts, found.others, strict=True)
    left = [_candidates(segment.text, text, other, glossing) for segment, text, other in rows]

    def made() -> Worded:
        fitting = _Fitting(voices, calibration, slots, heard.film_seconds, list(found.texts), naturals, left)
        return fitting.made()

    name = fingerprint("worded", voices.identity, found.texts, slots, heard.film_seconds, left)
    worded: Worded = run.kept("worded", name, _WORDED, made)
    return worded


def _candidates(source: str, text: str, otherwise: Sequence[str], glossing: Glossing) -> list[str]:
    """Return the shorter wordings of a line, those that lose least first."""
    found = [by_rule(one, glossing.target.code) for one in (text, *otherwise) for by_rule in _RULES]
    return [one for one in dict.fromkeys(found) if len(one) < len(text) and glossing.keeps(source, text, one)]


_RULES = (shorter_wordings.without_fillers, shorter_wordings.shortest)


@dataclass(frozen=True, slots=True)
class _Shorter:
    """A shorter wording of a line, and how much time it will probably save."""

    line: int
    text: str
    seconds: float
    rank: int
    """How many wordings of the line lose less."""


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Shortens lines, one after the other, until none is hurried or none can be shortened."""

    voices: Ensemble
    calibration: Calibration
    slots: Sequence[tuple[float, float]]
    film_seconds: float
    said: list[str]
    naturals: list[float]
    left: list[list[str]]
    """By line: the shorter wordings that were not tried so far."""

    def made(self) -> Worded:
        for _ in range(_ROUNDS):
            lines = [Line(*slot, natural) for slot, natural in zip(self.slots, self.naturals, strict=True)]
            plan = timing.place(lines, self.film_seconds)
            picked = [pick for crowd in timing.crowds(plan) if (pick := self._picked(crowd, plan))]
            if not picked:
                break
            self._try(picked)
        return Worded(tuple(self.said), tuple(self.naturals))

    def _picked(self, crowd: Sequence[int], plan: Sequence[Placement]) -> _Shorter | None:
        """Return the wording that loses least of those that save enough, else the one that saves most."""
        excess = fsum(self.naturals[line] - timing.COMFORTABLE_TEMPO * plan[line].seconds for line in crowd)
        options = [option for line in crowd for option in self._options(line)]
        enough = [option for option in options if option.seconds >= excess]
        if enough:
            return min(enough, key=lambda option: (option.rank, option.seconds))
        return max(options, key=lambda option: option.seconds, default=None)

    def _options(self, line: int) -> Iterator[_Shorter]:
        for rank, text in enumerate(self.left[line]):
            share = 1 - len(text) / len(self.said[line])
            yield _Shorter(line, text, share * self.naturals[line], rank)

    def _try(self, picked: Sequence[_Shorter]) -> None:
        """Speak wordings, and take those that are really shorter."""
        takes = [(pick.line, Take(pick.text, self.calibration.rate_before(pick.line))) for pick in picked]
        clips = self.voices.clips(takes, self.voices.needed.before)
        for (line, take), clip in zip(takes, clips, strict=True):
            if clip.seconds < self.naturals[line]:
                self.said[line], self.naturals[line] = take.text, clip.seconds
            shorter = [text for text in self.left[line] if len(text) < len(self.said[line]) and text != take.text]
            self.left[line][:] = shorter


def notes(script: Script) -> Iterator[str]:
    """Say how many lines are spoken in a shorter wording."""
    count = sum(map(bool, script.fuller))
    if count == 1:
        yield "1 line is spoken in a shorter wording, as there is no time to say it in full."
    elif count:
        yield Message(
            "{count} lines are spoken in a shorter wording, as there is no time to say them in full.", count=count
        )
