"""What captions show several times is said once, and nobody speaks while another does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.captions import read, said, timed
from vt.text import captions
from vt.text.captions import Utterance

YOUTUBE = """WEBVTT
Kind: captions
Language: en

00:00:01.000 --> 00:00:03.000 align:start position:0%
\x20
the<00:00:01.400><c> old</c><00:00:01.800><c> mill</c><00:00:02.200><c> stands</c>

00:00:03.000 --> 00:00:03.010 align:start position:0%
the old mill stands
\x20

00:00:03.010 --> 00:00:05.500 align:start position:0%
the old mill stands
by<00:00:03.500><c> the</c><00:00:04.000><c> water</c>

00:00:05.500 --> 00:00:05.510 align:start position:0%
by the water
\x20

00:00:05.510 --> 00:00:08.000 align:start position:0%
by the water
and<00:00:06.000><c> it</c><00:00:06.500><c> turns</c>
"""


def test_automatic_captions_of_youtube_are_said_once_with_the_times_of_their_words() -> None:
    found = read(YOUTUBE)
    assert [each.text for each in found] == ["the old mill stands", "by the water", "and it turns"]
    assert [each.start for each in found] == [1.0, 3.01, 5.51]
    words = {word.text.strip(): word.start for word in captions.words(found)}
    assert (words["old"], words["water"], words["turns"]) == (1.4, 4.0, 6.5)


def test_automatic_captions_of_youtube_made_into_srt_are_said_once() -> None:
    file = timed(
        (1, 3, "the old mill stands"),
        (3, 3.01, "the old mill stands\n "),
        (3.01, 5.5, "the old mill stands\nby the water"),
        (5.5, 5.51, "by the water\n "),
        (5.51, 8, "by the water\nand it turns"),
    )
    assert [(each.start, each.text) for each in read(file)] == [
        (1.0, "the old mill stands"),
        (3.01, "by the water"),
        (5.51, "and it turns"),
    ]


def test_broadcast_captions_that_roll_up_over_three_lines_are_said_once() -> None:
    lines = [f"LINE NUMBER {at}" for at in range(8)]
    file = timed(*((at, at + 1, "\n".join(lines[max(0, at - 2) : at + 1])) for at in range(8)))
    assert [(each.start, each.text) for each in read(file)] == [(float(at), line) for at, line in enumerate(lines)]


def test_captions_that_grow_word_by_word_are_said_once() -> None:
    words = ["WE", "ARE", "GOING", "TO", "SEE", "THE", "OLD", "MILL"]
    file = timed(*((at, at + 1, " ".join(words[: at + 1])) for at in range(len(words))))
    assert said(file) == ["WE ARE GOING TO SEE THE OLD MILL"]


def test_a_word_that_somebody_says_three_times_is_said_three_times() -> None:
    file = timed(
        (1, 2, "No."), (2, 3, "No."), (3, 4, "No."), (5, 6, "Stop!"), (6, 7, "Stop!\nCome back!"), (9, 10, "Hm.")
    )
    assert said(file) == ["No.", "No.", "No.", "Stop!", "Stop! Come back!", "Hm."]


def test_equal_starts_are_said_one_after_the_other_in_the_order_of_the_file() -> None:
    found = read(timed((1, 4, "Shut the window, please."), (1, 4, "Is it cold in here?"), (7, 8, "Yes.")))
    assert [each.text for each in found] == ["Shut the window, please.", "Is it cold in here?", "Yes."]
    assert found[0].start == 1.0
    assert found[0].end == found[1].start
    assert all(each.end - each.start > 1 for each in found[:2])
    assert found[1].end < 5


def test_a_cue_that_stands_there_twice_is_said_once() -> None:
    twice = timed((1, 3, "It is the last ferry."), (5, 7, "Run!"))
    assert said(twice + twice) == ["It is the last ferry.", "Run!"]
    assert said(timed((1, 3, "It is the last ferry."), (1.1, 3, "It is  the last\nferry."))) == [
        "It is the last ferry."
    ]
    assert said(timed((1, 2, "Run!"), (2, 3, "Run!"))) == ["Run!", "Run!"]


LONG = "I had walked along the river since the morning and there was still nobody to be seen."


@pytest.mark.parametrize("reply", [(2, 4), (1.2, 1.9), (5, 6), (4.5, 6)])
def test_a_short_reply_within_a_long_line_leaves_it_most_of_its_time(reply: tuple[float, float]) -> None:
    found = read(timed((1, 6, LONG), (*reply, "I see."), (8, 9, "Well.")))
    assert [each.text for each in found] == [LONG, "I see.", "Well."]
    assert found[0].end - found[0].start >= 3.5
    assert found[1].end - found[1].start >= 0.35
    assert found[1].end <= 8


def test_two_replies_within_a_long_line_come_behind_it() -> None:
    found = read(timed((1, 6, LONG), (2, 3, "I see."), (4, 5, "Go on."), (6.5, 8, "And then?")))
    assert [each.text for each in found] == [LONG, "I see.", "Go on.", "And then?"]
    assert found[0].end - found[0].start >= 3


def test_overlaps_of_captions_that_stay_until_the_next_but_one_are_cut_at_the_next() -> None:
    file = timed(*((2 * at, 2 * at + 4, f"this is the line that has number {at}") for at in range(10)))
    assert [(each.start, each.end) for each in read(file)][:9] == [(2.0 * at, 2.0 * at + 2) for at in range(9)]


def test_a_line_that_stays_for_the_whole_film_delays_nothing_for_long() -> None:
    file = timed((0, 3600, "Subtitles by nobody"), *((10 * at, 10 * at + 3, f"Line {at}.") for at in range(1, 9)))
    assert [each.start for each in read(file)[1:]] == [10.0 * at for at in range(1, 9)]


def test_what_is_said_over_another_person_is_marked_and_comes_soon_behind_them() -> None:
    file = timed((1, 5, "ANNA: I have told you before that it is so."), (3, 4.5, "BEN: No."), (4.8, 6, "ANNA: Yes."))
    found = read(file)
    assert [(each.speaker, each.overlaps) for each in found] == [("ANNA", False), ("BEN", True), ("ANNA", False)]
    assert [each.start for each in found] == [pytest.approx(start, abs=2) for start in (1, 3, 4.8)]


def test_two_who_begin_together_are_marked_but_not_two_voices_of_one_cue() -> None:
    file = timed((1, 4, "ANNA: Who is there?"), (1, 4, "BEN: Who is that?"), (5, 8, "- It is me.\n- Come in."))
    assert [each.overlaps for each in read(file)] == [False, True, False, False]
    voices = "WEBVTT\n\n00:01.000 --> 00:04.000\n<v Anna>Who is there?</v> <v Ben>It is me.</v>\n"
    assert [each.overlaps for each in read(voices)] == [False, False]


@pytest.mark.parametrize(
    "second",
    [(3, 5, "and it goes on."), (3.9, 5, "BEN: No."), (3, 5, "ANNA: I go on.")],
    ids=["nobody else", "as good as behind", "the same person"],
)
def test_captions_that_only_overlap_on_the_screen_are_not_marked(second: tuple[float, float, str]) -> None:
    found = read(timed((1, 4, "ANNA: I have told you before"), second, (9, 10, "BEN: Well."), (11, 12, "ANNA: So.")))
    assert not any(each.overlaps for each in found)


times = st.floats(0, 60).map(lambda second: round(second, 3))
cues = st.lists(
    st.tuples(times, times, st.sampled_from(["Yes.", "a b c", LONG, "- One.\n- Two.", "¿Qué?"])), max_size=12
)


@given(cues)
@example([(0.0, 0.0, LONG), (0.0, 0.001, "Yes."), (4.5, 0.0, "Yes.")])
@settings(deadline=None)
def test_nobody_speaks_while_another_does_and_nothing_is_lost(given_cues: list[tuple[float, float, str]]) -> None:
    found: list[Utterance] = read(timed(*given_cues)) if given_cues else []
    assert all(before.end <= after.start + 1e-6 for before, after in pairwise(found))
    assert all(each.start < each.end for each in found)
    assert {text for _, _, text in given_cues if "\n" not in text} <= {each.text for each in found}
