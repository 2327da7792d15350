"""Who speaks, as captions tell it: ">>", dashes, and names before a colon; what is no name is left to be said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vt.text.captions.sounds import NAMED

_CHEVRONS = re.compile(r"^[>＞]+|(?<=\s)[>＞]{2,}")
_DASH = re.compile(r"([-–—‐‑−•])\s*+(?=[^\s\d])|([-–—‐‑−•])\s++(?=\d)")
_DASHES = "-–—‐‑−•"
_DASH_WITHIN = re.compile(r"(?<=[.?!…])\s[-–—‐−](?=\s?[^\s\d-])")
"""Between two speakers in one line that begins with a dash too: "- Yes. - No."."""
_LABEL = re.compile(r"([^\n:：<>=/]{1,48})(?::(?=[\s\"“‘'¿¡«]|$)|(?<=[A-Z]):(?=[A-Z])|：)")
_WORD = re.compile(r"[\w.'’&#-]+")
_MOST_WORDS = 4
_MOST_SIGNS = 12
"""Of a name in a script that has no capitals."""
_ENDING = tuple('.?!…"”’»。？！')
_GOES_ON = ",;"
"""Behind these signs, as behind a letter, a sentence goes on."""
_IN_CJK = re.compile(r"(?:[\u3400-\u9fff々]{2,4}|[\u30a1-\u30ffー・]{2,10})(?:さん|くん|ちゃん)?")
"""A name in Chinese characters or katakana, as it stands before a colon."""
_MOST_ONCE = 2
"""Words of a name that occurs once, where capitals tell nothing."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ROLES = frozenset(
    [
        "man",
        "men",
        "woman",
        "women",
        "boy",
        "girl",
        "boys",
        "girls",
        "child",
        "children",
        "kid",
        "kids",
        "baby",
        "narrator",
        "reporter",
        "anchor",
        "announcer",
        "host",
        "guest",
        "interviewer",
        "interviewee",
        "moderator",
        "speaker",
        "voice",
        "voices",
        "both",
        "all",
        "crowd",
        "audience",
        "chorus",
        "doctor",
        "nurse",
        "officer",
        "soldier",
        "teacher",
        "student",
        "waiter",
        "driver",
        "captain",
        "king",
        "queen",
        "mother",
        "father",
        "mom",
        "dad",
        "mum",
        "sister",
        "brother",
        "operator",
        "hombre",
        "mujer",
        "niño",
        "niña",
        "narrador",
        "narradora",
        "reportero",
        "presentador",
        "presentadora",
        "locutor",
        "todos",
        "ambos",
        "voz",
        "homme",
        "femme",
        "garçon",
        "fille",
        "narrateur",
        "journaliste",
        "tous",
        "voix",
        "mann",
        "frau",
        "junge",
        "mädchen",
        "erzähler",
        "sprecher",
        "alle",
        "stimme",
        "uomo",
        "donna",
        "ragazzo",
        "ragazza",
        "narratore",
        "tutti",
        "voce",
        "homem",
        "mulher",
        "menino",
        "menina",
        "narrador",
        "todos",
        "мужчина",
        "женщина",
        "мальчик",
        "девочка",
        "диктор",
        "ведущий",
        "все",
        "голос",
    ]
)
"""Who is often named so; then once in a file is enough."""
_INNER = _set("in on at of the from and with for de del la el le du von der # no")
"""May stand within a name: "MAN IN BLACK", "VOICE ON RADIO"."""
_NO_NAMES = _set(
    "i you he she it we they me him us them my your his its our their mine yours this that these those here there"
    " who what when where why how which is are was were am be been do does did have has had will would can could shall"
    " should must may might not yes no so but or if then because as than a an one two three four five six seven eight"
    " nine ten first second third last next question questions answer answers note notes warning caution attention"
    " danger notice remember reminder listen look example examples tip hint fact facts result results price cost time"
    " times date place address phone number email website source sources step steps rule rules reason reasons problem"
    " problems solution point points thing things word words title subject topic chapter part episode scene act section"
    " lesson page song music lyrics breaking update news live today tomorrow tonight yesterday now ps nb fyi"
    " subtitles subtitle captions translation translated credits summary conclusion important ingredients total"
    " score level status plan goal message story truth moral choice options name age height weight let please get go"
    " come say said says means meaning mean ask asked know tell told think want need make take give see well okay ok"
    # "Note:", "question:", "for example:" and the like, and pronouns, in the languages most dubbed.
    " yo tú él ella nosotros ellos mi tu su es son qué quién cuándo dónde cómo pregunta respuesta nota aviso"
    " advertencia atención recuerda ejemplo precio hora fecha lugar problema solución resultado consejo"
    " je il nous vous ils c'est mon ma son que quoi qui où comment question réponse note attention avertissement"
    " rappel exemple prix heure date lieu problème résultat conseil ich er es wir ihr ist sind was wer wo wann wie"
    " warum frage antwort achtung warnung hinweis beispiel preis zeit datum ort problem lösung ergebnis tipp"
    " domanda risposta nota attenzione esempio prezzo ora data luogo problema risultato eu ele ela pergunta resposta"
    " aviso atenção exemplo preço lugar resultado"
    " я ты он она мы вы они что кто где когда как почему вопрос ответ внимание пример цена время дата место"
)
"""A label with one of these is no name."""
_NO_NAMES_IN_CJK = _set(
    "时间 時間 地点 地點 場所 日期 日時 价格 價格 価格 結果 结果 原因 理由 結論 结论 总结 總結 提示 警告 备注"
    " 備考 備註 補足 重要 目的 方法 内容 內容 标题 標題 字幕 翻译 翻譯 翻訳 电话 電話 名前 年齢 年龄"
    " ポイント ヒント メモ タイトル テーマ"
)
_NEVER_IN_CJK_NAMES = frozenset("说說話话道问問答題题是的了在有这這那我你他她它们們注例最第")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one person says without a break."""

    text: str
    """On one line."""
    speaker: str = ""
    begins: bool = False
    """True where a mark or a name says that another person begins to speak."""


@dataclass(frozen=True, slots=True)
class Names:
    """Which labels of a file are names.

    A name has at most four words, none of which names never have; in a script with capitals each begins with one. Such
    a label is a name where it is marked as one (by a dash, by >>, by brackets), where it occurs twice or is a role such
    as "Man", where another one answers it in the same cue, and where it is in capitals in a file that has small
    letters. In a file of capitals, or where most of the cues begin with labels, a short one is; so is one in Chinese
    characters or katakana before a wide colon.
    """

    repeated: frozenset[str]
    is_in_capitals: bool
    is_labelled: bool

    def has(self, label: str, is_marked: bool, goes_on: bool = False) -> bool:
        """Tell whether a label is a name.

        Args:
            label: what stands before a colon.
            is_marked: whether something else says that another person begins to speak there.
            goes_on: whether a sentence has begun in the line before.
        """
        words = _words_of_name(label)
        if not words:
            return False
        if is_marked or self.is_labelled or label in self.repeated:
            return True
        if any(word.lower() in ROLES for word in words):
            return True
        if not label.isupper() or sum(map(str.isalpha, label)) < 2:
            return False
        return not self.is_in_capitals or (not goes_on and len(words) <= _MOST_ONCE and words[0].lower() != "the")


def names(texts: Sequence[str]) -> Names:
    """Return which labels of the cues of a file are names."""
    labels = [label for text in texts for label in set(map(_label_of, text.split("\n"))) if label]
    counted = Counter(labels)
    small = sum(1 for text in texts if any(map(str.islower, text)))
    return Names(
        frozenset(label for label, count in counted.items() if count > 1),
        2 * small < len(texts),
        len(labels) > 1 and 4 * len(labels) >= 3 * len(texts) and len(counted) < len(labels),
    )


def turns(text: str, known: Names) -> list[Turn]:
    """Take the text of a cue apart where another person begins to speak."""
    found = [Turn("")]
    lines = [line.strip() for line in text.split("\n")]
    is_dialogue = sum(line.startswith(tuple(_DASHES)) for line in lines) > 1
    by_turns = _named_by_turns(lines)
    for line in lines:
        for part, begins in _parts(line, is_dialogue):
            label = _LABEL.match(part)
            goes_on = found[-1].text.endswith(tuple(_GOES_ON)) or found[-1].text[-1:].isalnum()
            is_marked = begins or (label is not None and _is_marked(label, goes_on, by_turns))
            is_named = label is not None and known.has(_bare(label[1]), is_marked, goes_on)
            said = part[label.end() :] if label and is_named else part
            if begins or is_named:
                found.append(Turn("", _bare(label[1]) if label and is_named else "", True))
            found[-1] = Turn(f"{found[-1].text} {said}", found[-1].speaker, found[-1].begins)
    return [Turn(" ".join(turn.text.replace(NAMED, "").split()), turn.speaker, turn.begins) for turn in found]


def _named_by_turns(lines: Sequence[str]) -> frozenset[str]:
    """Return the labels of a cue in which each line that has one begins a sentence, and the first has another."""
    found = [(_label_of(line), before) for line, before in zip(lines, ["", *lines], strict=False)]
    labels = {label for label, before in found if label and (not before or before.endswith(_ENDING))}
    is_dialogue = len(labels) > 1 and bool(found[0][0]) and all(len(label.split()) <= _MOST_ONCE for label in labels)
    return frozenset(labels) if is_dialogue else frozenset()


def _is_marked(label: re.Match[str], goes_on: bool, by_turns: frozenset[str]) -> bool:
    """Tell whether a label is a name by what is around it, though it occurs once."""
    bare = _bare(label[1])
    if NAMED in label[1] or bare in by_turns:
        return True
    is_cjk = bool(_IN_CJK.fullmatch(bare)) and bare not in _NO_NAMES_IN_CJK and _NEVER_IN_CJK_NAMES.isdisjoint(bare)
    return is_cjk and label[0].endswith("：") and not goes_on


def _parts(line: str, is_dialogue: bool) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a line, and whether another person begins to speak with each."""
    here, begins = 0, False
    for mark in _CHEVRONS.finditer(line):
        yield from _dashed(line[here : mark.start()].strip(), begins, is_dialogue)
        here, begins = mark.end(), True
    yield from _dashed(line[here:].strip(), begins, is_dialogue)


def _dashed(part: str, begins: bool, is_dialogue: bool) -> Iterator[tuple[str, bool]]:
    dash = _DASH.match(part)
    if not dash:
        yield part, begins
        return
    bare = part[dash.end() :]
    # Two dashes, or one before small letters, go on with what was said before.
    marks = bare[0] not in _DASHES and (is_dialogue or not bare[0].islower())
    first, *others = _DASH_WITHIN.split(bare) if marks else [bare.lstrip(_DASHES + " ")]
    yield first, begins or marks
    for other in others:
        yield other.strip(), True


def _label_of(line: str) -> str:
    """Return what may be a name at the start of a line; nothing where there is none."""
    label = _LABEL.match(line.strip().lstrip(_DASHES + ">＞ "))
    return _bare(label[1]) if label and _words_of_name(_bare(label[1])) else ""


def _bare(label: str) -> str:
    return " ".join(label.replace(NAMED, " ").split())


def _words_of_name(label: str) -> list[str]:
    """Return the words of what has the form of a name; none, where it has not."""
    words = label.split()
    if not 0 < len(words) <= _MOST_WORDS or not all(map(_WORD.fullmatch, words)) or not any(map(str.isalpha, label)):
        return []
    if any(word.lower().strip(".'’") in _NO_NAMES for word in words):
        return []
    if label.lower() == label.upper():
        return words if len(label) <= _MOST_SIGNS else []
    is_capital = (not word[0].islower() or word.lower() in _INNER for word in words)
    return words if words[0][0] == words[0][0].upper() and all(is_capital) else []
