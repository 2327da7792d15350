"""Servers that are killed at random moments while they dub, and whose database gives way between two of their lives."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import films
from tests.servers import ROOT, Server, running

KINDS = ({"target_language": "es"}, {"target_language": "fr", "speakers": "1"})
"""In one of them the speakers are told apart, for which each server that comes to it has to load a model first."""
_SOUND_RATE = 24_000
_POLL_SECONDS = 0.1
_TIMES = ("stages", "total_seconds")
"""What of a report no two runs have in common."""

_FROZEN_SECONDS = 0.5
_DAMAGED = "vt.db.damaged-"

_HISTORY = "takes-"
"""How the name of the one piece begins to which every run adds: what was spoken, and in which run."""

Tell = Callable[[str], object]
Fault = Callable[[Path], None]
"""Does something to a data folder whose server is dead."""


@dataclass(frozen=True)
class Content:
    """All that a dub gives its user, but for how long it took."""

    report: dict[str, Any]
    subtitles: dict[str, bytes]
    sound: bytes
    picture: str


def content(server: Server, job_id: str, folder: Path) -> Content:
    """Fetch the results of a job."""
    route = f"/api/v1/jobs/{job_id}"
    report = {name: value for name, value in server.json("GET", f"{route}/report").items() if name not in _TIMES}
    languages = (report["source"]["language"], report["target_language"])
    names = [f"{language}.{ending}" for language in languages for ending in ("srt", "vtt")]
    film = folder / "fetched.mp4"
    film.write_bytes(server.ask("GET", f"{route}/video").raise_for_status().content)
    found = Content(
        report=report,
        subtitles={name: server.ask("GET", f"{route}/subtitles/{name}").raise_for_status().content for name in names},
        sound=films.decoded(film, _SOUND_RATE).tobytes(),
        picture=films.packets_md5(film),
    )
    film.unlink()
    return found


def lose_database(data: Path) -> None:
    """Have the database be missing."""
    for path in data.glob("vt.db*"):
        if not path.name.startswith(_DAMAGED):
            path.unlink()


def empty_database(data: Path) -> None:
    """Have the database be a file of 0 bytes."""
    lose_database(data)
    (data / "vt.db").touch()


def damage_database(data: Path) -> None:
    """Have the database hold what no database holds, and have it repaired as an operator would."""
    lose_database(data)
    (data / "vt.db").write_bytes(os.urandom(50_000))
    argv = [sys.executable, "-m", "vt", "doctor", "--repair"]
    done = subprocess.run(
        argv, cwd=ROOT, env={**os.environ, "VT_DATA_DIR": str(data)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


FAULTS: tuple[Fault, ...] = (lose_database, empty_database, damage_database)


@dataclass
class Toll:
    """What a siege has done to its servers."""

    jobs: int = 0
    """That came out as in peace, all of them."""
    kills: int = 0
    freezes: int = 0
    """How often a server was stopped for a moment, and went on."""
    faults: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Toll) -> Toll:
        return Toll(
            self.jobs + other.jobs,
            self.kills + other.kills,
            self.freezes + other.freezes,
            self.faults + other.faults,
        )

    def __str__(self) -> str:
        listed = "".join(f", {count} x {name.replace('_', ' ')}" for name, count in sorted(self.faults.items()))
        return f"{self.jobs} jobs done as in peace, after {self.kills} kills, {self.freezes} freezes{listed}"


class Siege:
    """Some jobs, a server that is started again and again, and the pieces that its dead forerunners had finished."""

    def __init__(
        self, folder: Path, film: Path, chance: random.Random, longest: float, faults: tuple[Fault, ...] = ()
    ) -> None:
        """Work in `folder`.

        Args:
            folder: for all of it.
            film: is dubbed.
            chance: decides.
            longest: how many seconds a server lives at most before it is killed.
            faults: one of these befalls its data folder now and then while it is dead.
        """
        self.folder, self.film, self.chance, self.longest, self.faults = folder, film, chance, longest, faults
        self.toll = Toll()
        self.wanted: list[Content] = []
        self.kinds: dict[str, int] = {}
        self._pieces: dict[Path, int] = {}
        self._mark: object = None
        for name in ("tmp", "fetched"):
            (folder / name).mkdir(parents=True)

    @property
    def jobs(self) -> Path:
        return self.folder / "data" / "jobs"

    def begin(self, count: int) -> None:
        """Have a dub of each kind made in peace, and put so many jobs into the queue; then kill the server.

        Where all of them were done before the server died, as on a quick machine, as many more follow.
        """
        took = self.longest
        with self._server() as server:
            for fields in KINDS[:count]:
                began = time.monotonic()
                job_id = server.submit(self.film, **fields)
                assert server.ended(job_id)["state"] == "done"
                took = time.monotonic() - began
                self.wanted.append(content(server, job_id, self.folder / "fetched"))
                server.ask("DELETE", f"/api/v1/jobs/{job_id}").raise_for_status()
            while not self.toll.kills:
                for number in range(count):
                    kind = number % len(self.wanted)
                    self.kinds[server.submit(self.film, **KINDS[kind])] = kind
                self._until_killed(server, min(self.longest, took / 2))

    def goes_on(self) -> bool:
        """Start the server once more and kill it, unless every job has ended by then; tell whether it was killed."""
        if self.faults and self.chance.random() < 0.5:
            self.befall(self.chance.choice(self.faults))
        with self._server() as server:
            if not self._until_killed(server, self.longest):
                self._check(server)
                return False
        return True

    def befall(self, fault: Fault) -> None:
        """Have a fault befall the data folder, now that the server is dead."""
        fault(self.folder / "data")
        self.toll.faults[fault.__name__] += 1

    @contextmanager
    def _server(self) -> Iterator[Server]:
        with running(
            self.folder, TMPDIR=str(self.folder / "tmp"), VT_RETENTION_HOURS="24", VT_VISITOR_JOBS="64"
        ) as server:
            yield server

    def _until_killed(self, server: Server, longest: float) -> bool:
        """Kill the server within so many seconds, or earlier tell by False that every job has ended."""
        moment = time.monotonic() + self.chance.uniform(0, longest)
        # Three deaths in a row without a new piece give a job up, and rightly: so two such are the most.
        before, spared = self._finished(), self._mark is not None and self._mark == self._finished()
        while time.monotonic() < moment or (spared and self._finished() == before):
            if self._all_over(server):
                return False
            if self.faults and self.chance.random() < 0.05:
                self._freeze(server)
            time.sleep(_POLL_SECONDS)
        with self._half_an_upload(server):
            server.process.kill()
            server.process.wait()
        self.toll.kills += 1
        self._mark = before if self._finished() == before else None
        self._compare_pieces()
        return True

    def _freeze(self, server: Server) -> None:
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(_FROZEN_SECONDS)
        server.process.send_signal(signal.SIGCONT)
        self.toll.freezes += 1

    def _all_over(self, server: Server) -> bool:
        states = [server.json("GET", f"/api/v1/jobs/{job_id}")["state"] for job_id in self.kinds]
        assert not {"failed", "cancelled"} & set(states), server.log
        return set(states) == {"done"}

    def _finished(self) -> set[str]:
        """Return the names of all pieces that a server counts as finished: results are none of them."""
        return {str(path) for path in self.jobs.glob("*/pieces/[a-z]*") if not path.suffix}

    @contextmanager
    def _half_an_upload(self, server: Server) -> Iterator[None]:
        """Have a film come in that will never be whole."""
        address = urlsplit(server.url)
        with closing(socket.create_connection((address.hostname, address.port))) as client:
            client.sendall(
                b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="half.mp4"\r\n\r\n'
            )
            client.sendall(b"\0" * 100_000)
            yield

    def _compare_pieces(self) -> None:
        """Fail where a piece was made again: it would be another file by the same name."""
        for path in self.jobs.glob("*/pieces/[a-z]*"):
            if path.name.startswith(_HISTORY):
                continue  # a run that was killed between this and its end adds to it once more
            if not path.with_suffix("").exists():
                continue  # killed before it was noted that this is whole: it is made again, and rightly
            now = path.stat().st_ino  # its time tells when it was used last
            assert self._pieces.setdefault(path, now) == now, f"{path.name[:20]} was made twice"

    def _check(self, server: Server) -> None:
        """Fail where a result is not what it is in peace, or where anything is left that belongs to nobody."""
        self._compare_pieces()
        for job_id, kind in self.kinds.items():
            found, wanted = content(server, job_id, self.folder / "fetched"), self.wanted[kind]
            others = [name for name in Content.__annotations__ if getattr(found, name) != getattr(wanted, name)]
            assert not others, f"not what it is in peace: {others}, such as {_difference(found.report, wanted.report)}"
        server.end()
        held = {path.name for job_id in self.kinds for path in (self.jobs / job_id).iterdir()}
        assert held == {"input", "pieces", "results-1", "job.json"}, held
        folders = {path.name for path in self.jobs.iterdir()}
        assert folders == set(self.kinds), f"{len(folders - set(self.kinds))} folders belong to nobody"
        left = list(self.jobs.glob("*/pieces/.*"))
        assert not left, left
        self._check_data(self.folder / "data")
        left = [*(self.folder / "tmp").iterdir(), *self.folder.glob("gradio/*")]
        assert not left, left
        self.toll.jobs = len(self.kinds)

    def _check_data(self, data: Path) -> None:
        """Fail where a data folder holds what it should not; of half an upload nobody can tell what it was."""
        names = {path.name for path in data.iterdir() if not path.name.startswith(_DAMAGED)}
        aside = {"kept-aside"} if self.toll.faults else set()
        notes = {f"{note}{new}" for note in ("served-time", "database-secret") for new in ("", ".new")}
        own = {"jobs", "lock", "reserve", "uploads", "vt.db", "vt.db-wal", "vt.db-shm"}
        assert names <= own | notes | aside, names
        lost = list(data.glob("kept-aside/*/job.json"))
        assert not lost, lost


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: (found.get(name), wanted.get(name)) for name in wanted if found.get(name) != wanted.get(name)}


def besiege(
    folder: Path, film: Path, count: int, seed: int, longest: float, tell: Tell, faults: tuple[Fault, ...] = ()
) -> Toll:
    """Dub a film so many times on servers that are killed at random moments, and return what was done to them.

    Raises:
        AssertionError: a job was lost, or came out otherwise than in peace; a piece was made twice; a file was left.
    """
    tell(f"seed {seed}")
    siege = Siege(folder, film, random.Random(seed), longest, faults)
    siege.begin(count)
    while siege.goes_on():
        done = len({path.parent for path in siege.jobs.glob("*/results-1/*.report.json")})
        tell(f"kill {siege.toll.kills}: {done} of {len(siege.kinds)} jobs done")
    tell(str(siege.toll))
    return siege.toll
