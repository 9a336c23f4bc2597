"""What all proxies have counted, read from their admin interfaces: what the arrows of `edges` are made of.

Each proxy is asked for its statistics and for its clusters with their hosts, both as JSON
(https://www.envoyproxy.io/docs/envoy/latest/operations/admin).
"""

import asyncio
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from localmesh.observe.counted import Counted, Sent, of_cluster, of_entry
from localmesh.observe.latency import Latency

# A proxy that does not answer by then is as good as down.
ANSWER_SECONDS = 2.0
_CLUSTER = re.compile(r"cluster\.outbound\|(\d+)\|([^|]*)\|([^;]+);\.(.+)")
_ENTRY = re.compile(r"http\.outbound_[^;]*;\.(.+)")
# RE2, asked of Envoy: what `counted` reads, and not the hundreds of others.
_NEEDED = (
    r"^cluster\.outbound\|.*;\.(grpc\.\d+|ssl\.handshake|tlsMode-disabled\.total_match_count"
    r"|upstream_cx_(active|total)|upstream_rq_(\d\d\d|active|completed|time))$"
    r"|^http\.outbound_[^;]*;\.(downstream_(cx_total|rq_(\dxx|active|completed|time))|(rbac|jwt_authn)\.denied)$"
)

Port = tuple[int, str, str]
"""A service's port as a caller sees it: number, subset, host."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A pod whose proxy is asked. `gateway`: its listeners take calls from outside."""

    pod: str  # `namespace/name`
    workload: str  # `namespace/name`
    address: str
    admin: Path  # the Unix socket of its Envoy's admin interface
    gateway: bool = False


@dataclass(frozen=True, slots=True)
class ProxyReading:
    """What one pod's proxy has counted since it was started."""

    pod: str
    workload: str
    outbound: Mapping[Port, Counted] = field(default_factory=dict)
    entry: Counted = Counted()  # of a gateway: what comes from outside


@dataclass(frozen=True, slots=True)
class Reading:
    """What the proxies that answered had counted at a time (Unix)."""

    at: float
    proxies: tuple[ProxyReading, ...]


async def read(pods: Iterable[Asked]) -> Reading:
    """Ask all these proxies at once. One that does not answer is left out."""
    found = await asyncio.gather(*map(_read, pods))
    return Reading(time.time(), tuple(each for each in found if each is not None))


async def _read(pod: Asked) -> ProxyReading | None:
    connector = aiohttp.UnixConnector(str(pod.admin))
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with aiohttp.ClientSession("http://envoy", connector=connector, timeout=timeout) as session:
            query = {"format": "json", "usedonly": "", "histogram_buckets": "disjoint", "filter": _NEEDED}
            async with session.get("/stats", params=query) as answer:
                stats = json.loads(await answer.read())
            async with session.get("/clusters", params={"format": "json"}) as answer:
                clusters = json.loads(await answer.read())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
    return parsed(pod, stats, clusters)


def parsed(pod: Asked, stats: Mapping[str, Any], clusters: Mapping[str, Any]) -> ProxyReading:
    """What `/stats` and `/clusters` have said."""
    values: dict[Port, dict[str, int]] = {}
    times: dict[Port, Latency] = {}
    entry: dict[str, int] = {}
    entry_times = Latency()
    for name, value in _plain(stats):
        if found := _CLUSTER.fullmatch(name):
            port = (int(found[1]), found[2], found[3])
            if isinstance(value, Latency):
                times[port] = value
            else:
                values.setdefault(port, {})[found[4]] = value
        elif found := _ENTRY.fullmatch(name):
            if isinstance(value, Latency):
                entry_times += value
            else:
                entry[found[1]] = entry.get(found[1], 0) + value
    hosts = dict(_hosts(clusters))
    return ProxyReading(
        pod.pod,
        pod.workload,
        {port: of_cluster(some, times.get(port, Latency()), hosts.get(port, {})) for port, some in values.items()},
        of_entry(entry, entry_times) if pod.gateway else Counted(),
    )


def _plain(stats: Mapping[str, Any]) -> Iterable[tuple[str, int | Latency]]:
    for each in stats["stats"]:
        if "histograms" not in each:
            yield each["name"], each["value"]
            continue
        # With disjoint buckets Envoy's `cumulative` is since its start, `interval` since its last flush.
        for histogram in each["histograms"]:
            buckets = histogram["buckets"]
            bounds = tuple(float(bucket["upper_bound"]) for bucket in buckets)
            yield histogram["name"], Latency(bounds, tuple(int(bucket["cumulative"]) for bucket in buckets))


def _hosts(clusters: Mapping[str, Any]) -> Iterable[tuple[Port, dict[str, Sent]]]:
    for cluster in clusters.get("cluster_statuses", ()):
        direction, *rest = cluster["name"].split("|")
        if direction == "outbound" and len(rest) == 3:
            port, subset, host = rest
            yield (int(port), subset, host), dict(map(_sent, cluster.get("host_statuses", ())))


def _sent(host: Mapping[str, Any]) -> tuple[str, Sent]:
    stats = {each["name"]: int(each.get("value", 0)) for each in host["stats"]}
    address = host["address"].get("socket_address", {}).get("address", "")
    return address, Sent(stats.get("rq_total", 0) or stats.get("cx_total", 0))
