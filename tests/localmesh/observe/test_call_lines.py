"""The lines of one call are found in the logs of all pods, whoever wrote them and however the file goes on."""

import json
from pathlib import Path

import pytest

from localmesh.errors import MeshError
from localmesh.observe.call_lines import of_trace

ONE, OTHER = "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f00000000000000000000000000"
SPIFFE = "spiffe://cluster.local/ns/mesh/sa/gateway"


def _proxied(end: str, trace: str = ONE, **more: object) -> str:
    """As Envoy writes it: without spaces, null for what is missing."""
    said = {
        "time": f"2026-11-22T22:00:{end}+00:00",
        "event": "proxied",
        "method": "/user.v1.UserService/GetUser",
        "code": "OK",
        "latency_ms": 20,
        "peer": None,
        "trace_id": trace,
        "response_code": 200,
        "response_code_details": "via_upstream",
        "response_flags": "-",
        "upstream_cluster": "inbound|50051||",
    }
    return json.dumps(said | more, separators=(",", ":"))


def _served(end: str, trace: str = ONE) -> str:
    """As a service writes it."""
    said = {"time": f"2026-11-22T22:00:{end}+00:00", "event": "served", "code": "OK", "latency_ms": 2.5}
    return json.dumps(said | {"trace_id": trace, "peer": SPIFFE})


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Of two pods; the gateway's line was trimmed away already, and the last of user's is not written yet."""
    (tmp_path / "mesh.gateway-0.envoy.log.1").write_text(f"[warning] not JSON\n{_proxied('01.100', latency_ms=100)}\n")
    (tmp_path / "mesh.gateway-0.envoy.log").write_text("")
    (tmp_path / "mesh.user-0.envoy.log").write_text(
        "\n".join((_proxied("01.050", peer=SPIFFE), _proxied("02.000", trace=OTHER), _proxied("03.000")[:-9]))
    )
    (tmp_path / "mesh.user-0.user.log").write_text(_served("01.040"))
    (tmp_path / "localmesh.log").write_text(f'"trace_id": "{ONE}"\n')
    return tmp_path


def test_lines_come_in_the_order_in_which_what_they_tell_of_began(logs: Path) -> None:
    found = of_trace(logs, ONE)
    assert [(each.pod, each.program, each.event) for each in found] == [
        ("gateway-0", "envoy", "proxied"),
        ("user-0", "envoy", "proxied"),
        ("user-0", "user", "served"),
    ]
    gateway, proxy, service = found
    assert (gateway.namespace, gateway.latency_ms, gateway.peer, gateway.details) == ("mesh", 100.0, "", "")
    assert (proxy.peer, proxy.method, proxy.code) == (SPIFFE, "/user.v1.UserService/GetUser", "OK")
    assert service.text == _served("01.040")


def test_a_prefix_is_enough_unless_several_traces_begin_so(logs: Path) -> None:
    assert {each.trace for each in of_trace(logs, ONE[:8].upper())} == {ONE}
    with pytest.raises(MeshError, match="2 traces begin with 4bf92f") as found:
        of_trace(logs, "4bf92f")
    assert ONE in found.value.hint


@pytest.mark.parametrize("trace", ["4bf", "not hex", "", ".*.*", ONE + "0"])
def test_what_is_no_id_is_an_error(logs: Path, trace: str) -> None:
    with pytest.raises(MeshError, match="no trace id"):
        of_trace(logs, trace)


def test_a_trace_that_nobody_names_has_no_lines(logs: Path, tmp_path: Path) -> None:
    assert of_trace(logs, "ffff") == []
    assert of_trace(tmp_path / "gone", ONE) == []


def test_what_was_not_as_usual_is_told(tmp_path: Path) -> None:
    (tmp_path / "mesh.a-0.envoy.log").write_text(
        _proxied("01.000", code=None, response_code=503, response_flags="UF", response_code_details="no_healthy")
    )
    (line,) = of_trace(tmp_path, ONE)
    assert (line.code, line.flags, line.details) == ("503", "UF", "no_healthy")
