"""Messages that several kinds of the Gateway API share: references, backends, headers, filters of both routes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from localmesh.manifests.record import DurationForm, Int32, Port, Range, Record

GROUP = "gateway.networking.k8s.io"

GatewayDuration = Annotated[float, DurationForm(least=0.0, multiple_of=0.001)]
"""Seconds, whole milliseconds (GEP-2257); 0 switches a timeout off."""
Weight = Annotated[int, Range(0, 1_000_000, "weight")]
Percentage = Annotated[int, Range(0, 100, "percentage")]
MatchType = Literal["Exact", "RegularExpression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentReference(Record):
    """What a route attaches to: a Gateway (a listener of it by name or port), or a Service or ServiceEntry (GAMMA)."""

    name: str
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str | None = None
    section_name: str | None = None
    port: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendObjectReference(Record):
    """A Service by name and port; or, with Istio's kind `Hostname`, any host of the registry."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedMatch(Record):
    """A header or query parameter whose value is this, or matches this RE2 expression as a whole."""

    name: str
    value: str
    type: MatchType = "Exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPHeader(Record):
    """A header and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFilter(Record):
    """Headers to overwrite, to append to and to remove."""

    set: tuple[HTTPHeader, ...] = ()
    add: tuple[HTTPHeader, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraction(Record):
    """A share of the requests as a fraction."""

    numerator: Int32
    denominator: Int32 = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMirrorFilter(Record):
    """Where a copy of the request goes, and how often: always, if neither share is written."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("percent", "fraction"),)

    backend_ref: BackendObjectReference
    percent: Percentage | None = None
    fraction: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFilter(Record):
    """What filters of both kinds of route can do. `type` names the one field that is set with it."""

    request_header_modifier: HeaderFilter | None = None
    response_header_modifier: HeaderFilter | None = None
    request_mirror: RequestMirrorFilter | None = None
