"""What `localmesh up` loads: whoever starts a mesh waits for it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("localmesh.cli", ("asyncio", "google.protobuf", "grpc", "rich", "yaml")),
        ("localmesh.cli.start", ("asyncio", "google.protobuf", "grpc", "rich", "yaml")),
        ("localmesh.cli.follow", ("asyncio", "grpc", "yaml")),
        ("localmesh.cli.status", ("localmesh.manifests", "localmesh.xds", "yaml")),
    ],
)
def test_a_verb_does_not_load_what_it_does_not_need(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*(name for name in {absent!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
