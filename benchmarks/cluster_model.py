"""A model of a cluster: how many minutes of film an hour a server and so many nodes dub, and what the limit is.

Run: .venv/bin/python -m benchmarks.cluster_model [--nodes 1 2 5 ...] [--film-seconds 3600] [--costs FILE.json]

Nothing is dubbed. Films go through the stages of a dub by the costs below, each of which is an argument as well
(--speak 0.2); FILE.json is an object with some of them. The queue is never empty. The same seed gives the same figures.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import statistics
import sys
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

NODES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_FULL = 0.9
"""What is busy for so much of the time, or more, is the limit."""
_FEWEST, _OF_EACH = 100, 8
"""How many films are dubbed: in all, and for each of the jobs that run side by side."""
_WARM_UP = 0.3
"""The share of the films with which the figures do not begin yet."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a dub costs, and what the machines have: where no more is said, seconds of a processor for a second of film.

    "Measured" without a page means: by hand, with Ray 2.60 and actors that do nothing, on two processors.
    """

    hear: float = 0.45
    """Whisper base, on a node of one processor; the interview of an hour in docs/BENCHMARKS.md took 0.14."""
    translate: float = 0.004
    """Firefox's models and Apertium."""
    speak: float = 0.35
    """Kokoro: 1.4 s for a line of 2.2 s (docs/BENCHMARKS.md), where somebody speaks half of the time."""
    begin: float = 0.005
    """The server: sound out of the film."""
    finish: float = 0.025
    """The server: lines put in their places, mixed, encoded, and put into the film. A guess on the safe side: of a film
    of two hours all that is no recognition, translation or speech took 0.004 by the clock (docs/BENCHMARKS.md)."""
    film_seconds: float = 3600.0
    spread: float = 0.5
    """Films are longer or shorter than that by up to this share."""
    lines: float = 0.25
    """Lines in a second of film: 149 in ten minutes (docs/BENCHMARKS.md)."""
    window_seconds: float = 300.0
    """The most sound in one piece of recognition."""
    batch: int = 32
    """The most sentences in one piece of translation."""
    spoken: int = 8
    """The most lines in one piece of speech."""
    pieces_of_a_job: int = 64
    """The most pieces of one job that are under way or wait for a node."""
    pieces_on_a_node: int = 2
    node_processors: float = 1.0
    """Of each node: work takes so many times less there."""
    server_processors: int = 8
    jobs_at_once: int = 0
    """VT_JOBS_AT_ONCE; 0: one more than there are nodes, at most `most_jobs`."""
    most_jobs: int = 64
    """The largest VT_JOBS_AT_ONCE that there is."""
    piece_message: float = 0.001
    """Seconds of the server's Python for each piece: 0.9 ms were measured."""
    answer_message: float = 0.0003
    """The same for each line that comes back: 0.26 ms were measured."""
    piece_waits: float = 0.0003
    """The same for each second that a piece is out, in which a thread looks four times: 0.28 ms were measured."""
    queued_look: float = 0.000025
    """The same each time that a piece which waits looks whether it is wanted still, five times a second: as much was
    measured of a thread that looked for a node with room, too, which it need not."""
    placed_node: float = 1.2e-7
    """The same for each node, whenever a node is chosen for a piece: from 25 us to 142 us among 1,000 nodes."""
    node_watched: float = 0.0003
    """The same for each node and second: it is asked for its models every 3 s, which took 0.43 ms, and seen in a list
    of all nodes every second, which took 0.22 ms for one node."""
    sound_out: float = 32_000.0
    """Bytes for a second of film: 16 bit at 16 kHz."""
    sound_back: float = 48_000.0
    """Bytes for a second of film: 16 bit at 24 kHz, as if somebody spoke all the time."""
    network: float = 125e6
    """Bytes a second in each direction at the server: 1 Gbit/s."""
    head_messages: float = 5_000.0
    """Messages a second that Ray's head deals with. Not measured: Ray's makers test clusters of 2,000 nodes."""
    node_messages: float = 2.0
    """Messages a second from each node to the head, whatever it works on: pieces do not pass it. Not measured."""

    @property
    def of_a_node(self) -> float:
        """Seconds of film that a node does in a second."""
        return self.node_processors / (self.hear + self.translate + self.speak)

    def jobs(self, nodes: int) -> int:
        """Return how many jobs run side by side."""
        return self.jobs_at_once or min(nodes + 1, self.most_jobs)

    def seen(self, nodes: int) -> int:
        """Return how many of the nodes the head can keep up with."""
        return min(nodes, int(self.head_messages / self.node_messages)) if self.node_messages else nodes


@dataclass(frozen=True, slots=True)
class Figures:
    """What came out for one number of nodes. Loads are shares of the time for which something is busy."""

    nodes: int
    minutes_an_hour: float
    """Of film that is dubbed."""
    share: float
    """Of what the nodes alone would do."""
    piece_waits: float
    """Mean seconds until a piece gets to a node."""
    film_takes: float
    """Mean seconds from the start of a job to its end, for a film of the mean length."""
    loads: dict[str, float]
    limit: str


class Servers:
    """Some equal servers with one queue: who comes first is served first."""

    def __init__(self, count: int = 1, speed: float = 1.0) -> None:
        self._free = [0.0] * count
        """When each of them has nothing more to do."""
        self._speed = speed
        self._given = 0.0

    def end(self, now: float, cost: float) -> float:
        """Return when work is done that comes now."""
        seconds = cost / self._speed
        began = max(now, heapq.heappop(self._free))
        heapq.heappush(self._free, began + seconds)
        self._given += seconds
        return began + seconds

    def busy(self, now: float) -> float:
        """Return for how many seconds each of them was busy until now, in the mean."""
        return (self._given - sum(max(0.0, free - now) for free in self._free)) / len(self._free)


@dataclass(eq=False, slots=True)
class Node:
    """A node, and how many pieces are on their way to it, on it, or on their way back."""

    work: Servers
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a job."""

    cost: float
    answers: float
    bytes_out: float = 0.0
    bytes_back: float = 0.0


@dataclass(eq=False, slots=True)
class Job:
    """A film in the making."""

    seconds: float
    began: float
    steps: Steps = field(init=False)
    out: int = 0
    """How many of its pieces are under way or wait for a node."""


Steps = Generator[tuple[Servers, float] | None, None, None]
"""What a job or a piece does: it has work done, and goes on when that is done; or it waits until somebody wakes it."""


class Model:
    """A server, its nodes and the films, from the first event to the last."""

    def __init__(self, costs: Costs, nodes: int, seed: int) -> None:
        """Begin with as many films as are made side by side."""
        self.costs, self._random = costs, random.Random(seed)  # noqa: S311 (it hides nothing)
        self.nodes = [Node(Servers(speed=costs.node_processors)) for _ in range(costs.seen(nodes))]
        self._with_room: list[dict[Node, None]] = [{} for _ in range(costs.pieces_on_a_node)]
        """By how many pieces they have: the nodes that take another one. Of a set the order would not be the same."""
        self._with_room[0] = dict.fromkeys(self.nodes)
        self.server = Servers(costs.server_processors)
        self.python = Servers()
        self.out, self.back = Servers(speed=costs.network), Servers(speed=costs.network)
        self._events: list[tuple[float, int, Steps]] = []
        self._number = 0
        self._queue: deque[tuple[float, Job, Piece]] = deque()
        self.now = 0.0
        self.waits: list[float] = []
        """Of each piece: the seconds until it had a node."""
        self.films: list[tuple[float, float]] = []
        """Of each film that is done: its seconds, and how long it took."""
        for _ in range(costs.jobs(nodes)):
            self._start()
        self._wake(self._watch())

    def run(self, films: int) -> None:
        """Go on until so many films are done in all."""
        while len(self.films) < films:
            self.now, _, steps = heapq.heappop(self._events)
            wanted = next(steps, None)
            if wanted:
                servers, cost = wanted
                self._wake(steps, servers.end(self.now, cost))

    def busy(self) -> dict[str, float]:
        """Return for how many seconds each part was busy until now."""
        return {
            "nodes": statistics.fmean(node.work.busy(self.now) for node in self.nodes),
            "processors": self.server.busy(self.now),
            "Python": self.python.busy(self.now),
            "network": max(self.out.busy(self.now), self.back.busy(self.now)),
        }

    def _wake(self, steps: Steps, when: float | None = None) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now if when is None else when, self._number, steps))

    def _watch(self) -> Steps:
        """Ask the nodes once a second how they are, and let the pieces that wait look whether they are wanted still."""
        while True:
            yield self.python, self.costs.node_watched * len(self.nodes)
            yield self.python, 5 * self.costs.queued_look * len(self._queue)
            yield Servers(), 1.0

    def _start(self) -> None:
        spread = self._random.uniform(-self.costs.spread, self.costs.spread)
        job = Job(self.costs.film_seconds * (1 + spread), self.now)
        job.steps = self._film(job)
        self._wake(job.steps)

    def _film(self, job: Job) -> Steps:
        yield self.server, self.costs.begin * job.seconds
        for pieces in self._stages(job.seconds):
            yield from self._stage(job, pieces)
        yield self.server, self.costs.finish * job.seconds
        self.films.append((job.seconds, self.now - job.began))
        self._start()

    def _at_once(self) -> int:
        return max(1, min(self.costs.pieces_of_a_job, self.costs.pieces_on_a_node * len(self.nodes)))

    def _stages(self, seconds: float) -> Iterator[list[Piece]]:
        """Yield the pieces of each stage: hear, translate, speak."""
        costs, lines = self.costs, max(1, round(self.costs.lines * seconds))
        windows = -(-seconds // costs.window_seconds)
        sound = costs.sound_out * seconds / windows
        yield [Piece(costs.hear * seconds / windows, lines / windows, sound)] * int(windows)
        for cost, most, back in ((costs.translate, costs.batch, 0.0), (costs.speak, costs.spoken, costs.sound_back)):
            size = max(1, min(most, -(-lines // self._at_once())))
            count = -(-lines // size)
            yield [Piece(cost * seconds / count, lines / count, 0.0, back * seconds / count)] * count

    def _stage(self, job: Job, pieces: list[Piece]) -> Steps:
        """Have all pieces done, as many at a time as a job may have out."""
        for piece in pieces:
            if job.out == self._at_once():
                yield None
                job.out -= 1
            job.out += 1
            self._queue.append((self.now, job, piece))
            self._give()
        while job.out:
            yield None
            job.out -= 1

    def _give(self) -> None:
        """Give pieces that wait to nodes that have room, to those with the least to do first."""
        while self._queue and (room := next((nodes for nodes in self._with_room if nodes), None)):
            asked, job, piece = self._queue.popleft()
            self.waits.append(self.now - asked)
            node, _ = room.popitem()
            node.pieces += 1
            if node.pieces < len(self._with_room):
                self._with_room[node.pieces][node] = None
            self._wake(self._done(node, job, piece))

    def _done(self, node: Node, job: Job, piece: Piece) -> Steps:
        costs, began = self.costs, self.now
        yield self.python, costs.piece_message + costs.placed_node * len(self.nodes)
        yield self.out, piece.bytes_out
        yield node.work, piece.cost
        yield self.back, piece.bytes_back
        out = self.now - began
        yield self.python, costs.answer_message * piece.answers + costs.piece_waits * out
        if node.pieces < len(self._with_room):
            del self._with_room[node.pieces][node]
        node.pieces -= 1
        self._with_room[node.pieces][node] = None
        self._give()
        self._wake(job.steps)


def figures(costs: Costs, nodes: int, seed: int = 1) -> Figures:
    """Return what a number of nodes does in the long run; the seed is that of the films' lengths."""
    model, films = Model(costs, nodes, seed), max(_FEWEST, _OF_EACH * costs.jobs(nodes))
    warm = int(_WARM_UP * films)
    model.run(warm)
    began, before, waited = model.now, model.busy(), len(model.waits)
    model.run(films)
    seconds = model.now - began
    loads = {name: (busy - before[name]) / seconds for name, busy in model.busy().items()}
    loads["head"] = nodes * costs.node_messages / costs.head_messages
    share = loads["nodes"] * len(model.nodes) / nodes
    return Figures(
        nodes,
        # By the work that was done: films end in bursts.
        share * nodes * costs.of_a_node * 60,
        share,
        statistics.fmean(model.waits[waited:] or [0.0]),
        statistics.fmean(took * costs.film_seconds / film for film, took in model.films[warm:]),
        loads,
        limit(loads),
    )


def limit(loads: Mapping[str, float]) -> str:
    """Return what is busy nearly all the time; where nothing is, too few jobs run side by side."""
    name = max(loads, key=lambda one: loads[one])
    return name if loads[name] >= _FULL else "jobs"


def bounds(costs: Costs) -> dict[str, float]:
    """Return with how many nodes each part of the server is full, if nothing else is: by arithmetic alone."""
    pieces = 1 / costs.window_seconds + costs.lines / costs.batch + costs.lines / costs.spoken
    python = (pieces * costs.piece_message + 3 * costs.lines * costs.answer_message) * costs.of_a_node
    python += costs.node_watched + costs.pieces_on_a_node * costs.piece_waits
    loads = {
        "processors": (costs.begin + costs.finish) / costs.server_processors * costs.of_a_node,
        "Python": python,
        "network": max(costs.sound_out, costs.sound_back) / costs.network * costs.of_a_node,
        "head": costs.node_messages / costs.head_messages,
    }
    return {name: 1 / load for name, load in loads.items() if load}


def table(rows: Sequence[Figures]) -> str:
    """Return the figures as a table for docs/CLUSTER.md."""
    parts = list(rows[0].loads)
    lines = ["| nodes | film, minutes an hour | of the ideal | a piece waits | a film takes | limit |"]
    lines[0] += "".join(f" {part} |" for part in parts)
    lines.append("|---:|---:|---:|---:|---:|---|" + "---:|" * len(parts))
    for row in rows:
        cells = [f"{row.nodes:,}", f"{row.minutes_an_hour:,.0f}", f"{row.share:.0%}", f"{row.piece_waits:.0f} s"]
        cells += [f"{row.film_takes / 60:.0f} min", row.limit, *(f"{row.loads[part]:.0%}" for part in parts)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def costs_of(argv: Sequence[str]) -> tuple[Costs, argparse.Namespace]:
    """Return the costs that arguments ask for, and the other arguments; an argument overrides a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=NODES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--costs", type=Path, help="a JSON file with some of the costs")
    for one in fields(Costs):
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), help=f"default: {one.default}")
    arguments = parser.parse_args(argv)
    given = json.loads(arguments.costs.read_text(encoding="utf-8")) if arguments.costs else {}
    said = {one.name: getattr(arguments, one.name) for one in fields(Costs)}
    return Costs(**(given | {name: value for name, value in said.items() if value is not None})), arguments


def main() -> None:
    """Print the table, and where each part of the server would be full."""
    costs, arguments = costs_of(sys.argv[1:])
    print(table([figures(costs, nodes, arguments.seed) for nodes in arguments.nodes]))
    print("\nFull, if nothing else is, with so many nodes: ", end="")
    print(", ".join(f"{name} {nodes:,.0f}" for name, nodes in bounds(costs).items()))


if __name__ == "__main__":
    main()
