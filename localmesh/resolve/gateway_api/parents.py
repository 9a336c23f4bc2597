"""Where routes are in force: at listeners of Gateways that take them, and in the mesh for services (GAMMA)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from localmesh import codes
from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.gateway_api import GRPCRoute, HTTPRoute
from localmesh.manifests.gateway_api.common import GROUP, ParentReference
from localmesh.manifests.istio import ServiceEntry
from localmesh.manifests.kubernetes import Service
from localmesh.resolve.findings import Findings, nearest
from localmesh.resolve.gateway_api.listeners import Opening
from localmesh.resolve.hosts import intersection, is_wildcard, matches, service_host
from localmesh.resolve.virtual_services import MESH


@dataclass(frozen=True, slots=True)
class Attachment:
    """One parent of a route."""

    gateway: str  # as VirtualServices name it: `namespace/name`, or `mesh`
    key: str  # routes with the same key and host are one VirtualService, which is called after both
    hosts: tuple[str, ...]
    port: int | None = None  # of a service in the mesh; None: all of its ports

    @property
    def in_mesh(self) -> bool:
        """Whether sidecars act on it."""
        return self.gateway == MESH


class Parents:
    """All that routes can attach to."""

    def __init__(self, documents: Documents, openings: Iterable[Opening], findings: Findings) -> None:
        self._findings = findings
        self._openings: dict[tuple[str, str], list[Opening]] = {}
        for each in openings:
            self._openings.setdefault((each.owner.namespace, each.owner.name), []).append(each)
        services = {
            ("", "Service", each.namespace, each.name): (service_host(each.name, each.namespace),)
            for each in documents.of(Service)
        }
        entries = {
            ("networking.istio.io", "ServiceEntry", each.namespace, each.name): each.spec.hosts
            for each in documents.of(ServiceEntry)
        }
        self._services: Mapping[tuple[str, str, str, str], tuple[str, ...]] = services | entries

    def of(self, route: HTTPRoute | GRPCRoute) -> Iterator[Attachment]:
        """Where a route is in force. A parent that is not there, or takes it nowhere, is a problem."""
        for ref in route.spec.parent_refs:
            namespace = ref.namespace or route.namespace
            if (ref.group, ref.kind) == (GROUP, "Gateway"):
                yield from self._at_gateway(route, ref, namespace)
            elif (ref.group, ref.kind) in {("", "Service"), ("networking.istio.io", "ServiceEntry")}:
                yield from self._in_mesh(route, ref, namespace)
            else:
                self._findings.unsupported(ref.at("kind"), f"a parent of kind {ref.kind}", api="the Gateway API")

    def _in_mesh(self, route: HTTPRoute | GRPCRoute, ref: ParentReference, namespace: str) -> Iterator[Attachment]:
        hosts = self._services.get((ref.group, ref.kind, namespace, ref.name))
        if hosts is None:
            known = (name for group, kind, space, name in self._services if (kind, space) == (ref.kind, namespace))
            what = f"there is no {ref.kind} {namespace}/{ref.name}: this route is in no proxy"
            self._findings.problem(ref.at("name"), what, nearest(ref.name, known))
            return
        key = f"{route.namespace}/{ref.port}" if ref.port else route.namespace
        yield Attachment(MESH, key, hosts, ref.port)

    def _at_gateway(self, route: HTTPRoute | GRPCRoute, ref: ParentReference, namespace: str) -> Iterator[Attachment]:
        known = self._openings.get((namespace, ref.name))
        if known is None:
            names = (name for space, name in self._openings if space == namespace)
            what = f"there is no Gateway {namespace}/{ref.name} of Istio's"
            self._findings.problem(ref.at("name"), what, nearest(ref.name, names), codes.NO_SUCH_GATEWAY)
            return
        reasons = {each.written.name: _denied(each, route, ref) for each in known}
        if all(reasons.values()):
            what = f"no listener of Gateway {namespace}/{ref.name} takes this route"
            self._findings.problem(_place(ref), what, "; ".join(f"{name}: {why}" for name, why in reasons.items()))
        for each in known:
            if not reasons[each.written.name]:
                hosts = route.spec.hostnames or ("*",)
                yield Attachment(each.name, each.name, tuple(one for one in hosts if _own(one, each, known)))


def _place(ref: ParentReference) -> Where:
    return ref.at("section_name") if ref.section_name else ref.at("name")


def _denied(opening: Opening, route: HTTPRoute | GRPCRoute, ref: ParentReference) -> str:
    """Why a listener does not take a route; "" if it does."""
    listener = opening.written
    if ref.port is not None and ref.port != listener.port:
        return f"its port is {listener.port}"
    if ref.section_name and ref.section_name != listener.name:
        return f"{ref.section_name} is meant"
    hostnames = route.spec.hostnames or ("*",)
    if not intersection((listener.hostname or "*",), hostnames):
        return f"its hostname is {listener.hostname}"
    spaces = {each.partition("/")[0] for each in opening.hosts}
    if not spaces & {"*", route.namespace}:
        return f"its allowedRoutes take no route of namespace {route.namespace}"
    kind = type(route).__name__
    return "" if kind in opening.kinds else f"it takes no {kind}"


def _own(host: str, opening: Opening, listeners: Iterable[Opening]) -> bool:
    """Whether this listener, and no narrower one beside it, is for a host (the API's "listener isolation")."""
    own = opening.written.hostname or ""
    if own and not is_wildcard(own):
        return True
    if own and not (matches(host, own) or matches(own, host)):
        return False
    place = (opening.written.port, opening.written.protocol)
    others = {each.written.hostname or "" for each in listeners if (each.written.port, each.written.protocol) == place}
    return not any(len(own) <= len(other) and matches(host, other) for other in others - {own})
