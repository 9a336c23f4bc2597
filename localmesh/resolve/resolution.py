"""The one function of this stage: its steps, each a line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from localmesh.errors import Problem
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import Gateway, Sidecar
from localmesh.mesh import Mesh, Placement, Pod, Service, Workload
from localmesh.mesh.pods import Proxy
from localmesh.resolve.authorization import Access, Tokens
from localmesh.resolve.authorizers import authorizers
from localmesh.resolve.destination_rules import DestinationRules
from localmesh.resolve.envoy_filters import EnvoyFilters
from localmesh.resolve.findings import Findings
from localmesh.resolve.gateway_api import attachments, deployed
from localmesh.resolve.gateway_tls import client_credentials, credentials
from localmesh.resolve.gateways import Gateways, gateway_side
from localmesh.resolve.inbound import Served, inbound, served
from localmesh.resolve.outbound import Outbounds, World
from localmesh.resolve.peer_authentication import PeerAuthentications
from localmesh.resolve.pods import Seat, cluster_pods, is_cluster, refuse_bare_pods, workload_pods
from localmesh.resolve.proxy_configs import ProxyConfigs
from localmesh.resolve.references import check_references, client_labels
from localmesh.resolve.refusals import refuse_in_documents
from localmesh.resolve.service_entries import entry_services, joined
from localmesh.resolve.services import Registered, SeatIndex, kubernetes_services
from localmesh.resolve.settings import Settings, settings
from localmesh.resolve.sidecars import Sidecars, check_protocols, check_spans
from localmesh.resolve.telemetry import Telemetries
from localmesh.resolve.upstreams import Shaping
from localmesh.resolve.virtual_services import VirtualServices
from localmesh.resolve.workloads import workloads


@dataclass(frozen=True, slots=True)
class Resolution:
    """The mesh, and what is to be said about it, each in the order of the files."""

    mesh: Mesh
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def resolve(
    documents: Documents,
    placements: Mapping[str, Placement] | None = None,
    replicas: Mapping[str, int] | None = None,
    beside: Iterable[Service] = (),
) -> Resolution:
    """The mesh of these documents. `placements` by `namespace/pod`, `replicas` by `namespace/workload`.

    `beside`: services that other documents have in a cluster; one that these have too is theirs.
    """
    findings = Findings()
    documents = documents if is_cluster(documents) else deployed(documents)
    mesh_wide = settings(documents.mesh_config)
    found, seats = _pods(documents, placements or {}, replicas or {}, mesh_wide, findings)
    authentications = PeerAuthentications(documents, mesh_wide.root_namespace)
    index = SeatIndex(seats)
    kubernetes = kubernetes_services(
        documents,
        index,
        authentications,
        mesh_wide.service_export_to,
        findings,
        from_cluster=is_cluster(documents),
    )
    entries = entry_services(documents, index, authentications, mesh_wide, findings)
    known = {each.service.host for each in (*kubernetes, *entries)}
    standing_in = (Registered(each, ("*",)) for each in beside if each.host not in known)
    registered = joined(kubernetes, (*entries, *standing_in))
    rules = DestinationRules(documents, mesh_wide)
    hosts = (each.service.host for each in registered)
    attached = attachments(documents, hosts, mesh_wide.virtual_service_export_to, findings)
    virtual_services = VirtualServices(documents, mesh_wide, findings, attached.routes)
    sidecars = Sidecars(documents, mesh_wide.root_namespace, findings)
    labels = client_labels(virtual_services) | rules.selector_labels | sidecars.selector_labels
    shaping = Shaping(rules, authentications, mesh_wide)
    world = World(mesh_wide, registered, shaping, virtual_services, sidecars, frozenset(labels))
    for sidecar in documents.of(Sidecar):
        check_protocols(sidecar, world.visible(sidecar.namespace), findings)
    gateways = Gateways(documents, attached.gateways)
    policies = _Policies(documents, world, gateways, served(registered, index), findings)
    pods = tuple(policies.attached(seat) for seat in seats)
    refuse_in_documents(documents, findings)
    check_references(documents, world, policies.gateways, (found, seats), findings)
    served_by = policies.served_gateways(seats)
    mesh = Mesh(
        pods=pods,
        services=tuple(each.service for each in registered),
        workloads=found,
        trust_domain=mesh_wide.trust_domain,
        trust_domain_aliases=mesh_wide.trust_domain_aliases,
        root_namespace=mesh_wide.root_namespace,
        paths=mesh_wide.paths,
        edge=mesh_wide.edge,
        authorizers=authorizers(documents, mesh_wide, {one.service.host: one.service for one in registered}, findings),
        patches=policies.patches.all,
        credentials=credentials(documents, served_by, findings) | client_credentials(documents, served_by, findings),
    )
    return Resolution(mesh, findings.problems, findings.warnings)


def _pods(
    documents: Documents,
    placements: Mapping[str, Placement],
    replicas: Mapping[str, int],
    mesh_wide: Settings,
    findings: Findings,
) -> tuple[tuple[Workload, ...], tuple[Seat, ...]]:
    """A cluster's own pods, and then nothing is run here; else the workloads and the pods that they make."""
    if is_cluster(documents):
        return (), cluster_pods(documents, mesh_wide)
    refuse_bare_pods(documents, findings)
    found = workloads(documents, replicas, findings)
    return found, workload_pods(found, placements, mesh_wide)


class _Policies:
    """All that is attached to pods one by one."""

    def __init__(
        self,
        documents: Documents,
        world: World,
        gateways: Gateways,
        serves: Mapping[str, list[Served]],
        findings: Findings,
    ) -> None:
        root = world.settings.root_namespace
        self.gateways = gateways
        self._world = world
        self._serves = serves
        self._findings = findings
        self.patches = EnvoyFilters(documents, root)
        self._proxies = ProxyConfigs(documents, world.settings)
        self._access = Access(documents, root, findings)
        self._tokens = Tokens(documents, root)
        self._telemetries = Telemetries(documents, world, findings)
        self._outbounds = Outbounds(world)

    def attached(self, seat: Seat) -> Pod:
        """The pod with everything that Istio would attach to it."""
        pod = seat.pod
        if pod.proxy is Proxy.NONE:
            return pod
        server, client = self._telemetries.of(pod)
        pod = replace(
            pod,
            access=self._access.of(pod.namespace, pod.labels),
            jwt=self._tokens.of(pod.namespace, pod.labels),
            server_telemetry=server,
            client_telemetry=client,
            patches=self.patches.of(pod.namespace, pod.labels),
            env=self._proxies.environment(pod),
        )
        serves = self._serves.get(pod.key, [])
        if pod.proxy is Proxy.GATEWAY:
            gateways = self.gateways.of(pod, serves)
            side = gateway_side(seat, gateways, serves, self._world, self._findings)
            return replace(pod, servers=side.servers, outbound=side.outbound)
        shaping = self._world.shaping
        modes = shaping.authentications.modes(pod.namespace, pod.labels)
        sidecar = self._world.sidecars.of(pod.namespace, pod.labels)
        pod = replace(
            pod,
            inbound=inbound(seat, serves, modes, shaping, sidecar),
            default_mtls=modes.default,
            outbound=self._outbounds.of(pod),
        )
        if sidecar is not None:
            check_spans(sidecar, pod, self._findings)
        return pod

    def served_gateways(self, seats: tuple[Seat, ...]) -> dict[str, tuple[Gateway, ...]]:
        """The Gateways that the pods of each namespace serve."""
        found: dict[str, dict[int, Gateway]] = {}
        for seat in seats:
            if seat.pod.proxy is Proxy.GATEWAY:
                gateways = (each.gateway for each in self.gateways.of(seat.pod, self._serves.get(seat.pod.key, ())))
                found.setdefault(seat.pod.namespace, {}).update({id(each): each for each in gateways})
        return {namespace: tuple(some.values()) for namespace, some in found.items()}
