"""References to backends -> destinations. One that may not or cannot be reached has no host, and answers 500."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localmesh import codes
from localmesh.manifests.gateway_api.common import BackendObjectReference, RequestMirrorFilter, RouteFilter
from localmesh.manifests.gateway_api.grpc_route import GRPCBackendRef
from localmesh.manifests.gateway_api.http_route import HTTPBackendRef
from localmesh.manifests.istio.common import Destination, Percent, PortSelector
from localmesh.manifests.istio.virtual_service import HTTPMirrorPolicy, HTTPRouteDestination
from localmesh.resolve.findings import Findings, nearest_host
from localmesh.resolve.gateway_api.filters import headers
from localmesh.resolve.gateway_api.grants import Grants, Reference
from localmesh.resolve.hosts import service_host


@dataclass(frozen=True, slots=True)
class Backends:
    """Makes destinations for the routes of one document."""

    kind: str  # of the route
    namespace: str
    hosts: frozenset[str]  # of all services
    grants: Grants
    findings: Findings
    # At a gateway a backend of another namespace needs a ReferenceGrant; in the mesh it does not.
    in_mesh: bool

    def destinations(self, backends: Iterable[HTTPBackendRef | GRPCBackendRef]) -> tuple[HTTPRouteDestination, ...]:
        """Those with a weight; one that is left alone has none, as istiod writes it."""
        weighty = [each for each in backends if each.weight]
        return tuple(
            HTTPRouteDestination(
                destination=self._destination(each) or Destination(host="", where=each.where),
                weight=each.weight if len(weighty) > 1 else 0,
                headers=headers(each.filters),
                where=each.where,
            )
            for each in weighty
        )

    def mirrors(self, filters: Iterable[RouteFilter]) -> Iterator[HTTPMirrorPolicy]:
        """The mirrors among the filters; one to a backend that is not there is left out."""
        for each in filters:
            mirror = each.request_mirror
            found = self._destination(mirror.backend_ref) if mirror is not None else None
            if mirror is None or found is None:
                continue
            if found.host in self.hosts:
                yield HTTPMirrorPolicy(destination=found, percentage=_share(mirror), where=mirror.where)
            else:
                what, hint = f"there is no service {found.host}", nearest_host(found.host, self.hosts)
                self.findings.problem(mirror.backend_ref.at("name"), what, hint, codes.NO_SUCH_HOST)

    def _destination(self, to: BackendObjectReference) -> Destination | None:
        port = PortSelector(number=to.port, where=to.where) if to.port else None
        host = self._host(to)
        return None if host is None else Destination(host=host, port=port, where=to.where)

    def _host(self, to: BackendObjectReference) -> str | None:
        namespace = to.namespace or self.namespace
        if (to.group, to.kind) == ("networking.istio.io", "Hostname"):
            return to.name
        if (to.group, to.kind) != ("", "Service"):
            self.findings.unsupported(to.at("kind"), f"a backend of kind {to.kind}", api="the Gateway API")
            return None
        reference = Reference(self.kind, self.namespace, "Service", namespace, to.name)
        if not self.in_mesh and not self.grants.allow(reference):
            what = f"Service {namespace}/{to.name} may not be used from namespace {self.namespace}: calls get 500"
            self.findings.problem(to.where, what, reference.hint)
            return None
        return service_host(to.name, namespace)


def _share(mirror: RequestMirrorFilter) -> Percent | None:
    """A share in percent; None: all of it."""
    if mirror.fraction is not None:
        return Percent(value=100 * mirror.fraction.numerator / mirror.fraction.denominator, where=mirror.where)
    return None if mirror.percent is None else Percent(value=float(mirror.percent), where=mirror.where)
