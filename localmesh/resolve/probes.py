"""Probes, with Kubernetes' defaults and the names of ports settled."""

from localmesh.manifests.kubernetes.container import Container
from localmesh.manifests.kubernetes.container import Probe as WrittenProbe
from localmesh.mesh.workloads import Asks, Probe
from localmesh.resolve.findings import Findings, nearest


def probe(written: WrittenProbe | None, container: Container, findings: Findings) -> Probe | None:
    """The probe as it is asked; None where there is none. Times are in seconds."""
    if written is None:
        return None
    asked = _question(written, container, findings)
    return Probe(
        asks=asked.asks,
        port=asked.port,
        service=asked.service,
        path=asked.path,
        command=asked.command,
        initial_delay=float(written.initial_delay_seconds or 0),
        period=float(written.period_seconds or 10),
        timeout=float(written.timeout_seconds or 1),
        failure_threshold=written.failure_threshold or 3,
        success_threshold=written.success_threshold or 1,
    )


def _question(written: WrittenProbe, container: Container, findings: Findings) -> Probe:
    if written.grpc is not None:
        return Probe(Asks.GRPC, port=written.grpc.port, service=written.grpc.service or "")
    if written.http_get is not None:
        get = written.http_get
        return Probe(Asks.HTTP, port=_port(get.port, container, written, findings), path=get.path or "/")
    if written.tcp_socket is not None:
        return Probe(Asks.TCP, port=_port(written.tcp_socket.port, container, written, findings))
    return Probe(Asks.EXEC, command=written.exec.command if written.exec else ())


def _port(port: int | str, container: Container, written: WrittenProbe, findings: Findings) -> int:
    if isinstance(port, int) or port.isdigit():
        return int(port)
    names = {each.name: each.container_port for each in container.ports if each.name}
    if port not in names:
        what = f"container {container.name!r} has no port named {port!r}"
        findings.problem(written.where, what, nearest(port, names))
    return names.get(port, 0)
