"""Child processes: real ones, in every sandbox that works here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.films import SOUND
from vt.domain import Cancel
from vt.errors import Cancelled, StorageError, ToolError, ToolStopped, TooManyRequests
from vt.system import processes, sandbox
from vt.system.processes import TOOL, Child, Slots
from vt.system.sandbox import MB, ChildLimits, Sandbox

ROOT = Path(__file__).parent.parent
SHELL = shutil.which("sh") or "sh"
BOXES = [
    *(box for box in sandbox.candidates(os.geteuid() == 0) if sandbox.works(box.command([SHELL, "-c", ":"], TOOL))),
    sandbox.NONE,
]
LIMITED = [box for box in BOXES if box.limits]
HIDING = [box for box in BOXES if box.hides]


def named(box: Sandbox | None) -> str:
    return f"{box.name} {box.launcher[-1]}" if box and box.launcher else "none"


every_box = pytest.mark.parametrize("box", BOXES, ids=named)
every_limited_box = pytest.mark.parametrize("box", LIMITED, ids=named)
every_hiding_box = pytest.mark.parametrize("box", HIDING or [None], ids=named)


def limits(**changed: float | None) -> ChildLimits:
    return replace(TOOL, **changed)  # type: ignore[arg-type] # some are whole numbers


def run(box: Sandbox, *argv: str, bounds: ChildLimits = TOOL, cancel: Cancel | None = None) -> bytes:
    return processes.run(Child(argv, bounds), cancel, box=box)


# What goes in and comes out


@every_box
def test_a_program_gets_its_input_and_its_output_comes_back(box: Sandbox) -> None:
    assert processes.run(Child(["cat"], stdin=b"x" * 1_000_000), box=box) == b"x" * 1_000_000


@every_box
def test_a_program_that_does_not_read_its_input_is_no_trouble(box: Sandbox) -> None:
    assert processes.run(Child(["true"], stdin=b"x" * 1_000_000), box=box) == b""


@every_box
def test_arguments_are_taken_as_they_are_and_no_shell_sees_them(box: Sandbox) -> None:
    assert run(box, "printf", "%s|", "$HOME", "`id`", "a b", "*", ";") == b"$HOME|`id`|a b|*|;|"


@every_box
def test_a_program_has_few_variables_and_no_secrets(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_TOKEN", "VT_ADMIN_TOKEN", "AWS_SECRET_ACCESS_KEY", "VT_DATA_DIR"):
        monkeypatch.setenv(name, "open-sesame")
    found = processes.run(Child(["env"], environment={"VT_TEST": "here"}), box=box).decode()
    assert "VT_TEST=here" in found.splitlines()
    assert any(line.startswith("PATH=") for line in found.splitlines())
    assert "open-sesame" not in found


@every_box
def test_the_last_line_of_a_failed_program_is_in_the_sentence(box: Sandbox) -> None:
    with pytest.raises(ToolError, match=r"^sh failed: the real reason$"):
        run(box, "sh", "-c", "echo a warning >&2; echo the real reason >&2; echo >&2; exit 3")


@every_box
def test_a_program_that_fails_silently_is_told_by_its_exit_code(box: Sandbox) -> None:
    with pytest.raises(ToolError, match=r"^false failed \(exit code 1\)$"):
        run(box, "false")


@every_box
def test_a_missing_program_is_named_with_the_way_to_get_it(box: Sandbox) -> None:
    with pytest.raises(ToolError, match=r"no-such-program is missing: install the packages"):
        run(box, "no-such-program")


def test_a_complaint_in_no_known_encoding_is_no_trouble() -> None:
    with pytest.raises(ToolError, match="sh failed"):
        processes.run(Child(["sh", "-c", r"printf '\377\376 bad' >&2; exit 1"]))


def test_a_long_complaint_is_cut() -> None:
    with pytest.raises(ToolError) as caught:
        processes.run(Child([sys.executable, "-c", "import sys; sys.exit('x' * 100_000)"]))
    assert len(str(caught.value)) < 1000


def test_of_an_endless_complaint_the_end_is_kept() -> None:
    endless = "i=0; while [ $i -lt 60000 ]; do echo complaint $i; i=$((i+1)); done >&2"
    bounds = limits(said_bytes=10_000)
    _, said = processes.run_both(Child(["sh", "-c", endless], bounds))
    assert said.endswith("complaint 59999\n")
    assert len(said) == 10_000


@every_box
@pytest.mark.parametrize(
    "argv",
    [
        ["dd", "if=/dev/zero", "of=/dev/full", "count=1"],
        ["ffmpeg", "-v", "error", *SOUND, "-y", "-f", "wav", "/dev/full"],
    ],
    ids=["dd", "ffmpeg"],
)
def test_a_full_disk_is_a_storage_error(box: Sandbox, argv: list[str]) -> None:
    with pytest.raises(StorageError, match="disk is full"):
        run(box, *argv)


@every_box
def test_a_program_writes_only_into_the_file_that_was_named(box: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "it's a|b [x] 100%d\nñ 🎬"
    child = Child(["sh", "-c", 'echo here > "$1"', "sh", str(target)], limits(file_bytes=100), writes=[target])
    processes.run(child, box=box)
    assert target.read_text() == "here\n"


def test_a_file_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"none/out cannot be written: No such file or directory\.$"):
        processes.run(Child(["true"], writes=[tmp_path / "none" / "out"]))


# Limits


def stopped(box: Sandbox, *argv: str, **bounds: float | None) -> ToolStopped:
    with pytest.raises(ToolStopped) as caught:
        run(box, *argv, bounds=limits(**bounds))
    return caught.value


@every_limited_box
def test_a_program_that_computes_too_long_is_stopped(box: Sandbox) -> None:
    error = stopped(box, "sh", "-c", "while :; do :; done", cpu_seconds=1)
    assert str(error) == "sh took more than 1 seconds of processor time."
    assert error.by_limit


@every_limited_box
def test_a_program_that_wants_too_much_memory_does_not_get_it(box: Sandbox) -> None:
    script = "import os; print(len(bytearray(900 * 2**20)))"
    error = stopped(box, sys.executable, "-c", script, memory=500 * MB)
    assert "needed more memory than the 500 MB that it may take." in str(error)


@every_limited_box
def test_a_program_that_writes_too_much_is_stopped(box: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "out"
    argv = ["dd", "if=/dev/zero", f"of={target}", "bs=1M", "count=9"]
    with pytest.raises(ToolStopped, match=r"^dd wrote more than the 2 MB that it may, and was stopped\.$"):
        processes.run(Child(argv, limits(file_bytes=2 * MB), writes=[target]), box=box)
    assert target.stat().st_size <= 2 * MB


@every_limited_box
def test_a_program_opens_only_so_many_files_and_leaves_no_core(box: Sandbox) -> None:
    assert run(box, "sh", "-c", "ulimit -n; ulimit -c", bounds=limits(open_files=17)) == b"17\n0\n"


@pytest.mark.parametrize("box", [box for box in BOXES if box.counts] or [None], ids=named)
def test_a_program_starts_only_so_many_others(box: Sandbox | None) -> None:
    if box is None or os.geteuid() == 0:
        pytest.skip("root's processes are not counted, and others' only in user namespaces")
    with pytest.raises(ToolError):
        run(box, "sh", "-c", "for i in 1 2 3 4 5 6; do sleep 1 & done; wait", bounds=limits(processes=4))


@every_box
def test_a_program_that_answers_too_much_is_stopped(box: Sandbox) -> None:
    error = stopped(box, "yes", output_bytes=MB)
    assert str(error) == "yes answered with more than 1 MB and was stopped."


@every_box
def test_a_program_that_takes_too_long_is_stopped_and_named(box: Sandbox) -> None:
    began = time.monotonic()
    assert str(stopped(box, "sleep", "30", seconds=0.6)) == "sleep took longer than 1 seconds and was stopped."
    assert time.monotonic() - began < 15


@every_box
def test_a_program_that_somebody_stopped_does_not_stay_for_ever(box: Sandbox) -> None:
    assert "took longer" in str(stopped(box, "sh", "-c", "kill -STOP $$; true", seconds=0.6))


@every_box
def test_a_program_that_the_system_killed_is_told_apart(box: Sandbox) -> None:
    error = stopped(box, "sh", "-c", "echo half a word >&2; kill -KILL $$")
    assert str(error).startswith("sh was ended by the system (SIGKILL), probably because memory ran out")
    assert not error.by_limit


@every_box
def test_a_program_that_broke_down_is_told_apart(box: Sandbox) -> None:
    assert str(stopped(box, "sh", "-c", "kill -SEGV $$")) == "sh broke down (SIGSEGV)."


def test_limits_beyond_those_of_this_process_are_no_error() -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "from vt.system import processes; print(processes.run(processes.Child(['sh', '-c', 'ulimit -n'])))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == repr(b"40\n")


# What is kept from it


@every_hiding_box
def test_a_program_sees_no_file_but_those_that_it_is_shown(box: Sandbox | None, tmp_path: Path) -> None:
    if box is None:
        pytest.skip("no sandbox that hides anything works here")
    shown, hidden = tmp_path / "shown", tmp_path / "hidden"
    for path in (shown, hidden):
        path.write_text("secret")
    child = Child(["sh", "-c", 'cat "$1"; cat "$2"', "sh", str(shown), str(hidden)], reads=[shown])
    with pytest.raises(ToolError, match="hidden"):
        processes.run(child, box=box)
    assert processes.run(Child(["cat", str(shown)], reads=[shown]), box=box) == b"secret"
    for place in ("/etc/passwd", str(ROOT / "README.md")):
        with pytest.raises(ToolError):
            processes.run(Child(["sh", "-c", 'grep -q . "$1"', "sh", place]), box=box)


@every_hiding_box
def test_a_program_changes_nothing_that_it_may_only_read(box: Sandbox | None, tmp_path: Path) -> None:
    if box is None:
        pytest.skip("no sandbox that hides anything works here")
    (tmp_path / "film").write_text("as it was")
    for script in ('echo x > "$1"', 'rm "$1"', "echo x > /usr/bin/x"):
        with pytest.raises(ToolError):
            argv = ["sh", "-c", script, "sh", str(tmp_path / "film")]
            processes.run(Child(argv, limits(file_bytes=MB), reads=[tmp_path / "film"]), box=box)
    assert (tmp_path / "film").read_text() == "as it was"


@every_hiding_box
def test_a_program_has_no_network(box: Sandbox | None) -> None:
    if box is None:
        pytest.skip("no sandbox that hides anything works here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)"
        with pytest.raises(ToolError):
            run(box, sys.executable, "-c", script)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@every_hiding_box
def test_a_program_has_no_rights_to_speak_of(box: Sandbox | None) -> None:
    if box is None:
        pytest.skip("no sandbox that hides anything works here")
    told = dict(
        line.split(":\t") for line in run(box, "grep", "^Cap\\|^NoNew", "/proc/self/status").decode().splitlines()
    )
    override = 1 << 1
    assert int(told["CapEff"], 16) | override == override
    assert told["NoNewPrivs"] == "1"


@every_box
def test_a_program_outside_the_systems_folders_can_be_run(box: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "opt" / "bin" / "tool"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho here\n")
    program.chmod(0o755)
    assert run(box, str(program)) == b"here\n"


def test_the_strongest_sandbox_that_works_is_taken_and_root_keeps_few_rights() -> None:
    assert sandbox.found(lambda _: True, is_root=True).launcher[-1] == "CAP_DAC_OVERRIDE"
    assert sandbox.found(lambda _: True, is_root=False).hides
    assert sandbox.found(lambda argv: argv[0] != "bwrap", is_root=False).name == "setpriv"
    assert sandbox.found(lambda argv: argv[0] == "prlimit", is_root=True).name == "prlimit"
    assert sandbox.found(lambda _: False) is sandbox.NONE


# Its end


def alive(mark: str) -> list[Path]:
    """Return the processes that have `mark` in one of their arguments."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if any(mark.encode() in argument for argument in arguments):
            found.append(entry)
    return found


def comes(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until something is so, on a busy machine too."""
    until = time.monotonic() + seconds
    while not (so := true()) and time.monotonic() < until:
        time.sleep(0.02)
    return so


def test_a_cancel_from_another_thread_kills_the_program_at_once() -> None:
    for box in BOXES:
        cancel = Cancel()
        threading.Timer(0.3, cancel.set).start()
        with pytest.raises(Cancelled):
            run(box, "sleep", "31.4151", cancel=cancel)
        assert alive("31.4151") == []


def test_lines_are_told_of_while_the_program_runs_and_what_hears_them_can_end_it() -> None:
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        if line == "two":
            raise Cancelled("Enough.")

    argv = ["sh", "-c", "echo one; printf tw; sleep 0.1; echo o; sleep 31.4150; echo three"]
    with pytest.raises(Cancelled):
        processes.run(Child(argv), on_line=hear)
    assert heard == ["one", "two"]
    assert comes(lambda: alive("31.4150") == [], 5.0)
    assert processes.run(Child(["printf", "one\\nrest"]), on_line=heard.append) == b"rest"


@every_box
def test_a_cancel_ends_the_programs_that_the_program_started_too(box: Sandbox) -> None:
    cancel = Cancel()
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(Cancelled):
        run(box, "sh", "-c", "sleep 31.4152; true", cancel=cancel)
    assert comes(lambda: alive("31.4152") == [], 5.0)


@every_box
def test_a_timeout_ends_the_programs_that_the_program_started_too(box: Sandbox) -> None:
    assert "took longer" in str(stopped(box, "sh", "-c", "sleep 31.4153; true", seconds=0.4))
    assert comes(lambda: alive("31.4153") == [], 5.0)


@pytest.mark.parametrize("box", [box for box in LIMITED if box.name != "prlimit"], ids=named)
def test_a_server_that_is_killed_leaves_no_child(box: Sandbox) -> None:
    mark = f"31.{os.getpid()}{BOXES.index(box)}"
    script = (
        "import sys; from vt.system import processes, sandbox\n"
        f"box = next(box for box in sandbox.candidates({os.geteuid() == 0}) if box.launcher == {box.launcher!r})\n"
        f"processes.run(processes.Child(['sleep', '{mark}']), box=box)"
    )
    server = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    asleep = lambda: any((entry / "comm").read_text() == "sleep\n" for entry in alive(mark))  # noqa: E731
    try:
        assert comes(asleep)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    assert comes(lambda: alive(mark) == [])


def test_a_cancel_that_came_before_the_start_starts_nothing() -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        processes.run(Child(["sleep", "30"]), cancel)


def test_a_cancel_after_the_end_harms_nobody() -> None:
    """The number of a process that has ended may be that of another one by then: nothing may be killed by it."""
    cancel = Cancel()
    processes.run(Child(["true"]), cancel)
    assert cancel.hook_count == 0
    cancel.set()
    assert processes.run(Child(["echo", "well"])) == b"well\n"


@every_box
def test_no_file_stays_open_after_success_failure_or_cancel(box: Sandbox) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run(box, "true")
        with pytest.raises(ToolError):
            run(box, "false")
        with pytest.raises(ToolError):
            run(box, "sleep", "5", bounds=limits(seconds=0.05))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# Signs of life


@pytest.mark.soak
def test_a_program_that_computes_shows_life_and_one_that_stands_still_shows_none() -> None:
    busy, idle = Cancel(), Cancel()
    processes.run(Child(["sh", "-c", "end=$(($(date +%s) + 6)); while [ $(date +%s) -lt $end ]; do :; done"]), busy)
    processes.run(Child(["sleep", "5"]), idle)
    assert busy.beats > idle.beats


# How many at a time


def test_only_so_many_run_at_a_time_and_the_next_begins_when_one_ends() -> None:
    slots, begun, go = Slots(2, patience=30.0), list[int](), threading.Event()

    def work(number: int) -> None:
        with slots.one():
            begun.append(number)
            go.wait(30)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    assert comes(lambda: len(begun) == 2)
    time.sleep(0.1)
    assert len(begun) == 2
    go.set()
    for thread in threads:
        thread.join()
    assert sorted(begun) == [0, 1, 2, 3, 4]


def test_who_waits_too_long_is_told_to_come_again() -> None:
    slots = Slots(1, patience=0.01)
    with slots.one(), pytest.raises(TooManyRequests) as caught, slots.one():
        pass
    assert caught.value.retry_after > 0
    with slots.one():
        pass


def test_a_cancel_ends_the_wait() -> None:
    slots, cancel = Slots(1, patience=60.0), Cancel()
    threading.Timer(0.1, cancel.set).start()
    with slots.one(), pytest.raises(Cancelled), slots.one(cancel):
        pass


class Deaf(Cancel):
    """Is set, and the one who waits has not heard of it yet."""

    def add(self, hook: Callable[[], object]) -> None:
        del hook


def test_two_threads_of_one_job_wait_each_for_itself() -> None:
    slots, cancel, ends = Slots(1, patience=60.0), Cancel(), list[str]()
    hold = threading.Event()

    def work() -> None:
        with suppress(Cancelled), slots.one(cancel):
            ends.append("began")
            hold.wait(30)
        ends.append("over")

    threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
    with slots.one():
        for thread in threads:
            thread.start()
        assert comes(lambda: slots.waiting == 2)
    assert comes(lambda: ends == ["began"])
    cancel.set()
    assert comes(lambda: ends == ["began", "over"])  # the one that still waited
    hold.set()
    for thread in threads:
        thread.join(30)


def test_a_cancelled_waiter_keeps_no_other_from_a_slot_that_becomes_free() -> None:
    slots, cancel, began = Slots(1, patience=60.0), Deaf(), threading.Event()

    def cancelled() -> None:
        with suppress(Cancelled), slots.one(cancel):
            pass

    def patient() -> None:
        with slots.one():
            began.set()

    threads = [threading.Thread(target=work, daemon=True) for work in (cancelled, patient)]
    with slots.one():
        for count, thread in enumerate(threads, 1):
            thread.start()
            assert comes(lambda: slots.waiting == count)  # noqa: B023
        cancel.set()
    assert began.wait(10)


def test_a_program_that_fails_gives_its_slot_back() -> None:
    slots = Slots(1, patience=0.01)
    for _ in range(3):
        with pytest.raises(ToolError, match="false failed"):
            processes.run(Child(["false"]), slots=slots)
