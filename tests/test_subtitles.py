"""Subtitles: lines that fit, cues that do not overlap, and files that other programs read."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from itertools import pairwise

import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vt import languages
from vt.domain import Pause, Timed
from vt.text import captions, line_breaking, subtitles
from vt.text.subtitles import CHARACTERS_A_SECOND, LINE_CHARACTERS, LONGEST_CUE_SECONDS, Cue

LONG = (
    "When the sun had set behind the hills of the country, the travellers came to the old inn on the moor; "
    "and there, as they had hoped, a fire was burning brightly for the guests."
)


def one(text: str, start: float = 1.0, end: float = 7.0, language: str = "") -> list[Cue]:
    return subtitles.cues([Cue(start, end, text)], language=languages.get(language) if language else None)


def lines(cues: list[Cue]) -> list[str]:
    return [line for cue in cues for line in cue.text.split("\n")]


def flat(text: str) -> str:
    """Return a text without its spaces, and without what marks the direction of lines."""
    return "".join(text.translate(dict.fromkeys((0x202B, 0x202C))).split())


def read(text: str) -> list[tuple[int, int, str]]:
    """Parse a file with the library and return (start, end, text) in milliseconds."""
    return [(line.start, line.end, line.plaintext) for line in pysubs2.SSAFile.from_string(text)] if text else []


words = st.text(
    st.characters(categories=["L", "N"], exclude_characters="İ", max_codepoint=0x10FF), min_size=1, max_size=14
)
punctuated = st.tuples(words, st.sampled_from(["", "", "", ",", ";", ".", "?", "…"])).map("".join)
latin = st.lists(punctuated, max_size=60).map(" ".join)


@st.composite
def sentences(draw: st.DrawFn) -> list[Cue]:
    """Draw sentences in order of time, which may touch, and may take no time at all."""
    here, found = 0.0, []
    for pause, length, text in draw(
        st.lists(st.tuples(st.floats(0, 3), st.floats(0, 7), latin | st.just("")), max_size=8)
    ):
        found.append(Cue(here + pause, here + pause + length, text))
        here += pause + length
    return found


# Lines


def test_a_short_sentence_is_one_line() -> None:
    assert [cue.text for cue in one("A short sentence.")] == ["A short sentence."]


def test_a_sentence_of_the_limit_is_one_line_and_one_more_letter_makes_two() -> None:
    full = ("abcdef " * 6).strip() + "g"
    assert len(full) == LINE_CHARACTERS
    assert lines(one(full)) == [full]
    assert len(lines(one(f"{full}h"))) == 2


def test_two_lines_are_about_as_long_as_each_other() -> None:
    above, below = lines(one("The house on the hill was built by an old man long ago."))
    assert abs(len(above) - len(below)) <= 6


@given(latin)
@settings(deadline=None, max_examples=50)
def test_no_line_is_too_long_and_no_cue_has_more_than_two(text: str) -> None:
    found = one(text)
    assert all(cue.text.count("\n") <= 1 for cue in found)
    assert all(len(line) <= LINE_CHARACTERS for line in lines(found))


@given(latin)
@settings(deadline=None, max_examples=50)
def test_words_are_never_broken_nor_lost_nor_moved(text: str) -> None:
    assert " ".join(lines(one(text))).split() == text.split()


@given(st.lists(st.sampled_from(["a", "an", "b" * 43, "c" * 60, "https://example.org/" + "d" * 90]), max_size=6))
def test_a_word_longer_than_a_line_is_broken_but_nothing_of_it_is_lost(parts: list[str]) -> None:
    found = one(" ".join(parts))
    assert flat(" ".join(lines(found))) == "".join(parts)
    assert all(len(line) <= LINE_CHARACTERS for line in lines(found))


def test_a_long_sentence_is_split_at_its_punctuation() -> None:
    found = one(LONG)
    assert len(found) >= 2
    assert all(cue.text[-1] in ",;." for cue in found)


def test_each_part_of_a_long_sentence_gets_its_share_of_the_time() -> None:
    found = one(LONG, 10.0, 22.0)
    assert found[0].start == 10.0
    assert found[-1].end == pytest.approx(22.0)
    for cue in found:
        share = len(cue.text) / sum(len(other.text) for other in found)
        assert cue.end - cue.start == pytest.approx(12 * share, abs=0.2)


@pytest.mark.parametrize("text", ["", " ", "\n", " \t\n "])
def test_a_text_of_nothing_makes_no_cue(text: str) -> None:
    assert one(text) == []


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "one\n\ntwo", "  one   two "])
def test_white_space_of_any_kind_is_one_space(text: str) -> None:
    assert lines(one(text)) == ["one two"]


# Other scripts


CHINESE = "他不是一个性情不好的年轻人，除非有些冷酷自私就算是性情不好。"
JAPANESE = "彼は気立ての悪い若者ではなかった。冷淡で利己的であることが悪いのでなければ、の話だが。"


@pytest.mark.parametrize("shift", range(12))
@pytest.mark.parametrize("text", [CHINESE * 6, JAPANESE * 5], ids=["Chinese", "Japanese"])
def test_a_language_without_spaces_is_broken_into_lines_that_fit_and_open_with_no_punctuation(
    text: str, shift: int
) -> None:
    found = one(text[shift:])
    assert "".join(lines(found)) == text[shift:]
    assert all(len(line) <= LINE_CHARACTERS for line in lines(found))
    assert not [line for line in lines(found) if line[0] in "，。、！？"]


@pytest.mark.parametrize("shift", range(12))
def test_a_language_without_spaces_is_split_after_its_punctuation_where_there_is_some_nearby(shift: int) -> None:
    found = one(CHINESE[shift:] + CHINESE * 5)
    assert all(cue.text[-1] in "，。" for cue in found)


def test_an_emoji_of_several_signs_is_not_torn() -> None:
    for shift in range(6):
        found = one("x" * shift + "👩‍👩‍👧" * 20)
        assert not [line for line in lines(found) if line[0] == "\u200d" or line[-1] == "\u200d"]


@pytest.mark.parametrize(("code", "text"), [("zh", CHINESE * 4), ("ja", JAPANESE * 4), ("zh-Hant", CHINESE * 3)])
def test_a_line_of_chinese_or_japanese_has_at_most_sixteen_signs_of_full_width(code: str, text: str) -> None:
    found = one(text, 1.0, 60.0, code)
    assert "".join(lines(found)) == text
    assert all(len(line) <= 16 for line in lines(found))
    assert not [line for line in lines(found) if line[0] in "，。、！？"]


def test_a_line_of_korean_has_at_most_sixteen_syllables_and_ends_between_words() -> None:
    text = "그는 냉정하고 이기적인 것이 나쁜 성격이 아니라면 성격이 나쁜 젊은이는 아니었다고 사람들이 말했다."
    found = one(text, 1.0, 9.0, "ko")
    assert " ".join(lines(found)).split() == text.split()
    assert all(line_breaking.width(line) <= 32 for line in lines(found))


def test_names_in_katakana_latin_and_numbers_are_not_torn_in_japanese() -> None:
    kept = ["スカイツリー", "iPhone 15", "2026年", "アイスクリーム", "「ええっ？」"]
    text = "昨日は東京のスカイツリーでiPhone 15を買った友達が「ええっ？」と言い、2026年の夏にアイスクリームを食べた。"
    for shift in range(12):
        found = lines(one("あ" * shift + text, 1.0, 20.0, "ja"))
        assert all(any(name in line for line in found) for name in kept), found


def test_a_sign_stays_with_the_letter_that_it_stands_on() -> None:
    thai = "เขาไม่ใช่ชายหนุ่มที่มีนิสัยไม่ดีเว้นแต่ว่าการเป็นคนใจเย็นชาและเห็นแก่ตัวจะถือว่าเป็นนิสัยไม่ดี"
    for shift in range(8):
        found = one("ก" * shift + thai * 2)
        assert not [line for line in lines(found) if line[0] in "ิีึืุู่้๊๋์ัํ็"]


@pytest.mark.parametrize("text", ["لم يكن شابا سيئ الطباع، ", "הוא לא היה צעיר רע לב, "], ids=["Arabic", "Hebrew"])
def test_a_language_from_right_to_left_keeps_its_letters_in_order_of_reading(text: str) -> None:
    found = one(text * 6)
    assert " ".join(lines(found)) == (text * 6).strip()
    assert [got[2] for got in read(subtitles.srt(found))] == [cue.text for cue in found]


MIXED = {
    "ar": "قال إنه سيعود غداً مع iPhone 15، وسوف يشتري 3 كتب!",
    "he": "עם iPhone 15 הוא אמר שהוא יחזור מחר, ויקנה גם 3 ספרים!",
    "fa": "او گفت که فردا با iPhone 15 برمی‌گردد و 3 کتاب می‌خرد!",
    "ur": "اس نے کہا کہ وہ کل iPhone 15 کے ساتھ واپس آئے گا اور 3 کتابیں خریدے گا!",
}


@pytest.mark.parametrize("code", MIXED)
def test_lines_from_right_to_left_that_mix_directions_are_marked_as_such(code: str) -> None:
    found = lines(one(MIXED[code], language=code))
    assert all(line.startswith("\u202b") and line.endswith("\u202c") for line in found)
    assert flat("".join(found)) == flat(MIXED[code])


@pytest.mark.parametrize(("code", "text"), [("ar", "صباح الخير"), ("ar", "OK"), ("en", "He said שלום to me.")])
def test_lines_that_are_read_in_one_direction_anyway_are_not_marked(code: str, text: str) -> None:
    assert lines(one(text, language=code)) == [text]


def test_the_marks_of_direction_are_not_read_as_a_part_of_what_is_said() -> None:
    found = captions.read(subtitles.srt(one(MIXED["ar"], language="ar")).encode()).utterances
    assert " ".join(each.text for each in found) == MIXED["ar"]


# What belongs together

APART = {
    "en": ("He came back from the war with the", "old sword of his father."),
    "es": ("Volvió de la guerra con la", "vieja espada de su padre."),
    "fr": ("Il est revenu de la guerre avec la", "vieille épée de son père."),
    "de": ("Er kam aus dem Krieg zurück mit dem", "alten Schwert seines Vaters."),
    "ru": ("Он вернулся с войны и принёс с собой от", "своего отца старый меч."),
}


@pytest.mark.parametrize("code", APART)
def test_no_line_ends_with_an_article_or_a_preposition(code: str) -> None:
    text = " ".join(APART[code])
    clinging = line_breaking.rules_of(languages.get(code)).clinging
    for shift in range(8):
        found = lines(one("x" * shift + " " + text, language=code))
        assert len(found) >= 2
        assert not [line for line in found if line.split()[-1].lower() in clinging], found


ANY_LANGUAGE = ["", "en", "es", "zh", "ja", "ko", "ar", "he", "hi", "th"]
letters = st.characters(categories=["L", "N"], exclude_characters="İ") | st.sampled_from(
    "漢字かなカナーっ한국العربيةעבר"
)
anything = st.lists(
    st.tuples(
        st.text(letters, min_size=1, max_size=20), st.sampled_from(["", "", ",", ".", "。", "、", "？", " -", "！"])
    ).map("".join),
    max_size=40,
).flatmap(lambda parts: st.sampled_from([" ", " ", ""]).map(lambda between: between.join(parts)))


@given(anything, st.sampled_from(ANY_LANGUAGE), st.floats(0.1, 60))
@settings(deadline=None, max_examples=150)
def test_in_every_language_nothing_is_lost_and_the_limits_hold(text: str, code: str, seconds: float) -> None:
    found = one(text, 1.0, 1.0 + seconds, code)
    columns = line_breaking.rules_of(languages.get(code)).columns if code else LINE_CHARACTERS
    assert flat("".join(lines(found))) == flat(text)
    assert all(line_breaking.width(line) <= columns for line in lines(found))
    assert all(cue.text.count("\n") <= 1 for cue in found)
    assert all(0 < cue.end - cue.start <= LONGEST_CUE_SECONDS + 1e-6 for cue in found)
    assert all(a.end < b.start for a, b in pairwise(found))


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(1, 7), latin), max_size=6))
@settings(deadline=None, max_examples=50)
def test_a_cue_is_read_at_the_usual_speed_and_for_a_second_wherever_the_next_one_leaves_the_time(
    said: list[tuple[float, float, str]],
) -> None:
    here, sentences = 0.0, []
    for pause, seconds, text in said:
        sentences.append(Cue(here + pause, here + pause + seconds, text))
        here += pause + seconds
    found = subtitles.cues(sentences)
    for cue, following in pairwise(found):
        wanted = max(1.0, line_breaking.width(cue.text.replace("\n", " ")) / CHARACTERS_A_SECOND)
        left = min(LONGEST_CUE_SECONDS, following.start - cue.start - 0.08)
        assert cue.end - cue.start >= min(wanted, left) - 1e-6


# Times


@given(sentences())
@settings(deadline=None, max_examples=50)
def test_cues_are_in_order_and_never_overlap_to_the_millisecond(given_sentences: list[Cue]) -> None:
    found = subtitles.cues(given_sentences)
    assert all(cue.start < cue.end for cue in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    times = [moment for start, end, _ in read(subtitles.srt(found)) for moment in (start, end)]
    assert times == sorted(times)


@given(sentences())
@settings(deadline=None, max_examples=50)
def test_a_cue_shows_as_long_as_its_sentence_is_spoken(given_sentences: list[Cue]) -> None:
    spoken = [sentence for sentence in given_sentences if sentence.text and sentence.end - sentence.start > 0.1]
    found = subtitles.cues(given_sentences)
    for sentence in spoken:
        assert any(cue.start <= sentence.start + 0.1 and cue.end > sentence.start for cue in found)
        assert any(cue.end >= sentence.end - 0.1 and cue.start < sentence.end for cue in found)


def test_a_cue_stays_for_the_time_of_reading_where_nothing_follows() -> None:
    text = "It takes two seconds to read this one..."
    assert subtitles.cues([Cue(5.0, 5.5, text)])[0].end == pytest.approx(5.0 + len(text) / CHARACTERS_A_SECOND)
    assert subtitles.cues([Cue(5.0, 5.1, "Yes.")])[0].end == pytest.approx(6.0)


def test_a_cue_takes_time_for_reading_only_up_to_two_frames_before_the_next() -> None:
    first, second = subtitles.cues([Cue(5.0, 5.5, "It takes two seconds to read this one..."), Cue(6.2, 8.2, "Yes.")])
    assert first.end == pytest.approx(6.12)
    assert (second.start, second.end) == (6.2, 8.2)


def test_cues_that_touch_get_a_gap_of_two_frames_and_none_flickers_between_those_half_a_second_apart() -> None:
    starts = [5.0, 8.0, 11.3, 15.0]
    found = subtitles.cues(
        [Cue(start, end, "Yes.") for start, end in zip(starts, [8.0, 11.0, 14.0, 17.0], strict=True)]
    )
    assert [cue.end for cue in found] == pytest.approx([7.92, 11.22, 14.0, 17.0])


def test_a_sentence_that_would_be_gone_within_a_second_is_shown_with_the_next_one_of_the_same_speaker() -> None:
    said = [Cue(5.0, 5.3, "Yes.", "1"), Cue(5.4, 6.0, "I know.", "1"), Cue(6.1, 8.0, "Do you?", "2")]
    assert [(cue.start, cue.text) for cue in subtitles.cues(said)] == [(5.0, "Yes. I know."), (6.1, "Do you?")]


@pytest.mark.parametrize(
    "said",
    [
        [Cue(5.0, 5.3, "Yes.", "1"), Cue(5.4, 6.5, "No.", "2")],
        [Cue(5.0, 5.3, "Yes."), Cue(5.4, 13.0, "I know.")],
        [Cue(5.0, 5.3, "Yes."), Cue(5.4, 6.5, "- No.")],
    ],
)
def test_another_speaker_s_sentence_and_one_that_lasts_too_long_are_shown_by_themselves(said: list[Cue]) -> None:
    assert [cue.text for cue in subtitles.cues(said)] == [one.text for one in said]


@pytest.mark.parametrize("text", ["Well...", "This line is as long as one line may be."])
def test_one_line_goes_after_seven_seconds_and_two_are_parted(text: str) -> None:
    assert [(cue.start, cue.end) for cue in one(text, 5.0, 14.0)] == [(5.0, 5.0 + LONGEST_CUE_SECONDS)]
    assert len(one(f"{text} But this one is another, and is shown apart.", 5.0, 14.0)) == 2


def test_a_long_sentence_is_shown_by_the_pauses_within_it() -> None:
    usual = subtitles.cues([Cue(10.0, 30.0, LONG)])
    assert len(usual) > 2
    at = LONG.index(usual[1].text.split("\n")[0]) - 1
    first, second, *_ = subtitles.cues([Cue(10.0, 30.0, LONG, pauses=(Pause(12.0, 20.0, at),))])
    assert (first.start, second.start) == (10.0, 20.0)
    assert first.end < 17.0
    assert first.text.replace("\n", " ") == LONG[:at]


@pytest.mark.parametrize(
    "pause", [Pause(12, 20, 0), Pause(12, 20, 999), Pause(20, 12, 40), Pause(5, 8, 40), Pause(12, 40, 40)]
)
def test_pauses_that_do_not_fit_into_the_sentence_are_not_believed(pause: Pause) -> None:
    assert subtitles.cues([Cue(10.0, 30.0, LONG, pauses=(pause,))]) == subtitles.cues([Cue(10.0, 30.0, LONG)])


def test_a_cue_that_is_spoken_slowly_stays_to_the_end() -> None:
    assert subtitles.cues([Cue(5.0, 12.0, "Well...")])[0].end == 12.0


# Speakers


def marked(*said: tuple[str, str]) -> list[Cue]:
    """Return the cues of sentences of five seconds each, with their speakers."""
    return subtitles.cues([Cue(5 * at, 5 * at + 5, text, name) for at, (name, text) in enumerate(said)])


def test_srt_has_the_name_in_capitals_where_another_person_begins_to_speak() -> None:
    found = marked(("Anna", "Good morning."), ("Anna", "How are you?"), ("Ben", "Well."), ("Anna", "Good."))
    assert [got[2] for got in read(subtitles.srt(found))] == [
        "ANNA: Good morning.", "How are you?", "BEN: Well.", "ANNA: Good.",
    ]  # fmt: skip


@pytest.mark.parametrize("labels", [("1", "2"), ("SPEAKER_00", "SPEAKER_01"), ("Speaker 1", "Speaker 2")])
def test_srt_has_a_hyphen_where_another_person_without_a_name_begins_to_speak(labels: tuple[str, str]) -> None:
    one, two = labels
    found = marked((one, "Good morning."), (two, "Hello."), (two, "Well."), (one, "- Good."))
    assert [got[2] for got in read(subtitles.srt(found))] == ["Good morning.", "- Hello.", "Well.", "- Good."]


def test_without_speakers_nothing_is_marked() -> None:
    found = marked(("", "Good morning."), ("", "Hello."))
    assert "<v" not in subtitles.vtt(found)
    assert [got[2] for got in read(subtitles.srt(found))] == ["Good morning.", "Hello."]


@given(st.lists(st.tuples(st.sampled_from(["", "1", "2", "Anna", "Doctor Maximilian Meyer"]), latin), max_size=5))
@settings(deadline=None, max_examples=50)
def test_marks_fit_into_the_lines_and_nothing_that_is_said_is_lost(said: list[tuple[str, str]]) -> None:
    found = marked(*said)
    assert all(cue.shown.count("\n") <= 1 for cue in found)
    assert all(len(line) <= LINE_CHARACTERS for cue in found for line in cue.shown.split("\n"))
    assert " ".join(cue.text for cue in found).split() == " ".join(text for _, text in said).split()
    assert all(cue.shown.endswith(cue.text.split()[-1]) for cue in found)


@pytest.mark.parametrize("name", ["Anna", "Tom & Jerry", "a < b > c", "&amp;", "José\tLuis", "SPEAKER_00", "2"])
def test_our_own_reader_finds_the_speakers_of_a_vtt_file_again(name: str) -> None:
    found = marked((name, "Good morning, <b>all</b> of you & others."), ("Ben", f"{LONG} {LONG}"), (name, "Well."))
    again = captions.read(subtitles.vtt(found).encode()).utterances
    assert [(each.speaker, each.text) for each in again] == [
        (" ".join(cue.speaker.split()), " ".join(cue.text.split())) for cue in found
    ]


def test_our_own_reader_finds_the_names_of_an_srt_file_again() -> None:
    found = marked(("Anna", "Good morning."), ("Ben", LONG), ("Anna", "Well."))
    assert {each.speaker for each in captions.read(subtitles.srt(found).encode()).utterances} >= {"ANNA", "BEN"}


# Two languages


def pair(above: str, below: str, start: float = 1.0, end: float = 7.0) -> tuple[Cue, Cue]:
    return Cue(start, end, above), Cue(start + 0.2, end + 0.3, below)


def in_both(*pairs: tuple[Cue, Cue]) -> list[Cue]:
    return subtitles.in_both(pairs, 99.0, languages.SPANISH, languages.ENGLISH)


def test_a_line_is_shown_in_both_languages_when_the_upper_one_is_said() -> None:
    assert [(cue.start, cue.end, cue.shown) for cue in in_both(pair("Buenos días.", "Good morning."))] == [
        (1.0, 7.0, "Buenos días.\nGood morning.")
    ]


def test_a_line_that_is_said_in_one_language_only_is_shown_in_that_one() -> None:
    found = in_both(pair("", "Oh!", 1, 3), pair("Bueno.", "", 3, 5))
    assert [(cue.start, cue.shown) for cue in found] == [(1.2, "Oh!"), (3.0, "Bueno.")]


@given(st.lists(st.tuples(latin, latin), max_size=5))
@settings(deadline=None, max_examples=50)
def test_in_two_languages_nothing_is_lost_and_each_has_two_lines_that_fit(said: list[tuple[str, str]]) -> None:
    found = in_both(*(pair(*texts, 7.0 * at, 7.0 * at + 6.5) for at, texts in enumerate(said)))
    assert " ".join(cue.text for cue in found).split() == " ".join(above for above, _ in said).split()
    assert " ".join(cue.below for cue in found).split() == " ".join(below for _, below in said).split()
    both = [text for cue in found for text in (cue.text, cue.below)]
    assert all(text.count("\n") <= 1 for text in both)
    assert all(line_breaking.width(line) <= LINE_CHARACTERS for text in both for line in text.split("\n"))
    assert all(a.end < b.start for a, b in pairwise(found))


def test_both_languages_of_a_long_line_change_at_the_same_time() -> None:
    found = in_both(pair(LONG, f"{LONG} {LONG}", 1.0, 20.0))
    assert all(cue.text and cue.below for cue in found)


def test_the_speakers_mark_stands_in_the_upper_language() -> None:
    said = [Cue(1, 3, "Hola.", "Anna"), Cue(3, 5, "Buenas.", "Ben")]
    found = in_both(*((cue, Cue(cue.start, cue.end, "Hello.", cue.speaker)) for cue in said))
    assert [cue.shown for cue in found] == ["ANNA: Hola.\nHello.", "BEN: Buenas.\nHello."]
    assert "<v Anna>Hola.\nHello.</v>" in subtitles.vtt(found)


def test_an_ass_file_has_the_second_language_smaller_below_the_first_and_fits_its_picture() -> None:
    found = in_both(pair("Hola {\\i1}a todos.", "Hello {you}"))
    for wide, high in ((1920, 1080), (1080, 1920), (640, 480)):
        file = pysubs2.SSAFile.from_string(subtitles.ass(found, (wide, high)), "ass")
        main, below = file.styles["Default"], file.styles["Below"]
        assert (file.info["PlayResX"], file.info["PlayResY"]) == (str(wide), str(high))
        assert below.fontsize < main.fontsize
        assert 0.45 * LINE_CHARACTERS * main.fontsize < wide
        assert [line.text for line in file] == ["Hola (/i1)a todos.\\N{\\rBelow}Hello (you)"]


def test_our_own_reader_reads_an_ass_file_again() -> None:
    found = one(LONG)
    again = captions.read(subtitles.ass(found).encode()).utterances
    assert " ".join(each.text for each in again) == LONG


# Karaoke


def timed(text: str, start: float, step: float, rest: float = 0.0) -> tuple[Timed, ...]:
    """Return words of `step` seconds each, with `rest` seconds between them."""
    words = text.split()
    return tuple(
        Timed.of(word, start + at * (step + rest), start + at * (step + rest) + step) for at, word in enumerate(words)
    )


def lit(cues: list[Cue]) -> list[str]:
    return [line.text for line in pysubs2.SSAFile.from_string(subtitles.ass(cues, karaoke=True), "ass")]


def test_words_light_up_when_they_are_said_and_rest_where_the_voice_rests() -> None:
    said = Cue(5.0, 9.0, "We left late.", words=timed("We left late.", 5.2, 0.5, rest=0.25))
    assert lit(subtitles.cues([said])) == [r"{\k20}{\kf50}We {\k25}{\kf50}left {\k25}{\kf50}late."]
    file = pysubs2.SSAFile.from_string(subtitles.ass([said], karaoke=True), "ass")
    main, below = file.styles["Default"], file.styles["Below"]
    assert main.primarycolor != main.secondarycolor
    assert below.primarycolor == below.secondarycolor


def test_words_without_times_of_their_own_share_those_of_their_phrases_by_length() -> None:
    phrases = (Timed.of("Run, now,", 1.0, 1.8), Timed.of("home.", 3.0, 3.4))
    (text,) = lit(subtitles.cues([Cue(1.0, 3.4, "Run, now, home.", words=phrases)]))
    assert re.findall(r"\{([^}]+)\}([^{ ]*)", text) == [
        (r"\kf36", "Run,"), (r"\k8", ""), (r"\kf36", "now,"), (r"\k120", ""), (r"\kf40", "home."),
    ]  # fmt: skip


def test_times_that_do_not_fit_the_text_are_not_believed() -> None:
    for words in (timed("We left.", 5.0, 0.5), timed("We left late.", 4.0, 0.5), timed("We left late.", 7.0, -0.5)):
        assert lit(one("We left late.", 10.0, 12.0)) == lit(
            subtitles.cues([Cue(10.0, 12.0, "We left late.", words=words)])
        )


def test_words_light_up_in_every_part_of_a_long_sentence() -> None:
    found = subtitles.cues([Cue(10.0, 30.0, LONG, words=timed(LONG, 10.0, 20 / len(LONG.split())))])
    assert len(found) > 1
    words = [word for cue in found for word in cue.words]
    assert [word.start for word in words] == pytest.approx([10 + 20 * at / len(words) for at in range(len(words))])
    assert all(cue.start <= word.start < cue.end for cue in found for word in cue.words)


def test_arabic_words_light_up_at_once_and_chinese_ones_sign_by_sign() -> None:
    assert re.findall(r"\\kf?", lit(one("متى ستعود إلى المنزل", language="ar"))[0])[::2] == [r"\k"] * 4
    assert len(re.findall(r"\\kf", lit(one("明天見你", language="zh"))[0])) == 4


def test_of_two_languages_the_upper_one_lights_up_and_a_name_stands_lit_before_it() -> None:
    (text,) = lit(in_both((Cue(1, 3, "Hola a todos.", "Anna"), Cue(1, 3, "Hello.", "Anna"))))
    assert text.startswith(r"ANNA: {\kf")
    assert text.endswith(r"todos.\N{\rBelow}Hello.")
    assert lit(in_both(pair("", "Oh!"))) == [r"{\rBelow}Oh!"]


@given(anything, st.sampled_from(ANY_LANGUAGE), st.floats(0.5, 30))
@settings(deadline=None, max_examples=50)
def test_in_every_language_the_text_is_the_same_with_karaoke_and_no_word_outlasts_its_cue(
    text: str, code: str, seconds: float
) -> None:
    found = one(text, 1.0, 1.0 + seconds, code)
    for cue, plain, sung in zip(
        found, pysubs2.SSAFile.from_string(subtitles.ass(found), "ass"), lit(found), strict=True
    ):
        assert re.sub(r"\{\\kf?\d+\}", "", sung) == plain.text
        assert sum(map(int, re.findall(r"\\kf?(\d+)\}", sung))) <= round(100 * (cue.end - cue.start))


# Files


AWKWARD = {
    "braces": "a {word} in braces, and {\\i1} too",
    "backslashes": "C:\\new\\Names \\N \\h",
    "ampersand": "Tom & Jerry &amp; friends",
    "tags": "<b>bold</b> and <i>slanted</i>, <script>alert(1)</script>",
    "brackets": "x < y > z, and I <3 you",
    "quotes": "\"double\" and 'single'",
    "digits": "1984",
    "arrow": "left --> right",
    "note": "NOTE this is said",
    "header": "WEBVTT",
    "emoji": "👩‍👩‍👧 and 🇪🇸",
    "control": "a bell \x07, a null \x00, a separator \u2028 and a byte order mark \ufeff",
}


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
@pytest.mark.parametrize("form", [subtitles.srt, subtitles.vtt], ids=["srt", "vtt"])
def test_an_awkward_text_harms_neither_its_neighbours_nor_the_times(
    form: Callable[[list[Cue]], str], text: str
) -> None:
    cues = subtitles.cues([Cue(1, 3, "Before."), Cue(3, 9, text), Cue(9, 10, "After.")])
    found = read(form(cues))
    assert [got[:2] for got in found] == [(round(cue.start * 1000), round(cue.end * 1000)) for cue in cues]
    assert found[0][2] == "Before."
    assert found[-1][2] == "After."


@pytest.mark.parametrize("name", ["ampersand", "tags", "brackets", "quotes", "emoji"])
def test_what_is_said_stands_in_the_srt_file_and_its_readers_see_all_of_it(name: str) -> None:
    (_, _, text), *_ = read(subtitles.srt(one(AWKWARD[name])))
    assert " ".join(text.replace("‹", "<").replace("›", ">").split()) == AWKWARD[name]


@pytest.mark.parametrize("name", ["ampersand", "tags", "brackets", "quotes", "emoji", "note", "arrow"])
def test_what_is_said_stands_in_the_vtt_file_with_its_signs_escaped(name: str) -> None:
    file = subtitles.vtt(one(AWKWARD[name]))
    body = file.split("\n", 4)[-1].strip()
    assert "<" not in body
    assert re.fullmatch(r"(?:[^&]|&amp;|&lt;|&gt;)*", body)
    assert " ".join(html.unescape(body).split()) == AWKWARD[name]


def test_what_looks_like_the_times_of_a_cue_makes_no_cue() -> None:
    for form in (subtitles.srt, subtitles.vtt):
        file = form(one("00:00:01,000 --> 00:00:02,000"))
        assert file.count("-->") == 1
        assert "00:00:02,000" in file


def test_braces_and_backslashes_reach_the_screen_as_signs_that_are_no_commands() -> None:
    (_, _, text), *_ = read(subtitles.srt(one("a {word} and C:\\new\\Names")))
    assert text == "a (word) and C:/new/Names"


def well_formed(file: str) -> None:
    """Check a WebVTT file against the W3C's grammar, as far as we use it."""
    header, *blocks = file.rstrip("\n").split("\n\n")
    assert header == "WEBVTT"
    clock = r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3}"
    for block in blocks:
        cue = re.fullmatch(rf"(?:(?!.*-->).+\n)?({clock}) --> ({clock})((?:\n.+)+)", block)
        assert cue, block
        assert cue[1] < cue[2]
        assert "-->" not in cue[3]
        assert "<" not in cue[3]


@given(sentences())
@settings(deadline=None, max_examples=50)
def test_every_vtt_file_is_well_formed(given_sentences: list[Cue]) -> None:
    well_formed(subtitles.vtt(subtitles.cues(given_sentences)))


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
def test_a_vtt_file_is_well_formed_whatever_is_said(text: str) -> None:
    well_formed(subtitles.vtt(one(text)))


@given(sentences())
@settings(deadline=None, max_examples=50)
def test_both_files_hold_the_same_cues(given_sentences: list[Cue]) -> None:
    cues = subtitles.cues(given_sentences)
    assert [line[:2] for line in read(subtitles.vtt(cues))] == [line[:2] for line in read(subtitles.srt(cues))]


def test_a_film_without_a_word_makes_files_without_a_cue() -> None:
    assert subtitles.srt([]).strip() == ""
    assert subtitles.vtt([]).strip() == "WEBVTT"


def test_times_past_an_hour_are_written_as_players_expect() -> None:
    late = [Cue(3661.5, 3663.25, "Late.")]
    assert "01:01:01,500 --> 01:01:03,250" in subtitles.srt(late)
    assert "01:01:01.500 --> 01:01:03.250" in subtitles.vtt(late)


def test_a_long_sentence_that_outlasts_the_film_is_shown_within_it() -> None:
    said = " ".join(["and another word"] * 20)
    (first, *_, last) = subtitles.cues([Cue(5.0, 4000.0, said)], film_seconds=30.0)
    assert (first.start, last.end <= 30.0, last.start < 30.0) == (5.0, True, True)
