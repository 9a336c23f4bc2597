"""Which names of an environment are dialed, and what stands for them."""

import pytest

from localmesh.errors import Where
from localmesh.mesh import Dial
from localmesh.runtime.dials import Dialed, by_host
from tests.localmesh.runtime.kit import service

HERE = Where("chat.yaml", 7)
FULL = "user.mesh.svc.cluster.local"


def dialed() -> Dialed:
    """A pod of the namespace `mesh`; `user` is there too, `jaeger` is elsewhere."""
    services = (service("user", 50051), service("postgres", 5432), service("jaeger", 4317, namespace="seen"))
    return Dialed("mesh", "127.16.1.4", by_host(services))


@pytest.mark.parametrize("name", ["user", "user.mesh", "user.mesh.svc", FULL, f"{FULL}."])
def test_every_form_of_a_name_leads_to_the_sidecar_and_leaves_as_it_was_written(name: str) -> None:
    pod = dialed()
    assert pod.replace(f"{name}:50051", HERE) == "127.16.1.4:20000"
    assert list(pod.dials.values()) == [Dial(FULL, 50051, "127.16.1.4", 20000, f"{name}:50051")]
    assert pod.problems == []


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("postgresql://chat:secret@postgres:5432/chat?a=b", "postgresql://chat:secret@127.16.1.4:20000/chat?a=b"),
        ("http://jaeger.seen:4317", "http://127.16.1.4:20000"),
        ("dns:///user:50051", "dns:///127.16.1.4:20000"),
        ("user:50051,jaeger.seen:4317", "127.16.1.4:20000,127.16.1.4:20001"),
        ("a=user:50051;b=user:50051", "a=127.16.1.4:20000;b=127.16.1.4:20000"),
    ],
)
def test_a_name_is_found_inside_urls_and_lists(text: str, replaced: str) -> None:
    assert dialed().replace(text, HERE) == replaced


@pytest.mark.parametrize(
    "text",
    [
        "user",  # no port
        "postgresql://user:50051@elsewhere.example/db",  # a name and a password
        "example.com:443",
        "0.0.0.0:50051",
        "superuser:50051",
        "x-user:50051",
        "jaeger:4317",  # of another namespace
        "user:1",  # not a port of it, and a short name may mean anything
        "12:30:45",
        "user:50051.5",
    ],
)
def test_what_is_no_service_stays_as_it_is(text: str) -> None:
    pod = dialed()
    assert pod.replace(text, HERE) == text
    assert pod.dials == {}
    assert pod.problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{FULL}:1", f"chat.yaml:7: {FULL} has no port 1 (it has 50051)"),
        ("users.mesh.svc:50051", "chat.yaml:7: there is no service users.mesh.svc"),
        (
            "postgres-0.postgres.mesh.svc:5432",
            "chat.yaml:7: there is no service postgres-0.postgres.mesh.svc "
            "(names of single pods do not work locally: name the service, postgres.mesh.svc)",
        ),
    ],
)
def test_a_cluster_name_that_leads_nowhere_is_a_problem(text: str, problem: str) -> None:
    pod = dialed()
    pod.replace(text, HERE)
    assert [str(each) for each in pod.problems] == [problem]
