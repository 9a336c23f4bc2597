"""Load balancing: hash algorithms, warm-up, and localities."""

import math
from collections.abc import Iterable, Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.destination_rule import (
    ConsistentHashLB,
    LoadBalancerSettings,
    LocalityLoadBalancerSetting,
    OutlierDetection,
)

_LARGEST_TABLE = 5000011
_TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")


def problems(settings: LoadBalancerSettings | None) -> Iterator[Problem]:
    """What istiod would reject it for."""
    if settings is None:
        return
    if settings.consistent_hash:
        yield from _hash(settings.consistent_hash)
    warmup = settings.warmup
    if warmup and warmup.minimum_percent is not None and not 0 <= warmup.minimum_percent <= 100:
        yield Problem(warmup.at("minimum_percent"), f"{warmup.minimum_percent:g} is not a share: 0 to 100 percent")
    if warmup and warmup.aggression is not None and warmup.aggression < 0:
        yield Problem(warmup.at("aggression"), "the aggression is negative", "1 is linear, more is slower at first")
    if settings.locality_lb_setting:
        yield from locality_problems(settings.locality_lb_setting)


def warnings(settings: LoadBalancerSettings | None, outlier: OutlierDetection | None) -> Iterator[Problem]:
    """What istiod would warn about."""
    if settings is None:
        return
    ring = settings.consistent_hash
    if ring and ring.minimum_ring_size:
        what = "minimumRingSize is deprecated here"
        yield codes.DEPRECATED.at(ring.at("minimum_ring_size"), what, "use ringHash.minimumRingSize")
    locality = settings.locality_lb_setting
    if locality and (locality.failover or locality.failover_priority) and outlier is None:
        what = "failover needs outlierDetection: without it no endpoint is ever unhealthy"
        yield codes.FAILOVER_WITHOUT_HEALTH.at(locality.where, what)


def _hash(ring: ConsistentHashLB) -> Iterator[Problem]:
    if ring.http_cookie and not ring.http_cookie.name:
        yield Problem(ring.http_cookie.at("name"), "the cookie's name is empty")
    if ring.minimum_ring_size and (ring.ring_hash or ring.maglev):
        what = "minimumRingSize, ringHash and maglev are alternatives"
        yield Problem(ring.at("minimum_ring_size"), what)
    if ring.maglev:
        size = ring.maglev.table_size or 0
        if not size or size >= _LARGEST_TABLE or not _is_prime(size):
            what = f"the maglev table size {size} is not a prime below {_LARGEST_TABLE}"
            yield Problem(ring.maglev.at("table_size"), what, "such as 65537")


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, math.isqrt(number) + 1))


def locality_problems(setting: LocalityLoadBalancerSetting) -> Iterator[Problem]:
    """Shares add up to 100, localities do not overlap, failover is between regions."""
    if setting.distribute and setting.failover:
        yield Problem(setting.at("failover"), "distribute and failover are alternatives")
    for index, label in enumerate(setting.failover_priority if setting.failover else ()):
        if label in _TOPOLOGY:
            what = f"failover and {label} in failoverPriority say the same in two ways"
            yield Problem(setting.at("failover_priority", index), what)
    for each in setting.distribute:
        total = sum(each.to.values())
        if total != 100 or any(not 1 <= weight <= 100 for weight in each.to.values()):
            yield Problem(each.at("to"), f"the shares add up to {total}: each is 1 to 100 and all are 100 together")
        if wrong := _wrong_localities(each.to):
            yield Problem(each.at("to"), wrong)
    if wrong := _wrong_localities(each.from_ or "" for each in setting.distribute):
        yield Problem(setting.at("distribute"), wrong)
    for failover in setting.failover:
        regions = (failover.from_ or "", failover.to or "")
        if regions[0] == regions[1]:
            yield Problem(failover.where, f"failover from {regions[0]} to itself")
        elif any("/" in region or "*" in region for region in regions):
            yield Problem(failover.where, "failover is between regions: no zones, no wildcards")


def _wrong_localities(localities: Iterable[str]) -> str | None:
    """Localities are region, region/zone or region/zone/subzone, a `*` at the end at most, and none within another."""
    seen: list[tuple[str, ...]] = []
    for locality in localities:
        parts = tuple(locality.split("/", 2))
        if "" in parts:
            return f'"{locality}" is not a locality: region/zone/subzone'
        if locality.count("*") > 1 or ("*" in locality and not locality.endswith("*")):
            return f'"{locality}" is not a locality: one "*", and only at the end'
        scope = tuple(part for part in parts if part != "*")
        for other in seen:
            if scope[: len(other)] == other or other[: len(scope)] == scope:
                return f'"{locality}" overlaps "{"/".join(other) or "*"}"'
        seen.append(scope)
    return None
