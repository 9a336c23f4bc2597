"""`localmesh logs`, on files as the runtime writes them."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from localmesh.cli.logs import files, logs
from localmesh.errors import MeshError


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


def test_the_control_plane_has_a_log_too(state: Path) -> None:
    assert shown(state, "localmesh") == "started\n"


def test_an_unknown_pod_is_an_error_that_lists_the_known(state: Path) -> None:
    with pytest.raises(MeshError, match="mesh/user-0, mesh/user-01, localmesh"):
        files(state / "logs", "user-7", "")


def test_an_unknown_pod_that_is_nearly_known_is_guessed(state: Path) -> None:
    with pytest.raises(MeshError, match="did you mean user-0"):
        files(state / "logs", "user_0", "")
