"""The pods, each with all that Istio would attach to it: what it serves, what it may call, who may call it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

from localmesh.errors import Where
from localmesh.mesh.identity import Identity, Labels, Locality, Protocol, Seconds
from localmesh.mesh.patches import Direction, Patch
from localmesh.mesh.routes import ConnectionRoute, RouteTable, Target, VirtualHost
from localmesh.mesh.security import AccessPolicy, JwtRule, Mtls
from localmesh.mesh.services import Service
from localmesh.mesh.telemetry import Telemetry
from localmesh.mesh.upstreams import ClientTls, Pool, Upstream


class Proxy(Enum):
    """What kind of proxy a pod has."""

    SIDECAR = "sidecar"
    GATEWAY = "gateway"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Inbound:
    """One port that a pod's sidecar takes calls on for its app."""

    port: int  # of the workload
    protocol: Protocol
    mtls: Mtls
    # The service ports that lead here, as (host, port number): the first names the inbound route.
    services: tuple[tuple[Service, int], ...] = ()
    pool: Pool = Pool()
    # Where the app listens if that is not `port` of the pod's own address: a Sidecar's defaultEndpoint.
    app: str = ""
    # True: no service knows the port; it exists by a PeerAuthentication's portLevelMtls only.
    passthrough: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionListener:
    """An outbound port that is routed by connection, not by request."""

    service: Service
    port: int
    addresses: tuple[str, ...]  # bound addresses; empty: all
    routes: tuple[ConnectionRoute, ...]
    idle_timeout: Seconds | None = None


@dataclass(frozen=True)
class Outbound:
    """What a sidecar or gateway may call. Equal for equal pods, and then the same object."""

    upstreams: tuple[Upstream, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    connections: tuple[ConnectionListener, ...] = ()
    # Whether unknown names pass through (ALLOW_ANY) or are refused (REGISTRY_ONLY).
    allow_any: bool = True

    @cached_property
    def ordinary_tls(self) -> frozenset[ClientTls]:
        """How it speaks TLS to servers outside the mesh's own."""
        return frozenset(one.tls for one in self.upstreams if one.tls is not None and one.tls.is_ordinary)

    @cached_property
    def by_target(self) -> Mapping[Target, Upstream]:
        """The upstreams by what routes name."""
        return {Target(one.service.host, one.port.number, one.subset): one for one in self.upstreams}

    @cached_property
    def by_request(self) -> Mapping[tuple[str, int], VirtualHost]:
        """The virtual hosts by host and port; the first of a name counts."""
        hosts = [host for table in self.route_tables for host in table.virtual_hosts]
        return {(host.host, host.port): host for host in reversed(hosts)}

    @cached_property
    def by_connection(self) -> Mapping[tuple[str, int], ConnectionListener]:
        """What is routed by connection, by host and port; the first of a name counts."""
        return {(one.service.host, one.port): one for one in reversed(self.connections)}


@dataclass(frozen=True, slots=True)
class ServerTls:
    """A gateway server's tls block."""

    mode: str  # SIMPLE, MUTUAL, OPTIONAL_MUTUAL, ISTIO_MUTUAL, PASSTHROUGH, AUTO_PASSTHROUGH
    credential_name: str = ""
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    subject_alt_names: tuple[str, ...] = ()
    minimum_version: str = ""
    maximum_version: str = ""
    cipher_suites: tuple[str, ...] = ()
    certificate_hashes: tuple[str, ...] = ()
    certificate_spki: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayServer:
    """One server of a Gateway as this gateway pod opens it."""

    port: int  # that the pod listens on
    service_port: int  # that the Gateway names
    protocol: Protocol
    hosts: tuple[str, ...]
    name: str = ""
    bind: str = ""
    tls: ServerTls | None = None
    # HTTP: the name of its route table in the pod's `outbound.route_tables`.
    route_table: str = ""
    # TCP and TLS passthrough.
    connections: tuple[ConnectionRoute, ...] = ()
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod and its proxy."""

    name: str
    namespace: str
    labels: Labels
    identity: Identity
    address: str
    proxy: Proxy = Proxy.SIDECAR
    workload: str = ""  # its Deployment or StatefulSet; its own name if it stands alone
    locality: Locality = Locality()
    ready: bool = True
    inbound: tuple[Inbound, ...] = ()
    # The mode of ports that `inbound` does not list.
    default_mtls: Mtls = Mtls.PERMISSIVE
    access: tuple[AccessPolicy, ...] = ()
    jwt: tuple[JwtRule, ...] = ()
    outbound: Outbound = Outbound()
    servers: tuple[GatewayServer, ...] = ()
    server_telemetry: Telemetry = Telemetry()
    client_telemetry: Telemetry = Telemetry()
    patches: tuple[Patch, ...] = ()  # of its proxy's configuration, in the order in which they are applied
    env: dict[str, str] = field(default_factory=dict)  # of its proxy: what span tags may read

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def as_run(self) -> "Pod":
        """Itself without what its proxy is told: what is started for it is made of this."""
        bare = replace(self.without_peers, access=(), jwt=(), patches=(), inbound=(), servers=())
        return replace(bare, server_telemetry=Telemetry(), client_telemetry=Telemetry())

    @property
    def without_peers(self) -> "Pod":
        """Itself, calling nobody: what it takes calls with is made of this."""
        return replace(self, outbound=Outbound())

    @property
    def as_client(self) -> "Pod":
        """Itself without its peers, what it serves and who may call it: what it calls with is made of this."""
        return replace(self, outbound=Outbound(), inbound=(), access=(), jwt=(), servers=())

    @property
    def without_tables(self) -> "Pod":
        """Itself, with upstreams and connections, but no route tables: a gateway's listeners are made of this."""
        return replace(self, outbound=replace(self.outbound, route_tables=()))

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The sides of its proxy."""
        at_gateway = self.proxy is Proxy.GATEWAY
        return (Direction.GATEWAY,) if at_gateway else (Direction.OUTBOUND, Direction.INBOUND)

    @property
    def server_ports(self) -> dict[int, set[int]]:
        """Of a gateway: the ports that Gateways name, by the port that it listens on for them."""
        found: dict[int, set[int]] = {}
        for server in self.servers:
            found.setdefault(server.port, set()).add(server.service_port)
        return found
