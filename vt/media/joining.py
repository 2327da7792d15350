"""The dubs of one film in one file: the picture once, a sound track and a subtitle track for each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from vt.domain import Cancel
from vt.errors import MediaError, ToolError, ToolMissing
from vt.media.commands import INPUT_MEMORY, MEMORY, opening_options, patience, room_on_disk, url
from vt.media.covers import pictures_alone
from vt.media.probing import MediaInfo, Track, probe
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits


def join(films: Sequence[Path], target: Path, cancel: Cancel | None = None) -> None:
    """Write one film out of several that `mux` has written from the same one: nothing is encoded again.

    The first one gives the picture, all tracks that are not its dub, covers and chapters; each gives its dub, which is
    its first sound track, and the subtitles in the language of the dub. The first dub is the default.

    Args:
        films: at least one, each with its dub in front.
        target: where the film goes.
        cancel: ends it.

    Raises:
        MediaError: one of them is damaged, or is no dub.
        ToolError: ffmpeg is missing or was stopped.
    """
    infos = [probe(film, cancel) for film in films]
    if silent := [info.path for info in infos if not info.audio]:
        raise MediaError("{file} has no sound, so it is no dub.", file=silent[0])
    first = infos[0]
    with TemporaryDirectory(prefix="covers-", dir=target.parent) as folder:
        covers = pictures_alone(first, first.covers, Path(folder), cancel)
        argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
        for info in infos:
            argv += [*opening_options(), "-i", url(info.path)]
        for path in covers.values():
            argv += ["-protocol_whitelist", "file", "-f", "nut", "-i", url(path)]
        argv += [*_tracks(infos, covers), "-c", "copy", "-map_metadata", "0", "-map_chapters", "0"]
        argv += ["-movflags", "+faststart", "-f", "mp4" if first.video else "ipod", url(target)]
        size = sum(film.stat().st_size for film in films)
        cpu = 300 + sum(info.seconds for info in infos) + size / MB
        # The index of the packets is kept in memory, twice.
        memory = MEMORY + int(50_000 * first.seconds * len(films)) + (len(films) + len(covers)) * INPUT_MEMORY
        room = min(2 * size + 64 * MB, room_on_disk(target))
        limits = ChildLimits(patience(cpu, size), cpu, memory, room, open_files=64 + len(films) + len(covers))
        try:
            run(Child(argv, limits, reads=[*films, *covers.values()], writes=[target], purpose="join dubs"), cancel)
        except ToolMissing:
            raise
        except ToolError as error:
            raise MediaError("The dubs of {file} cannot be put into one film.", file=first.path) from error


def _tracks(infos: Sequence[MediaInfo], covers: Mapping[int, Path]) -> list[str]:
    """Return the options that choose the tracks, in their order, and which of them play where nobody chooses."""
    first = infos[0]
    sounds = [(number, info.audio[0]) for number, info in enumerate(infos)]
    sounds += [(0, track) for track in first.audio[1:]]
    texts = [(number, text) for number, info in enumerate(infos) if (text := _of_dub(info))]
    texts += [(0, track) for track in first.subtitles if (0, track) not in texts]
    chosen = [*([(0, first.video)] if first.video else []), *sounds, *texts]
    out = [part for number, track in chosen for part in ("-map", f"{number}:{track.index}")]
    for place, track in enumerate(first.covers, 1 if first.video else 0):
        source = f"{len(infos) + list(covers).index(track.index)}:0" if covers else f"0:{track.index}"
        out += ["-map", source, f"-disposition:v:{place}", "attached_pic"]
    for kind, count in (("a", len(sounds)), ("s", len(texts))):
        for place in range(count):
            out += [f"-disposition:{kind}:{place}", "default" if (kind, place) == ("a", 0) else "0"]
    return out


def _of_dub(info: MediaInfo) -> Track | None:
    """Return the subtitles in the language of the dub; None where it has none."""
    return next((text for text in info.subtitles if text.language == info.audio[0].language), None)
