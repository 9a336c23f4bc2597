"""Where a pod stands on this machine: what takes the place of a node's network and of iptables capture."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Dial:
    """A name that a pod's app dials, and the listener at its own sidecar that stands for it."""

    host: str  # the service's full host name
    port: int
    listen_address: str
    listen_port: int
    # What the request's authority is when it leaves the sidecar: the name as the manifest has it.
    authority: str


@dataclass(frozen=True, slots=True)
class Placement:
    """One pod's addresses. Without a placement a pod gets an address of the cluster's kind and counts as ready."""

    address: str
    ready: bool = True
    # Workload port -> where the app itself listens: `unix:/path`, or `127.x.y.z:port`.
    apps: dict[int, str] = field(default_factory=dict)
    dials: tuple[Dial, ...] = ()
    # Of a gateway: port that it listens on -> further address on this machine, as (address, port).
    exposed: dict[int, tuple[str, int]] = field(default_factory=dict)
