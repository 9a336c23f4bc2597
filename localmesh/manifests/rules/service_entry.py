"""ServiceEntry and WorkloadEntry: hosts, addresses, ports and endpoints that fit the resolution."""

from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.service_entry import (
    ServiceEntry,
    ServiceEntrySpec,
    WorkloadEntry,
    WorkloadEntrySpec,
)
from localmesh.manifests.rules import selectors, visibility
from localmesh.manifests.rules.names import (
    partial_wildcard,
    wrong_domain,
    wrong_host,
    wrong_ip,
    wrong_label,
    wrong_subnet,
    wrong_unix_path,
)
from localmesh.manifests.rules.protocols import is_http, is_tls, wrong_protocol

_UNIX = "unix://"
_BY_NAME = frozenset({"DNS", "DNS_ROUND_ROBIN"})


def problems(resource: ServiceEntry) -> Iterator[Problem]:
    """What istiod would reject it for."""
    spec = resource.spec
    yield from selectors.problems(spec.workload_selector)
    if spec.workload_selector and spec.endpoints:
        yield Problem(spec.at("endpoints"), "endpoints and workloadSelector are alternatives")
    yield from _hosts(spec)
    yield from _addresses(spec)
    yield from _ports(spec)
    yield from _resolution(spec)
    yield from visibility.problems(spec.export_to, resource.namespace, spec.at("export_to"), nobody=True)


def warnings(resource: ServiceEntry) -> Iterator[Problem]:
    """What istiod would warn about."""
    spec = resource.spec
    yield from selectors.warnings(spec.workload_selector)
    for index, host in enumerate(spec.hosts):
        if wrong := partial_wildcard(host):
            yield codes.PARTIAL_WILDCARD.at(spec.at("hosts", index), wrong)
    if spec.workload_selector and spec.resolution != "STATIC":
        what = f"workloadSelector has no use with resolution {spec.resolution or 'NONE'}"
        yield codes.IDLE_SELECTOR.at(spec.at("workload_selector"), what, "resolution: STATIC")
    for port in spec.ports if not spec.addresses else ():
        if (port.protocol or "TCP").upper() == "TCP":
            what = f"connections carry no host name, and no address is written: all to port {port.number} are taken"
            yield codes.NO_ADDRESS.at(port.where, what, "set addresses")


def workload_problems(resource: WorkloadEntry) -> Iterator[Problem]:
    """What istiod would reject a WorkloadEntry for."""
    yield from _endpoint(resource.spec, None, by_name=True)


def _hosts(spec: ServiceEntrySpec) -> Iterator[Problem]:
    if not spec.hosts:
        yield Problem(spec.where, "a ServiceEntry needs a host")
    for index, host in enumerate(spec.hosts):
        wrong = 'a ServiceEntry for "*" would be every host' if host == "*" else wrong_host(host)
        if wrong:
            yield Problem(spec.at("hosts", index), wrong)
        elif host in spec.hosts[:index]:
            yield Problem(spec.at("hosts", index), f"{host} is listed twice: its endpoints would be counted twice")


def _addresses(spec: ServiceEntrySpec) -> Iterator[Problem]:
    for index, address in enumerate(spec.addresses):
        if wrong := wrong_subnet(address):
            yield Problem(spec.at("addresses", index), wrong)
        elif "/" in address and spec.resolution not in {None, "NONE", "STATIC"}:
            what = f"a CIDR block cannot go with resolution {spec.resolution}"
            yield Problem(spec.at("addresses", index), what, "NONE or STATIC")


def _ports(spec: ServiceEntrySpec) -> Iterator[Problem]:
    names: set[str] = set()
    numbers: set[int] = set()
    for port in spec.ports:
        if port.name in names:
            yield Problem(port.at("name"), f'the port name "{port.name}" is used twice')
        if port.number in numbers:
            yield Problem(port.at("number"), f"the port {port.number} is used twice")
        names.add(port.name)
        numbers.add(port.number)
        if wrong := wrong_label(port.name, "port name"):
            yield Problem(port.at("name"), wrong)
        if wrong := wrong_protocol(port.protocol):
            yield Problem(port.at("protocol"), wrong)
        if port.target_port is not None and not 1 <= port.target_port <= 65535:
            yield Problem(port.at("target_port"), f"{port.target_port} is not a port number: 1 to 65535")
    by_address = spec.resolution not in {None, "NONE"} and len(spec.hosts) > 1
    if by_address and any(not is_http(port.protocol) and not is_tls(port.protocol) for port in spec.ports):
        what = "several hosts need ports that speak HTTP or TLS: plain TCP cannot tell hosts apart"
        yield Problem(spec.at("ports"), what)


def _resolution(spec: ServiceEntrySpec) -> Iterator[Problem]:
    resolution = spec.resolution or "NONE"
    if resolution == "NONE" and spec.endpoints:
        yield Problem(spec.at("endpoints"), "resolution NONE calls the address that was dialled: it has no endpoints")
    if resolution in _BY_NAME and not spec.endpoints:
        for index, host in enumerate(spec.hosts):
            if wrong_domain(host):
                what = f'"{host}" cannot be looked up: resolution {resolution} needs full names, or endpoints'
                yield Problem(spec.at("hosts", index), what)
    if resolution == "DNS_ROUND_ROBIN" and len(spec.endpoints) > 1:
        yield Problem(spec.at("endpoints"), "resolution DNS_ROUND_ROBIN takes one endpoint at most")
    names = {port.name for port in spec.ports}
    for endpoint in spec.endpoints:
        yield from _endpoint(endpoint, names, by_name=resolution in _BY_NAME)


def _endpoint(entry: WorkloadEntrySpec, names: set[str] | None, *, by_name: bool) -> Iterator[Problem]:
    """`names`: the ports of the service it belongs to; `by_name`: whether a host name will do for an address."""
    address = entry.address or ""
    unix = address.startswith(_UNIX)
    if not address and not entry.network:
        yield Problem(entry.where, "an endpoint needs an address")
    elif unix:
        if wrong := wrong_unix_path(address.removeprefix(_UNIX)):
            yield Problem(entry.at("address"), wrong)
        if entry.ports:
            yield Problem(entry.at("ports"), "a Unix socket has no ports")
    elif address and (wrong := wrong_ip(address)) and (not by_name or wrong_domain(address)):
        yield Problem(entry.at("address"), wrong if not by_name else f"{wrong}, nor a host name")
    for name, port in entry.ports.items():
        if names is not None and name not in names:
            known = ", ".join(sorted(names)) or "none"
            yield Problem(entry.at("ports", name), f'the service has no port "{name}"', f"its ports: {known}")
        if not 1 <= port <= 65535:
            yield Problem(entry.at("ports", name), f"{port} is not a port number: 1 to 65535")
        elif wrong := wrong_label(name, "port name"):
            yield Problem(entry.at("ports", name), wrong)
    yield from selectors.label_problems(entry.labels, entry.at("labels"))
    if unix and names is not None and len(names) != 1:
        yield Problem(entry.at("address"), "a Unix socket serves a service of exactly one port")
