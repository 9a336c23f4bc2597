"""Bearer tokens: only a valid one lets a call through, and each refusal says why."""

import base64
import hmac
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography.hazmat.primitives import serialization
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common import status
from services.common.errors import Unauthenticated
from services.common.interceptors.auth import TokenVerifier, bearer_token
from services.common.settings import SettingsError
from tests.services.common.conftest import Serve
from tests.services.common.echo import KINDS, finish, start
from tests.services.issuer import AUDIENCE, ISSUER, Issuer


def _verifier(issuer: Issuer) -> TokenVerifier:
    return TokenVerifier(issuer.jwks_file, ISSUER, AUDIENCE)


def _unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join((*parts, ""))


def _reason(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(token)
    assert token not in str(caught.value)
    return caught.value.reason


def test_a_valid_token_says_who_calls(issuer: Issuer) -> None:
    """The subject is the user's id; the token is not in the repr."""
    token = issuer.token("ada")
    who = _verifier(issuer).verify(token)
    assert (who.subject, who.token) == ("ada", token)
    assert token not in repr(who)


def test_a_key_that_is_taken_back_is_forgotten_with_its_tokens(issuer: Issuer, tmp_path: Path) -> None:
    """As soon as the file is read again, which a token of an unknown key brings about."""
    other = Issuer(tmp_path, "other")
    verifier = TokenVerifier(tmp_path / "jwks.json", ISSUER, AUDIENCE)
    old, new = other.token("ada"), issuer.token("ada")
    assert verifier.verify(old).subject == "ada"
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [issuer.public_jwk()]}))
    assert verifier.verify(new).subject == "ada"
    assert _reason(verifier, old) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1}, "TOKEN_EXPIRED"),
        ({"aud": "other"}, "TOKEN_AUDIENCE"),
        ({"iss": "other"}, "TOKEN_ISSUER"),
        ({"sub": None}, "TOKEN_CLAIM_MISSING"),
        ({"exp": None}, "TOKEN_CLAIM_MISSING"),
        ({"sub": ""}, "TOKEN_CLAIM_MISSING"),
        ({"nbf": 2**33}, "TOKEN_INVALID"),
    ],
)
def test_claims_that_do_not_hold_are_refused(issuer: Issuer, claims: dict[str, Any], reason: str) -> None:
    """Each with a reason of its own."""
    assert _reason(_verifier(issuer), issuer.token("ada", **claims)) == reason


def test_a_token_of_another_key_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    """Whether it names our key or one that we do not know."""
    stranger = Issuer(tmp_path)
    assert _reason(_verifier(issuer), stranger.token("ada")) == "TOKEN_SIGNATURE"
    stranger.key_id = "unknown"
    assert _reason(_verifier(issuer), stranger.token("ada")) == "TOKEN_INVALID"


def test_the_algorithm_is_ours_to_choose(issuer: Issuer) -> None:
    """Neither "none", nor our public key used as a shared secret."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": int(time.time()) + 60}
    verifier = _verifier(issuer)
    assert _reason(verifier, _unsigned(claims, {"alg": "none", "kid": "test"})) == "TOKEN_INVALID"
    public = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = _unsigned(claims, {"alg": "HS256", "kid": "test"}).removesuffix(".")
    mac = hmac.new(public, signed.encode(), "sha256").digest()
    confused = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert _reason(verifier, confused) == "TOKEN_INVALID"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "." * 5000])
def test_what_is_no_token_is_refused(issuer: Issuer, token: str) -> None:
    """Rubbish is UNAUTHENTICATED, not a crash."""
    with pytest.raises(Unauthenticated):
        _verifier(issuer).verify(token)


def test_a_remembered_token_is_refused_once_it_expires(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remembering does not outlive the token."""
    verifier, token = _verifier(issuer), issuer.token("ada", exp=int(time.time()) + 1000)
    assert verifier.verify(token) is verifier.verify(token)
    checked: list[str] = []
    monkeypatch.setattr(verifier, "_checked", checked.append)
    monkeypatch.setattr("services.common.interceptors.auth.time", SimpleNamespace(time=lambda: time.time() + 2000))
    verifier.verify(token)
    assert checked == [token]  # asked again, not answered from memory


def test_only_so_many_tokens_are_remembered(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr("services.common.interceptors.auth._MOST_REMEMBERED", 3)
    verifier = _verifier(issuer)
    tokens = [issuer.token(f"user-{number}") for number in range(5)]
    kept = [verifier.verify(token) for token in tokens]
    assert len(verifier._verified) == 3
    assert verifier.verify(tokens[-1]) is kept[-1]
    assert verifier.verify(tokens[0]) is not kept[0]


def test_new_keys_are_read_when_the_file_changes(tmp_path: Path) -> None:
    """A rotation needs no restart; the old key goes with the old file."""
    old = Issuer(tmp_path, "old")
    verifier = _verifier(old)
    before = old.token("ada")
    new = Issuer(tmp_path, "new")
    assert verifier.verify(new.token("ada")).subject == "ada"
    assert _reason(verifier, before) == "TOKEN_INVALID"


@pytest.mark.parametrize("content", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}', "[1]"])
def test_a_file_without_a_usable_key_is_refused_at_start(tmp_path: Path, content: str) -> None:
    """A symmetric key is none that we can use."""
    path = tmp_path / "jwks.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match="holds no public EC P-256 key"):
        TokenVerifier(path, ISSUER, AUDIENCE)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "TOKEN_MISSING"),
        ((("authorization", "Basic YQ=="),), "TOKEN_INVALID"),
        ((("authorization", "Bearer "),), "TOKEN_INVALID"),
        ((("authorization", "Bearer a"), ("authorization", "Bearer b")), "TOKEN_INVALID"),
    ],
)
def test_authorization_is_one_bearer_token(metadata: Any, reason: str) -> None:
    """Nothing else, and no choice between two."""
    with pytest.raises(Unauthenticated) as caught:
        bearer_token(metadata)
    assert caught.value.reason == reason


@pytest.mark.parametrize("kind", KINDS)
async def test_no_kind_of_call_gets_through_without_a_token(serve: Serve, style: str, kind: str) -> None:
    """And the reason reaches the client."""
    async with serve(style=style) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(start(served.stub, kind))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert status.from_call(caught.value).reason == "TOKEN_MISSING"


async def test_health_needs_no_token(serve: Serve) -> None:
    """Probes have none."""
    async with serve() as served:
        health = health_pb2_grpc.HealthStub(served.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=""))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_handler_sees_who_calls(serve: Serve) -> None:
    """identity.current() in the handler is the token's subject."""
    async with serve() as served:
        (message,) = await finish(start(served.stub, "unary", metadata=served.bearer))
    assert message.sender_id == "ada"


def test_a_half_written_key_file_leaves_the_keys_as_they_are(tmp_path: Path) -> None:
    """A rotation that goes wrong locks nobody out."""
    issuer = Issuer(tmp_path)
    verifier = _verifier(issuer)
    issuer.jwks_file.write_text('{"keys": [')
    issuer.key_id = "unknown"
    assert _reason(verifier, issuer.token("ada")) == "TOKEN_INVALID"
    issuer.key_id = "test"
    assert verifier.verify(issuer.token("ada")).subject == "ada"
