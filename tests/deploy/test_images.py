"""What the images are made from."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.kind.settings import ROOT

DOCKERFILES = [ROOT / "services" / "Dockerfile", ROOT / "tests" / "mesh" / "lab" / "Dockerfile"]


def locked(name: str) -> dict[str, str]:
    """Package and version of each line of a lock."""
    found = re.findall(r"(?m)^([\w.-]+)==([^ ;]+)", (ROOT / name).read_text())
    return dict(found)


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_a_dockerfile_passes_the_linter(file: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([str(hadolint), "--no-color", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_a_dockerfile_is_built_by_any_docker(file: Path) -> None:
    """Without BuildKit, and without a frontend that would have to be pulled."""
    text = file.read_text()
    assert "syntax=" not in text
    assert not re.search(r"--mount|--chmod|--link|<<", text)


def test_a_service_runs_as_a_number_and_hears_its_signals() -> None:
    text = DOCKERFILES[0].read_text()
    assert re.search(r"(?m)^USER \d+:\d+$", text)
    assert len(re.findall(r'(?m)^ENTRYPOINT \["python", "-m", "services\.(?:user|chat)"\]$', text)) == 2


def test_every_dependency_of_an_image_is_hashed_and_none_is_of_the_local_mesh() -> None:
    for name in ("requirements-services.lock", "requirements-stubs.lock"):
        text = (ROOT / name).read_text()
        assert len(locked(name)) == len(re.findall(r"(?m)^[\w.-]+==.*\\\n    --hash=sha256:", text))
        assert not re.search(r"envoy|nats-server|pgserver|xds-protos", text)
        assert "://" not in text


def test_compiled_dependencies_are_locked_for_every_platform_that_has_a_wheel() -> None:
    """An image for arm64 is built from the same lock: pip takes the wheel of its platform, if its hash is there."""
    for name in ("requirements-services.lock", "requirements-stubs.lock"):
        blocks = re.split(r"(?m)^(?=[\w.-]+==)", (ROOT / name).read_text())
        hashes = {block.partition("==")[0]: block.count("--hash=") for block in blocks}
        compiled = {"asyncpg", "cffi", "cryptography", "grpcio", "protobuf", "protovalidate"} | (
            {"grpcio-tools"} if "stubs" in name else set()
        )
        # For one platform alone there are two: the wheel and the source.
        assert {package: hashes[package] for package in compiled if hashes[package] < 6} == {}


def test_no_stage_is_bound_to_one_platform() -> None:
    for file in DOCKERFILES:
        assert not re.search(r"amd64|x86_64|--platform", file.read_text())


def test_the_images_have_the_versions_that_are_tested_here() -> None:
    here = locked("requirements.lock")
    for name in ("requirements-services.lock", "requirements-stubs.lock"):
        assert locked(name).items() <= here.items()
