"""Places in a filter chain whose content Envoy swaps while connections stay open (extension config discovery).

A policy that is part of a listener changes the listener, and connections already open keep the old one until they
drain. A slot is always there, and without a policy its filter lets everything pass; so the first policy, and the last
one's end, are in force from the next call on.
"""

from collections.abc import Iterable

from envoy.config.core.v3 import config_source_pb2, extension_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from google.protobuf.message import Message

from localmesh.xds.filters import JWT, POLICIES, RBAC, Policy
from localmesh.xds.snapshot import Resource, resource
from localmesh.xds.wire import ads, pack

_URL = "type.googleapis.com/"


def slot_name(what: str) -> str:
    """The filter's name, which is its resource's: `policy.deny`."""
    return f"policy.{what}"


def slots() -> list[hcm.HttpFilter]:
    """The slots in the order of evaluation."""
    return [_slot(what) for what in POLICIES]


def in_slots(filters: Iterable[hcm.HttpFilter]) -> list[hcm.HttpFilter]:
    """The filters with slots in front, in place of the policies' own filters."""
    return [*slots(), *(one for one in filters if one.name not in {RBAC, JWT})]


def contents(policies: Iterable[Policy]) -> list[Resource]:
    """What the slots hold: the policies, and in the others a filter that lets everything pass."""
    found = {policy.what: policy for policy in policies}
    made = []
    for what in POLICIES:
        policy = found.get(what)
        name = slot_name(what)
        config = pack(policy.config if policy else _empty(what))
        made.append(
            resource(
                name,
                extension_pb2.TypedExtensionConfig(name=name, typed_config=config),
                origins=policy.origins if policy else (),
            )
        )
    return made


def _slot(what: str) -> hcm.HttpFilter:
    discovery = config_source_pb2.ExtensionConfigSource(
        config_source=ads(), type_urls=[_URL + _empty(what).DESCRIPTOR.full_name]
    )
    return hcm.HttpFilter(name=slot_name(what), config_discovery=discovery)


def _empty(what: str) -> Message:
    empty: Message = jwt_pb2.JwtAuthentication() if what == "jwt" else rbac_pb2.RBAC()
    return empty
