"""Telemetry and MeshConfig -> what each pod's proxy traces and logs. The rules are istiod's model.Telemetries.

A pod has at most three Telemetries: the root namespace's, its namespace's and its own, the oldest of each; what the
nearer one says overrides what the farther one said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as replaced

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import Telemetry as Written
from localmesh.manifests.istio.telemetry import AccessLogging, ModeSelector
from localmesh.manifests.istio.telemetry import CustomTag as WrittenTag
from localmesh.manifests.istio.telemetry import Tracing as WrittenTracing
from localmesh.mesh.pods import Pod
from localmesh.mesh.telemetry import (
    DEFAULT_SAMPLING_PERCENT,
    AccessLog,
    CustomTag,
    OpenTelemetry,
    Telemetry,
    Tracing,
)
from localmesh.resolve.attaching import attached_labels
from localmesh.resolve.findings import Findings
from localmesh.resolve.log_providers import access_log, mesh_log
from localmesh.resolve.selection import Selected, oldest_first
from localmesh.resolve.settings import Settings
from localmesh.resolve.tracing_providers import provider_of
from localmesh.resolve.visibility import Visibility

CLIENT, SERVER = "CLIENT", "SERVER"


class Telemetries:
    """All Telemetries, by where they apply."""

    def __init__(self, documents: Documents, settings: Settings, visibility: Visibility) -> None:
        self._settings, self._visibility = settings, visibility
        self._config = settings.written
        self._namespaces: dict[str, Written] = {}
        self._workloads: Selected[Written] = Selected()
        for each in oldest_first(documents.of(Written)):
            for labels in attached_labels(each.spec):
                if labels:
                    self._workloads.add(each.namespace, labels, each)
                else:
                    self._namespaces.setdefault(each.namespace, each)

    def of(self, pod: Pod, findings: Findings) -> tuple[Telemetry, Telemetry]:
        """(As a server, as a client); a gateway is a client."""
        applicable = self._applicable(pod)
        return self._side(applicable, SERVER, pod, findings), self._side(applicable, CLIENT, pod, findings)

    def _applicable(self, pod: Pod) -> list[Written]:
        root = self._settings.root_namespace
        spaces = dict.fromkeys((root, pod.namespace))
        found = [self._namespaces[each] for each in spaces if each in self._namespaces]
        return found + self._workloads.of(pod.namespace, pod.labels)[:1]

    def _side(self, applicable: list[Written], side: str, pod: Pod, findings: Findings) -> Telemetry:
        logging = [each.spec.access_logging for each in applicable if each.spec.access_logging]
        tracing = [one for each in applicable for one in each.spec.tracing]
        return Telemetry(self._logs(logging, side, findings), self._tracing(tracing, side, pod, findings))

    def _logs(self, levels: list[tuple[AccessLogging, ...]], side: str, findings: Findings) -> tuple[AccessLog, ...]:
        default = self._config.default_providers.access_logging if self._config.default_providers else ()
        chosen = _chosen(levels, side, default)
        found = (
            access_log(name, each.filter, self._settings.providers, findings)
            for name, each in sorted(chosen.items())
            if not each.disabled
        )
        logs = tuple(each for each in found if each is not None)
        if chosen:
            return logs
        legacy = mesh_log(self._config)
        return () if legacy is None else (legacy,)

    def _tracing(self, specs: list[WrittenTracing], side: str, pod: Pod, findings: Findings) -> Tracing | None:
        defaults = self._config.default_providers.tracing if self._config.default_providers else ()
        legacy = self._config.default_config.tracing if self._config.default_config else None
        sampling = DEFAULT_SAMPLING_PERCENT if legacy is None or legacy.sampling is None else legacy.sampling
        if not specs and not defaults:
            tags = _tags(legacy.custom_tags) if legacy else ()
            istio_tags = legacy is None or legacy.enable_istio_tags is not False
            return None if self._config.enable_tracing is False else Tracing(sampling, None, tags, istio_tags)
        merged = Tracing(sampling)
        name, disabled = (defaults[0] if defaults else ""), False
        for each in specs:
            if not _is_meant(each.match, side):
                continue
            name = each.providers[0].name if each.providers else name
            disabled = disabled if each.disable_span_reporting is None else each.disable_span_reporting
            merged = _overridden(merged, each)
        provider = self._provider(name, pod, findings)
        return None if disabled or provider is None else replaced(merged, provider=provider)

    def _provider(self, name: str, pod: Pod, findings: Findings) -> OpenTelemetry | None:
        """None where MeshConfig knows no such provider, or its service does not exist: then nothing is traced."""
        written = self._settings.providers.get(name)
        services = self._visibility.of(pod.namespace)
        return None if written is None else provider_of(written, services, findings)


@dataclass(frozen=True, slots=True)
class _Log:
    filter: str = ""
    disabled: bool = False


def _chosen(levels: list[tuple[AccessLogging, ...]], side: str, default: tuple[str, ...]) -> Mapping[str, _Log]:
    """Provider -> how it logs, also those that are switched off. Empty: Telemetry says nothing for this side."""
    if not levels:
        return {name: _Log() for name in default}
    in_scope, filters = default, dict[str, str]()
    for level in levels:
        meant = [each for each in level if _is_meant(each.match, side)]
        for each in meant:
            expression = (each.filter.expression if each.filter else None) or ""
            filters |= {provider.name: expression for provider in each.providers}
        names = tuple(provider.name for each in meant for provider in each.providers)
        in_scope = names or in_scope
    found: dict[str, _Log] = {}
    parents = default
    for each in (one for level in levels for one in level):
        parents = tuple(provider.name for provider in each.providers) or parents
        for name in parents:
            if name in in_scope and _is_meant(each.match, side):
                found[name] = _Log(filters.get(name, ""), each.disabled is True)
    return found


def _is_meant(match: ModeSelector | None, side: str) -> bool:
    return match is None or match.mode in {None, "CLIENT_AND_SERVER", side}


def _overridden(tracing: Tracing, written: WrittenTracing) -> Tracing:
    sampling, by_id = written.random_sampling_percentage, written.use_request_id_for_trace_sampling
    return replaced(
        tracing,
        sampling_percent=tracing.sampling_percent if sampling is None else sampling,
        tags=_tags(written.custom_tags) if written.custom_tags else tracing.tags,
        istio_tags=tracing.istio_tags if written.enable_istio_tags is None else written.enable_istio_tags,
        request_id_sampling=tracing.request_id_sampling if by_id is None else by_id,
    )


def _tags(written: Mapping[str, WrittenTag]) -> tuple[CustomTag, ...]:
    found = []
    for name, tag in sorted(written.items()):
        if tag.literal is not None:
            found.append(CustomTag(name, literal=tag.literal.value))
        elif tag.environment is not None:
            found.append(CustomTag(name, environment=tag.environment.name, default=tag.environment.default_value or ""))
        elif tag.header is not None:
            found.append(CustomTag(name, header=tag.header.name, default=tag.header.default_value or ""))
        elif tag.formatter is not None:
            found.append(CustomTag(name, formatted=tag.formatter.value))
    return tuple(found)
