"""Who may call whom: AuthorizationPolicies between sidecars, by the identity that mTLS proves."""

import grpc
import pytest

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import authorization

CALLER = "cluster.local/ns/lab/sa/caller"
# PostgreSQL answers one byte to this: is TLS spoken here?
SSL_REQUEST = "0000000804d2162f"


async def refused(lab: Lab, method: str) -> bool:
    """Whether echo's sidecar refuses caller this method. Any other failure is one."""
    try:
        await lab.call({}, method=method)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED, error
        return True
    return False


async def test_an_empty_policy_denies_all(mesh: Mesh, lab: Lab) -> None:
    with mesh.policy(authorization("none", {})):
        assert await refused(lab, "Read")
    assert not await refused(lab, "Read")


async def test_an_allow_policy_lets_in_only_what_it_names(mesh: Mesh, lab: Lab) -> None:
    rule = {
        "from": [{"source": {"principals": [CALLER]}}],
        "to": [{"operation": {"methods": ["POST"], "paths": ["/lab.Echo/Read"]}}],
    }
    spec = {"selector": {"matchLabels": {"app": "echo"}}, "rules": [rule]}
    with mesh.policy(authorization("reads", spec)):
        assert not await refused(lab, "Read")
        assert await refused(lab, "Write")


async def test_another_identity_is_not_let_in(mesh: Mesh, lab: Lab) -> None:
    rule = {"from": [{"source": {"principals": ["cluster.local/ns/lab/sa/somebody"]}}]}
    with mesh.policy(authorization("other", {"selector": {"matchLabels": {"app": "echo"}}, "rules": [rule]})):
        assert await refused(lab, "Read")


async def test_deny_goes_before_allow(mesh: Mesh, lab: Lab) -> None:
    everything = authorization("all", {"selector": {"matchLabels": {"app": "echo"}}, "rules": [{}]})
    rule = {"to": [{"operation": {"paths": ["/lab.Echo/Write"]}}]}
    deny = authorization("no-writes", {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [rule]})
    with mesh.policy(everything, deny):
        assert await refused(lab, "Write")
        assert not await refused(lab, "Read")


async def test_a_policy_edit_binds_the_next_call_on_a_connection_already_open(mesh: Mesh, lab: Lab) -> None:
    """caller keeps one connection to its sidecar, and that one to echo's; apply returns when all proxies have it."""
    assert not await refused(lab, "Read")
    with mesh.policy(authorization("none", {"selector": {"matchLabels": {"app": "echo"}}})):
        assert await refused(lab, "Read")
    assert not await refused(lab, "Read")


async def test_a_stranger_in_the_mesh_reaches_no_method_of_user(lab: Lab) -> None:
    for method in ("GetUser", "CreateUser", "ListUsers"):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.ask({"via": {}, "to": "USER", "path": f"/user.v1.UserService/{method}"})
        assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "RBAC" in (failure.value.details() or "")


# What a client says first, and how the store's own answer to it begins. NATS speaks before its client does, so its
# greeting gets out before Envoy has seen a byte to judge; what counts is that no command is answered.
STORES = [
    pytest.param("POSTGRES", "postgres", SSL_REQUEST, b"N", id="postgres"),
    pytest.param("NATS", "nats", b"CONNECT {}\r\nPING\r\n".hex(), b"-ERR", id="nats"),
]


@pytest.mark.parametrize(("store", "app", "words", "answer"), STORES)
async def test_a_stranger_in_the_mesh_gets_no_answer_from_a_store(
    lab: Lab, store: str, app: str, words: str, answer: bytes
) -> None:
    told = await lab.ask({"knock": store, "say": words})
    heard = bytes.fromhex(told["heard"])
    assert heard == b"" if app == "postgres" else answer not in heard
    assert told["closed"]


@pytest.mark.parametrize(("store", "app", "words", "answer"), STORES)
async def test_a_store_answers_whom_a_policy_lets_in(
    mesh: Mesh, lab: Lab, store: str, app: str, words: str, answer: bytes
) -> None:
    """The counterpart of the test above: it is the policy that made the store silent."""
    spec = {"selector": {"matchLabels": {"app": app}}, "rules": [{"from": [{"source": {"principals": [CALLER]}}]}]}
    with mesh.policy(authorization("lab-may", spec, namespace="mesh")):

        async def heard() -> bool:
            asked = {"knock": store, "say": words, "until": answer.hex()}
            return answer in bytes.fromhex((await lab.ask(asked))["heard"])

        await eventually(heard, what=f"{store} answers caller")
