"""What the proxies write down."""

from dataclasses import dataclass

from localmesh.mesh.identity import Seconds

# MeshConfig.defaultConfig and Telemetry leave tracing at one percent (istiod: PILOT_TRACE_SAMPLING).
DEFAULT_SAMPLING_PERCENT = 1.0


@dataclass(frozen=True, slots=True)
class AccessLog:
    """One access log: a file, a text or JSON format, and a CEL expression as filter.

    `text` None is Istio's text. `json` is an object of format strings, as JSON; "" is Istio's own, and None is text.
    """

    path: str
    text: str | None = None
    json: str | None = None
    omit_empty: bool = False  # fields without a value are left out
    filter: str = ""


@dataclass(frozen=True, slots=True)
class CustomTag:
    """A span tag from a literal, a header, an environment variable or a format string of Envoy's: exactly one."""

    name: str
    literal: str | None = None
    header: str | None = None
    environment: str | None = None
    formatted: str | None = None
    default: str = ""


@dataclass(frozen=True, slots=True)
class OpenTelemetry:
    """A tracing provider: the host and port of an OTLP/gRPC collector."""

    name: str
    host: str
    port: int
    max_tag_length: int | None = None


@dataclass(frozen=True, slots=True)
class Tracing:
    """How requests are traced. `provider` None: spans are counted and propagated but reported nowhere."""

    sampling_percent: float = DEFAULT_SAMPLING_PERCENT
    provider: OpenTelemetry | None = None
    tags: tuple[CustomTag, ...] = ()
    istio_tags: bool = True
    request_id_sampling: bool = True


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What one direction of one pod's proxy writes down. `tracing` None: not even the block."""

    access_logs: tuple[AccessLog, ...] = ()
    tracing: Tracing | None = Tracing()
    idle_timeout: Seconds | None = None
