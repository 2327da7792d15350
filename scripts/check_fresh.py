"""Go from a bare Debian to the dubbed sample, in a root of its own, without a hand; scripts/check-fresh runs this."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
DUB = ".venv/bin/python -m vt translate samples/sense_and_sensibility.mp4 --to es -o out"
FILM = "out/sense_and_sensibility.es.mp4"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OF_THE_NETWORK = re.compile(r"(?i)(PIP|SSL)_.*|CURL_CA_BUNDLE|\w+_proxy")
"""The variables that say how this machine reaches packages."""
_PATIENCE_SECONDS = 60
_PREFIX = "vt-fresh."
"""What the folder of a run is called, before the number of its process."""


class Failed(Exception):
    """A step did not do what it is there for; its text says which."""


# A root and what runs in it


def told(what: str, work: Callable[[], None]) -> None:
    """Do a step, and print how long it took."""
    began = time.monotonic()
    work()
    print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True)


@dataclass
class Room:
    """A Debian in a folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def argv(self, command: Sequence[str], user: str, folder: str) -> list[str]:
        """Return what runs a command in it: as a user, in a folder, with nothing of this machine's environment."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        inside = ["env", "-i", *variables, "sh", "-c", 'cd "$0" && exec "$@"', folder, *command]
        return ["chroot", f"--userspec={user}", str(self.folder), *inside]

    def run(self, command: Sequence[str], user: str = "root", folder: str = "/") -> None:
        """Run a command to its end.

        Raises:
            Failed: it ended badly; what it said is printed.
        """
        code, said = finished(self.argv(command, user, folder))
        if code:
            print(said, file=sys.stderr)
            raise Failed(f"{shlex.join(command)} ended with {code}.")

    def shell(self, line: str, user: str = "root", folder: str = "/") -> None:
        """Run a line of a shell; see `run`."""
        self.run(["sh", "-c", line], user, folder)


def finished(argv: Sequence[str]) -> tuple[int, str]:
    """Run a program to its end, and return its exit code and what it said; who ends this ends all that it started."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            said, _ = running.communicate()
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    return running.returncode, said


def bootstrapped(folder: Path, release: str, packages: Sequence[str]) -> Room:
    """Make a Debian that has its smallest set of packages and those that are named."""
    mirror = "http://deb.debian.org/debian"
    include = [f"--include={','.join(packages)}"] if packages else []
    argv = ["debootstrap", "--variant=minbase", *include, release, str(folder), mirror]
    code, said = finished(argv)
    if code:
        raise Failed(f"debootstrap ended with {code}: {said[-500:]}")
    (folder / "etc/apt/sources.list").write_text(f"deb {mirror} {release} main\n", encoding="utf-8")
    return Room(folder, {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", **network()})


def network() -> dict[str, str]:
    """Return what the environment here says of how packages are reached."""
    return {name: value for name, value in os.environ.items() if _OF_THE_NETWORK.fullmatch(name)}


@contextmanager
def reaching(room: Room) -> Iterator[None]:
    """Lend a room this machine's devices, its network, and the folders that its pip takes packages from."""
    for name in ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt"):
        if Path("/", name).exists():
            (room.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path("/", name), room.folder / name)
    if Path("/etc/xdg/pip").is_dir():
        shutil.copytree("/etc/xdg/pip", room.folder / "etc/xdg/pip", dirs_exist_ok=True)
    shutil.copytree("/etc/apt/apt.conf.d", room.folder / "etc/apt/apt.conf.d", dirs_exist_ok=True)
    with ExitStack() as mounted:
        for place in ("/proc", "/dev", *local_indexes()):
            here = room.folder / place.lstrip("/")
            here.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--rbind", "--make-rslave", place, str(here)], check=True)
            mounted.callback(subprocess.run, ["umount", "-l", str(here)], check=True)
        yield


def local_indexes() -> list[str]:
    """Return the folders of this machine that its pip takes packages from."""
    argv = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    found = {place.removesuffix("/simple") for place in re.findall(r"(?<![\w:/.])(?:file://)?(/[^\s']+)", said)}
    return sorted(place for place in found if Path(place).is_dir())


def clone(folder: Path) -> None:
    """Put the last commit of this checkout into a folder, as git gives it to a stranger."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)


# As root, and as a user


def as_owner(room: Room, user: str) -> None:
    """Set a clone up and dub the sample, as root or as somebody with sudo."""
    home = "/root" if user == "root" else f"/home/{user}"
    if user != "root":
        room.shell(f"useradd --create-home {user} && echo '{user} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{user}")
    room.environment["HOME"] = home
    folder = f"{home}/vt"
    clone(room.folder / folder.lstrip("/"))
    room.shell(f"chown -R {user}: {folder}")
    told("scripts/setup", lambda: room.run(["./scripts/setup"], user, folder))
    told("the sample, dubbed", lambda: room.shell(f"VT_ENGINES=embedded {DUB}", user, folder))
    told("vt doctor", lambda: room.run([".venv/bin/vt", "doctor"], user, folder))
    if not (room.folder / folder.lstrip("/") / FILM).is_file():
        raise Failed(f"There is no {FILM}.")


# The steps of the Dockerfile


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the Dockerfile: a word, and what it is about."""

    word: str
    rest: str


@dataclass
class Stage:
    """What stands behind a FROM."""

    base: str
    steps: list[Step] = field(default_factory=list)


def stages(text: str, arguments: Mapping[str, str]) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name, with the arguments of the build put in."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    steps = [Step(*line.split(None, 1)) for line in lines if line.strip()]
    found: dict[str, Stage] = {}
    known, last = dict(arguments), Stage("")
    for step in steps:
        rest = re.sub(r"\$\{(\w+)\}", lambda match: known.get(match[1], match[0]), step.rest)
        if step.word == "ARG":
            name, _, value = rest.partition("=")
            known.setdefault(name, value)
        elif step.word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]
            last = found[name] = Stage(base)
        else:
            last.steps.append(Step(step.word, rest))
    return found


class Build:
    """Builds stages, each in a copy of the root that it begins with."""

    def __init__(self, folder: Path, context: Path, found: Mapping[str, Stage]) -> None:
        self._folder, self._context, self._stages = folder, context, found
        self._rooms: dict[str, Room] = {}
        self._place, self._user = "/app", "root"
        self.health: list[str] = []
        self.command: list[str] = []

    def user_of(self, name: str) -> str:
        """Return as whom a stage runs its command."""
        return next((step.rest for step in self._stages[name].steps if step.word == "USER"), "root")

    def stage(self, name: str) -> Room:
        """Return the root of a stage, built if it is not yet."""
        if name not in self._rooms:
            stage = self._stages.get(name)
            if stage is None:
                self._rooms[name] = self.beginning(name)
            else:
                before = self.stage(stage.base)
                for step in stage.steps:  # the stages that it copies from come first, each with a place of its own
                    if step.word == "COPY" and (source := re.match(r"--from=(\S+)", step.rest)):
                        self.stage(source[1])
                self._rooms[name] = self._built(name, before, stage)
        return self._rooms[name]

    def beginning(self, image: str) -> Room:
        """Return the root of an image that is none of the stages: Debian's smallest."""
        release = re.fullmatch(r"debian:(\w+)-slim", image)
        if not release:
            raise Failed(f"{image} is not known here.")
        room: list[Room] = []
        told(f"FROM {image}", lambda: room.append(bootstrapped(self._folder / "debian", release[1], ())))
        return room[0]

    def _built(self, name: str, before: Room, stage: Stage) -> Room:
        folder = self._folder / name
        subprocess.run(["cp", "--archive", "--reflink=auto", str(before.folder), str(folder)], check=True)
        room = Room(folder, dict(before.environment))
        self._place, self._user = "/app", "root"
        with reaching(room) if self.lends_the_network() else nullcontext():
            for step in stage.steps:
                told(f"{name}: {step.word} {step.rest[:90]}", lambda step=step: self.do(room, step))  # type: ignore[misc]
        return room

    def lends_the_network(self) -> bool:
        """Tell whether the steps reach what this machine reaches, which takes root."""
        return True

    def do(self, room: Room, step: Step) -> None:
        """Take one step in a root.

        Raises:
            Failed: it failed, or is of a kind that is not known here.
        """
        match step.word:
            case "RUN":
                room.shell(step.rest, self._user, self._place)
            case "COPY":
                self._copy(room, step.rest.split())
            case "ENV":
                for name, value in (pair.split("=", 1) for pair in shlex.split(step.rest)):
                    room.environment[name] = value.replace("$PATH", room.environment["PATH"])
            case "WORKDIR":
                self._place = step.rest
                (room.folder / step.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                self._user = step.rest
            case "HEALTHCHECK":
                self.health = json.loads(step.rest[step.rest.index("[") :])
            case "CMD":
                self.command = json.loads(step.rest)
            case "VOLUME" | "EXPOSE":
                pass
            case _:
                raise Failed(f"{step.word} is not known here.")

    def _copy(self, room: Room, words: Sequence[str]) -> None:
        source, *_ = [word.removeprefix("--from=") for word in words if word.startswith("--from=")] or [""]
        *names, target = [word for word in words if not word.startswith("--")]
        begin = self.stage(source).folder if source else self._context
        inside = room.folder / (self._place + "/" + target if not target.startswith("/") else target).lstrip("/")
        for name in names:
            here = begin / name.lstrip("/")
            if here.is_dir():
                shutil.copytree(here, inside, symlinks=True, dirs_exist_ok=True)
            else:
                to = inside / here.name if target.endswith("/") or len(names) > 1 else inside
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(here, to)


def as_image(folder: Path, release: str) -> None:
    """Take the steps of the image, dub the sample in it, start what it starts, and ask for its health."""
    context = folder / "context"
    clone(context)
    text = (context / "Dockerfile").read_text(encoding="utf-8")
    build = Build(folder, context, stages(text, {"DEBIAN": release, "TORCH_INDEX": ""}))
    room, user = build.stage("cpu"), build.user_of("app")
    room.environment["HOST"] = "127.0.0.1"
    with reaching(room):
        dub = DUB.replace("-o out", "-o /data/out")
        told("the sample, dubbed", lambda: room.shell(f"VT_ENGINES=embedded {dub}", user, "/app"))
        serving = subprocess.Popen(room.argv(build.command, user, "/app"), stdin=subprocess.DEVNULL)
        try:
            told("healthy", lambda: healthy(room, build.health, user, serving))
        finally:
            serving.terminate()
            told("ended", lambda: ended(serving))
    if not (room.folder / "data" / FILM).is_file():
        raise Failed(f"There is no /data/{FILM}.")


def healthy(room: Room, check: Sequence[str], user: str, serving: subprocess.Popen[bytes]) -> None:
    """Wait until the health check of the image ends well.

    Raises:
        Failed: the server has ended, or it never came.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while serving.poll() is None and time.monotonic() < until:
        if not subprocess.run(room.argv(check, user, "/app"), capture_output=True, check=False).returncode:
            return
        time.sleep(1)
    raise Failed("The server never was healthy.")


def ended(serving: subprocess.Popen[bytes]) -> None:
    """Wait until the server has ended, as Docker does before it kills one."""
    try:
        code = serving.wait(30)
    except subprocess.TimeoutExpired:
        serving.kill()
        raise Failed("The server did not end within 30 s.") from None
    if code not in (0, -15):
        raise Failed(f"The server ended with {code}.")


def sweep(places: Path) -> None:
    """Remove the folders of runs that were killed; their mounts went with them."""
    for left in places.glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).split(".")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            subprocess.run(["rm", "-rf", "--one-file-system", str(left)], check=False)


def main() -> int:
    """Check as the arguments say, and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/check-fresh", description=__doc__)
    parser.add_argument("--release", default="bookworm", choices=["bookworm", "trixie"])
    parser.add_argument("--as", dest="who", default="root", choices=["root", "user", "image"])
    parser.add_argument("--keep", action="store_true", help="keep the folder, and say where it is")
    arguments = parser.parse_args()
    if os.geteuid() or not shutil.which("debootstrap"):
        print("check-fresh: this takes root, and the package debootstrap.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}."))
    try:
        if arguments.who == "image":
            as_image(folder, arguments.release)
        else:
            made: list[Room] = []
            needed = ("python3", "git", "ca-certificates", "sudo")
            told(
                f"debootstrap {arguments.release}",
                lambda: made.append(bootstrapped(folder / "root", arguments.release, needed)),
            )
            with reaching(made[0]):
                as_owner(made[0], "root" if arguments.who == "root" else "somebody")
    except (Failed, OSError, subprocess.CalledProcessError) as error:
        print(f"check-fresh: {error}", file=sys.stderr)
        return 1
    else:
        print("All is well.")
        return 0
    finally:
        if arguments.keep:
            print(f"kept: {folder.rename(folder.with_name(folder.name.replace(_PREFIX, 'kept-vt-fresh.')))}")
        else:
            subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=False)


if __name__ == "__main__":
    sys.exit(main())
