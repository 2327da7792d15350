"""Sandboxes: programs that start a child with limits and hide files and network from it."""

from __future__ import annotations

import functools
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CORES = len(os.sched_getaffinity(0))
MB = 2**20
_ROOT = Path("/")
_SYSTEM = (Path("/usr"), Path("/bin"), Path("/lib"), Path("/lib64"), Path("/nix"))
"""Where programs and libraries are. A program from another folder sees that folder too."""
_SYSTEM_FILES = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime")
_INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "ESPEAK_DATA_PATH", "APERTIUM_DATADIR",
)  # fmt: skip
_GRACE_SECONDS = 5  # between SIGXCPU, which tells that the limit of processor time is reached, and SIGKILL
_TRIED_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What one child may use; a child that uses more is ended. Sizes are in bytes."""

    seconds: float
    """Elapsed time."""
    cpu_seconds: float
    """Processor time of all its threads together."""
    memory: int | None
    """Address space, which is larger than the memory that is used; None: no limit."""
    file_bytes: int | None = 0
    """Size of the largest file that it writes; None: no limit."""
    output_bytes: int = 4 * MB
    """Most bytes of its stdout."""
    said_bytes: int = MB
    """How much of the end of its stderr is kept; it may write more."""
    open_files: int = 64
    processes: int = 64 + 8 * CORES
    """Processes and threads; limited only where the sandbox has its own user namespace."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One way to start a program with fewer rights than this process has."""

    name: str
    told: str
    """What a program may not do in it, for people."""
    launcher: tuple[str, ...] = ()
    hides: bool = False
    """Whether a program sees only the files that are named for it."""
    counts: bool = False
    """Whether processes can be limited: without a user namespace, all processes of the machine's user would count."""
    limits: bool = True

    def command(
        self, argv: Sequence[str], limits: ChildLimits, reads: Sequence[Path] = (), writes: Sequence[Path] = ()
    ) -> list[str]:
        """Return the argument list that starts `argv` in this sandbox.

        Args:
            argv: begins with the absolute path of the program.
            limits: of the program.
            reads: files and folders that it may read, in addition to the system's; the root folder: all files.
            writes: files and folders that it may also change; they have to exist.
        """
        shown = [*_file_options(Path(argv[0]), reads, writes), "--"] if self.hides else []
        bounds = _limit_options(limits, self.counts) if self.limits else []
        return [*self.launcher, *shown, *bounds, *argv]


def _limit_options(limits: ChildLimits, counts: bool) -> list[str]:
    cpu = max(1, round(limits.cpu_seconds))
    bounds = {
        "core": (resource.RLIMIT_CORE, 0),
        "cpu": (resource.RLIMIT_CPU, cpu),
        "nofile": (resource.RLIMIT_NOFILE, limits.open_files),
        "as": (resource.RLIMIT_AS, limits.memory),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_bytes),
        "nproc": (resource.RLIMIT_NPROC, limits.processes if counts else None),
    }
    told = []
    for name, (kind, value) in bounds.items():
        if value is not None:
            highest = resource.getrlimit(kind)[1]  # a limit above that of this process is not allowed
            soft, hard = (
                wanted if highest == resource.RLIM_INFINITY else min(wanted, highest)
                for wanted in (value, value + (_GRACE_SECONDS if name == "cpu" else 0))
            )
            told.append(f"--{name}={soft}:{hard}")
    return ["prlimit", *told, "--"]


def _file_options(program: Path, reads: Sequence[Path], writes: Sequence[Path]) -> list[str]:
    """Return bubblewrap's options for the files that a program sees; later ones cover earlier ones."""
    own = ["--dev", "/dev", "--proc", "/proc", "--chdir", "/"]
    if _ROOT in reads:
        return ["--ro-bind", "/", "/", *own, *_bind_options("--bind", [path.resolve() for path in writes])]
    homes = {path.parent for path in (program, program.resolve())}
    apart = sorted(home for home in homes if not any(home.is_relative_to(root) for root in _SYSTEM))
    theirs = [folder for home in apart for folder in (home, *(_library_folders(home) if home.name == "bin" else ()))]
    shown = [*_system_options(), *own, "--tmpfs", "/tmp", *_bind_options("--ro-bind-try", theirs)]  # noqa: S108
    return [*shown, *_bind_options("--ro-bind", reads), *_bind_options("--bind", writes)]


def _library_folders(home: Path) -> list[Path]:
    return [home.parent / name for name in ("lib", "lib64")]


def _bind_options(option: str, paths: Sequence[Path]) -> list[str]:
    return [part for path in paths for part in (option, str(path.absolute()), str(path.absolute()))]


def _system_options() -> Iterator[str]:
    for folder in _SYSTEM:
        if folder.is_symlink():  # as /bin to usr/bin
            yield from ("--symlink", str(folder.readlink()), str(folder))
        else:
            yield from ("--ro-bind-try", str(folder), str(folder))
    for file in _SYSTEM_FILES:
        yield from ("--ro-bind-try", file, file)


_ALONE = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
_BWRAP = ("bwrap", *_ALONE, "--die-with-parent", "--new-session", "--cap-drop", "ALL")
_HIDDEN = "no network, no other files, no new rights, limits of its own"
# Root keeps a single right: to open the files that it sees, whoever owns them.
_ROOTS_BWRAP = (*_BWRAP, "--cap-add", "CAP_DAC_OVERRIDE")
_SETPRIV = ("setpriv", "--pdeathsig", "KILL", "--no-new-privs")
_ROOTS_SETPRIV = (*_SETPRIV, "--inh-caps=-all", "--bounding-set=-all,+dac_override")
_OPEN = "no new rights, limits of its own; but network and files are open to it"


def candidates(is_root: bool) -> Iterator[Sandbox]:
    """Yield the sandboxes, the strongest first."""
    if is_root:
        yield Sandbox("bubblewrap", f"{_HIDDEN}, few of root's rights", _ROOTS_BWRAP, hides=True)
    yield Sandbox("bubblewrap", _HIDDEN, (*_BWRAP, "--unshare-user"), hides=True, counts=True)
    if is_root:
        yield Sandbox("setpriv", f"few of root's rights, {_OPEN}", _ROOTS_SETPRIV)
    yield Sandbox("setpriv", _OPEN, _SETPRIV)
    yield Sandbox("prlimit", "limits of its own; but all else is open to it")


NONE = Sandbox("none", "nothing is kept from it: install util-linux", limits=False)
_TRIED = ChildLimits(seconds=_TRIED_SECONDS, cpu_seconds=5, memory=256 * MB)


def works(argv: Sequence[str]) -> bool:
    """Tell whether a command can be run here, and exits with 0."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_TRIED_SECONDS, env=inherited()
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def found(
    tried: Callable[[Sequence[str]], bool] = works, is_root: bool | None = None, *, networked: bool = False
) -> Sandbox:
    """Return the strongest sandbox that works here: each is tried with a shell that starts another program.

    `networked`: only a sandbox in which the network can be used.
    """
    shell = shutil.which("sh") or "/bin/sh"
    root = os.geteuid() == 0 if is_root is None else is_root
    boxes = (box for box in candidates(root) if not (networked and box.hides))
    return next((box for box in boxes if tried(box.command([shell, "-c", "true & wait"], _TRIED))), NONE)


best = functools.cache(found)
"""`found`, which tries the sandboxes only once in a process."""


def inherited() -> dict[str, str]:
    """Return the variables of this process that children get. No secret is among them."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}
