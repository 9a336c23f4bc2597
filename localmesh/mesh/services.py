"""What can be called: services, their ports, and the endpoints behind them."""

from dataclasses import dataclass, field
from enum import Enum

from localmesh.mesh.identity import Identity, Labels, Locality, Protocol


class Resolution(Enum):
    """How a client finds the endpoints of a service."""

    ENDPOINTS = "endpoints"  # told by the control plane
    PASSTHROUGH = "passthrough"  # the address that the client dialed (headless services, ServiceEntry NONE)
    DNS = "dns"  # looked up by the proxy
    DNS_ROUND_ROBIN = "dns-round-robin"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a service."""

    number: int
    name: str
    protocol: Protocol
    # The same port as the pods have it; None where it differs from pod to pod (a named targetPort).
    target: int | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One pod (or other address) behind one port of a service."""

    address: str  # an IP address, a host name (DNS resolution), or a Unix socket path
    port: int  # 0 for a Unix socket
    labels: Labels = field(default_factory=dict)
    identity: Identity | None = None
    # Its sidecar takes mTLS: the pod has one and no server-side DISABLE is in force for this port.
    mtls: bool = False
    locality: Locality = Locality()
    weight: int = 1
    ready: bool = True
    workload: str = ""  # the name of its Deployment or StatefulSet
    namespace: str = ""
    pod: str = ""
    network: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A name that can be called."""

    host: str  # `user.mesh.svc.cluster.local`, or a ServiceEntry's host
    name: str
    namespace: str
    ports: tuple[ServicePort, ...]
    resolution: Resolution = Resolution.ENDPOINTS
    # Cluster IPs or declared addresses; empty for a headless service.
    addresses: tuple[str, ...] = ()
    # By port, where another document for the same host says something else.
    addresses_at: dict[int, tuple[str, ...]] = field(default_factory=dict)
    # All endpoints by service port number, also those that are not ready.
    endpoints: dict[int, tuple[Endpoint, ...]] = field(default_factory=dict)
    # The identities a client accepts from it under mTLS.
    identities: tuple[Identity, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    external: bool = False  # made by a ServiceEntry with MESH_EXTERNAL, or an ExternalName
    labels: Labels = field(default_factory=dict)

    def addresses_of(self, port: int) -> tuple[str, ...]:
        """Its addresses as callers of one port know them."""
        return self.addresses_at.get(port, self.addresses)

    def port(self, number: int) -> ServicePort | None:
        """The port of this number."""
        return next((port for port in self.ports if port.number == number), None)
