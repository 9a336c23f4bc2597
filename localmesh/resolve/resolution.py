"""The one function of this stage: its steps, each a line with what it is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from localmesh.errors import Problem
from localmesh.manifests import gateway_api
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import (
    AuthorizationPolicy,
    DestinationRule,
    Gateway,
    PeerAuthentication,
    RequestAuthentication,
    ServiceEntry,
    Sidecar,
    Telemetry,
    VirtualService,
    WorkloadEntry,
)
from localmesh.manifests.kubernetes import (
    ConfigMap,
    Deployment,
    EndpointSlice,
    Namespace,
    Node,
    Secret,
    ServiceAccount,
    StatefulSet,
)
from localmesh.manifests.kubernetes import Pod as WrittenPod
from localmesh.manifests.kubernetes import Service as WrittenService
from localmesh.memo import Memo
from localmesh.mesh import Credential, Mesh, Placement, Service, Workload
from localmesh.resolve.attached import PodPolicies, attached_pods
from localmesh.resolve.authorizers import authorizers
from localmesh.resolve.destination_rules import DestinationRules
from localmesh.resolve.findings import Findings
from localmesh.resolve.gateway_api import Attachments, attachments, beside, deployed
from localmesh.resolve.gateway_tls import client_credentials, credentials
from localmesh.resolve.gateways import Gateways
from localmesh.resolve.inbound import Served, served
from localmesh.resolve.outbound import World
from localmesh.resolve.peer_authentication import PeerAuthentications
from localmesh.resolve.pods import Seat, cluster_pods, is_cluster, refuse_bare_pods, workload_pods
from localmesh.resolve.references import check_references, check_selectors, client_labels
from localmesh.resolve.refusals import refuse_in_documents, refuse_in_mesh_config
from localmesh.resolve.service_entries import entry_services, joined
from localmesh.resolve.services import Registered, SeatIndex, kubernetes_services
from localmesh.resolve.settings import Settings, settings
from localmesh.resolve.sidecars import Sidecars, check_egress
from localmesh.resolve.steps import Steps
from localmesh.resolve.upstreams import Shaping
from localmesh.resolve.virtual_services import VirtualServices
from localmesh.resolve.visibility import Visibility
from localmesh.resolve.workloads import workloads

_WORKLOADS = (Deployment, StatefulSet, ConfigMap, Secret, Namespace, ServiceAccount)
_ROUTES = (gateway_api.Gateway, gateway_api.GatewayClass, gateway_api.HTTPRoute, gateway_api.GRPCRoute)
_BESIDE_ROUTES = (gateway_api.ReferenceGrant, WrittenService, ServiceEntry, ConfigMap, Secret, Namespace)


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
    standing_in: tuple[Service, ...] = (),
    memo: Memo | None = None,
) -> Resolution:
    """The mesh of these documents. `placements` by `namespace/pod`, `replicas` by `namespace/workload`.

    `standing_in`: services that other documents have in a cluster; one that these have too is theirs. With the memo of
    an earlier resolving, what is made from the same is the same object.
    """
    steps = Steps(memo or Memo(), Findings())
    created = steps.made("created", deployed, documents.only(gateway_api.Gateway, gateway_api.GatewayClass))
    documents = documents if is_cluster(documents) else beside(documents, created)
    mesh_wide = steps.made("settings", settings, documents.only())
    found, seats = _pods(documents, placements or {}, replicas or {}, mesh_wide, steps)
    index = steps.made("index", SeatIndex, seats)
    shaping = Shaping(
        steps.made("rules", DestinationRules, documents.only(DestinationRule), mesh_wide),
        steps.made("modes", PeerAuthentications, documents.only(PeerAuthentication), mesh_wide.root_namespace),
        mesh_wide,
    )
    visibility = _visibility(documents, index, shaping, standing_in, steps)
    attached = steps.judged(
        "attachments", _attachments, documents.only(*_ROUTES, *_BESIDE_ROUTES), visibility, mesh_wide
    )
    world = _world(documents, visibility, shaping, attached, steps)
    gateways = steps.made("gateways", Gateways, documents.only(Gateway), attached)
    serves = steps.made("serves", served, visibility.registered, index)
    policies = PodPolicies.of(documents, world, serves, gateways, steps)
    pods = attached_pods(seats, policies, world, steps)
    _check(documents, world, gateways, (found, index), steps)
    mesh = Mesh(
        pods=pods,
        services=steps.made("mesh services", _services, visibility),
        workloads=found,
        trust_domain=mesh_wide.trust_domain,
        trust_domain_aliases=mesh_wide.trust_domain_aliases,
        root_namespace=mesh_wide.root_namespace,
        paths=mesh_wide.paths,
        edge=mesh_wide.edge,
        authorizers=steps.judged(
            "authorizers", authorizers, documents.only(AuthorizationPolicy), mesh_wide, visibility.by_host
        ),
        patches=policies.patches.all,
        credentials=steps.judged(
            "credentials", _credentials, documents.only(Secret, ConfigMap, DestinationRule), gateways, seats, serves
        ),
    )
    return Resolution(mesh, steps.findings.problems, steps.findings.warnings)


def _pods(
    documents: Documents,
    placements: Mapping[str, Placement],
    replicas: Mapping[str, int],
    mesh_wide: Settings,
    steps: Steps,
) -> tuple[tuple[Workload, ...], tuple[Seat, ...]]:
    """A cluster's own pods, and then nothing is run here; else the workloads and the pods that they make."""
    if is_cluster(documents):
        return (), steps.made("cluster's pods", cluster_pods, documents.only(WrittenPod, Node), mesh_wide)
    steps.judged("bare pods", refuse_bare_pods, documents.only(WrittenPod))
    found = steps.judged("workloads", workloads, documents.only(*_WORKLOADS), replicas)
    return found, steps.made("pods", workload_pods, found, placements, mesh_wide)


def _visibility(
    documents: Documents, index: SeatIndex, shaping: Shaping, standing_in: tuple[Service, ...], steps: Steps
) -> Visibility:
    from_cluster = is_cluster(documents)
    kubernetes = steps.judged(
        ("services", from_cluster),
        partial(kubernetes_services, from_cluster=from_cluster),
        documents.only(WrittenService, EndpointSlice),
        index,
        shaping.authentications,
        shaping.settings.service_export_to,
    )
    entries = steps.judged(
        "entries",
        entry_services,
        documents.only(ServiceEntry, WorkloadEntry),
        index,
        shaping.authentications,
        shaping.settings,
    )
    return steps.made("visibility", _all_services, kubernetes, entries, standing_in)


def _all_services(
    kubernetes: tuple[Registered, ...], entries: tuple[Registered, ...], standing_in: tuple[Service, ...]
) -> Visibility:
    known = {each.service.host for each in (*kubernetes, *entries)}
    others = (Registered(each, ("*",)) for each in standing_in if each.host not in known)
    return Visibility(joined(kubernetes, (*entries, *others)))


def _services(visibility: Visibility) -> tuple[Service, ...]:
    return tuple(each.service for each in visibility.registered)


def _attachments(documents: Documents, visibility: Visibility, mesh_wide: Settings, findings: Findings) -> Attachments:
    return attachments(documents, visibility.by_host, mesh_wide.virtual_service_export_to, findings)


def _world(
    documents: Documents, visibility: Visibility, shaping: Shaping, attached: Attachments, steps: Steps
) -> World:
    kept = steps.within("routes")

    def routes(written: Documents, settings: Settings, attached: Attachments, findings: Findings) -> VirtualServices:
        return VirtualServices(written, settings, attached.routes, Steps(kept, findings))

    virtual_services = steps.judged("routes", routes, documents.only(VirtualService), shaping.settings, attached)
    sidecars = steps.judged("sidecars", Sidecars, documents.only(Sidecar), shaping.settings.root_namespace)
    labels = steps.made("routes' labels", client_labels, virtual_services)
    labels = labels | shaping.rules.selector_labels | sidecars.selector_labels
    return World(shaping.settings, visibility, shaping, virtual_services, sidecars, frozenset(labels))


def _credentials(
    documents: Documents,
    gateways: Gateways,
    seats: tuple[Seat, ...],
    serves: Mapping[str, tuple[Served, ...]],
    findings: Findings,
) -> dict[str, Credential]:
    by_namespace = gateways.by_namespace(seats, serves)
    return credentials(documents, by_namespace, findings) | client_credentials(documents, by_namespace, findings)


def _check(
    documents: Documents,
    world: World,
    gateways: Gateways,
    pods: tuple[tuple[Workload, ...], SeatIndex],
    steps: Steps,
) -> None:
    """What changes nothing, and is wrong or surprising all the same."""
    steps.judged("egress", check_egress, documents.only(Sidecar), world.visibility)
    for kind in documents.kinds:
        steps.judged(("refused", kind), refuse_in_documents, documents.only(kind))
    steps.judged("refused", refuse_in_mesh_config, documents.only())
    steps.judged("references", check_references, documents.only(DestinationRule), world, gateways, pods)
    _, index = pods
    selecting = documents.only(AuthorizationPolicy, PeerAuthentication, RequestAuthentication, Telemetry)
    steps.judged("selectors", check_selectors, selecting, world.settings.root_namespace, index)
