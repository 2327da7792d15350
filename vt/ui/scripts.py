"""The page's scripts, as static/*.js has them: what happens in the browser, without a round trip to the server.

Each says in its first lines what it does. Those that an element brings along have `element`, `props`, `trigger` and
`watch` from Gradio; the others are a function.
"""

from __future__ import annotations

from pathlib import Path

MOST_JOBS = 50
"""So many jobs a browser remembers."""
STATIC = Path(__file__).with_name("static")


def _script(name: str) -> str:
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")


# Of elements.
PAGE = _script("page")
KEEP = _script("keep")
FOLLOW = _script("follow")
GUARD = _script("guard")
PICK = _script("pick")
WATCH = _script("watch")
HEAR = _script("hear")
MEND = _script("mend")
LIVE = _script("live")
LOOK = _script("look")
# Functions.
RECALL = _script("recall")
PROGRESS = _script("progress")
SURE = _script("sure")
