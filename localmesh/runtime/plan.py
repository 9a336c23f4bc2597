"""(mesh, local run, machine) -> what would run for each pod. Pure: nothing is started, made or looked up here."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from localmesh.errors import Problem, Problems, Where
from localmesh.mesh import Mesh, Placement, Pod, Service, Workload
from localmesh.mesh.pods import Proxy
from localmesh.mesh.workloads import Asks, Container, Probe
from localmesh.runtime import dials, environment, placeholders, volumes
from localmesh.runtime.addresses import PodAddress, split
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.environment import Mounted
from localmesh.runtime.local import Image, LocalRun
from localmesh.runtime.placeholders import Listening, Values
from localmesh.runtime.podplan import ENVOY, PodPlan, Prepare, ProcessPlan, Step, admin_socket, bootstrap
from localmesh.runtime.probes import Question
from localmesh.runtime.process import Launch
from localmesh.runtime.programs import POSTGRES

# An injected gateway has this for its image: the proxy alone.
_NO_APP = "auto"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a plan must know of this machine. `programs`: what `${name}` stands for. `environ`: what is inherited."""

    addresses: Mapping[str, PodAddress]  # by pod, `namespace/name`
    dirs: Dirs
    programs: Mapping[str, str]
    root: Path  # where local programs are started
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


def plan(mesh: Mesh, local: LocalRun, machine: Machine) -> tuple[PodPlan, ...]:
    """All pods of the mesh that a workload runs. Problems if some cannot run here, all of them at once."""
    workloads = {workload.key: workload for workload in mesh.workloads}
    services = dials.by_host(mesh.services)
    problems = _check_exposed(local, workloads)
    plans = []
    for pod in mesh.pods:
        if workload := workloads.get(f"{pod.namespace}/{pod.workload}"):
            draft = _Draft(pod, workload, local, machine, services)
            plans.append(draft.plan())
            problems += draft.problems
    if problems:
        raise Problems(problems)
    return tuple(plans)


class _Draft:
    """One pod's plan in the making."""

    def __init__(
        self, pod: Pod, workload: Workload, local: LocalRun, machine: Machine, services: dict[str, Service]
    ) -> None:
        self.pod, self.workload, self.local, self.machine = pod, workload, local, machine
        self.dirs = machine.dirs.pod(pod.namespace, pod.name)
        self.address = machine.addresses[pod.key]
        self.dialed = dials.Dialed(pod.namespace, self.address.pod, services)
        self.problems = self.dialed.problems
        self.folders = {volume.name: volumes.place(volume, self.dirs) for volume in workload.volumes}

    def plan(self) -> PodPlan:
        containers = [each for each in self.workload.containers if each.image != _NO_APP]
        for container in self.workload.init_containers:
            self._problem(container, "init containers are not run locally", "let the program wait for what it needs")
        apps = [self._app(each, image) for each in containers if (image := self._image(each))]
        exposed = {
            expose.port: split(expose.address) for expose in self.local.expose if expose.gateway == self.workload.key
        }
        places = {port: place for _, ports in apps for port, place in ports.items()}
        return PodPlan(
            namespace=self.pod.namespace,
            name=self.pod.name,
            workload=self.workload.key,
            identity=self.pod.identity,
            proxy=self.pod.proxy,
            placement=Placement(
                self.address.pod, ready=False, apps=places, dials=tuple(self.dialed.dials.values()), exposed=exposed
            ),
            dirs=self.dirs,
            apps=tuple(app for app, _ in apps),
            envoy=self._envoy() if self.pod.proxy is not Proxy.NONE else None,
            folders=tuple(self.folders.values()),
            grace=self.workload.grace,
        )

    def _image(self, container: Container) -> Image | None:
        image = self.local.image(container.image)
        if image is None:
            self._problem(container, f"it is not known how to run the image {container.image} locally",
                          "say so in deploy/local.yaml under images")  # fmt: skip
        return image

    def _app(self, container: Container, image: Image) -> tuple[ProcessPlan, dict[int, str]]:
        mounts = tuple(self._mounted(container))
        given = environment.variables(container, self.pod, mounts, self.dialed)
        values, launch = self._launch(container, image, mounts, given)
        places = values.listening.places
        process = ProcessPlan(
            name=container.name,
            launch=launch,
            startup=self._question(container, container.startup, values.listening, launch),
            readiness=self._question(container, container.readiness, values.listening, launch),
            liveness=self._question(container, container.liveness, values.listening, launch),
            prepare=self._prepare(container, image, values, launch),
            stop_signal=self._signal(container, image),
            sockets=values.listening.sockets,
        )
        for what, hint in (*values.problems, *values.listening.problems):
            self._problem(container, what, hint, image)
        return process, places

    def _launch(
        self, container: Container, image: Image, mounts: tuple[Mounted, ...], given: dict[str, str]
    ) -> tuple[Values, Launch]:
        """The program, and the values that its texts were filled with."""
        sidecar = self.pod.proxy is not Proxy.NONE
        # Without a sidecar the app itself must be where the mesh looks for the pod.
        address = self.address.app if sidecar else self.address.pod
        listening = placeholders.listening(container, image, address, self.dirs.sockets, sidecar)
        values = Values(self.machine.programs, self.dirs.sockets, mounts, listening, given)
        env = self._inherited() | given | listening.env
        env |= {name: values.fill(text) for name, text in image.env.items()}
        return values, Launch(
            command=tuple(values.fill(text) for text in image.command),
            log=self.dirs.log(container.name),
            records=self.machine.dirs.processes,
            env=env,
            cwd=self.machine.root,
            rootless=image.rootless,
        )

    def _prepare(self, container: Container, image: Image, values: Values, launch: Launch) -> Prepare | None:
        if not image.prepare:
            return None
        kept = {mount.volume for mount in container.mounts if mount.volume in self.folders}
        kept = {volume for volume in kept if self.folders[volume].stays}
        if len(kept) != 1:
            self._problem(container, f"{container.image} prepares its data volume, but has {len(kept)} of them",
                          "mount one PersistentVolumeClaim", image)  # fmt: skip
            return None
        steps = tuple(
            Step(
                replace(launch, command=tuple(map(values.fill, step.command))),
                values.fill(step.stdin),
                Path(values.fill(step.stdin_file)) if step.stdin_file else None,
            )
            for step in image.prepare
        )
        return Prepare(volume=self.folders[kept.pop()].path, steps=steps)

    def _question(
        self, container: Container, probe: Probe | None, listening: Listening, launch: Launch
    ) -> Question | None:
        if probe is None:
            return None
        if probe.asks is Asks.EXEC:
            return Question(probe, launch=replace(launch, command=probe.command))
        if probe.port in listening.places:
            return Question(probe, listening.places[probe.port])
        if not listening.problems:
            self._problem(container, f"a probe asks port {probe.port}, where {container.image} does not listen locally",
                          "list the port in deploy/local.yaml under listen")  # fmt: skip
        return None

    def _envoy(self) -> ProcessPlan:
        """Envoys of many pods and meshes share a machine: none looks for an earlier one of its kind (hot restart)."""
        # misc: each push would repeat that istiod, and so we, use fields that Envoy calls deprecated.
        logs = "--log-level warning --component-log-level misc:error"
        # As pilot-agent has it: a connection to a listener that goes is let go with its next call, not kept for a while
        # and then cut in the middle of some call.
        # Who looks at an access log wants the last call in it (Envoy's own default: after 10 s).
        drain = "--drain-time-s 2 --drain-strategy immediate"
        options = f"--disable-hot-restart --concurrency 1 {drain} --file-flush-interval-msec 100 {logs}"
        command = (self.machine.programs[ENVOY], "-c", str(bootstrap(self.dirs)), *options.split())
        log, records, admin = self.dirs.log(ENVOY), self.machine.dirs.processes, admin_socket(self.dirs)
        # It answers 200 once it has its first configuration, which may take as long as the control plane needs.
        ready = Probe(Asks.HTTP, path="/ready", period=1.0, failure_threshold=3600)
        return ProcessPlan(
            name=ENVOY,
            launch=Launch(command, log, records, self._inherited() | self.pod.env, cwd=self.dirs.run),
            readiness=Question(ready, f"unix:{admin}"),
            sockets=(admin,),
        )

    def _mounted(self, container: Container) -> list[Mounted]:
        mounts = []
        for mount in container.mounts:
            if mount.volume in self.folders:
                mounts.append(Mounted(mount.path, self.folders[mount.volume].path / mount.sub_path))
            else:
                self._problem(container, f"there is no volume {mount.volume}", "")
        return mounts

    def _inherited(self) -> dict[str, str]:
        env = {name: self.machine.environ[name] for name in environment.INHERITED if name in self.machine.environ}
        ours = dict.fromkeys(_folder(name, path) for name, path in self.machine.programs.items())
        env["PATH"] = os.pathsep.join([*ours, env.get("PATH", os.defpath)])
        return env | {"HOSTNAME": self.pod.name}

    def _signal(self, container: Container, image: Image) -> signal.Signals:
        try:
            return signal.Signals[image.stop_signal]
        except KeyError:
            self._problem(container, f"{image.stop_signal} is no signal", "SIGTERM, SIGINT, SIGQUIT …", image)
            return signal.SIGTERM

    def _problem(self, container: Container, what: str, hint: str, image: Image | None = None) -> None:
        where = (image.where if image else None) or container.where or self.workload.where
        self.problems.append(Problem(where or Where(f"{self.workload.key}, container {container.name}"), what, hint))


def _check_exposed(local: LocalRun, workloads: Mapping[str, Workload]) -> list[Problem]:
    gateways = [key for key, workload in workloads.items() if workload.proxy is Proxy.GATEWAY]
    return [
        Problem(
            expose.where or Where("deploy/local.yaml"),
            f"{expose.gateway} is no gateway workload",
            f"the gateways are {', '.join(gateways)}" if gateways else "there are no gateways",
        )
        for expose in local.expose
        if expose.gateway not in gateways
    ]


def _folder(program: str, path: str) -> str:
    return path if program == POSTGRES else str(Path(path).parent)
