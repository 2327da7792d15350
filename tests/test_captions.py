"""Caption files that people have, read as what is said and when."""

from __future__ import annotations

import pytest

from vt.domain import Word
from vt.errors import SubtitleError, SubtitlesTooLarge
from vt.text import captions
from vt.text.captions import Utterance
from vt.text.sentences import sentences


def read(content: bytes | str, language: str = "") -> list[Utterance]:
    return list(captions.read(content.encode() if isinstance(content, str) else content, language).utterances)


def test_cues_come_out_in_order_plain_and_apart() -> None:
    text = (
        "1\n00:00:05,000 --> 00:00:09,000\n{\\an8}<i>Hello</i> <font color='red'>red</font> & 5 < 6\n\n"
        "2\n00:00:01,000 --> 00:00:03,000\n- Yes.\n- MAN: Now.\n\n"
        "3\n00:00:20,000 --> 00:00:21,000\n[music]\n\n4\n00:00:22,000 --> 00:00:22,000\n\n"
        "5\n00:00:30,000 --> 00:00:28,000\nBackwards\n"
    )
    assert read(text) == [
        Utterance(1.0, 2.0, "Yes.", begins_turn=True),
        Utterance(2.0, 3.0, "Now.", "MAN", begins_turn=True),
        Utterance(5.0, 9.0, "Hello red & 5 < 6"),
        Utterance(30.0, 31.0, "Backwards"),
    ]


def test_the_notes_styles_and_settings_of_webvtt_are_not_spoken() -> None:
    text = (
        "WEBVTT - A title\nKind: captions\n\nNOTE a comment\nover two lines\n\nSTYLE\n::cue { color: red }\n\n"
        "1\n00:01.000 --> 00:04.000 align:start position:0%\n<v Roger>We are in <c.loud>New York</c> &amp; more\n\n"
        "NOTE another\n\n01:00:05.000 --> 01:00:06.000\nThe <01:00:05.500>end.\n"
    )
    assert read(text) == [
        Utterance(1.0, 4.0, "We are in New York & more", "Roger", begins_turn=True),
        Utterance(3605.0, 3606.0, "The end.", words=(Word(3605.0, 3605.5, " The"), Word(3605.5, 3606.0, " end."))),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_usual_encoding_is_read(encoding: str) -> None:
    text = "1\r\n00:00:01,000 --> 00:00:02,000\r\n¿Qué más?\r\n"
    assert [cue.text for cue in read(text.encode(encoding))] == ["¿Qué más?"]


def test_a_time_that_cannot_be_read_is_named_with_its_line() -> None:
    with pytest.raises(SubtitleError, match=r"^Line 2 of the subtitles cannot be read: \"00:00:1 -> 2 --> x\""):
        read("1\n00:00:1 -> 2 --> x\nHello\n")


CUE = "1\n00:00:01,000 --> 00:00:02,000\n{text}\n\n"


def refused(content: bytes | str) -> str:
    with pytest.raises(SubtitleError) as raised:
        read(content)
    return str(raised.value)


def many(text: str, count: int) -> str:
    """Return a file of so many cues, one behind the other."""
    seconds = (f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}" for at in range(count))
    return "".join(f"{at},000 --> {at},900\n{text}\n\n" for at in seconds)


@pytest.mark.slow
def test_as_much_as_may_be_is_read_and_no_more() -> None:
    assert read(CUE.format(text="x" * 2000))[0].text == "x" * 2000
    assert len(read(many("Hello.", 20_000))) == 20_000
    assert refused(many("Hello.", 20_001)) == "The subtitles are too long: 20000 cues are the most."
    assert refused(many("a " * 900, 112)) == "The subtitles are too long: 100000 words are the most."
    captions.check_size(5 * 2**20)
    with pytest.raises(SubtitlesTooLarge, match="5 MB are the most"):
        captions.check_size(5 * 2**20 + 1)


@pytest.mark.parametrize(
    "text", ["x" * 2001, "hello there " * 3400, "[" * 40_000, "x" + "\n" * 3000 + "x", "&lt;" * 2001]
)
def test_a_cue_that_is_too_long_is_named_by_its_line(text: str) -> None:
    assert refused(CUE.format(text="Hello.") + CUE.format(text=text)) == (
        "The cue at line 6 of the subtitles is too long: 2000 characters are the most."
    )


def test_a_cue_may_say_a_number_last_and_be_named_in_webvtt() -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\nIt was\n1984\n\n2\n\n00:00:03,000 --> 00:00:04,000\nor\n1985\n"
    assert [cue.text for cue in read(srt)] == ["It was 1984", "or 1985"]
    vtt = "WEBVTT\n\nintro\n00:01.000 --> 00:02.000\nIn\n1984\n\nsecond part\n00:03.000 --> 00:04.000\nNo.\n"
    assert [cue.text for cue in read(vtt)] == ["In 1984", "No."]


@pytest.mark.parametrize(
    "line",
    [
        "99999999:00:00,000 --> 99999999:00:01,000",
        "nan --> inf",
        "00:00:01,000 -->",
        "00:00:01,000 --> 1e9",
        f"00:00:01,000 --> {'9' * 5000}:00:00,000",
        "-->" * 100_000,
    ],
)
def test_an_absurd_time_is_named_with_its_line_and_cut_short(line: str) -> None:
    said = refused(f"1\n{line}\nHello.\n")
    assert said.startswith(f'Line 2 of the subtitles cannot be read: "{line[:40]}')
    assert len(said) < 200


def test_the_latest_time_that_can_be_written_is_read() -> None:
    assert read("999:59:59,999 --> 00:00:01,5\nHello.\n")[0].start == 3_599_999.999


@pytest.mark.parametrize(
    ("nested", "left"), [("[a [b [c] d] e] f", "f"), ("[ [music] there", "[ there"), ("[]]x", "]x")]
)
def test_brackets_in_brackets_are_taken_out_whole(nested: str, left: str) -> None:
    assert [cue.text for cue in read(CUE.format(text=nested))] == [left]


@pytest.mark.parametrize("text", ["...", "- -", "♪ ♪", "[", "<<<", "?!", "\u0301\u0301"])
def test_a_cue_of_signs_alone_is_left_out(text: str) -> None:
    assert read(CUE.format(text=text)) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["¿Qué más?", "你好，世界。"])
def test_utf_16_without_a_mark_is_read(encoding: str, text: str) -> None:
    assert [cue.text for cue in read(CUE.format(text=text).encode(encoding))] == [text]


def test_signs_that_nobody_says_are_left_out() -> None:
    assert read(CUE.format(text="He\x00l\x07lo\x9b, &#0;&#7;\ufeffyou."))[0].text == "Hello, \ufffdyou."


@pytest.mark.parametrize(
    "content", [bytes(range(256)) * 50, b"\0" * 9999, b"\xff\xfe" + b"\x00\xd8" * 99, b"\x1aE\xdf\xa3"]
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    assert "hold no times" in refused(content)


def test_words_share_the_time_of_their_cue() -> None:
    words = captions.words([Utterance(1.0, 3.0, "abcd ef gh"), Utterance(3.0, 4.0, "ij.")])
    assert [(word.text, word.start, word.end) for word in words] == [
        (" abcd", 1.0, 2.0),
        (" ef", 2.0, 2.5),
        (" gh", 2.5, 3.0),
        (" ij.", 3.0, 4.0),
    ]
    assert [segment.text for segment in sentences(words)] == ["abcd ef gh ij."]
