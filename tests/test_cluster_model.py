"""The model of a cluster gives what can be calculated by hand, and the same figures each time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import cluster_model
from benchmarks.cluster_model import Costs, bounds, figures

FREE = Costs(
    begin=0.0,
    finish=0.0,
    piece_message=0.0,
    answer_message=0.0,
    piece_waits=0.0,
    queued_look=0.0,
    placed_node=0.0,
    node_watched=0.0,
    sound_out=0.0,
    sound_back=0.0,
    film_seconds=600.0,
    window_seconds=600.0,
    spread=0.0,
)
"""All that is no work of a node costs nothing, and every film has ten minutes."""


def test_one_node_does_what_can_be_calculated_by_hand() -> None:
    found = figures(replace(FREE, jobs_at_once=1), 1)
    assert found.minutes_an_hour == pytest.approx(60 / (0.45 + 0.004 + 0.35))
    assert found.film_takes == pytest.approx(600 * 0.804)
    assert found.share == pytest.approx(1.0)
    assert found.limit == "nodes"


def test_a_film_alone_waits_for_one_stage_after_the_other() -> None:
    """On two nodes: its only window is heard by one of them; the lines are shared evenly."""
    costs = replace(FREE, jobs_at_once=1, lines=152 / 600, begin=0.01, finish=0.02)
    found = figures(costs, 2)
    assert found.film_takes == pytest.approx(600 * (0.01 + 0.45 + 0.02) + 600 * (0.004 + 0.35) / 2, rel=0.03)


def test_two_nodes_without_a_conductor_are_twice_as_fast_as_one() -> None:
    assert figures(FREE, 2).minutes_an_hour == pytest.approx(2 * figures(FREE, 1).minutes_an_hour, rel=0.02)


def test_faster_nodes_and_more_nodes_are_the_same() -> None:
    four = figures(replace(FREE, node_processors=4.0, jobs_at_once=12), 2)
    assert four.minutes_an_hour == pytest.approx(8 * 60 / 0.804, rel=0.03)


def test_where_the_conductor_is_full_more_nodes_do_no_more() -> None:
    costs = replace(FREE, begin=0.02, finish=0.08, server_processors=1)
    for nodes in (30, 60):
        found = figures(costs, nodes)
        # Pieces that lie ready when the counting begins or ends are few beside all that is done in between.
        assert found.minutes_an_hour == pytest.approx(60 / 0.1, rel=0.06)
        assert found.loads["processors"] == pytest.approx(1.0)
        assert found.limit == "processors"
    assert bounds(costs)["processors"] == pytest.approx(10 * 0.804)


@pytest.mark.parametrize(
    ("costs", "part", "most"),
    [
        (replace(FREE, sound_out=1e7, network=1e7), "network", 1.0),
        (replace(FREE, answer_message=1.0), "Python", 1 / 0.75),
    ],
    ids=["network", "Python"],
)
def test_what_is_full_is_named(costs: Costs, part: str, most: float) -> None:
    found = figures(costs, 20)
    assert found.limit == part
    assert found.minutes_an_hour == pytest.approx(60 * most, rel=0.06)


def test_too_few_jobs_leave_nodes_idle() -> None:
    found = figures(replace(FREE, jobs_at_once=2), 40)
    assert found.limit == "jobs"
    assert found.share < 0.3


def test_a_head_that_is_full_sees_no_more_nodes() -> None:
    costs = replace(FREE, head_messages=8.0, node_messages=2.0, jobs_at_once=20)
    assert figures(costs, 16).minutes_an_hour == pytest.approx(4 * 60 / 0.804, rel=0.03)
    assert figures(costs, 16).limit == "head"


def test_nothing_is_busy_for_longer_than_there_was_time() -> None:
    for nodes in (1, 7, 300):
        found = figures(Costs(film_seconds=1200.0), nodes)
        assert all(load < 1.001 for load in found.loads.values()), found
        assert found.share < 1.001


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    assert figures(Costs(), 5, seed=1) == figures(Costs(), 5, seed=1)
    assert figures(Costs(), 5, seed=1) != figures(Costs(), 5, seed=2)


def test_costs_come_from_a_file_and_from_arguments_which_go_before(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    file.write_text(json.dumps({"speak": 0.1, "hear": 0.2}), encoding="utf-8")
    costs, arguments = cluster_model.costs_of(["--costs", str(file), "--hear", "0.3", "--nodes", "2", "3"])
    assert costs == Costs(speak=0.1, hear=0.3)
    assert arguments.nodes == [2, 3]


def test_it_prints_a_table_and_where_each_part_is_full(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["cluster_model", "--nodes", "1", "--film-seconds", "60"])
    cluster_model.main()
    head, rule, row, _, full = capsys.readouterr().out.splitlines()
    assert head.count("|") == rule.count("|") == row.count("|")
    assert row.startswith("| 1 | ")
    assert "processors 214" in full
