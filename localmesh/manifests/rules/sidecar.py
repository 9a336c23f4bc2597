"""Sidecar: its listeners, and the hosts that a workload may call."""

from collections.abc import Iterator, Sequence

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.sidecar import IstioEgressListener, IstioIngressListener, Sidecar
from localmesh.manifests.rules import selectors, tls
from localmesh.manifests.rules.destinations import destination_problems
from localmesh.manifests.rules.names import wrong_ip, wrong_label, wrong_scoped_host, wrong_unix_path
from localmesh.manifests.rules.protocols import is_http, wrong_protocol
from localmesh.manifests.rules.traffic_policy import pool_problems

_UNIX = "unix://"
_OWN_ADDRESSES = frozenset({"", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"})  # noqa: S104 (matched, not bound)


def problems(resource: Sidecar) -> Iterator[Problem]:
    """What istiod would reject it for."""
    spec = resource.spec
    yield from selectors.problems(spec.workload_selector)
    if not (spec.egress or spec.ingress or spec.outbound_traffic_policy or spec.inbound_connection_pool):
        yield Problem(spec.where, "this Sidecar says nothing", "set egress, ingress or outboundTrafficPolicy")
    for ingress in spec.ingress:
        yield from _ingress(ingress)
    yield from pool_problems(spec.inbound_connection_pool)
    yield from _unique_ports(spec.ingress)
    yield from _unique_ports(spec.egress)
    for index, egress in enumerate(spec.egress):
        yield from _egress(egress, last=index == len(spec.egress) - 1)
    policy = spec.outbound_traffic_policy
    if policy and policy.egress_proxy:
        if policy.mode != "ALLOW_ANY":
            yield Problem(policy.at("egress_proxy"), "egressProxy goes with mode ALLOW_ANY only")
        elif policy.egress_proxy.port is None:
            yield Problem(policy.egress_proxy.where, "egressProxy needs a port")
        yield from destination_problems(policy.egress_proxy)


def warnings(resource: Sidecar) -> Iterator[Problem]:
    """What istiod would warn about."""
    spec = resource.spec
    yield from selectors.warnings(spec.workload_selector)
    for ingress in spec.ingress:
        yield from tls.server_warnings(ingress.tls)
        pool = ingress.connection_pool
        if pool and pool.http and not is_http(ingress.port.protocol):
            yield codes.HTTP_POOL_ON_TCP.at(
                pool.at("http"), "these settings need a port that speaks HTTP: only tcp applies"
            )
    for egress in spec.egress:
        for index, host in enumerate(egress.hosts):
            namespace = host.partition("/")[0]
            if host in egress.hosts[:index] or f"{namespace}/*" in egress.hosts[:index]:
                yield codes.HOST_LISTED_TWICE.at(egress.at("hosts", index), f'"{host}" is listed already')
        if "*/*" in egress.hosts and len(egress.hosts) > 1:
            yield codes.HOST_LISTED_TWICE.at(egress.at("hosts"), '"*/*" takes every host: the others add nothing')


def _unique_ports(listeners: Sequence[IstioIngressListener | IstioEgressListener]) -> Iterator[Problem]:
    """Two listeners on one port (or one socket) cannot both listen."""
    seen: set[tuple[int, str | None]] = set()
    for each in listeners:
        if each.port is None:
            continue
        number = each.port.number or 0
        key = (number, None if number else each.bind)
        if key in seen:
            yield Problem(each.port.where, f"a second listener on {number or each.bind}", "each port has one listener")
        seen.add(key)


def _ingress(listener: IstioIngressListener) -> Iterator[Problem]:
    yield from _port(listener)
    if not listener.port.number:
        yield Problem(listener.port.where, "number is missing", "which port of the workload is meant?")
    if listener.bind and (wrong := wrong_ip(listener.bind)):
        yield Problem(listener.at("bind"), wrong)
    if listener.default_endpoint and (wrong := _wrong_endpoint(listener.default_endpoint)):
        yield Problem(listener.at("default_endpoint"), wrong)
    settings = listener.tls
    if settings:
        for field in ("subject_alt_names", "https_redirect", "credential_name"):
            if getattr(settings, field):
                yield Problem(settings.at(field), "this has no effect in a Sidecar", "leave it out")
        if settings.mode in {"ISTIO_MUTUAL", "AUTO_PASSTHROUGH"}:
            yield Problem(settings.at("mode"), f"{settings.mode} is for gateways", "SIMPLE or MUTUAL")
        yield from tls.server_problems(settings)
    yield from pool_problems(listener.connection_pool)


def _wrong_endpoint(endpoint: str) -> str | None:
    if endpoint.startswith(_UNIX):
        return wrong_unix_path(endpoint.removeprefix(_UNIX))
    address, colon, port = endpoint.rpartition(":")
    if colon and address in _OWN_ADDRESSES and port.isdigit() and 1 <= int(port) <= 65535:
        return None
    return f'"{endpoint}" is not the workload itself: 127.0.0.1:port, 0.0.0.0:port, [::1]:port or unix:///path'


def _egress(listener: IstioEgressListener, *, last: bool) -> Iterator[Problem]:
    if listener.port is None and not last:
        what = "only the last egress listener may have no port: it takes all the others"
        yield Problem(listener.where, what)
    if listener.port is not None:
        yield from _port(listener)
        yield from _egress_bind(listener, listener.port.number or 0)
    if not listener.hosts:
        yield Problem(listener.where, "this egress listener has no hosts", '"*/*" takes all')
    for index, host in enumerate(listener.hosts):
        if wrong := wrong_scoped_host(host, gateway=False):
            yield Problem(listener.at("hosts", index), wrong)


def _egress_bind(listener: IstioEgressListener, number: int) -> Iterator[Problem]:
    bind = listener.bind or ""
    if not number:
        if not bind.startswith(_UNIX):
            yield Problem(listener.where, "a listener without a port number needs bind: unix:///path")
        elif wrong := wrong_unix_path(bind.removeprefix(_UNIX)):
            yield Problem(listener.at("bind"), wrong)
        if listener.capture_mode == "IPTABLES":
            yield Problem(listener.at("capture_mode"), "a Unix socket cannot be captured", "DEFAULT or NONE")
    elif bind and (wrong := wrong_ip(bind)):
        yield Problem(listener.at("bind"), wrong)


def _port(listener: IstioIngressListener | IstioEgressListener) -> Iterator[Problem]:
    port = listener.port
    if port is None:
        return
    if port.name and (wrong := wrong_label(port.name, "port name")):
        yield Problem(port.at("name"), wrong)
    if wrong := wrong_protocol(port.protocol):
        yield Problem(port.at("protocol"), wrong)
    if (port.number or 0) > 65535:
        yield Problem(port.at("number"), f"{port.number} is not a port number: 1 to 65535")
    if port.target_port:
        yield Problem(port.at("target_port"), "targetPort has no effect in a Sidecar", "leave it out")
