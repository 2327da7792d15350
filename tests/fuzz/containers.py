"""Films put together as no program would: tracks dropped, swapped and doubled, times moved, containers changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from subprocess import run as run_program

from tests.films import AAC, FFMPEG, H264, PICTURE, SOUND, ffmpeg
from tests.fuzz import mutations
from tests.fuzz.seeds import SRT, VTT

_THREE = ["-map", "0", "-map", "1", "-map", "2", "-map", "3"]
_LOW = ["-f", "lavfi", "-i", "sine=frequency=220:sample_rate=44100:duration=1.6"]
_PLAIN = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-threads", "1"]
"""Without the encoder's name and the time in it, a file is the same at each making."""
_SOURCES: dict[str, Sequence[str]] = {
    "h264.mkv": [*PICTURE, *SOUND, *_LOW, "-i", "{folder}/talk.srt", *_THREE, *H264, *AAC, "-c:a:1", "ac3"],
    "bframes.mp4": [*PICTURE, *SOUND, "-c:v", "libx264", "-bf", "2", "-g", "12", "-pix_fmt", "yuv420p", *AAC],
    "mpeg2.ts": [*PICTURE, *SOUND, "-c:v", "mpeg2video", "-g", "10", "-c:a", "mp2"],
    "mpeg4.avi": [*PICTURE, *SOUND, "-c:v", "mpeg4", "-c:a", "mp3"],
    "vp8.webm": [*PICTURE, *SOUND, "-i", "{folder}/talk.vtt", "-c:v", "libvpx", "-b:v", "50k", "-c:a", "libvorbis"],
    "theora.ogg": [*PICTURE, *SOUND, "-c:v", "libtheora", "-c:a", "libvorbis"],
    "sound.mp3": [*SOUND, "-c:a", "mp3", "-b:a", "32k"],
    "sound.flac": [*_LOW, "-c:a", "flac", "-ar", "16000"],
    "sound.opus": [*SOUND, "-c:a", "libopus"],
    "sound.wav": [*_LOW, "-ac", "2"],
    "speech.m4a": [*_LOW, *AAC],
}
"""Two seconds each, all of whose tracks can be copied into some other container."""
_CODECS = {
    "mp4": [*H264, *AAC, "-c:s", "mov_text"],
    "mov": [*H264, "-c:a", "pcm_s16le", "-c:s", "mov_text"],
    "mkv": [*H264, "-c:a", "flac", "-c:s", "srt"],
    "ts": ["-c:v", "mpeg2video", "-c:a", "mp2", "-sn"],
    "mpg": ["-c:v", "mpeg2video", "-c:a", "mp2", "-sn"],
    "avi": ["-c:v", "mpeg4", "-c:a", "mp3", "-sn"],
    "flv": [*H264, *AAC, "-ar", "44100", "-sn"],
    "ogg": ["-c:v", "libtheora", "-c:a", "libvorbis", "-sn"],
    "webm": ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-c:s", "webvtt"],
    "wmv": ["-c:v", "wmv2", "-c:a", "wmav2", "-sn"],
    "nut": [*H264, *AAC, "-sn"],
}
"""By which codecs tracks are written that a container does not take as they are."""
_FORMS = {"mpg": "mpeg", "ts": "mpegts", "mkv": "matroska", "wmv": "asf"}
_FLAGS = ("0", "default", "comment", "default+comment", "visual_impaired", "hearing_impaired", "forced", "original")
_LANGUAGES = ("eng", "en", "en-US", "spa", "ger", "deu", "und", "mul", "qaa", "xx", "x" * 40, "ñ", "")
_TRIES = 20
"""Some containers take few of the tracks that are drawn."""


@dataclass(frozen=True)
class Container:
    """One film as no program would make it; its number and the seed of the run make it again."""

    seed: int
    number: int
    ways: tuple[str, ...]
    path: Path = field(repr=False)


@dataclass
class _Plan:
    """How one film is put together by ffmpeg: its inputs with their options, tracks and further options."""

    chance: Random
    ending: str
    inputs: list[list[str]]
    tracks: list[str]
    options: list[str] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    is_piped: bool = False
    pieces: list[str] = field(default_factory=list)
    """Of times: where a second film is put behind the first, how much later it says that it is."""


def make_sources(folder: Path) -> list[Path]:
    """Make the films whose tracks are put together anew."""
    (folder / "talk.srt").write_text(SRT, encoding="utf-8")
    (folder / "talk.vtt").write_text(VTT, encoding="utf-8")
    for name, arguments in _SOURCES.items():
        ffmpeg(*[part.format(folder=folder) for part in arguments], *_PLAIN, folder / name)
    return [folder / name for name in _SOURCES]


def make(sources: Sequence[Path], seed: int, number: int, folder: Path) -> Container:
    """Make one film, always the same one of the same numbers; ffmpeg refuses some draws, so the next one is made."""
    chance = Random(f"containers {seed} {number}")
    for _ in range(_TRIES):
        plan = _drawn(sources, chance)
        path = folder / f"film.{plan.ending}"
        if _is_written(plan, path):
            _damage(path, plan)
            return Container(seed, number, (plan.ending, *plan.ways), path)
    raise AssertionError(f"ffmpeg makes no film of seed {seed}, number {number}")


def _drawn(sources: Sequence[Path], chance: Random) -> _Plan:
    taken = chance.sample([*sources], chance.choice((1, 1, 2)))
    inputs = [["-i", str(path)] for path in taken]
    plan = _Plan(chance, chance.choice(list(_CODECS)), inputs, [str(place) for place in range(len(taken))])
    for name in chance.sample(list(WAYS), chance.choice((1, 2, 3))):
        if WAYS[name](plan):
            plan.ways.append(name)
    return plan


def _is_written(plan: _Plan, path: Path) -> bool:
    """Write the film; return whether ffmpeg did, and left something."""
    form = _FORMS.get(plan.ending, plan.ending)
    maps = [part for track in plan.tracks for part in ("-map", track)]
    inputs = [part for source in plan.inputs for part in source]
    content = b""
    for codecs in (["-c", "copy"], _CODECS[plan.ending]):
        for later in plan.pieces or [""]:
            begin = ["-output_ts_offset", later] if later else []
            argv = [*FFMPEG, *inputs, *maps, *codecs, *plan.options, *begin, *_PLAIN, "-t", "6"]
            target = "pipe:1" if plan.is_piped else f"file:{path}"
            done = run_program([*argv, "-f", form, target], capture_output=True, check=False, timeout=60)
            written = done.stdout if plan.is_piped or done.returncode else path.read_bytes()
            content = b"" if done.returncode or not written else content + written
        if content:
            path.write_bytes(content)
            return True
    return False


def _damage(path: Path, plan: _Plan) -> None:
    """Change bytes of the header, where that was drawn."""
    if "bytes of the header changed" in plan.ways:
        path.write_bytes(mutations.with_other_header(path.read_bytes(), plan.chance))


# What is changed: each way returns whether it is one for this film.


def _dropped(plan: _Plan) -> bool:
    plan.tracks.append(plan.chance.choice(("-0:v?", "-0:a:0?", "-0:a:1?", "-0:s?")))
    return True


def _swapped(plan: _Plan) -> bool:
    kinds = [f"{place}:{kind}?" for place in range(len(plan.inputs)) for kind in "vas"]
    plan.chance.shuffle(kinds)
    plan.tracks = kinds
    return True


def _doubled(plan: _Plan) -> bool:
    plan.tracks += [plan.chance.choice(("0:a?", "0:v?", "0:s?"))] * plan.chance.choice((1, 1, 3))
    return True


def _flagged(plan: _Plan) -> bool:
    for place in range(3):
        plan.options += [f"-disposition:a:{place}", plan.chance.choice(_FLAGS)]
    plan.options += ["-disposition:v:0", plan.chance.choice(("0", "default", "attached_pic"))]
    return True


def _tagged(plan: _Plan) -> bool:
    for place in range(3):
        plan.options += [f"-metadata:s:a:{place}", f"language={plan.chance.choice(_LANGUAGES)}"]
    plan.options += ["-metadata:s:s:0", f"language={plan.chance.choice(_LANGUAGES)}"]
    return True


def _moved(plan: _Plan) -> bool:
    """Move the times of packets, of one kind or of all."""
    how = plan.chance.choice(_MOVES)
    kind = plan.chance.choice((":v", ":a", ":a", ""))
    plan.options += [f"-bsf{kind}", f"setts=pts=PTS{how}:dts=DTS{how}"]
    return True


_MOVES = (
    r"+0.7/TB", r"+0.05/TB", r"-0.3/TB", r"+5/TB", r"*1.01", r"+if(gt(N\,30)\,0.8/TB\,0)", r"+if(gt(N\,30)\,300/TB\,0)",
    r"+mod(N\,3)*0.002/TB",
)  # fmt: skip


def _offset(plan: _Plan) -> bool:
    plan.inputs[-1] = ["-itsoffset", plan.chance.choice(("0.3", "1.5", "-0.4", "40")), *plan.inputs[-1]]
    return True


def _late(plan: _Plan) -> bool:
    plan.options += ["-output_ts_offset", plan.chance.choice(("0.5", "3", "1867", "95441"))]
    return True


def _in_programs(plan: _Plan) -> bool:
    plan.ending = "ts"
    plan.options += ["-program", "title=one:st=0:st=1"]
    plan.options += ["-program", plan.chance.choice(("title=two:st=0", "title=two:st=1", "title=two:st=2"))]
    return True


def _joined(plan: _Plan) -> bool:
    plan.ending = plan.chance.choice(("ts", "mpg"))
    plan.pieces = ["0", plan.chance.choice(("0", "2", "700", "90000"))]
    return True


def _fragmented(plan: _Plan) -> bool:
    plan.ending = plan.chance.choice(("mp4", "mov"))
    plan.options += [
        "-movflags",
        plan.chance.choice(("frag_keyframe+empty_moov", "frag_keyframe", "dash", "faststart")),
    ]
    return True


def _live(plan: _Plan) -> bool:
    plan.is_piped = plan.ending not in ("mp4", "mov")
    return plan.is_piped


def _changed_header(plan: _Plan) -> bool:
    del plan
    return True


WAYS: dict[str, Callable[[_Plan], bool]] = {
    "tracks dropped": _dropped,
    "tracks swapped": _swapped,
    "tracks doubled": _doubled,
    "flags changed": _flagged,
    "languages changed": _tagged,
    "times moved": _moved,
    "one film later": _offset,
    "begins late": _late,
    "two programmes": _in_programs,
    "two films joined": _joined,
    "fragments": _fragmented,
    "written live": _live,
    "bytes of the header changed": _changed_header,
}
"""What is done to a film, of which one to three are drawn."""
