"""One trace as it is drawn for a person."""

from localmesh.cli.waterfall import drawn, took
from localmesh.errors import Where
from localmesh.observe.policies import Policy
from localmesh.observe.rules import PolicyRule
from localmesh.observe.traces import Trace
from tests.localmesh.observe.otlp_spans import CLIENT, SERVER, span, taken

T = "a" * 32
ONE, TWO, THREE, FOUR = ("1" * 16, "2" * 16, "3" * 16, "4" * 16)
OUT = "outbound|50051||user.mesh.svc.cluster.local"
DENIED = "rbac_access_denied_matched_policy[ns[mesh]-policy[user]-rule[1]]"
POLICIES = [
    Policy(
        kind="AuthorizationPolicy",
        namespace="mesh",
        name="user",
        where=Where("security.yaml", 40),
        pods=("mesh/user-0",),
        action="ALLOW",
        rules=(
            PolicyRule(Where("security.yaml", 48), "POST /a"),
            PolicyRule(Where("security.yaml", 61), "POST /b"),
        ),
    ),
    Policy(kind="VirtualService", namespace="mesh", name="user", where=Where("user.yaml", 7), hosts=("user",)),
]


def proxy(**said: str) -> dict[str, str]:
    """What every span of a proxy says, and this."""
    return {"component": "proxy", "grpc.path": "/u/Get", "response_flags": "-"} | {
        key.replace("__", "."): value for key, value in said.items()
    }


def gateway_call(last: dict[str, str]) -> Trace:
    """Through a gateway, which tried once, to a sidecar that says this."""
    spans = (
        span(T, id=ONE, kind=SERVER, ms=10, said=proxy(node_id="gateway-0.mesh", upstream_cluster=OUT)),
        span(T, id=TWO, parent=ONE, kind=CLIENT, ms=10, said=proxy(upstream_address="127.16.1.4:50051")),
        span(T, id=THREE, parent=TWO, kind=SERVER, begin_ms=5, ms=5, said=last),
    )
    return Trace.of(taken(*spans, service="gateway.mesh"))


def lines(trace: Trace) -> list[str]:
    return [line.plain.rstrip() for line in drawn(trace, POLICIES)]


def test_each_span_has_a_line_with_its_bar_in_the_time_of_the_whole() -> None:
    said = proxy(node_id="user-0.mesh", upstream_cluster="inbound|50051||", grpc__status_code="0")
    head, *rest = lines(gateway_call(said))
    assert head.startswith(f"trace {T}: 10.0 ms, 3 spans, 20")
    assert rest == [
        "gateway-0 gateway        /u/Get              ━━━━━━━━━━━━━━━━━━━━━━━━    10.0 ms  no status",
        "└─ gateway-0 attempt     → 127.16.1.4:50051  ━━━━━━━━━━━━━━━━━━━━━━━━    10.0 ms  no status",
        "   └─ user-0 sidecar in  /u/Get                          ━━━━━━━━━━━━     5.0 ms  OK",
    ]


def test_a_denial_names_the_rule_and_its_place() -> None:
    said = proxy(node_id="user-0.mesh", grpc__status_code="7", response_code_details=DENIED)
    said["grpc.message"] = "RBAC: access denied"
    sentence, rule = lines(gateway_call(said))[-2:]
    assert sentence.strip() == "mesh/user-0 refused /u/Get: rule 2 of AuthorizationPolicy mesh/user denies it"
    assert rule.strip() == "AuthorizationPolicy mesh/user (security.yaml:61): POST /b"


def test_what_a_proxy_answered_for_another_reason_is_told_in_its_own_word() -> None:
    said = proxy(node_id="user-0.mesh", response_code_details="response_timeout")
    assert lines(gateway_call(said))[-1].strip() == "response_timeout"


def test_the_virtual_service_of_the_called_host_is_named_where_it_acted() -> None:
    call = span(T, kind=CLIENT, said=proxy(node_id="chat-0.mesh", upstream_cluster=OUT) | {"response_flags": "UT"})
    drawing = lines(Trace.of(taken(call)))
    assert any("timed out by VirtualService mesh/user (user.yaml:7)" in line for line in drawing)


def test_what_was_only_passed_on_is_said_once_where_it_began() -> None:
    said = [proxy(node_id=f"{pod}.mesh", grpc__status_code="14", grpc__message="away") for pod in ("a-0", "b-0")]
    above = span(T, id=ONE, kind=CLIENT, said=said[0])
    below = span(T, id=TWO, parent=ONE, begin_ms=1, said=said[1])
    drawing = lines(Trace.of(taken(above, below)))
    assert [line.strip() for line in drawing].count("away") == 1
    assert drawing[-1].strip() == "away"


def test_a_span_that_took_no_time_and_one_of_minutes_are_drawn() -> None:
    assert len(lines(Trace.of(taken(span(T, ms=0))))) == 2
    assert (took(0.0123), took(90)) == ("12.3 ms", "90.0 s")
