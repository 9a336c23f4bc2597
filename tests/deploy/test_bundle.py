"""What the bundle promises a cluster: it builds in every combination, keeps to the schemas, and nothing is loose."""

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.kind import overlay
from deploy.kind.settings import ROOT
from localmesh.manifests.load import loads
from tests.deploy.kustomize import built
from tests.services.postgres import deployed_logging

DEPLOY = ROOT / "deploy"
COMPONENTS = tuple(overlay.known_components())
COMBINATIONS = [each for size in range(len(COMPONENTS) + 1) for each in itertools.combinations(COMPONENTS, size)]
ALONE_AND_LEFT_OUT = sorted(
    {names for names in COMBINATIONS if len(names) in {0, 1, len(COMPONENTS) - 1, len(COMPONENTS)}}
)
# The oldest that must do, and the newest that there are schemas for.
KUBERNETES = ("1.32", "1.37")
# Of these kinds there are no schemas here but localmesh's own.
DEFINED = re.compile(r".*\.istio\.io/|gateway\.networking\.k8s\.io/")
Document = dict[str, Any]


def rendered(folder: Path, components: tuple[str, ...]) -> Path:
    """The kustomization that kind-up would apply."""
    ids = {service: f"sha256:{service}" for service in overlay.SERVICES}
    return overlay.written(folder, overlay.kustomization(folder, "9", components, ids))


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """All documents, with all components but ambient, which puts other policies in the place of some."""
    return built(rendered(tmp_path_factory.mktemp("bundle"), tuple(name for name in COMPONENTS if name != "ambient")))


@cache
def judge(document: str) -> None:
    """Each document once, however many combinations have it. Raises ValidationError or Problems."""
    if not DEFINED.match(json.loads(document)["apiVersion"]):
        for version in KUBERNETES:
            kubernetes_validate.validate(json.loads(document), version, strict=True)
    loads(document)


def pods(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    """The pod specs of all workloads, by the workload's name."""
    for document in documents:
        if document["kind"] in {"Deployment", "StatefulSet"}:
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def test_every_combination_builds_and_each_of_its_documents_keeps_to_the_schemas_and_is_taken_by_localmesh(
    tmp_path: Path,
) -> None:
    """Istio's documents too: what localmesh's loader takes, istiod takes (tests/conformance)."""
    for components in COMBINATIONS:
        documents = built(rendered(tmp_path, components))
        names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in documents]
        assert len(names) == len(set(names)), components
        for document in documents:
            judge(json.dumps(document))


@pytest.mark.parametrize("components", ALONE_AND_LEFT_OUT, ids=lambda names: "+".join(names) or "base")
def test_a_combination_is_what_kubectl_makes_of_it(tmp_path: Path, components: tuple[str, ...]) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl on PATH to hold the builder of these tests against")
    folder = rendered(tmp_path, components)
    said = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout

    def key(document: Document) -> tuple[str, str, str]:
        return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]

    assert sorted(yaml.safe_load_all(said), key=key) == sorted(built(folder), key=key)


def test_every_pod_is_restricted(everything: list[Document]) -> None:
    """The `restricted` Pod Security Standard, for each of our containers; Istio's own keep to it with its CNI agent."""
    for name, pod in pods(everything):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI"}
        assert all(set(volume) - {"name"} <= allowed for volume in pod.get("volumes", [])), name
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name


@pytest.mark.parametrize(
    "components", [("jaeger", "prometheus"), ("jaeger", "without-cni")], ids=lambda names: names[-1]
)
def test_a_namespace_is_restricted_unless_istio_needs_more_in_the_mesh(
    tmp_path: Path, components: tuple[str, ...]
) -> None:
    documents = built(rendered(tmp_path, components))
    enforced = {
        document["metadata"]["name"]: document["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for document in documents
        if document["kind"] == "Namespace"
    }
    mesh = "privileged" if "without-cni" in components else "restricted"
    assert enforced == {"mesh": mesh, "observability": "restricted"}


def test_every_image_has_a_fixed_tag_and_is_not_pulled_again(everything: list[Document]) -> None:
    for name, pod in pods(everything):
        for container in pod["containers"]:
            assert container["imagePullPolicy"] == "IfNotPresent", name
            _, _, tag = container["image"].partition(":")
            assert container["image"] == "auto" or tag not in {"", "latest"}, name


def test_every_container_says_what_it_needs_and_may_use(everything: list[Document]) -> None:
    for name, pod in pods(everything):
        for container in pod["containers"]:
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_no_account_mounts_a_token(everything: list[Document]) -> None:
    """But in the pods that ask the API server something."""
    accounts = [document for document in everything if document["kind"] == "ServiceAccount"]
    assert all(document["automountServiceAccountToken"] is False for document in accounts)
    assert {name for name, pod in pods(everything) if pod.get("automountServiceAccountToken")} == {
        "kiali",
        "prometheus",
    }
    assert {pod["serviceAccountName"] for _, pod in pods(everything)} == {each["metadata"]["name"] for each in accounts}


def test_every_port_of_a_service_says_its_protocol(everything: list[Document]) -> None:
    for document in everything:
        if document["kind"] == "Service":
            for port in document["spec"]["ports"]:
                assert re.match(r"(grpc|http|tcp)(-|$)", port.get("appProtocol", port["name"])), document["metadata"]


def test_probes_of_our_services_ask_by_name(everything: list[Document]) -> None:
    asked = {
        (name, kind): container[kind]["grpc"]["service"]
        for name, pod in pods(everything)
        for container in pod["containers"]
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
        if "grpc" in container.get(kind, {})
    }
    assert {name for name, _ in asked} == {"user-v1", "user-v2", "chat"}
    assert {service for (_, kind), service in asked.items() if kind == "livenessProbe"} == {"liveness"}
    assert {service for (_, kind), service in asked.items() if kind != "livenessProbe"} == {"readiness"}


def test_postgres_keeps_from_its_log_what_it_does_on_this_machine(everything: list[Document]) -> None:
    """What that is: tests/services/*/test_secrecy.py."""
    (postgres,) = (pod["containers"][0] for name, pod in pods(everything) if name == "postgres")
    (made,) = (each["value"].split() for each in postgres["env"] if each["name"] == "POSTGRES_INITDB_ARGS")
    kept = deployed_logging()
    assert kept and {f"--set={setting}" for setting in kept} <= set(made)


def test_a_pod_has_more_time_to_end_than_its_drain_takes(everything: list[Document]) -> None:
    for name in ("user-v1", "user-v2", "chat"):
        pod = dict(pods(everything))[name]
        (container,) = pod["containers"]
        told = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        (drain,) = (float(each["value"]) for each in container["env"] if each["name"] == "DRAIN_SECONDS")
        assert pod["terminationGracePeriodSeconds"] >= told + drain + 2, name


def test_where_an_autoscaler_rules_no_number_of_pods_is_applied(everything: list[Document]) -> None:
    scaled = {d["spec"]["scaleTargetRef"]["name"] for d in everything if d["kind"] == "HorizontalPodAutoscaler"}
    assert scaled == {"user-v1", "user-v2", "chat", "gateway"}
    for document in everything:
        if document["kind"] == "Deployment":
            assert ("replicas" not in document["spec"]) == (document["metadata"]["name"] in scaled)


def test_whoever_takes_calls_has_two_pods_that_a_drain_takes_one_after_the_other(everything: list[Document]) -> None:
    """Each version apart, since weights give each its share. Two budgets over one pod would forbid every eviction."""
    budgets = [d["spec"] for d in everything if d["kind"] == "PodDisruptionBudget"]
    least = {
        d["spec"]["scaleTargetRef"]["name"]: d["spec"]["minReplicas"]
        for d in everything
        if d["kind"] == "HorizontalPodAutoscaler"
    }
    for document in everything:
        name, namespace = document["metadata"]["name"], document["metadata"].get("namespace")
        if document["kind"] != "Deployment" or namespace != "mesh":
            continue
        labels = document["spec"]["template"]["metadata"]["labels"]
        (budget,) = (each for each in budgets if each["selector"]["matchLabels"].items() <= labels.items())
        assert budget["maxUnavailable"] == 1, name
        assert least[name] >= 2, name
        spread = document["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert {each["topologyKey"] for each in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert all(each["labelSelector"] == budget["selector"] for each in spread), name


def test_the_nats_servers_are_on_nodes_of_their_own_where_stores_prefer_one_node(tmp_path: Path) -> None:
    """A scheduler weighs what is only preferred, and put all three on one node."""
    nats = dict(pods(built(rendered(tmp_path, ("kind", "ha")))))["nats"]
    (spread,) = nats["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
    assert spread["nodeTaintsPolicy"] == "Honor", "a node that takes none is not one that lacks one"
    assert "requiredDuringSchedulingIgnoredDuringExecution" not in nats["affinity"]["nodeAffinity"]


def test_a_network_policy_opens_every_way_that_authorization_allows(everything: list[Document]) -> None:
    """By identity and by IP: a caller that one lets through and the other does not would only ever time out."""
    named = {d["metadata"]["name"]: d["spec"] for d in everything if d["kind"] == "NetworkPolicy"}
    assert named["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in everything:
        if policy["kind"] != "AuthorizationPolicy":
            continue
        app = policy["spec"].get("selector", {}).get("matchLabels", {}).get("app", "")
        for rule in policy["spec"].get("rules", []):
            for principal in (one for each in rule.get("from", []) for one in each["source"]["principals"]):
                caller = principal.rpartition("/")[2]
                assert any(caller in str(spec.get("ingress")) for spec in _of(named, app)), (caller, app)
                assert any(app in str(spec.get("egress")) for spec in _of(named, caller)), (caller, app)


def _of(policies: dict[str, Document], app: str) -> list[Document]:
    """The NetworkPolicies of an app's pods."""
    return [each for each in policies.values() if each["podSelector"] == {"matchLabels": {"app": app}}]


def test_the_kind_cluster_has_workers_in_zones_of_their_own() -> None:
    nodes = yaml.safe_load((DEPLOY / "kind-config.yaml").read_text())["nodes"]
    zones = [node["labels"]["topology.kubernetes.io/zone"] for node in nodes if node["role"] == "worker"]
    assert [node["role"] for node in nodes].count("control-plane") == 1
    assert len(zones) == len(set(zones)) == 2
