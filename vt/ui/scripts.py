"""The page's scripts, from static/*.js: what runs in the browser without asking the server.

Each file says in its first lines what it does. Scripts of an element get `element`, `props`, `trigger` and `watch` from
Gradio; the others are one function.
"""

from __future__ import annotations

from pathlib import Path

MOST_JOBS = 50
"""How many jobs a browser remembers."""
STATIC = Path(__file__).with_name("static")


def _script(name: str) -> str:
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")


# Of elements.
PAGE = _script("page")
SAVE_MEMORY = _script("save_memory") + _script("follow_address")
SAVE_SUBJECT = _script("save_subject")
FOLLOW_JOBS = _script("follow_jobs")
SEND_FILES = _script("send_files")
FETCH_LINK = _script("fetch_link")
PICK = _script("pick")
HEAR_VOICE = _script("hear_voice")
LINES = _script("lines") + HEAR_VOICE
ANNOUNCE_CHANGES = _script("announce_changes")
SEARCH_LANGUAGE = _script("search_language")
BLACK_PICTURE = _script("black_picture")
UNDO = _script("undo")
SHARE = _script("share")
AT_WORK = _script("allow_notifications") + _script("hear_first_lines")
REFRESH_MODELS = _script("refresh_models")
MANAGE_MODELS = _script("manage_models")
# Of the document, before Gradio's.
PAGE_LANGUAGE = _script("page_language")
# Functions.
LOAD_MEMORY = _script("load_memory")
PROGRESS = _script("progress")
TELL_CHOSEN = _script("tell_chosen")
