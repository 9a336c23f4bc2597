"""What one span says to a person. The proxies' spans are as a real Envoy sent them; tests/mesh sees them made."""

from typing import Any, cast

from localmesh.observe.denials import Refused
from localmesh.observe.words import Acted, told
from tests.localmesh.observe.otlp_spans import CLIENT, SERVER, keys, one, span

OUT = "outbound|50051|v1|user.mesh.svc.cluster.local"
PROXY = {"component": "proxy", "grpc.path": "/user.v1.UserService/GetUser", "response_flags": "-"}
CAME_THROUGH = {"response_code_details": "via_upstream", "upstream_request_attempt_count": "1"}
AT_SERVER = PROXY | {"node_id": "user-v1-0.mesh", "upstream_cluster": "inbound|50051||", "http.status_code": "200"}
AT_CLIENT = PROXY | {"node_id": "chat-0.mesh", "upstream_cluster": OUT, "http.status_code": "200"}


def test_a_proxy_is_known_by_its_pod_and_by_its_side_of_the_call() -> None:
    server = told(one(span(said=AT_SERVER | CAME_THROUGH | {"grpc.status_code": "0"})))
    assert (server.who, server.role, server.what) == ("user-v1-0", "sidecar in", "/user.v1.UserService/GetUser")
    assert (server.ended, server.failed, server.notes) == ("OK", False, ())
    assert told(one(span(kind=CLIENT, said=AT_CLIENT))).role == "sidecar out"
    assert told(one(span(kind=SERVER, said=AT_CLIENT))).role == "gateway"
    # A gateway that answers by itself has called nobody.
    alone = PROXY | {"node_id": "gateway-0.mesh"}
    assert told(one(span(name="egress 127.0.0.1:8080", said=alone))).role == "gateway"


def test_an_attempt_of_a_gateway_says_where_it_went() -> None:
    said = PROXY | {"upstream_address": "127.16.1.4:50051", "upstream_cluster": OUT}
    attempt = told(one(span(kind=CLIENT, said=said), service="gateway.mesh"))
    assert (attempt.who, attempt.role, attempt.what) == ("gateway.mesh", "attempt", "→ 127.16.1.4:50051")


def test_an_app_is_known_by_its_pod_and_says_what_it_noted() -> None:
    made = span(name="user.v1.UserService/GetUser", kind=SERVER, said={"rpc.grpc.status_code": "5"})
    made.events.add(name="exception", attributes=keys({"exception.message": "no such user"}))
    made.links.add(trace_id=bytes(15) + b"\x01", span_id=bytes(7) + b"\x02")
    app = told(one(made))
    assert (app.who, app.role, app.ended) == ("chat-0", "server", "NOT_FOUND")
    assert app.failed
    assert app.notes == (
        "exception: no such user",
        "linked to span 0000000000000002 of trace 00000000000000000000000000000001",
    )


def test_what_a_proxy_answered_by_itself_can_be_explained() -> None:
    details = "rbac_access_denied_matched_policy[ns[mesh]-policy[no-get]-rule[3]]"
    caller = "spiffe://cluster.local/ns/mesh/sa/chat"
    said = AT_SERVER | {"grpc.status_code": "7", "response_code_details": details, "peer": caller}
    denied = told(one(span(said=said)))
    assert denied.answered == Refused(details, "mesh/user-v1-0", caller, "/user.v1.UserService/GetUser")
    assert (denied.ended, denied.failed, denied.notes) == ("PERMISSION_DENIED", True, ())
    assert told(one(span(said=AT_SERVER | CAME_THROUGH))).answered is None


def test_flags_attempts_details_and_failures_are_noted_and_whose_doing_a_flag_is() -> None:
    said = AT_CLIENT | {
        "response_flags": "URX,UF",
        "upstream_request_attempt_count": "3",
        "response_code_details": "upstream_reset_before_response_started",
        "upstream_transport_failure_reason": "delayed connect error: Connection refused",
        "grpc.message": "no%20way",
        "route_name": "user-reads",
    }
    failed = told(one(span(kind=CLIENT, said=said)))
    assert failed.notes == (
        "URX: all attempts of the retry policy are used up",
        "UF: no connection to the service",
        "3 attempts",
        "no connection: delayed connect error: Connection refused",
        "no way",
        "route user-reads",
    )
    (acted,) = failed.acted
    assert isinstance(acted, Acted)
    assert (acted.kind, acted.host) == ("VirtualService", "user.mesh.svc.cluster.local")
    assert told(one(span(kind=SERVER, said=said))).acted == (), "a gateway's routes are for any host"
    assert failed.answered is not None
    assert failed.answered.details == "upstream_reset_before_response_started"


def test_a_call_of_grpc_without_a_status_and_a_call_of_plain_http_say_so() -> None:
    assert told(one(span(said=AT_SERVER))).ended == "no status"
    plain = {"component": "proxy", "node_id": "a.b", "http.status_code": "404", "response_flags": "NR"}
    assert told(one(span(said=plain))).ended == "HTTP 404"
    given_up = PROXY | {"upstream_address": "127.16.1.4:50051", "http.status_code": "0"}
    del given_up["grpc.path"]
    assert told(one(span(kind=CLIENT, said=given_up))).ended == "no answer"
    assert told(one(span())).ended == ""
    assert told(one(span(kind=cast(Any, 99)))).role == ""  # what a later version of OTLP may have
    assert told(one(span(error=True))).ended == "ERROR"
