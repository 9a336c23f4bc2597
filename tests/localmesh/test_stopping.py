"""The end of a gRPC server whose client has hung."""

import inspect
import subprocess
import sys

import localmesh.stopping
import services.common.stopping
from tests.kit import Limit


def test_a_peer_that_takes_nothing_any_more_holds_up_neither_the_end_of_a_server_nor_that_of_its_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.hung_client", "localmesh.stopping"],
        capture_output=True,
        text=True,
        timeout=Limit.STARTED.value,
        check=True,
    )
    assert "a peer takes nothing any more: its connection is left open\n" in ended.stderr


def test_the_services_have_the_same_end() -> None:
    """Two files that may not import each other, so that what is mended in one is mended in both."""
    assert inspect.getsource(localmesh.stopping) == inspect.getsource(services.common.stopping)
