"""Which servers of which Gateways a gateway pod opens, on which of its ports, and which share a port.

The rules are istiod's MergeGateways, as seen in its output.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localmesh import codes
from localmesh.manifests.istio import Gateway
from localmesh.manifests.istio.gateway import Server
from localmesh.mesh.identity import Protocol
from localmesh.resolve.findings import Findings
from localmesh.resolve.inbound import Served
from localmesh.resolve.protocols import parse

ANY = "0.0.0.0"  # noqa: S104
PASSTHROUGH = {"PASSTHROUGH", "AUTO_PASSTHROUGH"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A Gateway, and the hosts of the Services whose pods open it on the ports of these Services.

    Istio's own names no Services: pods are selected by labels, and open every port.
    """

    gateway: Gateway
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Opened:
    """One server of a Gateway at one pod."""

    gateway: Gateway
    written: Server
    port: int  # that the pod listens on

    @property
    def name(self) -> str:
        """The Gateway, as VirtualServices name it."""
        return f"{self.gateway.namespace}/{self.gateway.name}"

    @property
    def protocol(self) -> Protocol:
        """As the server says."""
        return parse(self.written.port.protocol)

    @property
    def is_passthrough(self) -> bool:
        """TLS is not ended here."""
        tls = self.written.tls
        return tls is not None and not tls.https_redirect and (tls.mode or "PASSTHROUGH") in PASSTHROUGH

    @property
    def is_http(self) -> bool:
        """Routed by its requests: plain, or with TLS ended here."""
        ended = self.protocol is Protocol.HTTPS and self.written.tls is not None and not self.is_passthrough
        return self.protocol.is_http or ended

    @property
    def is_tls(self) -> bool:
        """Chosen by server name."""
        return self.written.tls is not None and not self.protocol.is_http

    @property
    def route_table(self) -> str:
        """The name that istiod gives its routes; "" if it has none."""
        port, bind = self.written.port, f".{self.written.bind}" if self.written.bind else ""
        if self.protocol.is_http:
            return f"http.{self.port}{bind}"
        owner = f"{self.gateway.name}.{self.gateway.namespace}"
        return f"https.{port.number}.{port.name}.{owner}{bind}" if self.is_http else ""

    @property
    def owned_hosts(self) -> tuple[tuple[str, str], ...]:
        """(namespace, host) as written `ns/host`, `./host`, `*/host` or `host`; `*` for every namespace."""
        split = ((written.partition("/"), written) for written in self.written.hosts)
        return tuple(
            ((self.gateway.namespace if owner == "." else owner), host) if slash else ("*", written)
            for (owner, slash, host), written in split
        )

    def hosts_for(self, namespace: str) -> tuple[str, ...]:
        """The server's hosts that VirtualServices of `namespace` may use."""
        return tuple(host for owner, host in self.owned_hosts if owner in {"*", namespace})


def opened_servers(chosen: Iterable[Chosen], serves: Iterable[Served]) -> Iterator[Opened]:
    """A server's port is a port of the Service before the pod.

    A port that no Service has is opened as it is, and not at all where the Gateway names its Services.
    """
    targets: dict[tuple[int, str], int] = {}
    for each in serves:
        targets.setdefault((each.port.number, ""), each.target)
        targets.setdefault((each.port.number, each.service.host), each.target)
    for one in chosen:
        for server in one.gateway.spec.servers:
            number = server.port.number
            found = (targets[number, host] for host in one.services or {""} if (number, host) in targets)
            port = next(found, None if one.services else number)
            if port is not None:
                yield Opened(one.gateway, server, port)


def merged(opened: Iterable[Opened], findings: Findings) -> Iterator[Opened]:
    """Those that fit together on their ports. HTTP joins HTTP, TLS joins TLS with other hosts; the rest is left out."""
    first: dict[int, Opened] = {}
    tls_hosts: dict[tuple[int, str], dict[str, Opened]] = defaultdict(dict)
    tables: set[str] = set()
    for each in opened:
        bind = each.written.bind or ""
        if each.written.tls is not None:
            known = tls_hosts[each.port, bind]
            again = next((host for host in each.written.hosts if host in known), None)
            if again is not None:
                what = f"host {again!r} is served on port {each.port} already; Istio leaves this server out"
                findings.warn(codes.LEFT_OUT_SERVER, each.written.where, what, f"first at {known[again].written.where}")
                continue
            known.update(dict.fromkeys(each.written.hosts, each))
        current = first.setdefault(each.port, each)
        if current is not each and _meet(current, each) and not _fit(current, each, tables):
            what = f"port {each.port} is taken by a server that this one cannot share it with; Istio leaves it out"
            findings.warn(codes.LEFT_OUT_SERVER, each.written.where, what, f"the other is at {current.written.where}")
            continue
        tables.add(each.route_table)
        yield each


def _meet(current: Opened, each: Opened) -> bool:
    """Whether both listen at one address; no bind is every address, written or not."""
    return (current.written.bind or ANY) == (each.written.bind or ANY)


def _fit(current: Opened, each: Opened, tables: set[str]) -> bool:
    if not current.is_tls:
        # A table is of one bind as it is written: two at one address would be two chains for every connection.
        return current.protocol.is_http and current.route_table == each.route_table
    return each.is_tls and not (each.is_http and each.route_table in tables)
