"""The HTTP filters of a connection manager: one ordered tuple, as istiod orders them."""

from collections.abc import Iterable
from dataclasses import dataclass

from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.grpc_stats.v3 import config_pb2 as grpc_stats_pb2
from envoy.extensions.filters.http.grpc_web.v3 import grpc_web_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from google.protobuf.message import Message

from localmesh.errors import Where
from localmesh.mesh import Mesh
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import Pod, Proxy
from localmesh.mesh.security import AccessPolicy, Action, Authorizer, JwtRule
from localmesh.xds import authorizers, jwt, rbac
from localmesh.xds.wire import boolean, pack

RBAC = "envoy.filters.http.rbac"
JWT = "envoy.filters.http.jwt_authn"
EXT_AUTHZ = "envoy.filters.http.ext_authz"
FAULT = "envoy.filters.http.fault"
CORS = "envoy.filters.http.cors"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a pod's policies put into its HTTP filter chains. `what` is the kind of rule: see `kinds`."""

    what: str
    name: str
    config: Message
    origins: tuple[Where, ...]


def custom(provider: str) -> str:
    """The kind of the rules for which a provider is asked."""
    return f"{Action.CUSTOM.value}.{provider}"


def asking(provider: str) -> str:
    """The kind of the filter that asks it."""
    return f"ask.{provider}"


def kinds(mesh: Mesh) -> tuple[str, ...]:
    """All kinds of policy that a pod can have, in the order of their filters.

    The first is that of CUSTOM policies for which there is nobody to ask: they deny.
    """
    asked = [kind(one.name) for one in mesh.authorizers for kind in (custom, asking)]
    return (Action.CUSTOM.value, *asked, "jwt", Action.AUDIT.value, Action.DENY.value, Action.ALLOW.value)


def policies(mesh: Mesh, pod: Pod) -> tuple[Policy, ...]:
    """The policy filters of a pod, in order; those without a policy are not there."""
    return policies_of(mesh, pod.proxy, pod.access, pod.jwt)


def policies_of(
    mesh: Mesh, proxy: Proxy, rights: tuple[AccessPolicy, ...], issuers: tuple[JwtRule, ...]
) -> tuple[Policy, ...]:
    """All of a pod that its policy filters are made of."""
    asked: list[Policy] = []
    rules: list[Policy] = []
    for access in rbac.access(rights, trust_domains(mesh), mesh.authorizers, tcp=False):
        if access.action is not Action.CUSTOM:
            rules.append(Policy(access.action.value, RBAC, access.http(), access.origins))
            continue
        kind = custom(access.provider) if access.authorizer else Action.CUSTOM.value
        asked.append(Policy(kind, RBAC, access.http(), access.origins))
        if access.authorizer is not None:
            asked.append(question(access.authorizer))
    tokens = jwt.authentication(issuers, at_gateway=proxy is Proxy.GATEWAY)
    if tokens is not None:
        asked.append(Policy("jwt", JWT, tokens, tuple(rule.where for rule in issuers if rule.where)))
    return (*asked, *rules)


def question(authorizer: Authorizer) -> Policy:
    """The filter that asks a provider, where a rule of its kind matches."""
    origins = (authorizer.where,) if authorizer.where else ()
    return Policy(asking(authorizer.name), EXT_AUTHZ, authorizers.http_question(authorizer), origins)


def http_filters(before: Iterable[Policy], protocol: Protocol) -> list[hcm.HttpFilter]:
    """All filters: the policies', then those that every connection manager has; the router last."""
    first = [_filter(policy.name, policy.config) for policy in before]
    web = [_GRPC_WEB] if protocol is Protocol.GRPC_WEB else []
    return [*first, *web, *_ALWAYS]


def trust_domains(mesh: Mesh) -> tuple[str, ...]:
    """The trust domains whose identities are the mesh's own."""
    return (mesh.trust_domain, *mesh.trust_domain_aliases)


def _filter(name: str, config: Message) -> hcm.HttpFilter:
    return hcm.HttpFilter(name=name, typed_config=pack(config))


_GRPC_WEB = _filter("envoy.filters.http.grpc_web", grpc_web_pb2.GrpcWeb())
_ALWAYS = (
    _filter(
        "envoy.filters.http.grpc_stats",
        grpc_stats_pb2.FilterConfig(emit_filter_state=True, stats_for_all_methods=boolean(False)),
    ),
    _filter(FAULT, fault_pb2.HTTPFault()),
    _filter(CORS, cors_pb2.Cors()),
    _filter("envoy.filters.http.router", router_pb2.Router()),
)
