"""A small mesh for these tests: user v1 twice and v2 once, chat, postgres, a gateway, and a namespace beside them."""

from textwrap import dedent, indent

from localmesh.manifests.load import loads
from localmesh.mesh import Mesh, Pod, Service
from localmesh.mesh.routes import Forward, HttpRoute, RouteTable, VirtualHost
from localmesh.mesh.upstreams import Upstream
from localmesh.resolve import Resolution, resolve


def workload(
    name: str,
    *,
    app: str,
    version: str = "v1",
    namespace: str = "mesh",
    replicas: int = 1,
    ports: str = "{name: grpc, containerPort: 50051}, {name: http-metrics, containerPort: 9464}",
) -> str:
    """A Deployment."""
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {app}, version: {version}}}}}
  template:
    metadata: {{labels: {{app: {app}, version: {version}}}}}
    spec:
      serviceAccountName: {app}
      containers: [{{name: {app}, image: "{app}:1", ports: [{ports}]}}]
---
"""


def service(name: str, ports: str, *, app: str = "", namespace: str = "mesh", more: str = "") -> str:
    """A Service."""
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{selector: {{app: {app or name}}}, ports: [{ports}]{more}}}
---
"""


def account(name: str, namespace: str = "mesh") -> str:
    """A ServiceAccount."""
    return f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}}}\n---\n"


def istio(
    kind: str, name: str, spec: str, *, namespace: str = "mesh", group: str = "networking", meta: str = ""
) -> str:
    """An Istio document."""
    body = indent(dedent(spec).strip("\n"), "  ")
    return f"""
apiVersion: {group}.istio.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}{meta}}}
spec:
{body}
---
"""


GRPC = "{name: grpc, port: 50051}, {name: http-metrics, port: 9464}"
GATEWAY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: mesh}
spec:
  selector: {matchLabels: {app: gateway}}
  template:
    metadata:
      labels: {app: gateway}
      annotations: {inject.istio.io/templates: gateway}
    spec:
      serviceAccountName: gateway
      containers: [{name: istio-proxy, image: auto}]
---
"""
BASE = "".join(
    (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: mesh, labels: {istio-injection: enabled}}\n---\n",
        *map(account, ("user", "chat", "postgres", "gateway")),
        account("legacy", "other"),
        workload("user-v1", app="user", replicas=2),
        workload("user-v2", app="user", version="v2"),
        workload("chat", app="chat"),
        workload("postgres", app="postgres", ports="{name: tcp-postgres, containerPort: 5432}"),
        workload("legacy", app="legacy", namespace="other", ports="{name: http, containerPort: 8080}"),
        GATEWAY,
        service("user", GRPC),
        service("chat", GRPC),
        service("postgres", "{name: tcp-postgres, port: 5432}"),
        service("legacy", "{name: http, port: 8080}", namespace="other"),
        service("gateway", "{name: grpc, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}"),
    )
)
USER = "user.mesh.svc.cluster.local"
CHAT = "chat.mesh.svc.cluster.local"
POSTGRES = "postgres.mesh.svc.cluster.local"
LEGACY = "legacy.other.svc.cluster.local"


def resolved(*documents: str, base: str = BASE) -> Resolution:
    """These documents beside the small mesh."""
    return resolve(loads(base + "\n---\n".join(documents), "mesh.yaml"))


def mesh_of(*documents: str, base: str = BASE) -> Mesh:
    """The same, where nothing may be wrong."""
    found = resolved(*documents, base=base)
    assert not found.problems, "\n".join(map(str, found.problems))
    return found.mesh


def pod_of(mesh: Mesh, key: str = "mesh/chat-0") -> Pod:
    """A pod that must be there."""
    found = mesh.pod(key)
    assert found is not None, f"no pod {key} among {[each.key for each in mesh.pods]}"
    return found


def service_of(mesh: Mesh, host: str) -> Service:
    """A service that must be there."""
    return next(each for each in mesh.services if each.host == host)


def table_of(pod: Pod, name: str = "50051") -> RouteTable:
    """A route table that must be there."""
    return next(each for each in pod.outbound.route_tables if each.name == name)


def host_of(pod: Pod, name: str, table: str = "50051") -> VirtualHost:
    """A virtual host that must be there."""
    return next(each for each in table_of(pod, table).virtual_hosts if each.name == name)


def routes_of(pod: Pod, host: str = USER, port: int = 50051) -> tuple[HttpRoute, ...]:
    """The routes of a service for a client."""
    return host_of(pod, f"{host}:{port}", str(port)).routes


def forward_of(route: HttpRoute) -> Forward:
    """The action of a route that forwards."""
    assert isinstance(route.action, Forward)
    return route.action


def targets_of(route: HttpRoute) -> list[tuple[str, int, str, int]]:
    """(host, port, subset, weight) of each target."""
    found = forward_of(route).targets
    return [(each.target.host, each.target.port, each.target.subset, each.weight) for each in found]


def upstream_of(pod: Pod, host: str = USER, port: int = 50051, subset: str = "") -> Upstream:
    """An upstream that must be there."""
    return next(
        each
        for each in pod.outbound.upstreams
        if (each.service.host, each.port.number, each.subset) == (host, port, subset)
    )


def whats(problems: tuple[object, ...]) -> str:
    """All that is said, as one text."""
    return "\n".join(map(str, problems))
