"""A server with a cluster: the models of all machines together, and how it is doing where some are not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clusters import FACTS, STATE, ScriptedHost, ScriptedNodes, cluster, comes
from tests.test_factory import Scripted, impatient, settings
from vt.cluster import overview
from vt.cluster.hosts import Hosts
from vt.cluster.nodes import Node
from vt.errors import UnknownModel
from vt.factory import AIServiceFactory
from vt.services import Services
from vt.settings import Settings

OWN = {
    **STATE,
    "total_memory_mb": 1.25,
    "device": "cpu",
    "models": [{"cache_key": "stt_base"}],
    "memory": [{"device": "cpu", "used_mb": 1.25}],
}


def test_models_of_hosts_stand_behind_those_of_the_server_with_the_names_of_their_nodes() -> None:
    found = overview.together(OWN, {"two": STATE, "one": STATE})
    assert found["models"] == [
        {"cache_key": "stt_base"},
        {"cache_key": "tts_tone", "node": "one"},
        {"cache_key": "tts_tone", "node": "two"},
    ]
    assert [one["device"] for one in found["memory"]] == ["cpu", "one cpu", "two cpu"]


def test_counts_and_sizes_are_added_and_all_else_is_the_servers() -> None:
    found = overview.together(OWN, {"one": STATE, "two": STATE})
    assert (found["total_cached_models"], found["hits"], found["misses"]) == (3, 9, 6)
    assert (found["loads"], found["evictions"], found["budget_mb"]) == (6, 3, 300)
    assert found["total_memory_mb"] == pytest.approx(22.25, abs=0.06)
    assert found["device"] == "cpu"


def test_without_hosts_the_state_is_the_servers_own_and_is_not_changed_by_others() -> None:
    assert overview.together(OWN, {})["models"] == OWN["models"]
    overview.together(OWN, {"one": STATE})
    assert OWN["models"] == [{"cache_key": "stt_base"}]


# The services of a server


@pytest.fixture
def there() -> dict[str, ScriptedHost]:
    return {"one": ScriptedHost(), "two": ScriptedHost()}


@pytest.fixture
def nodes(there: dict[str, ScriptedHost]) -> ScriptedNodes:
    return ScriptedNodes(*there, make=lambda node: there[node.name])


@pytest.fixture
def hosts(nodes: ScriptedNodes) -> Iterator[Hosts]:
    with cluster(nodes) as running:
        yield running


@pytest.fixture
def services(hosts: Hosts, tmp_path: Path) -> Iterator[Services]:
    chosen = settings(data_dir=str(tmp_path))
    with closing(factory_of(chosen)) as factory:
        yield Services(chosen, factory, hosts)


def factory_of(chosen: Settings) -> AIServiceFactory:
    """Return a factory whose recogniser is scripted."""
    return AIServiceFactory(chosen, catalogue=Scripted(chosen), make_cache=impatient)


def test_the_models_of_all_hosts_are_shown(services: Services, hosts: Hosts) -> None:
    comes(lambda: len(hosts.models()) == 2)
    cache = services.models()["model_cache"]
    assert [model["node"] for model in cache["models"]] == ["one", "two"]
    assert cache["total_cached_models"] == 2
    assert services.models()["status"] == "success"


def test_clearing_frees_the_models_of_all_hosts(services: Services, there: dict[str, ScriptedHost]) -> None:
    there["one"].cleared = (("tts_tone", "stt_base"), 3 * 2**20, ())
    there["two"].cleared = (("tts_tone",), 2**19, ("nllb",))
    assert services.clear() == {
        "status": "retiring",
        "freed": ["tts_tone", "stt_base", "tts_tone"],
        "freed_mb": 3.5,
        "retiring": ["nllb"],
    }
    assert all(("clear", "") in host.calls for host in there.values())


def test_one_model_is_freed_wherever_it_is(services: Services, there: dict[str, ScriptedHost]) -> None:
    there["two"].cleared = (("tts_tone",), 2**20, ())
    assert services.evict("tts_tone") == {"status": "success", "freed": ["tts_tone"], "freed_mb": 1.0, "retiring": []}
    assert all(("clear", "tts_tone") in host.calls for host in there.values())
    there["two"].cleared = ((), 0, ("tts_tone",))
    assert services.evict("tts_tone") == {"status": "retiring", "freed": [], "freed_mb": 0.0, "retiring": ["tts_tone"]}
    there["two"].cleared = ((), 0, ())
    assert services.evict("tts_tone") is None


def test_a_host_that_does_not_answer_keeps_nobody_from_clearing(
    services: Services, there: dict[str, ScriptedHost]
) -> None:
    there["one"].is_gone = True
    there["two"].cleared = (("tts_tone",), 2**20, ())
    assert services.clear()["freed"] == ["tts_tone"]


def test_models_are_preloaded_on_all_hosts_too(services: Services, there: dict[str, ScriptedHost]) -> None:
    services.preload()
    assert all(("preload", ()) in host.calls for host in there.values())
    services.preload(["campplus-zh-en"])
    assert all(("preload", ("campplus-zh-en",)) in host.calls for host in there.values())
    with pytest.raises(UnknownModel):
        services.preload(["nonsense"])
    assert not any(("preload", ("nonsense",)) in host.calls for host in there.values())


def test_a_server_whose_machines_all_serve_says_nothing_of_them(services: Services) -> None:
    health = services.health()
    assert not [note for note in health["notes"] if "cluster" in note]


def test_a_server_one_of_whose_machines_differs_is_degraded_and_says_which(
    services: Services, hosts: Hosts, nodes: ScriptedNodes, there: dict[str, ScriptedHost]
) -> None:
    assert services.health()["status"] == "healthy"
    there["three"] = ScriptedHost(about=replace(FACTS, version="0.9"))
    nodes.there["three"] = Node("three", "three", 4)
    comes(hosts.notes)
    health = services.health()
    assert (health["status"], health["ai_service_factory"]["status"]) == ("degraded", "degraded")
    assert health["notes"] == [
        "The machine three of the cluster does not serve: it has vt 0.9, and the server 1.0. Install the same there."
    ]


def test_a_server_that_has_no_machine_is_degraded_and_says_so(
    services: Services, hosts: Hosts, nodes: ScriptedNodes
) -> None:
    nodes.there.clear()
    comes(lambda: not hosts.states())
    assert services.health()["status"] == "degraded"
    assert "No machine of the cluster is ready: jobs wait for one." in services.health()["notes"]


def test_a_server_is_ready_once_a_machine_is_and_stays_so(tmp_path: Path) -> None:
    chosen = settings(data_dir=str(tmp_path), preload_models=True)
    nodes = ScriptedNodes()
    with cluster(nodes) as hosts, closing(factory_of(chosen)) as factory:
        services = Services(chosen, factory, hosts)
        assert services.readiness() == (False, ())
        nodes.there["one"] = Node("one", "one", 4)
        comes(hosts.states)
        assert services.readiness() == (True, ())
        nodes.there.clear()
        comes(lambda: not hosts.states())
        assert services.readiness() == (True, ())


def test_a_server_connects_as_it_begins_and_leaves_the_cluster_as_it_closes(tmp_path: Path) -> None:
    chosen = settings(data_dir=str(tmp_path), preload_models=True)
    nodes = ScriptedNodes("one")
    services = Services(chosen, factory_of(chosen), Hosts(nodes, {}, own=lambda: FACTS, look_seconds=0.01))
    assert not nodes.has_begun
    with closing(services):
        services.begin()
        comes(lambda: services.readiness()[0])
        assert services.factory.preload_status() == ()  # hosts load theirs
    assert nodes.is_closed
