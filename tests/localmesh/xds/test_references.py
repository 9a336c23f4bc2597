"""What a resource refers to, found in the protobuf itself."""

from envoy.config.route.v3 import route_components_pb2 as routes
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2

from localmesh.xds.references import references
from localmesh.xds.snapshot import CLUSTER
from localmesh.xds.wire import pack

_Weighted, _Action = routes.WeightedCluster, routes.RouteAction


def test_a_route_leads_to_its_cluster_to_those_of_its_weights_and_to_its_mirrors() -> None:
    """A patched table is looked through for them: one that is missed is not sent, and calls of it find no cluster."""
    by_weight = _Weighted(clusters=[_Weighted.ClusterWeight(name=name) for name in ("v1", "v2")])
    mirrors = [_Action.RequestMirrorPolicy(cluster="mirror")]
    actions = [_Action(cluster="one", request_mirror_policies=mirrors), _Action(weighted_clusters=by_weight)]
    host = routes.VirtualHost(routes=[routes.Route(route=action) for action in actions])
    found = references(route_pb2.RouteConfiguration(virtual_hosts=[host]))
    assert found == {(CLUSTER, name) for name in ("one", "mirror", "v1", "v2")}


def test_a_filters_own_settings_of_a_route_lead_to_the_cluster_that_they_name() -> None:
    """An EnvoyFilter may write another authorizer there; without its cluster every such call is refused."""
    settings = ext_authz_pb2.ExtAuthzPerRoute()
    settings.check_settings.grpc_service.envoy_grpc.cluster_name = "judge"
    host = routes.VirtualHost(typed_per_filter_config={"envoy.filters.http.ext_authz": pack(settings)})
    assert references(route_pb2.RouteConfiguration(virtual_hosts=[host])) == {(CLUSTER, "judge")}
