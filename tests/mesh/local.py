"""The mesh on this machine: `localmesh`, on a copy of deploy/ with the lab beside it."""

import http.client
import shutil
import signal as signals
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from tests.ending import Ending
from tests.mesh import control
from tests.mesh.backend import PodInfo, Refused
from tests.mesh.documents import identity, split
from tests.mesh.forward import free_ports
from tests.mesh.signing import signed

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(__file__).parent / "lab"
ECHO_IMAGE = {"command": ["${python}", "-m", "tests.mesh.lab.echo"], "listen": {"grpc": {"env": "LISTEN"}}}


class LocalMesh:
    """Implements `backend.Mesh`: the whole by the command line, what is asked often by the API that it speaks."""

    def __init__(self, folder: Path) -> None:
        self.deploy, self.state = folder / "deploy", folder / "state"
        self.ending: Ending | None = None
        self.gateway, self.edge, self.edge_tls = (f"127.0.0.1:{port}" for port in islice(free_ports(), 3))
        shutil.copytree(ROOT / "deploy", self.deploy)
        shutil.copy(LAB / "lab.yaml", self.deploy / "lab.yaml")
        local = yaml.safe_load((self.deploy / "local.yaml").read_text())
        local["images"]["localmesh/echo"] = ECHO_IMAGE
        for exposed in local["expose"]:
            exposed["address"] = self.gateway
        for edge_port, address in ((8080, self.edge), (8443, self.edge_tls)):
            local["expose"].append({"gateway": "lab/edge", "port": edge_port, "address": address})
        (self.deploy / "local.yaml").write_text(yaml.safe_dump(local))

    def command(self, *words: str, timeout: float = 120) -> str:
        """Run `localmesh …` and return what it printed; Refused with its complaint if it exits with 1."""
        done = subprocess.run(self.line(*words), cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:
            raise Refused(f"{done.stderr}{done.stdout}".strip())
        return done.stdout

    def line(self, *words: str) -> list[str]:
        """`localmesh …` as words."""
        return [sys.executable, "-m", "localmesh", "--state", str(self.state), *words]

    def start(self) -> None:
        """Returns when every pod is ready."""
        self.ending = self.ending or Ending(*self.line("clean"), cwd=ROOT)
        self.command("up", str(self.deploy))

    def stop(self) -> None:
        """No process is left, and no data. It happens also when the tests are killed."""
        if self.ending:
            self.ending.now()
            self.ending = None

    def pods(self) -> tuple[PodInfo, ...]:
        """All pods."""
        return control.pods(self.state)

    @contextmanager
    def policy(self, *documents: str) -> Iterator[None]:
        """A document that deploy/ has already is replaced where it stands; the others come into a file of their own."""
        before = {file: file.read_bytes() for file in self.deploy.rglob("*.yaml")}
        # Policies may be put in force within one another.
        added = self.deploy / "istio" / f"test-{len(before)}.yaml"
        try:
            for file, text in self.edits(documents, added).items():
                write(file, text)
            control.apply(self.state)
            yield
        finally:
            for file, content in before.items():
                if file.read_bytes() != content:
                    write(file, content.decode())
            added.unlink(missing_ok=True)
            control.apply(self.state)

    def edits(self, documents: tuple[str, ...], added: Path) -> dict[Path, str]:
        """The files to write so that these documents are in force."""
        new = {identity(text): text for document in documents for text in split(document)}
        edits: dict[Path, str] = {}
        for file in sorted(self.deploy.rglob("*.yaml")):
            texts = split(file.read_text())
            if any(identity(text) in new for text in texts):
                edits[file] = "\n---\n".join(new.pop(identity(text), text) for text in texts)
        if new:
            edits[added] = "\n---\n".join(new.values())
        return edits

    def token(self, subject: str, **claims: object) -> str:
        """Signed with the key that the mesh trusts; a claim of None is left out."""
        return signed(subject, claims)

    def kill(self, pod: str, signal: str = "KILL") -> None:
        """The app's process."""
        control.kill(self.state, pod, signals.Signals[f"SIG{signal}"])

    def kill_proxy(self, pod: str) -> None:
        """The pod's Envoy."""
        control.kill(self.state, pod, signals.SIGKILL, "envoy")

    @contextmanager
    def runtime(self, pod: str, key: str, value: str) -> Iterator[None]:
        """Set a runtime value of a pod's Envoy by its admin interface; at the end it is as before.

        https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/runtime
        """
        try:
            self._set_runtime(pod, key, value)
            yield
        finally:
            self._set_runtime(pod, key, "")

    def _set_runtime(self, pod: str, key: str, value: str) -> None:
        connection = http.client.HTTPConnection("localhost", timeout=10)
        with socket.socket(socket.AF_UNIX) as admin:
            connection.sock = admin
            admin.connect(str(control.sockets(self.state, pod) / "admin.sock"))
            connection.request("POST", f"/runtime_modify?{urllib.parse.urlencode({key: value})}")
            assert connection.getresponse().status == http.HTTPStatus.OK

    def scale(self, workload: str, replicas: int) -> None:
        """Returns when they are ready."""
        control.scale(self.state, workload, replicas)

    def restart(self, workload: str) -> None:
        """Returns when the last pod is ready again."""
        control.restart(self.state, workload)

    def logs(self, pod: str) -> str:
        """From the files, for a process at each look would take longer than what is waited for."""
        namespace, _, name = pod.partition("/")
        files = sorted((self.state / "logs").glob(f"{namespace}.{name}.*.log"))
        return "".join(file.read_text(errors="replace") for file in files)

    def trace(self, trace_id: str) -> dict[str, Any]:
        """As localmesh has it."""
        return control.trace(self.state, trace_id)

    def metrics(self) -> str:
        """Of the lab's pods too."""
        return self.command("metrics")

    @contextmanager
    def reach(self, pod: str, port: int) -> Iterator[tuple[str, int]]:
        """The pod's own address is of this machine."""
        yield next(info.address for info in self.pods() if info.name == pod), port


def write(file: Path, text: str) -> None:
    """As an editor saves: whole or not at all."""
    aside = file.with_suffix(".saving")
    aside.write_text(text)
    aside.replace(file)
