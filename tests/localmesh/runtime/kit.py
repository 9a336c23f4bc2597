"""What the tests of the runtime share: a small mesh in our own words, and a machine to run it on."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localmesh.mesh import Mesh, Pod, Service, Workload
from localmesh.mesh.identity import Identity, Protocol
from localmesh.mesh.pods import Proxy
from localmesh.mesh.services import ServicePort
from localmesh.mesh.workloads import Container
from localmesh.runtime import dirs as folders
from localmesh.runtime.addresses import PodAddress
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.plan import Machine
from localmesh.runtime.process import Launch

PROGRAMS = {"python": sys.executable, "nats": "/opt/nats-server", "postgres": "/opt/pg/bin", "envoy": "/opt/envoy"}


def launch(dirs: Dirs, *command: str, env: Mapping[str, str] | None = None, rootless: bool = False) -> Launch:
    """A command with a log and a record, and this process' PATH."""
    path = {"PATH": os.environ["PATH"]}
    return Launch(command, dirs.logs / "test.log", dirs.processes, path | dict(env or {}), dirs.state, rootless)


def python(dirs: Dirs, code: str, *arguments: str) -> Launch:
    """A Python program; -S -E makes it start fast."""
    return launch(dirs, sys.executable, "-S", "-E", "-c", code, *arguments)


def workload(name: str, *containers: Container, replicas: int = 1, **more: Any) -> Workload:
    """A Deployment in the namespace `mesh`."""
    return Workload("Deployment", name, "mesh", replicas, {"app": name}, name, containers=containers, **more)


def service(name: str, *ports: int, namespace: str = "mesh") -> Service:
    """A Service with gRPC ports."""
    numbered = tuple(ServicePort(port, f"grpc-{port}", Protocol.GRPC, port) for port in ports)
    return Service(f"{name}.{namespace}.svc.cluster.local", name, namespace, numbered)


def mesh(*workloads: Workload, services: tuple[Service, ...] = ()) -> Mesh:
    """The mesh of these workloads, one pod for each replica."""
    pods = tuple(
        Pod(
            name=name,
            namespace=each.namespace,
            labels=each.labels,
            identity=Identity("cluster.local", each.namespace, each.service_account),
            address="10.0.0.1",
            proxy=each.proxy,
            workload=each.name,
        )
        for each in workloads
        for name in each.pod_names
    )
    return Mesh(pods=pods, services=services, workloads=workloads)


def machine(
    of: Mesh, dirs: Dirs, programs: Mapping[str, str] = PROGRAMS, environ: Mapping[str, str] | None = None
) -> Machine:
    """A machine with addresses for all pods of the mesh."""
    addresses = {pod.key: PodAddress(f"127.15.1.{at}", f"127.15.129.{at}") for at, pod in enumerate(of.pods, 1)}
    return Machine(addresses, dirs, programs, dirs.state, {"PATH": os.environ["PATH"]} if environ is None else environ)


def imagined_dirs() -> Dirs:
    """Folders that nobody makes: for plans that are only looked at."""
    return folders.of(Path("/somewhere/.mesh"))


__all__ = ["PROGRAMS", "Proxy", "imagined_dirs", "launch", "machine", "mesh", "python", "service", "workload"]
