"""The page in a real browser: when it can be used, what it sends, how long a key and a changed line take.

Run by hand, at a low load, which it prints: .venv/bin/python -m benchmarks.page [--minutes 10] [--lines 2000]
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import statistics
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from benchmarks.http import server
from benchmarks.overhead import SAMPLE, talk
from benchmarks.results import tell

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOORS: dict[str, tuple[str, float, float | None, str]] = {
    "usable": ("usable, at the first visit", 1.5, None, "s"),
    "usable again": ("usable, at the next visit", 1.5, None, "s"),
    "sent": ("sent for it", 300.0, None, "kB"),
    "a key": ("a key in a long table", 50.0, None, "ms"),
    "heard, no rest": ("a changed line is heard, saved at its last key", 2.0, 1.0, "s"),
    "heard, by keys": ("a changed line is heard, saved by two keys of a usual typist", 2.0, 1.0, "s"),
    "heard, rested": ("a changed line is heard, saved a second later", 2.0, 1.0, "s"),
}
"""How each is called among the results, what it may be at most, the goal, and its unit."""
CHROMIUM = "/usr/bin/chromium"
_VISITS, _KEYS, _EDITS = 5, 100, 5
_VIEWPORT: Any = {"width": 1280, "height": 900}
_LINE_SECONDS = 4
_KEY_MS = 80
"""So far apart are the keys of somebody who types a changed line."""
_RESTS = {"heard, no rest": 0.0, "heard, by keys": 0.56, "heard, rested": 1.0}
"""How many seconds lie between the last key of a changed line and its save. A usual typist takes 0.28 s for a key, and
a save takes two, Ctrl and Enter (the keystroke-level model: Card, Moran and Newell, 1983); the mouse takes longer."""
_LOOK_MS = 20
"""How often it is looked whether something is heard: at every frame, Chromium would draw frames for nothing else."""
_PATIENCE_MS = 600_000
_SAVE = "[data-save]:not([data-busy])"
_BENCH = f".vt-lines {_SAVE}"
_SAME = 0.999
"""The correlation of two sounds that differ in their loudness alone, at the least."""
_KEYS_TYPED = """async ([place, count]) => {
  const field = document.querySelector(place), taken = [];
  field.focus();
  for (let key = 0; key < count; key++) {
    await new Promise(requestAnimationFrame);
    const began = performance.now();
    document.execCommand('insertText', false, key % 6 ? 'x' : ' ');
    document.body.offsetHeight;
    taken.push(performance.now() - began);
  }
  return taken;
}"""
"""Types into a field, and tells how many ms each key takes, with the layout that follows."""
_SOUNDS = """() => {
  window.sounds = [];
  const {play} = HTMLMediaElement.prototype, {createObjectURL} = URL, blobs = new Map();
  URL.createObjectURL = blob => {
    const made = createObjectURL(blob);
    blobs.set(made, blob);
    return made;
  };
  HTMLMediaElement.prototype.play = function () {
    const {src} = this;
    this.addEventListener('playing', () => sounds.push({src, blob: blobs.get(src)}), {once: true});
    return play.call(this);
  };
}"""
"""Notes each sound that begins to be heard: its address and, where it is no film, what holds it."""
_HEARD = """async at => {
  const {src, blob} = sounds[at], bytes = blob ? [...new Uint8Array(await blob.arrayBuffer())] : [];
  return {src, content: btoa(bytes.map(byte => String.fromCharCode(byte)).join(''))};
}"""


def sent(page: Page) -> list[tuple[str, float]]:
    """Return a list that is filled, while the page loads, with each address and how many kB came from it."""
    addresses: dict[str, str] = {}
    found: list[tuple[str, float]] = []
    watch = page.context.new_cdp_session(page)
    watch.send("Network.enable")
    watch.on("Network.responseReceived", lambda told: addresses.update({told["requestId"]: told["response"]["url"]}))
    watch.on(
        "Network.loadingFinished",
        lambda told: found.append((addresses.get(told["requestId"], ""), told["encodedDataLength"] / 1000)),
    )
    return found


def visited(context: BrowserContext, url: str) -> tuple[float, list[tuple[str, float]]]:
    """Return after how many seconds the page can be used, and what it took."""
    page = context.new_page()
    took = sent(page)
    began = time.monotonic()
    page.goto(url, wait_until="commit")
    page.wait_for_selector("#vt-sample")
    seconds = time.monotonic() - began
    page.wait_for_load_state("networkidle")
    page.close()
    return seconds, took


def visits(browser: Browser, url: str) -> dict[str, Sequence[float]]:
    """Open the page as a newcomer and as somebody who was here before, and print what is largest."""
    firsts, again, whole = [], [], 0.0
    for visit in range(_VISITS + 1):
        with browser.new_context() as context:
            first, took = visited(context, url)
            if visit:  # the first of all warms the server and the browser
                firsts.append(first)
                again.append(visited(context, url)[0])
        whole = sum(kilobytes for _, kilobytes in took)
    for address, kilobytes in sorted(took, key=lambda one: -one[1])[:8]:
        print(f"{kilobytes:9.1f} kB  {address.removeprefix(url)[:80]}")
    return {"usable": firsts, "usable again": again, "sent": [whole]}


def dubbed(url: str, minutes: float, folder: Path) -> str:
    """Have a talk dubbed by captions, a line every few seconds, and return the id of the job."""
    film, captions = talk([SAMPLE], 60 * minutes, folder), folder / "talk.srt"
    begins = range(0, int(60 * minutes) - _LINE_SECONDS, _LINE_SECONDS)
    captions.write_text(
        "\n".join(
            f"{number}\n{_stamp(at)} --> {_stamp(at + 3)}\nThis is what is said in line {number}.\n"
            for number, at in enumerate(begins, 1)
        )
    )
    jobs = f"{url}/api/v1/jobs"
    with film.open("rb") as sound, captions.open("rb") as text:
        files = {"file": ("talk.mp4", sound), "subtitles": ("talk.srt", text)}
        asked = httpx.post(jobs, files=files, data={"target_language": "es", "source_language": "en"}, timeout=600)
    job = str(asked.raise_for_status().json()["id"])
    while (now := httpx.get(f"{jobs}/{job}", timeout=60).json())["state"] in ("queued", "running"):
        time.sleep(0.2)
    if now["state"] != "done":
        sys.exit(f"{now['state']}: {now['error']}")
    return job


def _stamp(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d},000"


def workbench(context: BrowserContext, url: str, job: str) -> Page:
    """Open the page as a browser that knows a job shows it."""
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    page.goto(f"{url}/health")
    memory = json.dumps({"jobs": [job], "view": job})
    page.evaluate("memory => localStorage.setItem('vt-memory', memory)", memory)
    page.goto(url)
    page.wait_for_selector(_BENCH)
    return page


def typing(context: BrowserContext, url: str, job: str, lines: int) -> float:
    """Return how many ms the slowest key of twenty takes, in a table of so many lines."""

    def many(route: Route) -> None:
        answer = route.fetch()
        told: dict[str, Any] = answer.json()
        first = told["lines"][0]
        told["lines"] = [
            first | {"id": at, "start": at, "end": at + 0.9, "text": f"Frase {at}."} for at in range(lines)
        ]
        told["seconds"] = float(lines)
        route.fulfill(response=answer, json=told)

    context.route("**/films/*/lines", many)
    page = workbench(context, url, job)
    taken = page.evaluate(_KEYS_TYPED, ["textarea[data-line='3'][data-field='text']", _KEYS])
    context.unroute("**/films/*/lines", many)
    return float(statistics.quantiles(taken, n=20)[-1])


def heard_again(page: Page, url: str, job: str, what: str, edits: range) -> list[float]:
    """Change lines one after the other as a person does, and return after how many seconds each is heard as it is now.

    Args:
        page: shows the lines.
        url: of the server.
        job: the dub.
        what: one of `_RESTS`.
        edits: the numbers of these edits; those before were done on this page.
    """
    taken = []
    for edit in edits:
        line, version = 3 + edit, int(page.get_attribute(".vt-lines", "data-version") or 0) + 1
        page.click(f"textarea[data-line='{line}'][data-field='text']")
        page.keyboard.press("Control+a")
        page.keyboard.type(f"Esto se dice ahora de otro modo {edit}.", delay=_KEY_MS)
        time.sleep(_RESTS[what])
        began = time.monotonic()
        page.keyboard.press("Control+Enter")
        page.click(f"[data-row='line {line}'] [data-hear-line=dub]")
        page.wait_for_function("count => sounds.length > count", arg=edit, polling=_LOOK_MS)
        taken.append(time.monotonic() - began)
        heard = page.evaluate(_HEARD, edit)
        page.wait_for_selector(f".vt-lines[data-version='{version}'] {_SAVE}")
        if not (heard["content"] or heard["src"].endswith(f"?{version}")):
            sys.exit(f"An old dub was heard: {heard['src']}")
        if heard["content"] and not is_in_the_dub(base64.b64decode(heard["content"]), f"{url}/api/v1/jobs/{job}", line):
            sys.exit(f"What was heard of line {line} is not what the dub has.")
    print(f"{what}:", *(f"{seconds:.2f}" for seconds in taken))
    return taken


def is_in_the_dub(heard: bytes, job: str, line: int) -> bool:
    """Tell whether what was heard is the present take of a line, but for its loudness."""
    takes = f"{job}/segments/{line}/takes"
    (take,) = (one["id"] for one in httpx.get(takes, timeout=60).json()["takes"] if one["is_present"])
    sound = httpx.get(f"{takes}/{take}/sound", timeout=60).content
    one, other = (_samples(content) for content in (heard, sound))
    return len(one) == len(other) and float(np.corrcoef(one, other)[0, 1]) > _SAME


def _samples(content: bytes) -> NDArray[np.int16]:
    with wave.open(io.BytesIO(content)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def main() -> None:
    """Print each measure with what it may be at most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--lines", type=int, default=2000)
    arguments = parser.parse_args()
    print("load", *(f"{load:.1f}" for load in os.getloadavg()), "on", os.cpu_count(), "processors")
    with tempfile.TemporaryDirectory() as name, server("app.py") as (url, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        found = visits(browser, url)
        job = dubbed(url, arguments.minutes, Path(name))
        # Two browsers: one would offer what was typed in the other as a draft.
        with browser.new_context(viewport=_VIEWPORT) as context:
            found["a key"] = [typing(context, url, job, arguments.lines)]
        with browser.new_context(viewport=_VIEWPORT) as context:
            page = workbench(context, url, job)
            page.evaluate(_SOUNDS)
            for part, what in enumerate(_RESTS):
                found[what] = heard_again(page, url, job, what, range(part * _EDITS, (part + 1) * _EDITS))
        browser.close()
    for what, value in found.items():
        name, floor, goal, unit = FLOORS[what]
        tell(name, value, unit, floor=floor, goal=goal)
    print("load", *(f"{load:.1f}" for load in os.getloadavg()))


if __name__ == "__main__":
    main()
