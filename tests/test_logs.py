"""The log: lines for people or JSON for programs, each with its job and request, and no secrets."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.conftest import SAMPLE
from tests.films import ffmpeg
from tests.servers import UVICORN, Server, running
from vt.jobs.store import new_id
from vt.settings import Settings
from vt.system import logs

ROOT = Path(__file__).parent.parent
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ [\w.]+: .+")
SECRET = "open-sesame-4711"  # noqa: S105 (of nothing)
_log = logging.getLogger("vt.tests")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, left as it was found."""
    root = logging.getLogger()
    level = root.level
    yield root
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if (handler.name or "").startswith("vt-")]:
        root.removeHandler(handler)
        handler.close()


@pytest.fixture
def written(root: logging.Logger, tmp_path: Path) -> Path:  # noqa: ARG001 (puts back what this sets)
    """The file of a log in JSON."""
    logs.set_up("INFO", tmp_path / "app.log", "json", [SECRET])
    return tmp_path / "app.log"


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_server_logs_to_its_file_and_to_the_console_from_its_level_on(
    root: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "logs" / "app.log"
    logs.set_up("INFO", file)
    logging.getLogger("vt.models").info("loaded it")
    logging.getLogger("vt.models").debug("a detail")
    assert root.level == logging.INFO
    (line,) = file.read_text().splitlines()
    assert LINE.fullmatch(line)
    assert line.endswith("INFO vt.models: loaded it")
    assert capsys.readouterr().err.splitlines() == [line]


def test_setting_up_twice_writes_every_line_once(root: logging.Logger, tmp_path: Path) -> None:
    for name in ("old.log", "new.log"):
        logs.set_up("DEBUG", tmp_path / name)
    logging.getLogger("vt").debug("a detail")
    assert root.level == logging.DEBUG
    assert (tmp_path / "old.log").read_text() == ""
    assert len((tmp_path / "new.log").read_text().splitlines()) == 1


@pytest.mark.usefixtures("root")
def test_the_log_rotates(tmp_path: Path) -> None:
    logs.set_up("INFO", tmp_path / "app.log")
    (handler,) = [one for one in logging.getLogger().handlers if isinstance(one, RotatingFileHandler)]
    handler.maxBytes = 1000
    for number in range(200):
        logging.getLogger("vt").info("line %d", number)
    assert len(list(tmp_path.iterdir())) == 1 + logs.LOG_FILES
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())


@pytest.mark.usefixtures("root")
def test_a_log_that_cannot_be_written_costs_the_file_and_not_the_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("INFO", tmp_path)
    logging.getLogger("vt").info("still here")
    told = capsys.readouterr().err
    assert f"The log {tmp_path} cannot be written" in told
    assert "still here" in told


def test_who_sets_up_no_log_reads_nothing_on_stderr() -> None:
    script = "import vt.system.logs, logging; logging.getLogger('vt.models').warning('a warning')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == ""


@pytest.mark.usefixtures("root")
def test_json_is_one_object_a_line_on_console_and_file_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "app.log"
    logs.set_up("INFO", written, "json")
    _log.info("a film: %s", "Ñandú\n2026-01-01T00:00:00.000Z INFO vt: all is well")
    (line,) = objects(written.read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    message = "a film: Ñandú\n2026-01-01T00:00:00.000Z INFO vt: all is well"
    assert line == {"level": "INFO", "logger": "vt.tests", "message": message}
    assert capsys.readouterr().err == written.read_text(encoding="utf-8")


def test_an_exception_is_one_string_of_its_line(written: Path) -> None:
    _log.error("it failed", exc_info=ValueError("first\nsecond"))
    (line,) = objects(written.read_text())
    assert line["message"] == "it failed"
    assert line["exception"].startswith("ValueError")
    assert line["exception"].endswith("ValueError: first\nsecond")


@pytest.mark.usefixtures("root")
def test_what_a_stranger_sends_never_looks_like_a_line_of_its_own(tmp_path: Path) -> None:
    logs.set_up("INFO", tmp_path / "app.log")
    _log.info("a film: %s", "x\r\n2026-01-01T00:00:00.000Z INFO vt: all is well")
    (line,) = (tmp_path / "app.log").read_text().splitlines()
    assert line.endswith(r"a film: x\r\n2026-01-01T00:00:00.000Z INFO vt: all is well")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_sign_that_steers_a_terminal_or_ends_a_line_is_written_as_it_is(
    root: logging.Logger, tmp_path: Path, form: logs.Form
) -> None:
    logs.set_up("INFO", tmp_path / "app.log", form)
    # Not pytest's: what they keep goes into reports, which cannot carry half a character.
    root.handlers[:] = [handler for handler in root.handlers if (handler.name or "").startswith("vt-")]
    steering = "".join(map(chr, (0x07, 0x0B, 0x1B, 0x7F, 0x85, 0x9B, 0x2028, 0x2029, 0x202E, 0xDC80)))
    _log.info("a film: %s, Español 日本", steering, exc_info=ValueError(f"it is {steering}"))
    text = (tmp_path / "app.log").read_text(encoding="utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    assert "Español 日本" in text
    assert text.count("\\u001b") == 2
    assert text.count("\\u2028") == 2


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.usefixtures("root")
def test_no_line_holds_a_whole_job_id_or_a_secret_wherever_it_stands(tmp_path: Path, form: logs.Form) -> None:
    logs.set_up("INFO", tmp_path / "app.log", form, [SECRET, ""])
    job_id = new_id()
    with logs.about(job=job_id):
        error = OSError(f"/data/jobs/{job_id}/input: {SECRET}")
        _log.error("%s failed at /jobs/%s/x%s", SECRET, job_id, job_id, exc_info=error)
    text = (tmp_path / "app.log").read_text()
    assert job_id not in text
    assert SECRET not in text
    assert text.count(f"{job_id[:6]}...") >= 3
    assert "OSError: /data/jobs/" in text


def test_the_secrets_are_all_that_the_settings_hide() -> None:
    hidden = {name: SecretStr(name) for name in ("admin_token", "hf_token", "hugging_face_token")}
    known = Settings.model_validate(hidden)
    assert sorted(known.secrets) == sorted(hidden)
    assert Settings().secrets == ()


def test_a_line_says_which_request_and_which_job_it_is_about_also_on_another_thread(written: Path) -> None:
    with logs.about(request="1a2b3c4d"):
        _log.info("in a request")
        with logs.about(job="abcdef"), ThreadPoolExecutor(1) as pool:
            pool.submit(logs.carried(lambda: _log.info("in a pool"))).result()
            pool.submit(lambda: _log.info("not carried")).result()
        thread = threading.Thread(target=logs.carried(lambda: _log.info("in a thread")))
        thread.start()
        thread.join()
    _log.info("outside")
    found = {line["message"]: (line.get("request"), line.get("job")) for line in objects(written.read_text())}
    assert found == {
        "in a request": ("1a2b3c4d", None),
        "in a pool": ("1a2b3c4d", "abcdef"),
        "not carried": (None, None),
        "in a thread": ("1a2b3c4d", None),
        "outside": (None, None),
    }


@pytest.mark.usefixtures("root")
def test_a_line_for_people_says_so_behind_its_message(tmp_path: Path) -> None:
    logs.set_up("INFO", tmp_path / "app.log")
    with logs.about(request="1a2b3c4d", job="abcdef"):
        _log.info("done")
    assert (tmp_path / "app.log").read_text().endswith("INFO vt.tests: done (request 1a2b3c4d job abcdef)\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that logs all that it does as JSON, started by uvicorn's own command."""
    folder = tmp_path_factory.mktemp("logging")
    with running(folder, UVICORN, VT_LOG_FORMAT="json", LOG_LEVEL="DEBUG", VT_ADMIN_TOKEN=SECRET) as found:
        yield found


@pytest.mark.soak
def test_what_a_server_keeps_is_for_no_other_account(server: Server) -> None:
    data = server.folder / "data"
    kept = [server.folder / "app.log", data, *data.rglob("*")]
    assert {"jobs", "vt.db", "app.log"} <= {path.name for path in kept}
    assert [path for path in kept if path.stat().st_mode & 0o077] == []


@pytest.mark.soak
def test_every_line_of_a_server_is_an_object_the_web_servers_own_too(server: Server) -> None:
    assert server.ask("GET", "/health").status_code == 200
    lines = objects(server.log)
    assert "uvicorn.error" in {line["logger"] for line in lines}
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    told = [line for line in server.said.splitlines() if line.startswith("{")]
    # What uvicorn says before the application is there is in its own form.
    assert len(told) >= len(lines) - 1


@pytest.mark.parametrize("given", ["", "not a clean one", "x" * 37, "Nr;1", "a\tb"])
def test_a_request_has_an_id_in_its_answer_and_in_its_lines(server: Server, given: str) -> None:
    answer = server.ask("GET", "/api/v1/languages", headers={"X-Request-ID": given} if given else {})
    name = answer.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{8}", name)
    (line,) = [line for line in objects(server.log) if line.get("request") == name]
    assert line["message"].startswith("GET /api/v1/languages: 200, ")


def test_a_caller_may_name_its_request_by_a_clean_short_id(server: Server) -> None:
    name = "0f0e5b4e-7a55-4f55-9d22-1df2b6f3c001"
    assert server.ask("GET", "/nowhere", headers={"X-Request-ID": name}).headers["X-Request-ID"] == name
    assert name in server.log


def test_a_web_socket_that_is_refused_is_no_error_of_the_server(server: Server) -> None:
    address = f"ws{server.url.removeprefix('http')}/api/v1/jobs/{new_id()}/ws"
    with pytest.raises(InvalidStatus):
        connect(address, origin=Origin("http://elsewhere.example"))
    server.ask("GET", "/health")  # is answered on the same loop, after what came before it
    assert "ERROR" not in {line["level"] for line in objects(server.log)}


def test_a_jobs_lines_name_the_job_and_nothing_else_of_it_or_of_who_asked(server: Server, tmp_path: Path) -> None:
    ffmpeg("-i", SAMPLE, "-t", "6", "-c", "copy", tmp_path / "film.mp4")
    job_id = server.submit(tmp_path / "film.mp4", target_language="es")
    server.ended(job_id)
    with connect(f"ws{server.url.removeprefix('http')}/api/v1/jobs/{job_id}/ws") as socket:
        assert '"done"' in str(socket.recv())
    about = [line["message"] for line in objects(server.log) if line.get("job") == job_id[:6]]
    assert any(message.startswith(f"job {job_id[:6]} begins") for message in about)
    assert any("loaded stt_whisper" in message for message in about)
    assert f"job {job_id[:6]} is done" in about
    server.ask("DELETE", f"/api/v1/jobs/{job_id}")
    for text in (server.log, server.said):
        assert job_id not in text
        assert SECRET not in text
        assert "127.0.0.1:" not in text.replace(server.url, "")
