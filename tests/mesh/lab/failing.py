"""The policies that make calls of echo fail, each for calls that ask for its case (`x-lab-case`) or for its path."""

import json
from collections.abc import Iterator
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
# What is found behind these names: nobody, a server that speaks HTTP/1, one that is spoken to in TLS, an authorizer.
CLOSED, OLD, SECRET, JUDGE = (f"{name}.lab.test" for name in ("closed", "old", "secret", "judge"))


def policies(server: int, closed: int) -> Iterator[str]:
    """A route for each case, and what the sidecar of echo refuses. At `server` of 127.0.0.1 HTTP/1 is spoken."""
    yield document(
        "v1", "Service", "nobody", {"selector": {"app": "nobody"}, "ports": [{"name": "grpc", "port": 7000}]}
    )
    yield from (_outside(host, port) for host, port in ((CLOSED, closed), (OLD, server), (SECRET, server)))
    tls = {"host": SECRET, "trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": SECRET, "insecureSkipVerify": True}}}
    yield document("networking.istio.io/v1", "DestinationRule", "secret", tls)
    yield _subsets()
    yield virtual_service(
        _on("well"),
        _on("nobody", route=[{"destination": {"host": "nobody", "port": {"number": 7000}}}]),
        _on("closed", route=[{"destination": {"host": CLOSED, "port": {"number": 9000}}}]),
        _on("old", route=[{"destination": {"host": OLD, "port": {"number": 9000}}}]),
        _on("secret", route=[{"destination": {"host": SECRET, "port": {"number": 9000}}}]),
        _on("one at a time", route=[to("one")]),
        _on("in plain text", route=[to("plain")]),
        _on("tried again", retries={"attempts": 1, "retryOn": "unavailable"}),
        # Both proxies know the time of a route, for the caller's tells the other's in this header: which ends the call
        # first is chance. So here only one of them knows it.
        _on("in time", timeout="0.2s", headers={"request": {"remove": ["grpc-timeout"]}}),
        _on("told the time", headers={"request": {"set": {"grpc-timeout": "200m"}}}),
        _on("aborted", fault={"abort": {"grpcStatus": "ABORTED", "percentage": ALWAYS}}),
        _on("delayed", fault={"delay": {"fixedDelay": "0.1s", "percentage": ALWAYS}}),
        _on("idle"),
    )
    idle = {"operation": "MERGE", "value": {"route": {"idle_timeout": "0.3s"}}}
    at_idle = {"context": "SIDECAR_OUTBOUND", "routeConfiguration": {"vhost": {"route": {"name": "idle"}}}}
    yield envoy_filter("idle", {"applyTo": "HTTP_ROUTE", "match": at_idle, "patch": idle}, "caller")
    yield authorization("listed", ECHO | {"rules": [{"to": [{"operation": {"notPaths": ["/lab.Echo/Unlisted*"]}}]}]})
    yield authorization("denied", ECHO | {"action": "DENY", "rules": [{"to": _paths("/lab.Echo/Denied*")}]})
    tokens = [{"issuer": ISSUER.name, "jwks": ISSUER.jwks, "audiences": ["lab"]}]
    yield document("security.istio.io/v1", "RequestAuthentication", "tokens", ECHO | {"jwtRules": tokens})
    yield edge(HTTP_SERVER)
    yield at_edge({"route": [to("v2")]})


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
