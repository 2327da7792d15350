"""Routes from language to language: measured ones first, a way round only where it is worth it, three hops at most."""

from __future__ import annotations

import itertools
from itertools import pairwise

import pytest

from vt.engines import translation_routes
from vt.engines.translation_routes import Hop, Table, advice, find, measured, others, remedy, worth_fetching

NOTHING = Table({}, {})


def hops(text: str, engine: str = "apertium") -> tuple[Hop, ...]:
    """Return hops such as `en-es es-fr`."""
    return tuple(Hop(engine, *pair.split("-")) for pair in text.split())


RULES = hops(
    "en-es es-en en-ca ca-en es-ca ca-es es-pt pt-es pt-ca ca-pt es-fr fr-es ca-fr fr-ca it-ca it-es es-it en-gl"
)
BUNDLED = hops("en-pt pt-en", "firefox")


def best(here: tuple[Hop, ...], source: str, target: str) -> str:
    return str(find(here, source, target)[0])


@pytest.mark.parametrize(
    ("pair", "wanted"),
    [
        ("en-es", "en > pt (firefox) > es (apertium)"),
        ("en-ca", "en > pt (firefox) > ca (apertium)"),
        ("en-fr", "en > pt (firefox) > ca (apertium) > fr (apertium)"),
        ("es-en", "es > pt (apertium) > en (firefox)"),
        ("ca-en", "ca > pt (apertium) > en (firefox)"),
        ("fr-en", "fr > ca (apertium) > pt (apertium) > en (firefox)"),
        ("en-pt", "en > pt (firefox)"),
        ("es-ca", "es > ca (apertium)"),
    ],
)
def test_what_comes_out_of_the_box_takes_the_route_that_was_measured_best(pair: str, wanted: str) -> None:
    source, target = pair.split("-")
    assert best(RULES + BUNDLED, source, target) == wanted


@pytest.mark.parametrize(("pair", "floor"), [("en-es", 50), ("en-ca", 59), ("en-fr", 51), ("es-en", 54), ("ca-en", 62)])
def test_the_measured_routes_hold_their_floors(pair: str, floor: float) -> None:
    source, target = pair.split("-")
    first = find(RULES + BUNDLED, source, target)[0]
    assert first.measured
    assert first.score >= floor


@pytest.mark.parametrize("pair", ["en-es", "es-en", "en-fr", "fr-en", "ca-en", "en-it", "de-en"])
def test_a_direct_model_beats_every_way_round_as_soon_as_it_is_there(pair: str) -> None:
    direct, (source, target) = hops(pair, "firefox"), pair.split("-")
    assert find(RULES + BUNDLED + direct, source, target)[0].hops == direct
    assert worth_fetching(RULES + BUNDLED, direct, source, target) == direct


def test_a_way_round_that_nobody_measured_does_not_take_the_place_of_a_direct_hop() -> None:
    here = hops("en-gl") + hops("en-pt", "firefox") + hops("pt-gl")
    assert [str(route) for route in find(here, "en", "gl")] == ["en > gl (apertium)"]


def test_a_way_round_that_was_measured_but_hardly_better_does_not_either() -> None:
    here = hops("a-b b-c a-c")
    direct, round_ = here[2:], here[:2]
    assert [one.hops for one in find(here, "a", "c", Table({}, {direct: 50.0, round_: 50.2}))] == [direct]
    assert [one.hops for one in find(here, "a", "c", Table({}, {direct: 50.0, round_: 51.0}))] == [round_, direct]


def test_without_a_direct_hop_all_ways_are_there_and_the_cheapest_is_first() -> None:
    assert best(RULES + BUNDLED, "en", "it").startswith("en > pt (firefox) > ")
    assert best(hops("en-es en-da es-it da-it"), "en", "it") == "en > es (apertium) > it (apertium)"


def test_an_estimate_is_in_proportion_to_what_was_measured_between_the_two_languages() -> None:
    (direct,) = known = hops("a-c")
    table = Table({direct: 0.2}, {known: 40.0})
    (new,) = find(hops("a-c", "firefox"), "a", "c", table)
    assert not new.measured
    assert 40.0 < new.score < 50.0


def test_four_hops_are_too_many_and_circles_end() -> None:
    chain = hops("a-b b-c c-d d-e b-a c-b")
    assert len(find(chain, "a", "d", NOTHING)) == 1
    assert find(chain, "a", "e", NOTHING) == []
    assert find(chain, "a", "a", NOTHING) == []


def test_the_order_of_the_hops_given_does_not_matter() -> None:
    here = list(RULES + BUNDLED)
    wanted = find(here, "en", "fr")
    for turn in range(len(here)):
        assert find(here[turn:] + here[:turn], "en", "fr") == wanted


def test_every_hop_of_a_route_begins_where_the_one_before_it_ends() -> None:
    for source, target in itertools.permutations(("en", "es", "fr", "it", "pt"), 2):
        for route in find(RULES + BUNDLED, source, target):
            assert (route.hops[0].source, route.hops[-1].target) == (source, target)
            assert all(one.target == next_.source for one, next_ in pairwise(route.hops))


def test_what_is_worth_fetching_is_said_in_a_sentence_and_nothing_where_it_is_not() -> None:
    wanted = worth_fetching(RULES + BUNDLED, hops("en-es es-en", "firefox"), "en", "es")
    assert advice(wanted) == "A better translation is one download away: vt fetch firefox:en-es."
    assert remedy(wanted) == "This translation is one download away: vt fetch firefox:en-es."
    assert advice(worth_fetching(RULES + BUNDLED, hops("en-de", "firefox"), "en", "es")) == remedy(()) == ""
    assert worth_fetching(RULES, (), "en", "ja") == ()


def test_other_routes_are_those_that_were_measured_and_are_nearly_as_good_as_the_one_taken() -> None:
    ways = {text: hops(text) for text in ("a-c", "a-b b-c", "a-d d-c", "a-e e-c")}
    scores = dict(zip(ways.values(), (50.0, 49.0, 43.0, 42.0), strict=True))
    here = [*dict.fromkeys(itertools.chain(*ways.values(), hops("a-f f-c")))]
    found = [route.hops for route in others(here, ways["a-c"], Table({}, scores))]
    assert found == [ways["a-b b-c"], ways["a-d d-c"]]
    taken = find(RULES + BUNDLED, "en", "es")[0].hops
    best_beside = others(RULES + BUNDLED, taken)[0]
    assert str(best_beside) == "en > pt (firefox) > ca (apertium) > es (apertium)"
    assert others(RULES, hops("en-ja")) == []


def test_the_table_is_of_hops_that_fit_together_with_scores_and_costs_in_their_bounds() -> None:
    table = measured()
    assert all(0 < score < 100 for score in table.scores.values())
    assert all(0 < cost < 1 for cost in table.costs.values())
    for way in table.scores:
        assert 1 <= len(way) <= translation_routes.LONGEST
        assert all(one.target == next_.source for one, next_ in pairwise(way))
