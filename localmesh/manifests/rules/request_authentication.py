"""RequestAuthentication: issuers, keys, and where tokens are found."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from localmesh.errors import Problem
from localmesh.manifests.istio.security import JWTRule, RequestAuthentication
from localmesh.manifests.rules import selectors
from localmesh.manifests.rules.headers import wrong_name

_LISTS = ("audiences", "from_params", "from_cookies", "space_delimited_claims")

# What a key of each type consists of (RFC 7518, section 6; RFC 8037).
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "oct": ("k",)}


def problems(resource: RequestAuthentication) -> Iterator[Problem]:
    """What istiod would reject it for."""
    spec = resource.spec
    yield from selectors.problems(spec.selector)
    yield from selectors.target_problems(spec.target_ref, spec.target_refs)
    for rule in spec.jwt_rules:
        yield from _rule(rule)


def warnings(resource: RequestAuthentication) -> Iterator[Problem]:
    """What istiod would warn about."""
    yield from selectors.warnings(resource.spec.selector)


def _rule(rule: JWTRule) -> Iterator[Problem]:
    if not rule.issuer and not rule.jwks_uri:
        yield Problem(rule.where, "issuer is missing", "whose tokens are these? (or set jwksUri)")
    for field in _LISTS:
        for index, value in enumerate(getattr(rule, field)):
            if not value:
                yield Problem(rule.at(field, index), "this value is empty")
    if rule.jwks_uri is not None and (wrong := _wrong_url(rule.jwks_uri)):
        yield Problem(rule.at("jwks_uri"), wrong)
    if rule.jwks and (wrong := _wrong_jwks(rule.jwks)):
        yield Problem(rule.at("jwks"), wrong)
    for header in rule.from_headers:
        if not header.name:
            yield Problem(header.at("name"), "the header's name is empty")
    for claim in rule.output_claim_to_headers:
        if not claim.claim:
            yield Problem(claim.at("claim"), "the claim's name is empty")
        if wrong := wrong_name(claim.header):
            yield Problem(claim.at("header"), wrong)


def _wrong_url(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in text
        _ = parts.port
    except ValueError:
        sound = False
    return None if sound else f'"{text}" is not an http or https URL'


def _wrong_jwks(text: str) -> str | None:
    """A JSON Web Key Set, or a single key (RFC 7517)."""
    try:
        parsed = json.loads(text)
    except ValueError as error:
        return f"jwks is not JSON: {error}"
    if not isinstance(parsed, dict) or not ("keys" in parsed or "kty" in parsed):
        return 'jwks is not a key set: it needs "keys"'
    keys = parsed.get("keys", [parsed])
    if not isinstance(keys, list) or not all(isinstance(key, dict) and "kty" in key for key in keys):
        return 'jwks is not a key set: each key needs "kty"'
    if not any(all(isinstance(key.get(each), str) for each in _MEMBERS.get(key["kty"], ("",))) for key in keys):
        return "jwks has no key that a token can be verified with: Envoy refuses it"
    return None
