"""How values are shown."""

import pytest

from localmesh.cli import show
from localmesh.control.control_pb2 import PodStatus, Status


def test_elsewhere_than_on_a_terminal_each_pod_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "grpc health check: " + "NOT_SERVING " * 30
    show.pods(Status(pods=[PodStatus(namespace="mesh", name=f"user-{at}", reason=reason) for at in range(3)]))
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.startswith("POD")
    assert [line.split()[0] for line in lines] == ["mesh/user-0", "mesh/user-1", "mesh/user-2"]
    assert all(reason.strip() in line for line in lines)
    assert "\x1b" not in "".join(lines)
