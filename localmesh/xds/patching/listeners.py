"""Patches of network filters, and of the HTTP filters within connection managers (envoyfilter/listener_patch.go)."""

from collections.abc import Sequence

from envoy.config.listener.v3 import listener_components_pb2 as components
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from localmesh.mesh.patches import Direction, InListeners, Part, Patch
from localmesh.xds import names
from localmesh.xds.patching.lists import Fits, change
from localmesh.xds.patching.routes import patch_route_table
from localmesh.xds.patching.values import is_merge, merge_filter, of, value
from localmesh.xds.wire import pack

MANAGER = "envoy.filters.network.http_connection_manager"
# One listener for many ports, which its chains tell apart.
_VIRTUAL = {names.VIRTUAL_INBOUND, names.VIRTUAL_OUTBOUND}


def patch_listener(listener: listener_pb2.Listener, patches: Sequence[Patch], direction: Direction) -> None:
    """Applies patches to the filters of all chains, and to the routes that are written inside of them."""
    if not patches:
        return
    chains = [*listener.filter_chains]
    if listener.HasField("default_filter_chain"):
        chains.append(listener.default_filter_chain)
    for chain in chains:
        if chain.filters:
            _patch_routes(chain, patches, direction)
            _patch_chain(listener, chain, patches, direction)


def _patch_routes(chain: components.FilterChain, patches: Sequence[Patch], direction: Direction) -> None:
    for one in chain.filters:
        manager = _manager(one)
        if manager is not None and manager.HasField("route_config"):
            patch_route_table(manager.route_config, patches, direction)
            one.typed_config.CopyFrom(pack(manager))


def _patch_chain(
    listener: listener_pb2.Listener, chain: components.FilterChain, patches: Sequence[Patch], direction: Direction
) -> None:
    network = [one for one in of(patches, Part.NETWORK_FILTER, direction) if _is_in(listener, chain, one.listeners)]
    for patch in network:
        if not is_merge(patch):
            change(chain.filters, patch, _called(patch.listeners.filter))
    http = [one for one in of(patches, Part.HTTP_FILTER, direction) if _is_in(listener, chain, one.listeners)]
    for each in chain.filters:
        for patch in network:
            if is_merge(patch) and patch.listeners.filter in {None, each.name}:
                merge_filter(each, value(patch))
        if each.name == MANAGER:
            _patch_manager(each, [one for one in http if one.listeners.filter in {None, each.name}])


def _patch_manager(one: components.Filter, patches: list[Patch]) -> None:
    manager = _manager(one)
    if manager is None or not patches:
        return
    for patch in patches:
        if not is_merge(patch):
            change(manager.http_filters, patch, _called(patch.listeners.sub_filter))
    for each in manager.http_filters:
        for patch in patches:
            if is_merge(patch) and patch.listeners.sub_filter in {None, each.name}:
                merge_filter(each, value(patch))
    one.typed_config.CopyFrom(pack(manager))


def _called(name: str | None) -> Fits | None:
    """Whether a filter has the name; None where none is named."""
    return None if name is None else lambda one: bool(one.name == name)


def _manager(one: components.Filter) -> hcm.HttpConnectionManager | None:
    if not one.typed_config.Is(hcm.HttpConnectionManager.DESCRIPTOR):
        return None
    manager = hcm.HttpConnectionManager()
    one.typed_config.Unpack(manager)
    return manager


def _is_in(listener: listener_pb2.Listener, chain: components.FilterChain, match: InListeners) -> bool:
    """Whether a chain of a listener is meant."""
    own = chain.filter_chain_match
    virtual = listener.name in _VIRTUAL
    port = own.destination_port.value if virtual else listener.address.socket_address.port_value
    return (
        match.listener in {"", listener.name}
        and match.port in {0, port}
        and match.chain in {"", chain.name}
        and (not match.sni or match.sni in own.server_names)
        and match.transport in {"", own.transport_protocol}
        and set(match.alpn) <= set(own.application_protocols)
        and match.destination_port in {0, own.destination_port.value}
    )
