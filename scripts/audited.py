"""Say what an audit has found, by pip-audit's JSON; scripts/audit runs this, and tells the exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

NONE, SOME, NOT_ASKED = 0, 1, 3


def judged(found: dict[str, Any]) -> tuple[int, list[str]]:
    """Return the exit code, and lines for people."""
    packages = found["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    known = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    asked = f"{len(packages) - len(skipped)} of {len(packages)} packages were looked up"
    if skipped:
        asked += f"; nothing is known of the others, such as {skipped[0]}"
    code = SOME if known else NOT_ASKED if skipped or not packages else NONE
    return code, [*known, f"{len(known)} known vulnerabilities; {asked}."]


def main(file: Path) -> int:
    """Print what was found, and return the exit code."""
    try:
        code, lines = judged(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError):
        code, lines = NOT_ASKED, ["The service that knows of vulnerabilities gave no answer: is there a network?"]
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
