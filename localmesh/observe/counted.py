"""What one proxy has counted since it was started, of one cluster or of its gateway's listeners."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.rpc import code_pb2

from localmesh.observe.latency import Latency

_GRPC = re.compile(r"grpc\.(\d+)")
_STATUS = re.compile(r"upstream_rq_(\d\d\d)|downstream_rq_(\dxx)")


@dataclass(frozen=True, slots=True)
class Sent:
    """What went to one host."""

    requests: int = 0  # of TCP: connections


@dataclass(frozen=True, slots=True)
class Counted:
    """All counts are since the start of the proxy; `active` is of now."""

    connections: int = 0
    handshakes: int = 0  # of TLS
    plain_hosts: int = 0  # how often a host was to be spoken to without TLS because it has no sidecar
    requests: int = 0  # answered
    refused: int = 0  # by a gateway's own policies
    active: int = 0
    http: bool = False
    answers: Mapping[str, int] = field(default_factory=dict)  # by gRPC code's name, else by HTTP status
    hosts: Mapping[str, Sent] = field(default_factory=dict)  # by address
    latency: Latency = Latency()

    def since(self, before: "Counted") -> "Counted":
        """What was counted since `before`. A count that has fallen began again at zero."""
        return Counted(
            connections=_rise(self.connections, before.connections),
            handshakes=_rise(self.handshakes, before.handshakes),
            plain_hosts=_rise(self.plain_hosts, before.plain_hosts),
            requests=_rise(self.requests, before.requests),
            refused=_rise(self.refused, before.refused),
            active=self.active,
            http=self.http,
            answers={name: _rise(count, before.answers.get(name, 0)) for name, count in self.answers.items()},
            hosts=dict(_hosts(self.hosts, before.hosts)),
            latency=self.latency.since(before.latency),
        )


def of_cluster(stats: Mapping[str, int], latency: Latency, hosts: Mapping[str, Sent]) -> Counted:
    """From Envoy's statistics of a cluster, by what their names say after the cluster's."""
    http = "upstream_rq_completed" in stats
    opened = stats.get("upstream_cx_total", 0)
    return Counted(
        connections=opened,
        handshakes=stats.get("ssl.handshake", 0),
        plain_hosts=stats.get("tlsMode-disabled.total_match_count", 0),
        requests=stats.get("upstream_rq_completed", opened),
        active=stats.get("upstream_rq_active" if http else "upstream_cx_active", 0),
        http=http,
        answers=dict(_of_grpc(stats)) or dict(_of_http(stats)),
        hosts=hosts,
        latency=latency,
    )


def of_entry(stats: Mapping[str, int], latency: Latency) -> Counted:
    """From Envoy's statistics of the connections that a gateway takes, by what their names say after the listener's."""
    return Counted(
        connections=stats.get("downstream_cx_total", 0),
        requests=stats.get("downstream_rq_completed", 0),
        refused=stats.get("rbac.denied", 0) + stats.get("jwt_authn.denied", 0),
        active=stats.get("downstream_rq_active", 0),
        http=True,
        answers=dict(_of_http(stats)),
        latency=latency,
    )


def _of_grpc(stats: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    known = code_pb2.Code.values()
    for name, count in stats.items():
        if found := _GRPC.fullmatch(name):
            code = int(found[1])
            yield code_pb2.Code.Name(code) if code in known else str(code), count


def _of_http(stats: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((found[1] or found[2], count) for name, count in stats.items() if (found := _STATUS.fullmatch(name)))


def _rise(now: int, before: int) -> int:
    return now - before if now >= before else now


def _hosts(now: Mapping[str, Sent], before: Mapping[str, Sent]) -> Iterator[tuple[str, Sent]]:
    for address, sent in now.items():
        was = before.get(address, Sent())
        yield address, Sent(_rise(sent.requests, was.requests))
