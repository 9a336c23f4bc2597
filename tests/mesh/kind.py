"""The mesh on a kind cluster (`make kind-up`), by kubectl; kill -9 goes through the node, a container of docker."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from deploy.kind import pods as cluster_pods
from deploy.kind import ready
from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from deploy.kind.pods import PROXY, Pod
from deploy.kind.settings import Settings
from deploy.kind.ways import PAGES
from tests.mesh.backend import PodInfo, Refused
from tests.mesh.documents import identity, split
from tests.mesh.forward import Forward, Relay, free_ports
from tests.mesh.signing import signed

LAB = Path(__file__).parent / "lab"
NAMESPACES = ("mesh", "lab")
# Namespace, Service and its port, in the order of `backend.Mesh`: gateway, edge, edge_tls.
WAYS_IN = (("mesh", "gateway", 80), ("lab", "edge", 80), ("lab", "edge", 443))
_READY_SECONDS = 240
_IN_FORCE_SECONDS = 120


class KindMesh:
    """Implements `backend.Mesh`. A pod is called by its workload and a number, as on this machine, or by its name."""

    def __init__(self, settings: Settings) -> None:
        self.kubectl = Kubectl(settings.context)
        self.tag = settings.image_tag
        self.ways_in = dict(zip(WAYS_IN, free_ports(), strict=False))
        self.gateway, self.edge, self.edge_tls = (f"127.0.0.1:{port}" for port in self.ways_in.values())
        self.edition = 0
        self.forwards: list[Forward] = []
        self.jaeger: int | None = None  # the port that leads to it, once it was asked

    # --- the whole ---

    def start(self) -> None:
        """The lab is there and everything is ready; the gateways are forwarded here."""
        self.kubectl("apply", "-f", "-", stdin=self.lab())
        ready.wait(self.kubectl, (*NAMESPACES, "lab-outside"), lambda _: None, limit=_READY_SECONDS)
        self.wait_until_in_force()
        for (namespace, service, port), here in self.ways_in.items():
            command = self.kubectl.words("-n", namespace, "port-forward", f"svc/{service}", f"{here}:{port}")
            self.forwards.append(Forward(command, here))

    def stop(self) -> None:
        """The lab is gone; the bundle stays as it was."""
        for forward in self.forwards:
            forward.close()
        self.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=self.lab())

    def lab(self) -> str:
        """The lab's documents, with this site's tag."""
        text = "\n---\n".join((LAB / name).read_text() for name in ("lab.yaml", "cluster.yaml"))
        return text.replace("localmesh/echo:0.1.0", f"localmesh/echo:{self.tag}")

    # --- policies ---

    @contextmanager
    def policy(self, *documents: str) -> Iterator[None]:
        """All or none: the API server judges them together before one is applied. In force means: at every proxy."""
        texts = [text for document in documents for text in split(document)]
        whole = "\n---\n".join(texts)
        try:
            self.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=whole)
        except Failed as error:
            raise Refused(str(error)) from None
        before = [self.as_it_is(text) for text in texts]
        try:
            self.kubectl("apply", "-f", "-", stdin=whole)
            self.wait_until_in_force()
            yield
        finally:
            for text, earlier in zip(texts, before, strict=True):
                if earlier:
                    self.kubectl("replace", "-f", "-", stdin=earlier)
                else:
                    self.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=text)
            self.wait_until_in_force()

    def as_it_is(self, text: str) -> str:
        """The object of this document as the cluster has it, fit to be put back; empty if it has none."""
        kind, namespace, name = identity(text) or ("", "", "")
        version = yaml.safe_load(text)["apiVersion"]
        typed = f"{kind}.{version.rpartition('/')[0]}".rstrip(".").lower()
        said = self.kubectl("get", typed, name, "-n", namespace, "--ignore-not-found", "-o", "json")
        if not said:
            return ""
        found = json.loads(said)
        for mark in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
            found["metadata"].pop(mark, None)
        found.pop("status", None)
        return json.dumps(found)

    def wait_until_in_force(self) -> None:
        """Returns when every proxy has what was applied before, and no connection is left under what was before that.

        istiod sends each proxy the whole state in order: a proxy that knows a host made up just now knows all that is
        older. An old filter chain lives on until its connections are drained, which Envoy counts.
        """
        self.edition += 1
        host = edition_host(self.edition)
        self.kubectl("apply", "-f", "-", stdin=json.dumps(edition(host)))
        with ThreadPoolExecutor(8) as workers:
            list(workers.map(lambda pod: self.wait_for_proxy(pod, host), self.proxies()))

    def proxies(self) -> list[Pod]:
        """The pods with an Envoy that runs."""
        return [
            pod
            for pod in cluster_pods.pods(self.kubectl, *NAMESPACES)
            if pod.ready and any(container.name == PROXY for container in pod.containers)
        ]

    def wait_for_proxy(self, pod: Pod, host: str) -> None:
        """As `wait_until_in_force`, for one pod. Raises AssertionError."""
        end = time.monotonic() + _IN_FORCE_SECONDS
        while time.monotonic() < end:
            try:
                draining = [line.rpartition(": ")[2] for line in self.ask(pod, "stats?filter=draining$").splitlines()]
                if set(draining) <= {"0"} and host in self.ask(pod, "clusters"):
                    return
            except Failed:
                if pod.name not in {each.name for each in self.proxies()}:
                    return  # it went meanwhile
            time.sleep(0.2)
        raise AssertionError(f"{pod.name} has not taken the configuration after {_IN_FORCE_SECONDS} s")

    def ask(self, pod: Pod, path: str) -> str:
        """What the Envoy's admin interface says. Raises Failed."""
        words = ("exec", "-n", pod.namespace, pod.name, "-c", PROXY, "--", "pilot-agent", "request", "GET", path)
        return self.kubectl(*words, limit=30)

    # --- pods ---

    def pods(self) -> tuple[PodInfo, ...]:
        """All pods of the bundle and the lab, under their numbered names."""
        return tuple(
            PodInfo(name, pod.address, pod.state, pod.ready, sum(each.restarts for each in pod.containers))
            for name, pod in self.numbered().items()
        )

    def numbered(self) -> dict[str, Pod]:
        """The pods that are not going, by namespace/workload-number."""
        found: dict[str, Pod] = {}
        counts: dict[str, int] = {}
        for pod in sorted(cluster_pods.pods(self.kubectl, *NAMESPACES), key=lambda pod: (pod.namespace, pod.name)):
            if pod.state == "Terminating":
                continue
            template = pod.labels.get("pod-template-hash")
            if template is None:  # of a StatefulSet: it has a number
                found[f"{pod.namespace}/{pod.name}"] = pod
                continue
            workload = f"{pod.namespace}/{pod.name.partition(f'-{template}')[0]}"
            number = counts[workload] = counts.get(workload, -1) + 1
            found[f"{workload}-{number}"] = pod
        return found

    def pod(self, name: str) -> Pod:
        """By its numbered or its own name."""
        numbered = self.numbered()
        own = {f"{pod.namespace}/{pod.name}": pod for pod in numbered.values()}
        return (numbered | own)[name]

    def kill(self, pod: str, signal: str = "KILL") -> None:
        """The app's process."""
        found = self.pod(pod)
        app = found.app
        assert app is not None, f"{pod} has no container yet"
        cluster_pods.kill(found, app.name, signal)

    def kill_proxy(self, pod: str) -> None:
        """The sidecar's first process, and with it its Envoy."""
        cluster_pods.kill(self.pod(pod), PROXY)

    def scale(self, workload: str, replicas: int) -> None:
        """Returns when they are ready. An autoscaler would take it back, so it is told the same."""
        namespace, _, name = workload.partition("/")
        for scaler in self.kubectl.items("horizontalpodautoscalers", "-n", namespace):
            if scaler["spec"]["scaleTargetRef"]["name"] == name:
                limits = json.dumps({"spec": {"minReplicas": replicas, "maxReplicas": replicas}})
                self.kubectl("patch", "hpa", scaler["metadata"]["name"], "-n", namespace, "--type=merge", "-p", limits)
        self.kubectl("scale", self.typed(namespace, name), "-n", namespace, f"--replicas={replicas}")
        ready.wait(self.kubectl, [namespace], lambda _: None, limit=_READY_SECONDS)

    def restart(self, workload: str) -> None:
        """Returns when the last pod is ready again."""
        namespace, _, name = workload.partition("/")
        self.kubectl("rollout", "restart", self.typed(namespace, name), "-n", namespace)
        ready.wait(self.kubectl, [namespace], lambda _: None, limit=_READY_SECONDS)

    def typed(self, namespace: str, name: str) -> str:
        """deployment/NAME or statefulset/NAME."""
        said = self.kubectl("get", "deployments,statefulsets", "-n", namespace, "-o", "name")
        return next(line for line in said.split() if line.rpartition("/")[2] == name)

    def logs(self, pod: str) -> str:
        """All of them."""
        found = self.pod(pod)
        return self.kubectl("logs", "-n", found.namespace, found.name, "--all-containers", "--tail=-1")

    def trace(self, trace_id: str) -> dict[str, Any]:
        """From Jaeger (component jaeger), which is forwarded here when it is asked first."""
        if self.jaeger is None:
            way = PAGES["jaeger"]
            here = next(free_ports())
            forward = ("-n", way.namespace, "port-forward", f"svc/{way.service}", f"{here}:{way.port}")
            self.forwards.append(Forward(self.kubectl.words(*forward), here))
            self.jaeger = here
        return jaeger_trace(f"http://127.0.0.1:{self.jaeger}", trace_id)

    def metrics(self) -> str:
        """What each sidecar's agent answers for itself, its Envoy and its app, as it answers Prometheus."""
        ask = ("-c", PROXY, "--", "pilot-agent", "request", "--debug-port", "15020", "GET", "stats/prometheus")
        found = [pod for pod in self.proxies() if pod.namespace == "mesh"]
        return "\n".join(self.kubectl("exec", "-n", pod.namespace, pod.name, *ask, limit=30) for pod in found)

    @contextmanager
    def reach(self, pod: str, port: int) -> Iterator[tuple[str, int]]:
        """From a pod outside the mesh: a port-forward would come in behind the sidecar."""
        words = ("exec", "-i", "-n", "lab-outside", "deploy/stranger", "--", "python", "-m", "tests.mesh.lab.relay")
        command = self.kubectl.words(*words, self.pod(pod).address, str(port))
        with ExitStack() as stack:
            yield stack.enter_context(Relay(command)).address

    # --- tokens ---

    def token(self, subject: str, **claims: object) -> str:
        """Signed with the key that the mesh trusts; a claim of None is left out."""
        return signed(subject, claims)


def jaeger_trace(address: str, trace_id: str) -> dict[str, Any]:
    """By Jaeger's query API (api_v3). Raises Refused for a trace that it does not have."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{address}/api/v3/traces/{trace_id}", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)["result"]
    except urllib.error.HTTPError as error:
        raise Refused(f"{trace_id}: {error.code} {error.read().decode(errors='replace')}") from None
    return found


def edition_host(number: int) -> str:
    """A name that no earlier run of the tests has used."""
    return f"edition-{number}-{time.time_ns()}.lab.test"


def edition(host: str) -> dict[str, object]:
    """A document without any effect but that every proxy gets to know this host."""
    spec = {"hosts": [host], "ports": [{"number": 8999, "name": "http", "protocol": "HTTP"}], "resolution": "NONE"}
    metadata = {"name": "edition", "namespace": "lab"}
    return {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": metadata, "spec": spec}
