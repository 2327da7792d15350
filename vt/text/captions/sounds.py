"""Sounds, songs and remarks of captions, which nobody says: "(SIGHS)", "[applause]", "*door slams*", notes."""

from __future__ import annotations

import re
from collections.abc import Callable

_SQUARE = re.compile(r"\[[^\[\]]*+\]|\{[^{}]*+\}|【[^【】]*+】|［[^［］]*+］|｛[^｛｝]*+｝|〔[^〔〕]*+〕|＜[^＜＞]*+＞")
_ROUND = re.compile(r"\([^()]*+\)|（[^（）]*+）")
_STARS = re.compile(r"(?<![*\w])\*{1,3}+([^\s*](?:[^*\n]{0,98}[^\s*])?)\*{1,3}+(?![*\w])")
_SPACED_STARS = re.compile(r"(?m)^[-–—\s]{0,9}\*{1,3}+\s[^*]{1,200}+\*{1,3}+[^\S\n]*+$")
"""Thus German television writes what is heard: "* Musik *"; one star alone may begin an item of a list."""
_SIGNS = re.compile("[\\[{(*#【［｛〔＜（♪♫♬♩🎵🎶¶≪→➡]")
"""Without any of these, a text is all speech."""
_NESTED = 3
"""Brackets in brackets that are taken out with them."""
_NOTES = re.compile("[♪♫♬♩🎵🎶¶](?:\\s*[♪♫♬♩🎵🎶¶])*+")
"""The pilcrow is what old decoders of broadcasts make of a note."""
_ARROWS = re.compile("(?m)^[≪→➡]++|[→➡]++$")
"""In Japanese captions: somebody who is not seen speaks, or a sentence goes on in the next cue."""
_HASHES = re.compile(r"(?m)^[^\S\n]*+#[^\S\n][^#\n]*+#?+[^\S\n]*+$")
NAMED = "\x1f"
"""Stands, within this package, behind a name that was in brackets or had a remark: no file may hold it here."""
_NAME_FOLLOWS = re.compile(r"\s{0,9}[:：]")
_NAME_WORDS = 4
"""A name before a remark and a colon has fewer."""
_ENDED = re.compile(r"[.?!…。！？:：;\"”’»-]$")
_MARK = re.compile(r"[,.;:?!…，。；：？！]")
_FEW_WORDS, _SOME_WORDS = 3, 6
"""The most of a known sound within a line, and at its edge."""
_ACRONYM = re.compile(r"\w{1,4}")
_CLAUSE = re.compile(
    r"(?i)(?:who|which|that|what|and|or|but|i|he|she|it|we|you|they|if|as|que|qui|der|die|das|il|elle|el|ella)\b"
)
"""Thus begins a part of a sentence, and no sound."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SOUNDS = _set(
    "laugh chuckl giggl snicker sigh gasp groan moan grunt cough sneez sniff sob cry weep wail scream shout yell"
    " whisper murmur mumbl mutter whimper whistl hum applau clap cheer boo music song sing chant play gunshot"
    " gunfire shot bang boom thud crash slam knock creak door bell ring beep buzz click siren alarm horn honk"
    " engine tire thunder footstep bark growl meow chirp silence pause inaudible indistinct unintelligible speak"
    " continue chatter static phone clears exhal inhal breath pant snor yawn gulp burp hiccup explo rumbl rustl"
    " splash squeak squeal screech risa ríe rie suspir gemid aplau músic tos llant llor grit golpe portazo timbre"
    " teléfono disparo susurr ladr ininteligible silencio pausa canta jadea solloz carcajad ovaci rire rit soupir"
    " gémi applaud musique tousse sanglot pleur cri hurl chuchot coup sonnerie porte téléphone tir aboie rires"
    " lach seufz stöhn applaus beifall musik hust schluchz wein schrei ruf flüster klopf klingel tür schuss"
    " räusper gelächter stille unverständlich singt donner ride risat sospir gem musica toss singhiozz piang grid"
    " urla sussurr bussa squill porta sparo risos riso ri aplaus música solu chor bat campainha tiro lacht zucht"
    " muziek hoest huilt schreeuwt fluistert klopt deur stilte gelach śmie śmiech wzdych oklask brawa muzyk kaszl"
    " płacz krzy szept puka dzwon drzwi strzał cisza smích povzdech potlesk hudba kašel pláč křik skratt suck"
    " applåd смех смеет вздых вздох аплод музык кашл плач крич крик шёпот шепот стук звон дверь выстрел тишин сміх"
    " музик gülme güler iç alkış müzik öksür ağla bağır fısılda kapı nevetés sóhaj taps zene γέλι χειροκρ μουσικ"
    " αναστεν"
)
_STEM = 5
"""Signs from which on a word that begins so is known; shorter ones have to be all of the word but its ending."""
_ENDING = r"(?:s|es|ing|ed)?\b"
_SOUND = re.compile("|".join(rf"\b{re.escape(word)}{_ENDING if len(word) < _STEM else ''}" for word in sorted(_SOUNDS)))
_UNSPACED_SOUND = re.compile(
    "笑|拍手|歓声|音楽|歌|泣|ため息|溜息|叫|咳|足音|物音|銃声|着信|チャイム|ノック|悲鳴|掌声|音乐|音樂|歌声|叹|嘆|咳嗽|哭|尖叫|铃|鈴"
    "|敲门|敲門|枪声|槍聲|웃음|박수|음악|한숨|기침|울음|비명|노크|노래|ضحك|موسيقى|تصفيق|צחוק|מוזיקה|מחיאות|เสียง|ดนตรี|หัวเราะ|ปรบมือ"
)


def without(text: str) -> str:
    """Return the text of a cue, its lines still apart, without what nobody says.

    What stands in square brackets, braces and the like, between notes, or between hashes at the edges of a line, is
    left out. What stands in round brackets or between asterisks is left out where it names a known sound, where it is
    in capitals and the rest of the cue is not, and at the edge of a line where no sentence goes on around it. Else it
    is said, as in "the river (which is old) flows".
    """
    if not _SIGNS.search(text):
        return text
    text = _HASHES.sub(" ", _without_songs(_nested(_SQUARE, _name_or_nothing, _ARROWS.sub("", text))))
    return _STARS.sub(_without_stars, _SPACED_STARS.sub(" ", _nested(_ROUND, _without_round, text)))


def _nested(bracket: re.Pattern[str], kept: Callable[[re.Match[str]], str], text: str) -> str:
    """Replace brackets, and then those around them."""
    for _ in range(_NESTED):
        before, text = text, bracket.sub(kept, text)
        if text == before:
            break
    return text


def is_sound(text: str, most_words: int = _SOME_WORDS) -> bool:
    """Tell whether a text is the name of a known sound, in one of many languages."""
    bare = text.strip().lower()
    if bare.count(" ") >= most_words or _CLAUSE.match(bare):
        return False
    return bool(_SOUND.search(bare) or (len(bare) < 20 and _UNSPACED_SOUND.search(bare)))


def _without_songs(text: str) -> str:
    """Leave out what is sung: between two notes, from a note to the end of its line, over lines up to a note."""
    kept: list[str] = []
    is_sung = False
    lines = text.split("\n")
    closes = [bool(_NOTES.search(line)) and not _NOTES.match(line.lstrip()) for line in lines]
    last_closing = max((at for at, ends in enumerate(closes) if ends), default=-1)
    for at, line in enumerate(lines):
        parts = _NOTES.split(line)
        is_sung = is_sung and not _NOTES.match(line.lstrip())
        kept.append(" ".join(parts[is_sung::2]))
        # One note at the end of a line without another closes a song of an earlier cue, or means nothing.
        opens = len(parts) % 2 == 0 and bool(parts[-1].strip())
        is_sung = (opens if len(parts) > 1 and not is_sung else is_sung and len(parts) == 1) and at < last_closing
    return "\n".join(kept)


def _name_or_nothing(found: re.Match[str]) -> str:
    """Leave a bracket out, but for the name of who says the line: "[Anna]: Hello", "[ANNA:] Hello"."""
    name = found[0][1:-1].strip()
    before, after = _line_around(found)
    if before or is_sound(name):
        return " "
    if _NAME_FOLLOWS.match(after):
        return name + NAMED
    return f"{name[:-1]}{NAMED}: " if name.endswith((":", "：")) else " "


def _without_round(found: re.Match[str]) -> str:
    before, after = _line_around(found)
    if _NAME_FOLLOWS.match(after) and len(before.split()) < _NAME_WORDS:
        return NAMED if before else _name_or_nothing(found)  # "ANNA (on phone): Hello", "(ANNA): Hello"
    return " " if _is_remark(found, found[0][1:-1]) else found[0]


def _without_stars(found: re.Match[str]) -> str:
    is_word = " " not in found[1].strip() and any(_line_around(found))  # "I *never* said so"
    if is_sound(found[1]) if is_word else _is_remark(found, found[1]):
        return " "
    return found[1]


def _is_remark(found: re.Match[str], inside: str) -> bool:
    """Tell whether nobody says what is between brackets."""
    before, after = found.string[: found.start()].strip(), found.string[found.end() :]
    line_before, line_after = _line_around(found)
    # Behind the name of who speaks, a line begins: "MARIA: (on her knees) Please!"
    words = line_before.split()
    is_named = line_before.endswith((":", "：")) and len(words) < _NAME_WORDS and not any(w[0].islower() for w in words)
    is_within = any(map(str.isalnum, line_before)) and any(map(str.isalnum, line_after)) and not is_named
    if is_sound(inside, _FEW_WORDS if is_within else _SOME_WORDS):
        return True
    if inside.isupper() and not (before + after).isupper():
        return not (is_within and _ACRONYM.fullmatch(inside))
    if is_within or (before and _MARK.match(after)):
        return False
    return not (before and not _ENDED.search(before) and _goes_on(after))


def _goes_on(text: str) -> bool:
    """Tell whether a text may be the rest of a sentence: it does not begin with a capital."""
    first = next((sign for sign in text if not sign.isspace()), "")
    return first.isalnum() and not first.isupper()


def _line_around(found: re.Match[str]) -> tuple[str, str]:
    """Return what stands in the same line before and behind a match, without the marks of a new speaker."""
    before = found.string[: found.start()].rpartition("\n")[2].strip(" \t-–—>•")
    after = found.string[found.end() :].partition("\n")[0]
    return before, after.strip()
