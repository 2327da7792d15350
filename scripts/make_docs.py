"""Write the tables of the README and of docs/ from what the code says; a test holds that they are up to date.

Run: .venv/bin/python -m scripts.make_docs
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic.fields import FieldInfo

from benchmarks import run
from scripts import gpu_check
from scripts.house import FLOORS, HOUSE, modules
from tests.caption_kinds import KINDS_OF_CAPTIONS
from tests.film_kinds import KINDS_OF_FILMS
from vt.api import make_api
from vt.cli import doctor
from vt.engines import apertium
from vt.engines.translation_routes import Hop
from vt.factory import AIServiceFactory
from vt.model_files import bundle
from vt.services import Services
from vt.settings import Settings
from vt.system.metrics import COUNTED, READ

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
"""All that is written for people who use or change vt."""
_DEFAULTS = {"PORT": "`8000`; on Spaces `7860`", "VT_DATA_DIR": "`./data`; on Spaces `/data` where that is there"}
"""Of settings that are resolved when they are used."""


def languages_table() -> str:
    """Return the languages that the packages of packages.txt serve."""
    with tempfile.TemporaryDirectory() as folder:
        for mode in _modes():
            (Path(folder) / mode).touch()
        hops = {Hop("apertium", *pair) for pair in apertium.pairs(Path(folder))}
    hops |= {Hop("firefox", *name.split("/")[1].split("-")) for name in bundle.MODELS if name.startswith("firefox/")}
    rows = ["| code | language | | heard | from English | into English | spoken |", "|---|---|---|---|---|---|---|"]
    for row in doctor.served(hops):
        language = row.language
        cells = [f"`{language.code}`", language.name, language.native_name, "yes" if row.heard else ""]
        cells += [row.from_english, row.into_english]
        cells.append("yes" if row.spoken else "no: cannot be dubbed")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _modes() -> list[str]:
    packages = [name for name in (ROOT / "packages.txt").read_text().split() if name.startswith("apertium-")]
    listed = subprocess.run(["dpkg-query", "-L", *packages], capture_output=True, text=True, check=True).stdout
    return sorted({Path(line).name for line in listed.splitlines() if line.endswith(".mode")})


def settings_table() -> str:
    """Return every setting as its variable, its default and what it means."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for field in Settings.model_fields.values():
        meaning = " ".join((field.description or "").split()).rstrip(".")
        rows.append(f"| `{field.alias}` | {_default(field)} | {meaning[:1].lower()}{meaning[1:]} |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    told, value = _DEFAULTS.get(field.alias or ""), field.default
    if told or value in (None, ""):
        return told or "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{','.join(value) if isinstance(value, tuple) else value}`"


def routes_table() -> str:
    """Return every route as the OpenAPI description has it."""
    settings = Settings.model_construct(**{name: field.default for name, field in Settings.model_fields.items()})
    described = make_api(Services(settings, AIServiceFactory(settings))).openapi()
    rows = ["| route | what it is for | answers |", "|---|---|---|"]
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            statuses = ", ".join(sorted(route["responses"]))
            rows.append(f"| `{method.upper()} {path}` | {route['summary']} | {statuses} |")
    return "\n".join(rows)


def metrics_table() -> str:
    """Return every metric of our own."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    rows += [f"| `{one.name}` | {one.kind} | {', '.join(one.labels)} | {one.text} |" for one in (*COUNTED, *READ)]
    return "\n".join(rows)


def films_table() -> str:
    """Return every kind of film that was tried, and what its dub keeps."""
    rows = ["| | film | kept beside the dub | said in the report, or in place of a dub |", "|---|---|---|---|"]
    for kind in KINDS_OF_FILMS:
        kept = kind.kept or "refused"
        rows.append(_row(kind.group, kind.name, kept, " ".join(kind.said).replace("FILE", "*FILE*")))
    return "\n".join(rows)


def captions_table() -> str:
    """Return every kind of captions that was tried, and what is read of it."""
    rows = ["| | captions | spoken | said in the report, or in place of a dub |", "|---|---|---|---|"]
    for kind in KINDS_OF_CAPTIONS:
        rows.append(_row(kind.group, kind.name, kind.spoken or "refused", kind.said))
    return "\n".join(rows)


def _row(*cells: str) -> str:
    signs = str.maketrans({"|": "\\|", "<": "&lt;"})
    return f"| {' | '.join(cell.translate(signs) for cell in cells)} |"


def drawing() -> str:
    """Return the house with its floors, from the top."""
    lines = [f"{FLOORS[floor.rooms[0]]:>2}  {floor.title}\n      {' '.join(floor.rooms)}" for floor in HOUSE]
    return "\n".join(("```", *lines, "```"))


def modules_table() -> str:
    """Return every module with its role, from the top of the house."""
    rows = ["| floor | module | its role |", "|---|---|---|"]
    for floor in HOUSE:
        for room in floor.rooms:
            rows += [f"| {FLOORS[room]} | `{path}` | {role.replace('|', ',')} |" for path, role in modules(room)]
    return "\n".join(rows)


def gpu_table() -> str:
    """Return what scripts/gpu-check found on a graphics card, where its report was put into docs/."""
    file = ROOT / "docs" / gpu_check.REPORT
    return gpu_check.table(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None)


def measured_table() -> str:
    """Return the figures of the last run of all benchmarks that matter most."""
    return run.readme(json.loads(run.KEPT_AS.read_text(encoding="utf-8")))


TABLES: dict[str, Callable[[], str]] = {
    "house": drawing,
    "modules": modules_table,
    "languages": languages_table,
    "settings": settings_table,
    "routes": routes_table,
    "metrics": metrics_table,
    "films": films_table,
    "captions": captions_table,
    "gpu": gpu_table,
    "measured": measured_table,
}
"""By the names that their places in the pages have."""
_PLACE = re.compile(r"(?ms)(^<!-- (\w+): begin[^\n]*-->\n)(.*?)(^<!-- \2: end -->$)")


def places(text: str) -> list[str]:
    """Return the names of the tables that a page has places for."""
    return [match[2] for match in _PLACE.finditer(text)]


def written(text: str) -> str:
    """Return a page with every table as it should be."""
    return _PLACE.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[4]}", text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
