"""`localmesh logs`, on files as the runtime writes them."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from localmesh.cli.logs import files, logs
from localmesh.errors import MeshError
from tests.kit import Limit


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with the logs of a mesh that is down."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "mesh.user-0.user.log").write_text("one\ntwo\nthree\n")
    (folder / "mesh.user-0.envoy.log").write_text("proxied\n")
    (folder / "mesh.user-01.user.log").write_text("another pod\n")
    (folder / "localmesh.log").write_text("started\n")
    return tmp_path


def shown(state: Path, *words: str) -> str:
    done = CliRunner().invoke(logs, [*words], obj=state, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_all_programs_of_a_pod_are_shown_by_name(state: Path) -> None:
    assert shown(state, "user-0").splitlines() == ["envoy    proxied", "user     one", "user     two", "user     three"]


def test_one_container_and_its_last_lines(state: Path) -> None:
    assert shown(state, "mesh/user-0", "--container", "user", "--lines", "2") == "two\nthree\n"


async def test_who_follows_is_told_every_line_once_and_whole_though_one_is_being_written_now(state: Path) -> None:
    words = ("-m", "localmesh", "--state", str(state), "logs", "user-0", "--container", "user", "--follow")
    with (state / "logs" / "mesh.user-0.user.log").open("a") as log:
        print("fo", end="", file=log, flush=True)
        following = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
        assert following.stdout is not None
        stdout = following.stdout

        async def line() -> str:
            return (await asyncio.wait_for(stdout.readline(), Limit.STARTED.value)).decode()

        try:
            told = [await line() for _ in range(3)]
            print("ur\nfive", file=log, flush=True)
            told += [await line() for _ in range(2)]
        finally:
            following.terminate()
            await following.wait()
    assert told == ["one\n", "two\n", "three\n", "four\n", "five\n"]


def test_a_line_that_is_not_whole_is_shown_to_who_does_not_wait_for_the_rest(state: Path) -> None:
    with (state / "logs" / "localmesh.log").open("a") as log:
        log.write("half")
    assert shown(state, "localmesh") == "started\nhalf\n"


def test_the_control_plane_has_a_log_too(state: Path) -> None:
    assert shown(state, "localmesh") == "started\n"


def test_an_unknown_pod_is_an_error_that_lists_the_known(state: Path) -> None:
    with pytest.raises(MeshError, match="mesh/user-0, mesh/user-01, localmesh"):
        files(state / "logs", "user-7", "")


def test_an_unknown_pod_that_is_nearly_known_is_guessed(state: Path) -> None:
    with pytest.raises(MeshError, match="did you mean user-0"):
        files(state / "logs", "user_0", "")


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def called(state: Path) -> list[str]:
    """The lines of a call that user's proxy refused."""
    lines = [
        json.dumps(
            {"time": f"2026-11-22T22:00:01.{end}+00:00", "trace_id": TRACE, "method": "/x", "latency_ms": 1} | more
        )
        for end, more in (
            ("300", {"code": "PERMISSION_DENIED", "upstream_cluster": "outbound|1||user"}),
            (
                "200",
                {
                    "code": "PERMISSION_DENIED",
                    "peer": "spiffe://cluster.local/ns/mesh/sa/chat",
                    "response_code_details": "rbac_access_denied_matched_policy[ns[mesh]-policy[never]-rule[0]]",
                },
            ),
        )
    ]
    (state / "logs" / "mesh.gateway-0.envoy.log").write_text(lines[0] + "\n")
    (state / "logs" / "mesh.user-0.envoy.log").write_text(lines[1] + "\n")
    return lines


def test_the_lines_of_a_call_come_from_all_pods_in_the_order_of_time_also_when_the_mesh_is_down(
    state: Path, called: list[str]
) -> None:
    assert shown(state, "--trace", TRACE[:6], "--json").splitlines() == called[::-1]


def test_a_denied_call_names_the_rule_and_who_called(state: Path, called: list[str]) -> None:
    told = shown(state, "--trace", TRACE)
    assert "mesh/user-0 refused /x from spiffe://cluster.local/ns/mesh/sa/chat: rule 1 of" in told
    assert "AuthorizationPolicy mesh/never" in told


def test_a_call_that_no_log_names_is_an_error_with_a_hint(state: Path) -> None:
    with pytest.raises(MeshError, match="no log names the trace abcdef"):
        shown(state, "--trace", "abcdef")


@pytest.mark.parametrize("words", [[], ["user-0", "--trace", TRACE]])
def test_logs_are_of_a_pod_or_of_a_call(state: Path, words: list[str]) -> None:
    assert CliRunner().invoke(logs, words, obj=state).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [["--trace", TRACE, "-f"], ["--trace", TRACE, "-c", "envoy"], ["--trace", TRACE, "-n100"], ["user-0", "--json"]],
)
def test_an_option_that_would_say_nothing_is_refused(state: Path, called: list[str], words: list[str]) -> None:
    done = CliRunner().invoke(logs, words, obj=state)
    assert done.exit_code == 2
    assert "means nothing with" in done.output
