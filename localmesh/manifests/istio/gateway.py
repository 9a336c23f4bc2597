"""Gateway: which ports, hosts and certificates a gateway workload serves (networking.istio.io)."""

from collections.abc import Mapping
from dataclasses import dataclass

from localmesh.manifests.istio.common import ServerPort, ServerTLSSettings
from localmesh.manifests.record import Record, Resource, empty_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Record):
    """One port with its hosts; a host may be written `namespace/host`."""

    port: ServerPort
    hosts: tuple[str, ...]
    bind: str | None = None
    tls: ServerTLSSettings | None = None
    default_endpoint: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySpec(Record):
    """The servers, and the labels of the pods that serve them (in every namespace)."""

    servers: tuple[Server, ...] = ()
    selector: Mapping[str, str] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway(Resource):
    """A Gateway document."""

    spec: GatewaySpec
