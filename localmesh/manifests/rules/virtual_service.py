"""VirtualService: its hosts, what it is bound to, and its routes."""

from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.virtual_service import (
    L4MatchAttributes,
    TCPRoute,
    TLSMatchAttributes,
    TLSRoute,
    VirtualService,
    VirtualServiceSpec,
)
from localmesh.manifests.rules import visibility
from localmesh.manifests.rules.destinations import destination_problems, weight_problems
from localmesh.manifests.rules.gateway_names import gateway_name_problems, gateway_name_warnings
from localmesh.manifests.rules.headers import is_claim
from localmesh.manifests.rules.hosts import host_matches, within
from localmesh.manifests.rules.http_routes import route_problems
from localmesh.manifests.rules.names import wrong_host, wrong_ip, wrong_subnet
from localmesh.manifests.rules.overlap import unreachable
from localmesh.manifests.rules.selectors import label_problems

_MESH = "mesh"


def problems(resource: VirtualService) -> Iterator[Problem]:
    """What istiod would reject it for."""
    spec = resource.spec
    delegated = not spec.hosts
    yield from _delegate(spec)
    yield from gateway_name_problems(spec)
    yield from _hosts(spec)
    yield from _claims(spec)
    if not (spec.http or spec.tls or spec.tcp):
        yield Problem(spec.where, "this VirtualService has no routes", "it needs http, tls or tcp")
    for http in spec.http:
        yield from route_problems(http, delegated=delegated)
    for tls in spec.tls:
        yield from _tls(tls, spec)
    for tcp in spec.tcp:
        yield from _tcp(tcp)
    yield from visibility.problems(spec.export_to, resource.namespace, spec.at("export_to"))


def warnings(resource: VirtualService) -> Iterator[Problem]:
    """What istiod would warn about: older spellings, and routes that nothing reaches."""
    spec = resource.spec
    yield from gateway_name_warnings(spec)
    for route in spec.http:
        if route.mirror_percent is not None:
            yield codes.DEPRECATED.at(route.at("mirror_percent"), "mirrorPercent is deprecated", "use mirrorPercentage")
        delay = route.fault.delay if route.fault else None
        if delay and delay.percent is not None and delay.percentage is None:
            yield codes.DEPRECATED.at(delay.at("percent"), "percent of a delay is deprecated", "use percentage.value")
        abort = route.fault.abort if route.fault else None
        if abort and abort.http_status is None and abort.grpc_status is None and abort.http2_error is None:
            yield codes.IDLE_ABORT.at(
                abort.where, "this abort has no status: it does nothing", "set httpStatus or grpcStatus"
            )
    for routes in (spec.http, spec.tcp, spec.tls):
        yield from unreachable(routes)


def only_gateways(spec: VirtualServiceSpec) -> bool:
    """Whether it is bound to gateways and not to the mesh's sidecars."""
    return bool(spec.gateways) and _MESH not in spec.gateways


def _delegate(spec: VirtualServiceSpec) -> Iterator[Problem]:
    """A VirtualService without hosts is a delegate: it lends HTTP routes to another one."""
    if spec.hosts:
        return
    for field in ("gateways", "tls", "tcp"):
        if getattr(spec, field):
            yield Problem(spec.at(field), f"a VirtualService without hosts is a delegate, which has no {field}")


def _hosts(spec: VirtualServiceSpec) -> Iterator[Problem]:
    sound = True
    for index, host in enumerate(spec.hosts):
        wrong = wrong_host(host) if wrong_ip(host) else None
        if not wrong and host == "*" and not only_gateways(spec):
            wrong = 'the host "*" needs a gateway: in the mesh it would take every call'
        if wrong:
            sound = False
            yield Problem(spec.at("hosts", index), wrong)
    for index, host in enumerate(spec.hosts if sound else ()):
        for earlier in spec.hosts[:index]:
            if host_matches(earlier, host):
                yield Problem(spec.at("hosts", index), f'"{host}" and "{earlier}" mean the same hosts twice')


def _claims(spec: VirtualServiceSpec) -> Iterator[Problem]:
    """Only a gateway can route by JWT claims."""
    if only_gateways(spec):
        return
    for route in spec.http:
        for match in route.match:
            for field in ("headers", "without_headers"):
                for name in getattr(match, field):
                    if is_claim(name):
                        yield Problem(match.at(field, name), "only a gateway can route by a JWT claim")


def _tls(route: TLSRoute, spec: VirtualServiceSpec) -> Iterator[Problem]:
    if not route.match:
        yield Problem(route.where, "a TLS route needs a match with sniHosts")
    for match in route.match:
        if not match.sni_hosts:
            yield Problem(match.where, "a TLS match needs sniHosts")
        for index, host in enumerate(match.sni_hosts):
            wrong = wrong_host(host) if wrong_ip(host) else None
            if not wrong and wrong_ip(host) and not any(within(host, each) for each in spec.hosts):
                wrong = f'the server name "{host}" is in none of the hosts: {", ".join(spec.hosts)}'
            if wrong:
                yield Problem(match.at("sni_hosts", index), wrong)
        yield from _connections(match)
    yield from _destinations(route, "TLS")


def _tcp(route: TCPRoute) -> Iterator[Problem]:
    for match in route.match:
        yield from _connections(match)
    yield from _destinations(route, "TCP")


def _connections(match: TLSMatchAttributes | L4MatchAttributes) -> Iterator[Problem]:
    for index, subnet in enumerate(match.destination_subnets):
        if wrong := wrong_subnet(subnet):
            yield Problem(match.at("destination_subnets", index), wrong)
    yield from label_problems(match.source_labels, match.at("source_labels"))
    yield from gateway_name_problems(match)


def _destinations(route: TLSRoute | TCPRoute, kind: str) -> Iterator[Problem]:
    if not route.route:
        yield Problem(route.where, f"a {kind} route needs a route")
    for each in route.route:
        yield from destination_problems(each.destination)
    yield from weight_problems(route.route)
