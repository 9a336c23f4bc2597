"""What runs: workloads, their containers, and how one asks whether they are well. Read by `runtime`, not by `xds`."""

from dataclasses import dataclass, field
from enum import Enum

from localmesh.errors import Where
from localmesh.mesh.identity import Labels, Seconds
from localmesh.mesh.pods import Proxy


@dataclass(frozen=True, slots=True)
class EnvVar:
    """A variable of a container: a text, or a field of the pod such as `metadata.name` or `metadata.labels['version']`.

    A text may name earlier variables as `$(NAME)` (Kubernetes' dependent variables).
    """

    name: str
    value: str = ""
    pod_field: str = ""
    secret: bool = False  # comes from a Secret: never printed
    where: Where | None = None


class Asks(Enum):
    """How a probe asks."""

    GRPC = "grpc"
    HTTP = "http"
    TCP = "tcp"
    EXEC = "exec"


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe with Kubernetes' defaults. `service` is of gRPC, `path` of HTTP, `command` of exec."""

    asks: Asks
    port: int = 0
    service: str = ""
    path: str = "/"
    command: tuple[str, ...] = ()
    initial_delay: Seconds = 0.0
    period: Seconds = 10.0
    timeout: Seconds = 1.0
    failure_threshold: int = 3
    success_threshold: int = 1


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume's place in a container."""

    volume: str
    path: str
    sub_path: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """One program of a pod."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()  # (name, number)
    mounts: tuple[Mount, ...] = ()
    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    run_as_user: int | None = None
    where: Where | None = None


class Keeps(Enum):
    """What becomes of a volume's content."""

    NOTHING = "nothing"  # emptyDir: gone with the pod
    DATA = "data"  # a PersistentVolumeClaim: stays until `clean`


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder of a pod: empty at first, or holding the files of a ConfigMap or Secret."""

    name: str
    keeps: Keeps = Keeps.NOTHING
    files: dict[str, bytes] = field(default_factory=dict, repr=False)  # path in the volume -> content
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment or StatefulSet: so many equal pods, named `<name>-<ordinal>`."""

    kind: str
    name: str
    namespace: str
    replicas: int
    labels: Labels  # of its pods
    service_account: str
    proxy: Proxy = Proxy.SIDECAR
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    grace: Seconds = 30.0  # terminationGracePeriodSeconds
    where: Where | None = None

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def pod_names(self) -> tuple[str, ...]:
        """The names of its pods, first to last."""
        return tuple(f"{self.name}-{ordinal}" for ordinal in range(self.replicas))
