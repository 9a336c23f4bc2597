"""Places in a filter chain whose content Envoy swaps while connections stay open (extension config discovery).

A policy that is part of a listener changes the listener, and connections already open keep the old one until they
drain. A slot is always there, and without a policy its filter lets everything pass; so the first policy, and the last
one's end, are in force from the next call on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from envoy.config.core.v3 import config_source_pb2, extension_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from google.protobuf.message import Message

from localmesh.mesh import Mesh
from localmesh.mesh.pods import Pod, Proxy
from localmesh.mesh.security import AccessPolicy, JwtRule
from localmesh.xds.filters import Policy, asking, kinds, policies, policies_of, question
from localmesh.xds.references import references
from localmesh.xds.snapshot import Resource, resource
from localmesh.xds.wire import ads, pack

_URL = "type.googleapis.com/"


def slot_name(what: str) -> str:
    """The filter's name, which is its resource's: `policy.deny`."""
    return f"policy.{what}"


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of one pod: `kinds` in order, and of those that hold a policy the filter that was compiled for it."""

    kinds: tuple[str, ...]
    compiled: Mapping[tuple[str, bytes], str]  # name and content of the filter -> kind


def slots(mesh: Mesh, pod: Pod) -> Slots:
    """Those of this pod."""
    return Slots(kinds(mesh), {(one.name, pack(one.config).value): one.what for one in policies(mesh, pod)})


def in_slots(filters: Iterable[hcm.HttpFilter], known: Slots) -> list[hcm.HttpFilter]:
    """The filters with a slot for each kind of policy, in place of the policies' own filters.

    Where a policy's filter is not there as it was compiled, an EnvoyFilter has patched it, and all of them stay as they
    are: to take them for the policies would undo the patch.
    """
    filters = list(filters)
    placed = [known.compiled.get((one.name, one.typed_config.value)) for one in filters]
    waiting = {what: _slot(what) for what in known.kinds}
    if [what for what in placed if what] != [kind for kind in waiting if kind in known.compiled.values()]:
        return filters
    made: list[hcm.HttpFilter] = []
    last = 0
    for one, what in zip(filters, placed, strict=True):
        if what is None:
            made.append(one)
            continue
        for kind in list(waiting):
            made.append(waiting.pop(kind))
            last = len(made)
            if kind == what:
                break
    return [*made[:last], *waiting.values(), *made[last:]]


def listening(pod: Pod) -> Pod:
    """The pod without the policies that slots hold for it: its listeners are made of this.

    Those that judge connections are in the listeners themselves, and patches look for all of them there.
    """
    at_gateway = pod.proxy is Proxy.GATEWAY
    by_connection = (not one.route_table for one in pod.servers) if at_gateway else _without_requests(pod)
    return pod if pod.patches or any(by_connection) else replace(pod, access=(), jwt=())


def _without_requests(pod: Pod) -> Iterator[bool]:
    return (not port.protocol.is_http for port in pod.inbound if not port.passthrough)


def contents(
    mesh: Mesh, proxy: Proxy, rights: tuple[AccessPolicy, ...], issuers: tuple[JwtRule, ...]
) -> list[Resource]:
    """What the slots hold: the policies, and in the others a filter that lets everything pass.

    A filter that asks is always the whole of it: it acts only where a rule before it has matched.
    """
    found = {one.what: one for one in (*map(question, mesh.authorizers), *policies_of(mesh, proxy, rights, issuers))}
    return [_content(what, found.get(what)) for what in kinds(mesh)]


def _content(what: str, policy: Policy | None) -> Resource:
    name = slot_name(what)
    config = policy.config if policy else _empty(what)
    extension = extension_pb2.TypedExtensionConfig(name=name, typed_config=pack(config))
    needs = references(config) if what.startswith(asking("")) else ()  # of the others none refers to anything
    return resource(name, extension, needs, policy.origins if policy else ())


def _slot(what: str) -> hcm.HttpFilter:
    discovery = config_source_pb2.ExtensionConfigSource(
        config_source=ads(), type_urls=[_URL + _empty(what).DESCRIPTOR.full_name]
    )
    return hcm.HttpFilter(name=slot_name(what), config_discovery=discovery)


def _empty(what: str) -> Message:
    if what == "jwt":
        empty: Message = jwt_pb2.JwtAuthentication()
    elif what.startswith(asking("")):
        empty = ext_authz_pb2.ExtAuthz()
    else:
        empty = rbac_pb2.RBAC()
    return empty
