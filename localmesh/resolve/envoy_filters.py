"""EnvoyFilters: which patches apply to which pod, in which order.

As istiod (PushContext.EnvoyFilters): those of the root namespace and of the pod's own that select the pod, by priority,
then the root namespace's first, then by age.
"""

import json
import re
from collections.abc import Iterator

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import EnvoyFilter
from localmesh.manifests.istio.envoy_filter import (
    ClusterMatch,
    ConfigPatch,
    ListenerMatch,
    ObjectMatch,
    RouteConfigurationMatch,
)
from localmesh.mesh.identity import Labels
from localmesh.mesh.patches import Change, Direction, InClusters, InListeners, InRoutes, Part, Patch
from localmesh.resolve.selection import Selected, age

# What a pattern for the proxy's version is held against.
ISTIO_VERSION = "1.30.3"
PARTS = {
    "NETWORK_FILTER": Part.NETWORK_FILTER,
    "HTTP_FILTER": Part.HTTP_FILTER,
    "ROUTE_CONFIGURATION": Part.ROUTE_TABLE,
    "VIRTUAL_HOST": Part.VIRTUAL_HOST,
    "HTTP_ROUTE": Part.ROUTE,
    "CLUSTER": Part.CLUSTER,
}
DIRECTIONS = {
    "SIDECAR_INBOUND": Direction.INBOUND,
    "SIDECAR_OUTBOUND": Direction.OUTBOUND,
    "GATEWAY": Direction.GATEWAY,
}


class EnvoyFilters:
    """All of them, by where they apply."""

    def __init__(self, documents: Documents, root_namespace: str) -> None:
        self._root = root_namespace
        self._found: Selected[tuple[tuple[int, bool], tuple[Patch, ...]]] = Selected()
        self.all: tuple[Patch, ...] = ()
        for each in sorted(documents.of(EnvoyFilter), key=age):
            selector = each.spec.workload_selector
            patches = tuple(_patches(each))
            rank = (each.spec.priority or 0, each.namespace != root_namespace)
            self._found.add(each.namespace, selector.labels if selector else {}, (rank, patches))
            self.all += patches

    def of(self, namespace: str, labels: Labels) -> tuple[Patch, ...]:
        """The patches of a pod in the order in which they are applied."""
        found = self._found.of(self._root, labels)
        if namespace != self._root:
            found = found + self._found.of(namespace, labels)
        return tuple(patch for _, patches in sorted(found, key=lambda one: one[0]) for patch in patches)


def _patches(written: EnvoyFilter) -> Iterator[Patch]:
    for each in written.spec.config_patches:
        if each.apply_to in PARTS and each.patch is not None and each.patch.operation and _is_for_us(each):
            match = each.match or ObjectMatch()
            yield Patch(
                part=PARTS[each.apply_to],
                change=Change[each.patch.operation],
                direction=DIRECTIONS.get(match.context or "", Direction.ANY),
                listeners=_in_listeners(match.listener),
                routes=_in_routes(match.route_configuration),
                clusters=_in_clusters(match.cluster),
                value="" if each.patch.value is None else json.dumps(each.patch.value, default=dict),
                where=each.patch.at("value") if each.patch.value is not None else each.where,
            )


def _is_for_us(each: ConfigPatch) -> bool:
    """Whether the patch is for proxies of this version, and for a kind of proxy that is here."""
    if each.match is None:
        return True
    proxy = each.match.proxy
    pattern = proxy.proxy_version if proxy else None
    return each.match.context != "WAYPOINT" and (not pattern or re.search(pattern, ISTIO_VERSION) is not None)


def _in_listeners(written: ListenerMatch | None) -> InListeners:
    if written is None:
        return InListeners()
    base = InListeners(listener=written.name or "", port=written.port_number or 0)
    chain = written.filter_chain
    if chain is None:
        return base
    sub_filter = chain.filter.sub_filter if chain.filter else None
    return InListeners(
        listener=base.listener,
        port=base.port,
        chain=chain.name or "",
        sni=chain.sni or "",
        transport=chain.transport_protocol or "",
        alpn=tuple(chain.application_protocols.split(",")) if chain.application_protocols else (),
        destination_port=chain.destination_port or 0,
        filter=(chain.filter.name or "") if chain.filter else None,
        sub_filter=(sub_filter.name or "") if sub_filter else None,
    )


def _in_routes(written: RouteConfigurationMatch | None) -> InRoutes:
    if written is None:
        return InRoutes()
    host = written.vhost
    route = host.route if host else None
    action = (route.action if route else None) or "ANY"
    return InRoutes(
        table=written.name or "",
        port=written.port_number or 0,
        port_name=written.port_name or "",
        gateway=written.gateway or "",
        host=(host.name if host else None) or "",
        domain=(host.domain_name if host else None) or "",
        route=(route.name or "") if route else None,
        action="" if action == "ANY" else action,
    )


def _in_clusters(written: ClusterMatch | None) -> InClusters:
    if written is None:
        return InClusters()
    return InClusters(written.name or "", written.service or "", written.subset or "", written.port_number or 0)
