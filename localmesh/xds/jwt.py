"""RequestAuthentications as Envoy's jwt_authn filter.

A request without a token passes (requiring one is an AuthorizationPolicy's business); a token must be valid for the
rule of its issuer. With several rules any one valid token is enough, or none at all.
"""

from collections.abc import Iterable

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2
from google.protobuf import empty_pb2

from localmesh.mesh.security import JwtRule

# Scopes come as one text with spaces; RBAC sees them as lists (istiod's own two, then the rule's).
SPACE_DELIMITED = ("permission", "scope")
# A public key whose private half nobody has, as istiod sends it where a key set could not be had: every token fails.
UNKNOWN_KEYS = (
    '{"keys":[{"kty":"RSA","e":"AQAB","n":"'
    "0xObjM0UvS_oaazjpEYlAbwctEJ4L8pH3OuTb7qth7gUwqet-EzQB4dgFdvSdMgrLnSncQGRjpEYz3F3viIbH-3EN3TxSlPNviHx"
    "eOdyiBVfumN8dMxbLvVJUpfNOnvmMxJcl-8NNjAwcOjk4otSALaYgYYyOPyvKtgVdrQr-FoubWX4yrjxW-MJ2-7OBeepUUNOsVwG"
    "V23YX03sVkkyvY3otRflkBcY3_HKpBxJl9wk2GyOShN4_PNUF9-vwfnvOXMbCDX-w4PTef4geeb_GiT40YCKHTKMSPVanGRn5GEx"
    "IWmki-mmqh94-mPTJyBR74ShspL3BxPZitDL574T1w"
    '"}]}'
)


def authentication(rules: Iterable[JwtRule], at_gateway: bool) -> config_pb2.JwtAuthentication | None:
    """The filter's configuration; None without rules. At a gateway claims may choose the route."""
    ordered = sorted(rules, key=lambda rule: rule.issuer)
    if not ordered:
        return None
    providers = {f"origins-{number}": _provider(rule, at_gateway) for number, rule in enumerate(ordered)}
    return config_pb2.JwtAuthentication(
        providers=providers,
        rules=[
            config_pb2.RequirementRule(
                match=route_components_pb2.RouteMatch(prefix="/"), requires=_requirement(list(providers))
            )
        ],
        bypass_cors_preflight=True,
    )


def _provider(rule: JwtRule, at_gateway: bool) -> config_pb2.JwtProvider:
    normal = config_pb2.JwtProvider.NormalizePayload(
        space_delimited_claims=[*SPACE_DELIMITED, *rule.space_delimited_claims]
    )
    return config_pb2.JwtProvider(
        issuer=rule.issuer,
        audiences=rule.audiences,
        local_jwks=base_pb2.DataSource(inline_string=rule.jwks or UNKNOWN_KEYS),
        forward=rule.forward,
        from_headers=[
            config_pb2.JwtHeader(name=header.name, value_prefix=header.prefix) for header in rule.from_headers
        ],
        from_params=rule.from_params,
        from_cookies=rule.from_cookies,
        forward_payload_header=rule.payload_header,
        claim_to_headers=[
            config_pb2.JwtClaimToHeader(header_name=header, claim_name=claim) for header, claim in rule.claim_headers
        ],
        payload_in_metadata="payload",
        normalize_payload_in_metadata=normal,
        clear_route_cache=at_gateway,
    )


def _requirement(providers: list[str]) -> config_pb2.JwtRequirement:
    each = [config_pb2.JwtRequirement(provider_name=name) for name in providers]
    missing = config_pb2.JwtRequirement(allow_missing=empty_pb2.Empty())
    if len(each) == 1:
        return _any([*each, missing])
    none_or_valid = config_pb2.JwtRequirement(
        requires_all=config_pb2.JwtRequirementAndList(requirements=[_any([one, missing]) for one in each])
    )
    return _any([*each, none_or_valid])


def _any(requirements: list[config_pb2.JwtRequirement]) -> config_pb2.JwtRequirement:
    return config_pb2.JwtRequirement(requires_any=config_pb2.JwtRequirementOrList(requirements=requirements))
