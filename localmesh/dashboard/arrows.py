"""Who calls whom, as the callers' Envoys count it: calls, errors, latencies, and whether connections were mTLS."""

import asyncio
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from localmesh.control.control_pb2 import PodStatus, Status

_CLUSTER = re.compile(r"cluster\.outbound\|(?P<port>\d+)\|(?P<subset>[^|]*)\|(?P<host>[^;]+);\.(?P<stat>.+)")


@dataclass(frozen=True, slots=True)
class Arrow:
    """Calls of one workload's pods to one service."""

    source: str
    target: str
    rate: float
    error_rate: float
    p50_ms: float | None
    p99_ms: float | None
    mtls: bool | None
    active: int
    tcp: bool


class Arrows:
    """Remembers the counters of the last reading."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], tuple[float, float, float]] = {}

    async def read(self, status: Status) -> list[Arrow]:
        """The arrows now."""
        totals: dict[tuple[str, str], dict[str, float]] = {}
        for pod, stats in zip(status.pods, await asyncio.gather(*map(_stats, status.pods)), strict=True):
            for name, value in stats.items():
                if found := _CLUSTER.match(name):
                    host = ".".join(found["host"].split(".")[:2])
                    target = "/".join(reversed(host.split(".")))
                    into = totals.setdefault((pod.workload, target), {})
                    into[found["stat"]] = into.get(found["stat"], 0) + value
        now = time.monotonic()
        return [self._arrow(key, stats, now) for key, stats in totals.items() if stats.get("upstream_cx_total")]

    def _arrow(self, key: tuple[str, str], stats: dict[str, float], now: float) -> Arrow:
        grpc = "grpc.total" in stats
        calls = stats.get("upstream_rq_completed", stats.get("upstream_cx_total", 0))
        errors = stats.get("grpc.total", 0) - stats.get("grpc.success", 0)
        when, was, failed = self._before.get(key, (now - 1, calls, errors))
        self._before[key] = (now, calls, errors)
        passed = max(now - when, 0.001)
        return Arrow(
            source=key[0],
            target=key[1],
            rate=max(calls - was, 0) / passed,
            error_rate=max(errors - failed, 0) / passed,
            p50_ms=stats.get("p50"),
            p99_ms=stats.get("p99"),
            mtls=stats.get("ssl.handshake", 0) > 0,
            active=int(stats.get("upstream_rq_active", 0)),
            tcp=not grpc,
        )


async def _stats(pod: PodStatus) -> dict[str, float]:
    socket = Path(pod.sockets, "admin.sock")
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.get(
                "http://pod/stats?format=json&usedonly&filter=outbound", timeout=aiohttp.ClientTimeout(2)
            ) as got,
        ):
            stats = json.loads(await got.read())["stats"]
    except (aiohttp.ClientError, TimeoutError, OSError):
        return {}
    return {one["name"]: one["value"] for one in stats if isinstance(one.get("value"), int)}
