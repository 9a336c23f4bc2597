"""Gateway: servers, their ports, hosts and TLS."""

from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.gateway import Gateway, Server
from localmesh.manifests.rules import tls
from localmesh.manifests.rules.names import wrong_ip, wrong_label, wrong_scoped_host, wrong_unix_path
from localmesh.manifests.rules.protocols import is_http, is_tls, wrong_protocol

_UNIX = "unix://"


def problems(resource: Gateway) -> Iterator[Problem]:
    """What istiod would reject it for."""
    if wrong := wrong_label(resource.name, "Gateway's name"):
        yield Problem(resource.metadata.at("name"), wrong)
    spec = resource.spec
    if not spec.servers:
        yield Problem(spec.where, "this Gateway has no servers")
    names: set[str] = set()
    for server in spec.servers:
        if server.port.name in names:
            yield Problem(server.port.at("name"), f'the port name "{server.port.name}" is used twice')
        names.add(server.port.name)
        yield from _server(server)


def warnings(resource: Gateway) -> Iterator[Problem]:
    """What istiod would warn about."""
    for server in resource.spec.servers:
        yield from tls.server_warnings(server.tls)
        if server.tls and server.tls.https_redirect and not is_http(server.port.protocol):
            yield codes.REDIRECT_ON_TLS.at(
                server.tls.at("https_redirect"), "httpsRedirect is for servers that speak plain HTTP"
            )


def _server(server: Server) -> Iterator[Problem]:
    if not server.hosts:
        yield Problem(server.where, "this server has no hosts", '"*" takes all')
    for index, host in enumerate(server.hosts):
        if wrong := wrong_scoped_host(host, gateway=True):
            yield Problem(server.at("hosts", index), wrong)
    yield from _port(server)
    yield from tls.server_problems(server.tls)
    protocol = server.port.protocol
    if is_tls(protocol) and server.tls is None:
        yield Problem(server.where, f"a server that speaks {protocol} needs tls")
    elif server.tls and is_http(protocol) and not _only_redirects(server):
        what = f"a server that speaks {protocol} has no tls but httpsRedirect"
        yield Problem(server.at("tls"), what, "the protocol of a TLS server is HTTPS")
    elif server.tls and not is_tls(protocol) and not is_http(protocol):
        yield Problem(server.at("tls"), f"a server that speaks {protocol} has no tls", "the protocol is TLS")


def _only_redirects(server: Server) -> bool:
    tls = server.tls
    return tls is not None and (
        tls.mode in {None, "PASSTHROUGH", "AUTO_PASSTHROUGH"}
        and not (tls.ca_certificates or tls.private_key or tls.server_certificate)
    )


def _port(server: Server) -> Iterator[Problem]:
    port = server.port
    if not port.name:
        yield Problem(port.at("name"), "the port's name is empty")
    if not port.protocol:
        yield Problem(port.at("protocol"), "the protocol is empty")
    elif wrong := wrong_protocol(port.protocol):
        yield Problem(port.at("protocol"), wrong)
    if port.target_port:
        yield Problem(port.at("target_port"), "targetPort has no effect on a Gateway", "leave it out")
    if server.bind and server.bind.startswith(_UNIX):
        wrong = wrong_unix_path(server.bind.removeprefix(_UNIX))
    else:
        wrong = wrong_ip(server.bind) if server.bind else None
    if wrong:
        yield Problem(server.at("bind"), wrong)
