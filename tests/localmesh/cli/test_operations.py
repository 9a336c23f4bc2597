"""What a person does to a running mesh by the command line; and `check` and `compile`, which need none."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ending import Ending
from tests.kit import Limit, eventually
from tests.localmesh.loopback import OWN
from tests.localmesh.up.small import copied, save

ROOT = Path(__file__).resolve().parents[3]
METRICS = f"{OWN}:18049"


@dataclass(frozen=True, slots=True)
class Running:
    """A mesh of the small bundle."""

    deploy: Path
    state: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`localmesh …`."""
        return subprocess.run(
            [sys.executable, "-m", "localmesh", *words],
            cwd=ROOT,
            env={**os.environ, "LOCALMESH_STATE": str(self.state)},
            capture_output=True,
            text=True,
            timeout=Limit.RECOVERED.value,
            check=False,
        )

    def does(self, *words: str) -> str:
        """What it prints when it succeeds."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pods(self) -> dict[str, dict[str, object]]:
        """By name."""
        return {pod["name"]: pod for pod in json.loads(self.does("status", "--json"))["pods"]}

    def is_back(self, pod: str, restarts: object) -> bool:
        """Whether a pod that was restarted so often is ready after one more."""
        now = self.pods()[pod]
        return bool(now["ready"] and now["restarts"] != restarts)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("operations")
    running = Running(copied(folder), folder / "state")
    ending = Ending(sys.executable, "-m", "localmesh", "--state", str(running.state), "clean", cwd=ROOT)
    try:
        running.does("up", str(running.deploy))
        yield running
    finally:
        ending.now()


def test_status_is_a_table_with_the_phases_of_the_start(mesh: Running) -> None:
    shown = mesh.does("status", "--phases")
    assert "small/echo-0" in shown
    assert "START TIME" in shown
    assert "small/echo-0 echo: ready" in shown


def test_scale_returns_when_the_pods_are_there_and_when_they_are_gone(mesh: Running) -> None:
    mesh.does("scale", "echo=3")
    assert mesh.pods()["echo-2"]["ready"] is True
    mesh.does("scale", "small/echo=2")
    assert "echo-2" not in mesh.pods()


@pytest.mark.parametrize("number", ["999999", "99999999999"])
def test_scale_refuses_more_pods_than_this_machine_has_addresses_for(mesh: Running, number: str) -> None:
    done = mesh.run("scale", f"echo={number}")
    assert done.returncode != 0
    assert number in done.stderr
    assert "Traceback" not in done.stderr
    assert mesh.pods()["echo-0"]["ready"] is True


def test_restart_replaces_the_pods(mesh: Running) -> None:
    before = {name: pod["started_at"] for name, pod in mesh.pods().items()}
    mesh.does("restart", "echo")
    after = mesh.pods()
    assert all(after[name]["started_at"] != before[name] and after[name]["ready"] for name in ("echo-0", "echo-1"))
    assert after["gateway-0"]["started_at"] == before["gateway-0"]


def test_kill_names_the_signal_and_an_unknown_pod_is_an_error(mesh: Running) -> None:
    before = mesh.pods()["echo-1"]["restarts"]
    assert mesh.does("kill", "echo-1", "--signal", "term", "--container", "envoy") == "SIGTERM sent to echo-1\n"
    asyncio.run(eventually(lambda: mesh.is_back("echo-1", before), within=Limit.RECOVERED, what="echo-1 is back"))
    done = mesh.run("kill", "ecko-1")
    assert done.returncode == 1
    assert "did you mean echo-1?" in done.stderr


def test_logs_of_a_pod_are_those_of_its_programs(mesh: Running) -> None:
    assert mesh.run("logs", "echo-0", "--container", "echo").returncode == 0
    assert "there is no log of echo-9" in mesh.run("logs", "echo-9").stderr


def test_config_is_what_the_proxy_was_told_without_keys(mesh: Running) -> None:
    told = json.loads(mesh.does("config", "gateway-0", "--json"))
    assert {"listeners", "clusters", "routes", "endpoints"} <= told.keys()
    assert "PRIVATE KEY" not in json.dumps(told)
    assert "http.8080" in mesh.does("config", "gateway-0")


def test_apply_tells_problems_with_their_lines_and_leaves_the_mesh_as_it_was(mesh: Running) -> None:
    routes, before = mesh.deploy / "routes.yaml", mesh.does("config", "gateway-0", "--json")
    text = routes.read_text()
    try:
        save(routes, text.replace("host: echo", "host: ecko"))
        done = mesh.run("apply")
        assert done.returncode == 1
        assert f"{routes}:8: spec.http[0].route[0].destination.host" in done.stderr
        assert mesh.does("config", "gateway-0", "--json") == before
        assert "not in force" in mesh.run("status").stderr
    finally:
        save(routes, text)
    mesh.does("apply")
    assert "not in force" not in mesh.run("status").stderr


def test_policies_tells_since_when_each_holds_and_what_was_last_refused(mesh: Running) -> None:
    routes = mesh.deploy / "routes.yaml"
    text = routes.read_text()

    def told(kind: str) -> dict[str, Any]:
        listed = json.loads(mesh.does("policies", "--json"))["policies"]
        return next(each for each in listed if each["kind"] == kind)

    before = told("VirtualService")
    assert (before["file"], before["line"]) == (str(routes), 1)
    try:
        save(routes, text.replace("host: echo", "host: ecko"))
        mesh.run("apply")
        refused = told("VirtualService")
        assert refused["applied_at"] == before["applied_at"] < refused["refused_at"]
        assert "ecko" in refused["refused"][0]["what"]
        save(routes, text.replace("    - route:", "    - timeout: 7s\n      route:"))
        mesh.does("apply")
        applied = told("VirtualService")
        assert applied["applied_at"] > applied["refused_at"] >= refused["refused_at"]
        done = mesh.run("policies")
        assert f"{routes}:1" in done.stdout
        assert "ecko" in done.stderr
    finally:
        save(routes, text)
    mesh.does("apply")


def test_metrics_tell_of_every_proxy_and_one_that_hangs_is_down(mesh: Running) -> None:
    page = mesh.does("metrics")
    assert 'up{namespace="small",pod="echo-0",workload="echo",container="envoy"} 1\n' in page
    assert 'localmesh_pods{state="Ready"} 3\n' in page
    mesh.does("kill", "echo-0", "--signal", "STOP", "--container", "envoy")
    try:
        page = mesh.does("metrics")
    finally:
        mesh.does("kill", "echo-0", "--signal", "CONT", "--container", "envoy")
    assert 'up{namespace="small",pod="echo-0",workload="echo",container="envoy"} 0\n' in page
    assert 'up{namespace="small",pod="echo-1",workload="echo",container="envoy"} 1\n' in page


def test_metrics_are_served_until_ctrl_c(mesh: Running) -> None:
    command = [sys.executable, "-m", "localmesh", "--state", str(mesh.state), "metrics", "--listen", METRICS]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            assert serving.stdout.readline() == f"http://{METRICS}/metrics until Ctrl-C\n"
            with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=Limit.SOON.value) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
                assert b"# TYPE envoy_server_live gauge\n" in answer.read()
            taken = mesh.run("metrics", "--listen", METRICS)
            assert (taken.returncode, "cannot be opened" in taken.stderr) == (1, True)
        finally:
            serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=Limit.SOON.value) == 0


def test_check_tells_all_problems_at_once(mesh: Running) -> None:
    assert "no problems" in mesh.does("check", str(mesh.deploy))
    bad = mesh.deploy.with_name("bad.yaml")
    bad.write_text(
        (mesh.deploy / "routes.yaml").read_text().replace("hosts:", "hots:").replace("gateways:", "gatways:")
    )
    done = mesh.run("check", str(bad))
    assert done.returncode == 1
    assert f"{bad}:5: " in done.stderr
    assert f"{bad}:6: " in done.stderr
    assert len(json.loads(mesh.run("check", str(bad), "--json").stdout)["problems"]) >= 2


def test_compile_prints_each_pods_configuration_and_needs_no_mesh(mesh: Running) -> None:
    compiled = json.loads(mesh.does("compile", str(mesh.deploy), "--json"))
    assert compiled.keys() == {"small/echo-0", "small/echo-1", "small/gateway-0"}
    assert all(pod.keys() == {"listeners", "clusters", "routes", "endpoints"} for pod in compiled.values())
    only = json.loads(mesh.does("compile", str(mesh.deploy), "--json", "--pod", "echo-1"))
    assert only == {"small/echo-1": compiled["small/echo-1"]}
    unknown = mesh.run("compile", str(mesh.deploy), "--pod", "ecko-1")
    assert (unknown.returncode, "did you mean echo-1?" in unknown.stderr) == (1, True)
