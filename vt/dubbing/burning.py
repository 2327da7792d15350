"""Subtitles that are drawn into the picture: whether that can be done, and what is drawn."""

from __future__ import annotations

from pathlib import Path

from vt import media
from vt.domain import BOTH, Cancel, JobRequest
from vt.dubbing.subtitling import Sides
from vt.errors import InputError
from vt.languages import Language
from vt.media import Burn, MediaInfo
from vt.text import subtitles


def check(request: JobRequest, info: MediaInfo, heard: Language | None, cancel: Cancel | None = None) -> None:
    """Raise where the subtitles that are asked for cannot be drawn into a film's picture.

    Args:
        request: of the dub.
        info: of the film.
        heard: the language of the film; None where it is to be found out by listening.
        cancel: ends it.

    Raises:
        InputError: the film has no picture, or no subtitles in that language; or words are to light up in none.
        ToolMissing: no font that is installed has the letters of the language, or ffmpeg cannot draw into that picture.
    """
    burn, spoken = request.finish.burn, request.target_language
    if request.finish.karaoke and not burn:
        raise InputError(
            "Words light up in subtitles that are drawn into the picture: say also in which language these are to be "
            "(burn)."
        )
    if not burn or spoken is None:
        return
    media.check_renderer(media.picture_of(info, cancel))
    known = {language.code: language for language in (spoken, heard) if language}
    if heard and burn != BOTH and burn not in known:
        raise InputError(
            "There are no subtitles {code} to be drawn into the picture: there are {known}.",
            code=burn,
            known=", ".join((*known, BOTH)),
        )
    for code, language in known.items():
        if burn in (code, BOTH):
            media.font_for(language)


def prepared(
    sides: Sides, name: str, info: MediaInfo, text: Path, cancel: Cancel | None = None, *, karaoke: bool = False
) -> Burn:
    """Write the subtitles of one of the names of `sides` into the file `text`, as they fit the film's picture.

    With `karaoke` their words light up as they are spoken.
    A film that speaks the language of its dub has one side; then `both` is that one.
    """
    name = name if name in sides.names else sides.names[0]
    picture = media.picture_of(info, cancel)
    upper = sides.languages[0] if name == BOTH else next(each for each in sides.languages if each.code == name)
    drawn = media.font_for(upper), media.font_for(sides.languages[-1] if name == BOTH else upper)
    size = picture.width, picture.height
    text.write_text(subtitles.ass(sides.cues(name), size, drawn, karaoke=karaoke), encoding="utf-8")
    return Burn(text, picture)
