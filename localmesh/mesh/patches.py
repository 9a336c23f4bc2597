"""Changes to the generated configuration itself, in Envoy's words: the one place where these enter the model."""

from dataclasses import dataclass
from enum import Enum

from localmesh.errors import Where


class Part(Enum):
    """What is changed."""

    NETWORK_FILTER = "network-filter"
    HTTP_FILTER = "http-filter"
    ROUTE_TABLE = "route-table"
    VIRTUAL_HOST = "virtual-host"
    ROUTE = "route"
    CLUSTER = "cluster"


class Change(Enum):
    """How it is changed."""

    MERGE = "merge"
    ADD = "add"
    REMOVE = "remove"
    INSERT_FIRST = "insert-first"
    INSERT_BEFORE = "insert-before"
    INSERT_AFTER = "insert-after"
    REPLACE = "replace"


class Direction(Enum):
    """Whose calls."""

    ANY = "any"
    INBOUND = "inbound"  # those that a sidecar takes
    OUTBOUND = "outbound"  # those of a sidecar's app
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class InListeners:
    """Which filters. What is empty or 0 matches all; `filter` or `sub_filter` None: no filter is named."""

    listener: str = ""
    port: int = 0
    chain: str = ""
    sni: str = ""
    transport: str = ""
    alpn: tuple[str, ...] = ()
    destination_port: int = 0
    filter: str | None = None
    sub_filter: str | None = None


@dataclass(frozen=True, slots=True)
class InRoutes:
    """Which route tables, virtual hosts or routes. What is empty or 0 matches all; `route` None: no route is named."""

    table: str = ""
    port: int = 0
    port_name: str = ""
    gateway: str = ""
    host: str = ""
    domain: str = ""
    route: str | None = None
    action: str = ""  # ROUTE, REDIRECT or DIRECT_RESPONSE


@dataclass(frozen=True, slots=True)
class InClusters:
    """Which clusters. What is empty or 0 matches all."""

    name: str = ""
    service: str = ""
    subset: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Patch:
    """One change. `value` is the message of Envoy's API as JSON; "" where there is none to give."""

    part: Part
    change: Change
    direction: Direction = Direction.ANY
    listeners: InListeners = InListeners()
    routes: InRoutes = InRoutes()
    clusters: InClusters = InClusters()
    value: str = ""
    where: Where | None = None
