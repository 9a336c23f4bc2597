"""Deployments and StatefulSets -> workloads: what is to run, and how often."""

from collections.abc import Mapping

from localmesh.manifests.documents import Documents
from localmesh.manifests.kubernetes import Deployment, Namespace, StatefulSet
from localmesh.manifests.kubernetes import ServiceAccount as WrittenAccount
from localmesh.manifests.kubernetes.container import Container as WrittenContainer
from localmesh.manifests.kubernetes.pod import PodTemplate
from localmesh.mesh import Workload
from localmesh.mesh.pods import Proxy
from localmesh.mesh.workloads import Container, Mount
from localmesh.resolve.environment import Stores, environment
from localmesh.resolve.findings import Findings, nearest
from localmesh.resolve.probes import probe
from localmesh.resolve.refusals import refuse
from localmesh.resolve.selection import selects
from localmesh.resolve.volumes import volumes

GRACE_SECONDS = 30.0  # Kubernetes' default of terminationGracePeriodSeconds


def workloads(documents: Documents, replicas: Mapping[str, int], findings: Findings) -> tuple[Workload, ...]:
    """All workloads in the order of the files; `replicas` (by `namespace/name`) overrules what is written."""
    stores = Stores(documents)
    namespaces = {each.name: each.metadata.labels for each in documents.of(Namespace)}
    accounts = {(each.namespace, each.name) for each in documents.of(WrittenAccount)}
    found = []
    deployments: tuple[Deployment | StatefulSet, ...] = documents.of(Deployment)
    for written in deployments + documents.of(StatefulSet):
        template = written.spec.template
        if not selects(written.spec.selector.match_labels, template.metadata.labels):
            what = "the selector does not match the labels of the pod template"
            findings.problem(written.spec.selector.where, what)
        _check_account(template, written.namespace, accounts, findings)
        labels = namespaces.get(written.namespace, {})
        key = f"{written.namespace}/{written.name}"
        written_replicas = 1 if written.spec.replicas is None else written.spec.replicas
        count = replicas.get(key, written_replicas)
        found.append(_workload(written, count, proxy_of(template, labels), stores, findings))
    return tuple(found)


def proxy_of(template: PodTemplate, namespace_labels: Mapping[str, str]) -> Proxy:
    """Which proxy Istio's injector gives a pod. See Istio's reference, "Controlling the injection policy"."""
    wanted = template.metadata.labels.get(
        "sidecar.istio.io/inject", template.metadata.annotations.get("sidecar.istio.io/inject")
    )
    by_namespace = namespace_labels.get("istio-injection")
    enabled = by_namespace == "enabled" or (by_namespace is None and "istio.io/rev" in namespace_labels)
    injected = by_namespace != "disabled" and (wanted == "true" or (enabled and wanted != "false"))
    if not injected or template.spec.host_network:
        return Proxy.NONE
    templates = template.metadata.annotations.get("inject.istio.io/templates", "")
    if "gateway" in (each.strip() for each in templates.split(",")):
        return Proxy.GATEWAY
    return Proxy.SIDECAR


def _workload(
    written: Deployment | StatefulSet, replicas: int, proxy: Proxy, stores: Stores, findings: Findings
) -> Workload:
    spec = written.spec.template.spec
    refuse(spec, findings)
    claims = written.spec.volume_claim_templates if isinstance(written, StatefulSet) else ()
    grace = spec.termination_grace_period_seconds
    return Workload(
        kind=type(written).__name__,
        name=written.name,
        namespace=written.namespace,
        replicas=replicas,
        labels=written.spec.template.metadata.labels,
        service_account=spec.service_account_name or "default",
        proxy=proxy,
        containers=tuple(_container(each, written.namespace, stores, findings) for each in spec.containers),
        init_containers=tuple(_container(each, written.namespace, stores, findings) for each in spec.init_containers),
        volumes=volumes(spec, claims, written.namespace, stores, findings),
        grace=GRACE_SECONDS if grace is None else float(grace),
        where=written.where,
    )


def _container(written: WrittenContainer, namespace: str, stores: Stores, findings: Findings) -> Container:
    return Container(
        name=written.name,
        image=written.image or "",
        command=written.command,
        args=written.args,
        env=environment(written, namespace, stores, findings),
        ports=tuple((each.name or "", each.container_port) for each in written.ports),
        mounts=tuple(
            Mount(each.name, each.mount_path, each.sub_path or "", each.read_only) for each in written.volume_mounts
        ),
        startup=probe(written.startup_probe, written, findings),
        readiness=probe(written.readiness_probe, written, findings),
        liveness=probe(written.liveness_probe, written, findings),
        where=written.where,
    )


def _check_account(template: PodTemplate, namespace: str, accounts: set[tuple[str, str]], findings: Findings) -> None:
    name = template.spec.service_account_name
    if name and name != "default" and (namespace, name) not in accounts:
        known = (each for space, each in accounts if space == namespace)
        where = template.spec.at("service_account_name")
        findings.problem(where, f"there is no ServiceAccount {namespace}/{name}", nearest(name, known))
