"""A real Envoy that counts as Istio's proxies do: what it exposes of calls that passed, failed and were refused."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from deploy.kind.settings import ROOT
from localmesh.mesh.identity import Identity
from localmesh.runtime import programs
from localmesh.runtime.certs import new_authority
from tests.kit import Limit, eventually

# Istio 1.30.4, tools/packaging/common/envoy_bootstrap.json and pkg/bootstrap/config.go: which labels are cut out of the
# names of statistics, and which are exposed without being asked for.
_TAGS = {
    "cluster_name": r"^cluster(\.(.+);)",
    "http_conn_manager_prefix": r"^http\.(((?:[_.[:digit:]\w]*|[_\[\]aAbBcCdDeEfF[:digit:]\w\:]*));\.)",
    "response_code": r"_rq(_(\d{3}))$",
    "response_code_class": r"_rq(_(\dxx))$",
    "listener_address": r"^listener\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)",
    "authz_enforce_result": r"rbac(\.(allowed|denied))",
}
_PREFIXES = (
    "cluster_manager",
    "listener_manager",
    "server",
    "cluster.xds-grpc",
    "wasm",
    "reporter=",
    "component",
    "istio",
)
_SUFFIXES = ("rbac.allowed", "rbac.denied", "shadow_allowed", "shadow_denied")
_TYPES = "type.googleapis.com/envoy"
_SERVER = "outbound|50051|v1|user.mesh.svc.cluster.local"
_STORE = "outbound|5432||postgres.mesh.svc.cluster.local"
Json = dict[str, Any]


async def exposition(folder: Path) -> str:
    """All that Prometheus is told, as text."""
    admin, listener = folder / "admin", folder / "in"
    file = folder / "envoy.json"
    file.write_text(json.dumps(_bootstrap(folder, admin, listener)))
    command = [str(programs.find(programs.ENVOY).path), "-c", str(file), "-l", "off", "--use-dynamic-base-id"]
    envoy = await asyncio.create_subprocess_exec(*command, "--concurrency", "1")

    async def counted() -> str:
        text = await _get(admin, "/stats/prometheus")
        return text if re.search(r"(?m)^envoy_cluster_upstream_rq_time_count\{.*\} [1-9]", text) else ""

    try:
        await eventually(lambda: _get(listener, "/passes"), within=Limit.STARTED, what="an Envoy")
        await _get(listener, "/fails")
        await _get(listener, "/refused")
        return await eventually(counted, what="the call in the metrics of the Envoy")
    finally:
        envoy.kill()
        await envoy.wait()


async def _get(socket: Path, path: str) -> str:
    """What HTTP says there. Raises OSError."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return text


def _matcher() -> Iterator[Json]:
    """What is exposed: what our meshConfig asks for, and what Istio adds."""
    operator = yaml.safe_load((ROOT / "deploy" / "istio-operator.yaml").read_text())
    ours = operator["spec"]["meshConfig"]["defaultConfig"]["proxyStatsMatcher"]["inclusionRegexps"]
    yield from ({"safe_regex": {"regex": each}} for each in ours)
    yield from ({"prefix": each} for each in _PREFIXES)
    yield from ({"suffix": each} for each in _SUFFIXES)


def _bootstrap(folder: Path, admin: Path, listener: Path) -> Json:
    tls = {"@type": f"{_TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"}
    tls_socket = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
    return {
        "node": {"id": "any", "cluster": "any"},
        "stats_flush_interval": "0.1s",  # histograms are exposed when they were flushed once
        "admin": {"address": {"pipe": {"path": str(admin)}}},
        "stats_config": {
            "use_all_default_tags": False,
            "stats_tags": [{"tag_name": name, "regex": regex} for name, regex in _TAGS.items()],
            "stats_matcher": {"inclusion_list": {"patterns": list(_matcher())}},
        },
        "static_resources": {
            "clusters": [
                _cluster(_SERVER, endpoint=folder / "app"),
                _cluster(_STORE, endpoint=folder / "nobody") | {"transport_socket": tls_socket},
            ],
            "listeners": [
                _listener("in", {"pipe": {"path": str(listener)}}, _routes(), refuses="/refused"),
                _listener(
                    "app", {"pipe": {"path": str(folder / "app")}}, [_route("/", direct_response={"status": 200})]
                ),
                _listener("tls", {"socket_address": {"address": "127.0.0.1", "port_value": 0}}, [], tls=_certificate()),
            ],
        },
    }


def _routes() -> list[Json]:
    return [_route("/fails", route={"cluster": _STORE}), _route("/", route={"cluster": _SERVER})]


def _route(prefix: str, **action: Json) -> Json:
    return {"match": {"prefix": prefix}, **action}


def _cluster(name: str, endpoint: Path) -> Json:
    address = {"pipe": {"path": str(endpoint)}}
    return {
        "name": name,
        "alt_stat_name": f"{name};",
        "type": "STATIC",
        "outlier_detection": {},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _listener(name: str, address: Json, routes: list[Json], *, refuses: str = "", tls: Json | None = None) -> Json:
    policy = {
        "permissions": [{"url_path": {"path": {"exact": refuses or "/never"}}}],
        "principals": [{"any": True}],
    }
    rbac = {
        "@type": f"{_TYPES}.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "DENY", "policies": {"refused": policy}},
    }
    manager = {
        "@type": f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "inbound_0.0.0.0_50051;",
        "route_config": {"virtual_hosts": [{"name": "any", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "envoy.filters.http.rbac", "typed_config": rbac},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router"},
            },
        ],
    }
    chain: Json = {"filters": [{"name": "manager", "typed_config": manager}]}
    if tls:
        chain["transport_socket"] = tls
    return {"name": name, "address": address, "filter_chains": [chain]}


def _certificate() -> Json:
    """The TLS of a sidecar's listener."""
    now = datetime.now(UTC)
    authority = new_authority("cluster.local", now=now)
    leaf = authority.issue(Identity("cluster.local", "mesh", "user"), lifetime=timedelta(hours=1), now=now)
    certificate = {
        "certificate_chain": {"inline_string": leaf.certificate.decode()},
        "private_key": {"inline_string": leaf.private_key.decode()},
    }
    context = {
        "@type": f"{_TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": {
            "tls_certificates": [certificate],
            "validation_context": {"trusted_ca": {"inline_string": authority.bundle.decode()}},
        },
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}
