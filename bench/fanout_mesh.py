"""The mesh of `make bench-fanout`: the bundle with one replica of chat, and the textbook's server beside it.

Both are reached by the same path through the gateway and two sidecars; a header says who is meant.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.own_mesh import OwnMesh, own_mesh

HEADER = "x-bench"
IMAGE = """\
images:
  bench/textbook:
    command: ["${python}", -m, bench.textbook]
    listen: {grpc: {env: GRPC_LISTEN}}
"""
ROUTE = f"""\
    - match: [{{headers: {{{HEADER}: {{exact: textbook}}}}}}]
      route: [{{destination: {{host: textbook, port: {{number: 50051}}}}}}]
"""
POD = """\
apiVersion: v1
kind: Service
metadata: {name: textbook, namespace: mesh}
spec:
  selector: {app: textbook}
  ports: [{name: grpc, port: 50051}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: textbook, namespace: mesh}
spec:
  selector: {matchLabels: {app: textbook}}
  template:
    metadata: {labels: {app: textbook, version: v1}}
    spec:
      serviceAccountName: chat  # whom NATS lets in
      containers:
        - name: textbook
          image: bench/textbook
          ports: [{name: grpc, containerPort: 50051}]
          env:
            - {name: GRPC_LISTEN, value: "0.0.0.0:50051"}
            - {name: NATS_URL, value: "nats://nats.mesh.svc.cluster.local:4222"}
            - {name: NATS_TOKEN, valueFrom: {secretKeyRef: {name: nats-token, key: token}}}
          readinessProbe: {tcpSocket: {port: 50051}, periodSeconds: 1}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: textbook, namespace: mesh}
spec:
  selector: {matchLabels: {app: textbook}}
  rules: [{from: [{source: {principals: [cluster.local/ns/mesh/sa/gateway]}}]}]
"""


@contextmanager
def fanout_mesh() -> Iterator[OwnMesh]:
    """Running."""
    with own_mesh() as mesh:
        mesh.edit("local.yaml", "images:\n", IMAGE)
        mesh.edit("k8s/chat.yaml", "  replicas: 2\n", "  replicas: 1\n")
        methods = "metadata:\n  name: chat-methods\n  namespace: mesh\nspec:\n  http:\n"
        mesh.edit("istio/chat.yaml", methods, methods + ROUTE)
        (mesh.deploy / "textbook.yaml").write_text(POD, encoding="utf-8")
        mesh.up()
        yield mesh
