"""The main job: the order of the stages from a film to the same film speaking another language."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from vt import media
from vt.domain import Cancel, Clip, JobRequest, Placement, Stage
from vt.dubbing import (
    added_lines,
    background,
    burning,
    carrying,
    casting,
    ensemble,
    first_lines,
    fitting,
    glossing,
    hearing,
    line_takes,
    preview,
    report,
    subtitle_source,
    subtitling,
    track,
    wordings,
)
from vt.dubbing.artifacts import Artifacts, Json, fingerprint
from vt.dubbing.background import Surroundings
from vt.dubbing.casting import Parts
from vt.dubbing.ensemble import Calibration, Ensemble, Plan, SpokenLine
from vt.dubbing.fitting import Fitted
from vt.dubbing.fresh_lines import FreshLines
from vt.dubbing.glossing import Glossing
from vt.dubbing.hearing import Examined
from vt.dubbing.known_voices import KnownVoices
from vt.dubbing.line_levels import LineLevels
from vt.dubbing.line_takes import LineTake
from vt.dubbing.report import Report, Script
from vt.dubbing.run import OnProgress, Run, with_model
from vt.dubbing.services import DubbingServices, RequestChecker
from vt.dubbing.subtitling import Sides
from vt.dubbing.track import Level
from vt.dubbing.translating import Translated, Translating
from vt.engines.candidate import Choice
from vt.engines.protocols import Synthesizer
from vt.errors import MediaError
from vt.languages import Language
from vt.media import Burn, Loudness, Named, Slowing, Soft
from vt.models.services import TtsService
from vt.system import disk
from vt.text import subtitles
from vt.translatable import Message

_T = TypeVar("_T")

FIRST_LINES, FRESH_LINES = "first-lines", "fresh-lines"
"""Where the first lines are kept in the work folder, while a dub is made, and those that an edit has spoken anew."""


@dataclass(frozen=True, slots=True)
class Result:
    """A finished dub."""

    files: tuple[Path, ...]
    """In the work folder: the film or sound first, then the subtitles, the report last."""
    report: Report


def dub(
    request: JobRequest,
    services: DubbingServices,
    folder: Path,
    on_progress: OnProgress = lambda _: None,
    cancel: Cancel | None = None,
    artifacts: Artifacts | None = None,
    known_voices: KnownVoices | None = None,
    encoder: track.PartEncoder = track.HERE,
) -> Result:
    """Dub one film, or write down what is said in it, working in `folder` and nowhere else.

    Args:
        request: the film, the languages, and what somebody changed by hand in the lines.
        services: serves the models.
        folder: is there; its owner removes it.
        on_progress: is told of each step.
        cancel: ends the work from another thread.
        artifacts: what an earlier run has finished, which is not done again; None where no run will go on from it.
        known_voices: who had which voice in the films before; None where the film is no part of a batch.
        encoder: encodes the parts of the dubbed track.

    Raises:
        InputError: the file or the languages are at fault.
        VtError: an engine, a program or the disk failed.
        Cancelled: `cancel` was set.
    """
    kept = artifacts or Artifacts(folder / "pieces", lasting=False)
    known = known_voices or KnownVoices()
    run = Run(request, services, kept, cancel or Cancel(), on_progress, known, encoder=encoder)
    target = request.target_language
    with preview.first_minute(run, folder / "preview"):
        return _Dub(run, folder, target).result() if target else _write_down(run, folder)


def speak_ahead(
    request: JobRequest, services: DubbingServices, folder: Path, cancel: Cancel, artifacts: Artifacts
) -> None:
    """Speak the edited lines of a finished dub, so that `dub`, with the same edits, finds them among its artifacts.

    Nothing else is made. The arguments are those of `dub`; where something other than a voice is missing among the
    artifacts, `services` decide whether it is made.

    Raises:
        VtError: as `dub` does.
    """
    run, target = Run(request, services, artifacts, cancel, lambda _: None), request.target_language
    if target:
        with preview.first_minute(run, folder / "preview"):
            _Dub(run, folder, target).speak_ahead()


def report_name(target: str) -> str:
    """Return the ending of the report's name; for a dub it names the target language."""
    return f"{target}.report.json" if target else "report.json"


def check(request: JobRequest, checker: RequestChecker) -> float:
    """Check a request before any work is done, and return the film's length in seconds.

    Raises:
        InputError: the file or the languages are at fault.
        ModelUnavailable: a stage has no model or engine.
        ToolError: a program is missing.
    """
    glossing.read(request.glossary)
    examined = hearing.examine(request, checker, Cancel())
    info = examined.info
    burning.check(request, info, examined.language(request))
    longest = request.longest_seconds
    # A header that promises too much is not believed before the film is refused for it.
    believed = info.is_measured or longest is None or info.seconds <= longest
    return info.seconds if believed else media.measured_seconds(info)


@dataclass(frozen=True, slots=True)
class _Understood:
    """What is known before a dub is spoken: what is said in the film, in both languages, and what else is heard."""

    examined: Examined
    surroundings: Surroundings
    translating: Translating
    found: Translated
    """Before any edit."""
    script: Script
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Planned:
    """By whom each line is spoken, and when."""

    voices: Ensemble
    calibration: Calibration
    fitted: Fitted
    plan: Plan

    @property
    def script(self) -> Script:
        """The lines as they are spoken."""
        return self.fitted.script


@dataclass(frozen=True, slots=True)
class _Finished:
    """The finished dub: its lines with their placements, its loudness, and its files."""

    script: Script
    base_rate: float
    loudness: Loudness
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    voices: Sequence[str]
    film_seconds: float
    slowing: Slowing | None


def _write_down(run: Run, folder: Path) -> Result:
    """Transcribe only: write subtitles of what is said, and a report."""
    results = _Results(run, folder)
    with run.stage(Stage.PROBE):
        results.check_names()
        examined = hearing.examine(run.request, run.services, run.cancel, run.artifacts)
        name = hearing.name_of(run)
    heard = hearing.hear(run, examined, name)
    transcript = heard.transcript
    who = _marked_speakers(run, casting.parts_of(transcript.segments))
    sides = subtitling.of_transcript(transcript.segments, transcript.language, heard.film_seconds, who)
    (written,) = (soft.path for soft in results.write_subtitles(sides))
    composed = report.of_transcript(
        run.request,
        heard.film_seconds,
        transcript,
        heard.choice,
        run.stages,
        [*preview.notes(run.request, heard.film_seconds), *heard.notes],
    )
    return results.write_report((written, written.with_suffix(".vtt")), composed)


@dataclass(frozen=True, slots=True)
class _Results:
    """Names the files of one run, and writes the subtitles and the report."""

    run: Run
    folder: Path

    def file(self, ending: str) -> Path:
        return self.folder / f"{self.run.request.source.stem}.{ending}"

    def check_names(self) -> None:
        """Raise where the longest name of a result would be too long for the file system."""
        longest = os.fsencode(self._report.name)
        if len(longest) > disk.longest_name(self.folder):
            raise MediaError(
                "The name of {file} is too long for those of its results: shorten it.", file=self.run.request.source
            )

    def write_subtitles(self, sides: Sides) -> list[Soft]:
        """Write the subtitles of each language, in the two forms that every player reads."""
        softs = []
        for language in sides.languages:
            path, cues = self.file(f"{language.code}.srt"), sides.cues(language.code)
            path.write_text(subtitles.srt(cues), encoding="utf-8")
            path.with_suffix(".vtt").write_text(subtitles.vtt(cues), encoding="utf-8")
            softs.append(Soft(path, language.iso639_3, language.native_name))
        return softs

    def write_report(self, files: Sequence[Path], composed: Report) -> Result:
        """Write the report, and return it with all files."""
        path = self._report
        report.write(path, composed)
        return Result((*files, path), composed)

    @property
    def _report(self) -> Path:
        target = self.run.request.target_language
        return self.file(report_name(target.code if target else ""))


@dataclass(frozen=True, slots=True)
class _Dub:
    """Dubs one film: the order of its stages, the voice, and the finished files."""

    run: Run
    folder: Path
    target: Language

    def result(self) -> Result:
        run = self.run
        self._results.check_names()
        known = self._understood()
        heard, found = known.translating.heard, known.found
        notes: list[str] = [*preview.notes(run.request, heard.film_seconds), *known.notes]
        tts, finished = self._with_voice(lambda tts: self._spoken_and_mixed(tts, known))
        terms = known.translating.glossing
        use = terms.use(finished.script.transcript.segments, finished.script.texts, run.request.edits)
        notes += filter(None, [*glossing.notes(use), *finished.notes, run.services.advice(found.choice)])
        outcome = report.Outcome(
            request=run.request,
            film_seconds=finished.film_seconds,
            script=finished.script,
            base_rate=finished.base_rate,
            loudness=finished.loudness,
            stt=heard.choice,
            translation=found.choice,
            spent=known.script.spent,
            tts=tts,
            stages=run.stages,
            total_seconds=time.monotonic() - run.began,
            notes=notes,
            voices=finished.voices,
            slowing=finished.slowing,
            glossary=use,
        )
        return self._results.write_report(finished.files, report.of_dub(outcome))

    def speak_ahead(self) -> None:
        """Speak the edited lines as `result` would, and make nothing of them."""
        known = self._understood()

        def spoken(tts: TtsService) -> None:
            with tts as engine:
                now = self._planned(engine, tts.choice, known)
                ensemble.speak_ahead(now.voices, now.calibration, now.script.texts, now.plan)

        self._with_voice(spoken)

    def _understood(self) -> _Understood:
        run = self.run
        with run.stage(Stage.PROBE):
            entries = glossing.read(run.request.glossary)
            examined = hearing.examine(run.request, run.services, run.cancel, run.artifacts)
            burning.check(run.request, examined.info, examined.language(run.request), run.cancel)
            name = hearing.name_of(run)
        heard = hearing.hear(run, examined, name)
        examined = examined.with_heard(heard)
        burning.check(run.request, examined.info, heard.transcript.language, run.cancel)
        lost = [*carrying.carry(run, heard)]
        added = run.request.edits.added
        terms = Glossing.of(entries, heard.transcript.language, self.target)
        translating = Translating(run, examined, heard, name, self.target, terms)
        heard = added_lines.heard_with(heard, added)
        surroundings = background.surroundings(run, examined, heard, added_lines.name_with(name, added))
        with run.stage(Stage.TRANSLATE):
            found = translating.lines()
            found = wordings.with_others(translating, found)
            translating, found = replace(translating, heard=heard), added_lines.translated_with(found, added)
            script = translating.edited(found)
        notes = (*lost, *heard.notes, *surroundings.notes, *translating.notes(found.choice, script))
        return _Understood(examined, surroundings, translating, found, script, notes)

    @property
    def _results(self) -> _Results:
        return _Results(self.run, self.folder)

    # Speaking

    def _with_voice(self, work: Callable[[TtsService], _T]) -> _T:
        """Work with the model that speaks."""
        run, wishes = self.run, self.run.request.wishes
        return with_model(
            lambda after: run.services.tts_service(
                self.target,
                cancel=run.cancel,
                after=after,
                voice=next(iter(wishes.voices), ""),
                engine=wishes.tts_engine,
            ),
            work,
        )

    def _planned(self, engine: Synthesizer, choice: Choice, known: _Understood) -> _Planned:
        """Plan where each line is spoken, by whom, and in which words."""
        run, translating, found = self.run, known.translating, known.found
        heard = translating.heard
        with run.stage(Stage.SPEAK):
            cast = ensemble.Cast(run, known.examined, heard, translating.heard_name, choice, self.target)
            voices = cast.gathered(engine, known.script.parts)
            segments = heard.transcript.segments
            calibration = ensemble.calibrated(run, voices, segments, found.texts, self._keep_first)
            worded = wordings.chosen(run, voices, calibration, heard, found, translating.glossing)
            script = wordings.applied(worded, known.script)
            has_picture = known.examined.info.video is not None
            fitted = fitting.fitted(run, heard, worded, script, known.surroundings, has_picture=has_picture)
            plan = ensemble.planned(voices, calibration, fitted.heard, worded, fitted.script)
        return _Planned(voices, calibration, fitted, plan)

    def _spoken_and_mixed(self, tts: TtsService, known: _Understood) -> tuple[Choice, _Finished]:
        """Speak and mix at the same time: parts of the track are encoded while further lines are spoken."""
        run, heard_name, texts = self.run, known.translating.heard_name, known.found.texts
        with ExitStack() as opened:
            with tts as engine:
                planned = self._planned(engine, tts.choice, known)
                voices, calibration, plan, script = planned.voices, planned.calibration, planned.plan, planned.script
                surroundings = planned.fitted.surroundings
                wanted: list[Json] = [surroundings.identity, run.services.settings.loudness_lufs]
                level_name = fingerprint("level", voices.identity, texts, calibration.gain, *wanted)
                dubbed = opened.enter_context(
                    self._track(surroundings, calibration, script, plan.placements, level_name)
                )
                level = dubbed.level
                levels = LineLevels(run.artifacts, self.target)
                lines = ensemble.speak(
                    voices, calibration, dubbed, script.texts, plan, surroundings.louder_lines, levels
                )
                spoken = self._speak(lines, len(plan.placements), self._fresh(heard_name, script), level)
                levels.keep()
            placements = [line.placement for line in spoken]
            script = replace(script, placements=tuple(placements), phrases=plan.phrases(placements))
            finished = self._finish(known.examined, script, calibration.base_rate, dubbed, planned.fitted)
        if dubbed.level != level:
            run.artifacts.put_json("level", level_name, dubbed.level.as_json())
        self._keep_takes(heard_name, script, voices, spoken, dubbed.level.gain)
        notes = (*voices.notes, *wordings.notes(script), *planned.fitted.notes, *finished.notes)
        return voices.choice, replace(finished, voices=voices.voices, notes=notes)

    def _keep_first(self, line: int, clip: Clip) -> None:
        first_lines.keep(self.folder / FIRST_LINES, line, clip)

    def _track(
        self,
        surroundings: Surroundings,
        calibration: Calibration,
        script: Script,
        plan: Sequence[Placement],
        level_name: str,
    ) -> track.DubTrack:
        """Return the track as it begins, at the level that an earlier run came to, or that was measured."""
        run, rate = self.run, calibration.sample_rate
        target = run.services.settings.loudness_lufs
        balance = surroundings.balance(target, sum(calibration.natural_seconds()))
        gain = calibration.gain_for(balance.voice_lufs - surroundings.spread_db)
        level = track.Level(*run.artifacts.get_json("level", level_name) or [gain, media.LIMIT, balance.background_db])
        return track.DubTrack(
            track.cuts(plan, surroundings.film_seconds, rate, surroundings.target_rate(rate)),
            rate,
            level,
            run.artifacts,
            run.cancel,
            background=surroundings.under(plan, script.transcript.segments, balance, rate),
            target_lufs=target,
            voice_share=balance.voice_share,
            encoder=run.encoder,
        )

    def _fresh(self, heard_name: str, script: Script) -> FreshLines:
        """Return what keeps the lines that are spoken otherwise than in the runs before."""
        before = line_takes.read(self.run.artifacts, self.target).of(heard_name)
        keys = line_takes.keys(self.run.request.edits, len(script.texts))
        return FreshLines(self.folder / FRESH_LINES, self.run.artifacts, before, keys)

    def _speak(
        self, lines: Iterator[tuple[int, SpokenLine]], count: int, fresh: FreshLines, level: Level
    ) -> list[SpokenLine]:
        spoken: dict[int, SpokenLine] = {}
        with self.run.stage(Stage.SPEAK):
            for number, line in lines:
                fresh.keep(number, line_takes.sounds(line.sounds, line.placement.start, level.gain))
                spoken[number] = line
                self.run.tell(Stage.SPEAK, 0.5 + len(spoken) / count / 2)
        return [spoken[number] for number in range(count)]

    def _keep_takes(
        self, heard_name: str, script: Script, voices: Ensemble, spoken: Sequence[SpokenLine], gain: float
    ) -> None:
        """Keep how the lines were spoken, so that after an edit their earlier takes are still there."""
        artifacts, parts = self.run.artifacts, script.parts
        number = line_takes.read(artifacts, self.target).runs + 1
        takes = {}
        for line, key in enumerate(line_takes.keys(self.run.request.edits, len(script.texts))):
            placed, who = spoken[line].placement, parts.who[line]
            voice, speaker = (voices.voices[who], who) if parts.are_several else (voices.choice.voice, None)
            sounds = line_takes.sounds(spoken[line].sounds, placed.start, gain)
            if sounds:
                seconds = round(placed.seconds, 3)
                takes[key] = LineTake(script.texts[line], voice, speaker, seconds, sounds, number)
        line_takes.keep(artifacts, self.target, heard_name, takes)

    # Finishing

    @property
    def _dub_track(self) -> Path:
        return self.folder / "dub.m4a"

    def _finish(
        self, examined: Examined, script: Script, base_rate: float, dubbed: track.DubTrack, fitted: Fitted
    ) -> _Finished:
        """Mux the film while its last parts are measured; if the loudness is wrong, correct and repeat."""
        film = fitted.heard.film_seconds
        sides = subtitling.of_script(script, film, _marked_speakers(self.run, script.parts))
        softs = self._results.write_subtitles(sides)
        burn = self._burnt(sides, examined)
        loudness = None
        while loudness is None:
            with self.run.stage(Stage.MIX):
                dubbed.write(self._dub_track)
                # A picture with subtitles in it is encoded, which takes long: so it is done once, with the right sound.
                is_soon = burn is None and fitted.slowing is None and dubbed.seems_right()
                if not is_soon and dubbed.settle() is None:
                    continue
            with self.run.stage(Stage.MUX):
                target, notes = self._mux(examined, script, softs, burn, fitted.slowing)
            with self.run.stage(Stage.MIX):
                loudness = dubbed.settle()
        texts = [path for soft in softs for path in (soft.path, soft.path.with_suffix(".vtt"))]
        return _Finished(script, base_rate, loudness, (target, *texts), tuple(notes), (), film, fitted.slowing)

    def _burnt(self, sides: Sides, examined: Examined) -> Burn | None:
        """Return what is to be drawn into the picture; None where nothing is."""
        finish, text = self.run.request.finish, self.folder / "burnt.ass"
        if not finish.burn:
            return None
        return burning.prepared(sides, finish.burn, examined.info, text, self.run.cancel, karaoke=finish.karaoke)

    def _mux(
        self, examined: Examined, script: Script, softs: Sequence[Soft], burn: Burn | None, slowing: Slowing | None
    ) -> tuple[Path, list[Message]]:
        """Write the film; return its path, and notes on what could not be copied into it unchanged."""
        info = examined.info
        names = (_named(script.target_language, "dubbed"), _named(script.transcript.language, "original"))
        target = self._results.file(f"{script.target_language.code}.{'mp4' if info.video else 'm4a'}")
        dub, cancel, decode = self._dub_track, self.run.cancel, subtitle_source.decoded

        def tell(share: float) -> None:
            self.run.tell(Stage.MUX, share)

        return target, media.mux(info, examined.track, dub, names, softs, target, cancel, decode, burn, slowing, tell)


def _marked_speakers(run: Run, parts: Parts) -> list[str]:
    """Return whom the subtitles name for each line: nobody, where that is not asked for or one person speaks."""
    is_marked = run.request.mark_speakers and parts.are_several
    return [parts.labels[who] if is_marked else "" for who in parts.who]


def _named(language: Language, role: str) -> Named:
    return Named(language.iso639_3, f"{language.native_name} ({role})")
