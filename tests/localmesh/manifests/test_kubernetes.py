"""The Kubernetes documents of a bundle decode to what a local run needs of them."""

from localmesh.manifests.kubernetes import Deployment, EndpointSlice, Node, StatefulSet
from tests.localmesh.manifests.documents import accepted, document, refused

STATEFUL = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres, namespace: mesh}
spec:
  serviceName: postgres
  selector: {matchLabels: {app: postgres}}
  revisionHistoryLimit: 3
  template:
    metadata: {labels: {app: postgres}, annotations: {a: b}}
    spec:
      serviceAccountName: postgres
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 20
      securityContext: {runAsNonRoot: true}
      affinity: {podAntiAffinity: {}}
      initContainers: [{name: init, image: busybox, command: [sh, -c, "true"]}]
      containers:
      - name: postgres
        image: postgres:18
        args: [-c, fsync=on]
        env:
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: PLAIN, value: "5"}
        envFrom: [{prefix: X_, configMapRef: {name: settings}}]
        ports: [{name: tcp-postgres, containerPort: 5432}]
        startupProbe: {exec: {command: [pg_isready]}, periodSeconds: 1, failureThreshold: 60}
        readinessProbe: {tcpSocket: {port: tcp-postgres}}
        livenessProbe: {grpc: {port: 50051, service: user.v1.UserService}}
        lifecycle: {preStop: {httpGet: {path: /drain, port: 8080}}}
        resources: {limits: {cpu: 500m, memory: 1Gi}}
        volumeMounts: [{name: data, mountPath: /var/lib/postgresql}, {name: keys, mountPath: /keys, readOnly: true}]
      volumes:
      - {name: keys, secret: {secretName: db, defaultMode: 0400, items: [{key: a, path: b}]}}
      - {name: scratch, emptyDir: {sizeLimit: 64Mi}}
      - name: all
        projected:
          sources:
          - configMap: {name: settings}
          - secret: {name: db, optional: true}
          - serviceAccountToken: {path: token, audience: mesh, expirationSeconds: 3600}
          - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def test_a_stateful_set_keeps_all_that_a_local_run_honours() -> None:
    (found,) = accepted(STATEFUL).of(StatefulSet)
    pod = found.spec.template.spec
    (container,) = pod.containers
    password, name, plain = container.env
    assert (found.spec.replicas, found.spec.service_name) == (None, "postgres")
    assert found.spec.volume_claim_templates[0].name == "data"
    assert found.spec.template.metadata.labels == {"app": "postgres"}
    assert (pod.termination_grace_period_seconds, pod.automount_service_account_token) == (20, False)
    assert password.value_from is not None
    assert password.value_from.secret_key_ref is not None
    assert password.value_from.secret_key_ref.key == "password"
    assert name.value_from is not None
    assert name.value_from.field_ref is not None
    assert (name.value_from.field_ref.field_path, plain.value) == ("metadata.name", "5")
    assert container.env_from[0].config_map_ref is not None
    assert container.readiness_probe is not None
    assert container.readiness_probe.tcp_socket is not None
    assert container.readiness_probe.tcp_socket.port == "tcp-postgres"
    assert container.liveness_probe is not None
    assert container.liveness_probe.grpc is not None
    assert container.liveness_probe.grpc.service == "user.v1.UserService"
    keys, scratch, everything = pod.volumes
    assert keys.secret is not None
    assert keys.secret.default_mode == 0o400
    assert scratch.empty_dir is not None
    assert scratch.empty_dir.size_limit == "64Mi"
    assert everything.projected is not None
    assert len(everything.projected.sources) == 4
    assert everything.projected.sources[3].downward_api is not None


def test_an_empty_dir_may_be_empty() -> None:
    spec = "{containers: [{name: a}], volumes: [{name: v, emptyDir: {}}]}"
    assert accepted(document("Pod", spec)).resources


def test_a_volume_of_a_cloud_is_refused_by_name() -> None:
    (problem,) = refused(document("Pod", "{containers: [{name: a}], volumes: [{name: v, csi: {driver: x}}]}"))
    assert "csi runs in the cluster, not locally" in problem.what


def test_fields_without_local_meaning_are_accepted_and_misspelt_ones_are_not() -> None:
    spec = "{selector: {}, template: {spec: {affinity: {any: thing}, containers: [{name: a, imagePullPolicy: Never}]}}}"
    assert accepted(document("Deployment", spec)).of(Deployment)
    (problem,) = refused(document("Deployment", spec.replace("affinity", "affinty")))
    assert 'did you mean "affinity"?' in str(problem)


def test_a_probe_asks_in_one_way() -> None:
    both = "{containers: [{name: a, readinessProbe: {grpc: {port: 1}, exec: {command: [x]}}}]}"
    assert "only one of grpc and exec" in str(refused(document("Pod", both))[0])
    none = "{containers: [{name: a, readinessProbe: {periodSeconds: 1}}]}"
    assert "one of grpc, httpGet, tcpSocket, exec is needed" in str(refused(document("Pod", none))[0])


def test_several_ports_of_a_service_have_names_of_their_own() -> None:
    problems = refused(document("Service", "{ports: [{port: 80}, {port: 80, name: grpc}]}"))
    assert [each.where.path for each in problems] == ["spec.ports[0]", "spec.ports[1].port"]
    assert accepted(document("Service", "{ports: [{port: 53, name: a}, {port: 53, name: b, protocol: UDP}]}"))


def test_a_port_that_names_no_protocol_is_a_warning() -> None:
    (warning,) = accepted(document("Service", "{ports: [{port: 80, name: api}]}")).warnings
    assert "names no protocol" in warning.what
    for port in ("{port: 80, name: grpc-api}", "{port: 80, name: api, appProtocol: grpc}", "{port: 80, name: tcp-x}"):
        assert not accepted(document("Service", f"{{ports: [{port}]}}")).warnings


def test_endpoint_slices_and_nodes_are_read_as_a_cluster_gives_them() -> None:
    text = """
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: user-x, namespace: mesh, labels: {kubernetes.io/service-name: user}}
    addressType: IPv4
    ports: [{name: grpc, port: 50051, protocol: TCP}]
    endpoints:
    - addresses: [10.0.0.1]
      conditions: {ready: true, serving: true, terminating: false}
      nodeName: a
      targetRef: {kind: Pod, name: user-0, namespace: mesh, uid: x}
    ---
    apiVersion: v1
    kind: Node
    metadata: {name: a, labels: {topology.kubernetes.io/region: eu}}
    spec: {podCIDR: 10.0.0.0/24}
    status: {capacity: {cpu: "4"}}
    """
    documents = accepted(text)
    (slice_,) = documents.of(EndpointSlice)
    assert slice_.endpoints[0].conditions is not None
    assert slice_.endpoints[0].conditions.ready is True
    (node,) = documents.of(Node)
    assert node.metadata.labels["topology.kubernetes.io/region"] == "eu"
