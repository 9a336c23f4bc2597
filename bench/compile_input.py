"""Documents for measuring the compiler: services that each have a workload and a policy of every kind."""

from pathlib import Path

MESH = """\
apiVersion: v1
kind: Namespace
metadata: {name: bench, labels: {istio-injection: enabled}}
---
apiVersion: localmesh/v1alpha1
kind: LocalRun
images:
  bench/app: {command: ["${python}", -m, nothing], listen: {grpc: {env: GRPC_LISTEN}}}
"""

SERVICE = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: %(name)s, namespace: bench}
---
apiVersion: v1
kind: Service
metadata: {name: %(name)s, namespace: bench}
spec:
  selector: {app: %(name)s}
  ports: [{name: grpc, port: 50051}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %(name)s, namespace: bench}
spec:
  selector: {matchLabels: {app: %(name)s}}
  template:
    metadata: {labels: {app: %(name)s, version: v1}}
    spec:
      serviceAccountName: %(name)s
      containers:
        - name: app
          image: bench/app
          ports: [{name: grpc, containerPort: 50051}]
          env: [{name: NEXT, value: "%(next)s.bench.svc.cluster.local:50051"}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %(name)s, namespace: bench}
spec:
  hosts: [%(name)s.bench.svc.cluster.local]
  http:
    - match: [{uri: {prefix: /bench.v1.Reads/}}]
      timeout: 3s
      retries: {attempts: 2, perTryTimeout: 900ms, retryOn: "unavailable,refused-stream"}
      route: [{destination: {host: %(name)s, port: {number: 50051}, subset: v1}}]
    - route: [{destination: {host: %(name)s, port: {number: 50051}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %(name)s, namespace: bench}
spec:
  host: %(name)s.bench.svc.cluster.local
  trafficPolicy:
    loadBalancer: {simple: LEAST_REQUEST}
    outlierDetection: {consecutiveGatewayErrors: 5, baseEjectionTime: 10s}
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: %(name)s, namespace: bench}
spec:
  selector: {matchLabels: {app: %(name)s}}
  action: ALLOW
  rules:
    - from: [{source: {principals: ["cluster.local/ns/bench/sa/%(before)s"]}}]
      to: [{operation: {paths: ["/bench.v1.Reads/*"]}}]
"""


def write(folder: Path, services: int) -> None:
    """A file for each service, in a ring: each is called by the one before it."""
    (folder / "mesh.yaml").write_text(MESH, encoding="utf-8")
    for index in range(services):
        names = {"name": f"s{index}", "next": f"s{(index + 1) % services}", "before": f"s{(index - 1) % services}"}
        service_file(folder, index).write_text(SERVICE % names, encoding="utf-8")


def service_file(folder: Path, index: int) -> Path:
    """The documents of one service."""
    return folder / f"s{index}.yaml"
