"""Whether the calls of a verb make spans, and where these go; what makes them is loaded only if they do.

To the collector that OTEL_EXPORTER_OTLP_ENDPOINT (or its sibling for traces) names; else to the one of the mesh on this
machine if its gateway is called, which localmesh says in `callers.json` of its state folder: LOCALMESH_STATE, as
localmesh takes it, else the repository's `.mesh`. Otherwise, and with OTEL_TRACES_EXPORTER=none, there are none. The
sampler and the resource are those of OpenTelemetry's variables:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@contextmanager
def sent(target: str, environ: Mapping[str, str], repository: Path) -> Iterator[None]:
    """Calls inside the block make spans, if there is somebody to take them; they have left at its end, or are lost.

    To be used once in a process: the provider of its spans is set.
    """
    to = endpoint(target, environ, repository)
    if not to:
        yield
        return
    from clients.span_export import sending  # noqa: PLC0415  # 20 ms that nobody waits for in vain

    with sending(to, environ):
        yield


def endpoint(target: str, environ: Mapping[str, str], repository: Path) -> str:
    """Where spans of calls of `target` go, as an OTLP/gRPC exporter is told; empty: nowhere."""
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp" or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    named = next((environ[name] for name in _ENDPOINTS if environ.get(name)), "")
    return named or _of_the_mesh_here(target, Path(environ.get("LOCALMESH_STATE") or repository / ".mesh"))


def _of_the_mesh_here(target: str, state: Path) -> str:
    """The collector of the mesh that runs with this state folder, if `target` is a gateway of it."""
    host, _, port = target.rpartition(":")
    address = f"127.0.0.1:{port}" if host == "localhost" else target
    try:
        told = json.loads((state / "callers.json").read_text())
        return str(told["otlp_endpoint"]) if address in told["gateways"] else ""
    except (OSError, ValueError, KeyError, TypeError):  # none runs, or it is of another version
        return ""
