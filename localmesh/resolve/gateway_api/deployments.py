"""What Istio deploys for a Gateway of its class: a Deployment of one gateway proxy, its Service and its account."""

from collections.abc import Iterator
from dataclasses import replace

from localmesh.manifests.documents import Documents
from localmesh.manifests.gateway_api import Gateway
from localmesh.manifests.kubernetes import Deployment, Service, ServiceAccount
from localmesh.manifests.kubernetes.container import Container
from localmesh.manifests.kubernetes.pod import PodSpec, PodTemplate, TemplateMetadata
from localmesh.manifests.kubernetes.service import KubernetesServicePort, ServiceSpec
from localmesh.manifests.kubernetes.workload import DeploymentSpec, PodSelector
from localmesh.manifests.record import Metadata, Resource
from localmesh.resolve.gateway_api.listeners import deployment_name, is_managed, served
from localmesh.resolve.pods import GATEWAY_NAME

STATUS_PORT = 15021


def deployed(documents: Documents) -> tuple[Resource, ...]:
    """The documents that Istio would create in a cluster for these Gateways and their classes."""
    return tuple(each for gateway in served(documents) if is_managed(gateway) for each in _made(gateway))


def beside(documents: Documents, made: tuple[Resource, ...]) -> Documents:
    """The documents, and those that were made; what is written by hand under a name stays."""
    if not made:
        return documents
    written = {(type(each), each.namespace, each.name) for each in documents.resources}
    missing = tuple(each for each in made if (type(each), each.namespace, each.name) not in written)
    return replace(documents, resources=documents.resources + missing)


def _made(gateway: Gateway) -> Iterator[Resource]:
    name = deployment_name(gateway)
    labels = {**gateway.spec.infrastructure.labels, GATEWAY_NAME: gateway.name}
    selector = {GATEWAY_NAME: gateway.name}
    metadata = Metadata(
        name=name,
        namespace=gateway.metadata.namespace,
        labels=labels,
        creation_timestamp=gateway.metadata.creation_timestamp,
    )
    ports = {each.port: each for each in gateway.spec.listeners}
    annotations = {**gateway.spec.infrastructure.annotations, "inject.istio.io/templates": "gateway"}
    template = PodTemplate(
        metadata=TemplateMetadata(labels={**labels, "sidecar.istio.io/inject": "true"}, annotations=annotations),
        spec=PodSpec(
            service_account_name=name,
            containers=(Container(name="istio-proxy", image="auto", where=gateway.where),),
            where=gateway.where,
        ),
        where=gateway.where,
    )
    spec = DeploymentSpec(selector=PodSelector(match_labels=selector), template=template, replicas=1)
    service = ServiceSpec(
        selector=selector,
        ports=(
            KubernetesServicePort(port=STATUS_PORT, name="status-port", where=gateway.where),
            *(
                KubernetesServicePort(port=port, name=each.name, app_protocol=each.protocol.lower(), where=each.where)
                for port, each in ports.items()
            ),
        ),
        where=gateway.where,
    )
    yield ServiceAccount(metadata=metadata, where=gateway.where)
    yield Deployment(metadata=metadata, spec=spec, where=gateway.where)
    yield Service(metadata=metadata, spec=service, where=gateway.where)
