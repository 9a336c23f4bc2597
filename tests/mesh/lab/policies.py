"""Policies that tests put in force for the lab's echo service."""

import json
from typing import Any

HOST = "echo.lab.svc.cluster.local"


def virtual_service(*http: dict[str, Any]) -> str:
    """A VirtualService for echo with these http routes; a route without destinations goes to all of echo."""
    routes = [{"route": [to()]} | route for route in http]
    return document("networking.istio.io/v1", "VirtualService", "echo", {"hosts": [HOST], "http": routes})


def to(subset: str = "", weight: int | None = None) -> dict[str, Any]:
    """One destination of a route."""
    destination: dict[str, Any] = {"host": HOST, "port": {"number": 7000}} | ({"subset": subset} if subset else {})
    return {"destination": destination} | ({} if weight is None else {"weight": weight})


def destination_rule(policy: dict[str, Any]) -> str:
    """A DestinationRule for echo: this traffic policy, and the subsets v1 and v2."""
    subsets = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
    spec = {"host": HOST, "trafficPolicy": policy, "subsets": subsets}
    return document("networking.istio.io/v1", "DestinationRule", "echo", spec)


def authorization(name: str, spec: dict[str, Any], namespace: str = "lab") -> str:
    """An AuthorizationPolicy."""
    return document("security.istio.io/v1", "AuthorizationPolicy", name, spec, namespace)


def document(version: str, kind: str, name: str, spec: dict[str, Any], namespace: str = "lab") -> str:
    """One YAML document (JSON is YAML)."""
    metadata = {"name": name, "namespace": namespace}
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}, indent=1)


HTTP_SERVER = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}


def edge(*servers: dict[str, Any]) -> str:
    """The Gateway `edge` with these servers."""
    spec = {"selector": {"app": "edge"}, "servers": list(servers)}
    return document("networking.istio.io/v1", "Gateway", "edge", spec)


def at_edge(*http: dict[str, Any], **further: object) -> str:
    """A VirtualService for every host at `edge`; a route that says nothing else goes to all of echo."""
    answers = {"route", "redirect", "directResponse"}
    routes = [route if route.keys() & answers else {"route": [to()]} | route for route in http]
    spec = {"hosts": ["*"], "gateways": ["edge"], "http": routes} | further
    return document("networking.istio.io/v1", "VirtualService", "at-edge", spec)


def secret(name: str, data: dict[str, str]) -> str:
    """A Secret of the lab; the values are base64."""
    metadata = {"name": name, "namespace": "lab"}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, indent=1)
