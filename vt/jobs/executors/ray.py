"""Runs jobs in the server, with the models of a Ray cluster: their pieces are done wherever there is room."""

from __future__ import annotations

from vt.cluster.encoding import RemoteEncoder
from vt.cluster.host import given_by
from vt.cluster.hosts import Hosts
from vt.cluster.ray_nodes import RayNodes
from vt.cluster.services import ClusterServices
from vt.factory import AIServiceFactory
from vt.jobs.executors.local import LocalExecutor
from vt.settings import Settings


def cluster(settings: Settings) -> Hosts:
    """Return the hosts of the cluster at RAY_ADDRESS; `Hosts.begin` connects."""
    return Hosts(
        RayNodes(),
        given_by(settings),
        storage_url=settings.storage_url,
        preload=settings.preload_models and settings.cache_enabled,
    )


def executor(factory: AIServiceFactory, hosts: Hosts) -> LocalExecutor:
    """Return what runs jobs here with the models of hosts: so a job's pieces are kept where the server finds them."""
    return LocalExecutor(ClusterServices(factory, hosts), encoder=RemoteEncoder(hosts))
