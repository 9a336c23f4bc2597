"""The VirtualServices of a mesh, all names full and delegates in their place: who sees them, in what order."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from localmesh import codes
from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import VirtualService
from localmesh.manifests.istio.common import Destination
from localmesh.manifests.istio.virtual_service import (
    HTTPMatchRequest,
    HTTPMirrorPolicy,
    HTTPRoute,
    HTTPRouteDestination,
    L4MatchAttributes,
    RouteDestination,
    TCPRoute,
    TLSMatchAttributes,
    TLSRoute,
)
from localmesh.resolve.delegates import below
from localmesh.resolve.findings import Findings, nearest
from localmesh.resolve.hosts import HostIndex, is_wildcard, qualified
from localmesh.resolve.selection import age, is_exported, oldest_first
from localmesh.resolve.settings import Settings
from localmesh.resolve.steps import Steps

D = TypeVar("D", HTTPRouteDestination, HTTPMirrorPolicy, RouteDestination)
M = TypeVar("M", HTTPMatchRequest, TLSMatchAttributes, L4MatchAttributes)
MESH = "mesh"  # the gateway's name that stands for all sidecars


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A VirtualService with full names, bound to gateways: `mesh`, or `namespace/name`.

    Equal only to itself: its routes know their places.
    """

    name: str
    namespace: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    http: tuple[HTTPRoute, ...] = ()
    tls: tuple[TLSRoute, ...] = ()
    tcp: tuple[TCPRoute, ...] = ()
    export_to: tuple[str, ...] = ()
    age: tuple[str, str, str] = ("", "", "")  # the oldest come first
    # Made of the Gateway API: a prefix is of whole segments, and it acts for its own or the service's namespace.
    gateway_api: bool = False
    written: VirtualService | None = field(default=None, repr=False)

    @property
    def config(self) -> str:
        """`name.namespace`, as Istio puts it into a route's metadata."""
        return f"{self.name}.{self.namespace}"

    def destinations(self) -> Iterator[Destination]:
        """Everything that its routes lead to."""
        for http in self.http:
            yield from (each.destination for each in http.route)
            yield from (each.destination for each in http.mirrors)
            if http.mirror is not None:
                yield http.mirror
        for some in (*(each.route for each in self.tcp), *(each.route for each in self.tls)):
            yield from (each.destination for each in some)

    @property
    def where(self) -> Where | None:
        """Where it stands."""
        return self.written.where if self.written else None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one client namespace sees at one gateway, in the order of precedence, indexed by host."""

    bound: tuple[Bound, ...] = ()
    exact: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    wildcard: tuple[int, ...] = ()
    # Who speaks for a host, the most specific name counting; filled only where there are wildcards.
    owners: HostIndex[Bound] = field(default_factory=HostIndex, repr=False)

    def touching(self, hosts: Iterable[str]) -> tuple[Bound, ...]:
        """Those that name one of these hosts, and all with wildcards, in order."""
        found = set(self.wildcard)
        for host in hosts:
            found.update(self.exact.get(host, ()))
        return tuple(self.bound[index] for index in sorted(found))


class VirtualServices:
    """All VirtualServices that have hosts."""

    def __init__(self, documents: Documents, settings: Settings, attached: Iterable[Bound], steps: Steps) -> None:
        """`attached`: those that come of the Gateway API."""
        full = [steps.each(_bound, each, settings) for each in oldest_first(documents.of(VirtualService))]
        self.delegates = {(each.namespace, each.name): each for each in full if not each.hosts}
        own = [each for each in full if each.hosts]
        self.used_delegates = {key for each in own for key in _delegates_of(each)} & self.delegates.keys()
        whole = (_whole(each, self.delegates, steps) for each in own)
        self.bound = tuple(sorted((*whole, *attached), key=lambda each: each.age))
        self._by_gateway: dict[str, list[Bound]] = defaultdict(list)
        for bound in self.bound:
            for gateway in dict.fromkeys(bound.gateways):
                self._by_gateway[gateway].append(bound)
        self._seen: dict[tuple[str, str], Seen] = {}

    def seen(self, namespace: str, gateway: str) -> Seen:
        """What a client of `namespace` gets at a gateway: private ones, then those exported to it, then public."""
        key = (namespace, gateway)
        if key not in self._seen:
            visible = [
                each
                for each in self._by_gateway.get(gateway, ())
                if is_exported(each.export_to, each.namespace, namespace)
            ]
            self._seen[key] = indexed(sorted(visible, key=lambda each: (_exposure(each, namespace), each.age)))
        return self._seen[key]


def _delegates_of(bound: Bound) -> Iterator[tuple[str, str]]:
    """Namespace and name of each that it delegates to."""
    for route in bound.http:
        if route.delegate is not None:
            yield route.delegate.namespace or bound.namespace, route.delegate.name or ""


def _whole(bound: Bound, delegates: Mapping[tuple[str, str], Bound], steps: Steps) -> Bound:
    """With the routes of those that it delegates to."""
    keys = tuple(_delegates_of(bound))
    if not keys:
        return bound
    known = {key: delegates[key] for key in keys if key in delegates}
    # The names of all are for hints only.
    names = tuple(delegates) if len(known) < len(set(keys)) else ()
    return steps.judged(("whole", bound.namespace, bound.name), _with_delegates, bound, known, names)


def _with_delegates(
    bound: Bound, delegates: Mapping[tuple[str, str], Bound], names: tuple[tuple[str, str], ...], findings: Findings
) -> Bound:
    return replace(bound, http=tuple(_delegated(bound, delegates, names, findings)))


def _delegated(
    bound: Bound, delegates: Mapping[tuple[str, str], Bound], names: tuple[tuple[str, str], ...], findings: Findings
) -> Iterator[HTTPRoute]:
    for route in bound.http:
        if route.delegate is None:
            yield route
            continue
        namespace = route.delegate.namespace or bound.namespace
        name = route.delegate.name or ""
        delegate = delegates.get((namespace, name))
        if delegate is None:
            known = [each for space, each in names if space == namespace]
            what = f"there is no VirtualService {namespace}/{name} without hosts to delegate to"
            findings.problem(route.delegate.at("name"), what, nearest(name, known))
            continue
        if not is_exported(delegate.export_to, namespace, bound.namespace):
            what = f"VirtualService {namespace}/{name} is not exported to {bound.namespace}"
            findings.problem(route.delegate.where, what, "Istio leaves the route out without a word")
            continue
        for each in below(route, delegate.http):
            if isinstance(each, HTTPRoute):
                yield each
            else:
                what = f"this match can never hold below {bound.config}'s delegate"
                findings.warn(
                    codes.IMPOSSIBLE_DELEGATE,
                    each,
                    what,
                    f"the route is left out; the root matches at {route.where}",
                )


def indexed(bound: Iterable[Bound]) -> Seen:
    """VirtualServices in their order of precedence, found by host."""
    ordered = tuple(bound)
    exact: dict[str, tuple[int, ...]] = {}
    wildcard = []
    for index, each in enumerate(ordered):
        for host in dict.fromkeys(each.hosts):
            if not is_wildcard(host):
                exact[host] = (*exact.get(host, ()), index)
        if any(map(is_wildcard, each.hosts)):
            wildcard.append(index)
    owners: HostIndex[Bound] = HostIndex()
    for each in ordered if wildcard else ():
        for host in each.hosts:
            owners.put_first(host, each)
    return Seen(ordered, exact, tuple(wildcard), owners)


def gateway_name(name: str, namespace: str) -> str:
    """`mesh`, or `namespace/name` for a gateway named from `namespace`."""
    if name == MESH or (name.count("/") == 1 and not name.startswith("./")):
        return name
    if name.startswith("./"):
        return f"{namespace}/{name[2:]}"
    first, dot, rest = name.partition(".")  # the older form `name.namespace.svc.cluster.local`
    return f"{rest.partition('.')[0]}/{first}" if dot else f"{namespace}/{name}"


def _exposure(bound: Bound, namespace: str) -> int:
    if "*" in bound.export_to:
        return 2 if bound.gateway_api and bound.namespace == namespace else 3
    return 0 if bound.namespace == namespace and set(bound.export_to) <= {".", namespace} else 1


def _bound(written: VirtualService, settings: Settings, _findings: Findings) -> Bound:
    spec, namespace = written.spec, written.namespace
    return Bound(
        name=written.name,
        namespace=namespace,
        hosts=tuple(qualified(each, namespace) for each in spec.hosts),
        gateways=tuple(gateway_name(each, namespace) for each in spec.gateways) or (MESH,),
        http=tuple(_full_http(each, namespace) for each in spec.http),
        tls=tuple(
            replace(each, route=_full(each.route, namespace), match=_full_gateways(each.match, namespace))
            for each in spec.tls
        ),
        tcp=tuple(
            replace(each, route=_full(each.route, namespace), match=_full_gateways(each.match, namespace))
            for each in spec.tcp
        ),
        export_to=spec.export_to or settings.virtual_service_export_to,
        age=age(written),
        written=written,
    )


def _full_http(route: HTTPRoute, namespace: str) -> HTTPRoute:
    return replace(
        route,
        route=_full(route.route, namespace),
        match=_full_gateways(route.match, namespace),
        mirror=None if route.mirror is None else _full_destination(route.mirror, namespace),
        mirrors=_full(route.mirrors, namespace),
    )


def _full(routes: tuple[D, ...], namespace: str) -> tuple[D, ...]:
    return tuple(replace(each, destination=_full_destination(each.destination, namespace)) for each in routes)


def _full_destination(destination: Destination, namespace: str) -> Destination:
    return replace(destination, host=qualified(destination.host, namespace))


def _full_gateways(matches: tuple[M, ...], namespace: str) -> tuple[M, ...]:
    return tuple(
        replace(each, gateways=tuple(gateway_name(name, namespace) for name in each.gateways))
        if each.gateways
        else each
        for each in matches
    )
