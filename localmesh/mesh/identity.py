"""Who a pod is, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

Labels = Mapping[str, str]
Seconds = float


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """A workload's name in its certificate. See SPIFFE-ID, section 2, and Istio's convention for the path."""

    trust_domain: str
    namespace: str
    service_account: str

    @property
    def uri(self) -> str:
        """`spiffe://<trust domain>/ns/<namespace>/sa/<service account>`."""
        return f"spiffe://{self.principal}"

    @property
    def principal(self) -> str:
        """The same without the scheme, as AuthorizationPolicy writes it."""
        return f"{self.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"


@dataclass(frozen=True, slots=True, order=True)
class Locality:
    """Region, zone and subzone of a node; empty where unknown."""

    region: str = ""
    zone: str = ""
    subzone: str = ""


class Protocol(Enum):
    """What a port speaks, by its appProtocol or the prefix of its name. UNKNOWN ports are sniffed."""

    HTTP = "http"
    HTTP2 = "http2"
    GRPC = "grpc"
    GRPC_WEB = "grpc-web"
    HTTPS = "https"
    TLS = "tls"
    TCP = "tcp"
    MONGO = "mongo"
    MYSQL = "mysql"
    REDIS = "redis"
    UDP = "udp"
    UNKNOWN = ""

    @property
    def is_http(self) -> bool:
        """Routed by its requests."""
        return self in {Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB}

    @property
    def is_http2(self) -> bool:
        """Spoken to in HTTP/2 without asking."""
        return self in {Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB}

    @property
    def is_sniffed(self) -> bool:
        """HTTP or not is found out from the first bytes of each connection."""
        return self is Protocol.UNKNOWN
