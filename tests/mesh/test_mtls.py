"""mTLS is real: who has no certificate of this mesh speaks to nobody."""

import asyncio
import datetime
import ssl
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from protos.user.v1.user_pb2 import GetUserRequest
from protos.user.v1.user_pb2_grpc import UserServiceStub
from tests.mesh.backend import Mesh
from tests.mesh.conftest import bearer

GATEWAY = "spiffe://cluster.local/ns/mesh/sa/gateway"
PORTS = {"mesh/user-v1-0": 50051, "mesh/chat-0": 50051, "mesh/postgres-0": 5432, "mesh/nats-0": 4222}


def forged(folder: Path) -> tuple[Path, Path]:
    """A certificate that says it is the gateway's, signed by a CA that is not the mesh's, and its key."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cluster.local")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(GATEWAY)]), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


async def heard_over_tls(host: str, port: int, context: ssl.SSLContext) -> bytes:
    """What a TLS client hears before it is cut off; an SSL or connection error is nothing heard."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=context), 10)
        # An HTTP/2 client's first words: a server that takes us answers with its settings.
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        heard = await asyncio.wait_for(reader.read(100), 10)
        writer.close()
    except (ssl.SSLError, ConnectionError):
        return b""
    return heard


@pytest.mark.parametrize(("pod", "port"), PORTS.items())
async def test_a_plaintext_client_is_refused(mesh: Mesh, pod: str, port: int) -> None:
    with mesh.reach(pod, port) as (host, reached):
        reader, writer = await asyncio.open_connection(host, reached)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        try:
            heard = await asyncio.wait_for(reader.read(100), 10)
        except ConnectionError:
            heard = b""
        writer.close()
    assert heard == b""


async def test_a_plaintext_grpc_call_to_a_pod_fails(mesh: Mesh) -> None:
    with mesh.reach("mesh/user-v1-0", 50051) as (host, port):
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
            request = GetUserRequest(id="00000000-0000-7000-8000-000000000000")
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await UserServiceStub(channel).GetUser(request, metadata=bearer(mesh.token("operator")), timeout=10)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("pod", "port"), PORTS.items())
@pytest.mark.parametrize("certificate", ["none", "another CA"])
async def test_a_client_without_a_certificate_of_this_mesh_is_refused(
    mesh: Mesh, tmp_path: Path, pod: str, port: int, certificate: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["istio", "h2"])
    if certificate == "another CA":
        context.load_cert_chain(*forged(tmp_path))
    with mesh.reach(pod, port) as (host, reached):
        assert await heard_over_tls(host, reached, context) == b""


async def test_the_certificate_of_a_pod_names_its_service_account(mesh: Mesh) -> None:
    """What a server shows to any client: its SPIFFE id, in a certificate that lives for a day at most."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with mesh.reach("mesh/user-v1-0", 50051) as (host, port):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
        shown = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.close()
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://cluster.local/ns/mesh/sa/user"]
    assert shown.not_valid_after_utc - shown.not_valid_before_utc <= datetime.timedelta(hours=25)
