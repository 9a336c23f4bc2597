"""The policies that make calls fail, each for calls that ask for its case (`x-lab-case`) or for its path."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.mesh.lab.keys import Issuer
from tests.mesh.lab.policies import (
    HTTP_SERVER,
    at_edge,
    authorization,
    destination_rule,
    document,
    edge,
    to,
    virtual_service,
)
from tests.mesh.test_envoy_filters import envoy_filter

ECHO = {"selector": {"matchLabels": {"app": "echo"}}}
ISSUER = Issuer("https://one.example")
ALWAYS = {"value": 100}
# The route takes away what tells the called pod's proxy the time: two that know the same time both end the call, and
# who is first is chance.
UNTOLD = {"request": {"remove": ["grpc-timeout"]}}
# What is found behind these names: nobody; a server that speaks HTTP/1, also where TLS or HTTP/2 is spoken to it; one
# that answers too early; one that resets every call; an authorizer.
CLOSED, OLD, SECRET, UPLOADS, RESETS, JUDGE = (
    f"{name}.lab.test" for name in ("closed", "old", "secret", "uploads", "resets", "judge")
)
_FILTERS = "type.googleapis.com/envoy.extensions.filters.http"


@dataclass(frozen=True, slots=True)
class Outside:
    """The ports of 127.0.0.1 of what lives outside the mesh."""

    closed: int
    refusing: int
    resetting: int
    hasty: int


def policies(outside: Outside) -> Iterator[str]:
    """A route for each case, what the sidecar of echo refuses, and what the lab's gateway does."""
    yield document(
        "v1", "Service", "nobody", {"selector": {"app": "nobody"}, "ports": [{"name": "grpc", "port": 7000}]}
    )
    yield from (_outside(host, outside.refusing) for host in (OLD, SECRET))
    yield from (_outside(CLOSED, outside.closed), _outside(RESETS, outside.resetting))
    yield _outside(UPLOADS, outside.hasty, protocol="HTTP")
    tls = {"host": SECRET, "trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": SECRET, "insecureSkipVerify": True}}}
    yield document("networking.istio.io/v1", "DestinationRule", "secret", tls)
    yield _subsets()
    yield virtual_service(*_cases())
    yield _patched("idle", {"idle_timeout": "0.3s"})
    yield _patched("missing", {"cluster_header": "x-lab-cluster"})
    yield authorization("listed", ECHO | {"rules": [{"to": [{"operation": {"notPaths": ["/lab.Echo/Unlisted*"]}}]}]})
    yield authorization("denied", ECHO | {"action": "DENY", "rules": [{"to": _paths("/lab.Echo/Denied*")}]})
    tokens = [{"issuer": ISSUER.name, "jwks": ISSUER.jwks, "audiences": ["lab"]}]
    yield document("security.istio.io/v1", "RequestAuthentication", "tokens", ECHO | {"jwtRules": tokens})
    yield from _edge()


def _cases() -> Iterator[dict[str, Any]]:
    """The routes of caller's proxy to echo."""
    yield _on("well")
    yield _on("nobody", route=[{"destination": {"host": "nobody", "port": {"number": 7000}}}])
    for case, host in (("closed", CLOSED), ("old", OLD), ("secret", SECRET), ("resets", RESETS)):
        yield _on(case, route=_to(host))
    yield _on("one at a time", route=[to("one")])
    yield _on("in plain text", route=[to("plain")])
    yield _on("tried again", retries={"attempts": 1, "retryOn": "unavailable"})
    yield _on("in time", timeout="0.2s", headers=UNTOLD)
    yield _on("told the time", headers={"request": {"set": {"grpc-timeout": "200m"}}})
    once_in_time = {"attempts": 1, "perTryTimeout": "0.2s", "retryOn": "unavailable"}
    yield _on("each try in time", retries=once_in_time, headers=UNTOLD)
    yield _on("aborted", fault={"abort": {"grpcStatus": "ABORTED", "percentage": ALWAYS}})
    yield _on("delayed", fault={"delay": {"fixedDelay": "0.1s", "percentage": ALWAYS}})
    yield _on("idle")
    yield _on("missing")


def _edge() -> Iterator[str]:
    """The lab's gateway: to echo, to uploads, and to echo by routes whose calls are counted."""
    yield edge(HTTP_SERVER)
    yield at_edge(
        {"match": [{"uri": {"prefix": "/uploads"}}], "route": _to(UPLOADS)},
        {"name": "counted-here", "match": [{"uri": {"prefix": "/lab.Echo/Here"}}], "route": [to("v2")]},
        {"name": "counted-there", "match": [{"uri": {"prefix": "/lab.Echo/There"}}], "route": _to(CLOSED)},
        {"route": [to("v2")]},
    )
    yield from _counted_here()
    yield from _counted_there()


def _counted_here() -> Iterator[str]:
    """One call an hour, counted by the gateway's proxy; of other routes nothing is counted."""
    kind, always = "envoy.filters.http.local_ratelimit", {"default_value": {"numerator": 100}}
    none = {"@type": f"{_FILTERS}.local_ratelimit.v3.LocalRateLimit", "stat_prefix": "lab"}
    bucket = {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s"}
    one = none | {"token_bucket": bucket, "filter_enabled": always, "filter_enforced": always}
    yield _inserted(kind, none)
    yield _at_route("counted-here", "GATEWAY", {"typed_per_filter_config": {kind: one}}, "edge")


def _counted_there() -> Iterator[str]:
    """By a service that is asked for each call, and is not there."""
    counter = {"grpc_service": {"envoy_grpc": {"cluster_name": f"outbound|9000||{CLOSED}"}}}
    asking: dict[str, Any] = {"@type": f"{_FILTERS}.ratelimit.v3.RateLimit", "domain": "lab"}
    asking |= {"failure_mode_deny": True, "rate_limit_service": counter | {"transport_api_version": "V3"}}
    yield _inserted("envoy.filters.http.ratelimit", asking)
    counted = {"rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "call"}}]}]}
    yield _at_route("counted-there", "GATEWAY", {"route": counted}, "edge")


def judge(operator: str, port: int) -> Iterator[str]:
    """The mesh's configuration with an authorizer at this port, and what it is asked about."""
    settings = yaml.safe_load(operator)
    provider = {"name": "judge", "envoyExtAuthzHttp": {"service": JUDGE, "port": 9000}}
    settings["spec"]["meshConfig"].setdefault("extensionProviders", []).append(provider)
    yield json.dumps(settings)
    yield judge_at(port)
    asked = {"action": "CUSTOM", "provider": {"name": "judge"}, "rules": [{"to": _paths("/lab.Echo/Judged*")}]}
    yield authorization("judged", ECHO | asked)


def judge_at(port: int) -> str:
    """Where the authorizer is."""
    return _outside(JUDGE, port, protocol="HTTP")


def _on(case: str, **route: Any) -> dict[str, Any]:
    """A route for calls that ask for the case; to v2 and tried once, unless it says something else."""
    match = [{"headers": {"x-lab-case": {"exact": case}}}]
    return {"name": case, "match": match, "route": [to("v2")], "retries": {"attempts": 0}} | route


def _to(host: str) -> list[dict[str, Any]]:
    """A route's destination outside."""
    return [{"destination": {"host": host, "port": {"number": 9000}}}]


def _paths(*found: str) -> list[dict[str, Any]]:
    """A rule's `to`."""
    return [{"operation": {"paths": list(found)}}]


def _outside(host: str, port: int, *, protocol: str = "GRPC") -> str:
    """A ServiceEntry for a host with a port 9000, which is this port of 127.0.0.1."""
    ports = [{"name": protocol.lower(), "number": 9000, "protocol": protocol}]
    spec: dict[str, Any] = {"hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC", "ports": ports}
    spec["endpoints"] = [{"address": "127.0.0.1", "ports": {protocol.lower(): port}}]
    return document("networking.istio.io/v1", "ServiceEntry", host.partition(".")[0], spec)


def _subsets() -> str:
    """Two more ways to v2: one call at a time, and in plain text."""
    rule, v2 = json.loads(destination_rule({"loadBalancer": {"simple": "ROUND_ROBIN"}})), {"version": "v2"}
    rule["spec"]["subsets"] += [
        {"name": "one", "labels": v2, "trafficPolicy": {"connectionPool": {"http": {"http2MaxRequests": 1}}}},
        {"name": "plain", "labels": v2, "trafficPolicy": {"tls": {"mode": "DISABLE"}}},
    ]
    return json.dumps(rule)


def _patched(case: str, action: dict[str, Any]) -> str:
    """An EnvoyFilter: the route of a case does this, which no other policy says."""
    return _at_route(case, "SIDECAR_OUTBOUND", {"route": action}, "caller")


def _at_route(name: str, context: str, value: dict[str, Any], app: str) -> str:
    """An EnvoyFilter that merges this into a route."""
    match = {"context": context, "routeConfiguration": {"vhost": {"route": {"name": name}}}}
    merge = {"operation": "MERGE", "value": value}
    return envoy_filter(name, {"applyTo": "HTTP_ROUTE", "match": match, "patch": merge}, app)


def _inserted(kind: str, config: dict[str, Any]) -> str:
    """An EnvoyFilter: this filter stands before the router at the lab's gateway."""
    router = {"name": "envoy.filters.http.router"}
    manager = {"name": "envoy.filters.network.http_connection_manager", "subFilter": router}
    match = {"context": "GATEWAY", "listener": {"filterChain": {"filter": manager}}}
    insert = {"operation": "INSERT_BEFORE", "value": {"name": kind, "typed_config": config}}
    name = kind.rpartition(".")[2].replace("_", "-")
    return envoy_filter(name, {"applyTo": "HTTP_FILTER", "match": match, "patch": insert}, "edge")
