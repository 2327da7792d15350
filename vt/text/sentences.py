"""Whole sentences rebuilt from recognised words, because a translator must see neither half a sentence nor two."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from statistics import fmean

from vt.domain import Pause, Segment, Timed, Word

PAUSE_SECONDS = 0.35
"""Between two words of a sentence; what is shorter is no pause, but how one speaks."""
_NEW_THOUGHT_SECONDS = 0.8  # with a capital behind it
_NO_PAUSE_SECONDS = 0.5  # what is said sooner is said in one breath
_TIME_ERROR_SECONDS = 0.5  # recognisers may put a word's start a little before that of the word before it

_OPENING = "¿¡“‘«‹„‚([{「『【《〈（［\"'"
_CLOSING = "”’“»›)]}」』】》〉）］\"'♪♫ \u00a0\u202f"  # French puts a space before its quotation marks
_DASHES = "-–—"
_TAIL = 40  # signs of a text that tell how it ends
_ENDED = re.compile(r"[.?!…。．｡？！‼⁇⁈⁉؟۔।॥։።፧។៕။\u037e]$|[\u0370-\u03ff];$")  # Greek asks with a semicolon
_ELLIPSIS = re.compile(r"(\.\.|…)$")
_CLAUSE_MARKS = re.compile(r"[,;:،؛、，；：–—-]$")
_ACRONYM = re.compile(r"\A(?:[^\W\d_]\.)*[^\W\d_]$")
_FIRST_PERSON = re.compile(r"I\b")
# Thai, Lao, Tibetan, Burmese, Khmer, Chinese and Japanese put no space between words.
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _set(
    "mr mrs ms mx dr prof rev hon gov sen rep gen col capt lt sgt cmdr messrs mt ft e.g i.e eg ie vs cf ca approx"
    " sra srta ud uds vd d.ª dña ej p.ej mme mlle hr fr bzw z.b d.h sig dott ing avv им г ул т.е т.к"
)
_BEFORE_NUMBERS = _set(
    "no nos nr núm num fig figs vol ch chap sec art p pp pg eq cap pág págs s jan feb mar apr aug sept oct nov dec"
)
_OFTEN_LAST = _set("etc usw inc ltd corp")
_MAY_BE_LAST = _set("co bros dept est jr sr st ave blvd ph.d")
_STARTERS = _set(
    "the a an he she it we they you i this that these those there then but and so in on at if when what how why who"
    " now well yes no not my his her our your their its as for after before with from let do did is are can"
    " el la los las él ella un una y pero en si cuando le les il elle nous vous ils et mais je c'est"
    " der die das er sie es wir ich und aber ein eine o os e mas não lo gli ma"
)
_JOINING = _set(
    "and but or so because that which who whose where when while if although though since until unless than"
    " y e o u pero sino que porque cuando donde mientras aunque si et mais ou qui parce quand lorsque comme donc"
    " und aber oder weil dass wenn als denn sondern ma che perché quando mas und porém i a и но или что потому когда"
    " если который bo ale że"
) - _set("a i")
_NEVER_LAST = _JOINING | _set(
    "the a an to of in on at by for with from into my your his her our their is are was were very this"
    " el la los las un una de del en con por para su le les des du dans avec pour der die das den dem ein eine"
    " zu von mit im il lo gli di da per um uma do da no na em com"
)


def sentences(
    words: Sequence[Word], *, pause_seconds: float = 1.5, max_seconds: float = 15.0, max_characters: int = 220
) -> list[Segment]:
    """Rebuild sentences from recognised words; they come in order of start, do not overlap, and count from 0.

    A sentence ends at its punctuation, where another person begins to speak, at a silence of `pause_seconds`, or at a
    shorter one before what looks like the start of a new sentence. One of more than `max_seconds` or `max_characters`
    is divided at a pause, a comma or a conjunction. Words are joined as they are where any of them brings its own
    space, as Whisper's do; else with one space between scripts that write it and none in those that don't. Punctuation
    alone is no sentence.
    """
    tidy = _without_overlap(_punctuated(_spaced(_in_order(words))))
    names = _names(tidy)
    result: list[Segment] = []
    first = 0
    for index, word in enumerate(tidy):
        following = tidy[index + 1] if index + 1 < len(tidy) else None
        if following is None or _is_boundary(word, following, pause_seconds, names):
            for part in _divided(tidy[first : index + 1], max_seconds, max_characters):
                span = part[0].start, part[-1].end
                overlaps = any(word.overlaps for word in part)
                times = tuple(_pauses(part)), tuple(Timed.of(word.text, word.start, word.end) for word in part)
                sure = fmean(word.probability for word in part)
                result.append(Segment(len(result), *span, _text(part), _speaker(part), overlaps, *times, sure))
            first = index + 1
    return result


def _in_order(words: Sequence[Word]) -> list[Word]:
    """Sort by start, but leave words in the order of the text that are out of it by a small error of their times."""
    result: list[Word] = []
    clock = -math.inf
    for word in words:
        if word.text.strip():
            clock = clock if clock - _TIME_ERROR_SECONDS <= word.start < clock else word.start
            result.append(replace(word, start=clock, end=max(word.end, clock)))
    return sorted(result, key=lambda word: word.start)


def _spaced(words: Sequence[Word]) -> list[Word]:
    """Give words the spaces that belong before them, where the recogniser has stripped them all."""
    if any(word.text != word.text.strip() for word in words):
        return list(words)
    spaces = [""]
    for before, after in pairwise(word.text for word in words):
        touching = _UNSPACED.match(before[-1]) or _UNSPACED.match(after[0]) or after[0] in _CLOSING + ".,;:?!…"
        spaces.append("" if touching else " ")
    return [replace(word, text=space + word.text) for space, word in zip(spaces, words, strict=False)]


def _punctuated(words: Sequence[Word]) -> list[Word]:
    """Join punctuation that stands alone to the word it belongs to, whose times stay."""
    result: list[Word] = []
    prefix = suffix = ""
    begins_turn = overlaps = False
    for word in words:
        mark = word.text.strip()
        begins_turn, overlaps = begins_turn or word.begins_turn, overlaps or word.overlaps
        if any(char.isalnum() for char in mark):
            _append(suffix, result)
            tight = prefix and prefix[-1] not in _DASHES + "«"
            text = prefix + (word.text.lstrip() if tight else word.text)
            result.append(replace(word, text=text, begins_turn=begins_turn, overlaps=overlaps))
            prefix = suffix = ""
            begins_turn = overlaps = False
        elif not result or prefix or begins_turn or _opens(mark, result[-1].text[-_TAIL:] + suffix[-_TAIL:]):
            prefix += word.text
        else:
            suffix += word.text
    _append(suffix, result)
    return result


def _append(suffix: str, result: list[Word]) -> None:
    if suffix:
        result[-1] = replace(result[-1], text=result[-1].text + suffix)


def _opens(mark: str, before: str) -> bool:
    """Tell whether a lone mark belongs to the word behind it: an opening bracket, the dash of a new speaker."""
    return (mark[0] in _OPENING and mark[0] not in _CLOSING) or (mark[0] in _DASHES and has_terminal_mark(before))


def _without_overlap(words: Sequence[Word]) -> list[Word]:
    """End each word before the next one starts."""
    limits = [*(word.start for word in words[1:]), math.inf]
    return [replace(word, end=min(word.end, limit)) for word, limit in zip(words, limits, strict=False)]


def _names(words: Sequence[Word]) -> frozenset[str]:
    """Guess the words that are capitalised wherever they stand: those seen so in the middle of a sentence."""
    return frozenset(
        _bare(after.text)
        for before, after in pairwise(words)
        if _head(after).isupper() and not has_terminal_mark(before.text) and _gap(before, after) < 0.3
    )


def _text(words: Sequence[Word]) -> str:
    return " ".join("".join(word.text for word in words).split())


def _pauses(words: Sequence[Word]) -> Iterator[Pause]:
    """Yield the pauses between the words of a sentence."""
    for at, (before, after) in enumerate(pairwise(words), 1):
        has_length = before.start < before.end  # else its times were wrong, and have been moved
        if has_length and _gap(before, after) >= PAUSE_SECONDS:
            yield Pause(before.end, after.start, len(_text(words[:at])))


def _speaker(words: Sequence[Word]) -> str:
    """Return who says a sentence: the first who is named in it, as a cue that goes on need not name them again."""
    return next((word.speaker for word in words if word.speaker), "")


def _changes_speaker(before: Word, after: Word) -> bool:
    """Tell whether another person begins to speak; a word without a name is said by whoever speaks already."""
    return after.begins_turn or bool(before.speaker and after.speaker and before.speaker != after.speaker)


def has_terminal_mark(text: str) -> bool:
    """Tell whether terminal punctuation ends a text, quotes and brackets behind it aside."""
    return bool(_ENDED.search(text.rstrip(_CLOSING)))


def _bare(text: str) -> str:
    return text.strip().strip(_OPENING + _CLOSING + ".,;:?!…").lower()


def _head(word: Word) -> str:
    """Give the first character that is no opening punctuation."""
    return word.text.strip().lstrip(_OPENING)[:1]


def _gap(before: Word, after: Word) -> float:
    return after.start - before.end


def _is_boundary(word: Word, following: Word, pause_seconds: float, names: frozenset[str]) -> bool:
    """Tell whether a sentence ends between two words."""
    gap = _gap(word, following)
    if gap >= pause_seconds or _changes_speaker(word, following):
        return True
    if not has_terminal_mark(word.text):
        return gap >= _NEW_THOUGHT_SECONDS and _new_thought(word, following, names)
    return not _continues(word.text.rstrip(), following, gap)


def _new_thought(word: Word, following: Word, names: frozenset[str]) -> bool:
    """Tell whether a capital after a pause, without punctuation before it, begins a sentence rather than a name."""
    if not _head(following).isupper() or _FIRST_PERSON.match(following.text.strip()):
        return False
    if _CLAUSE_MARKS.search(word.text.strip()) or _bare(word.text) in _NEVER_LAST:
        return False
    return _bare(following.text) not in names


def _continues(text: str, following: Word, gap: float) -> bool:
    """Tell whether a sentence goes on in spite of the punctuation at the end of `text`."""
    bare = text.rstrip(_CLOSING)
    at_once = gap < _NO_PAUSE_SECONDS
    ellipsis = bool(_ELLIPSIS.search(bare))
    if at_once and _head(following).islower() and (ellipsis or bare != text):  # "Stop!" he said
        return True
    if ellipsis or not bare.endswith("."):
        return False
    return _is_abbreviation(bare.split()[-1][:-1].lstrip(_OPENING), following, at_once)


def _is_abbreviation(stem: str, following: Word, at_once: bool) -> bool:
    """Tell whether the point behind `stem` abbreviates or counts, and does not end a sentence as well."""
    head, word = _head(following), stem.lower()
    if word in _TITLES or (word in _BEFORE_NUMBERS and head.isdigit()):
        return True
    if stem[-1:].isdigit():  # 3.|5 and "3. oktober", but not "It was 3. Five people came."
        return at_once and (head.islower() or (head.isdigit() and not following.text[0].isspace()))
    if word in _OFTEN_LAST:
        return head.islower()
    cased = stem.upper() != stem.lower()  # in other scripts a word of one letter is a word
    if word in _MAY_BE_LAST or (cased and _ACRONYM.match(stem)):
        return head.islower() or (at_once and not _starts_sentence(following))
    return False


def _starts_sentence(word: Word) -> bool:
    initial = len(_bare(word.text)) == 1 and word.text.rstrip().endswith(".")  # the second A. of A. A. Milne
    return _bare(word.text) in _STARTERS and not initial


def _divided(words: Sequence[Word], max_seconds: float, max_characters: int) -> list[Sequence[Word]]:
    """Divide a sentence that is too long, again and again, but leave no word alone."""
    done: list[Sequence[Word]] = []
    left = [(0, len(words))]
    worths: list[float] = []
    while left:
        first, end = left.pop()
        part = words[first:end]
        if len(part) < 4 or _fits(part, max_seconds, max_characters):
            done.append(part)
            continue
        worths = worths or [0.0, *(_split_quality(before, after) for before, after in pairwise(words))]
        at = first + _best_split(part, worths[first:end], max_seconds, max_characters)
        left += [(at, end), (first, at)]
    return done


def _fits(words: Sequence[Word], max_seconds: float, max_characters: int) -> bool:
    return words[-1].end - words[0].start <= max_seconds and len(_text(words)) <= max_characters


def _split_quality(before: Word, after: Word) -> float:
    """Tell how well a sentence can be divided between two words: after a comma, before an "and", in a pause."""
    halfway = bool(_CLAUSE_MARKS.search(before.text.strip().rstrip(_CLOSING)))
    joining = 0.6 * (_bare(after.text) in _JOINING)
    return max(halfway, joining) + min(_gap(before, after), 1.0)


def _best_split(words: Sequence[Word], worths: Sequence[float], max_seconds: float, max_characters: int) -> int:
    """Give the index of the word to begin anew with: where that is worth most, near the middle."""
    characters = list(accumulate(len(word.text) / max_characters for word in words))
    sizes = [(word.end - words[0].start) / max_seconds + count for word, count in zip(words, characters, strict=True)]
    # Never at the very edge of a long one: each division takes a good part of it, whatever its words are.
    edge = max(2, len(words) // 8)

    def merit(at: int) -> float:
        # Off the middle by a quarter costs as much as a comma or a pause of a second gains.
        return worths[at] - 4 * abs(sizes[at - 1] / sizes[-1] - 0.5)

    return max(range(edge, len(words) - edge + 1), key=merit)
