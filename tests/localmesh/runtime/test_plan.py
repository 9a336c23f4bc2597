"""What would run for a pod."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localmesh.errors import Problems, Where
from localmesh.mesh import Mesh
from localmesh.mesh.workloads import Asks, Container, EnvVar, Keeps, Mount, Probe, Volume
from localmesh.runtime.local import Expose, Image, Listen, LocalRun, Step
from localmesh.runtime.plan import plan
from localmesh.runtime.podplan import PodPlan
from localmesh.runtime.probes import Question
from tests.localmesh.runtime.kit import Proxy, imagined_dirs, machine, mesh, service, workload

HERE = Where("user.yaml", 5)
RUN = imagined_dirs().run / "mesh.user-0"
USER = Container(
    name="app",
    image="localmesh/user:v1",
    env=(EnvVar("GRPC_LISTEN", "0.0.0.0:50051"), EnvVar("DB", "postgresql://user@postgres:5432/user")),
    ports=(("grpc", 50051), ("metrics", 9090)),
    readiness=Probe(Asks.GRPC, port=50051),
    where=HERE,
)
IMAGE = Image(("${python}", "-m", "services.user"), {"grpc": Listen(env="GRPC_LISTEN")})


def planned(of: Mesh, local: LocalRun) -> tuple[PodPlan, ...]:
    """The plan on a machine whose environment has a path and a secret."""
    here = machine(of, imagined_dirs(), environ={"PATH": "/usr/bin", "HOME": "/home/ada", "TOKEN": "secret"})
    return plan(of, local, here)


def user(container: Container = USER, image: Image = IMAGE, **more: Any) -> PodPlan:
    """The plan of one user pod."""
    of = mesh(workload("user", container, **more), services=(service("postgres", 5432),))
    return planned(of, LocalRun({"localmesh/user": image}))[0]


def problems(container: Container = USER, image: Image = IMAGE, **more: Any) -> list[str]:
    """What is wrong with it."""
    with pytest.raises(Problems) as raised:
        user(container, image, **more)
    return [str(each) for each in raised.value.problems]


def test_an_app_runs_its_local_command_with_the_manifests_variables() -> None:
    (app,) = user().apps
    assert app.launch.command == (sys.executable, "-m", "services.user")
    assert app.launch.env["DB"] == "postgresql://user@127.15.1.1:20000/user"
    assert app.launch.env["HOSTNAME"] == "user-0"
    assert app.launch.env["HOME"] == "/home/ada"
    assert "TOKEN" not in app.launch.env
    assert app.launch.cwd == imagined_dirs().state


def test_programs_find_each_other_by_name() -> None:
    path = user().apps[0].launch.env["PATH"].split(":")
    assert path == [str(Path(sys.executable).parent), "/opt", "/opt/pg/bin", "/usr/bin"]


def test_an_app_listens_on_a_unix_socket_that_only_its_sidecar_knows() -> None:
    pod = user()
    assert pod.apps[0].launch.env["GRPC_LISTEN"] == f"unix:{RUN}/grpc.sock"
    assert pod.placement.apps == {50051: f"unix:{RUN}/grpc.sock"}
    assert pod.apps[0].readiness == Question(Probe(Asks.GRPC, port=50051), f"unix:{RUN}/grpc.sock")
    assert pod.apps[0].sockets == (RUN / "grpc.sock",)


def test_what_an_app_dials_is_in_the_placement() -> None:
    (dial,) = user().placement.dials
    assert (dial.host, dial.port, dial.authority) == ("postgres.mesh.svc.cluster.local", 5432, "postgres:5432")
    assert (dial.listen_address, dial.listen_port) == ("127.15.1.1", 20000)


def test_an_app_that_cannot_use_unix_sockets_gets_a_loopback_address_of_its_own() -> None:
    image = Image(("${nats}", "-a", "${address}", "-p", "${port}", "-m", "${port:metrics}"))
    one = replace(image, command=image.command[:5], listen={"grpc": Listen(address=True)})
    assert user(image=one).apps[0].launch.command == ("/opt/nats-server", "-a", "127.15.129.1", "-p", "50051")
    two = replace(
        image, command=("x", "${port:metrics}"), listen=dict.fromkeys(("grpc", "metrics"), Listen(address=True))
    )
    assert user(image=two).apps[0].launch.command == ("x", "9090")
    assert user(image=two).placement.apps == {50051: "127.15.129.1:50051", 9090: "127.15.129.1:9090"}


def test_an_app_without_a_sidecar_listens_at_its_pods_address() -> None:
    pod = user(replace(USER, env=()), proxy=Proxy.NONE)
    assert pod.envoy is None
    assert pod.placement.apps == {50051: "127.15.1.1:50051"}
    assert pod.apps[0].launch.env["GRPC_LISTEN"] == "127.15.1.1:50051"


def test_a_sidecar_is_ready_when_its_admin_says_so() -> None:
    pod = user()
    assert pod.envoy is not None
    assert pod.envoy.launch.command[:3] == ("/opt/envoy", "-c", str(RUN / "envoy.json"))
    assert pod.envoy.readiness is not None
    assert pod.envoy.readiness.where == f"unix:{pod.admin}"


def test_a_gateway_has_no_app_and_opens_the_ports_that_are_exposed() -> None:
    gateway = workload("gateway", Container("istio-proxy", "auto"), proxy=Proxy.GATEWAY)
    local = LocalRun(expose=(Expose("mesh/gateway", 8080, "127.0.0.1:18080"),))
    (pod,) = planned(mesh(gateway), local)
    assert pod.apps == ()
    assert pod.envoy is not None
    assert pod.placement.exposed == {8080: ("127.0.0.1", 18080)}


def test_a_port_of_what_is_no_gateway_is_not_exposed() -> None:
    local = LocalRun({"localmesh/user": IMAGE}, (Expose("mesh/user", 8080, "127.0.0.1:8080", Where("local.yaml", 9)),))
    of = mesh(workload("user", USER), services=(service("postgres", 5432),))
    with pytest.raises(Problems, match=r"local\.yaml:9: mesh/user is no gateway workload"):
        planned(of, local)


def test_volumes_have_their_places_and_data_outlives_the_pod() -> None:
    volumes = (Volume("data", Keeps.DATA), Volume("keys", files={"a": b""}))
    mounts = (Mount("data", "/data"), Mount("keys", "/etc/keys", sub_path="sub"))
    image = replace(IMAGE, command=("x", "${volume:/data}/base"), env={"KEYS": "${volume:/etc/keys}"})
    pod = user(replace(USER, mounts=mounts, env=(EnvVar("KEY", "/etc/keys/a"),)), image, volumes=volumes)
    data = imagined_dirs().data / "mesh" / "user-0" / "data"
    assert pod.apps[0].launch.command == ("x", f"{data}/base")
    assert pod.apps[0].launch.env["KEYS"] == f"{RUN}/volumes/keys/sub"
    assert pod.apps[0].launch.env["KEY"] == f"{RUN}/volumes/keys/sub/a"
    assert pod.keeps_data


def test_a_volume_is_prepared_by_commands_whose_input_is_a_text_or_a_file_and_never_shown() -> None:
    steps = (Step(("init",), stdin="$(PW)"), Step(("load", "${volume:/data}"), stdin_file="${volume:/data}/all.sql"))
    image = replace(IMAGE, prepare=steps)
    container = replace(USER, env=(EnvVar("PW", "hunter2"),), mounts=(Mount("data", "/data"),))
    prepare = user(container, image, volumes=(Volume("data", Keeps.DATA),)).apps[0].prepare
    assert prepare is not None
    first, second = prepare.steps
    assert (first.launch.command, first.stdin, first.stdin_file) == (("init",), "hunter2", None)
    assert "hunter2" not in repr(prepare)
    assert second.launch.command == ("load", str(prepare.volume))
    assert second.stdin_file == prepare.volume / "all.sql"


def test_pods_of_equal_plans_run_the_same() -> None:
    assert user().runs_as(user())
    assert user().runs_as(replace(user(), placement=replace(user().placement, exposed={1: ("127.0.0.1", 1)})))
    assert not user().runs_as(user(replace(USER, env=())))


def test_a_secret_is_not_in_what_is_printed_of_a_plan() -> None:
    pod = user(replace(USER, env=(EnvVar("PASSWORD", "hunter2", secret=True),)))
    assert "hunter2" not in repr(pod)


@pytest.mark.parametrize(
    ("container", "image", "problem"),
    [
        (replace(USER, image="other:v1"), IMAGE, "user.yaml:5: it is not known how to run the image other:v1 locally"),
        (USER, replace(IMAGE, listen={"grcp": Listen(env="X")}), "localmesh/user:v1 has no port named grcp"),
        (
            USER,
            replace(IMAGE, listen={"grpc": Listen()}),
            "it is not said how localmesh/user:v1 is told of its port grpc",
        ),
        (USER, replace(IMAGE, listen={}), "a probe asks port 50051, where localmesh/user:v1 does not listen locally"),
        (USER, replace(IMAGE, command=("${pyhton}",)), "${pyhton} stands for nothing"),
        (USER, replace(IMAGE, env={"A": "${port}"}), "${port} stands for nothing"),
        (USER, replace(IMAGE, command=("${volume:/data}",)), "${volume:/data}: nothing is mounted there"),
        (USER, replace(IMAGE, stop_signal="TERM"), "TERM is no signal"),
        (USER, replace(IMAGE, prepare=(Step(("x",)),)), "prepares its data volume, but has 0 of them"),
        (replace(USER, mounts=(Mount("none", "/x"),)), IMAGE, "there is no volume none"),
    ],
)
def test_what_cannot_run_here_is_a_problem_with_its_place(container: Container, image: Image, problem: str) -> None:
    found = problems(container, image)
    assert problem in found[0]
    assert found[0].startswith("user.yaml:5: ")


def test_all_problems_are_told_at_once() -> None:
    assert len(problems(replace(USER, mounts=(Mount("none", "/x"),)), replace(IMAGE, command=("${a}", "${b}")))) == 3


def test_init_containers_are_refused_by_name() -> None:
    assert "init containers are not run locally" in problems(init_containers=(replace(USER, name="first"),))[0]
