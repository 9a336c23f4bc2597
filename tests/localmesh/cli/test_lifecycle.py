"""`localmesh` as a person runs it, on a small bundle: up, again, down; and starts that cannot succeed."""

import asyncio
import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from localmesh.runtime import dirs
from tests.ending import Ending
from tests.kit import Limit, eventually
from tests.localmesh.up.small import GATEWAY, copied

ROOT = Path(__file__).resolve().parents[3]
PODS = {"echo-0", "echo-1", "gateway-0"}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a bundle and a state folder of their own."""

    deploy: Path
    state: Path

    def line(self, *words: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "localmesh", "--state", str(self.state), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `localmesh …` did."""
        return subprocess.run(
            self.line(*words), cwd=ROOT, capture_output=True, text=True, timeout=Limit.RECOVERED.value, check=False
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        """Start the bundle."""
        return self.run("up", str(self.deploy))

    def change_local(self, **images: object) -> None:
        """Change how echo is run."""
        file = self.deploy / "local.yaml"
        local = yaml.safe_load(file.read_text())
        local["images"]["localmesh/echo"] |= images
        file.write_text(yaml.safe_dump(local))

    def leaves_nothing(self) -> bool:
        """Whether no process of the mesh is left, nor its sockets."""
        where = dirs.of(self.state)
        processes = [each for each in Path("/proc").iterdir() if each.name.isdigit() and self._is_ours(each)]
        return dirs.holder(where) is None and not processes and not where.socket("control").exists()

    def _is_ours(self, process: Path) -> bool:
        try:
            line = (process / "cmdline").read_bytes()
        except OSError:
            return False
        return any(os.fsencode(folder) in line for folder in (dirs.of(self.state).run, self.state))


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    person = Person(copied(tmp_path), tmp_path / "state")
    ending = Ending(*person.line("clean"), cwd=ROOT)
    yield person
    ending.now()
    assert person.leaves_nothing()
    assert not person.state.exists()


def test_up_shows_the_pods_and_again_changes_nothing_and_down_leaves_nothing(person: Person) -> None:
    first = person.up()
    assert first.returncode == 0, first.stderr
    assert all(f"small/{pod}" in first.stdout for pod in PODS)
    assert "Next:" in first.stdout

    def obeyed() -> bool:
        pods = json.loads(person.run("status", "--json").stdout)["pods"]
        return {pod["name"] for pod in pods if pod["ready"] and pod["acked"]} == PODS

    asyncio.run(eventually(obeyed, what="every proxy obeys"))
    before = json.loads(person.run("status", "--json").stdout)
    again = person.up()
    assert (again.returncode, "running already" in again.stdout) == (0, True)
    assert "is ready after" not in again.stdout
    after = json.loads(person.run("status", "--json").stdout)
    assert after["process"] == before["process"]
    assert [pod["started_at"] for pod in after["pods"]] == [pod["started_at"] for pod in before["pods"]]

    down = person.run("down")
    assert (down.returncode, down.stdout) == (0, "The mesh is down; its data stays.\n")
    assert person.leaves_nothing()
    assert person.run("status").stderr.startswith("error: the mesh is not running")
    assert person.run("down").stdout == "The mesh is not running.\n"


def test_of_two_ups_at_once_one_starts_the_mesh_and_both_see_it_ready(person: Person) -> None:
    both = [
        subprocess.Popen(person.line("up", str(person.deploy)), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=Limit.RECOVERED.value)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("running already" in text for text in said) == [False, True]
    assert all(f"small/{pod}" in text for pod in PODS for text in said)


def test_bad_yaml_is_told_with_its_lines_and_nothing_is_started(person: Person) -> None:
    routes = person.deploy / "routes.yaml"
    routes.write_text(routes.read_text().replace("hosts:", "hots:").replace("host: echo", "host: ecko"))
    done = person.up()
    assert done.returncode == 1
    assert f"{routes}:5: " in done.stderr
    assert "hosts" in done.stderr
    assert "Traceback" not in done.stderr
    assert person.leaves_nothing()


def test_a_program_that_does_not_start_is_told_with_its_last_words(person: Person) -> None:
    person.change_local(command=["${python}", "-c", "raise SystemExit('no such table: users')"])
    done = person.up()
    assert done.returncode == 1
    assert "small/echo-" in done.stderr
    assert "no such table: users" in done.stderr
    assert str(person.state / "logs") in done.stderr
    assert person.leaves_nothing()


def test_a_missing_program_is_named(person: Person) -> None:
    person.change_local(command=["/nowhere/echo"])
    done = person.up()
    assert done.returncode == 1
    assert "/nowhere/echo" in done.stderr
    assert person.leaves_nothing()


def test_a_taken_port_is_named_before_anything_starts(person: Person) -> None:
    host, _, port = GATEWAY.partition(":")
    with socket.create_server((host, int(port))):
        done = person.up()
    assert done.returncode == 1
    assert GATEWAY in done.stderr
    assert person.leaves_nothing()


WITHOUT_FORKS = """
import os, subprocess, sys
def fails(*_, **__):
    raise OSError(NUMBER, os.strerror(NUMBER))
subprocess.Popen = fails
from localmesh.cli import main
main()
"""


@pytest.mark.parametrize(("number", "hint"), [(errno.EAGAIN, "ulimit -u"), (errno.ENOMEM, "memory")])
def test_where_no_process_can_be_made_up_says_so(person: Person, number: int, hint: str) -> None:
    words = [sys.executable, "-c", WITHOUT_FORKS.replace("NUMBER", str(number)), *person.line()[3:]]
    told = subprocess.run(
        [*words, "up", str(person.deploy)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 1
    assert f"cannot be started: {os.strerror(number)}" in told.stderr
    assert hint in told.stderr
    assert "Traceback" not in told.stderr
    assert person.leaves_nothing()


def test_what_a_crashed_run_left_is_cleaned_up_by_the_next(person: Person) -> None:
    assert person.up().returncode == 0
    os.kill(json.loads(person.run("status", "--json").stdout)["process"], signal.SIGKILL)
    done = person.up()
    assert done.returncode == 0, done.stderr
    assert "running already" not in done.stdout
    status = json.loads(person.run("status", "--json").stdout)
    assert {pod["name"] for pod in status["pods"] if pod["ready"]} == PODS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_mesh_in_the_foreground_ends_cleanly_by_a_signal(person: Person, number: signal.Signals) -> None:
    with subprocess.Popen(
        person.line("up", "--foreground", str(person.deploy)), cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as mesh:
        assert mesh.stdout is not None
        for line in mesh.stdout:
            if "Ctrl-C" in line:
                break
        mesh.send_signal(number)
        assert mesh.wait(Limit.RECOVERED.value) == 0
    assert person.leaves_nothing()


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGHUP, 1), (signal.SIGKILL, -signal.SIGKILL)],
    ids=lambda each: getattr(each, "name", ""),
)
def test_an_up_that_is_ended_leaves_nothing_of_what_it_began(person: Person, number: int, status: int) -> None:
    # Not ready before it is ended: the argument says whose it is.
    person.change_local(command=["${python}", "-c", "import time; time.sleep(3600)", str(person.state)])
    with subprocess.Popen(
        person.line("up", str(person.deploy)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as up:
        assert up.stdout is not None
        assert "small/gateway-0" in up.stdout.readline()  # the first pod is ready, the others are on their way
        up.send_signal(number)
        assert up.wait(Limit.RECOVERED.value) == status
    # After SIGKILL the mesh ends by itself.
    asyncio.run(eventually(person.leaves_nothing, within=Limit.RECOVERED, what="nothing is left"))


@pytest.mark.parametrize("words", [["up", "."], ["status"], ["down"], ["clean"]], ids=lambda words: words[0])
def test_a_state_folder_that_cannot_be_used_is_a_message(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "file").touch()
    nowhere = Person(tmp_path, tmp_path / "file" / "state")
    done = nowhere.run(*words)
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if words[0] in {"down", "clean"} else 1)


def test_down_waits_for_who_holds_the_folder_to_say_so_and_signals_nobody_else(person: Person) -> None:
    """A process number of 0 would mean our own process group."""
    person.state.mkdir()
    with (person.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(person.line("down"), cwd=ROOT, stdout=subprocess.PIPE, text=True) as down:
            with pytest.raises(subprocess.TimeoutExpired):
                down.wait(0.5)
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert down.wait(Limit.SOON.value) == 0


def test_wrong_usage_is_exit_code_2(person: Person) -> None:
    assert person.run("scale", "echo").returncode == 2
    assert person.run("kill", "echo-0", "--signal", "LOUD").returncode == 2
    assert person.run("check").returncode == 2
