"""The board for Grafana shows metrics that a real server has, all of them, by labels that they have."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts import make_board
from tests.servers import Server
from vt.system.metrics import COUNTED, READ

BOARD: dict[str, Any] = json.loads(make_board.BOARD.read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
LABELS = {one.name: {*one.labels, *(["le"] if one.kind == "histogram" else [])} for one in (*COUNTED, *READ)}
NOT_SHOWN: dict[str, str] = {}
"""Metrics that are on no panel, and why."""
_NAME = re.compile(r"\b(?:vt|process)_[a-z0-9_]+")
_ENDINGS = re.compile(r"_(?:bucket|sum|count)$")


def names(expression: str) -> set[str]:
    """Return the metrics of an expression, as they are exposed."""
    return set(_NAME.findall(expression))


def exposed(text: str) -> set[str]:
    """Return every name that an exposition has samples by, or would have."""
    found: set[str] = set()
    for family in text_string_to_metric_families(text):
        found |= {sample.name for sample in family.samples}
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found |= {family.name + ending for ending in endings}
    return found


def test_the_file_is_what_the_script_writes() -> None:
    assert make_board.BOARD.read_text(encoding="utf-8") == make_board.text()


def test_every_metric_of_every_panel_is_one_that_a_server_exposes(server: Server) -> None:
    there = exposed(server.ask("GET", "/metrics").text)
    assert "vt_http_seconds_bucket" in there
    for target in TARGETS:
        assert names(target["expr"]), target
        assert names(target["expr"]) <= there, target


def test_every_metric_of_ours_is_on_the_board_or_left_out_for_a_reason() -> None:
    shown = {name if name in LABELS else _ENDINGS.sub("", name) for target in TARGETS for name in names(target["expr"])}
    assert LABELS.keys() - shown == NOT_SHOWN.keys()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["expr"])
def test_an_expression_groups_and_names_by_labels_that_its_metrics_have(target: dict[str, str]) -> None:
    expression = target["expr"]
    asked = {label.strip() for group in re.findall(r" by \(([^)]*)\)", expression) for label in group.split(",")}
    asked |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    for name in names(expression):
        known = LABELS.get(name, LABELS.get(_ENDINGS.sub("", name), set()))
        assert asked <= known, name
    assert expression.count("(") == expression.count(")")


def test_grafana_finds_all_that_an_import_needs() -> None:
    assert BOARD["templating"]["list"][0]["type"] == "datasource"
    assert {target["datasource"]["uid"] for target in TARGETS} == {"${datasource}"}
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert ids == sorted(set(ids))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    assert len(places) == len(set(places))
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in BOARD["panels"])


@pytest.mark.parametrize("expression", ["rate(vt_nothing_total[5m])", "vt_models_total", "sum(vt_http_seconds)"])
def test_a_metric_that_does_not_exist_would_be_seen(expression: str, server: Server) -> None:
    assert not names(expression) <= exposed(server.ask("GET", "/metrics").text)
