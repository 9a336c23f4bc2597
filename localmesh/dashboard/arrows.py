"""The arrows of the picture: what `observe.edges` knows of pods and services, gathered from workload to workload."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from localmesh.observe.edges import Edge
from localmesh.observe.latency import Latency


@dataclass(frozen=True, slots=True)
class Arrow:
    """Calls of one workload's pods to another's. Rates are per second, over the time between two readings."""

    source: str  # `namespace/name`; "": whoever calls a gateway from outside
    target: str  # `namespace/name`; the service or host where it is no workload of this mesh
    http: bool  # False: TCP, of which only connections are known
    rate: float
    errors: float  # faults of servers
    denied: float
    p50_ms: float | None  # None without calls
    p99_ms: float | None
    active: int  # under way; of TCP: connections open
    mtls: bool | None  # every connection is mutual TLS; None: from outside


Part = tuple[Edge, float]
"""An edge, and the share of it that goes to one workload."""


def arrows(edges: Iterable[Edge], workloads: Mapping[str, str]) -> list[Arrow]:
    """The arrows of these edges. `workloads` by their pods."""
    parts: dict[tuple[str, str], list[Part]] = {}
    for edge in edges:
        if not _is_to_us(edge):
            for target, share in _shares(edge, workloads):
                parts.setdefault((edge.source_workload, target), []).append((edge, share))
    return [_arrow(source, target, some) for (source, target), some in sorted(parts.items())]


def _is_to_us(edge: Edge) -> bool:
    """Spans on their way to localmesh's own receiver, a Unix socket without an address: no call of the mesh."""
    return bool(edge.targets) and not any(target.pod for target in edge.targets)


def _shares(edge: Edge, workloads: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """The workloads behind an edge, each with its share of the requests; where nothing went, all alike."""
    if not edge.workloads:
        yield edge.service, 1.0
        return
    requests = dict.fromkeys(edge.workloads, 0)
    for target in edge.targets:
        if (workload := workloads.get(target.pod, "")) in requests:
            requests[workload] += target.requests
    whole = sum(requests.values())
    for workload, some in requests.items():
        yield workload, some / whole if whole else 1 / len(requests)


def _arrow(source: str, target: str, parts: list[Part]) -> Arrow:
    calls = [(edge.calls, share / (edge.calls.seconds or 1.0)) for edge, share in parts]
    latency = sum((each.latency for each, _ in calls), Latency())
    secured = {edge.mtls for edge, _ in parts}
    return Arrow(
        source=source,
        target=target,
        http=any(each.http for each, _ in calls),
        rate=sum(each.requests * weight for each, weight in calls),
        errors=sum(each.errors * weight for each, weight in calls),
        denied=sum(each.denied * weight for each, weight in calls),
        p50_ms=latency.quantile(0.5),
        p99_ms=latency.quantile(0.99),
        active=round(sum(edge.calls.active * share for edge, share in parts)),
        mtls=None if secured == {None} else False not in secured,
    )
