"""The licences of all parts of vt: Python packages, models, programs, and the sample film."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from vt.engines import apertium, espeak
from vt.engines.registry import BUILT_IN
from vt.errors import StorageError
from vt.model_files import bundle

Kind = Literal["package", "model", "program", "film"]

_FOLDERS = (Path(__file__).parents[2], Path(sys.prefix) / "share" / "vt")
"""In a clone, and in the package that pip installs."""
PINS = next(filter(Path.exists, (folder / "requirements.txt" for folder in _FOLDERS)), _FOLDERS[0] / "requirements.txt")
_PIN = re.compile(r"(?m)^([a-z0-9][a-z0-9.-]*)==([^\s;#]+)[^#\n]*(?:# *(.*))?$")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
UNKNOWN = "unknown"
_CLASSIFIED = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""SPDX expressions of the trove classifiers that name exactly one licence."""
_SAID = {"apache 2.0 license": "Apache-2.0", "3-clause bsd license": "BSD-3-Clause"}
_SPDX = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")
_READ_UP = {
    "audioop-lts": "PSF-2.0",
    "docopt": "MIT",
    "jinja2": "BSD-3-Clause",
    "mpmath": "BSD-3-Clause",
    "num2words": "LGPL-2.1-or-later",
    "semantic-version": "BSD-2-Clause",
    "sympy": "BSD-3-Clause",
}
"""Licences read from the packages' own licence files: their metadata is vague, or they are not installed here."""
_NO_TRADE = "-NC-"
_DOES = {
    "stt": "hears",
    "translation": "translates",
    "tts": "speaks",
    "diarization": "tells speakers apart",
    "separation": "takes voices out of sound",
}
_FIELD = re.compile(r"(Package|Version|Status): ")
_LICENSE = re.compile(r"(?m)^License: (L?GPL-\d)(\+?)$")
_PROGRAMS = {
    "ffmpeg": ("GPL-2.0-or-later", "takes films apart and puts them together; as Debian builds it"),
    "espeak-ng": (espeak.INFO.licence, "speaks without a download"),
    "bubblewrap": ("LGPL-2.0-or-later", "keeps files and the network from the other programs"),
    "fontconfig": ("HPND-sell-variant", "finds fonts for subtitles in the picture"),
    "fonts-noto-core": ("OFL-1.1", "subtitles in the picture"),
    "fonts-noto-cjk": ("OFL-1.1", "subtitles in the picture, in Chinese, Japanese and Korean"),
}
_APERTIUM = (apertium.INFO.licence, "translates without a download")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of vt."""

    kind: Kind
    name: str
    version: str
    """Empty where it is not installed, or has no version."""
    licence: str
    """An SPDX expression, or what is known of it."""
    needed_for: str
    commercial: bool
    """Whether commercial use is allowed."""

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return asdict(self)


def parts(requirements: Path = PINS, debian: Path = Path("/")) -> list[Part]:
    """List all parts, those that are used directly first.

    Args:
        requirements: the pins, with what each is needed for.
        debian: the root of a Debian; elsewhere the versions of programs stay empty.

    Raises:
        StorageError: the pins cannot be read.
    """
    try:
        pins = requirements.read_text(encoding="utf-8")
        wanted = requirements.with_name("packages.txt").read_text(encoding="utf-8").split()
    except OSError as error:
        raise StorageError("{file} cannot be read: it says what vt is made of.", file=error.filename) from error
    return [*_packages(pins), *_models(), *_programs(wanted, _Debian(debian)), _film()]


def _part(kind: Kind, name: str, version: str, licence: str, needed_for: str) -> Part:
    return Part(kind, name, version, licence, needed_for, _NO_TRADE not in licence)


def _packages(pins: str) -> Iterator[Part]:
    found = [match.groups(default="") for match in _PIN.finditer(pins)]
    users = _users(name for name, _, _ in found)
    for name, version, comment in found:
        by = ", ".join(sorted(users[name])) or "nothing here"
        yield _part("package", name, version, licence_of(name), comment.strip() or f"by {by}")


def _users(names: Iterable[str]) -> Mapping[str, set[str]]:
    """Return which packages require each package."""
    users: defaultdict[str, set[str]] = defaultdict(set)
    for user in names:
        for line in _needs(user):
            needed = _NAME.match(line)
            if needed and "extra ==" not in line:
                users[canonical(needed[0])].add(user)
    return users


def _needs(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # not installed here
        return []


def canonical(name: str) -> str:
    """Return a package's name as the index has it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(name: str) -> str:
    """Return a package's licence, by its own metadata."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return _READ_UP.get(name, UNKNOWN)
    if "License-Expression" in told:
        return told["License-Expression"]
    if name in _READ_UP:
        return _READ_UP[name]
    classes = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License ::")]
    said = told["License"].strip() if "License" in told else ""
    plain = said if _SPDX.fullmatch(said) and said != "UNKNOWN" else _SAID.get(said.lower(), UNKNOWN)
    return next((_CLASSIFIED[one] for one in classes if one in _CLASSIFIED), plain)


def bundled_name(model: bundle.Model) -> str:
    """Return the name of a bundled model in the list."""
    return f"{model.title}, put here by set-up"


def _models() -> Iterator[Part]:
    for model in bundle.MODELS.values():
        yield _part("model", bundled_name(model), "", model.licence, f"{model.needed_for}; {model.source}")
    yield _part("model", "Silero VAD, bundled in faster-whisper", "", "MIT", "finds voices (VAD)")
    for info in BUILT_IN.infos:
        if "download" in info.needs:
            yield _part("model", f"{info.name}, from the hub", "", info.licence, f"{_DOES[info.kind]}; {info.source}")


def _programs(wanted: Iterable[str], debian: _Debian) -> Iterator[Part]:
    versions = debian.versions()
    for name in wanted:
        licence, needed_for = _PROGRAMS.get(name, _APERTIUM)
        # Among the licences of a font's package is that of the scripts by which it was packed.
        own = "" if name.startswith("fonts-") else debian.licence(name)
        yield _part("program", name, versions.get(name, ""), own or licence, needed_for)


def _film() -> Part:
    needed_for = "the demo; its words and its voice are in the public domain"
    return _part("film", "samples/sense_and_sensibility.mp4", "", "CC0-1.0", needed_for)


@dataclass(frozen=True, slots=True)
class _Debian:
    """Versions and licences of installed Debian packages; empty on other systems."""

    root: Path

    def versions(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for stanza in _read(self.root / "var/lib/dpkg/status").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in stanza.splitlines() if _FIELD.match(line))
            if fields.get("Status", "").endswith(" installed"):
                found[fields["Package"]] = fields.get("Version", "")
        return found

    def licence(self, name: str) -> str:
        """Return the licences in a package's copyright file, if that is machine-readable."""
        told = _LICENSE.findall(_read(self.root / "usr/share/doc" / name / "copyright"))
        return " AND ".join(sorted({f"{what}.0-{'or-later' if plus else 'only'}" for what, plus in told}))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Debian, or not installed
        return ""
