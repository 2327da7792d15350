"""WebVTT as the W3C describes it, and as people write it."""

from __future__ import annotations

import re

import pytest

from tests.captions import read, said
from vt.text import captions

NAMES = [
    "1",
    "opening",
    "Speaker 3",
    "c0ffee00-77aa-4b1c/5-0",
    "NOTE",
    "name:with: colons",
    "00:00",
    "->",
    "<b>",
    "7 of 9",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_cue_is_never_spoken(name: str) -> None:
    cue = f"{name}\n00:01.000 --> 00:02.000\nHello.\n\n"
    assert said(f"WEBVTT\n\n{cue}{cue.replace('00:0', '00:1')}") == ["Hello.", "Hello."]


def test_a_cue_is_parted_from_its_neighbours_by_empty_lines_and_by_times() -> None:
    text = (
        "WEBVTT\n\nname\n00:01.000 --> 00:02.000\nOne.\n00:02.000 --> 00:03.000\nTwo.\n\nno cue at all\nnor this\n\n"
        "00:03.000 --> 00:04.000\n\nnot said, as the cue is over\n\n00:04.000 --> 00:05.000\nThree\nlines\nlong.\n"
    )
    assert said(text) == ["One.", "Two.", "Three lines long."]


def test_notes_styles_regions_and_what_the_header_says_are_not_spoken() -> None:
    text = (
        "WEBVTT a title --\nKind: captions\nLanguage: en\n\nSTYLE\n::cue(b) { color: peru; }\n\nREGION\nid:fred\n"
        "width:40%\n\nNOTE one line\n\nNOTE\nseveral\nlines\n\n00:01.000 --> 00:02.000 region:fred align:left line:0\n"
        "Hello.\n\nNOTE\nthe end\n"
    )
    assert said(text) == ["Hello."]


@pytest.mark.parametrize(
    "header", ["WEBVTT\n", "WEBVTT\nKind: captions\n", "WEBVTT\nname\n", "\ufeffWEBVTT\t- x\n", "WEBVTT\n\n\n\n"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_no_empty_line_has_to_follow_the_header_and_lines_end_in_any_way(header: str, newline: str) -> None:
    text = f"{header}00:01.000 --> 00:02.000\nHello.\n\n00:03.000 --> 00:04.000\nBye."
    assert said(text.replace("\n", newline)) == ["Hello.", "Bye."]


def test_an_arrow_within_the_text_is_said_and_one_alone_makes_no_cue() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nChoose Edit --> Copy\nnow.\n\n00:03.000 --> 00:04.000\nGood.\n"
    assert said(text) == ["Choose Edit --> Copy now.", "Good."]


def test_voices_are_speakers_and_each_has_its_part_of_a_cue() -> None:
    text = (
        "WEBVTT\n\n00:01.000 --> 00:03.000\n<v Mary Ann>Is it late?\n<v.loud Bob>It is.</v>\n\n"
        "00:03.000 --> 00:04.000\n<v Bob>Very late,</v>\n\n00:04.000 --> 00:05.000\n<v Bob>I fear.\n"
    )
    assert [(each.speaker, each.text, each.begins_turn) for each in read(text)] == [
        ("Mary Ann", "Is it late?", True),
        ("Bob", "It is.", True),
        ("Bob", "Very late,", False),
        ("Bob", "I fear.", False),
    ]


@pytest.mark.parametrize(
    ("shown", "spoken"),
    [
        ("<c.yellow.bg_blue>two</c> <u>words</u>", "two words"),
        ("<c>two</c><c>words</c>", "two words"),
        ("<ruby>漢<rt>kan</rt>字<rt>ji</rt></ruby>です", "漢字です"),
        ("<lang en-GB>colour</lang>", "colour"),
        ("2 &lt; 3 &amp;&nbsp;4 &gt; 3", "2 < 3 & 4 > 3"),
        ("be<00:00:01.500>cause", "because"),
        ("one<br>two", "one two"),
        ("<b>unclosed words", "unclosed words"),
        ("<c It's <i>late</i>", "It's late"),
        ("<c.loud.red It's\nlate", "It's late"),
        ("It's late</c", "It's late"),
        ("It's<b <u>late</b</u>", "It's late"),
        ("<v Roger\nIt's late", "Roger It's late"),
        ("It's <00:01.500 late", "It's late"),
        ("a <b> or x<y, x <3 or <cat", "a or x<y, x <3 or <cat"),
    ],
)
def test_tags_and_entities_are_read_as_what_they_mean(shown: str, spoken: str) -> None:
    assert said(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{shown}\n") == [spoken]


SAID = [
    "A --> B in 1999", "1 mile --> 1.6 km", "Step 1 --> Step 2", "From 1999 --> 2005", "Look here -->", "--> Save it",
    "Paris 10:30 --> Rome 11:45",
]  # fmt: skip


@pytest.mark.parametrize("line", SAID)
@pytest.mark.parametrize("header", ["WEBVTT\n\n", ""], ids=["WebVTT", "SRT"])
def test_an_arrow_among_words_is_no_line_of_times_whatever_numbers_are_beside_it(header: str, line: str) -> None:
    cue = "00:00:01.000 --> 00:00:02.000\nYou know:\n{}\n\n00:00:03.000 --> 00:00:04.000\nGood."
    first, second = said(header + cue.format(line))
    assert (re.findall(r"\w+", first), second) == (re.findall(r"\w+", f"You know {line}"), "Good.")


def test_a_name_with_an_arrow_before_the_times_of_the_next_cue_is_not_said() -> None:
    cues = "00:01.000 --> 00:02.000\nOne.\nfoo-->\n00:03.000 --> 00:04.000\nTwo.\n-->\n00:05.000 --> 00:06.000\nThree."
    assert said(f"WEBVTT\n\n{cues}") == ["One.", "Two.", "Three."]


def test_times_that_touch_their_settings_or_have_more_than_an_hour_of_minutes_are_read() -> None:
    found = read("WEBVTT\n\n00:01.000 --> 00:02.000line:40% size:40%\nOne.\n\n120:00.000 --> 120:01.000\nTwo.")
    assert [(each.start, each.text) for each in found] == [(1.0, "One."), (7200.0, "Two.")]


@pytest.mark.parametrize("stamp", ["< 00:03.000>", "<00:03.000 >"])
def test_a_time_within_a_cue_is_not_said_where_a_space_stands_in_its_brackets(stamp: str) -> None:
    assert said(f"WEBVTT\n\n00:01.000 --> 00:05.000\nNo {stamp}way!") == ["No way!"]


def test_times_within_a_cue_are_the_times_of_its_words() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:05.000\nOne two <00:02.000>three <00:04.000>four.\n"
    words = captions.words(read(text))
    assert [(word.text, word.start, word.end) for word in words] == [
        (" One", 1.0, 1.5),
        (" two", 1.5, 2.0),
        (" three", 2.0, 4.0),
        (" four.", 4.0, 5.0),
    ]


def test_a_number_at_the_end_of_a_cue_is_spoken_whatever_names_the_cues_have() -> None:
    for first, second in (("", ""), ("1\n", "2\n"), ("a\n", "b\n")):
        text = (
            f"WEBVTT\n\n{first}00:01.000 --> 00:02.000\nBuilt in\n1870\n\n{second}00:03.000 --> 00:04.000\nSold in\n2\n"
        )
        assert said(text) == ["Built in 1870", "Sold in 2"]


def test_a_number_between_cues_without_an_empty_line_is_their_name_where_it_counts() -> None:
    text = "WEBVTT\n\n1\n00:01.000 --> 00:02.000\nOne.\n2\n00:03.000 --> 00:04.000\nTwo.\n"
    assert said(text) == ["One.", "Two."]


SEGMENT = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{clock}\n\n{cues}\n"


def test_the_clock_of_a_stream_moves_no_cue_of_its_first_segment() -> None:
    cues = "00:01.000 --> 00:02.000\nHello.\n"
    assert [each.start for each in read(SEGMENT.format(clock=900_000, cues=cues))] == [1.0]


def test_segments_of_a_stream_put_together_are_read_by_their_clocks() -> None:
    cue = "00:01.000 --> 00:02.000\nHello.\n"
    same = SEGMENT.format(clock=900_000, cues=cue)
    later = SEGMENT.format(clock=900_000 + 6 * 90_000, cues=cue)
    assert [each.start for each in read(same + later)] == [1.0, 7.0]
    assert [each.start for each in read(same + same)] == [1.0]  # a cue over two segments stands in both
    wrapped = SEGMENT.format(clock=2**33 - 90_000, cues=cue) + SEGMENT.format(clock=90_000, cues=cue)
    assert [each.start for each in read(wrapped)] == [1.0, 3.0]


def test_a_cue_without_times_that_can_be_read_is_left_out_of_many_with_a_note() -> None:
    cues = "".join(f"00:{at:02}.000 --> 00:{at:02}.900\nLine {at}.\n\n" for at in range(20))
    found = captions.read(f"WEBVTT\n\n{cues}00:21.000 --> 00:2x.000\nLost.\n".encode())
    assert len(found.utterances) == 20
    assert '"00:21.000 --> 00:2x.000"' in found.notes[0]
