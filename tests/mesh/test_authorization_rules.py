"""What the rules of an AuthorizationPolicy can ask of a call, which actions count, and how strict mTLS is."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import HOST, authorization, document
from tests.mesh.test_authorization import CALLER, SSL_REQUEST, refused
from tests.mesh.test_routing import both_versions_answer

ECHO = {"selector": {"matchLabels": {"app": "echo"}}}
OWN_ADDRESS = "the address of caller"  # put in when it is known

# What a rule asks of every call of caller, who sends x-lab-team: red; and whether that holds.
CONDITIONS: dict[str, tuple[dict[str, Any], bool]] = {
    "Principal": ({"source": {"principals": ["cluster.local/ns/lab/*"]}}, True),
    "PrincipalBySuffix": ({"source": {"principals": ["*/sa/caller"]}}, True),
    "AnotherPrincipal": ({"source": {"principals": ["cluster.local/ns/mesh/*"]}}, False),
    "NotPrincipal": ({"source": {"notPrincipals": [CALLER]}}, False),
    "Namespace": ({"source": {"namespaces": ["lab"]}}, True),
    "AnotherNamespace": ({"source": {"namespaces": ["lab-2", "mesh"]}}, False),
    "NotNamespace": ({"source": {"notNamespaces": ["lab"]}}, False),
    "ServiceAccount": ({"source": {"serviceAccounts": ["caller"]}}, True),
    "ServiceAccountOfANamespace": ({"source": {"serviceAccounts": ["lab/caller"]}}, True),
    "AnotherServiceAccount": ({"source": {"serviceAccounts": ["mesh/caller", "echo"]}}, False),
    "IpBlock": ({"source": {"ipBlocks": [OWN_ADDRESS]}}, True),
    "AnotherIpBlock": ({"source": {"ipBlocks": ["192.0.2.0/24"]}}, False),
    "NotIpBlock": ({"source": {"notIpBlocks": [OWN_ADDRESS]}}, False),
    "RemoteIpBlock": ({"source": {"remoteIpBlocks": [OWN_ADDRESS]}}, True),
    "TwoOfASource": ({"source": {"namespaces": ["lab"], "ipBlocks": ["192.0.2.0/24"]}}, False),
    "HttpMethod": ({"operation": {"methods": ["GET", "POST"]}}, True),
    "NotHttpMethod": ({"operation": {"notMethods": ["POST"]}}, False),
    "Port": ({"operation": {"ports": ["7000"]}}, True),
    "AnotherPort": ({"operation": {"ports": ["7001"]}}, False),
    "Host": ({"operation": {"hosts": [f"{HOST}:7000"]}}, True),
    "HostByPrefix": ({"operation": {"hosts": ["echo.lab.*"]}}, True),
    "NotHost": ({"operation": {"notHosts": ["echo.lab.*"]}}, False),
    "Header": ({"key": "request.headers[x-lab-team]", "values": ["red", "blue"]}, True),
    "AnotherHeader": ({"key": "request.headers[x-lab-team]", "values": ["blue"]}, False),
    "NotHeader": ({"key": "request.headers[x-lab-team]", "notValues": ["red"]}, False),
    "WhenNamespace": ({"key": "source.namespace", "values": ["lab"]}, True),
    "WhenPrincipal": ({"key": "source.principal", "values": [CALLER]}, True),
    "WhenIp": ({"key": "source.ip", "notValues": [OWN_ADDRESS]}, False),
    "WhenPort": ({"key": "destination.port", "values": ["7000"]}, True),
    "WhenServerName": ({"key": "connection.sni", "values": ["outbound_.7000_*"]}, True),
    "WhenAnotherServerName": ({"key": "connection.sni", "values": ["outbound_.7001_*"]}, False),
}
# Rules of paths, and methods that they let in and that they do not.
PATHS: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "prefix": ({"paths": ["/lab.Echo/Pre*"]}, ("/lab.Echo/Prefix", "/lab.Echo/Pre"), ("/lab.Echo/P",)),
    "suffix": ({"paths": ["*/Suffix"]}, ("/lab.Echo/Suffix", "/lab/Suffix"), ("/lab.Echo/Suffixes",)),
    "present": ({"paths": ["/present/*"], "notPaths": ["/present/Not*"]}, ("/present/Ok",), ("/present/NotOk",)),
    "one segment": ({"paths": ["/template/{*}/Read"]}, ("/template/a/Read",), ("/template/a/b/Read",)),
    "all segments": ({"paths": ["/templates/{**}"]}, ("/templates/a/b/Read",), ("/template/b",)),
}


def rule(name: str, condition: dict[str, Any]) -> dict[str, Any]:
    """The rule of one condition, for a method of its name."""
    to = {"operation": {"paths": [f"/lab.Echo/{name}"]} | condition.get("operation", {})}
    rest = {"from": [condition]} if "source" in condition else {"when": [condition]} if "key" in condition else {}
    return {"to": [to]} | rest


@pytest.fixture(scope="class")
def rules(mesh: Mesh) -> Iterator[None]:
    """A rule for each condition: what none of them lets in is denied."""
    address = next(pod.address for pod in mesh.pods() if pod.name == "lab/caller-0")
    every = [rule(name, condition) for name, (condition, _) in CONDITIONS.items()]
    every += [{"to": [{"operation": operation}]} for operation, *_ in PATHS.values()]
    text = json.dumps(ECHO | {"rules": every}).replace(OWN_ADDRESS, address)
    with mesh.policy(authorization("rules", json.loads(text))):
        yield


async def is_refused(lab: Lab, path: str) -> bool:
    """Whether echo's sidecar refuses this path."""
    try:
        await lab.call({}, method=path, headers={"x-lab-team": "red"})
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED, error
        return True
    return False


@pytest.mark.usefixtures("rules")
class TestRules:
    """Under one policy that has them all."""

    @pytest.mark.parametrize("name", CONDITIONS)
    async def test_a_rule_lets_in_whom_it_describes(self, lab: Lab, name: str) -> None:
        assert await is_refused(lab, name) is not CONDITIONS[name][1]

    @pytest.mark.parametrize("name", PATHS)
    async def test_a_rule_lets_in_the_paths_that_it_describes(self, lab: Lab, name: str) -> None:
        _, let_in, left_out = PATHS[name]
        assert [path for path in let_in if await is_refused(lab, path)] == []
        assert [path for path in left_out if not await is_refused(lab, path)] == []


# --- actions ---------------------------------------------------------------------------------------------------------


def dry_run(policy: str) -> str:
    """The same policy, on trial."""
    written = json.loads(policy)
    written["metadata"]["annotations"] = {"istio.io/dry-run": "true"}
    return json.dumps(written, indent=1)


@pytest.mark.parametrize(
    "policy",
    [
        authorization("watch", ECHO | {"action": "AUDIT", "rules": [{}]}),
        dry_run(authorization("trial", ECHO | {"action": "DENY", "rules": [{}]})),
        dry_run(authorization("trial", ECHO)),
    ],
    ids=["audit", "dry-run deny", "dry-run allow nothing"],
)
async def test_what_only_watches_stops_no_call(mesh: Mesh, lab: Lab, policy: str) -> None:
    with mesh.policy(policy):
        assert not await refused(lab, "Read")


async def test_no_spelling_of_a_path_gets_around_a_deny(mesh: Mesh, lab: Lab) -> None:
    spec = ECHO | {"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/lab.Echo/Write"]}}]}]}
    spellings = (
        "/lab.Echo/Write",
        "//lab.Echo//Write",
        "/lab.Echo/./Write",
        "/lab.Echo/x/../Write",
        "/lab.Echo%2FWrite",
    )
    with mesh.policy(authorization("no-writes", spec)):
        assert [path for path in spellings if not await is_refused(lab, path)] == []
        assert not await is_refused(lab, "/lab.Echo/Read")


async def test_a_deny_at_a_tcp_port_goes_before_an_allow(mesh: Mesh, lab: Lab) -> None:
    """What a rule could only ask of a request is left out of a DENY there, which makes it wider, as in istiod."""
    postgres = {"selector": {"matchLabels": {"app": "postgres"}}}
    who = [{"source": {"principals": [CALLER]}}]
    let_in = authorization("lab-may", postgres | {"rules": [{"from": who}]}, namespace="mesh")
    operation = {"ports": ["5432"], "methods": ["GET"]}
    rules = [{"from": who, "to": [{"operation": operation}]}]
    deny = authorization("lab-may-not", postgres | {"action": "DENY", "rules": rules}, namespace="mesh")

    async def heard() -> str:
        return str((await lab.ask({"knock": "POSTGRES", "say": SSL_REQUEST, "until": b"N".hex()}))["heard"])

    async def answered() -> bool:
        return await heard() == b"N".hex()

    async def silent() -> bool:
        return await heard() == ""

    with mesh.policy(let_in):
        await eventually(answered, what="postgres answers caller")
        with mesh.policy(deny):
            await eventually(silent, what="postgres says nothing to caller")


# --- how strict mTLS is ----------------------------------------------------------------------------------------------


def peers(mtls: dict[str, Any], **further: object) -> str:
    """A PeerAuthentication of echo's own, under the namespace's STRICT."""
    return document("security.istio.io/v1", "PeerAuthentication", "echo", ECHO | {"mtls": mtls} | further)


async def plaintext(mesh: Mesh) -> grpc.StatusCode:
    """How a call ends that comes to echo from outside, without any TLS."""
    address = next(pod.address for pod in mesh.pods() if pod.name == "lab/echo-v2-0")
    async with grpc.aio.insecure_channel(f"{address}:7000", options=[("grpc.enable_retries", 0)]) as channel:
        call = channel.unary_unary("/lab.Echo/Read", request_serializer=bytes, response_deserializer=bytes)
        try:
            await call(b"{}", timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("policy", "reached"),
    [
        (peers({"mode": "PERMISSIVE"}), True),
        (peers({"mode": "DISABLE"}), True),
        (peers({"mode": "STRICT"}, portLevelMtls={"7000": {"mode": "PERMISSIVE"}}), True),
        (peers({"mode": "PERMISSIVE"}, portLevelMtls={"7000": {"mode": "STRICT"}}), False),
        (peers({"mode": "UNSET"}), False),
    ],
    ids=["permissive", "disable", "permissive port", "strict port", "unset"],
)
async def test_plaintext_reaches_an_app_only_where_a_policy_says_so(
    mesh: Mesh, lab: Lab, policy: str, reached: bool
) -> None:
    """The mesh's own calls pass in any case."""
    with mesh.policy(policy):
        assert (await plaintext(mesh) is grpc.StatusCode.OK) is reached
        assert await both_versions_answer(lab)
    assert await plaintext(mesh) is grpc.StatusCode.UNAVAILABLE


async def test_a_caller_without_mtls_has_no_identity(mesh: Mesh, lab: Lab) -> None:
    """Under PERMISSIVE a rule about principals still asks for one that was proved."""
    spec = ECHO | {"rules": [{"from": [{"source": {"principals": ["*"]}}]}]}
    with mesh.policy(peers({"mode": "PERMISSIVE"}), authorization("somebody", spec)):
        assert await plaintext(mesh) is grpc.StatusCode.PERMISSION_DENIED
        assert not await refused(lab, "Read")
