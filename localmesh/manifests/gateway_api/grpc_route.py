"""GRPCRoute: how gRPC calls are matched by service and method, changed and sent to backends."""

from dataclasses import dataclass
from typing import Literal

from localmesh.manifests.gateway_api.common import (
    BackendObjectReference,
    MatchType,
    NamedMatch,
    ParentReference,
    RouteFilter,
    Weight,
)
from localmesh.manifests.record import Record, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCMethodMatch(Record):
    """A service, a method, or both."""

    type: MatchType = "Exact"
    service: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCRouteMatch(Record):
    """One condition; all that is set must hold."""

    method: GRPCMethodMatch | None = None
    headers: tuple[NamedMatch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCRouteFilter(RouteFilter):
    """One filter of a rule or of a backend."""

    type: Literal["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCBackendRef(BackendObjectReference):
    """A backend with its share of the calls."""

    weight: Weight = 1
    filters: tuple[GRPCRouteFilter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCRouteRule(Record):
    """Matches (any of them; none: every call) and what then happens."""

    name: str | None = None
    matches: tuple[GRPCRouteMatch, ...] = ()
    filters: tuple[GRPCRouteFilter, ...] = ()
    backend_refs: tuple[GRPCBackendRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCRouteSpec(Record):
    """Parents, host names (none: those of the listener) and rules."""

    parent_refs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[GRPCRouteRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCRoute(Resource):
    """A GRPCRoute document."""

    spec: GRPCRouteSpec
