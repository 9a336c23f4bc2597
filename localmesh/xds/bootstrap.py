"""What an Envoy is started with: who it is, where its admin interface stands, and whom to ask for the rest."""

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2, config_source_pb2, grpc_service_pb2, protocol_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf import json_format, struct_pb2

from localmesh.xds import names
from localmesh.xds.clusters import HTTP_OPTIONS
from localmesh.xds.statistics import stats_config
from localmesh.xds.wire import ads, duration, pack, pipe

CONNECT_SECONDS = 1.0
FLUSH_STATISTICS_SECONDS = 1.0
# Of Envoy's OpenTelemetry tracer: spans leave after this time, or when so many are there. Its own 5 s and 5 spans are
# too long for who looks at the call that was just made, and too few where calls come fast.
FLUSH_SPANS_AFTER_MS = 250
FLUSH_SPANS = 100


def bootstrap(node_id: str, cluster: str, admin_socket: str, xds_socket: str) -> bootstrap_pb2.Bootstrap:
    """A bootstrap. Both sockets are paths of Unix sockets: the admin's own, and the control plane's.

    `node_id` is `<pod>.<namespace>`, `cluster` the service's name as `<app>.<namespace>`. Unix socket paths longer than
    107 bytes are refused by the kernel.
    """
    runtime = struct_pb2.Struct()
    runtime.update(
        {
            "re2.max_program_size.error_level": 32768,
            "tracing.opentelemetry.flush_interval_ms": FLUSH_SPANS_AFTER_MS,
            "tracing.opentelemetry.min_flush_spans": FLUSH_SPANS,
        }
    )
    return bootstrap_pb2.Bootstrap(
        node=base_pb2.Node(id=node_id, cluster=cluster),
        admin=bootstrap_pb2.Admin(address=pipe(admin_socket)),
        static_resources=bootstrap_pb2.Bootstrap.StaticResources(
            clusters=[_control_plane(names.XDS_CLUSTER, xds_socket), _control_plane(names.SDS_CLUSTER, xds_socket)]
        ),
        dynamic_resources=bootstrap_pb2.Bootstrap.DynamicResources(
            ads_config=_stream(), lds_config=ads(), cds_config=ads()
        ),
        stats_config=stats_config(),
        # Histograms are told as of the last flush; Envoy's own 5 s are long for who looks.
        stats_flush_interval=duration(FLUSH_STATISTICS_SECONDS),
        layered_runtime=bootstrap_pb2.LayeredRuntime(
            layers=[
                bootstrap_pb2.RuntimeLayer(name="static", static_layer=runtime),
                # As istio's agent has it: a person may try another value while it runs.
                bootstrap_pb2.RuntimeLayer(name="admin", admin_layer=bootstrap_pb2.RuntimeLayer.AdminLayer()),
            ]
        ),
    )


def bootstrap_json(node_id: str, cluster: str, admin_socket: str, xds_socket: str) -> str:
    """The same as the text of a `--config-path` file (`.json`)."""
    made = bootstrap(node_id, cluster, admin_socket, xds_socket)
    return json_format.MessageToJson(made, preserving_proto_field_name=True, indent=1)


def _stream() -> config_source_pb2.ApiConfigSource:
    """One stream for all, state of the world: simplest to be right about, and small at this size."""
    service = grpc_service_pb2.GrpcService(
        envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(cluster_name=names.XDS_CLUSTER)
    )
    return config_source_pb2.ApiConfigSource(
        api_type=config_source_pb2.ApiConfigSource.GRPC,
        transport_api_version=config_source_pb2.V3,
        set_node_on_first_message_only=True,
        grpc_services=[service],
    )


def _control_plane(name: str, socket: str) -> cluster_pb2.Cluster:
    options = http_protocol_options_pb2.HttpProtocolOptions(
        explicit_http_config=http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(
            http2_protocol_options=protocol_pb2.Http2ProtocolOptions()
        )
    )
    endpoint = endpoint_components_pb2.LbEndpoint(endpoint=endpoint_components_pb2.Endpoint(address=pipe(socket)))
    return cluster_pb2.Cluster(
        name=name,
        type=cluster_pb2.Cluster.STATIC,
        connect_timeout=duration(CONNECT_SECONDS),
        typed_extension_protocol_options={HTTP_OPTIONS: pack(options)},
        load_assignment=endpoint_pb2.ClusterLoadAssignment(
            cluster_name=name,
            endpoints=[endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=[endpoint])],
        ),
    )
