"""Containers: what is run, with which environment, and how its health is asked."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from localmesh.manifests.record import Int32, Port, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySelector(Record):
    """A key of a Secret or ConfigMap of the same namespace."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSelector(Record):
    """A field of the pod itself, such as `metadata.name` or `status.podIP`."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"apiVersion"})

    field_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFieldSelector(Record):
    """A limit or request of a container, such as `limits.cpu`."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"divisor"})

    resource: str
    container_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVarSource(Record):
    """Where a variable's value comes from: exactly one."""

    EXACTLY_ONE: ClassVar[tuple[str, ...]] = ("secret_key_ref", "config_map_key_ref", "field_ref", "resource_field_ref")

    secret_key_ref: KeySelector | None = None
    config_map_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVar(Record):
    """A variable: a literal (which may hold `$(OTHER)`), or a reference."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("value", "value_from"),)

    name: str
    value: str | None = None
    value_from: EnvVarSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef(Record):
    """A Secret or ConfigMap as a whole."""

    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFromSource(Record):
    """All keys of a Secret or ConfigMap as variables."""

    EXACTLY_ONE: ClassVar[tuple[str, ...]] = ("secret_ref", "config_map_ref")

    prefix: str | None = None
    secret_ref: ObjectRef | None = None
    config_map_ref: ObjectRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPort(Record):
    """A port that the program listens on."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"hostIP", "hostPort"})

    container_port: Port
    name: str | None = None
    protocol: Literal["TCP", "UDP", "SCTP"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecAction(Record):
    """A command whose exit code is the answer."""

    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPHeader(Record):
    """A header of a probe's request."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPGetAction(Record):
    """A GET; 200 to 399 is success. `port` is a number or the name of a container port."""

    port: int | str
    path: str | None = None
    host: str | None = None
    scheme: Literal["HTTP", "HTTPS"] | None = None
    http_headers: tuple[HTTPHeader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPSocketAction(Record):
    """A connection; being accepted is success."""

    port: int | str
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPCAction(Record):
    """grpc.health.v1 Check of `service` (the server as a whole when absent); SERVING is success."""

    port: Port
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Record):
    """Exactly one of the four ways to ask; times in seconds, with Kubernetes' defaults when absent."""

    EXACTLY_ONE: ClassVar[tuple[str, ...]] = ("grpc", "http_get", "tcp_socket", "exec")

    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    exec: ExecAction | None = None
    initial_delay_seconds: Int32 | None = None
    period_seconds: Int32 | None = None
    timeout_seconds: Int32 | None = None
    success_threshold: Int32 | None = None
    failure_threshold: Int32 | None = None
    termination_grace_period_seconds: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepAction(Record):
    """Wait this long."""

    seconds: Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleHandler(Record):
    """What is done at start or before the end."""

    EXACTLY_ONE: ClassVar[tuple[str, ...]] = ("exec", "http_get", "tcp_socket", "sleep")

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle(Record):
    """Hooks around a container's life."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"stopSignal"})

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeMount(Record):
    """Where the program sees a volume of its pod."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"mountPropagation", "recursiveReadOnly"})

    name: str
    mount_path: str
    sub_path: str | None = None
    sub_path_expr: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Container(Record):
    """core/v1 Container. `restart_policy: Always` on an init container makes it a sidecar."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "imagePullPolicy",
            "resizePolicy",
            "resources",
            "restartPolicyRules",
            "securityContext",
            "stdin",
            "stdinOnce",
            "terminationMessagePath",
            "terminationMessagePolicy",
            "tty",
        }
    )

    name: str
    image: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str | None = None
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    startup_probe: Probe | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()
    restart_policy: str | None = None
