"""A container's environment on this machine."""

from pathlib import Path

import pytest

from localmesh.errors import Where
from localmesh.mesh.workloads import Container, EnvVar
from localmesh.runtime.dials import Dialed, by_host
from localmesh.runtime.environment import Mounted, expand, localized, variables
from tests.localmesh.runtime.kit import mesh, service, workload

MOUNTS = (Mounted("/etc/keys", Path("/run/keys")), Mounted("/etc/keys/old", Path("/run/old")))


def given(*env: EnvVar) -> tuple[dict[str, str], Dialed]:
    """The environment of the pod user-0 with these variables."""
    container = Container("app", "user:v1", env=env)
    pod = mesh(workload("user", container)).pods[0]
    dialed = Dialed("mesh", "127.16.1.1", by_host([service("nats", 4222)]))
    return variables(container, pod, MOUNTS, dialed), dialed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metadata.name", "user-0"),
        ("metadata.namespace", "mesh"),
        ("metadata.labels['app']", "user"),
        ("metadata.labels['none']", ""),
        ("status.podIP", "127.16.1.1"),
        ("spec.serviceAccountName", "user"),
    ],
)
def test_a_pod_field_has_the_pods_value(field: str, value: str) -> None:
    assert given(EnvVar("X", pod_field=field))[0] == {"X": value}


def test_an_unknown_pod_field_is_a_problem() -> None:
    _, dialed = given(EnvVar("X", pod_field="status.phase", where=Where("user.yaml", 3)))
    assert str(dialed.problems[0]).startswith("user.yaml:3: the pod field status.phase is not known locally")


def test_a_variable_may_name_earlier_ones_and_dial_by_them() -> None:
    values, _ = given(
        EnvVar("HOST", "nats.mesh"),
        EnvVar("URL", "nats://$(HOST):4222"),
        EnvVar("LATER", "$(NEXT)"),
        EnvVar("NEXT", "1"),
    )
    assert values == {"HOST": "nats.mesh", "URL": "nats://127.16.1.1:20000", "LATER": "$(NEXT)", "NEXT": "1"}


def test_two_dollars_are_one() -> None:
    assert expand("$$(A) $(A) $A ${A}", {"A": "x"}) == "$(A) x $A ${A}"


def test_a_path_below_a_mount_is_the_same_file_here() -> None:
    assert localized("/etc/keys/jwks.json", MOUNTS) == "/run/keys/jwks.json"
    assert localized("/etc/keys", MOUNTS) == "/run/keys"
    assert localized("/etc/keys/old/a", MOUNTS) == "/run/old/a"
    assert localized("/etc/keystore", MOUNTS) == "/etc/keystore"
    assert localized("see /etc/keys", MOUNTS) == "see /etc/keys"
