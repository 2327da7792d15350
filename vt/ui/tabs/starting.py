"""One press of Start: a job for each chosen film and language, and what is said of those that could not be started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vt.domain import Job, JobSpec
from vt.errors import QueueFull, TooManyJobs, TooMuchKept, VtError
from vt.services import Services
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.shared import Subject, native
from vt.ui.words import Words

_FULL = (QueueFull, TooManyJobs, TooMuchKept)
"""Errors that every further job would meet too."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One dub that is to be started."""

    place: int
    """Of its film, among those that were chosen."""
    spec: JobSpec


@dataclass(slots=True)
class Started:
    """What came of it."""

    jobs: list[Job] = field(default_factory=list)
    refused: list[tuple[str, str, VtError]] = field(default_factory=list)
    """The name of each film that was not started, the code of the language, and why."""
    left: list[str] = field(default_factory=list)
    """The films of which no job was made, by their paths."""

    def sentences(self, said: Words) -> Iterator[str]:
        """Say which films were not started, those of one reason together."""
        for reason in dict.fromkeys(said.sentence(error.message) for *_, error in self.refused):
            dubs = [
                f"{file} \u2192 {native(code)}"
                for file, code, error in self.refused
                if said.sentence(error.message) == reason
            ]
            yield said("not_started", files=", ".join(dubs), reason=reason)


@dataclass(frozen=True, slots=True)
class Start:
    """What was chosen, and by whom."""

    services: Services
    subject: Subject | None
    films: Sequence[str]
    """The paths of uploads; a single empty one where the subject is an earlier job's film."""
    captions: object
    glossary: object
    whose: Owner

    def started(self, specs: Sequence[JobSpec]) -> Started:
        """Submit a job for each film and specification; one that is refused keeps no other from being started.

        Raises:
            VtError: the only one was refused.
        """
        found = Started()
        is_full: VtError | None = None
        for place, film in enumerate(self.films):
            first: Job | None = None
            for spec in specs:
                try:
                    if is_full:
                        raise is_full
                    job = self._submitted(_Wanted(place, spec), film, first)
                    first = first or job
                    found.jobs.append(job)
                except VtError as error:
                    if len(self.films) * len(specs) == 1:
                        raise
                    is_full = error if isinstance(error, _FULL) else None
                    found.refused.append((self._name(film), spec.target_language, error))
            if first is None:
                found.left.append(film)
        return found

    def _name(self, film: str) -> str:
        """Return what a film is called."""
        return Path(film).name if film else self.subject.name if self.subject else ""

    def _submitted(self, wanted: _Wanted, film: str, first: Job | None) -> Job:
        """Submit one job; `first`: another one of the same film, whose file and artifacts it shares."""
        jobs, whose, spec = self.services.jobs, self.whose, wanted.spec
        with self.services.probes.held(whose.address), jobs.draft() as draft:
            if first or (self.subject and self.subject.job_id):
                other = first.id if first else self.subject.job_id if self.subject else ""
                spec = uploads.add_glossary(draft, spec, self.glossary, whose)
                spec = jobs.reuse(draft, other, spec, keeps_wishes=False)
            else:
                captions = uploads.nowhere(spec.subtitles) if spec.subtitles else self.captions
                spec = uploads.fill(draft, replace(spec, subtitles=None), film, captions, whose)
                spec = uploads.add_glossary(draft, spec, self.glossary, whose)
            return jobs.submit(draft, spec, whose.address, self._key(wanted), whose.person)

    def _key(self, wanted: _Wanted) -> str:
        """Return the name of the request for one dub, by which it is known when it comes twice."""
        if not (self.subject and self.subject.key):
            return ""
        return f"{self.subject.key} {wanted.place} {wanted.spec.target_language}"
