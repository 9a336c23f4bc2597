"""Deployments and StatefulSets become workloads, and workloads become pods."""

import pytest

from localmesh.manifests.load import loads
from localmesh.mesh import Placement
from localmesh.mesh.identity import Locality
from localmesh.mesh.pods import Proxy
from localmesh.mesh.workloads import Asks, Keeps
from localmesh.resolve import resolve
from tests.localmesh.resolve.base import BASE, mesh_of, pod_of, resolved, whats, workload

CONTAINER = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: mesh}
data: {LEVEL: info, file.txt: text}
---
apiVersion: v1
kind: Secret
metadata: {name: passwords, namespace: mesh}
stringData: {password: hunter2}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: mesh}
spec:
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers:
        - name: store
          image: store:1
          envFrom: [{configMapRef: {name: settings}, prefix: CFG_}]
          env:
            - {name: PLAIN, value: "$(CFG_LEVEL)"}
            - {name: PASSWORD, valueFrom: {secretKeyRef: {name: passwords, key: password}}}
            - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
          ports: [{name: web, containerPort: 8080}]
          readinessProbe: {httpGet: {port: web, path: /ready}, periodSeconds: 3}
          volumeMounts: [{name: data, mountPath: /data}, {name: conf, mountPath: /conf}]
      volumes: [{name: conf, configMap: {name: settings, items: [{key: file.txt, path: a/b.txt}]}}]
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]
"""


def test_each_replica_is_a_pod_named_by_its_ordinal() -> None:
    mesh = mesh_of()
    assert [pod.key for pod in mesh.pods if pod.workload == "user-v1"] == ["mesh/user-v1-0", "mesh/user-v1-1"]


def test_replicas_given_at_run_time_overrule_what_is_written() -> None:
    mesh = resolve(loads(BASE), replicas={"mesh/chat": 3}).mesh
    assert [pod.name for pod in mesh.pods if pod.workload == "chat"] == ["chat-0", "chat-1", "chat-2"]


@pytest.mark.parametrize(
    ("label", "place"),
    [
        ("istio-locality: eu.eu-1.rack", Locality("eu", "eu-1", "rack")),
        ("istio-locality: eu", Locality("eu")),
        ("istio-locality: us.us-1, topology.istio.io/locality: eu.eu-1", Locality("eu", "eu-1")),
    ],
)
def test_a_pod_may_say_itself_where_it_stands(label: str, place: Locality) -> None:
    """As in istiod, its endpoints have the place as labels too."""
    labels = "labels: {app: where, version: v1"
    document = workload("where", app="where").replace(labels, f"{labels}, {label}")
    pod = pod_of(resolve(loads(document)).mesh, "mesh/where-0")
    assert (pod.locality, pod.labels["topology.kubernetes.io/region"]) == (place, place.region)


def test_a_placement_gives_a_pod_its_address_and_readiness() -> None:
    mesh = resolve(loads(BASE), {"mesh/chat-0": Placement("127.20.0.9", ready=False)}).mesh
    pod = pod_of(mesh)
    assert (pod.address, pod.ready) == ("127.20.0.9", False)


def test_pods_without_a_placement_have_addresses_of_their_own() -> None:
    addresses = [pod.address for pod in mesh_of().pods]
    assert len(set(addresses)) == len(addresses)


def test_a_namespace_labelled_for_injection_gives_its_pods_sidecars_and_another_does_not() -> None:
    mesh = mesh_of()
    assert pod_of(mesh).proxy is Proxy.SIDECAR
    assert pod_of(mesh, "other/legacy-0").proxy is Proxy.NONE


def test_the_gateway_template_makes_a_gateway() -> None:
    assert pod_of(mesh_of(), "mesh/gateway-0").proxy is Proxy.GATEWAY


def test_a_pod_label_overrules_its_namespace() -> None:
    out = workload("quiet", app="chat").replace(
        "labels: {app: chat", 'labels: {sidecar.istio.io/inject: "false", app: chat', 1
    )
    assert pod_of(mesh_of(out), "mesh/quiet-0").proxy is Proxy.NONE


def test_an_identity_is_made_of_namespace_and_service_account() -> None:
    assert pod_of(mesh_of()).identity.uri == "spiffe://cluster.local/ns/mesh/sa/chat"


def test_variables_come_from_config_maps_secrets_and_the_pod() -> None:
    store = next(each for each in mesh_of(CONTAINER).workloads if each.name == "store")
    env = {each.name: each for each in store.containers[0].env}
    assert (env["CFG_LEVEL"].value, env["PLAIN"].value) == ("info", "$(CFG_LEVEL)")
    assert (env["PASSWORD"].value, env["PASSWORD"].secret) == ("hunter2", True)
    assert env["NAME"].pod_field == "metadata.name"


def test_a_claim_keeps_its_data_and_a_config_map_is_files() -> None:
    store = next(each for each in mesh_of(CONTAINER).workloads if each.name == "store")
    volumes = {each.name: each for each in store.volumes}
    assert volumes["data"].keeps is Keeps.DATA
    assert volumes["conf"].files == {"a/b.txt": b"text"}


def test_a_probe_has_kubernetes_defaults_and_a_port_by_name() -> None:
    store = next(each for each in mesh_of(CONTAINER).workloads if each.name == "store")
    probe = store.containers[0].readiness
    assert probe is not None
    assert (probe.asks, probe.port, probe.path) == (Asks.HTTP, 8080, "/ready")
    assert (probe.period, probe.timeout, probe.failure_threshold) == (3.0, 1.0, 3)


def test_missing_keys_stores_and_volumes_are_problems_with_the_nearest_name() -> None:
    broken = (
        CONTAINER.replace("key: password}", "key: passwrod}")
        .replace("name: settings}, prefix", "name: setings}, prefix")
        .replace("{name: conf, mountPath", "{name: cnof, mountPath")
    )
    said = whats(resolved(broken).problems)
    assert "Secret mesh/passwords has no key 'passwrod' (did you mean 'password'?)" in said
    assert "there is no ConfigMap mesh/setings (did you mean 'settings'?)" in said
    assert "the pod has no volume 'cnof'" in said


def test_a_problem_tells_its_line() -> None:
    found = resolved(CONTAINER.replace("key: password}", "key: passwrod}"))
    problem = next(each for each in found.problems if "passwrod" in each.what)
    assert problem.where.file == "mesh.yaml"
    assert problem.where.line > 0


def test_a_missing_service_account_is_a_problem() -> None:
    assert "there is no ServiceAccount mesh/chta" in whats(resolved(workload("x", app="chta")).problems)
