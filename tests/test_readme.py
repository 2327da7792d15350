"""Every command of the README and of the pages in docs/ does what they say, before a real server."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

from scripts.make_docs import PAGES
from tests.conftest import ROOT, SAMPLE, vt
from tests.films import ffmpeg
from tests.hub_server import HubServer
from tests.servers import FASTER, Server, free_port, running, wait_for
from vt.model_files import bundle

Found = TypeVar("Found")
URL = "http://127.0.0.1:8000"
SHOWS = {
    r"\.venv/bin/python -m vt translate talk\.\w+ --to es": r"(?m)^out/talk\.es\.mp4$",
    r"\.venv/bin/python -m vt translate talk\.\w+ --to fr -o dubbed": r"(?m)^dubbed/talk\.fr\.mp4$",
    r"\.venv/bin/python -m vt translate talk\.\w+ --to en --from es": r"(?m)^out/talk\.en\.mp4$",
    r"\.venv/bin/python -m vt translate talk\.\w+ --to en --subtitles track:2": r"(?m)^out/talk\.en\.mp4$",
    r"\.venv/bin/python -m vt translate talk\.\w+ --to it": r"(?m)^out/talk\.it\.mp4$",
    r"\.venv/bin/python -m vt transcribe talk\.\w+ --output-format txt,json": r"(?m)^out/talk\.txt$",
    r"\.venv/bin/python -m vt speak .* -o hello\.wav": r"^hello\.wav$",
    r"echo .* vt speak .* -o morning\.mp3": r"^morning\.mp3$",
    r"\.venv/bin/python -m vt completion bash >/dev/null": r"^$",
    r"\.venv/bin/python -m vt report out/talk\.es\.mp4 --html": r"^out/talk\.es\.report\.html$",
    r"\.venv/bin/python -m vt voices es": r"(?m)^espeak-ng-es  es",
    r"\.venv/bin/python -m vt languages": r"(?m)^es +Spanish .*espeak-ng$",
    r"\.venv/bin/python -m vt doctor": r"dubs from English into: .*es",
    r"\.venv/bin/python -m vt licences": r"(?m)^package +faster-whisper +\d",
    r"\.venv/bin/python -m vt fetch small": r"small",
    r"\.venv/bin/python -m vt models": r"stt_whisper_",
    r"\.venv/bin/python -m vt preload": r"stt_whisper_",
    r"\.venv/bin/python -m vt clear": r"freed stt_whisper_",
    r"scripts/check-service": r"All is well",
    r"curl .*/health \| jq \.": r'"status": "healthy"',
    r"curl .* -w @scripts/curl-format\.txt .*/health$": r"(?m)^total .*\d s\nstatus +200",
    r"curl .*/ready \| jq": r"(?m)^ready  stt_whisper_",
    r"curl .*/models/files \| jq": r'"tiny\.en",\d',
    r"curl .*/models \| jq": r'"total_memory_mb": [1-9]',
    r"curl .*/metrics \| grep": r"(?m)^vt_model_loads_total [1-9]",
    r"curl .*-X POST .*/preload": r'"status": ?"accepted"',
    r"curl .*-X DELETE .*/cache/stt_whisper_base": r'"freed":\["stt_whisper_base',
    r"curl .*-X DELETE .*/cache \| jq": r"^\d[\d.]*$",
    r"curl .*/v1/audio/transcriptions .*stream": r'(?s)"transcript\.text\.delta".*"transcript\.text\.done"',
    r"curl .*/v1/audio/transcriptions .*srt": r"(?m)^1$\n^00:00:0[01],\d+ --> ",
    r"curl .*/v1/audio/trans(criptions|lations)": r'^\{"text":"And Mr\. John Dashwood',
    r"curl .*/v1/audio/speech": r"^$",
    r"curl .*/v1/audio/voices \| jq": r"(?m)^espeak-ng-es$",
    r"curl .*/libre/translate": r'^\{"translatedText":"La casa es grande\.","detectedLanguage":\{"language":"en"',
    r"curl .*/libre/detect": r'^\[\{"language":"es","confidence":\d',
    r"curl .*/libre/languages \| jq": r'(?m)^\["en",\[.*"es".*\]\]$',
    r"\w+=http://127\.0\.0\.1:8000/api/v1/jobs$": r"^$",
    r"\w+=\$jobs/\$\(curl .* \$jobs \| jq -r \.id\)": r"^$",
    r"curl .*/inspect \| jq": r'^\[\{"codec":"aac",.*"channels":1\}\]$',
    r"curl -sN \$job/events": r'"state": "done".*$',
    r"curl -s \$job \| jq": r'^\["done",".*",1(\.0)?,null\]$',
    r"curl -sOJ \$job/(video|subtitles/es\.srt)": r"^$",
    r"curl .*\$job/report \| jq": r'"speech_overlap": 0\.\d+',
    r"curl .*\$job/segments >etag": r"^$",
    r"curl .*/voices\?language=es' \| jq": r'(?m)^\["espeak-ng-es","","espeak-ng",".*"\]$',
    r"curl .* voice\.wav ": r"^$",
    r"curl .*-X PATCH \$job/segments": r"^(queued|running)$",
    r"curl .*-X POST \$french/cancel": r"^cancelled$",
    r"curl .*-X DELETE \$(french|job)": r"^$",
}
"""What a command shows, by how it begins; the first that fits counts."""


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the blocks of all pages, each with the name of its page."""
    block = re.compile(rf"(?ms)^```{language}\n(.*?)^```$")
    return [(page.name, found) for page in PAGES for found in block.findall(page.read_text(encoding="utf-8"))]


def commands(block: str) -> list[str]:
    """Return the commands of a block, without comments and in one line each."""
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    bare = [re.sub(r"(^| +)# .*$", "", line).strip() for line in lines]
    return [line for line in bare if line]


_FORKED = re.compile(
    r"\.venv/bin/python -m vt ((?:translate|transcribe|speak|voices|languages|doctor|licences|report)\b[^|&;<>$]*)"
)
"""A command that is run in a process which need not import the libraries: there are many, and most need them."""


class Shell:
    """A shell in which one command after the other is run, as somebody types them."""

    def __init__(self, folder: Path, url: str, **environment: str) -> None:
        self._folder, self._said = folder, folder / "said.txt"
        self._url = url
        self._bash = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={**os.environ, "VT_ENGINES": "embedded", **FASTER, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bash.communicate()

    def run(self, command: str) -> str:
        """Run a command that ends well, and return what it says."""
        if forked := _FORKED.fullmatch(command):
            done = vt(*shlex.split(forked[1]), cwd=self._folder)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
            return done.stdout + done.stderr
        assert self._bash.stdin
        assert self._bash.stdout
        here = command.replace(URL, self._url)
        self._bash.stdin.write(f"{{ {here}\n}} >{self._said} 2>&1 </dev/null\necho $?\n")
        self._bash.stdin.flush()
        code, said = int(self._bash.stdout.readline()), self._said.read_text(encoding="utf-8")
        assert code == 0, f"{here}\n{said}"
        return said


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a command finds in the folder of a clone, and with somebody's films."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("app.py", "vt", "scripts", "requirements.txt", "packages.txt"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", folder / "talk.mp4")
    (folder / "talk.srt").write_text(
        "1\n00:00:01,000 --> 00:00:04,000\nLa casa es grande y blanca.\n", encoding="utf-8"
    )
    tracks = [part for track in ("0:v:0", "0:a:0", "0:a:0", "1", "1") for part in ("-map", track)]
    spanish = ["-metadata:s:s:1", "language=spa"]
    ffmpeg("-i", SAMPLE, "-i", folder / "talk.srt", "-t", "8", *tracks, "-c", "copy", *spanish, folder / "talk.mkv")
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A hub that has one small Whisper: the environment in which it is asked."""
    repositories = {"Systran/faster-whisper-small": bundle.ROOT / "whisper-tiny.en"}
    with HubServer(repositories) as server:
        home = tmp_path_factory.mktemp("hub")
        yield {"HF_ENDPOINT": server.endpoint, "HF_HOME": str(home), "VT_DATA_DIR": str(home / "data")}


def _profile(command: str, _server: Server, folder: Path) -> None:
    """Start a server as a line of a page does, on a free port; it answers, and ends."""
    port = str(free_port())
    words = command.replace("--port 8000", f"--port {port}").split()
    settings = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    argv = [word.replace(".venv/bin/", f"{sys.prefix}/bin/") for word in words[len(settings) :]]
    with running(
        folder, None if argv[1:] == ["app.py"] else argv, **{"PORT": port, "PRELOAD_MODELS": "true", **settings}
    ) as server:
        models = server.preloaded()
        assert bool(models) == (settings.get("PRELOAD_MODELS") != "false")
        assert all(model["state"] == "ready" for model in models)
        wanted = 403 if "VT_TRUSTED_PROXIES" in settings else 401 if "VT_ADMIN_TOKEN" in settings else 200
        assert server.ask("DELETE", "/api/v1/models/cache").status_code == wanted
        server.end()
        assert "Traceback" not in server.said


def _watched(command: str, server: Server, folder: Path) -> None:
    """Run what never ends until it has shown a screen."""
    server.warm()
    folder.mkdir()
    screen, terminal = pty.openpty()
    argv = ["bash", "-c", f"exec {command.replace(URL, server.url)}"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "24"}
    process = subprocess.Popen(argv, cwd=folder, env=environment, stdin=terminal, stdout=terminal, stderr=terminal)
    seen = b""

    def shows() -> bool:
        nonlocal seen
        seen += os.read(screen, 4096)
        return b"stt_whisper_tiny" in seen

    try:
        wait_for(shows)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        os.close(screen)
        os.close(terminal)


def _demo(_command: str, _server: Server, folder: Path) -> None:
    """Run the demo but for its set-up, with a shorter film under the sample's name."""
    script = (ROOT / "scripts" / "demo").read_text(encoding="utf-8")
    assert script.count("./scripts/setup\n") == 1
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "demo").write_text(script.replace("./scripts/setup\n", ""), encoding="utf-8")
    (folder / "vt").symlink_to(ROOT / "vt")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "samples").mkdir()
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", folder / "samples" / SAMPLE.name)
    environment = {**os.environ, "VT_ENGINES": "embedded", **FASTER}  # the engines that it has by itself dub elsewhere
    done = subprocess.run(
        ["bash", "scripts/demo"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"out/{SAMPLE.stem}.es.mp4"


def _suite(command: str, _server: Server, _folder: Path) -> None:
    """See that it can be read, and knows its option: what it runs is going on at this moment."""
    name, *options = command.split()
    subprocess.run(["bash", "-n", ROOT / name], check=True)
    script = (ROOT / name).read_text(encoding="utf-8")
    assert all(re.search(rf"(?m)^ +(\"\" \| )?{re.escape(option)}\)", script) for option in options), command


SPECIAL: dict[str, Callable[[str, Server, Path], None]] = {
    r"\./scripts/demo$": _demo,
    r"\./scripts/(test|setup)\b": _suite,
    r"(\w+=\S+ )*\.venv/bin/(python app\.py|uvicorn app:app)": _profile,
    r"watch ": _watched,
}
"""How a command is run that is not just typed into a shell."""


LEFT_TO_SOAK = re.compile(r"PRELOAD_MODELS=false .*--reload|scripts/check-service|curl .*-X POST .*/preload")
"""What takes long, and does little that no other command here or test does."""


def _cases() -> Iterator[Any]:
    for page, block in blocks("sh"):
        first = commands(block)[0]
        yield pytest.param(
            page, block, id=f"{page}-{first}", marks=[pytest.mark.soak] * bool(LEFT_TO_SOAK.match(first))
        )


@pytest.mark.parametrize(("page", "block"), list(_cases()))
def test_every_command_of_a_block_does_what_it_is_there_for(
    page: str, block: str, server: Server, clone: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    threads = server.json("GET", "/api/v1/models")["model_cache"]["cpu_threads"]
    server.warm()
    with Shell(clone, server.url, **hub) as shell:
        for number, command in enumerate(commands(block)):
            if special := _of(SPECIAL, command):
                special(command, server, tmp_path / str(number))
                continue
            shows = _of(SHOWS, command)
            assert shows, f"{page}: nothing here knows how to see that this command works: {command}"
            here = re.sub(r"_cpu_\d+_", f"_cpu_{threads}_", command)
            said = shell.run(f"VT_ENGINES=auto {here}" if " fetch " in here else here)
            assert re.search(shows, said.strip()), f"{page}: {command}\n{said}"
            server.preloaded()


def _of(table: Mapping[str, Found], command: str) -> Found | None:
    return next((found for begins, found in table.items() if re.match(begins, command)), None)


PYTHON_SHOWS = {
    "get_ai_factory": r"cold \d+\.\d{3} s, warm \d+ microseconds: [\d,]+ times as fast\n",
    "openai": r"english And Mr\. John Dashwood had then leisure to consider .*\n",
    "gradio_client": r"(?s).*: \d+ %.*",
}
"""What a block of Python prints, by a word in it."""


@pytest.mark.parametrize(
    "word", [pytest.param(word, marks=[pytest.mark.soak] * (word == "gradio_client")) for word in PYTHON_SHOWS]
)
def test_the_python_of_the_pages_prints_what_it_is_there_for(word: str, server: Server, tmp_path: Path) -> None:
    assert len(blocks("python")) == len(PYTHON_SHOWS)
    (script,) = [block for _, block in blocks("python") if word in block]
    script = script.replace("http://127.0.0.1:8000", server.url).replace("samples/", f"{ROOT}/samples/")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VT_ENGINES": "embedded", **FASTER}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(PYTHON_SHOWS[word], done.stdout)


NOT_RUN = {
    **{"ARCHITECTURE.md": {""}, "CLI.md": {"toml"}, "MCP.md": {"json"}, "SECURITY.md": {"nginx"}},
    **{"GLOSSARIES.md": {"csv"}, "LLM.md": {"console"}, "SPACES.md": {"console"}},
    "CLUSTER.md": {"console"},
}
"""The house, settings and terms in files, settings of other programs, what takes a language model, Docker or Ray."""


def test_every_other_block_of_a_page_is_of_a_kind_that_is_run_here() -> None:
    for page in PAGES:
        fences = re.findall(r"(?m)^```(.*)$", page.read_text(encoding="utf-8"))
        assert fences[1::2] == [""] * (len(fences) // 2), page
        assert set(fences[::2]) <= {"sh", "python"} | NOT_RUN.get(page.name, set()), page
