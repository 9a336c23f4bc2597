"""Meshes by hand: two services, `user` and `chat`, on this machine, for the tests of the compiler."""

from dataclasses import replace

from localmesh.mesh import Dial, Mesh, Placement
from localmesh.mesh.identity import Identity, Protocol
from localmesh.mesh.pods import Inbound, Outbound, Pod
from localmesh.mesh.routes import (
    Forward,
    HttpRoute,
    Retry,
    RouteTable,
    Target,
    VirtualHost,
    WeightedTarget,
)
from localmesh.mesh.security import Mtls
from localmesh.mesh.services import Endpoint, Service, ServicePort
from localmesh.mesh.upstreams import Upstream

GRPC = 15051
USER = "user.mesh.svc.cluster.local"
USER_AT = "127.44.0.11"
CHAT_AT = "127.44.0.21"
DIALED = ("127.44.0.21", 15151)
AUTHORITY = f"{USER}:{GRPC}"
DEFAULT_RETRY = Retry(2, ("connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"))


def identity(name: str) -> Identity:
    return Identity("cluster.local", "mesh", name)


def service(*endpoints: Endpoint) -> Service:
    port = ServicePort(GRPC, "grpc", Protocol.GRPC, GRPC)
    found = {GRPC: endpoints or (endpoint(USER_AT, "user-0"),)}
    return Service(USER, "user", "mesh", (port,), endpoints=found, identities=(identity("user"),))


def endpoint(address: str, pod: str, mtls: bool = True) -> Endpoint:
    return Endpoint(address, GRPC, identity=identity("user"), mtls=mtls, pod=pod, namespace="mesh")


def to_user(name: str = "default") -> HttpRoute:
    return HttpRoute(name, Forward((WeightedTarget(Target(USER, GRPC)),), retry=DEFAULT_RETRY))


def virtual_host(*routes: HttpRoute) -> VirtualHost:
    return VirtualHost(AUTHORITY, (USER, "user"), routes or (to_user(),), host=USER, port=GRPC)


def user_pod(mtls: Mtls = Mtls.STRICT) -> Pod:
    inbound = Inbound(GRPC, Protocol.GRPC, mtls, services=((service(), GRPC),))
    return Pod("user-0", "mesh", {"app": "user"}, identity("user"), USER_AT, inbound=(inbound,), default_mtls=mtls)


def chat_pod(*routes: HttpRoute) -> Pod:
    found = service()
    upstream = Upstream(found, found.ports[0], endpoints=found.endpoints[GRPC])
    table = RouteTable(str(GRPC), (virtual_host(*routes),))
    outbound = Outbound((upstream,), (table,))
    return Pod("chat-0", "mesh", {"app": "chat"}, identity("chat"), CHAT_AT, outbound=outbound)


def mesh(*pods: Pod) -> Mesh:
    return Mesh(pods or (user_pod(), chat_pod()), (service(),))


def user_placement(app: str) -> Placement:
    return Placement(USER_AT, apps={GRPC: app})


def chat_placement(authority: str = AUTHORITY) -> Placement:
    return Placement(CHAT_AT, dials=(Dial(USER, GRPC, *DIALED, authority=authority),))


def upstream(pod: Pod, **changes: object) -> Pod:
    """The pod with its one upstream changed."""
    changed = replace(pod.outbound.upstreams[0], **changes)  # type: ignore[arg-type]
    return replace(pod, outbound=replace(pod.outbound, upstreams=(changed,)))
