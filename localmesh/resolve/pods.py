"""The pods before any policy: from Pod documents where a cluster gave them, else from workloads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from localmesh.manifests.documents import Documents
from localmesh.manifests.kubernetes import Node
from localmesh.manifests.kubernetes import Pod as WrittenPod
from localmesh.mesh import Placement, Pod, Workload
from localmesh.mesh.identity import Identity, Locality
from localmesh.mesh.pods import Proxy
from localmesh.resolve.findings import Findings
from localmesh.resolve.settings import Settings

REGION = "topology.kubernetes.io/region"
ZONE = "topology.kubernetes.io/zone"
SUBZONE = "topology.istio.io/subzone"
HOST = "kubernetes.io/hostname"
# By which a pod says itself where it stands; a label's value has no slashes, so `region.zone.subzone` is meant too.
LOCALITY_LABELS = ("topology.istio.io/locality", "istio-locality")
ENDED = {"Succeeded", "Failed"}
ROUTER_LABELS = {"ingressgateway", "egressgateway"}
# What Istio puts on the pods that it deploys for a Gateway of the Kubernetes Gateway API.
GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
# What its injector puts on the pods that take mTLS.
TLS_MODE = "security.istio.io/tlsMode"


@dataclass(frozen=True, slots=True)
class Seat:
    """A pod without policy, and what only the resolving of services needs to know of it."""

    pod: Pod
    ports: Mapping[str, int] = field(default_factory=dict)  # container ports by name
    node: str = ""


def is_cluster(documents: Documents) -> bool:
    """Whether the documents are what a cluster gave: then its Pods and EndpointSlices are the pods and endpoints."""
    return any(each.status is not None and each.status.pod_ip for each in documents.of(WrittenPod))


def cluster_pods(documents: Documents, settings: Settings) -> tuple[Seat, ...]:
    """The Pods of a cluster's documents, in their order, without those that have ended."""
    nodes = {each.name: each.metadata.labels for each in documents.of(Node)}
    alive = (each for each in documents.of(WrittenPod) if each.status is None or each.status.phase not in ENDED)
    return tuple(_of_document(each, nodes, settings) for each in alive)


def workload_pods(
    workloads: Iterable[Workload], placements: Mapping[str, Placement], settings: Settings
) -> tuple[Seat, ...]:
    """The pods of all workloads; one without a placement gets an address of the cluster's kind: 10.244.0.n."""
    seats: list[Seat] = []
    for workload in workloads:
        ports = {name: number for each in workload.containers for name, number in each.ports if name}
        identity = Identity(settings.trust_domain, workload.namespace, workload.service_account)
        for name in workload.pod_names:
            placement = placements.get(f"{workload.namespace}/{name}", Placement(_synthetic(len(seats))))
            pod = Pod(
                name=name,
                namespace=workload.namespace,
                labels=workload.labels,
                identity=identity,
                address=placement.address,
                proxy=workload.proxy,
                workload=workload.name,
                ready=placement.ready,
            )
            seats.append(Seat(_placed(pod, "", {}), ports))
    return tuple(seats)


def refuse_bare_pods(documents: Documents, findings: Findings) -> None:
    """A Pod written by hand is nothing that localmesh could restart or scale."""
    for each in documents.of(WrittenPod):
        what = "a Pod by itself is valid in Kubernetes but is not run by localmesh"
        findings.problem(each.where, what, "write a Deployment or a StatefulSet")


def _of_document(written: WrittenPod, nodes: Mapping[str, Mapping[str, str]], settings: Settings) -> Seat:
    status = written.status
    node = written.spec.node_name or ""
    ready = status is not None and any(each.type == "Ready" and each.status == "True" for each in status.conditions)
    pod = Pod(
        name=written.name,
        namespace=written.namespace,
        labels=written.metadata.labels,
        identity=Identity(settings.trust_domain, written.namespace, written.spec.service_account_name or "default"),
        address=(status.pod_ip if status else None) or "",
        proxy=_proxy(written),
        workload=_owner(written),
        ready=ready,
    )
    return Seat(_placed(pod, node, nodes.get(node, {})), _named_ports(written), node)


def _proxy(written: WrittenPod) -> Proxy:
    """As istiod tells them apart in a cluster: by labels that its injector has put on the pod."""
    labels = written.metadata.labels
    templates = written.metadata.annotations.get("inject.istio.io/templates", "")
    is_router = labels.get("istio") in ROUTER_LABELS or GATEWAY_NAME in labels
    if is_router or "gateway" in (each.strip() for each in templates.split(",")):
        return Proxy.GATEWAY
    return Proxy.SIDECAR if labels.get(TLS_MODE) == "istio" else Proxy.NONE


def _owner(written: WrittenPod) -> str:
    owner = next((each for each in written.metadata.owner_references if each.controller), None)
    if owner is None:
        return written.name
    template_hash = written.metadata.labels.get("pod-template-hash", "")
    return owner.name.removesuffix(f"-{template_hash}") if owner.kind == "ReplicaSet" and template_hash else owner.name


def _placed(pod: Pod, node: str, node_labels: Mapping[str, str]) -> Pod:
    """The pod where its own label says, else where its node is: as locality, and (as istiod does) as labels."""
    own = next((pod.labels[key] for key in LOCALITY_LABELS if pod.labels.get(key)), "")
    place = locality(own if "/" in own else own.replace(".", "/"))
    if not own:
        place = Locality(*(node_labels.get(key, "") for key in (REGION, ZONE, SUBZONE)))
    topology = {REGION: place.region, ZONE: place.zone, SUBZONE: place.subzone, HOST: node}
    return replace(pod, labels={**pod.labels, **{key: each for key, each in topology.items() if each}}, locality=place)


def locality(written: str) -> Locality:
    """`region/zone/subzone`, of which the end may be missing."""
    region, zone, subzone = (*written.split("/"), "", "", "")[:3]
    return Locality(region, zone, subzone)


def _named_ports(written: WrittenPod) -> dict[str, int]:
    return {port.name: port.container_port for each in written.spec.containers for port in each.ports if port.name}


def _synthetic(index: int) -> str:
    high, low = divmod(index, 250)
    return f"10.244.{high}.{low + 1}"
