"""Across the border of the mesh: TLS at a gateway, and calls to what lives outside, by a server of the tests' own."""

import http.client
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh, Refused
from tests.mesh.conftest import Lab
from tests.mesh.forward import free_ports
from tests.mesh.lab.echo import Echo
from tests.mesh.lab.keys import Authority, Certified, base64_text
from tests.mesh.lab.policies import at_edge, document, edge, secret

pytestmark = pytest.mark.local("what lives outside is a server of the tests' own process, which no pod reaches")

OUTSIDE, SHOP = "api.lab.test", "shop.lab.test"
AUTHORITY, NOBODY = Authority(), Authority("nobody")
SERVED = AUTHORITY.issue(OUTSIDE)
UNKNOWN = "unable_to_get_local_issuer_certificate"


def external(port: int, *, protocol: str = "GRPC") -> str:
    """The ServiceEntry of the lab, answered at this port of 127.0.0.1."""
    ports: list[dict[str, Any]] = [
        {"name": "grpc", "number": 9000, "protocol": protocol},
        {"name": "tls", "number": 9443, "protocol": "TLS"},
    ]
    endpoint = {"address": "127.0.0.1", "ports": {"grpc": port, "tls": port}}
    spec: dict[str, Any] = {"hosts": [OUTSIDE], "location": "MESH_EXTERNAL", "resolution": "STATIC"}
    spec |= {"ports": ports, "endpoints": [endpoint]}
    return document("networking.istio.io/v1", "ServiceEntry", "external", spec)


def originate(tls: dict[str, Any]) -> str:
    """A DestinationRule: caller's sidecar speaks TLS to what lives outside."""
    spec = {"host": OUTSIDE, "workloadSelector": {"matchLabels": {"app": "caller"}}, "trafficPolicy": {"tls": tls}}
    return document("networking.istio.io/v1", "DestinationRule", "external", spec)


@pytest.fixture(params=["plaintext", "tls", "mutual tls"])
def speaks(request: pytest.FixtureRequest) -> str:
    """What the server outside asks of its clients."""
    return str(request.param)


@pytest.fixture
async def outside(speaks: str) -> AsyncIterator[int]:
    """A server outside the mesh, as `api.lab.test`: its port."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo("outside", "outside", {}),))
    address = f"127.0.0.1:{next(free_ports())}"
    if speaks == "plaintext":
        port = server.add_insecure_port(address)
    else:
        mutual = speaks == "mutual tls"
        pair = (SERVED.private_key, SERVED.certificate)
        credentials = grpc.ssl_server_credentials([pair], AUTHORITY.certificate if mutual else None, mutual)
        port = server.add_secure_port(address, credentials)
    await server.start()
    yield port
    await server.stop(grace=None)


async def call_outside(lab: Lab, method: str = "Read") -> dict[str, Any]:
    """caller calls api.lab.test in plain text, as far as it knows."""
    return await lab.ask({"via": {}, "to": "EXTERNAL", "path": f"/lab.Echo/{method}"})


async def disbelieved(mesh: Mesh, lab: Lab, why: str) -> bool:
    """Whether caller's call fails since its sidecar does not believe who answers; the reason stands in its log."""
    name = f"Call{uuid.uuid4().hex}"
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call_outside(lab, name)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE

    def told() -> bool:
        lines = [line for line in mesh.logs("lab/caller-0").splitlines() if name in line]
        return any("CERTIFICATE_VERIFY_FAILED" in line and why in line for line in lines)

    return await eventually(told, what=f"{why} in the log of caller's sidecar")


@pytest.mark.parametrize("speaks", ["plaintext"], indirect=True)
async def test_what_lives_outside_is_called_by_its_name(mesh: Mesh, lab: Lab, outside: int) -> None:
    with mesh.policy(external(outside)):
        assert (await call_outside(lab))["pod"] == "outside"


@pytest.mark.parametrize("speaks", ["tls"], indirect=True)
@pytest.mark.parametrize(
    ("authority", "name", "doubt"),
    [(AUTHORITY, OUTSIDE, ""), (NOBODY, OUTSIDE, UNKNOWN), (AUTHORITY, "other.lab.test", "SAN_matcher")],
    ids=["its certificate", "another authority", "another name"],
)
async def test_the_sidecar_speaks_tls_to_it_and_checks_who_answers(
    mesh: Mesh, lab: Lab, outside: int, authority: Authority, name: str, doubt: str
) -> None:
    """A Secret with a CA certificate only, named for the clients that workloadSelector chooses."""
    tls = {"mode": "SIMPLE", "credentialName": "outside-ca", "sni": OUTSIDE, "subjectAltNames": [name]}
    roots = secret("outside-ca", {"ca.crt": base64_text(authority.certificate)})
    with mesh.policy(external(outside), originate(tls), roots):
        if doubt:
            assert await disbelieved(mesh, lab, doubt)
        else:
            assert (await call_outside(lab))["pod"] == "outside"


@pytest.mark.parametrize("speaks", ["tls"], indirect=True)
async def test_who_answers_is_not_checked_where_a_policy_says_so(mesh: Mesh, lab: Lab, outside: int) -> None:
    with mesh.policy(external(outside), originate({"mode": "SIMPLE", "sni": OUTSIDE, "insecureSkipVerify": True})):
        assert (await call_outside(lab))["pod"] == "outside"


@pytest.mark.parametrize("speaks", ["tls"], indirect=True)
async def test_without_any_authority_the_machines_own_are_believed_and_not_ours(
    mesh: Mesh, lab: Lab, outside: int
) -> None:
    with mesh.policy(external(outside), originate({"mode": "SIMPLE", "sni": OUTSIDE})):
        assert await disbelieved(mesh, lab, UNKNOWN)


@pytest.mark.parametrize("speaks", ["mutual tls"], indirect=True)
async def test_the_sidecar_shows_a_certificate_to_whom_asks_for_one(mesh: Mesh, lab: Lab, outside: int) -> None:
    tls = {"mode": "MUTUAL", "credentialName": "caller-outside", "sni": OUTSIDE}
    with mesh.policy(external(outside), originate(tls), certificate("caller-outside", AUTHORITY.issue("caller"))):
        assert (await call_outside(lab))["pod"] == "outside"


async def test_a_file_that_is_not_there_is_told_at_once(mesh: Mesh, lab: Lab) -> None:
    tls = {"mode": "SIMPLE", "sni": OUTSIDE, "caCertificates": "/nowhere/ca.pem"}
    with pytest.raises(Refused) as refusal, mesh.policy(originate(tls)):
        pass
    assert "/nowhere/ca.pem" in str(refusal.value)
    assert (await lab.call({}))["pod"]


async def test_a_secret_that_is_not_there_is_told_with_its_place(mesh: Mesh) -> None:
    with (
        pytest.raises(Refused) as refusal,
        mesh.policy(originate({"mode": "SIMPLE", "sni": OUTSIDE, "credentialName": "outside-ca"})),
    ):
        pass
    assert "there is no Secret lab/outside-ca" in str(refusal.value)
    assert ".yaml:" in str(refusal.value)


# --- TLS at a gateway ------------------------------------------------------------------------------------------------


def certificate(name: str, held: Certified) -> str:
    """A Secret with a certificate, its key, and the authority of those whom its holder believes."""
    data = {"tls.crt": held.certificate, "tls.key": held.private_key, "ca.crt": AUTHORITY.certificate}
    return secret(name, {key: base64_text(value) for key, value in data.items()})


def https(tls: dict[str, Any], host: str = "*", protocol: str = "HTTPS") -> dict[str, Any]:
    """A server at port 443."""
    return {"port": {"number": 443, "name": "https", "protocol": protocol}, "hosts": [host], "tls": tls}


@contextmanager
def trusting(mesh: Mesh, *, name: str = SHOP, client: Certified | None = None) -> Iterator[grpc.aio.Channel]:
    """A channel to port 443 of `edge` by this name, believing AUTHORITY, showing a certificate or none."""
    shown = (client.private_key, client.certificate) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(AUTHORITY.certificate, *shown)
    options = [("grpc.ssl_target_name_override", name), ("grpc.enable_retries", 0)]
    yield grpc.aio.secure_channel(mesh.edge_tls, credentials, options)


async def answered(channel: grpc.aio.Channel) -> str:
    """Which pod answers."""
    call = channel.unary_unary("/lab.Echo/Read", request_serializer=bytes, response_deserializer=bytes)
    async with channel:
        # Envoy acknowledges a listener before it listens.
        return str(json.loads(await call(b"{}", timeout=Limit.SOON.value, wait_for_ready=True))["pod"])


async def refused(channel: grpc.aio.Channel) -> bool:
    """Whether no connection comes about."""
    call = channel.unary_unary("/lab.Echo/Read", request_serializer=bytes, response_deserializer=bytes)
    async with channel:
        try:
            await call(b"{}", timeout=Limit.SOON.value)
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.UNAVAILABLE
    return False


async def test_a_gateway_ends_tls_with_the_certificate_of_a_secret(mesh: Mesh) -> None:
    shop = certificate("shop", AUTHORITY.issue(SHOP))
    with mesh.policy(edge(https({"mode": "SIMPLE", "credentialName": "shop"})), shop, at_edge({})):
        with trusting(mesh) as channel:
            assert (await answered(channel)).startswith("echo-")
        with trusting(mesh, name="other.lab.test") as channel:
            assert await refused(channel)


async def test_a_renewed_secret_is_shown_to_the_next_client(mesh: Mesh) -> None:
    gateway = edge(https({"mode": "SIMPLE", "credentialName": "shop"}))
    with mesh.policy(gateway, certificate("shop", NOBODY.issue(SHOP)), at_edge({})):
        with trusting(mesh) as channel:
            assert await refused(channel)
        with mesh.policy(certificate("shop", AUTHORITY.issue(SHOP))), trusting(mesh) as channel:
            assert (await answered(channel)).startswith("echo-")


async def test_a_gateway_that_asks_for_certificates_takes_those_of_its_authority_only(mesh: Mesh) -> None:
    shop = certificate("shop", AUTHORITY.issue(SHOP))
    with mesh.policy(edge(https({"mode": "MUTUAL", "credentialName": "shop"})), shop, at_edge({})):
        with trusting(mesh, client=AUTHORITY.issue("ada")) as channel:
            assert (await answered(channel)).startswith("echo-")
        with trusting(mesh) as channel:
            assert await refused(channel)
        with trusting(mesh, client=NOBODY.issue("mallory")) as channel:
            assert await refused(channel)


@pytest.mark.parametrize("speaks", ["tls"], indirect=True)
async def test_tls_passes_through_by_its_server_name(mesh: Mesh, outside: int) -> None:
    """The server outside shows its own certificate to the client: edge has no key of it."""
    tls = {"match": [{"sniHosts": [OUTSIDE]}], "route": [{"destination": {"host": OUTSIDE, "port": {"number": 9443}}}]}
    spec = {"hosts": [OUTSIDE], "gateways": ["edge"], "tls": [tls]}
    through = document("networking.istio.io/v1", "VirtualService", "through", spec)
    with mesh.policy(edge(https({"mode": "PASSTHROUGH"}, OUTSIDE, "TLS")), through, external(outside)):
        with trusting(mesh, name=OUTSIDE) as channel:
            assert await answered(channel) == "outside"
        with trusting(mesh, name=SHOP) as channel:
            assert await refused(channel)


async def test_a_plaintext_port_may_send_its_clients_to_https(mesh: Mesh) -> None:
    server = {
        "port": {"number": 80, "name": "http", "protocol": "HTTP"},
        "hosts": ["*"],
        "tls": {"httpsRedirect": True},
    }

    def answer() -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(mesh.edge, timeout=10)
        connection.request("GET", "/lab.Echo/Read", headers={"Host": SHOP})
        return connection.getresponse()

    with mesh.policy(edge(server), at_edge({})):
        told = await eventually(answer, what="edge answers")
    assert told.status == 301
    assert told.getheader("location") == f"https://{SHOP}/lab.Echo/Read"
