"""Traces as the page draws them."""

from localmesh.dashboard.traces import calls, waterfall
from localmesh.errors import Where
from localmesh.observe.policies import Policy
from localmesh.observe.rules import PolicyRule
from localmesh.observe.traces import Trace
from tests.localmesh.observe.otlp_spans import CLIENT, SERVER, span, taken

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GATEWAY, ATTEMPT, SIDECAR, APP, OUT, NEXT = (f"00000000000000{number:02x}" for number in range(1, 7))
CHAT = "spiffe://cluster.local/ns/mesh/sa/chat"
PROXY = {"component": "proxy", "upstream_cluster": "inbound|50051||"}
POLICY = Policy(
    kind="AuthorizationPolicy",
    namespace="mesh",
    name="user",
    where=Where("security.yaml", 40),
    pods=("mesh/user-0",),
    action="DENY",
    rules=(PolicyRule(Where("security.yaml", 45), "from principals x"),),
)


def test_who_called_whom_is_told_by_the_proxies_through_attempts_and_programs() -> None:
    spans = taken(
        span(TRACE, id=GATEWAY, said=PROXY | {"node_id": "gateway-0.mesh"}),
        span(TRACE, id=ATTEMPT, parent=GATEWAY, kind=CLIENT, said=PROXY | {"upstream_address": "127.0.0.2:50051"}),
        span(TRACE, id=SIDECAR, parent=ATTEMPT, said=PROXY | {"node_id": "chat-0.mesh"}),
        span(TRACE, id=APP, parent=SIDECAR),
        span(TRACE, id=OUT, parent=APP, kind=CLIENT, said=PROXY | {"node_id": "chat-0.mesh"}),
        span(TRACE, id=NEXT, parent=OUT, said=PROXY | {"node_id": "user-0.mesh"}),
    )
    assert calls(spans) == {("", "gateway-0.mesh"), ("gateway-0.mesh", "chat-0.mesh"), ("chat-0.mesh", "user-0.mesh")}


def test_a_span_that_is_its_own_ancestor_ends_no_server() -> None:
    spans = taken(span(TRACE, id=APP, parent=OUT), span(TRACE, id=OUT, parent=APP), span(TRACE, id=NEXT, parent=APP))
    assert calls(spans) == frozenset()


def test_bars_begin_where_their_spans_did() -> None:
    trace = Trace.of(
        taken(span(TRACE, id=APP, begin_ms=5, ms=20), span(TRACE, id=OUT, parent=APP, begin_ms=7.5, ms=10))
    )
    drawn = waterfall(trace, [])
    assert (drawn.id, drawn.ms) == (TRACE, 20)
    assert [(bar.id, bar.parent, bar.begin_ms, bar.ms) for bar in drawn.spans] == [
        (APP, "", 0, 20),
        (OUT, APP, 2.5, 10),
    ]


def test_a_denied_call_names_the_rule_and_its_place() -> None:
    details = "rbac_access_denied_matched_policy[ns[mesh]-policy[user]-rule[0]]"
    said = PROXY | {"node_id": "user-0.mesh", "response_code_details": details, "grpc.path": "/a.B/C", "peer": CHAT}
    (bar,) = waterfall(Trace.of(taken(span(TRACE, kind=SERVER, said=said))), [POLICY]).spans
    assert bar.denied
    assert f"mesh/user-0 refused /a.B/C from {CHAT}" in bar.denied.says
    (place,) = bar.denied.places
    assert (place.policy, place.file, place.line) == ("AuthorizationPolicy mesh/user", "security.yaml", 45)


def test_a_call_that_came_through_is_denied_by_nothing() -> None:
    said = PROXY | {"node_id": "user-0.mesh", "response_code_details": "via_upstream"}
    (bar,) = waterfall(Trace.of(taken(span(TRACE, said=said))), [POLICY]).spans
    assert bar.denied is None


def test_a_policy_that_cut_a_call_short_is_named() -> None:
    policy = Policy("VirtualService", "mesh", "user", Where("user.yaml", 7), hosts=("user",))
    cluster = "outbound|50051|v1|user.mesh.svc.cluster.local"
    said = PROXY | {"node_id": "chat-0.mesh", "response_flags": "UT", "upstream_cluster": cluster}
    (bar,) = waterfall(Trace.of(taken(span(TRACE, kind=CLIENT, said=said))), [policy]).spans
    (place,) = bar.acted
    assert (place.policy, place.line, place.says) == ("VirtualService mesh/user", 7, "timed out")
