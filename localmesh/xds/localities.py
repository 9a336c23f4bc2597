"""Which endpoints a client prefers by where they stand.

Follows istiod's pilot/pkg/networking/core/loadbalancer: shares per locality (`distribute`), or priorities by nearness
(`failover`, `failoverPriority`), which need outlier detection, since only that tells when to look further.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import ceil

from localmesh.mesh.identity import Locality
from localmesh.mesh.pods import Pod
from localmesh.mesh.services import Endpoint
from localmesh.mesh.upstreams import Distribute, LocalityBalancing, Upstream

REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"
SUBZONE_LABEL = "topology.istio.io/subzone"
NETWORK_LABEL = "topology.istio.io/network"
HOST_LABEL = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class Group:
    """Endpoints of one locality and priority."""

    locality: Locality
    endpoints: tuple[Endpoint, ...]
    weight: int
    priority: int = 0


def grouped(ready: Iterable[Endpoint], upstream: Upstream, client: Pod) -> list[Group]:
    """The endpoints by locality, with the weights and priorities that this client's place gives them."""
    ready = list(ready)
    balancing = upstream.locality
    by_place = _groups(ready, lambda _: 0)
    if balancing is None:
        return by_place
    if balancing.distribute:
        return _distributed(by_place, balancing.distribute, client.locality)
    if upstream.outliers is None:
        return by_place
    if balancing.failover_priority:
        wanted = balancing.failover_priority
        return _groups(ready, lambda one: _label_distance(wanted, client, one))
    if client.locality == Locality():
        return by_place
    return _groups(ready, lambda one: _distance(balancing, client.locality, one.locality))


def _groups(endpoints: list[Endpoint], priority: Callable[[Endpoint], int]) -> list[Group]:
    """By locality and priority; priorities then count from 0 without gaps."""
    members: dict[tuple[int, Locality], list[Endpoint]] = {}
    for one in endpoints:
        members.setdefault((priority(one), one.locality), []).append(one)
    ranks = {rank: number for number, rank in enumerate(sorted({rank for rank, _ in members}))}
    groups = [
        Group(place, tuple(many), sum(one.weight for one in many), ranks[rank])
        for (rank, place), many in members.items()
    ]
    return sorted(groups, key=lambda group: (group.locality, group.priority))


def _distributed(groups: list[Group], rules: tuple[Distribute, ...], client: Locality) -> list[Group]:
    rule = next((rule for rule in rules if _within(client, rule.source)), None)
    if rule is None:
        return groups
    shares = []
    for group in groups:
        found = next(((where, percent) for where, percent in rule.to if _within(group.locality, where)), None)
        if found is None:
            continue
        total = sum(one.weight for one in groups if _within(one.locality, found[0]))
        shares.append(replace(group, weight=ceil(group.weight * found[1] / total)))
    return shares


def _within(place: Locality, pattern: str) -> bool:
    """Whether `region/zone/subzone`, with `*` for the rest, covers the place."""
    parts = zip(pattern.split("/"), (place.region, place.zone, place.subzone), strict=False)
    return all(wanted in {"*", actual} for wanted, actual in parts)


def _distance(balancing: LocalityBalancing, client: Locality, other: Locality) -> int:
    """0 the same subzone, 1 the same zone, 2 the same region, 3 elsewhere, 4 where failover does not lead."""
    if client.region != other.region:
        allowed = next((to for source, to in balancing.failover if source == client.region), other.region)
        return 3 if allowed == other.region else 4
    if client.zone != other.zone:
        return 2
    return 0 if client.subzone == other.subzone else 1


def _label_distance(wanted: tuple[str, ...], client: Pod, other: Endpoint) -> int:
    """How many of the labels, counted from the first that differs, client and endpoint do not share."""
    own = {**client.labels, **_place_labels(client.locality)}
    theirs = {
        **other.labels,
        **_place_labels(other.locality),
        NETWORK_LABEL: other.network,
        HOST_LABEL: other.node,
    }
    for number, label in enumerate(wanted):
        key, given, value = label.partition("=")
        if (value if given else own.get(key, "")) != theirs.get(key, ""):
            return len(wanted) - number
    return 0


def _place_labels(place: Locality) -> dict[str, str]:
    return {REGION_LABEL: place.region, ZONE_LABEL: place.zone, SUBZONE_LABEL: place.subzone}
