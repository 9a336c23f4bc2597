"""The transport sockets of a cluster: auto mTLS by what each endpoint takes, or what a DestinationRule says."""

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2, proxy_protocol_pb2
from envoy.extensions.transport_sockets.proxy_protocol.v3 import upstream_proxy_protocol_pb2
from google.protobuf import struct_pb2

from localmesh.mesh import Mesh
from localmesh.mesh.pods import Pod
from localmesh.mesh.upstreams import TlsMode, Upstream
from localmesh.xds import names, tls
from localmesh.xds.wire import pack

_Match = cluster_pb2.Cluster.TransportSocketMatch
_PROXY_PROTOCOL = {"V1": proxy_protocol_pb2.ProxyProtocolConfig.V1, "V2": proxy_protocol_pb2.ProxyProtocolConfig.V2}


def set_sockets(cluster: cluster_pb2.Cluster, upstream: Upstream, mesh: Mesh, client: Pod) -> None:
    """Sets how connections are made. Plaintext is the absence of a socket."""
    if upstream.tls is not None:
        socket = _explicit(upstream, mesh)
        if socket is not None:
            cluster.transport_socket.CopyFrom(_announced(socket, upstream))
        elif upstream.proxy_protocol:
            cluster.transport_socket.CopyFrom(_announced(tls.raw_buffer(), upstream))
        return
    if not upstream.auto_mtls or upstream.service.external:
        return
    mutual = _announced(_mesh_tls(upstream, mesh), upstream)
    if cluster.type == cluster_pb2.Cluster.ORIGINAL_DST:
        # One address is one endpoint that nothing is known of but what all of the service have in common.
        if _all_take_mtls(upstream):
            cluster.transport_socket.CopyFrom(mutual)
        return
    wanted = struct_pb2.Struct()
    wanted["tlsMode"] = "istio"
    cluster.transport_socket_matches.extend(
        [
            _Match(name="tlsMode-istio", match=wanted, transport_socket=mutual),
            _Match(
                name="tlsMode-disabled",
                match=struct_pb2.Struct(),
                transport_socket=_announced(tls.raw_buffer(), upstream),
            ),
        ]
    )


def _all_take_mtls(upstream: Upstream) -> bool:
    endpoints = upstream.endpoints or upstream.service.endpoints.get(upstream.port.number, ())
    return bool(endpoints) and all(one.mtls for one in endpoints)


def _explicit(upstream: Upstream, mesh: Mesh) -> base_pb2.TransportSocket | None:
    how = upstream.tls
    if how is None or how.mode is TlsMode.DISABLE:
        return None
    if how.mode is TlsMode.ISTIO_MUTUAL:
        return _mesh_tls(upstream, mesh, how.sni, how.subject_alt_names)
    return tls.client_tls(how, upstream.http2, upstream.service.subject_alt_names)


def _mesh_tls(
    upstream: Upstream, mesh: Mesh, sni: str = "", accepted: tuple[str, ...] = ()
) -> base_pb2.TransportSocket:
    host, port = upstream.service.host, upstream.port.number
    accepted = accepted or tuple(
        f"spiffe://{domain}/ns/{one.namespace}/sa/{one.service_account}"
        for one in upstream.service.identities
        for domain in (one.trust_domain, *mesh.trust_domain_aliases)
    )
    return tls.client_mtls(accepted, sni or names.sni(host, port, upstream.subset), upstream.http2)


def _announced(socket: base_pb2.TransportSocket, upstream: Upstream) -> base_pb2.TransportSocket:
    """The socket behind a PROXY protocol header, if one is asked for."""
    if not upstream.proxy_protocol:
        return socket
    config = upstream_proxy_protocol_pb2.ProxyProtocolUpstreamTransport(
        config=proxy_protocol_pb2.ProxyProtocolConfig(version=_PROXY_PROTOCOL[upstream.proxy_protocol]),
        transport_socket=socket,
    )
    return base_pb2.TransportSocket(name="envoy.transport_sockets.upstream_proxy_protocol", typed_config=pack(config))
