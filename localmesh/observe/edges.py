"""Who calls whom, and how it goes: what each proxy has counted between two readings, as the arrows of a picture.

An arrow goes from a pod to a service's port (and subset), as its own proxy routes it: Envoy's cluster
`outbound|<port>|<subset>|<host>`. What comes from outside the mesh is an arrow of its own into each gateway.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from localmesh.observe.counted import Counted
from localmesh.observe.latency import Latency
from localmesh.observe.readings import Asked, ProxyReading, Reading

# The gRPC codes that say that a server has failed (OpenTelemetry's conventions for RPC), and who may not call.
FAILED = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
DENIED = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED", "401", "403"})
OUTSIDE = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One pod's part of an arrow: what the source's proxy has sent to it."""

    pod: str  # `namespace/name`; the address of what is no pod of ours
    requests: int  # of TCP: connections


@dataclass(frozen=True, slots=True)
class Calls:
    """What went over an arrow between the two readings; `active` is of now."""

    seconds: float  # between the readings
    http: bool  # False: TCP, of which only connections are known
    requests: int  # answered; of TCP: connections opened
    errors: int  # faults of servers: 5xx, or gRPC's FAILED
    denied: int  # 401, 403, PERMISSION_DENIED, UNAUTHENTICATED; from OUTSIDE: what the gateway itself refused
    latency: Latency
    active: int  # requests under way; of TCP: connections open


@dataclass(frozen=True, slots=True)
class Edge:
    """One arrow."""

    source_workload: str  # `namespace/name`; OUTSIDE: whoever calls a gateway
    host: str  # such as user.mesh.svc.cluster.local; "" from OUTSIDE
    workloads: tuple[str, ...]  # `namespace/name` of the pods behind it
    targets: tuple[Target, ...]
    mtls: bool | None  # every connection is TLS between our proxies; None: from OUTSIDE
    calls: Calls

    @property
    def service(self) -> str:
        """`namespace/name` of a Service, else the host itself."""
        name, _, rest = self.host.partition(".")
        namespace, _, kind = rest.partition(".")
        return f"{namespace}/{name}" if kind.startswith("svc.") else self.host


def edges(before: Reading, after: Reading, pods: Iterable[Asked]) -> tuple[Edge, ...]:
    """The arrows between two readings of one mesh. `pods` are all that have a proxy, whether it answered or not.

    Also those without calls, where the source ever opened a connection. A proxy that did not answer both has none; one
    that was started again between the two counts from zero.
    """
    was = {proxy.pod: proxy for proxy in before.proxies}
    by_address = {pod.address: pod for pod in pods}
    seconds = after.at - before.at
    return tuple(
        edge for proxy in after.proxies if proxy.pod in was for edge in _of(proxy, was[proxy.pod], by_address, seconds)
    )


def _of(proxy: ProxyReading, was: ProxyReading, pods: Mapping[str, Asked], seconds: float) -> Iterator[Edge]:
    for (port, subset, host), counted in proxy.outbound.items():
        if counted.connections:
            since = counted.since(was.outbound.get((port, subset, host), Counted()))
            yield Edge(
                source_workload=proxy.workload,
                host=host,
                workloads=tuple(sorted({pods[address].workload for address in counted.hosts if address in pods})),
                targets=tuple(
                    Target(pods[address].pod if address in pods else address, sent.requests)
                    for address, sent in since.hosts.items()
                ),
                mtls=_is_mutual(counted, pods),
                calls=_calls(since, seconds),
            )
    if proxy.entry.connections:
        calls = _calls(proxy.entry.since(was.entry), seconds)
        to = Target(proxy.pod, calls.requests)
        yield Edge(OUTSIDE, "", (proxy.workload,), (to,), None, calls)


def _is_mutual(counted: Counted, pods: Mapping[str, Asked]) -> bool:
    """TLS to hosts elsewhere has handshakes too, and says nothing of who calls."""
    return counted.handshakes > 0 and not counted.plain_hosts and all(address in pods for address in counted.hosts)


def _calls(since: Counted, seconds: float) -> Calls:
    answers = since.answers.items()
    return Calls(
        seconds=seconds,
        http=since.http,
        requests=since.requests,
        errors=sum(count for answer, count in answers if answer in FAILED or answer.startswith("5")),
        denied=since.refused + sum(count for answer, count in answers if answer in DENIED),
        latency=since.latency,
        active=since.active,
    )
