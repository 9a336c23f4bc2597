"""What the receiver keeps of an export."""

import pytest

from tests.localmesh.observe.otlp_spans import CLIENT, span, taken

CHECK = "/grpc.health.v1.Health/Check"


@pytest.mark.parametrize(
    "check",
    [
        span(
            name="chat:50051/grpc.health.v1.Health/*", said={"component": "proxy", "grpc.path": CHECK, "method": CHECK}
        ),
        # A proxy's single attempt.
        span(name="router outbound|50051||chat; egress", kind=CLIENT, said={"component": "proxy", "method": CHECK}),
        span(name="grpc.health.v1.Health/Watch", said={"rpc.method": "grpc.health.v1.Health/Watch"}),
        span(name="/grpc.health.v1.Health/Check", kind=CLIENT),
    ],
)
def test_nothing_of_a_health_check_is_kept_whoever_tells_of_it(check: object) -> None:
    other = span(name="chat.v1.ChatService/SendMessage")
    assert [each.what for each in taken(check, other)] == ["chat.v1.ChatService/SendMessage"]  # type: ignore[arg-type]


def test_an_attempt_of_a_proxy_is_told_with_its_method() -> None:
    said = {"component": "proxy", "method": "/lab.Echo/Read"}
    (attempt,) = taken(span(name="router outbound|50051||chat; egress", kind=CLIENT, said=said))
    assert attempt.what == "/lab.Echo/Read"


@pytest.mark.parametrize("said", [{"method": "GET"}, {"method": CHECK}, {"component": "grpc", "method": CHECK}])
def test_what_a_program_calls_method_is_its_own_matter(said: dict[str, str]) -> None:
    (kept,) = taken(span(name="work", said=said))
    assert kept.what == "work"
