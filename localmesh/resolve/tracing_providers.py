"""Where spans go: extension providers that speak OTLP."""

from collections.abc import Mapping

from localmesh import codes
from localmesh.manifests.providers import ExtensionProvider
from localmesh.mesh.services import Service
from localmesh.mesh.telemetry import OpenTelemetry
from localmesh.resolve.findings import Findings
from localmesh.resolve.refusals import refuse


def provider_of(
    written: ExtensionProvider, services: Mapping[str, Service], findings: Findings
) -> OpenTelemetry | None:
    """The collector; None where its service does not exist, as istiod then switches tracing off."""
    otel = written.opentelemetry
    refuse(written, findings)
    if otel is None:
        return None
    host = otel.service.rpartition("/")[2]  # `namespace/host`: the host itself is full
    service = services.get(host) or _short(otel.service, services)
    if service is None:
        findings.warn(
            codes.NO_COLLECTOR, otel.at("service"), f"there is no service {otel.service!r}: nothing is traced"
        )
        return None
    return OpenTelemetry(written.name, service.host, otel.port, otel.max_tag_length)


def _short(name: str, services: Mapping[str, Service]) -> Service | None:
    """A service named by `namespace/name`, or the only one of its bare name."""
    namespace, _, short = name.rpartition("/")
    found = [each for each in services.values() if each.name == short and namespace in {"", each.namespace}]
    return found[0] if len(found) == 1 else None
