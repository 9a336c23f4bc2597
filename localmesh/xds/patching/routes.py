"""Patches of route tables, virtual hosts and routes (envoyfilter/rc_patch.go)."""

from collections.abc import Mapping, Sequence

from envoy.config.route.v3 import route_components_pb2 as routes
from envoy.config.route.v3 import route_pb2

from localmesh.mesh.patches import Change, Direction, InRoutes, Part, Patch
from localmesh.xds.patching.lists import Fits, change
from localmesh.xds.patching.values import is_merge, merge, of, value

# What a route does, by the field that says it.
_ACTIONS = {"route": "ROUTE", "redirect": "REDIRECT", "direct_response": "DIRECT_RESPONSE"}
Ports = Mapping[int, set[int]]


def patch_route_table(
    table: route_pb2.RouteConfiguration, patches: Sequence[Patch], direction: Direction, ports: Ports | None = None
) -> None:
    """Applies patches. `ports`: of a gateway, the ports that its servers name, by the port that it listens on."""
    if not patches:
        return

    def here(part: Part) -> list[Patch]:
        return [one for one in of(patches, part, direction) if _is_table(table.name, one.routes, direction, ports)]

    for patch in here(Part.ROUTE_TABLE):
        if is_merge(patch):
            merge(table, value(patch))
    on_hosts, on_routes = here(Part.VIRTUAL_HOST), here(Part.ROUTE)
    kept = [made for host in table.virtual_hosts if (made := _patched_host(host, on_hosts, on_routes)) is not None]
    kept += [value(patch) for patch in on_hosts if patch.change is Change.ADD]
    del table.virtual_hosts[:]
    table.virtual_hosts.extend(kept)


def _patched_host(host: routes.VirtualHost, on_hosts: list[Patch], on_routes: list[Patch]) -> routes.VirtualHost | None:
    """None: it is removed."""
    for patch in on_hosts:
        if not _is_host(host, patch.routes):
            continue
        if patch.change is Change.REMOVE:
            return None
        if is_merge(patch):
            merge(host, value(patch))
        elif patch.change is Change.REPLACE:
            host = value(patch)
    _patch_routes(host, [one for one in on_routes if _is_host(host, one.routes)])
    return host


def _patch_routes(host: routes.VirtualHost, patches: list[Patch]) -> None:
    kept = []
    for route in host.routes:
        removed = False
        for patch in patches:
            if removed or not _is_route(route, patch.routes):
                continue
            removed = patch.change is Change.REMOVE
            if is_merge(patch):
                merge(route, value(patch))
        if not removed:
            kept.append(route)
    del host.routes[:]
    host.routes.extend(kept)
    for patch in patches:
        fits = _called(patch.routes)
        if patch.change is Change.INSERT_FIRST and fits is not None and not any(map(fits, host.routes)):
            continue
        if patch.change in {Change.ADD, Change.INSERT_FIRST, Change.INSERT_BEFORE, Change.INSERT_AFTER}:
            change(host.routes, patch, fits)


def _called(match: InRoutes) -> Fits | None:
    """Whether a route is the one that is named; None where none is named."""
    return None if match.route is None else lambda route: _is_route(route, match)


def _is_table(name: str, match: InRoutes, direction: Direction, ports: Ports | None) -> bool:
    if match.table not in {"", name}:
        return False
    parts = name.split(".")
    if direction is not Direction.GATEWAY:
        inbound = name.split("|")
        number = inbound[1] if name.startswith("inbound|") else name
        return match.port in {0, int(number) if number.isdigit() else 0}
    port, port_name, gateway = 0, "", ""
    if parts[0] in {"http", "https"} and len(parts) > 1 and parts[1].isdigit():
        port = int(parts[1])
    if parts[0] == "https" and len(parts) >= 5:
        port_name, gateway = parts[2], f"{parts[4]}/{parts[3]}"
    named = (ports or {}).get(port, {port})
    return (
        (match.port == 0 or match.port in named)
        and match.port_name in {"", port_name}
        and match.gateway in {"", gateway}
    )


def _is_host(host: routes.VirtualHost, match: InRoutes) -> bool:
    return match.host in {"", host.name} and (not match.domain or match.domain in host.domains)


def _is_route(route: routes.Route, match: InRoutes) -> bool:
    action = _ACTIONS.get(route.WhichOneof("action") or "", "")
    return match.route in {None, "", route.name} and (not match.action or not action or match.action == action)
