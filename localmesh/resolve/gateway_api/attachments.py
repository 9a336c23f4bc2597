"""All documents of the Gateway API together, in the words in which everything else is resolved."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localmesh import codes
from localmesh.manifests.documents import Documents
from localmesh.manifests.gateway_api import Gateway, GRPCRoute, HTTPRoute
from localmesh.manifests.istio.virtual_service import HTTPRoute as IstioRoute
from localmesh.resolve.findings import Findings
from localmesh.resolve.gateway_api.backends import Backends
from localmesh.resolve.gateway_api.grants import Grants
from localmesh.resolve.gateway_api.listeners import openings
from localmesh.resolve.gateway_api.parents import Attachment, Parents
from localmesh.resolve.gateway_api.precedence import sorted_routes
from localmesh.resolve.gateway_api.rules import routes
from localmesh.resolve.gateway_servers import Chosen
from localmesh.resolve.virtual_services import Bound

Route = HTTPRoute | GRPCRoute


@dataclass(frozen=True, slots=True, eq=False)
class Attachments:
    """What istiod makes of the Gateway API: Gateways that Services' pods open, and VirtualServices of one host each."""

    gateways: tuple[Chosen, ...] = ()
    routes: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """What one document has to say on one host at one parent."""

    written: Route
    attachment: Attachment
    routes: tuple[IstioRoute, ...]

    @property
    def age(self) -> tuple[str, str, str]:
        """The oldest first, as the API orders routes."""
        return (self.written.metadata.creation_timestamp or "", self.written.namespace, self.written.name)


def attachments(
    documents: Documents, hosts: Iterable[str], export_to: tuple[str, ...], findings: Findings
) -> Attachments:
    """`hosts`: of all services. `export_to`: who sees routes (meshConfig.defaultVirtualServiceExportTo)."""
    grants = Grants(documents)
    if not any(isinstance(each, Gateway | HTTPRoute | GRPCRoute) for each in documents.resources):
        return Attachments()
    known = frozenset(hosts)
    opened = openings(documents, known, grants, findings)
    parents = Parents(documents, opened, findings)
    found: dict[tuple[str, str], Bound] = {}
    # istiod joins HTTPRoutes before GRPCRoutes: of two for one host and parent the first has it alone.
    for written in (documents.of(HTTPRoute), documents.of(GRPCRoute)):
        for bound, first in _merged(_parts(written, parents, grants, known, findings), export_to):
            key = (bound.namespace, bound.name)
            if found.setdefault(key, bound) is not bound:
                what = f"an HTTPRoute has {bound.hosts[0]} at this parent already: this GRPCRoute is not used there"
                findings.warn(codes.SECOND_VIRTUAL_SERVICE, first.where, what)
    return Attachments(
        gateways=tuple(Chosen(each.istio, each.services) for each in opened if each.valid), routes=tuple(found.values())
    )


def _parts(
    written: Iterable[Route], parents: Parents, grants: Grants, hosts: frozenset[str], findings: Findings
) -> Iterator[tuple[tuple[str, str], _Part]]:
    """By the key and host that make one VirtualService of several documents."""
    for each in written:
        for attachment in parents.of(each):
            backends = Backends(type(each).__name__, each.namespace, hosts, grants, findings, attachment.in_mesh)
            made = routes(each, backends, attachment.port)
            for host in attachment.hosts if made else ():
                yield (attachment.key, host), _Part(each, attachment, made)


def _merged(
    parts: Iterable[tuple[tuple[str, str], _Part]], export_to: tuple[str, ...]
) -> Iterator[tuple[Bound, Route]]:
    """One VirtualService for each key and host, and the oldest of its documents, whose namespace it has."""
    by_key: dict[tuple[str, str], list[_Part]] = defaultdict(list)
    for place, part in parts:
        by_key[place].append(part)
    for (key, host), some in by_key.items():
        ordered = sorted(some, key=lambda part: part.age)
        first = ordered[0].written
        name = f"{key}/{host}".replace("/", "~")
        bound = Bound(
            name=name,
            namespace=first.namespace,
            hosts=(host,),
            gateways=(ordered[0].attachment.gateway,),
            http=sorted_routes(route for part in ordered for route in part.routes),
            export_to=export_to,
            age=(first.metadata.creation_timestamp or "", name, first.namespace),
            gateway_api=True,
        )
        yield bound, first
