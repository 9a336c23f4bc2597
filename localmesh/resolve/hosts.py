"""Host names as Istio reads them: short names, wildcards, and the names by which a service is known to a client.

Sources: Istio's reference on VirtualService.hosts, and istiod's ResolveShortnameToFQDN, host.Name and
generateVirtualHostDomains, as seen in its output.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Generic, TypeVar

from localmesh.mesh import Service
from localmesh.mesh.services import Resolution

CLUSTER_DOMAIN = "svc.cluster.local"
T = TypeVar("T")


def service_host(name: str, namespace: str) -> str:
    """The full name of a Kubernetes service."""
    return f"{name}.{namespace}.{CLUSTER_DOMAIN}"


def qualified(host: str, namespace: str) -> str:
    """The name that `host` stands for in a document of `namespace`: only a name without any dot is short."""
    if "." in host or host in {"", "*"} or _is_address(host):
        return host
    return service_host(host, namespace)


def is_wildcard(host: str) -> bool:
    """`*`, `*.example.com`, `*example.com`."""
    return host.startswith("*")


def matches(host: str, pattern: str) -> bool:
    """Whether every name that `host` stands for is one that `pattern` stands for."""
    return host.endswith(pattern[1:]) if is_wildcard(pattern) else host == pattern


def intersection(servers: Iterable[str], hosts: Iterable[str]) -> tuple[str, ...]:
    """Of each pair of a gateway's and a VirtualService's host the narrower, where one holds the other."""
    found: dict[str, None] = {}
    wanted = tuple(hosts)
    for server in servers:
        for host in wanted:
            if matches(host, server):
                found[host] = None
            elif matches(server, host):
                found[server] = None
    return tuple(found)


class HostIndex(Generic[T]):
    """Values by exact or wildcard host; the most specific one is found in the length of the name."""

    def __init__(self) -> None:
        self.exact: dict[str, T] = {}
        self.wildcard: dict[str, T] = {}

    def put_first(self, host: str, value: T) -> T:
        """Keeps what is there already, and returns it."""
        return (self.wildcard if is_wildcard(host) else self.exact).setdefault(host, value)

    def most_specific(self, host: str) -> T | None:
        """The value of the host itself, or else of its longest wildcard."""
        if host in self.exact:
            return self.exact[host]
        if not self.wildcard:
            return None
        name = host[1:] if is_wildcard(host) else host
        suffixes = (f"*{name[start:]}" for start in range(len(name) + 1))
        return next((self.wildcard[each] for each in suffixes if each in self.wildcard), None)


def domains(service: Service, port: int, client_namespace: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The authorities by which a client asks for a port, in istiod's order; and those of them that are short."""
    short: tuple[str, ...] = ()
    in_kubernetes = service.host.endswith(f".{CLUSTER_DOMAIN}")
    if in_kubernetes:
        name, _, namespace = service.host.removesuffix(f".{CLUSTER_DOMAIN}").partition(".")
        if namespace == client_namespace:
            short = (name, f"{name}.{namespace}.svc", f"{name}.{namespace}")
        else:
            short = (f"{name}.{namespace}", f"{name}.{namespace}.svc")
    names = (service.host, f"{service.host}.", *short)
    if service.resolution is Resolution.PASSTHROUGH and in_kubernetes:
        names += tuple(f"*.{each}" for each in names)
    addresses = tuple(f"[{each}]" if ":" in each else each for each in service.addresses_of(port) if "/" not in each)
    return names + addresses[:1], short


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
