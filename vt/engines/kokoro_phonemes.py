"""The phonemes of a text by espeak-ng, as a command with text over stdin, in the notation that Kokoro's voices learnt.

espeak-ng leaves punctuation out, and it makes the prosody: so a line is divided at its marks, the words between them
are what espeak-ng gets, and the marks are put back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from vt.domain import Cancel
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

_LIMITS = ChildLimits(seconds=120, cpu_seconds=60, memory=512 * MB, file_bytes=64 * MB)
"""espeak-ng makes a file in memory for the sound, though it is told to be quiet."""
_LONGEST_RUN = 240
"""Characters given to espeak-ng on one line: it reads 1,000 bytes at once, and would divide what is longer anywhere."""
_ALIKE = str.maketrans(
    {**dict.fromkeys("«„‟", "“"), **dict.fromkeys("»", "”"), **dict.fromkeys("[{", "("), **dict.fromkeys("]}", ")")}
    | {**dict.fromkeys("–―‒", "—"), **dict.fromkeys("।॥", "."), **dict.fromkeys("‘’ʼ`´", "'"), "\u2011": "-"}
)
_MARK = re.compile(r"[;:,.!?—…\"()“”]")
_WITHIN_WORDS = ".,:"
_REPEATED = re.compile(r"([;:,.!?—…\"()“”])\1+")
_SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9]+)*\)")
"""Stands around a word that espeak-ng takes for another language's."""
_TIES = str.maketrans({"\u200d": "^", "\u0361": "^"})
_LEFT_OUT = str.maketrans("", "", "^-_")
_SCRIPTS = {"hi": ("DEVANAGARI", "LATIN")}
_SCRIPT = ("LATIN", "COMBINING")
"""How Unicode's names of letters begin that a voice has a sound for."""

# Which of espeak-ng's signs stand for what in the voices' training, as misaki (Apache-2.0) has it in its module espeak.
_JOINED = {
    "a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "s^s": "S", "t^s": "ʦ",
    "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
}  # fmt: skip
_ENGLISH = _JOINED | {
    "ɚɹ": "əɹ", "ʔˌn\u0329": "tᵊn", "ʔn\u0329": "tᵊn", "ʔn": "tᵊn", "ʔ": "t", "ə^l": "ᵊl", "ʲ": "", "ɚ": "əɹ", "r": "ɹ",
    "x": "k", "ç": "k", "ɬ": "l", "\u0303": "", "n\u0329": "ᵊn", "l\u0329": "ᵊl", "m\u0329": "ᵊm",
}  # fmt: skip
_BRITISH = _ENGLISH | {"e^ə": "ɛː", "i^ə": "ɪə", "e": "A", "ɐ": "ə", "o": "ɔ"}
_AMERICAN = _ENGLISH | {"ɜː^ɹ": "ɜɹ", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪ^ə": "iə", "e": "A", "ɐ": "ə", "o": "ɔ", "ː": ""}
_NOTATIONS = {"en-us": _AMERICAN, "en-gb": _BRITISH}


@dataclass(frozen=True, slots=True)
class _Run:
    """Words between two marks, and the mark behind them."""

    words: str
    mark: str

    @property
    def is_said(self) -> bool:
        return any(map(str.isalnum, self.words))

    def with_phonemes(self, phonemes: str) -> str:
        """Return phonemes in place of the words, with the spaces and the mark that are around these."""
        before, behind = self.words[:1].isspace(), self.words[-1:].isspace()
        return f"{' ' * before}{phonemes}{' ' * behind}{self.mark}"


def phonemes(texts: Sequence[str], espeak_voice: str, cancel: Cancel) -> list[str]:
    """Return the phonemes of each text, with its punctuation; all of them by one process.

    Args:
        texts: normalized by `vt.text.normalization`; signs, emoji and letters of other scripts are left out.
        espeak_voice: espeak-ng's code of the language, such as es, pt-br or en-gb.
        cancel: ends the process.

    Returns:
        One for each text; empty where there is nothing to say.

    Raises:
        ToolError: espeak-ng is missing, or failed.
        Cancelled: `cancel` was set.
    """
    lines = [list(_runs(_clean(text, espeak_voice))) for text in texts]
    answers = iter(_by_espeak([part.words for part in chain(*lines) if part.is_said], espeak_voice, cancel))
    return [_line(line, answers, espeak_voice) for line in lines]


def _clean(text: str, espeak_voice: str) -> str:
    """Return what there is to say of a text, with marks that the voices know."""
    scripts = _SCRIPTS.get(espeak_voice, _SCRIPT)
    alike = unicodedata.normalize("NFKC", text.replace("´", "'")).translate(_ALIKE)
    kept = "".join(char if _is_kept(char, scripts) else " " for char in alike)
    flat = " ".join(kept.split()).replace("...", "…").replace(" - ", " — ")
    return _REPEATED.sub(r"\1", flat)


def _is_kept(char: str, scripts: tuple[str, ...]) -> bool:
    if char.isascii():
        return char.isalnum() or char in "'- " or bool(_MARK.match(char))
    if unicodedata.category(char)[0] in "LM":
        return unicodedata.name(char, "").startswith(scripts)
    return char.isdecimal() or bool(_MARK.match(char))


def _runs(text: str) -> Iterator[_Run]:
    """Divide a text at its marks, and what is too long in between at a space, else anywhere."""
    here = 0
    for found in _MARK.finditer(text):
        if not _is_within_word(text, found.start()):
            yield from _short(text[here : found.start()], found[0])
            here = found.end()
    yield from _short(text[here:], "")


def _is_within_word(text: str, at: int) -> bool:
    """Tell whether a mark is none: in 3.5, U.S. and 10:30."""
    return text[at] in _WITHIN_WORDS and text[:at][-1:].isalnum() and text[at + 1 : at + 2].isalnum()


def _short(words: str, mark: str) -> Iterator[_Run]:
    while len(words) > _LONGEST_RUN:
        at = words.rfind(" ", 1, _LONGEST_RUN) + 1 or _LONGEST_RUN
        yield _Run(words[:at], "")
        words = words[at:]
    yield _Run(words, mark)


def _by_espeak(words: list[str], espeak_voice: str, cancel: Cancel) -> list[str]:
    """Return what espeak-ng makes of each run of words: line for line."""
    if not words:
        return []
    argv = ["espeak-ng", "-q", "--ipa=3", "-v", espeak_voice]
    told = "".join(f"{part.strip()}\n" for part in words).encode()
    answers = run(Child(argv, _LIMITS, told, purpose="pronounce lines"), cancel).decode(errors="replace").splitlines()
    if len(answers) == len(words):
        return answers
    # What espeak-ng has divided is found by halving; alone, all that comes is the answer.
    if len(words) == 1:
        return [" ".join(answers)]
    middle = len(words) // 2
    halves = words[:middle], words[middle:]
    return [answer for half in halves for answer in _by_espeak(half, espeak_voice, cancel)]


def _line(line: Iterable[_Run], answers: Iterator[str], espeak_voice: str) -> str:
    """Put a line together from its runs, with the next answers for those that were sent."""
    parts = [(part, _as_in_training(next(answers), espeak_voice) if part.is_said else "") for part in line]
    if not any(found for _, found in parts):
        return ""
    return " ".join("".join(part.with_phonemes(found) for part, found in parts).split())


def _as_in_training(ipa: str, espeak_voice: str) -> str:
    """Return what espeak-ng writes as the voices' training had it."""
    changed = _SWITCH.sub("", ipa).translate(_TIES)
    changes = _NOTATIONS.get(espeak_voice, _JOINED)
    for sign in sorted(changes, key=len, reverse=True):
        changed = changed.replace(sign, changes[sign])
    return " ".join(changed.translate(_LEFT_OUT).split())
