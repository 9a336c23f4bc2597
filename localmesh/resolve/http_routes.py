"""The http routes of a VirtualService -> our routes, for one client at one port."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from localmesh.manifests.istio.common import Destination, Percent
from localmesh.manifests.istio.virtual_service import HTTPMatchRequest, HTTPRoute, HTTPRouteDestination
from localmesh.mesh.identity import Labels
from localmesh.mesh.routes import (
    Forward,
    HttpRoute,
    Mirror,
    Redirect,
    RequestMatch,
    Respond,
    Rewrite,
    Target,
    WeightedTarget,
)
from localmesh.mesh.upstreams import HashOn
from localmesh.resolve.answers import cors, fault, redirect, response
from localmesh.resolve.headers import header_ops, joined, without_authority
from localmesh.resolve.matches import applies, request_match
from localmesh.resolve.retries import retry
from localmesh.resolve.settings import Settings
from localmesh.resolve.virtual_services import Bound


class Registry(Protocol):
    """What a client knows of the hosts that routes lead to."""

    def port_of(self, host: str, listener: int) -> int:
        """The port of a destination that names none: at a gateway a service's only one, else the listener's."""

    def hash_of(self, target: Target) -> HashOn | None:
        """What the DestinationRule of this target hashes."""


@dataclass(frozen=True, slots=True)
class Translation:
    """Whom routes are made for: a client in a namespace, at a gateway (`mesh` for sidecars) and a port."""

    namespace: str
    labels: Labels
    gateway: str
    port: int
    registry: Registry
    settings: Settings
    is_tls: bool = False  # a gateway's server that ends TLS

    def routes(self, bound: Bound) -> tuple[HttpRoute, ...]:
        """In order. What comes after a route that catches everything is never reached, and left out."""
        found = []
        for route in self._candidates(bound):
            found.append(route)
            if route.match.is_catch_all:
                break
        return tuple(found)

    def _candidates(self, bound: Bound) -> Iterator[HttpRoute]:
        for written in bound.http:
            if not written.match:
                yield self._route(written, None, bound)
            for match in written.match:
                if applies(match, self.gateway, self.port, self.namespace, self.labels):
                    yield self._route(written, match, bound)

    def _route(self, written: HTTPRoute, match: HTTPMatchRequest | None, bound: Bound) -> HttpRoute:
        headers = written.headers
        request_headers, authority = without_authority(header_ops(headers.request if headers else None))
        response_headers = header_ops(headers.response if headers else None)
        action: Redirect | Respond | Forward
        if written.redirect is not None:
            action = redirect(written.redirect, self.port, is_tls=self.is_tls, gateway_api=bound.gateway_api)
        elif written.direct_response is not None:
            action = response(written.direct_response)
        else:
            targets = self._targets(written.route)
            if len(targets) == len(written.route) == 1:  # its own headers are then the route's
                only = targets[0]
                of_target, named = without_authority(only.request_headers)
                authority = named or authority
                request_headers = joined(request_headers, of_target)
                response_headers = joined(response_headers, only.response_headers)
                targets = (WeightedTarget(only.target, only.weight),)
            action = self._forward(written, targets, authority, unknown_is_500=bound.gateway_api)
        return HttpRoute(
            name=_name(written, match),
            action=action,
            match=RequestMatch() if match is None else request_match(match, by_segment=bound.gateway_api),
            fault=fault(written.fault),
            cors=cors(written.cors_policy),
            request_headers=request_headers,
            response_headers=response_headers,
            where=written.where,
            config=bound.config,
        )

    def _forward(
        self,
        written: HTTPRoute,
        targets: tuple[WeightedTarget, ...],
        authority: str | None,
        *,
        unknown_is_500: bool,
    ) -> Forward:
        hashes = [each for each in (self.registry.hash_of(target.target) for target in targets) if each is not None]
        hashed = bool(hashes) and len(written.route) == 1
        return Forward(
            targets=targets,
            timeout=written.timeout,
            retry=retry(written.retries or self.settings.retry, hashed=hashed),
            rewrite=_rewrite(written, authority),
            mirrors=tuple(self._mirrors(written)),
            hash_on=hashes[-1] if hashes else None,
            unknown_is_500=unknown_is_500,
        )

    def _targets(self, written: tuple[HTTPRouteDestination, ...]) -> tuple[WeightedTarget, ...]:
        """A destination alone takes all; of several those of weight 0 are left out, the others keep theirs."""
        return tuple(
            WeightedTarget(
                self.target(each.destination),
                (each.weight or 0) if len(written) > 1 else 0,
                header_ops(each.headers.request if each.headers else None),
                header_ops(each.headers.response if each.headers else None),
            )
            for each in written
            if each.weight or len(written) == 1
        )

    def target(self, destination: Destination) -> Target:
        """The cluster of a destination, whose host is a full name already."""
        port = destination.port.number if destination.port else self.registry.port_of(destination.host, self.port)
        return Target(destination.host, port, destination.subset or "")

    def _mirrors(self, written: HTTPRoute) -> Iterator[Mirror]:
        """A mirror of 0 % is none."""
        if written.mirror is not None:
            whole = 100 if written.mirror_percent is None else written.mirror_percent
            yield from _mirror(self.target(written.mirror), written.mirror_percentage, whole)
        for each in written.mirrors:
            yield from _mirror(self.target(each.destination), each.percentage, 100)


def _mirror(target: Target, percentage: Percent | None, whole: int) -> Iterator[Mirror]:
    """By `percentage`, or else by a whole number; 0 % is no mirror."""
    mirror = Mirror(target, float(whole)) if percentage is None else Mirror(target, percentage.value or 0.0, False)
    if mirror.percent > 0:
        yield mirror


def _name(written: HTTPRoute, match: HTTPMatchRequest | None) -> str:
    name = written.name or ""
    return f"{name}.{match.name}" if match is not None and match.name else name


def _rewrite(written: HTTPRoute, authority: str | None) -> Rewrite | None:
    rewrite = written.rewrite
    if rewrite is None:
        return Rewrite(authority=authority) if authority else None
    by_regex = rewrite.uri_regex_rewrite
    return Rewrite(
        path=rewrite.uri or None,
        authority=rewrite.authority or authority or None,
        regex=by_regex.match if by_regex else None,
        regex_substitution=(by_regex.rewrite or "") if by_regex else "",
    )
