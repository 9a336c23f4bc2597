"""Connection managers and TCP proxies: the last filter of every filter chain, and what stands before a TCP proxy."""

from collections.abc import Iterable
from dataclasses import dataclass

from envoy.config.core.v3 import protocol_pb2
from envoy.config.listener.v3 import listener_components_pb2 as chains
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.filters.network.mongo_proxy.v3 import mongo_proxy_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.request_id.uuid.v3 import uuid_pb2
from envoy.type.v3 import hash_policy_pb2
from google.protobuf import duration_pb2

from localmesh.mesh import Mesh
from localmesh.mesh.identity import Protocol, Seconds
from localmesh.mesh.pods import Pod
from localmesh.mesh.routes import WeightedTarget
from localmesh.mesh.security import Paths
from localmesh.mesh.telemetry import Telemetry
from localmesh.mesh.upstreams import ConsistentHash
from localmesh.xds import authorizers, names, rbac
from localmesh.xds.filters import Policy, http_filters, trust_domains
from localmesh.xds.telemetry import access_logs, tracing
from localmesh.xds.wire import ads, boolean, duration, pack

HCM = "envoy.filters.network.http_connection_manager"
TCP_PROXY = "envoy.filters.network.tcp_proxy"
NETWORK_RBAC = "envoy.filters.network.rbac"
NETWORK_EXT_AUTHZ = "envoy.filters.network.ext_authz"

_Manager = hcm.HttpConnectionManager
_ESCAPED_SLASHES = {Paths.DECODE_AND_MERGE_SLASHES: _Manager.UNESCAPE_AND_FORWARD}

# Filters that count what a protocol says, and pass it on. Istio leaves those of MySQL and Redis off.
PROTOCOL_FILTERS = {
    Protocol.MONGO: (
        chains.Filter(
            name="envoy.filters.network.mongo_proxy", typed_config=pack(mongo_proxy_pb2.MongoProxy(stat_prefix="mongo"))
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Side:
    """How one side of a proxy treats those who call it."""

    telemetry: Telemetry
    client_certificates: int  # ForwardClientCertDetails
    certificate_parts: hcm.HttpConnectionManager.SetCurrentClientCertDetails | None
    server_name: str
    use_remote_address: bool
    http1_options: bool = False
    trusted_proxies: int = 0  # before it, whose x-forwarded-for counts


def inbound_side(pod: Pod) -> Side:
    """A sidecar before its app: tells the app whose certificate the caller showed."""
    parts = _Manager.SetCurrentClientCertDetails(subject=boolean(True), dns=True, uri=True)
    return Side(pod.server_telemetry, _Manager.APPEND_FORWARD, parts, "istio-envoy", use_remote_address=False)


def outbound_side(pod: Pod) -> Side:
    """A sidecar behind its app: invisible."""
    return Side(pod.client_telemetry, _Manager.SANITIZE, None, "", use_remote_address=False)


def gateway_side(mesh: Mesh, pod: Pod) -> Side:
    """The edge: believes no header about who is calling, but for those of the proxies that are said to be before it."""
    certificates = _Manager.ForwardClientCertDetails.Value(mesh.edge.client_certificates or "SANITIZE_SET")
    parts = _Manager.SetCurrentClientCertDetails(subject=boolean(True), cert=True, dns=True, uri=True)
    return Side(
        pod.client_telemetry,
        certificates,
        parts,
        "istio-envoy",
        use_remote_address=True,
        http1_options=True,
        trusted_proxies=mesh.edge.trusted_proxies,
    )


def http(
    mesh: Mesh,
    pod: Pod,
    side: Side,
    stat_prefix: str,
    policies: Iterable[Policy],
    *,
    protocol: Protocol = Protocol.HTTP,
    routes: route_pb2.RouteConfiguration | None = None,
    route_table: str = "",
    http2: bool = False,
) -> chains.Filter:
    """A connection manager, with its routes inside or, by the name of a table, from the control plane."""
    telemetry = side.telemetry
    sampled = telemetry.tracing is None or telemetry.tracing.request_id_sampling
    request_ids = uuid_pb2.UuidRequestIdConfig(use_request_id_for_trace_sampling=boolean(sampled))
    rds = hcm.Rds(config_source=ads(), route_config_name=route_table) if route_table else None
    manager = _Manager(
        stat_prefix=names.stat_name(stat_prefix),
        rds=rds,
        route_config=routes,
        http_filters=http_filters(policies, protocol),
        http_protocol_options=protocol_pb2.Http1ProtocolOptions() if side.http1_options else None,
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions() if http2 else None,
        common_http_protocol_options=_idle(telemetry.idle_timeout),
        access_log=access_logs(telemetry),
        tracing=tracing(pod, telemetry, mesh.trust_domain),
        forward_client_cert_details=side.client_certificates,
        set_current_client_cert_details=side.certificate_parts,
        server_name=side.server_name,
        use_remote_address=boolean(side.use_remote_address),
        xff_num_trusted_hops=side.trusted_proxies,
        normalize_path=boolean(mesh.paths is not Paths.NONE),
        merge_slashes=mesh.paths in {Paths.MERGE_SLASHES, Paths.DECODE_AND_MERGE_SLASHES},
        path_with_escaped_slashes_action=_ESCAPED_SLASHES.get(mesh.paths, _Manager.KEEP_UNCHANGED),
        proxy_100_continue=True,
        # A stream's idle time is the business of a route, so that long streams live as long as they are wanted.
        stream_idle_timeout=duration_pb2.Duration(),
        request_id_extension=hcm.RequestIDExtension(typed_config=pack(request_ids)),
        upgrade_configs=[_Manager.UpgradeConfig(upgrade_type="websocket")],
    )
    return chains.Filter(name=HCM, typed_config=pack(manager))


def _idle(timeout: Seconds | None) -> protocol_pb2.HttpProtocolOptions | None:
    return None if timeout is None else protocol_pb2.HttpProtocolOptions(idle_timeout=duration(timeout))


def tcp(pod: Pod, targets: tuple[WeightedTarget, ...], weighted_prefix: str) -> chains.Filter:
    """A TCP proxy to the clusters of these targets; to several by weight. Settings are the first target's."""
    first = pod.outbound.by_target.get(targets[0].target)
    idle = first.pool.tcp_idle_timeout if first else None
    by_address = first is not None and isinstance(first.balancer, ConsistentHash) and first.balancer.on.source_ip
    proxy = tcp_proxy_pb2.TcpProxy(
        access_log=access_logs(pod.client_telemetry),
        idle_timeout=duration(idle),
        hash_policy=[hash_policy_pb2.HashPolicy(source_ip=hash_policy_pb2.HashPolicy.SourceIp())] if by_address else [],
    )
    many = [(names.target_cluster(one.target), one.weight) for one in targets]
    if len(many) == 1:
        proxy.cluster = proxy.stat_prefix = many[0][0]
    else:
        proxy.stat_prefix = weighted_prefix
        for name, weight in many:
            proxy.weighted_clusters.clusters.add(name=name, weight=weight)
    return chains.Filter(name=TCP_PROXY, typed_config=pack(proxy))


def tcp_to(cluster: str, telemetry: Telemetry | None) -> chains.Filter:
    """A TCP proxy to one cluster."""
    proxy = tcp_proxy_pb2.TcpProxy(
        stat_prefix=cluster,
        cluster=cluster,
        access_log=access_logs(telemetry) if telemetry else [],
    )
    return chains.Filter(name=TCP_PROXY, typed_config=pack(proxy))


def connection_policies(mesh: Mesh, pod: Pod) -> list[chains.Filter]:
    """The network filters of a pod's AuthorizationPolicies, in order."""
    made = []
    for access in rbac.access(pod.access, trust_domains(mesh), mesh.authorizers, tcp=True):
        made.append(chains.Filter(name=NETWORK_RBAC, typed_config=pack(access.network())))
        question = authorizers.network_question(access.authorizer) if access.authorizer else None
        if question is not None:
            made.append(chains.Filter(name=NETWORK_EXT_AUTHZ, typed_config=pack(question)))
    return made
