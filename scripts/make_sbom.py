"""Write a CycloneDX 1.6 bill of materials; scripts/sbom runs this.

Written here, since it is three lists: a library for it would bring five packages.
Source of the form: https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
import re
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scripts import lock
from vt import __version__
from vt.cli import licences
from vt.cli.licences import Part
from vt.model_files import bundle

ROOT = Path(__file__).parent.parent
_LOCK, _CUDA = "requirements.lock", "requirements-cuda.lock"
_VT = f"pkg:generic/vt@{__version__}"
_BUNDLED = {licences.bundled_name(model): model for model in bundle.MODELS.values()}
_TYPES = {"package": "library", "model": "machine-learning-model", "program": "application", "film": "data"}


def hashes(name: str) -> dict[str, list[str]]:
    """Return the SHA-256 of every file of each package of a lock."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==.*((?:\n .*)*)", text)
    return {package: re.findall(r"sha256:([0-9a-f]{64})", rest) for package, rest in blocks}


def bill() -> dict[str, Any]:
    """Return the bill of materials."""
    locked, cuda = lock.pins(_LOCK), lock.pins(_CUDA)
    sums = hashes(_LOCK) | hashes(_CUDA)
    parts = [part for part in licences.parts() if part.name not in lock.NEVER_LOADED]
    parts += [Part("package", name, cuda[name], licences.licence_of(name), "by torch", True) for name in cuda]
    components = [_component(part, sums.get(part.name, []), part.name in cuda) for part in parts]
    told = json.dumps(components, sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, told)}",
        "version": 1,
        "metadata": {"component": _vt()},
        "components": components,
        "dependencies": _dependencies(parts, locked | cuda),
    }


def _vt() -> dict[str, Any]:
    return {
        "type": "application",
        "bom-ref": _VT,
        "name": "vt",
        "version": __version__,
        "licenses": [{"expression": "Apache-2.0"}],
    }


def _reference(part: Part) -> str:
    if part.kind == "package":
        return f"pkg:pypi/{part.name}@{quote(part.version)}"
    if part.kind == "program":
        return f"pkg:deb/debian/{part.name}" + (f"@{quote(part.version)}" if part.version else "")
    return f"pkg:generic/{quote(part.name, safe='')}"


def _component(part: Part, sums: list[str], optional: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": _TYPES[part.kind],
        "bom-ref": _reference(part),
        "name": part.name,
        "description": part.needed_for,
        "scope": "optional" if optional else "required",
    }
    if part.kind in ("package", "program"):
        found["purl"] = _reference(part)
    if part.version:
        found["version"] = part.version
    if part.licence != licences.UNKNOWN:
        found["licenses"] = [{"expression": part.licence}]
    if sums:  # of several files of one version, of which a machine gets the one that fits it
        address = f"https://pypi.org/project/{part.name}/{part.version}/#files"
        found["externalReferences"] = [{"type": "distribution", "url": address, "hashes": _hashes(sums)}]
    if part.name in _BUNDLED:
        files = _BUNDLED[part.name].files
        found["components"] = [{"type": "file", "name": one.name, "hashes": _hashes([one.sha256])} for one in files]
    return found


def _hashes(sums: list[str]) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": one} for one in sums]


def _dependencies(parts: list[Part], locked: dict[str, str]) -> list[dict[str, Any]]:
    """Return who needs whom, by what the installed packages say themselves."""
    references = {part.name: _reference(part) for part in parts}
    direct = [references[part.name] for part in parts if not part.needed_for.startswith("by ")]
    graph = [{"ref": _VT, "dependsOn": sorted(direct)}]
    for name in sorted(locked):
        needed = {licences.canonical(line) for line in _needs(name)} & references.keys() & locked.keys()
        graph.append({"ref": references[name], "dependsOn": sorted(references[one] for one in needed)})
    return graph


def _needs(name: str) -> list[str]:
    try:
        needed = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # of another machine
        return []
    return [re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0] for line in needed if "extra ==" not in line]


if __name__ == "__main__":
    print(json.dumps(bill(), indent=1, ensure_ascii=False))
