"""GatewayClass, Gateway and ReferenceGrant: what the schemas of the Gateway API's CRDs (v1.5) ask of one document."""

from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.gateway_api.gateway import Gateway, Listener
from localmesh.manifests.rules.names import is_label, partial_wildcard, wrong_host, wrong_ip


def problems(resource: Gateway) -> Iterator[Problem]:
    """What the API server would reject it for."""
    spec = resource.spec
    if not spec.listeners:
        yield Problem(spec.where, "this Gateway has no listeners")
    names: set[str] = set()
    places: set[tuple[int, str, str]] = set()
    for listener in spec.listeners:
        if listener.name in names:
            yield Problem(listener.at("name"), f'the listener name "{listener.name}" is used twice')
        names.add(listener.name)
        place = (listener.port, listener.protocol, listener.hostname or "")
        if place in places:
            yield Problem(listener.where, "another listener has the same port, protocol and hostname")
        places.add(place)
        yield from _listener(listener)


def wrong_hostname(hostname: str) -> str | None:
    """A name such as `a.example.com` or `*.example.com`; no address, and no `*` alone."""
    if hostname == "*":
        return '"*" is no host name here: leave hostname out for all'
    if not wrong_ip(hostname):
        return f'"{hostname}" is an address: host names only'
    return wrong_host(hostname) or partial_wildcard(hostname)


def _listener(listener: Listener) -> Iterator[Problem]:
    if not all(map(is_label, listener.name.split("."))):
        yield Problem(listener.at("name"), f'"{listener.name}" is not a listener name')
    if listener.hostname and (wrong := wrong_hostname(listener.hostname)):
        yield Problem(listener.at("hostname"), wrong)
    namespaces = listener.allowed_routes.namespaces
    if namespaces.from_ == "Selector" and namespaces.selector is None:
        yield Problem(namespaces.at("from_"), "from: Selector needs a selector")
    yield from _tls(listener)


def _tls(listener: Listener) -> Iterator[Problem]:
    tls = listener.tls
    if listener.protocol == "HTTPS" and tls is None:
        yield Problem(listener.where, "a listener that speaks HTTPS needs tls")
    if tls is None:
        return
    if listener.protocol in {"HTTP", "TCP", "UDP"}:
        yield Problem(listener.at("tls"), f"a listener that speaks {listener.protocol} has no tls")
    if listener.protocol == "HTTPS" and tls.mode != "Terminate":
        yield Problem(tls.at("mode"), "HTTPS is ended here: mode is Terminate", "passing it on is protocol TLS")
    if tls.mode == "Terminate" and not tls.certificate_refs and not tls.options:
        yield Problem(tls.where, "a listener that ends TLS needs certificateRefs")
