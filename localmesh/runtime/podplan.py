"""What runs for one pod, as values. Two plans are compared: an equal one goes on running untouched."""

import signal
from dataclasses import dataclass, field
from pathlib import Path

from localmesh.mesh import Placement
from localmesh.mesh.identity import Identity
from localmesh.mesh.pods import Proxy
from localmesh.runtime import volumes
from localmesh.runtime.dirs import PodDirs
from localmesh.runtime.probes import Question
from localmesh.runtime.process import Launch

ENVOY = "envoy"
# The name of the port on which a program serves /metrics: what a PodMonitor asks for in a cluster.
METRICS_PORT = "http-metrics"


@dataclass(frozen=True, slots=True)
class Step:
    """One command, run to its end. Its input, which may hold a password, is `stdin` or what is in `stdin_file`."""

    launch: Launch
    stdin: str = field(default="", repr=False)
    stdin_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Prepare:
    """What is run once, in order, for a new data volume."""

    volume: Path
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """One process of a pod, how it is asked whether it is well, and how it is asked to stop."""

    name: str
    launch: Launch
    startup: Question | None = None
    readiness: Question | None = None
    liveness: Question | None = None
    prepare: Prepare | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # Sockets that must not be there when it starts: a killed program leaves them.
    sockets: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class PodPlan:
    """One pod. `placement.ready` is False here: who is ready only the supervisor knows."""

    namespace: str
    name: str
    workload: str  # `namespace/name`
    identity: Identity
    proxy: Proxy
    placement: Placement
    dirs: PodDirs
    apps: tuple[ProcessPlan, ...] = ()
    envoy: ProcessPlan | None = None
    folders: tuple[volumes.Folder, ...] = ()
    grace: float = 30.0

    def runs_as(self, other: "PodPlan") -> bool:
        """Whether the same processes run; what only its Envoy is told over xDS may differ."""
        return (self.apps, self.envoy, self.folders) == (other.apps, other.envoy, other.folders)

    @property
    def keeps_data(self) -> bool:
        """A store: others need it until they have ended."""
        return any(folder.stays for folder in self.folders)

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def prepares(self) -> bool:
        """A data volume of it may have to be prepared first."""
        return any(app.prepare for app in self.apps)

    @property
    def metrics(self) -> Path | None:
        """The Unix socket on which its program serves /metrics, if it does."""
        sockets = (socket for app in self.apps for socket in app.sockets)
        return next((socket for socket in sockets if socket.stem == METRICS_PORT), None)

    @property
    def bootstrap(self) -> Path:
        """Where its Envoy reads its bootstrap."""
        return bootstrap(self.dirs)

    @property
    def admin(self) -> Path:
        """The Unix socket of its Envoy's admin interface: the bootstrap must open it there."""
        return admin_socket(self.dirs)


def bootstrap(dirs: PodDirs) -> Path:
    """Where a pod's Envoy reads its bootstrap."""
    return dirs.run / "envoy.json"


def admin_socket(dirs: PodDirs) -> Path:
    """The admin socket of a pod's Envoy."""
    return dirs.run / "admin.sock"
