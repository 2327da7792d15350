"""The layout of a job's folder: the names of the files and folders in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REMARKS = "remarks.json"
"""The file in a folder of results that holds the remarks of its report."""

_RESULTS = re.compile(r"results-([1-9]\d{0,8})")
_JOINED = "joined-"


@dataclass(frozen=True, slots=True)
class JobFolder:
    """A job's folder; neither the folder nor its content need exist."""

    path: Path

    @property
    def film(self) -> Path:
        """The film as it was uploaded. The name has no suffix: the format is found out from the content."""
        return self.path / "input"

    @property
    def subtitles(self) -> Path:
        """The subtitles that came with the film, if any did."""
        return self.path / "subtitles"

    @property
    def glossary(self) -> Path:
        """The glossary that came with the film, if one did."""
        return self.path / "glossary"

    @property
    def artifacts(self) -> Path:
        """The folder of the job's artifacts: results of single steps, which are not done again."""
        return self.path / "pieces"

    @property
    def drafts(self) -> Path:
        """The folder of artifacts that were made of drafts: the next run takes what it needs of them, the rest goes."""
        return self.path / "drafts"

    @property
    def work(self) -> Path:
        """The folder in which a run works, removed after it."""
        return self.path / "work"

    @property
    def record(self) -> Path:
        """The job's record, from which it can be restored if the database is lost."""
        return self.path / "job.json"

    @property
    def new_record(self) -> Path:
        """A new record while it is written."""
        return self.path / "job.json.new"

    @property
    def removed_record(self) -> Path:
        """The name of the record once the job is marked as removed."""
        return self.path / "removed"

    @property
    def removal(self) -> Path:
        """A file that is there while the job waits to be removed, which can still be taken back."""
        return self.path / "removal"

    @property
    def picture(self) -> Path:
        """A small picture of the film; empty where it has none."""
        return self.path / "picture.jpg"

    def page_copy(self, version: int) -> Path:
        """Return where the copy of one version's film is that every browser can show; it need not exist."""
        return self.path / f"page-{version}.mp4"

    def joined(self, version: int, mark: str, ending: str) -> Path:
        """Return where one version's dub is in one file with others, which the mark stands for; it need not exist."""
        return self.path / f"{_JOINED}{version}-{mark}{ending}"

    def all_joined(self) -> list[Path]:
        """Return the files in which dubs are together."""
        return list(self.path.glob(f"{_JOINED}*"))

    def results(self, version: int) -> Path:
        """Return the folder with the results of one version."""
        return self.path / f"results-{version}"

    def result(self, version: int, ending: str) -> Path:
        """Return one file of the results by its ending, such as `es.mp4`."""
        return self.results(version) / f"{self.film.name}.{ending}"

    def peaks(self, version: int) -> Path:
        """Return the file of a sound's outline: of one version of the dub, or of the original, which is version 0."""
        return self.path / f"peaks-{version}.json"

    def versions(self) -> set[int]:
        """Return the versions whose results are there.

        Raises:
            OSError: the folder cannot be read.
        """
        return {int(found[1]) for path in self.path.iterdir() if (found := _RESULTS.fullmatch(path.name))}

    def leftovers(self, version: int) -> list[Path]:
        """Return all that is no longer needed of a job whose results are of this version.

        Raises:
            OSError: the folder cannot be read.
        """
        kept = {
            self.film,
            self.picture,
            self.subtitles,
            self.glossary,
            self.artifacts,
            self.drafts,
            self.record,
            self.new_record,
            self.removal,
            self.results(version),
            self.peaks(0),
            self.peaks(version),
            self.page_copy(version),
        }
        kept.update(path for path in self.all_joined() if path.name.startswith(f"{_JOINED}{version}-"))
        return [path for path in self.path.iterdir() if path not in kept]
