"""The rules of timing, and of the sentences that are timed: one by one by hand, then against arbitrary films."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vt.domain import Edit, Line, Placement, Segment, Word
from vt.dubbing.timing import (
    TimingReport,
    amended,
    base_rate,
    overflow_seconds,
    overlapping_lines,
    place,
    rooms,
    smooth,
    summary,
)
from vt.text.sentences import sentences

NEARLY = 1e-6


def placed(*lines: tuple[float, float, float], film: float = 100.0) -> list[Placement]:
    """Place lines of (start, end, natural seconds)."""
    return place([Line(*line) for line in lines], film)


def about(value: float) -> object:
    return pytest.approx(value, abs=NEARLY)


# Room, base rate, report


def test_room_is_the_slot_and_the_pause_behind_it_less_a_breath_and_reaches_to_the_end_of_the_film() -> None:
    assert rooms([(0, 2), (3, 5), (5, 6)], 10) == [about(2.85), about(2), about(5)]


def test_room_is_never_below_the_slot_even_where_slots_touch_overlap_or_outlive_the_film() -> None:
    assert rooms([(0, 2), (2.1, 5), (4, 6), (9, 12)], 10) == [about(2), about(2.9), about(4.85), about(3)]


def test_room_of_unsorted_slots_comes_in_their_own_order() -> None:
    assert rooms([(3, 5), (0, 2)], 10) == [about(7), about(2.85)]


def test_room_of_a_slot_that_ends_before_it_starts_is_the_pause_behind_its_start() -> None:
    assert rooms([(2, 1), (4, 5)], 5) == [about(1.85), about(1)]


def test_no_slots_have_no_rooms() -> None:
    assert rooms([], 10) == []


def test_base_rate_is_the_median_of_length_over_slot() -> None:
    assert base_rate([1.1, 2.4, 30.0], [(0, 1), (1, 3), (3, 4)]) == about(1.2)


@pytest.mark.parametrize(("length", "rate"), [(0.2, 0.8), (9.0, 1.5)])
def test_base_rate_stays_within_what_a_voice_can_do(length: float, rate: float) -> None:
    assert base_rate([length], [(0, 1)]) == rate


def test_base_rate_ignores_lines_without_slot_or_sound_and_is_one_without_lines() -> None:
    assert base_rate([5, 1.3, 0], [(1, 1), (2, 3), (3, 4)]) == about(1.3)
    assert base_rate([], []) == base_rate([2], [(1, 1)]) == 1.0


def test_overflow_is_what_a_line_is_short_of_at_a_tempo_of_1_2() -> None:
    assert overflow_seconds(2.4, 1.5) == about(0.5)
    assert overflow_seconds(2.4, 2.0) == overflow_seconds(2.4, 2.0 - 1e-12) == overflow_seconds(2.4, 9) == 0.0


def test_report_compares_durations_starts_and_tempos() -> None:
    originals = [Segment(0, 0, 2, "a"), Segment(1, 4, 6, "b")]
    dubs = [Placement(0, 1, 2, 2, 1), Placement(4.5, 6.5, 2, 2, 3.9)]
    assert summary(dubs, originals) == TimingReport(0.75, 0.5, about(1.95), about(1.25), 0.5)  # type: ignore[arg-type]


def test_report_forgives_a_millisecond_and_two_lines_of_no_length_are_alike() -> None:
    report = summary([Placement(1.3005, 1.3005, 0, 0, 0)], [Line(1, 1, 0)])
    assert report == TimingReport(1.0, 0.0, 1.0, 0.0, 0.0)
    assert summary([Placement(1.302, 1.302, 0, 0, 0)], [Line(1, 1, 0)]).off_by_more_than_0_3s == 1.0


def test_report_of_a_film_without_lines_is_perfect() -> None:
    assert summary([], []) == TimingReport(1.0, 0.0, 1.0, 0.0, 0.0)


def test_a_line_is_above_1_2_only_where_a_report_with_three_decimals_shows_it() -> None:
    dubs = [Placement(0, 1, 1, 1, natural) for natural in (1.2, 1.2004, 1.2006, 1.5)]
    assert summary(dubs, [Line(0, 1, 1)] * 4).above_1_2 == 0.5


def test_lines_that_begin_before_another_has_ended_are_counted_whatever_lies_between() -> None:
    slots = [(0, 9), (2, 3), (5, 6), (9, 10)]
    assert overlapping_lines([Segment(at, *slot, "a") for at, slot in enumerate(slots)]) == 2
    assert overlapping_lines([Segment(0, 0, 2, "a"), Segment(1, 2, 3, "b", overlaps=True)]) == 1
    assert overlapping_lines([]) == 0


# The means of place(), one after the other


def test_a_film_without_lines_has_no_placements() -> None:
    assert place([], 10) == []


def test_a_line_that_fits_its_room_is_left_alone() -> None:
    first, _ = placed((1, 3, 2.5), (5, 6, 1))
    assert (first.start, first.end, first.tempo) == (1, 3.5, 1)
    assert (first.slot_seconds, first.room_seconds, first.natural_seconds) == (2, about(3.85), 2.5)


def test_a_line_a_little_shorter_than_its_slot_is_slowed_to_fill_it() -> None:
    assert placed((1, 4, 2.8))[0].end == about(4)


def test_a_line_much_shorter_than_its_slot_is_slowed_to_0_9_and_no_further() -> None:
    assert placed((1, 4, 0.9))[0].end == about(2)


def test_a_line_is_never_stretched_into_the_pause_behind_its_slot() -> None:
    assert placed((1, 2, 1), (5, 6, 1))[0].end == about(2)


def test_a_line_too_long_for_its_room_is_quickened_and_keeps_a_breath() -> None:
    first, second = placed((0, 2, 3.3), (3, 5, 2))
    assert (first.start, first.end, second.start) == (0, about(2.85), 3)


def test_the_breath_is_eaten_only_where_1_2_is_not_enough() -> None:
    first, second = placed((0, 2, 3.5), (3, 5, 2))
    assert (first.start, first.tempo, second.start) == (0, about(1.2), 3)
    assert 2.85 < first.end < 3


def test_where_the_original_took_no_breath_none_is_taken_from_the_line() -> None:
    first, second = placed((0, 2, 2), (2, 4, 2))
    assert (first.end, first.tempo, second.start) == (2, 1, 2)


def test_where_the_original_took_half_a_breath_half_is_kept() -> None:
    assert placed((0, 2, 2.3), (2.05, 4, 1.9))[0].end == about(2)


def test_starts_move_before_and_after_a_line_that_1_2_does_not_fit() -> None:
    first, second = placed((2, 4, 2.8), (4, 6, 1))
    assert (first.tempo, first.end) == (about(1.2), about(second.start))
    assert 2 - first.start == about(second.start - 4)


def test_neighbours_are_quickened_to_make_room() -> None:
    before, long, after = placed((0, 2, 2), (2, 4, 2.9), (4, 6, 2), film=6)
    assert [p.tempo <= 1.2 + NEARLY for p in (before, long, after)] == [True] * 3
    assert before.tempo > 1.05
    assert after.tempo > 1.05


def test_the_first_line_cannot_start_before_the_film_so_the_next_one_gives_way_alone() -> None:
    first, second = placed((0, 2, 2.64), (2, 4, 1))
    assert (first.start, second.start) == (0, about(2.2))


def test_the_last_line_moves_ahead_to_end_with_the_film() -> None:
    (only,) = placed((8, 10, 2.64), film=10)
    assert (only.start, only.end, only.tempo) == (about(7.8), 10, about(1.2))


def test_an_original_that_overlaps_the_next_line_is_shortened_to_it() -> None:
    first, second = placed((0, 3, 2.4), (2, 4, 2))
    assert (first.start, first.end, second.start) == (0, about(2), 2)


def test_lines_said_over_each_other_are_spoken_in_turn_near_their_starts_and_delay_nothing_behind() -> None:
    placements = placed((10, 16, 5.5), (12, 13, 0.8), (12.5, 16.5, 3.6), (20, 22, 2), film=40)
    for before, after in pairwise(placements):
        assert before.end <= after.start + NEARLY
    assert all(abs(p.start - start) < 2.5 for p, start in zip(placements, (10, 12, 12.5, 20), strict=True))
    assert placements[3].start == 20
    assert max(p.tempo for p in placements) <= 1.5 + NEARLY


def test_past_1_2_the_crowded_lines_share_one_tempo_and_the_whole_shift() -> None:
    tempos = [p.tempo for p in placed((10, 12, 2.7), (12, 14, 2.9), (14, 16, 2.8), (16, 18, 1.5))]
    assert tempos[:3] == [about(8.4 / 6.6)] * 3
    assert tempos[3] <= 1.2 + NEARLY


def test_a_crowded_group_does_not_quicken_a_less_crowded_one_beside_it() -> None:
    placements = placed((10, 12, 3.6), (12, 14, 2.5), (14, 16, 2.5), (16, 18, 2.2))
    assert placements[0].tempo == about(3.6 / 2.6)
    assert placements[1].tempo < 1.3
    assert placements[3].tempo <= 1.2 + NEARLY


def test_past_1_5_starts_move_further_and_no_further_than_needed() -> None:
    first, second = placed((10, 11, 3), (11, 12, 1), film=30)
    assert first.tempo == about(1.5)
    assert (10 - first.start, second.start - 11) == (about(0.5), about(0.5))


def test_before_a_neighbour_moves_past_0_3_s_it_is_quickened_past_1_2() -> None:
    before, long = placed((8, 10, 2.2), (10, 11, 2.75), film=11)
    assert (before.tempo, long.tempo) == (about(1.5), about(1.5))
    assert before.start == about(7.7)


def test_past_1_5_with_all_of_the_film_the_tempo_yields_evenly() -> None:
    placements = placed((0, 1, 4), (1, 2, 2), (2, 3, 6), film=3)
    assert [p.tempo for p in placements] == [about(4)] * 3
    assert placements[-1].end == 3


def test_a_bad_line_far_away_does_not_touch_the_others() -> None:
    calm = [(10.0 * i, 10.0 * i + 5, 4.0 + i / 10) for i in range(20)]
    assert placed(*calm, (250, 251, 9), film=300)[:19] == placed(*calm, film=300)[:19]


def test_placements_come_in_the_order_of_the_lines_and_equal_starts_are_spoken_in_that_order() -> None:
    late, first, second = placed((5, 6, 1), (1, 1, 0.5), (1, 2, 0.5))
    assert first.end <= second.start < second.end <= late.start


def test_a_line_of_no_slot_takes_the_room_behind_it() -> None:
    (first, _) = placed((1, 1, 1), (3, 4, 1))
    assert (first.start, first.end) == (1, 2)


def test_a_line_of_no_sound_takes_no_time() -> None:
    empty, full = placed((1, 2, 0), (1, 2, 1))
    assert (empty.seconds, empty.tempo, full.start) == (0, 1, 1)


def test_a_line_beyond_the_end_of_the_film_is_spoken_before_it() -> None:
    (only,) = placed((12, 14, 2), film=10)
    assert only.end <= 10
    assert only.tempo <= 1.5 + NEARLY


def test_a_film_of_unknown_length_still_cuts_nothing() -> None:
    assert all(p.seconds > 0 for p in placed((0, 1, 1), (1, 2, 3), film=0))


@pytest.mark.parametrize("crowd", [0.9, 1.15, 1.3, 1.5, 2.4])
def test_two_thousand_lines_take_a_second_or_two(crowd: float) -> None:
    chance = random.Random(7)
    lines, clock = [], 0.0
    for index in range(2000):
        slot = chance.uniform(1, 6)
        rising = 0.8 + 0.4 * index / 2000
        lines.append(Line(clock, clock + slot, slot * crowd * rising * chance.uniform(0.8, 1.2)))
        clock += slot + chance.choice([0, 0, 0.1, 0.4])
    begun = time.process_time()
    placements = place(lines, clock)
    assert time.process_time() - begun < 3
    assert_sound(lines, placements, clock)


# Arbitrary films

nasty = st.sampled_from([0.0, 5e-324, 1e-300, 1e-9, 0.1, 0.3, 1.3, 1e9, 1e308])
seconds = st.one_of(st.floats(0, 40), st.floats(0, 1e6), nasty)
any_line = st.builds(Line, st.one_of(seconds, st.floats(-100, 0)), seconds, seconds)


@st.composite
def films(draw: st.DrawFn) -> tuple[list[Line], float]:
    """Ordinary films, crowded to any degree: lines in order, with pauses, slots that touch or overlap a little."""
    clock, lines = draw(st.floats(0, 3)), []
    for _ in range(draw(st.integers(1, 9))):
        slot = draw(st.floats(0.2, 4))
        lines.append(Line(clock, clock + slot, max(0.05, slot * draw(st.floats(0.3, 3)))))
        clock += slot + draw(st.sampled_from([-0.1, 0.0, 0.0, 0.1, 0.5, 3.0]))
    return lines, clock + draw(st.floats(0.2, 3))


def assert_sound(lines: Sequence[Line], placements: Sequence[Placement], film: float) -> None:
    """Check priorities 1 to 3, to the last bit."""
    assert len(lines) == len(placements)
    order = sorted(range(len(lines)), key=lambda index: lines[index].start)
    for this, following in pairwise(order):
        assert placements[this].end <= placements[following].start
    for line, placement in zip(lines, placements, strict=True):
        assert 0 <= placement.start <= placement.end <= film
        assert placement.natural_seconds == line.natural_seconds
        if line.natural_seconds >= 1e-3:
            assert placement.seconds > 0


@settings(max_examples=400, deadline=None)
@given(st.lists(any_line, max_size=12), st.one_of(st.floats(1e-3, 60), st.floats(1e-3, 1e5)))
@example([Line(1e308, -1e308, 1e308), Line(-1e308, 1e308, 1e308)], 1e-3)
@example([Line(0, 0, 0), Line(0, 0, 1), Line(0, 0, 1), Line(0, 0, 1e9), Line(1, 0, 1)], 1e-3)
@example([Line(0.1 * i, 0.1 * i + 0.1, 0.26) for i in range(12)], 1.2)
def test_nothing_overlaps_is_cut_or_outlives_the_film(lines: list[Line], film: float) -> None:
    placements = place(lines, film)
    assert_sound(lines, placements, film)
    assert all(math.isfinite(p.start) for p in placements)


@settings(deadline=None)
@given(st.lists(any_line, max_size=6), st.sampled_from([0.0, -1.0, 5e-324, 1e-300, 1e308]))
def test_no_film_length_raises(lines: list[Line], film: float) -> None:
    assert len(place(lines, film)) == len(lines)


def feasible(lines: Sequence[Line], film: float, shift: float, tempo: float) -> bool:
    """Tell whether lines in order of start can all be spoken at `tempo` with starts moved by `shift` at most."""
    free = 0.0
    for line in lines:
        start = max(free, line.start - shift)
        if start > line.start + shift:
            return False
        free = start + line.natural_seconds / tempo
    return free <= film


def least(low: float, high: float, enough: Sequence[Line], film: float, shift: float | None = None) -> float:
    """Find by bisection the least tempo for a shift or, where none is given, the least shift at 1.5."""
    for _ in range(60):
        middle = (low + high) / 2
        good = feasible(enough, film, middle, 1.5) if shift is None else feasible(enough, film, shift, middle)
        low, high = (low, middle) if good else (middle, high)
    return high


def in_order(film: tuple[list[Line], float]) -> tuple[list[Line], float]:
    return sorted(film[0], key=lambda line: line.start), film[1]


def worst(lines: Sequence[Line], placements: Sequence[Placement]) -> tuple[float, float]:
    """Give the largest shift and the highest tempo."""
    pairs = zip(lines, placements, strict=True)
    return max(abs(p.start - line.start) for line, p in pairs), max(p.tempo for p in placements)


@settings(max_examples=500, deadline=None)
@given(films().map(in_order))
def test_no_means_is_taken_before_the_one_above_is_used_up(film: tuple[list[Line], float]) -> None:
    lines, end = film
    shift, tempo = worst(lines, place(lines, end))
    assert tempo >= 0.9 - NEARLY
    if feasible(lines, end, 0.0, 1.2):
        assert shift <= NEARLY
    if feasible(lines, end, 0.3, 1.2):
        assert tempo <= 1.2 + NEARLY
    if feasible(lines, end, 0.3, 1.5):
        assert shift <= 0.3 + NEARLY
    if feasible(lines, end, math.inf, 1.5):
        assert tempo <= 1.5 + NEARLY


@settings(max_examples=500, deadline=None)
@given(films().map(in_order))
def test_the_weaker_rule_yields_no_further_than_it_must(film: tuple[list[Line], float]) -> None:
    lines, end = film
    shift, tempo = worst(lines, place(lines, end))
    if feasible(lines, end, 0.3, 1.5):
        assert tempo <= max(1.2, least(1.0, 1.5, lines, end, shift=0.3)) + NEARLY
    elif feasible(lines, end, math.inf, 1.5):
        assert shift <= least(0.3, 100.0, lines, end) + NEARLY
    else:
        assert tempo == about(sum(line.natural_seconds for line in lines) / end)


def jumps(lines: Sequence[Line], placements: Sequence[Placement]) -> list[tuple[float, float]]:
    """Give the tempos of all neighbours in a breath group, in order of start."""
    order = sorted(range(len(lines)), key=lambda index: lines[index].start)
    return [
        (placements[this].tempo, placements[following].tempo)
        for this, following in pairwise(order)
        if lines[following].start - lines[this].end < 0.35
    ]


@settings(max_examples=500, deadline=None)
@given(films().map(in_order))
def test_neighbours_of_a_breath_group_differ_by_0_1_unless_one_has_to_be_above_1_2(
    film: tuple[list[Line], float],
) -> None:
    lines, end = film
    for before, after in jumps(lines, place(lines, end)):
        if max(before, after) <= 1.2 + NEARLY:
            assert abs(before - after) <= 0.1 + NEARLY
        elif abs(before - after) > 0.1:
            assert min(before, after) >= 1.2 - 0.1 - NEARLY


@settings(max_examples=300, deadline=None)
@given(films().map(in_order), st.data())
def test_after_an_edit_neighbours_of_a_breath_group_still_differ_by_0_1_at_most(
    film: tuple[list[Line], float], data: st.DataObject
) -> None:
    lines, end = film
    plan = place(lines, end)
    changed = data.draw(st.integers(0, len(lines) - 1))
    lines[changed] = Line(lines[changed].start, lines[changed].end, data.draw(st.sampled_from((0.5, 1.5, 4.0))))
    now = amended(plan, lines, [changed], end)
    assert_sound(lines, now, end)
    for before, after in jumps(lines, now):
        assert abs(before - after) <= 0.1 + NEARLY or min(before, after) >= 1.2 - 0.1 - NEARLY


tempos = st.floats(0.9, 1.5)


@given(st.lists(st.tuples(tempos, st.booleans()), min_size=1, max_size=8))
def test_smooth_tempos_are_the_least_that_differ_by_one_step_and_none_is_raised_above_1_2(
    drawn: list[tuple[float, bool]],
) -> None:
    given_tempos, joined = [one for one, _ in drawn], [with_next for _, with_next in drawn[:-1]]
    found = smooth(given_tempos, joined)
    for at, (least_tempo, tempo) in enumerate(zip(given_tempos, found, strict=True)):
        # The reason for a raised tempo is a neighbour, through lines that are all of one breath group.
        reasons = [least_tempo]
        for other, theirs in enumerate(given_tempos):
            between = joined[min(at, other) : max(at, other)]
            if all(between) and other != at:
                reasons.append(min(theirs, 1.2 + 0.085) - 0.085 * abs(at - other))
        assert tempo == about(max(reasons))


def test_a_line_that_would_be_slow_beside_a_brisk_one_is_quickened_and_stays_in_its_place() -> None:
    brisk, slow = placed((0, 2, 2.4), (2, 4, 1.5))
    assert (brisk.tempo, slow.start) == (about(1.2), 2)
    assert 1.1 <= slow.tempo < 1.2
    apart = placed((0, 2, 2.4), (2.35, 4.6, 1.5))
    assert apart[1].tempo == about(0.9)


@settings(deadline=None)
@given(films())
def test_where_every_line_fits_its_room_none_is_moved_or_quickened(film: tuple[list[Line], float]) -> None:
    lines = sorted((Line(x.start, max(x.end, x.start), x.natural_seconds) for x in film[0]), key=lambda x: x.start)
    gaps = [after.start - before.start for before, after in pairwise(lines)] + [film[1] - lines[-1].start]
    space = rooms([(line.start, line.end) for line in lines], film[1])
    fitting = [
        Line(line.start, line.end, min(line.natural_seconds, room, gap))
        for line, room, gap in zip(lines, space, gaps, strict=True)
    ]
    for line, placement in zip(fitting, place(fitting, film[1]), strict=True):
        assert placement.start == line.start
        if line.natural_seconds > 0.01:
            assert 0.9 - NEARLY <= placement.tempo <= 1 + NEARLY


@settings(deadline=None)
@given(films(), st.floats(0.1, 50))
def test_an_isolated_bad_line_changes_nothing_elsewhere(film: tuple[list[Line], float], natural: float) -> None:
    lines, end = in_order(film)
    calm = [Line(line.start, line.end, min(line.natural_seconds, 2.0)) for line in lines]
    bad = Line(end + 300, end + 301, natural)
    wall = Line(end + 100, end + 101, 0.5)  # so that the same room lies behind the last line in both
    assert place([*calm, wall, bad], end + 600)[:-2] == place([*calm, wall], end + 600)[:-1]


# Sentences


def spoken(text: str, step: float = 0.4, pauses: dict[int, float] | None = None, space: str = " ") -> list[Word]:
    """Speak a text, a word every `step` seconds, with extra silence before the words of the given indexes."""
    clock, words = 0.0, []
    for index, word in enumerate(text.split()):
        clock += (pauses or {}).get(index, 0.0)
        words.append(Word(clock, clock + step, space + word))
        clock += step
    return words


def texts(words: Sequence[Word]) -> list[str]:
    return [segment.text for segment in sentences(words)]


def without_words(segments: Sequence[Segment]) -> list[Segment]:
    """Return sentences without the times of their words, and without how sure these are."""
    return [replace(segment, words=(), confidence=None) for segment in segments]


def test_sentences_take_their_times_from_their_words_and_count_from_zero() -> None:
    assert without_words(sentences(spoken("Hello there. How are you?", step=0.5))) == [
        Segment(0, 0.0, 1.0, "Hello there."),
        Segment(1, 1.0, 2.5, "How are you?"),
    ]


def test_no_words_and_mere_punctuation_are_no_sentences() -> None:
    assert texts([]) == texts([Word(0, 1, " "), Word(1, 2, " ..."), Word(2, 3, "¿"), Word(3, 4, " -")]) == []


@pytest.mark.parametrize(
    "text",
    [
        "Banana.|Apple!|Really?|Yes…|Fine.",
        "Mr. J. R. R. Tolkien met Dr. A. A. Milne on St. Mary Ave. near Mt. Doom.|They spoke, e.g. of elves.",
        "She left the U.S. Navy.|He lives in the U.S.|She does not.|I ate at 5 p.m. sharp.|We ate at 6 p.m.|I left.",
        "It cost 3.5 dollars.|See no. 5 and Fig. 3 of vol. 2.|Was it you?|No.|Not me.",
        "It was 3.|Five came.|Den 3. oktober kom de.|Take vitamin C.|It helps.|Plan B.|I see.",
        "Nuts, apples, etc. are cheap.|Nuts, apples, etc.|Paul left Apple Inc.|Now he sleeps.",
        "Well... maybe not.|Well...|Maybe not.|He said “Stop!” and left.|“Stop!”|He left.|(Nobody cared.)|Why?",
        "¿Qué tal?|¡Muy bien, gracias!|El Sr. García y la Sra. Pérez viven aquí.|¿Y tú?",
        "यह एक वाक्य है।|दूसरा वाक्य।",
        "هل أنت بخير؟|نعم.",
        "Τι κάνεις;|Καλά.",
        "Ты где?|Это г. Москва.|Да.",
        "« Vous venez ? »|Oui.|«Non!» dit-il.",
        "- How are you?|- Fine.|– And you?|— Well.",
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str) -> None:
    assert texts(spoken(text.replace("|", " "))) == text.split("|")


def test_a_decimal_cut_in_two_stays_one_number() -> None:
    words = [Word(0, 1, " It's"), Word(1, 2, " 3."), Word(2, 3, "5"), Word(3, 4, " percent.")]
    assert texts(words) == ["It's 3.5 percent."]


def test_an_ellipsis_before_a_pause_ends_a_sentence() -> None:
    assert texts(spoken("Well... maybe not.", pauses={1: 0.9})) == ["Well...", "maybe not."]


def test_a_long_pause_parts_even_without_punctuation_and_a_shorter_one_does_not() -> None:
    words = spoken("so we went home then it rained all day long", pauses={4: 1.6, 8: 0.9})
    assert texts(words) == ["so we went home", "then it rained all day long"]


def test_a_pause_of_a_second_parts_before_a_capital_that_looks_like_a_new_thought() -> None:
    assert texts(spoken("We went home Then it rained", pauses={3: 1.0})) == ["We went home", "Then it rained"]


@pytest.mark.parametrize(
    ("text", "pause_before"),
    [
        ("we went home I think", 3),
        ("we went home, Mary said", 3),
        ("we went to Paris yesterday", 3),
        ("we saw Mary there and again Mary came", 6),
    ],
)
def test_a_pause_of_a_second_does_not_part_before_i_after_a_comma_or_before_a_name(
    text: str, pause_before: int
) -> None:
    assert texts(spoken(text, pauses={pause_before: 1.0})) == [text]


def test_unspaced_scripts_are_joined_as_they_are() -> None:
    words = [Word(i * 0.3, i * 0.3 + 0.3, text) for i, text in enumerate(["你", "好", "。", "我", "很好", "！"])]
    assert texts(words) == ["你好。", "我很好！"]


def test_words_stripped_of_their_spaces_get_them_back_where_their_script_writes_them() -> None:
    assert texts(spoken("Hello there , friend . 안녕 하세요 . 你 好", space="")) == [
        "Hello there, friend.",
        "안녕 하세요.",
        "你好",
    ]


def test_whisper_s_own_spacing_is_kept_but_not_doubled() -> None:
    words = [Word(0, 1, " A"), Word(1, 2, " well"), Word(2, 3, "-known"), Word(3, 4, "  fact.")]
    assert texts(words) == ["A well-known fact."]


def test_a_sentence_is_as_sure_as_its_words_on_average_until_somebody_writes_it_anew() -> None:
    (segment,) = sentences([Word(0, 1, " Good", 0.9), Word(1, 2, " day.", 0.5)])
    assert segment.confidence == pytest.approx(0.7)
    assert Edit(text="Otra cosa.").applied_to(segment).confidence == segment.confidence
    assert Edit(source_text="Good way.").applied_to(segment).confidence is None


def test_punctuation_that_stands_alone_joins_its_word_and_adds_no_time() -> None:
    words = [Word(0, 1, " ¿"), Word(1, 2, "Sí"), Word(2, 3, "?"), Word(3, 4, "”"), Word(4, 5, " No.")]
    assert without_words(sentences(words))[0] == Segment(0, 1, 2, "¿Sí?”")


def test_a_minute_without_punctuation_is_divided_without_one_word_fragments() -> None:
    segments = sentences(spoken(" ".join(f"word{i}" for i in range(150))))
    assert all(segment.end - segment.start <= 15 and len(segment.text) <= 220 for segment in segments)
    assert all(len(segment.text.split()) > 5 for segment in segments)
    assert " ".join(segment.text for segment in segments) == " ".join(f"word{i}" for i in range(150))


def test_a_long_sentence_is_divided_at_a_comma_an_and_or_a_pause_near_its_middle() -> None:
    plain = ["word"] * 40
    for at, mark in ((17, "word,"), (17, "word;")):
        divided = texts(spoken(" ".join([*plain[:at], mark, *plain[at:]])))
        assert divided[0].endswith(mark)
    assert texts(spoken(" ".join([*plain[:22], "and", *plain[22:]])))[1].startswith("and ")
    assert len(texts(spoken(" ".join(plain), pauses={23: 1.2}))[0].split()) == 23


def test_a_sentence_long_in_letters_but_not_in_time_is_divided_too() -> None:
    assert [len(text) <= 220 for text in texts(spoken("abcdefghij " * 30, step=0.2))] == [True, True]


def test_three_words_are_never_divided_however_slow_they_are() -> None:
    assert texts(spoken("very slow words", step=9)) == ["very slow words"]


def test_no_word_is_divided_from_all_others_even_at_a_comma_in_the_very_middle() -> None:
    slow_first = [Word(0, 9, " Slowly,"), *(Word(9 + i, 10 + i, f" word{i}") for i in range(8))]
    slow_last = [*(Word(i, i + 1, f" word{i}" + "," * (i == 7)) for i in range(8)), Word(8, 17, " slowly")]
    assert all(len(text.split()) >= 2 for words in (slow_first, slow_last) for text in texts(words))


def test_jitter_does_not_change_the_order_of_the_text_and_a_real_jump_does() -> None:
    words = [Word(5, 5.4, " late."), Word(1, 1.5, " One"), Word(0.9, 0.95, " two"), Word(1.4, 1.2, " three.")]
    assert without_words(sentences(words)) == [Segment(0, 1, 1.4, "One two three."), Segment(1, 5, 5.4, "late.")]


clock_times = st.one_of(st.floats(0, 60), st.floats(-10, 1e4), nasty)
word_texts = st.text(alphabet="aB 3.,?!…。\"»¿-'你I", max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.builds(Word, clock_times, clock_times, word_texts), max_size=40))
def test_whatever_the_times_sentences_are_in_order_and_do_not_overlap(words: list[Word]) -> None:
    segments = sentences(words)
    assert [segment.id for segment in segments] == list(range(len(segments)))
    assert all(segment.start <= segment.end and segment.text == segment.text.strip() for segment in segments)
    assert all(before.end <= after.start for before, after in pairwise(segments))
    said = sorted(char for word in words for char in word.text if char.isalnum())
    assert sorted(char for segment in segments for char in segment.text if char.isalnum()) == said
