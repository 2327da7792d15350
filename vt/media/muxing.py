"""The dubbed film: picture, sound, subtitles and covers put into one file."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from vt import languages
from vt.domain import Cancel
from vt.errors import MediaError, ToolError, ToolMissing, ToolStopped
from vt.media import fonts, timeline
from vt.media.burning import ENCODER, Picture
from vt.media.codecs import is_decodable
from vt.media.commands import INPUT_MEMORY, MEMORY, decoders, opening_options, patience, room_on_disk, unfit, url
from vt.media.covers import pictures_alone
from vt.media.keeping import Extent, Keeping, Kept, keeping, text_tracks
from vt.media.probing import MediaInfo, Track
from vt.media.slowing import Slowing, slowed_track, write_chapters
from vt.media.text_tracks import Decode, sources_of_text, undecoded
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits
from vt.translatable import Message

_log = logging.getLogger(__name__)
_IN_MP4_VIDEO = {"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "vc1"}
_ENCODING_MEMORY = 6 * 1024 * MB
"""A picture of 8K that is encoded in 8 threads takes 4.4 GB of addresses, one of 4K half of that."""
_PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.5")
"""Options by which ffmpeg says on stdout how far it is."""
_DONE = re.compile(r"out_time_us=([0-9]{1,15})")
_MICROSECONDS = 1_000_000
OnShare = Callable[[float], None]
"""Is told how much is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Soft:
    """A subtitle track to add: an SRT file, its language (ISO 639-2/T or 639-3) and its title."""

    path: Path
    language: str
    title: str


@dataclass(frozen=True, slots=True)
class Named:
    """Language tag and title of an audio track."""

    language: str
    title: str


@dataclass(frozen=True, slots=True)
class Burn:
    """Subtitles that are drawn into the picture: an ASS file, and what is known of the picture."""

    text: Path
    picture: Picture


def mux(
    info: MediaInfo,
    original: Track | None,
    dub: Path,
    names: tuple[Named, Named],
    softs: Iterable[Soft],
    target: Path,
    cancel: Cancel | None = None,
    decode: Decode = undecoded,
    burn: Burn | None = None,
    slowing: Slowing | None = None,
    on_progress: OnShare = lambda _: None,
) -> list[Message]:
    """Write the film: picture copied, the dub first and default, the original second, the rest behind them.

    Args:
        info: of the film.
        original: the track that was dubbed; None for a film without sound.
        dub: the dubbed track.
        names: the dub's and the original's.
        softs: subtitles to add.
        target: where the film goes.
        cancel: ends it.
        decode: reads the film's own subtitles where they are not in UTF-8.
        burn: what is drawn into the picture, which is encoded again for that.
        slowing: where the film is slowed; dub and added subtitles are at its new times already.
        on_progress: is told how much of the picture is done, where it is encoded again.

    Returns:
        Sentences about what could not be kept as it was.

    Raises:
        MediaError: the film is damaged, or takes more than is given to one.
    """
    with TemporaryDirectory(prefix="texts-", dir=dub.parent) as folder:
        texts = sources_of_text(info, text_tracks(info), Path(folder), decode, cancel)
        kept = {extent: keeping(info, original, texts, extent) for extent in reversed(Extent)}
        slow = _slowed(info, kept[Extent.ALL], slowing, Path(folder), cancel) if slowing else None
        kept = {extent: slow.moved(some) for extent, some in kept.items()} if slow else kept
        pictures = pictures_alone(info, kept[Extent.ALL].covers, Path(folder), cancel)
        failures = {extent: _what_failed(extent, original) for extent in kept}
        added = _Added(names, list(softs), pictures, burn, slow)
        plans = _distinct(_Mux(info, kept[extent], added, failures[extent]) for extent in kept)
        return _as_full_as_possible(plans, dub, target, cancel, on_progress)


@dataclass(frozen=True, slots=True)
class _Slow:
    """What a slowed film has in place of what the film holds."""

    slowing: Slowing
    sounds: Mapping[int, Path]
    """Its sound tracks by their indexes, at their new times."""
    texts: Mapping[int, Path]
    """Its subtitles by their indexes, as mp4 holds them, at the times of the film as it is."""
    chapters: Path

    def moved(self, kept: Keeping) -> Keeping:
        """Return what is kept of the film, in these files."""
        sounds, texts = self._there(kept.sounds, self.sounds), self._there(kept.subtitles, self.texts)
        lost = (len(sounds), len(texts)) != (len(kept.sounds), len(kept.subtitles))
        note = [Message("A track was left out: it cannot be slowed with the picture.")] if lost else []
        has_original = kept.has_original and kept.sounds[0].track.index in self.sounds
        return replace(kept, sounds=sounds, subtitles=texts, has_original=has_original, notes=[*kept.notes, *note])

    def _there(self, kept: Iterable[Kept], files: Mapping[int, Path]) -> list[Kept]:
        return [Kept(one.track, {"c": "copy"}, files[one.track.index]) for one in kept if one.track.index in files]


def _slowed(info: MediaInfo, kept: Keeping, slowing: Slowing, folder: Path, cancel: Cancel | None) -> _Slow:
    """Write what is slowed of a film, each track into a file of its own; what fails is left out."""
    found: dict[int, Path] = {}
    for one in (*kept.sounds, *kept.subtitles):
        path = folder / f"{one.track.index}.mov"
        try:
            if one in kept.subtitles:
                _write_alone(info, one, path, cancel)
            elif is_decodable(one.track):
                slowed_track(info, one.track, slowing, path, cancel)
        except ToolMissing:
            raise
        except (ToolError, MediaError) as error:
            _log.warning("A track could not be slowed, so it is left out: %s", error)
        else:
            found |= {one.track.index: path} if path.is_file() else {}
    write_chapters(info, slowing, folder / "chapters.txt", cancel)
    return _Slow(slowing, found, found, folder / "chapters.txt")


def _write_alone(info: MediaInfo, text: Kept, target: Path, cancel: Cancel | None) -> None:
    """Write subtitles alone as mp4 holds them: ffmpeg moves only what it copies, for else it loses the last one."""
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
    if text.file:
        argv += ["-protocol_whitelist", "file", "-f", text.file.suffix[1:], "-i", url(text.file), "-map", "0:s:0"]
    else:
        argv += [*opening_options(), "-i", url(info.path), "-map", f"0:{text.track.index}"]
    argv += ["-c:s", "mov_text", "-f", "mov", url(target)]
    size = info.path.stat().st_size
    cpu = 60 + size / MB
    limits = ChildLimits(patience(cpu, size), cpu, MEMORY, min(size + MB, room_on_disk(target)))
    run(Child(argv, limits, reads=[text.file or info.path], writes=[target], purpose="write subtitles"), cancel)


def _as_full_as_possible(
    plans: list[_Mux], dub: Path, target: Path, cancel: Cancel | None, on_progress: OnShare
) -> list[Message]:
    """Write the film by the first of the plans that works, and return its notes; the last one keeps the least."""
    *fuller, last = plans
    info = last.info
    for plan in fuller:
        try:
            return _written(plan, dub, target, cancel, on_progress)
        except ToolMissing:
            raise
        except ToolStopped as error:
            if not error.by_limit:
                raise unfit(info.path, error) from error
        except ToolError as error:  # a film may hold what no table of kinds foresees: the dub is worth more than that
            _log.warning("Not all tracks of a film could be written, so some are left out: %s", error)
    try:
        return _written(last, dub, target, cancel, on_progress)
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError as error:
        raise MediaError(
            "{file} cannot be written anew with its dub: it is damaged, or holds what no mp4 can.", file=info.path
        ) from error


def _distinct(plans: Iterable[_Mux]) -> list[_Mux]:
    """Return the plans that differ: a film without further tracks is not written twice."""
    found: dict[tuple[str, ...], _Mux] = {}
    for plan in plans:
        found.setdefault(tuple(plan.options), plan)
    return list(found.values())


def _written(plan: _Mux, dub: Path, target: Path, cancel: Cancel | None, on_progress: OnShare) -> list[Message]:
    """Write the film, and return the notes of the plan."""
    info = plan.info
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
    argv += _PROGRESS if plan.encodes else []
    argv += [*opening_options(), *decoders(info.kinds), "-i", url(info.path)]
    argv += ["-protocol_whitelist", "file", "-i", url(dub)]
    beside = plan.beside
    for path, form in beside.items():
        argv += ["-protocol_whitelist", "file", "-f", form, "-i", url(path)]
    argv += [*plan.options, url(target)]
    if timeline.may_jump(info.container):
        argv += timeline.read_along(info.timed)
    reads = [info.path, dub, *beside, *([plan.burn.text, *fonts.folders()] if plan.burn else [])]

    def tell(line: str) -> None:
        done = _DONE.fullmatch(line)
        if done and info.seconds > 0:
            on_progress(min(1.0, int(done[1]) / _MICROSECONDS / info.seconds))

    run(
        Child(argv, plan.limits(dub, target), reads=reads, writes=[target], purpose="mux the film"),
        cancel,
        on_line=tell,
    )
    if plan.encodes:
        on_progress(1.0)  # the last that ffmpeg tells may be long before the end
    return plan.notes


@dataclass(frozen=True, slots=True)
class _Added:
    """What a film is put together from, beside itself."""

    names: tuple[Named, Named]
    """The dub's and the original's."""
    softs: list[Soft]
    pictures: Mapping[int, Path]
    """The covers of the film by their indexes, each in a file of its own; none where they are read from the film."""
    burn: Burn | None
    """What is drawn into the picture."""
    slow: _Slow | None = None
    """How it is slowed."""


class _Mux:
    """Composes the tracks of the result: what can live in its container is copied, the rest encoded or left out."""

    def __init__(self, info: MediaInfo, kept: Keeping, added: _Added, notes: list[Message]) -> None:
        self.info, self.names, self.softs, self.kept = info, added.names, added.softs, kept
        self.pictures = added.pictures if kept.covers else {}
        self.burn = added.burn if info.video else None
        self.slow = added.slow
        self.notes = notes
        self.options = self._options()
        """Of the output."""
        # Of ten tracks of a kind the same is said once.
        self.notes = list(dict.fromkeys([*self.notes, *self.kept.notes]))

    def _options(self) -> list[str]:
        container = "mp4" if self.info.video else "ipod"
        # Behind film and dub.
        chapters = 2 + list(self.beside).index(self.slow.chapters) if self.slow else 0
        common = ["-map_metadata", "0", "-map_chapters", str(chapters), "-movflags", "+faststart"]
        return [*self._picture(), *self._sound(), *self._text(), *self._covers(), *common, "-f", container]

    @property
    def encodes(self) -> bool:
        """Whether the picture is encoded again, which takes long."""
        return bool(self.burn or (self.info.video and self.info.video.codec not in _IN_MP4_VIDEO))

    def limits(self, dub: Path, target: Path) -> ChildLimits:
        """Return what may be used to put the film together: little, unless its picture is encoded again."""
        size, seconds = self.info.path.stat().st_size, max(self.info.seconds, dub.stat().st_size / 8000)
        encodes = self.encodes
        a_second = (25 * MB if encodes else 0) + len(self.info.audio) * 32_000
        cpu = 300 + seconds * (100 if encodes else 1 + len(self.info.audio)) + size / MB
        room = room_on_disk(target)
        most = int(2 * size + 2 * dub.stat().st_size + 64 * MB + seconds * a_second)
        # The index of the packets is kept in memory, twice: about 20 kB for each second of a film with many tracks.
        memory = (_ENCODING_MEMORY if encodes else MEMORY) + int(50_000 * seconds) + len(self.beside) * INPUT_MEMORY
        return ChildLimits(patience(cpu, size), cpu, memory, min(most, room), open_files=64 + len(self.beside))

    def _picture(self) -> list[str]:
        video = self.info.video
        if video is None:
            return []
        chosen = ["-map", f"0:{video.index}"]
        if self.burn:
            self.notes += self.burn.picture.notes
            return [*chosen, *ENCODER, "-filter:v:0", self._at_new_times(self.burn.picture.filters(self.burn.text))]
        if video.codec in _IN_MP4_VIDEO:
            tag = ["-tag:v:0", "hvc1"] if video.codec == "hevc" else []
            return [*chosen, "-c:v:0", "copy", *tag, *self._moved("v:0")]
        self.notes.append(
            Message(
                "The picture was {codec}, which cannot live in mp4: it was encoded again as H.264.", codec=video.codec
            )
        )
        return [*chosen, *ENCODER, "-filter:v:0", self._at_new_times("scale=trunc(iw/2)*2:trunc(ih/2)*2")]

    def _at_new_times(self, filters: str) -> str:
        """Return the filters of a picture, with one before them that moves its frames where the film is slowed."""
        return f"{self.slow.slowing.frames},{filters}" if self.slow else filters

    def _moved(self, stream: str) -> list[str]:
        """Return the options that move the packets of a stream where the film is slowed."""
        return [f"-bsf:{stream}", self.slow.slowing.packets] if self.slow else []

    def _sound(self) -> list[str]:
        out = ["-map", "1:a:0", "-c:a:0", "copy", "-disposition:a:0", "default", *_named("a:0", self.names[0])]
        inputs = self._inputs("a:0")
        for place, sound in enumerate(self.kept.sounds, 1):
            out += [*_mapped(sound, f"a:{place}", inputs), f"-disposition:a:{place}", "0"]
        return [*out, *(_named("a:1", self.names[1]) if self.kept.has_original else [])]

    @property
    def beside(self) -> dict[Path, str]:
        """The files that subtitles and covers are read from, with their formats, in the order of ffmpeg's inputs."""
        files = [kept.file for kept in (*self.kept.subtitles, *self.kept.sounds) if kept.file]
        texts = {soft.path: "srt" for soft in self.softs}
        chapters = {self.slow.chapters: "ffmetadata"} if self.slow else {}
        return texts | {file: file.suffix[1:] for file in (*files, *self.pictures.values())} | chapters

    def _inputs(self, stream: str) -> dict[Path, str]:
        """Return by which name ffmpeg knows a stream of each of these files."""
        return {path: f"{number}:{stream}" for number, path in enumerate(self.beside, 2)}

    def _text(self) -> list[str]:
        out: list[str] = []
        inputs = self._inputs("s:0")
        for place, soft in enumerate(self.softs):
            named = _named(f"s:{place}", Named(soft.language, soft.title))
            out += ["-map", inputs[soft.path], f"-c:s:{place}", "mov_text", f"-disposition:s:{place}", "0", *named]
        for place, text in enumerate(self.kept.subtitles, len(self.softs)):
            out += [*_mapped(text, f"s:{place}", inputs), f"-disposition:s:{place}", "0", *self._moved(f"s:{place}")]
        return out

    def _covers(self) -> list[str]:
        out: list[str] = []
        inputs = self._inputs("0")
        for place, track in enumerate(self.kept.covers, 1 if self.info.video else 0):
            source = inputs[self.pictures[track.index]] if self.pictures else f"0:{track.index}"
            out += ["-map", source, f"-c:v:{place}", "copy", f"-disposition:v:{place}", "attached_pic"]
        return out


def _mapped(kept: Kept, stream: str, inputs: Mapping[Path, str] | None = None) -> list[str]:
    """Return the options that keep a track; `inputs` are the files from which texts are read."""
    options = [part for key, value in kept.options.items() for part in (f"-{key}:{stream}", value)]
    # Many files have the older codes of ISO 639-2, such as "ger": all tracks of the result have the newer ones.
    language = languages.find(kept.track.language)
    code = language.iso639_3 if language else kept.track.language
    if inputs and kept.file:
        return ["-map", inputs[kept.file], *options, *_named(stream, Named(code, kept.track.title))]
    tags = [f"-metadata:s:{stream}", f"language={code}"] if language else []
    return ["-map", f"0:{kept.track.index}", *options, *tags]


def _what_failed(extent: Extent, original: Track | None) -> list[Message]:
    """Return what is said of a film that could not be written with all of its tracks."""
    if extent == Extent.ALL:
        return []
    if extent == Extent.ORIGINAL or original is None:
        return [Message("The further tracks of the film were left out: ffmpeg could not write them.")]
    return [Message("All sound of the film but the dub was left out: ffmpeg could not write it.")]


def _named(stream: str, name: Named) -> list[str]:
    tags = {"language": name.language, "title": name.title, "handler_name": name.title}
    return [part for key, value in tags.items() for part in (f"-metadata:s:{stream}", f"{key}={value}")]
