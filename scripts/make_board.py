"""Write docs/grafana/vt.json, the board for Grafana; a test holds that it shows metrics that exist.

Run: .venv/bin/python -m scripts.make_board
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BOARD = Path(__file__).parent.parent / "docs" / "grafana" / "vt.json"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT, _PER_ROW = 8, 7, 3
_RATE = "[$__rate_interval]"

Panel = tuple[str, str, tuple[tuple[str, str], ...]]
"""A title, Grafana's name of a unit, and expressions of PromQL with what their lines are called."""


def _quantiles(metric: str, by: str = "") -> tuple[tuple[str, str], ...]:
    label = f"{{{{{by}}}}} " if by else ""
    groups = f"le, {by}" if by else "le"
    return tuple(
        (f"histogram_quantile({share}, sum by ({groups}) (rate({metric}_bucket{_RATE})))", f"{label}{name}")
        for share, name in ((0.5, "half"), (0.95, "95 %"))
    )


def _mean(metric: str, by: str) -> tuple[tuple[str, str], ...]:
    over = f"sum by ({by}) (rate({metric}_count{_RATE}))"
    return ((f"sum by ({by}) (rate({metric}_sum{_RATE})) / {over}", f"{{{{{by}}}}}"),)


def _rate(metric: str, *by: str) -> tuple[tuple[str, str], ...]:
    groups = f" by ({', '.join(by)})" if by else ""
    return ((f"sum{groups} (rate({metric}{_RATE}))", " ".join(f"{{{{{label}}}}}" for label in by) or "all"),)


ROWS: dict[str, tuple[Panel, ...]] = {
    "Requests": (
        ("Answers", "reqps", _rate("vt_http_requests_total", "status")),
        ("By route", "reqps", _rate("vt_http_requests_total", "method", "route")),
        ("Until an answer begins", "s", _quantiles("vt_http_seconds")),
        ("Slowest routes, 95 %", "s", _quantiles("vt_http_seconds", "route")[1:]),
        ("Sent away, by reason", "reqps", _rate("vt_refusals_total", "reason")),
        ("Connections", "short", (("vt_http_connections", "open"),)),
    ),
    "Jobs": (
        ("Queue", "short", (("vt_jobs", "{{state}}"),)),
        ("Wait for their turn", "s", _quantiles("vt_job_wait_seconds")),
        ("Over, in an hour", "short", (("sum by (state) (increase(vt_jobs_ended_total[1h]))", "{{state}}"),)),
        ("Times as fast as the film", "short", _quantiles("vt_realtime_factor")),
        ("Stages, on average", "s", _mean("vt_stage_seconds", "stage")),
        ("At work, of what may be", "percentunit", (("vt_at_work / vt_at_work_limit", "{{what}}"),)),
    ),
    "Models": (
        ("Memory, of the budget", "bytes", (("vt_model_bytes", "{{kind}}"), ("vt_model_budget_bytes", "budget"))),
        (
            "Memory of each device",
            "bytes",
            (("vt_device_bytes", "{{device}}"), ("vt_device_budget_bytes", "{{device}}, budget")),
        ),
        ("In memory, and in use", "short", (("vt_models", "{{kind}}"), ("vt_model_leases", "{{kind}} in use"))),
        (
            "Found ready",
            "percentunit",
            (
                (
                    f"rate(vt_model_hits_total{_RATE}) / "
                    f"(rate(vt_model_hits_total{_RATE}) + rate(vt_model_misses_total{_RATE}))",
                    "found ready",
                ),
            ),
        ),
        ("Loads", "s", _quantiles("vt_model_load_seconds", "kind")),
        ("Waits for models", "s", _quantiles("vt_model_wait_seconds", "kind")),
        (
            "Come and gone, in an hour",
            "short",
            (
                ("increase(vt_model_loads_total[1h])", "loaded"),
                ("sum by (reason) (increase(vt_model_evictions_total[1h]))", "gone: {{reason}}"),
                ("sum by (kind) (increase(vt_model_failures_total[1h]))", "failed: {{kind}}"),
            ),
        ),
    ),
    "The language model": (
        ("Questions", "reqps", _rate("vt_llm_calls_total")),
        ("Tokens, in an hour", "short", (("sum by (kind) (increase(vt_llm_tokens_total[1h]))", "{{kind}}"),)),
        ("Lines left to others, in an hour", "short", (("increase(vt_llm_fallen_lines_total[1h])", "lines"),)),
    ),
    "The cluster": (
        ("Machines that are ready", "short", (("vt_cluster_machines", "ready"),)),
        ("Pieces under way", "short", (("vt_cluster_pieces", "{{machine}}"),)),
        ("Pieces done", "ops", ((f"rate(vt_cluster_pieces_total{_RATE})", "{{machine}}"),)),
    ),
    "The machine": (
        ("Memory of the process", "bytes", (("process_resident_memory_bytes", "resident"),)),
        ("Processor", "percentunit", ((f"rate(process_cpu_seconds_total{_RATE})", "cores"),)),
        ("Files and sockets open", "short", (("process_open_fds", "open"), ("process_max_fds", "at most"))),
        ("Programs at work", "short", (("vt_children", "{{program}}"),)),
        (
            "Programs that ended, in an hour",
            "short",
            (("sum by (program, how) (increase(vt_children_ended_total[1h]))", "{{program}} {{how}}"),),
        ),
        ("Room on the disk", "bytes", (("vt_free_disk_bytes", "free"),)),
        ("Version", "short", (("vt_info", "{{version}}"),)),
    ),
}


def board() -> dict[str, Any]:
    """Return the board as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, shown in ROWS.items():
        panels.append({"type": "row", "title": title, "gridPos": _place(0, top, 24, 1), "collapsed": False})
        for number, panel in enumerate(shown):
            row, column = divmod(number, _PER_ROW)
            place = _place(column * _WIDTH, top + 1 + row * _HEIGHT, _WIDTH, _HEIGHT)
            panels.append(_panel(panel, place))
        top += 1 + -(-len(shown) // _PER_ROW) * _HEIGHT
    for number, found in enumerate(panels, 1):
        found["id"] = number
    variable = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "title": "vt, the video translator",
        "uid": "vt",
        "tags": ["vt"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": panels,
    }


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    title, unit, lines = panel
    targets = [
        {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": expression, "legendFormat": name}
        for number, (expression, name) in enumerate(lines)
    ]
    return {
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def text() -> str:
    """Return the board's file."""
    return json.dumps(board(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    BOARD.parent.mkdir(exist_ok=True)
    BOARD.write_text(text(), encoding="utf-8")
