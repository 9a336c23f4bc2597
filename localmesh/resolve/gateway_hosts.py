"""The route tables of a gateway: its servers' hosts where they meet those of VirtualServices."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from localmesh.memo import Memo
from localmesh.mesh.routes import HttpRoute, RouteTable, VirtualHost
from localmesh.resolve.gateway_servers import Opened
from localmesh.resolve.hosts import intersection, is_wildcard
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.virtual_services import VirtualServices


@dataclass(frozen=True, slots=True)
class Host:
    """One host on its way into the table."""

    name: str
    port: int
    routes: tuple[HttpRoute, ...]
    require_tls: bool


def table(
    name: str,
    servers: Iterable[Opened],
    translation: Callable[[Opened], Translation],
    virtual_services: VirtualServices,
    kept: Memo,
) -> RouteTable:
    """All hosts of the servers that share this table; without any, a host that knows no route.

    `kept`: of the last time.
    """
    hosts: dict[str, Host] = {}
    port = 0
    for index, each in enumerate(servers):
        port = port or each.written.port.number
        made = translation(each)
        redirects = each.written.tls is not None and each.written.tls.https_redirect
        for bound in virtual_services.seen(made.namespace, each.name).bound:
            shared = intersection(each.hosts_for(bound.namespace), bound.hosts)
            # By server: hosts of two servers that lead the same way are not one (see _collapsed).
            key = ("routes", name, index, bound.config)
            routes = kept.made(key, Translation.routes, made, bound) if shared else ()
            _add(hosts, shared if routes else (), routes, made.port, redirects)
        for _, host in each.owned_hosts if redirects else ():
            known = hosts.get(host, Host(host, made.port, (), True))
            hosts[host] = replace(known, require_tls=True)
    if not hosts:
        return RouteTable(name, (VirtualHost(f"blackhole:{port}", ("*",), ()),))
    found = (
        VirtualHost(f"{each.name}:{each.port}", (each.name,), _catch_all_last(each.routes), each.require_tls, each.name)
        for each in hosts.values()
    )
    return RouteTable(name, tuple(sorted(_collapsed(found), key=lambda host: host.name)))


def _add(
    hosts: dict[str, Host], shared: Iterable[str], routes: tuple[HttpRoute, ...], port: int, redirects: bool
) -> None:
    for host in shared:
        known = hosts.get(host, Host(host, port, (), False))
        hosts[host] = replace(known, routes=known.routes + routes, require_tls=known.require_tls or redirects)


def _catch_all_last(routes: tuple[HttpRoute, ...]) -> tuple[HttpRoute, ...]:
    """Several VirtualServices of one host are one list, so that one's catch-all does not hide another's routes."""
    return tuple(sorted(routes, key=lambda route: route.match.is_catch_all))


def _collapsed(hosts: Iterable[VirtualHost]) -> Iterator[VirtualHost]:
    """Hosts with the same routes are one, called after the most specific of them."""
    found: dict[tuple[object, ...], VirtualHost] = {}
    for each in sorted(hosts, key=lambda each: (is_wildcard(each.host), -len(each.host), each.host)):
        key = (tuple(id(route) for route in each.routes), each.require_tls)
        known = found.get(key)
        found[key] = each if known is None else replace(known, domains=known.domains + each.domains)
    yield from found.values()
