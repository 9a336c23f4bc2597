"""A snapshot as one static bootstrap, so that `envoy --mode validate` checks all of it without a control plane."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from google.protobuf import json_format

from localmesh.xds.bootstrap import bootstrap
from localmesh.xds.snapshot import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, Snapshot
from tests.localmesh.xds.envoys import envoy_binary


def static(snapshot: Snapshot) -> bootstrap_pb2.Bootstrap:
    """Routes, endpoints and extensions put in where the snapshot refers to them; secrets are still asked for."""
    made = bootstrap("test.mesh", "test.mesh", "/nowhere/admin.sock", "/nowhere/xds.sock")
    made.dynamic_resources.ClearField("lds_config")
    made.dynamic_resources.ClearField("cds_config")
    for one in snapshot.type(CLUSTER).values():
        made.static_resources.clusters.append(_cluster(cluster_pb2.Cluster.FromString(one.body), snapshot))
    for one in snapshot.type(LISTENER).values():
        listener = listener_pb2.Listener.FromString(one.body)
        chains = [*listener.filter_chains]
        if listener.HasField("default_filter_chain"):
            chains.append(listener.default_filter_chain)
        for chain in chains:
            for each in chain.filters:
                if each.typed_config.Is(hcm.HttpConnectionManager.DESCRIPTOR):
                    manager = hcm.HttpConnectionManager()
                    each.typed_config.Unpack(manager)
                    _inline(manager, snapshot)
                    each.typed_config.Pack(manager)
        made.static_resources.listeners.append(listener)
    return made


def _inline(manager: hcm.HttpConnectionManager, snapshot: Snapshot) -> None:
    if manager.HasField("rds"):
        body = snapshot.type(ROUTE)[manager.rds.route_config_name].body
        manager.route_config.CopyFrom(route_pb2.RouteConfiguration.FromString(body))
    for each in manager.http_filters:
        if each.HasField("config_discovery"):
            body = snapshot.type(EXTENSION)[each.name].body
            each.typed_config.CopyFrom(extension_pb2.TypedExtensionConfig.FromString(body).typed_config)


def _cluster(cluster: cluster_pb2.Cluster, snapshot: Snapshot) -> cluster_pb2.Cluster:
    if cluster.type == cluster_pb2.Cluster.EDS:
        body = snapshot.type(ENDPOINT)[cluster.name].body
        cluster.ClearField("eds_cluster_config")
        cluster.type = cluster_pb2.Cluster.STATIC
        cluster.load_assignment.CopyFrom(endpoint_pb2.ClusterLoadAssignment.FromString(body))
    return cluster


def validated(snapshot: Snapshot, file: Path) -> str:
    """What a real Envoy says against the snapshot; empty if nothing."""
    return _refusal(json_format.MessageToDict(static(snapshot), preserving_proto_field_name=True), file)


def validated_together(snapshots: Iterable[Snapshot], file: Path) -> str:
    """The same of many at once, at the price of one: each has its own names and addresses, so that they can share."""
    whole: dict[str, Any] = {}
    kept: dict[str, list[Any]] = {"listeners": [], "clusters": []}
    for number, snapshot in enumerate(snapshots):
        whole = json_format.MessageToDict(static(snapshot), preserving_proto_field_name=True)
        own = whole["static_resources"]
        common = {each["name"] for each in own.get("clusters", [])} - set(snapshot.type(CLUSTER))
        names = {name: f"{number}/{name}" for name in (*snapshot.type(CLUSTER), *snapshot.type(LISTENER))}
        clusters = [each for each in own.get("clusters", []) if each["name"] not in common or not number]
        kept["clusters"] += _renamed(clusters, names)
        for listener in _renamed(own.get("listeners", []), names):
            listener.pop("additional_addresses", None)
            port = 1 + len(kept["listeners"])
            listener["address"] = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
            kept["listeners"].append(listener)
    whole["static_resources"] = kept
    return _refusal(whole, file)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def _refusal(bootstrap: Mapping[str, Any], file: Path) -> str:
    file.write_text(json.dumps(bootstrap))
    command = [str(envoy_binary()), "-c", str(file), "--mode", "validate", "-l", "error", "--use-dynamic-base-id"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
