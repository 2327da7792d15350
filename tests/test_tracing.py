"""Traces: the format that viewers open, spans that nest, children with their time, bounds, and nothing of people."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, SAMPLE, vt
from tests.servers import with_the_faster
from vt.domain import Cancel
from vt.system import processes, tracing
from vt.system.lookahead import run_ahead
from vt.system.processes import Child, run
from vt.system.tracing import Trace

ROUNDING_US = 0.01
FAST = ("--speakers", "1", "--tts-engine", "espeak-ng", "--translation-engine", "apertium")


@dataclass(frozen=True)
class Read:
    """A trace as a viewer reads it."""

    text: str

    @property
    def whole(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    def of(self, *phases: str) -> list[dict[str, Any]]:
        return [event for event in self.whole["traceEvents"] if event["ph"] in phases]

    def kind(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.of("X") if event["cat"] == kind]


def read(trace: Trace) -> Read:
    return Read(trace.as_json())


def check_format(trace: Read) -> None:
    """Check what the format asks of each event, and that the spans of a thread nest."""
    assert trace.of("X", "b", "e", "M") == trace.whole["traceEvents"]
    for event in trace.whole["traceEvents"]:
        assert isinstance(event["name"], str) and event["name"]
        assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
        assert event["ts"] >= 0
        assert event.get("dur", 0) >= 0
        assert ("dur" in event) == (event["ph"] == "X")
    named = {event["tid"] for event in trace.of("M") if event["name"] == "thread_name"}
    assert {event["tid"] for event in trace.of("X", "b", "e")} <= named
    begun, ended = ({event["id"] for event in trace.of(phase)} for phase in "be")
    assert begun == ended
    of_thread = defaultdict(list)
    for event in trace.of("X"):
        of_thread[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for spans in of_thread.values():
        open_until: list[float] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_until and open_until[-1] <= start + ROUNDING_US:
                open_until.pop()
            assert not open_until or end <= open_until[-1] + ROUNDING_US
            open_until.append(end)


def test_spans_of_threads_and_what_they_hold_make_a_file_that_viewers_open() -> None:
    trace = Trace()

    def work(number: int) -> int:
        with tracing.span("inner", "piece", number=number) as span:
            span.add(known="later")
        return number

    with tracing.into(trace), tracing.span("outer", "stage"):
        held = tracing.use("model")
        assert list(run_ahead(work, range(20), threads=3, ahead=3, name="pool", cancel=Cancel())) == list(range(20))
        assert held
    held.end()
    check_format(read(trace))
    assert [event["name"] for event in read(trace).of("b", "e")] == ["model", "model"]
    inner = [event["args"] for event in read(trace).of("X") if event["name"] == "inner"]
    assert sorted(facts["number"] for facts in inner) == list(range(20))
    assert {facts["known"] for facts in inner} == {"later"}
    assert {event["args"]["name"] for event in read(trace).of("M")} >= {"vt", threading.current_thread().name}


def test_work_that_fails_is_traced_too() -> None:
    trace = Trace()
    with suppress(ValueError), tracing.into(trace), tracing.span("broken", "stage"):
        raise ValueError
    assert [event["name"] for event in read(trace).of("X")] == ["broken"]


def test_outside_of_a_trace_nothing_is_kept() -> None:
    trace = Trace()
    with tracing.into(trace):
        pass
    with tracing.span("other", "stage", fact=1) as span:
        span.add(more=2)
    assert (span.facts, tracing.use("model"), read(trace).of("X")) == ({}, None, [])


def test_two_pieces_of_work_in_two_threads_have_a_trace_each() -> None:
    traces = [Trace(), Trace()]
    both = threading.Barrier(2)

    def work(number: int) -> None:
        with tracing.into(traces[number]):
            both.wait()
            with tracing.span(str(number), "piece"):
                both.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[event["name"] for event in read(trace).of("X")] for trace in traces] == [["0"], ["1"]]


def test_what_there_is_no_room_for_is_counted() -> None:
    trace = Trace(most=10)
    with tracing.into(trace):
        for _ in range(25):
            with tracing.span("piece", "piece"):
                pass
    assert (len(read(trace).of("X")), trace.left_out, read(trace).whole["otherData"]) == (10, 15, {"left_out": 15})


def test_a_child_is_traced_by_its_name_and_purpose_with_its_processor_time_and_without_its_arguments() -> None:
    trace, busy = Trace(), "import time\nwhile time.process_time() < 0.5: pass"
    with tracing.into(trace):
        run(Child([sys.executable, "-c", busy], processes.TOOL, b"secret", purpose="be busy"))
    (child,) = read(trace).kind("child")
    assert (child["name"], child["args"]["purpose"]) == (Path(sys.executable).name, "be busy")
    assert 0.2 <= child["args"]["cpu_seconds"] <= 2.0
    assert "process_time" not in trace.as_json() and "secret" not in trace.as_json()


def test_every_child_in_the_code_says_what_it_is_for() -> None:
    silent = [
        file
        for file in (ROOT / "vt").rglob("*.py")
        for call in file.read_text(encoding="utf-8").split(" Child(")[1:]
        if "class Child" not in call and "purpose=" not in call.partition("\n\n")[0]
    ]
    assert silent == []


# The command


@pytest.fixture(scope="module")
def dubbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the sample was dubbed and traced."""
    folder = tmp_path_factory.mktemp("dubbed-by-somebody")
    done = vt("translate", SAMPLE, "--to", "es", "--profile", "traces/trace.json", *FAST, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "traces/trace.json: where the time went." in done.stdout
    return folder


@pytest.fixture(scope="module")
def trace(dubbed: Path) -> Read:
    return Read((dubbed / "traces" / "trace.json").read_text(encoding="ascii"))


def report(dubbed: Path) -> dict[str, Any]:
    (found,) = (dubbed / "out").glob("*.report.json")
    told: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return told


def test_the_trace_of_a_dub_is_valid_and_its_stages_take_what_the_report_says(dubbed: Path, trace: Read) -> None:
    check_format(trace)
    seconds: dict[str, float] = defaultdict(float)
    for event in trace.kind("stage"):
        seconds[event["name"]] += event["dur"] / 1e6
    told = {stage["name"]: stage["seconds"] for stage in report(dubbed)["stages"]}
    assert seconds == pytest.approx(told, abs=0.02)


def test_the_trace_of_a_dub_has_loads_leases_pieces_and_children(trace: Read) -> None:
    assert {event["name"] for event in trace.kind("load")} == {event["name"] for event in trace.of("b")} == {"tiny.en"}
    assert {event["name"] for event in trace.kind("piece")} >= {"whisper", "espeak", "part of the track"}
    assert {event["name"] for event in trace.kind("process")} == {"start", "find engines"}
    children = trace.kind("child")
    assert {event["name"] for event in children} >= {"ffmpeg", "ffprobe", "espeak-ng", "apertium"}
    assert all(event["args"]["purpose"] for event in children)
    assert all(event["args"]["cpu_seconds"] >= 0 for event in children)


def test_no_path_and_nothing_that_is_said_stands_in_a_trace(dubbed: Path, trace: Read) -> None:
    assert "/" not in trace.text and SAMPLE.stem not in trace.text and dubbed.name not in trace.text
    said = " ".join(line["text"] for line in report(dubbed)["segments"]).lower().split()
    words = {word.strip(".,;:!?¿¡\"'") for word in said}
    assert not [word for word in words if len(word) > 7 and word in trace.text.lower()]


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("taken", "a folder of that name is in the way"),
        ("film.mp4", "is to be read: name another file"),
        ("film.mp4/trace.json", "The folder film.mp4 cannot be written"),
    ],
)
def test_a_trace_that_cannot_be_written_is_refused_before_the_dub_begins(tmp_path: Path, named: str, why: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "film.mp4").write_bytes(SAMPLE.read_bytes())
    done = vt("translate", "film.mp4", "--to", "es", "--profile", named, *FAST, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert (tmp_path / "film.mp4").read_bytes() == SAMPLE.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["film.mp4", "taken"]


def test_a_dub_that_fails_writes_its_trace_and_says_why_it_failed(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film" * 100)
    done = vt("translate", "film.mp4", "--to", "es", "--profile", "trace.json", *FAST, cwd=tmp_path)
    assert done.returncode == 2 and "is not a video or audio file" in done.stderr
    found = Read((tmp_path / "trace.json").read_text(encoding="ascii"))
    check_format(found)
    assert "ffprobe" in {event["name"] for event in found.kind("child")}


def test_a_dub_that_is_stopped_writes_its_trace(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "vt", "translate", str(SAMPLE), "--to", "es", "--json", "--profile", "trace.json"]
    chosen = {**os.environ, "PYTHONPATH": str(ROOT), **with_the_faster({"VT_ENGINES": "embedded"})}
    with subprocess.Popen([*argv, *FAST], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=chosen) as command:
        assert command.stdout
        for line in command.stdout:
            if '"transcribe"' in line:
                command.send_signal(signal.SIGTERM)
                break
        command.stdout.read()
    assert command.returncode == 1
    found = Read((tmp_path / "trace.json").read_text(encoding="ascii"))
    check_format(found)
    assert "transcribe" in {event["name"] for event in found.kind("stage")}
    assert [file.name for file in tmp_path.iterdir()] == ["trace.json"]
