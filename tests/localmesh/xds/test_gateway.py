"""A gateway with a real Envoy: its addresses, TLS with a credential, tokens, and calls into the mesh by mTLS."""

import asyncio
import json
import socket
import ssl
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import jwt as pyjwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from localmesh.mesh import Credential, Mesh, Placement, Pod
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import GatewayServer, Outbound, Proxy, ServerTls
from localmesh.mesh.routes import RouteTable, VirtualHost
from localmesh.mesh.security import AccessPolicy, Action, JwtRule, Rule, Source
from localmesh.mesh.upstreams import Upstream
from tests.localmesh.xds import meshes
from tests.localmesh.xds.envoys import DIRECT, Plane, answered, code, echo, plane

AT = "127.44.0.31"
EXPOSED = ("127.44.0.32", 15380)
PLAIN, SECURE = 15180, 15143
HOST = "app.example.com"
NAMED = [*DIRECT, ("grpc.default_authority", HOST)]
ISSUER = "https://issuer.example.com"


def gateway_pod() -> Pod:
    found = meshes.service()
    upstream = Upstream(found, found.ports[0], endpoints=found.endpoints[meshes.GRPC])
    host = VirtualHost(f"{HOST}:{PLAIN}", (HOST,), (meshes.to_user(""),), host=HOST)
    tables = (
        RouteTable(f"http.{PLAIN}", (host,)),
        RouteTable("https", (replace(host, name=f"{HOST}:{SECURE}"),)),
    )
    servers = (
        GatewayServer(PLAIN, PLAIN, Protocol.GRPC, (HOST,), route_table=f"http.{PLAIN}"),
        GatewayServer(
            SECURE, SECURE, Protocol.HTTPS, (HOST,), tls=ServerTls("SIMPLE", "app-cert"), route_table="https"
        ),
    )
    outbound = Outbound((upstream,), tables)
    identity = meshes.identity("gateway")
    return Pod("gateway-0", "mesh", {}, identity, AT, Proxy.GATEWAY, outbound=outbound, servers=servers)


def credential() -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Credential(certificate.public_bytes(serialization.Encoding.PEM), private)


@dataclass
class Edge:
    plane: Plane
    app: Path
    credential: Credential

    async def give(self, gateway: Pod | None = None) -> None:
        pods = (meshes.user_pod(), gateway or gateway_pod())
        mesh = Mesh(pods, (meshes.service(),), credentials={"mesh/app-cert": self.credential})
        placements = {
            "mesh/user-0": meshes.user_placement(f"unix:{self.app}"),
            "mesh/gateway-0": Placement(AT, exposed={PLAIN: EXPOSED}),
        }
        await self.plane.give(mesh, placements)


@pytest.fixture(scope="module")
async def edge() -> AsyncIterator[Edge]:
    with TemporaryDirectory(prefix="xds") as name:
        folder = Path(name)
        app = folder / "app.sock"
        async with (
            echo(app),
            plane(folder) as control,
            control.envoy(meshes.user_pod()),
            control.envoy(gateway_pod()),
        ):
            made = Edge(control, app, credential())
            await made.give()
            for host, port in ((AT, PLAIN), EXPOSED):
                await answered(f"{host}:{port}", NAMED)
            yield made


async def test_a_gateway_answers_on_its_own_and_on_its_exposed_address(edge: Edge) -> None:
    """Both lead to the same routes; a host that no server names is not found."""
    await edge.give()
    for host, port in ((AT, PLAIN), EXPOSED):
        async with grpc.aio.insecure_channel(f"{host}:{port}", options=NAMED) as channel:
            assert await code(channel) == "OK"
    async with grpc.aio.insecure_channel(f"{AT}:{PLAIN}", options=DIRECT) as unnamed:
        assert await code(unnamed) == "UNIMPLEMENTED"


async def test_a_gateway_shows_the_certificate_of_its_credential(edge: Edge) -> None:
    """TLS ends at the gateway with the key of the Secret that the server names."""
    await edge.give()
    shown = await asyncio.to_thread(_shown_certificate)
    assert shown == edge.credential.certificate.decode()
    trusting = grpc.ssl_channel_credentials(edge.credential.certificate)
    options = [*NAMED, ("grpc.ssl_target_name_override", HOST)]
    async with grpc.aio.secure_channel(f"{AT}:{SECURE}", trusting, options=options) as channel:
        assert await code(channel) == "OK"


def _shown_certificate() -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((AT, SECURE), 10) as raw, context.wrap_socket(raw, server_hostname=HOST) as secure:
        found = secure.getpeercert(binary_form=True)
    assert found is not None
    return ssl.DER_cert_to_PEM_cert(found)


async def test_a_token_is_verified_and_can_be_required(edge: Edge) -> None:
    """No token passes until a policy asks for one; a forged one never does; edits act on an open connection."""
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    gateway = replace(gateway_pod(), jwt=(JwtRule(ISSUER, _jwks(key)),))
    required = AccessPolicy("need", "mesh", Action.DENY, (Rule((Source(not_request_principals=("*",)),)),))
    good, forged = (f"Bearer {_token(one)}" for one in (key, other))
    async with grpc.aio.insecure_channel(f"{AT}:{PLAIN}", options=NAMED) as channel:
        await edge.give()
        assert await code(channel, metadata={"authorization": forged}) == "OK"
        await edge.give(gateway)
        assert await code(channel) == "OK"
        assert await code(channel, metadata={"authorization": forged}) == "UNAUTHENTICATED"
        await edge.give(replace(gateway, access=(required,)))
        assert await code(channel) == "PERMISSION_DENIED"
        assert await code(channel, metadata={"authorization": good}) == "OK"


def _token(key: ec.EllipticCurvePrivateKey) -> str:
    claims = {"iss": ISSUER, "sub": "ada", "exp": datetime.now(UTC) + timedelta(minutes=5)}
    return pyjwt.encode(claims, key, algorithm="ES256", headers={"kid": "k"})


def _jwks(key: ec.EllipticCurvePrivateKey) -> str:
    numbers = key.public_key().public_numbers()
    point = {name: _base64(value) for name, value in (("x", numbers.x), ("y", numbers.y))}
    return json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k", **point}]})


def _base64(number: int) -> str:
    return urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
