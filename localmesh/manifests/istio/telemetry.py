"""Telemetry: tracing, metrics and access logs of a mesh, namespace or workload (telemetry.istio.io)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from localmesh.manifests.istio.common import Attached
from localmesh.manifests.record import Interval, Record, Resource, empty_map

WorkloadMode = Literal["CLIENT_AND_SERVER", "CLIENT", "SERVER"]
IstioMetric = Literal[
    "ALL_METRICS",
    "REQUEST_COUNT",
    "REQUEST_DURATION",
    "REQUEST_SIZE",
    "RESPONSE_SIZE",
    "TCP_OPENED_CONNECTIONS",
    "TCP_CLOSED_CONNECTIONS",
    "TCP_SENT_BYTES",
    "TCP_RECEIVED_BYTES",
    "GRPC_REQUEST_MESSAGES",
    "GRPC_RESPONSE_MESSAGES",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeSelector(Record):
    """Which side of a call this applies to; absent means both."""

    mode: WorkloadMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRef(Record):
    """A MeshConfig extension provider by name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralTag(Record):
    """A fixed tag value."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentTag(Record):
    """A tag value from the proxy's environment."""

    name: str
    default_value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderTag(Record):
    """A tag value from a request header."""

    name: str
    default_value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatterTag(Record):
    """A tag value from an Envoy format string."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTag(Record):
    """At most one of the four."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("literal", "environment", "header", "formatter"),)

    literal: LiteralTag | None = None
    environment: EnvironmentTag | None = None
    header: HeaderTag | None = None
    formatter: FormatterTag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing(Record):
    """Where spans go, how many requests are sampled (percent), and with which tags."""

    match: ModeSelector | None = None
    providers: tuple[ProviderRef, ...] = ()
    random_sampling_percentage: float | None = None
    disable_span_reporting: bool | None = None
    custom_tags: Mapping[str, CustomTag] = empty_map()
    use_request_id_for_trace_sampling: bool | None = None
    enable_istio_tags: bool | None = None
    disable_context_propagation: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSelector(Record):
    """Which metric. At most one of `metric` and `custom_metric`."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("metric", "custom_metric"),)

    metric: IstioMetric | None = None
    custom_metric: str | None = None
    mode: WorkloadMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagOverride(Record):
    """Change or remove one tag of a metric."""

    operation: Literal["UPSERT", "REMOVE"] | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsOverrides(Record):
    """Change the tags of the selected metrics, or switch them off."""

    match: MetricSelector | None = None
    disabled: bool | None = None
    tag_overrides: Mapping[str, TagOverride] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(Record):
    """Which provider gets metrics."""

    providers: tuple[ProviderRef, ...] = ()
    overrides: tuple[MetricsOverrides, ...] = ()
    reporting_interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(Record):
    """A CEL expression; only requests for which it holds are logged."""

    expression: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLogging(Record):
    """Where access logs go."""

    match: ModeSelector | None = None
    providers: tuple[ProviderRef, ...] = ()
    disabled: bool | None = None
    filter: Filter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySpec(Attached):
    """What is observed, and how."""

    tracing: tuple[Tracing, ...] = ()
    metrics: tuple[Metrics, ...] = ()
    access_logging: tuple[AccessLogging, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry(Resource):
    """A Telemetry document."""

    spec: TelemetrySpec = field(default_factory=TelemetrySpec)
