"""It was not allowed: by a rule, for a token, or by an authorizer."""

import time
from collections.abc import Iterator

import pytest

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.keys import Issuer
from tests.mesh.local import ROOT
from tests.mesh.test_failure_catalogue.catalogue import OUTSIDE, Entry, shows
from tests.mesh.test_failure_catalogue.incidents import Incident, proxied, told
from tests.mesh.test_failure_catalogue.policies import ISSUER, Outside, judge, judge_at

POSTGRES_SSL = "0000000804d2162f"
NOW = int(time.time())
TOKENS = {
    "Jwt_is_expired": ISSUER.token(aud="lab", exp=NOW - 3600),
    "Jwt_not_yet_valid": ISSUER.token(aud="lab", nbf=NOW + 3600, exp=NOW + 7200),
    "Jwt_issuer_is_not_configured": Issuer("https://other.example").token(aud="lab"),
    "Jwt_verification_fails": Issuer(ISSUER.name).token(aud="lab"),
    "Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections": "garbage",
    "Audiences_in_Jwt_are_not_allowed": ISSUER.token(aud="elsewhere"),
}


@shows("- rbac_access_denied_matched_policy[none]")
async def test_no_rule_lets_the_call_in(incident: Incident) -> None:
    await incident.happens(method="Unlisted")


@shows("- rbac_access_denied_matched_policy[ns[…]-policy[…]-rule[…]]")
async def test_a_rule_denies_the_call(incident: Incident) -> None:
    await incident.happens(method="Denied")


@shows("- - rbac_access_denied_matched_policy[none]")
async def test_no_rule_lets_the_connection_in(mesh: Mesh, lab: Lab, entry: Entry) -> None:
    before = len(await proxied(mesh, "mesh/postgres-0"))

    async def hung_up() -> bool:
        return await lab.ask({"knock": "POSTGRES", "say": POSTGRES_SSL}) == {"heard": "", "closed": True}

    await eventually(hung_up, what="PostgreSQL's proxy hangs up")
    await told(mesh, entry, "mesh/postgres-0", since=before)


@shows(*(f"- jwt_authn_access_denied{{{kind}}}" for kind in TOKENS))
async def test_a_token_does_not_hold(incident: Incident, entry: Entry) -> None:
    kind = entry.fields[1].partition("{")[2].rstrip("}")
    await incident.happens(token=TOKENS[kind])


@pytest.fixture(scope="module")
def judged(mesh: Mesh, in_force: None, outside: Outside) -> Iterator[None]:
    """An authorizer is asked, who says no."""
    with mesh.policy(*judge((ROOT / "deploy" / "istio-operator.yaml").read_text(), outside.refusing)):
        yield


@OUTSIDE
@pytest.mark.usefixtures("judged")
@shows("UAEX ext_authz_denied")
async def test_an_authorizer_says_no(incident: Incident) -> None:
    await incident.happens(method="Judged")


@OUTSIDE
@pytest.mark.usefixtures("judged")
@shows("UAEX ext_authz_error")
async def test_an_authorizer_does_not_answer(mesh: Mesh, incident: Incident, outside: Outside) -> None:
    with mesh.policy(judge_at(outside.closed)):
        await incident.happens(method="Judged")
