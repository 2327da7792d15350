"""Sort what the resolver found into the lock files; scripts/lock runs this."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"(?m)^([a-z0-9][a-z0-9.-]*)==([^\s;]+)")
NEVER_LOADED = {"docopt"}
"""Pinned, since pip brings them wherever it follows each package's own word, as on Hugging Face Spaces; but not locked,
and so not installed by scripts/setup, since nothing loads them. docopt serves num2words' command line alone, and has to
be built: a stranger's program that would run while it is installed."""
ELSEWHERE = {"httpx2-jsfetch", "pywin32"}
"""For Windows and for browsers, where vt does not run."""
FOR_PROCESSORS = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
"""Of torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, PyTorch's build for processors alone, as a machine had it;
PyTorch's own list of hashes was out of reach."""
_HEAD = "# scripts/lock writes this: change the pins, then run it.\n"


def pins(name: str) -> dict[str, str]:
    """Return the version of each package that a file of pins, or a lock, names itself."""
    return {match[1]: match[2] for match in PIN.finditer((ROOT / name).read_text(encoding="utf-8"))}


def sorted_out(resolved: str) -> dict[str, str]:
    """Return the text of each lock file, from a lock of everything.

    Raises:
        ValueError: a pin is missing there, or of another version.
    """
    blocks = {match[1]: match[0] for match in re.finditer(r"(?m)^([a-z0-9][a-z0-9.-]*)==.*(?:\n .*)*", resolved)}
    run, dev, cards = pins("requirements.txt"), pins("requirements-dev.txt"), pins("requirements-cuda.txt")
    for name, version in (run | dev | cards).items():
        if not blocks.get(name, "").startswith(f"{name}=={version} "):
            raise ValueError(f"the resolver found no {name} {version}")
    known = set(run) | set(dev) | ELSEWHERE
    return {
        "requirements.lock": _lock(blocks, set(run) - NEVER_LOADED),
        "requirements-dev.lock": _lock(blocks, set(dev) - set(run), "-r requirements.lock\n"),
        "requirements-cpu.lock": f"{_HEAD}torch=={run['torch']}+cpu \\\n    --hash=sha256:{FOR_PROCESSORS}\n",
        "requirements-cuda.lock": _lock(blocks, set(blocks) - known),
    }


def _lock(blocks: dict[str, str], names: set[str], first: str = "") -> str:
    return _HEAD + first + "".join(f"{blocks[name]}\n" for name in sorted(names))


def main(resolved: Path) -> None:
    """Write the lock files."""
    for name, text in sorted_out(resolved.read_text(encoding="utf-8")).items():
        (ROOT / name).write_text(text, encoding="utf-8")
        print(f"{name}: {len(PIN.findall(text))} packages, {text.count('--hash')} files")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
