"""deploy/kuberay.yaml has the fields that KubeRay knows, and fits the image and the server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.conftest import ROOT
from vt.settings import Settings

MANIFEST = ROOT / "deploy" / "kuberay.yaml"
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))
OF_THE_CLUSTER = {"VT_EXECUTOR", "RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "PYTHONPATH"}
SECRET = re.compile(r"TOKEN$|_KEY$|PASSWORD|SECRET")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def found(kind: str) -> dict[str, Any]:
    (document,) = [document for document in DOCUMENTS if document["kind"] == kind]
    return document


def templates() -> Iterator[dict[str, Any]]:
    cluster = found("RayCluster")["spec"]
    yield cluster["headGroupSpec"]["template"]
    yield from (group["template"] for group in cluster["workerGroupSpecs"])
    yield found("Deployment")["spec"]["template"]


def containers() -> Iterator[dict[str, Any]]:
    for template in templates():
        yield from template["spec"]["containers"]


def test_the_ray_cluster_fits_the_schema_of_kuberay() -> None:
    schema = json.loads((ROOT / "tests" / "data" / "raycluster.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.validator_for(schema)
    assert [error.message for error in validator.iter_errors(found("RayCluster"))] == []
    wrong = json.loads(json.dumps(found("RayCluster")))
    wrong["spec"]["workerGroupSpecs"][0]["minReplica"] = 1
    wrong["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0
    assert len([*validator.iter_errors(wrong)]) == 2


def test_it_says_at_its_beginning_that_it_was_not_run() -> None:
    comment = re.match(r"(# .*\n|#\n)+", MANIFEST.read_text(encoding="utf-8"))
    assert comment
    assert "was not run" in comment[0]


def test_the_head_does_no_work_and_the_nodes_have_bounds() -> None:
    cluster = found("RayCluster")["spec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in cluster["workerGroupSpecs"]:
        assert 1 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        jobs = int(_environment(found("Deployment"))["VT_JOBS_AT_ONCE"]["value"])
        assert jobs == group["replicas"] + 1


def test_all_pods_have_one_image_and_no_rights() -> None:
    assert len({container["image"] for container in containers()}) == 1
    for template in templates():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert f"useradd --uid {spec['securityContext']['runAsUser']} " in (ROOT / "Dockerfile").read_text()
        assert spec["automountServiceAccountToken"] is False
        volumes = {volume["name"] for volume in spec.get("volumes", ())}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}
            assert {mount["name"] for mount in container.get("volumeMounts", ())} == volumes


def _environment(workload: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one for one in container["env"]}


def test_its_variables_are_settings_and_its_secrets_are_kept_elsewhere() -> None:
    known = {field.alias for field in Settings.model_fields.values()} | OF_THE_CLUSTER
    for container in containers():
        for variable in container.get("env", ()):
            assert variable["name"] in known
            assert set(variable.get("valueFrom", ())) == (
                {"secretKeyRef"} if SECRET.search(variable["name"]) else set()
            )
    cluster = found("RayCluster")["spec"]["authOptions"]
    assert cluster["mode"] == "token"
    assert (
        _environment(found("Deployment"))["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]["name"]
        == cluster["secretName"]
    )


@pytest.mark.parametrize("name", ["/health", "/ready"])
def test_the_server_is_probed_by_its_own_routes(name: str) -> None:
    (server,) = found("Deployment")["spec"]["template"]["spec"]["containers"]
    assert name in {server[probe]["httpGet"]["path"] for probe in PROBES}
    assert [port["containerPort"] for port in server["ports"]] == [8000]
    assert "EXPOSE 8000" in (ROOT / "Dockerfile").read_text()


def test_everything_that_is_named_is_there() -> None:
    deployment, name = found("Deployment")["spec"], found("RayCluster")["metadata"]["name"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == found("Service")["spec"]["selector"] == labels
    assert deployment["strategy"] == {"type": "Recreate"}
    (claim,) = [one for one in deployment["template"]["spec"]["volumes"] if "persistentVolumeClaim" in one]
    assert claim["persistentVolumeClaim"]["claimName"] == found("PersistentVolumeClaim")["metadata"]["name"]
    assert _environment(found("Deployment"))["RAY_ADDRESS"]["value"] == f"{name}-head-svc:6379"
    policies = [document["spec"] for document in DOCUMENTS if document["kind"] == "NetworkPolicy"]
    assert [policy["podSelector"]["matchLabels"] for policy in policies] == [{"ray.io/cluster": name}, labels]
