"""The gateways that a VirtualService (or one of its matches) is bound to, by name."""

from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.virtual_service import (
    HTTPMatchRequest,
    L4MatchAttributes,
    TLSMatchAttributes,
    VirtualServiceSpec,
)
from localmesh.manifests.rules.names import is_label, wrong_domain

Bound = HTTPMatchRequest | L4MatchAttributes | TLSMatchAttributes | VirtualServiceSpec


def gateway_name_problems(bound: Bound) -> Iterator[Problem]:
    """Names that are neither `mesh`, `name`, `namespace/name` nor the older `name.namespace.svc…`."""
    for index, name in enumerate(bound.gateways):
        namespace, slash, gateway = name.partition("/")
        if not slash:
            wrong = wrong_domain(name)
        elif is_label(namespace) and is_label(gateway):
            wrong = None
        else:
            wrong = f'"{name}" is not a gateway: write namespace/name'
        if wrong:
            yield Problem(bound.at("gateways", index), wrong)


def gateway_name_warnings(bound: Bound) -> Iterator[Problem]:
    """The older way to name a gateway of another namespace."""
    for index, name in enumerate(bound.gateways):
        if "/" not in name and "." in name:
            gateway, namespace, *_ = name.split(".")
            what = f'"{name}" is the older way to name a gateway'
            yield codes.OLD_GATEWAY_NAME.at(bound.at("gateways", index), what, f"write {namespace}/{gateway}")
