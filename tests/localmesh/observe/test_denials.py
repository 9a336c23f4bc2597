"""What Envoy says of a refused call becomes the rule that refused it, with its place."""

from dataclasses import replace

import pytest

from localmesh.errors import Where
from localmesh.manifests.load import loads
from localmesh.observe.denials import Reason, Refused, explained
from localmesh.observe.policies import History, Policy, policies
from localmesh.resolve import resolve
from tests.localmesh.observe.bundle import NAMESPACE, line, workload

POD, CHAT = "mesh/user-0", "spiffe://cluster.local/ns/mesh/sa/chat"
BUNDLE = (
    NAMESPACE
    + workload("user")
    + """---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nothing, namespace: mesh}
spec: {}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: user, namespace: mesh}
spec:
  selector: {matchLabels: {app: user}}
  rules:
    - from: [{source: {principals: [cluster.local/ns/mesh/sa/gateway]}}]
    - to: [{operation: {paths: [/user.v1.UserService/GetUser]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: elsewhere, namespace: mesh}
spec:
  selector: {matchLabels: {app: chat}}
  rules: [{}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: tried, namespace: mesh, annotations: {istio.io/dry-run: "true"}}
spec: {rules: [{}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: never, namespace: mesh}
spec:
  action: DENY
  rules:
    - to: [{operation: {paths: [/a]}}]
    - to: [{operation: {paths: [/b]}}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: mesh}
spec: {jwtRules: [{issuer: them, jwksUri: "https://them.example/jwks"}]}
"""
)


@pytest.fixture(scope="module")
def known() -> tuple[Policy, ...]:
    documents = loads(BUNDLE, "security.yaml")
    return policies(documents, resolve(documents).mesh, History())


def _at(details: str) -> Refused:
    return Refused(details, POD, CHAT, "/user.v1.UserService/ListUsers")


def test_a_rule_that_denies_is_named_with_file_and_line(known: tuple[Policy, ...]) -> None:
    denial = explained(_at("rbac_access_denied_matched_policy[ns[mesh]-policy[never]-rule[1]]"), known)
    assert denial is not None
    (acted,) = denial.acted
    assert denial.reason is Reason.RULE
    assert (acted.where.file, acted.where.line, acted.where.path) == (
        "security.yaml",
        line(BUNDLE, "/b"),
        "spec.rules[1]",
    )
    assert acted.says == "to paths /b"
    assert str(denial) == (
        f"{POD} refused /user.v1.UserService/ListUsers from {CHAT}: "
        "rule 2 of AuthorizationPolicy mesh/never denies it\n"
        f"  AuthorizationPolicy mesh/never (security.yaml:{line(BUNDLE, '/b')}): to paths /b"
    )


def test_where_no_rule_allows_all_that_were_asked_are_named_and_no_others(known: tuple[Policy, ...]) -> None:
    denial = explained(_at("rbac_access_denied_matched_policy[none]"), known)
    assert denial is not None
    assert denial.reason is Reason.NO_RULE
    assert denial.acted == ()
    assert [(each.name, each.where.path) for each in denial.asked] == [
        ("nothing", ""),
        ("user", "spec.rules[0]"),
        ("user", "spec.rules[1]"),
    ]
    assert "no rules" in denial.asked[0].says
    assert CHAT in denial.what
    assert "/user.v1.UserService/ListUsers" in denial.what


def test_a_rule_that_was_edited_away_since_is_told_by_its_document_or_its_name(known: tuple[Policy, ...]) -> None:
    denial = explained(_at("rbac_access_denied_matched_policy[ns[mesh]-policy[never]-rule[7]]"), known)
    assert denial is not None
    assert denial.acted[0].where.path == ""
    gone = explained(_at("rbac_access_denied_matched_policy[ns[mesh]-policy[gone]-rule[0]]"), known)
    assert gone is not None
    assert gone.acted == ()
    assert gone.what.endswith("AuthorizationPolicy mesh/gone denies it; it is not in force any more")


def test_a_token_that_does_not_hold_is_told_with_the_rules_for_tokens(known: tuple[Policy, ...]) -> None:
    denial = explained(_at("jwt_authn_access_denied{Jwt_is_expired}"), known)
    assert denial is not None
    assert (denial.reason, denial.what.endswith(": Jwt is expired")) == (Reason.TOKEN, True)
    (acted,) = denial.acted
    assert (acted.kind, acted.where.path, acted.says) == (
        "RequestAuthentication",
        "spec.jwtRules[0]",
        "tokens of them",
    )


def test_a_connection_without_mtls_is_told_with_who_asks_for_it(known: tuple[Policy, ...]) -> None:
    denial = explained(Refused("filter_chain_not_found", POD), known)
    assert denial is not None
    assert denial.reason is Reason.PLAINTEXT
    assert [(each.name, each.says) for each in denial.acted] == [("strict", "mTLS STRICT")]
    assert denial.what.startswith(f"{POD} refused a connection: ")


@pytest.mark.parametrize("details", ["ext_authz_denied", "ext_authz_error"])
def test_an_authorizer_is_told_with_the_policies_that_ask_it(known: tuple[Policy, ...], details: str) -> None:
    custom = replace(next(each for each in known if each.name == "never"), action="CUSTOM", name="asks")
    denial = explained(_at(details), (*known, custom))
    assert denial is not None
    assert denial.reason is Reason.AUTHORIZER
    assert {each.name for each in denial.acted} == {"asks"}


def test_a_custom_policy_without_its_provider_denies_by_a_rule_of_its_own(known: tuple[Policy, ...]) -> None:
    name = "istio-ext-authz-opa-ns[mesh]-policy[never]-rule[0]-deny-due-to-bad-CUSTOM-action"
    denial = explained(_at(f"rbac_access_denied_matched_policy[{name}]"), known)
    assert denial is not None
    assert (denial.reason, denial.acted[0].name) == (Reason.AUTHORIZER, "never")


@pytest.mark.parametrize("details", ["via_upstream", "", "upstream_reset_before_response_started{connection_failure}"])
def test_what_no_policy_did_is_not_explained(known: tuple[Policy, ...], details: str) -> None:
    assert explained(_at(details), known) is None


def test_a_pod_without_policies_has_nothing_that_was_asked() -> None:
    policy = Policy("AuthorizationPolicy", "mesh", "user", Where("x.yaml", 1), pods=("mesh/chat-0",), action="ALLOW")
    denial = explained(_at("rbac_access_denied_matched_policy[none]"), (policy,))
    assert denial is not None
    assert denial.asked == ()
