"""RequestAuthentication at a sidecar, and what AuthorizationPolicies ask of tokens."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.keys import Issuer
from tests.mesh.lab.policies import authorization, document

ONE, OTHER = Issuer("https://one.example"), Issuer("https://other.example")
ECHO = {"selector": {"matchLabels": {"app": "echo"}}}
RULES: list[dict[str, Any]] = [
    {
        "issuer": ONE.name,
        "jwks": ONE.jwks,
        "audiences": ["lab", "spare"],
        "fromHeaders": [{"name": "authorization", "prefix": "Bearer "}, {"name": "x-lab-token", "prefix": "Lab "}],
        "fromParams": ["token"],
        "forwardOriginalToken": True,
        "outputPayloadToHeader": "x-lab-payload",
        "outputClaimToHeaders": [
            {"header": "x-lab-subject", "claim": "sub"},
            {"header": "x-lab-realm", "claim": "realm.name"},
        ],
    },
    {"issuer": OTHER.name, "jwks": OTHER.jwks, "fromHeaders": [{"name": "x-lab-other"}]},
]


@pytest.fixture(scope="module", autouse=True)
def authentication(mesh: Mesh) -> Iterator[None]:
    """Both issuers' tokens are known at echo."""
    spec = ECHO | {"jwtRules": RULES}
    with mesh.policy(document("security.istio.io/v1", "RequestAuthentication", "tokens", spec)):
        yield


def good(**claims: object) -> str:
    """A token of ONE for this audience."""
    return ONE.token(**({"aud": "lab"} | claims))  # type: ignore[arg-type]


def bearing(token: str) -> dict[str, str]:
    """The usual header."""
    return {"authorization": f"Bearer {token}"}


async def code(lab: Lab, headers: dict[str, str] | None = None, method: str = "Read") -> grpc.StatusCode:
    """How a call to echo with these headers ends."""
    try:
        await lab.call({}, headers=headers, method=method)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_a_call_without_a_token_passes(lab: Lab) -> None:
    """To require one is the business of an AuthorizationPolicy."""
    assert await code(lab) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("what", "headers"),
    [
        ("in the usual header", bearing(good())),
        ("in a header of its own, after its prefix", {"x-lab-token": f"Lab {good()}"}),
        ("another audience of the rule", bearing(good(aud="spare"))),
        ("one of several audiences", bearing(good(aud=["elsewhere", "lab"]))),
        ("of another issuer, who asks for no audience", {"x-lab-other": OTHER.token()}),
        ("one of each issuer", bearing(good()) | {"x-lab-other": OTHER.token()}),
    ],
)
async def test_a_token_that_holds_passes(lab: Lab, what: str, headers: dict[str, str]) -> None:
    assert await code(lab, headers) is grpc.StatusCode.OK, what


async def test_a_token_may_come_as_a_parameter_of_the_path(lab: Lab) -> None:
    assert await code(lab, method=f"Read?token={good()}") is grpc.StatusCode.OK
    assert await code(lab, method=f"Read?token={good()}broken") is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("what", "headers"),
    [
        ("expired", bearing(good(exp=1_000_000_000))),
        ("not valid yet", bearing(good(nbf=4_000_000_000))),
        ("nobody's issuer", bearing(Issuer("https://nobody.example").token(aud="lab"))),
        ("a key that is not the issuer's", bearing(Issuer(ONE.name).token(aud="lab"))),
        ("no token at all", bearing("garbage")),
    ],
)
async def test_a_token_that_does_not_hold_is_unauthenticated(lab: Lab, what: str, headers: dict[str, str]) -> None:
    assert await code(lab, headers) is grpc.StatusCode.UNAUTHENTICATED, what


@pytest.mark.parametrize("claims", [{"aud": "elsewhere"}, {}], ids=["another", "none"])
async def test_a_token_for_another_audience_is_denied(lab: Lab, claims: dict[str, Any]) -> None:
    """Envoy knows who calls, and refuses: a 403, where all else that is wrong with a token is a 401."""
    assert await code(lab, bearing(ONE.token(**claims))) is grpc.StatusCode.PERMISSION_DENIED


async def test_the_app_is_told_of_the_token_as_the_rule_says(lab: Lab) -> None:
    token = good(realm={"name": "lab"})
    seen = (await lab.call({}, headers=bearing(token) | {"x-lab-subject": "mallory"}))["headers"]
    assert seen["authorization"] == f"Bearer {token}"
    assert seen["x-lab-subject"] == "ada"
    assert seen["x-lab-realm"] == "lab"
    payload = seen["x-lab-payload"]
    assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"] == "ada"


async def test_a_token_that_is_not_to_be_forwarded_stays_at_the_sidecar(lab: Lab) -> None:
    assert "x-lab-other" not in (await lab.call({}, headers={"x-lab-other": OTHER.token()}))["headers"]


async def test_what_a_client_says_of_claims_itself_is_not_believed(lab: Lab) -> None:
    seen = (await lab.call({}, headers={"x-lab-subject": "mallory"}))["headers"]
    assert "x-lab-subject" not in seen


# --- what policies ask of tokens -------------------------------------------------------------------------------------

# Each condition stands for a method of its own: a token that it lets in, and one that it does not.
CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, object], dict[str, object]]] = {
    "Principal": (
        {"from": [{"source": {"requestPrincipals": [f"{ONE.name}/ada"]}}]},
        {},
        {"subject": "bob"},
    ),
    "AnyoneOfOne": (
        {"from": [{"source": {"requestPrincipals": [f"{ONE.name}/*"]}}]},
        {"subject": "bob"},
        {"iss": "https://two.example"},
    ),
    "NotBob": (
        {"from": [{"source": {"requestPrincipals": ["*"], "notRequestPrincipals": ["*/bob"]}}]},
        {},
        {"subject": "bob"},
    ),
    "Claim": ({"when": [{"key": "request.auth.claims[team]", "values": ["red"]}]}, {"team": "red"}, {"team": "blue"}),
    "ClaimInAList": (
        {"when": [{"key": "request.auth.claims[groups]", "values": ["admin"]}]},
        {"groups": ["user", "admin"]},
        {"groups": ["user"]},
    ),
    "NestedClaim": (
        {"when": [{"key": "request.auth.claims[realm][roles]", "values": ["admin"]}]},
        {"realm": {"roles": ["admin"]}},
        {"roles": ["admin"]},
    ),
    "ClaimByPrefix": (
        {"when": [{"key": "request.auth.claims[team]", "values": ["red-*"]}]},
        {"team": "red-2"},
        {"team": "red"},
    ),
    "NotThisClaim": (
        {
            "from": [{"source": {"requestPrincipals": ["*"]}}],
            "when": [{"key": "request.auth.claims[team]", "notValues": ["red"]}],
        },
        {"team": "blue"},
        {"team": "red"},
    ),
    "Scope": (
        {"when": [{"key": "request.auth.claims[scope]", "values": ["write"]}]},
        {"scope": "read write"},
        {"scope": "read"},
    ),
    "Audience": ({"when": [{"key": "request.auth.audiences", "values": ["spare"]}]}, {"aud": "spare"}, {}),
    "Presenter": ({"when": [{"key": "request.auth.presenter", "values": ["app"]}]}, {"azp": "app"}, {"azp": "other"}),
}


@pytest.fixture(scope="module")
def conditions(mesh: Mesh) -> Iterator[None]:
    """Each method asks for its own condition."""
    rules = [
        rule | {"to": [{"operation": {"paths": [f"/lab.Echo/{name}"]}}]} for name, (rule, *_) in CONDITIONS.items()
    ]
    with mesh.policy(authorization("tokens", ECHO | {"rules": rules})):
        yield


@pytest.mark.usefixtures("conditions")
@pytest.mark.parametrize("method", CONDITIONS)
async def test_a_policy_lets_in_the_tokens_that_it_describes(lab: Lab, method: str) -> None:
    _, held, unheld = CONDITIONS[method]
    assert await code(lab, bearing(good(**held)), method) is grpc.StatusCode.OK
    assert await code(lab, bearing(good(**unheld)), method) in {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
    assert await code(lab, method=method) is grpc.StatusCode.PERMISSION_DENIED
