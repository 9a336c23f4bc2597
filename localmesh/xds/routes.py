"""Route tables as Envoy's RouteConfiguration: virtual hosts, routes, and the inbound route to the app."""

from collections.abc import Iterable

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as routes
from envoy.config.route.v3 import route_pb2
from google.protobuf import any_pb2, duration_pb2, struct_pb2

from localmesh.errors import Where
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import Inbound
from localmesh.mesh.routes import Forward, HttpRoute, Redirect, Respond, RouteTable, Text, VirtualHost
from localmesh.xds import filters, names
from localmesh.xds.actions import cors, fault, forward, headers_to_add, redirect, respond
from localmesh.xds.matches import route_match
from localmesh.xds.snapshot import CLUSTER, Key
from localmesh.xds.wire import boolean, pack, uint32

# Enough for a page that says what is wrong (istiod: MaxDirectResponseBodySizeBytes).
DIRECT_RESPONSE_BYTES = 1024 * 1024


def route_table(table: RouteTable) -> route_pb2.RouteConfiguration:
    """One table. Clusters may be missing in it: such a call gets 503, not a refused configuration."""
    return route_pb2.RouteConfiguration(
        name=table.name,
        virtual_hosts=[virtual_host(one) for one in table.virtual_hosts],
        validate_clusters=boolean(False),
        max_direct_response_body_size_bytes=uint32(DIRECT_RESPONSE_BYTES),
        ignore_port_in_host_matching=True,
    )


def virtual_host(host: VirtualHost) -> routes.VirtualHost:
    """The routes of one name."""
    return routes.VirtualHost(
        name=host.name,
        domains=host.domains,
        routes=[_route(route, _port(host)) for route in host.routes],
        include_request_attempt_count=True,
        require_tls=routes.VirtualHost.ALL if host.require_tls else routes.VirtualHost.NONE,
    )


def clusters_of(hosts: Iterable[VirtualHost]) -> set[Key]:
    """The clusters that these virtual hosts may send to."""
    forwards = [route.action for host in hosts for route in host.routes if isinstance(route.action, Forward)]
    targets = {one.target for action in forwards for one in action.targets}
    targets |= {one.target for action in forwards for one in action.mirrors}
    return {(CLUSTER, names.target_cluster(target)) for target in targets if target.host}


def origins_of(hosts: Iterable[VirtualHost]) -> list[Where]:
    """The YAML places of these hosts' routes."""
    return [route.where for host in hosts for route in host.routes if route.where]


def inbound_routes(port: Inbound, cluster: str) -> route_pb2.RouteConfiguration:
    """All requests to the app. Only ports that are not gRPC are retried, and only before anything was sent."""
    host = port.services[0][0].host if port.services else ""
    number = port.services[0][1] if port.services else (0 if port.passthrough else port.port)
    retry = None
    if port.protocol not in {Protocol.GRPC, Protocol.GRPC_WEB}:
        retry = routes.RetryPolicy(retry_on="reset-before-request", num_retries=uint32(2))
    no_limit = routes.RouteAction.MaxStreamDuration(
        max_stream_duration=duration_pb2.Duration(), grpc_timeout_header_max=duration_pb2.Duration()
    )
    action = routes.RouteAction(
        cluster=cluster, timeout=duration_pb2.Duration(), max_stream_duration=no_limit, retry_policy=retry
    )
    route = routes.Route(
        name="default",
        match=routes.RouteMatch(prefix="/"),
        decorator=routes.Decorator(operation=f"{host}:{number}/*"),
        route=action,
    )
    everything = routes.VirtualHost(name=f"inbound|http|{number}", domains=["*"], routes=[route])
    return route_pb2.RouteConfiguration(name=cluster, virtual_hosts=[everything], validate_clusters=boolean(False))


def _route(route: HttpRoute, port: int) -> routes.Route:
    made = routes.Route(
        name=route.name,
        # Only routes written without any match lack the word on case; the default routes do too.
        match=route_match(route.match, plain=route.match.path is None and route.match.is_catch_all),
        metadata=_metadata(route.config),
        typed_per_filter_config=_per_filter(route),
        request_headers_to_add=headers_to_add(route.request_headers),
        request_headers_to_remove=route.request_headers.remove,
        response_headers_to_add=headers_to_add(route.response_headers),
        response_headers_to_remove=route.response_headers.remove,
    )
    action = route.action
    if isinstance(action, Redirect):
        made.redirect.CopyFrom(redirect(action, port))
    elif isinstance(action, Respond):
        made.direct_response.CopyFrom(respond(action))
    else:
        made.route.CopyFrom(forward(action))
        if route.name != "allow_any":
            made.decorator.CopyFrom(_decorator(route, action))
    return made


def _port(host: VirtualHost) -> int:
    """The port that requests come to: the end of `user.mesh.svc.cluster.local:50051`."""
    end = host.name.rpartition(":")[2]
    return host.port or (int(end) if end.isdigit() else 0)


def _metadata(config: str) -> base_pb2.Metadata | None:
    """Where Istio keeps which VirtualService a route comes from: `name.namespace`."""
    if not config:
        return None
    name, _, namespace = config.rpartition(".")
    istio = struct_pb2.Struct()
    istio["config"] = f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtual-service/{name}"
    return base_pb2.Metadata(filter_metadata={"istio": istio})


def _per_filter(route: HttpRoute) -> dict[str, any_pb2.Any]:
    found = {}
    if route.fault is not None:
        found[filters.FAULT] = pack(fault(route.fault))
    if route.cors is not None:
        found[filters.CORS] = pack(cors(route.cors))
    return found


def _decorator(route: HttpRoute, action: Forward) -> routes.Decorator:
    """The name of this route's spans."""
    target = action.targets[0].target
    path = route.match.path.value if route.match.path else "/"
    exact = route.match.path is not None and route.match.path.how is Text.EXACT
    return routes.Decorator(operation=f"{target.host}:{target.port}{path}{'' if exact else '*'}")
