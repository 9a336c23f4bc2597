"""EnvoyFilters: what each operation does where, and that a captured proxy obeys them too."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from localmesh.mesh import Placement, Pod
from localmesh.mesh.patches import Change, Direction, InClusters, InListeners, InRoutes, Part, Patch
from localmesh.mesh.security import AccessPolicy, Action, Rule
from localmesh.xds import patching
from localmesh.xds.capture import capture
from localmesh.xds.compile import compile
from localmesh.xds.readable import to_json
from localmesh.xds.snapshot import CLUSTER, LISTENER, ROUTE, Snapshot
from tests.localmesh.resolve.base import istio, mesh_of, pod_of
from tests.localmesh.xds import meshes

HCM = "envoy.filters.network.http_connection_manager"
ROUTER = "envoy.filters.http.router"
TYPE = "type.googleapis.com/envoy.extensions.filters.http"
BUFFER = f'{{"name": "buffer", "typed_config": {{"@type": "{TYPE}.buffer.v3.Buffer", "max_request_bytes": 1000}}}}'
USUAL = ["envoy.filters.http.grpc_stats", "envoy.filters.http.fault", "envoy.filters.http.cors", ROUTER]


def patched(pod: Pod, *patches: Patch) -> Snapshot:
    """What the pod is sent."""
    whole = replace(pod, patches=patches)
    return compile(meshes.mesh(whole), whole)


def captured(pod: Pod, placement: Placement, *patches: Patch) -> Snapshot:
    """What its proxy here is sent."""
    whole = replace(pod, patches=patches)
    mesh = meshes.mesh(whole)
    return capture(mesh, whole, placement)


def managers(snapshot: Snapshot) -> Iterator[Any]:
    """All connection managers."""
    for one in snapshot.type(LISTENER).values():
        for chain in listener_pb2.Listener.FromString(one.body).filter_chains:
            for each in chain.filters:
                if each.typed_config.Is(hcm.HttpConnectionManager.DESCRIPTOR):
                    yield hcm.HttpConnectionManager.FromString(each.typed_config.value)


def http_filters(snapshot: Snapshot) -> list[list[str]]:
    """The names of the HTTP filters, of each connection manager."""
    return [[each.name for each in manager.http_filters] for manager in managers(snapshot)]


def filter_patch(change: Change, sub_filter: str | None, value: str = BUFFER) -> Patch:
    named = InListeners(filter=HCM, sub_filter=sub_filter)
    return Patch(Part.HTTP_FILTER, change, Direction.OUTBOUND, listeners=named, value=value)


@pytest.mark.parametrize(
    ("change", "sub_filter", "expected"),
    [
        (Change.INSERT_BEFORE, ROUTER, [*USUAL[:3], "buffer", ROUTER]),
        (Change.INSERT_BEFORE, None, ["buffer", *USUAL]),
        (Change.INSERT_BEFORE, "no.such", USUAL),
        (Change.INSERT_AFTER, USUAL[0], [USUAL[0], "buffer", *USUAL[1:]]),
        (Change.INSERT_AFTER, None, [*USUAL, "buffer"]),
        (Change.INSERT_FIRST, ROUTER, ["buffer", *USUAL]),
        (Change.ADD, None, [*USUAL, "buffer"]),
        (Change.REPLACE, USUAL[1], [USUAL[0], "buffer", *USUAL[2:]]),
        (Change.REMOVE, USUAL[1], [USUAL[0], *USUAL[2:]]),
        (Change.REMOVE, None, USUAL),
    ],
)
def test_a_filter_goes_where_the_operation_says(change: Change, sub_filter: str | None, expected: list[str]) -> None:
    """A filter that is named and not there changes nothing; without a name, before is first and after is last."""
    patch = filter_patch(change, sub_filter, "" if change is Change.REMOVE else BUFFER)
    assert http_filters(captured(meshes.chat_pod(), meshes.chat_placement(), patch)) == [expected]


def test_a_patch_of_the_other_side_changes_nothing() -> None:
    patch = replace(filter_patch(Change.ADD, None), direction=Direction.INBOUND)
    assert patched(meshes.chat_pod(), patch).type(ROUTE) == patched(meshes.chat_pod()).type(ROUTE)
    assert all(names == USUAL for names in http_filters(captured(meshes.chat_pod(), meshes.chat_placement(), patch)))


def test_what_is_merged_grows_lists_and_replaces_durations() -> None:
    """As istiod merges: the last patch's duration holds whole, and a false says nothing."""
    value = '{"connect_timeout": "%s", "circuit_breakers": {"thresholds": [{"max_requests": 7}]}}'
    match = InClusters(service=meshes.USER, port=meshes.GRPC)
    patches = [
        Patch(Part.CLUSTER, Change.MERGE, Direction.OUTBOUND, clusters=match, value=value % seconds)
        for seconds in ("1.5s", "9s")
    ]
    (cluster,) = [
        one
        for one in to_json(patched(meshes.chat_pod(), *patches))["clusters"]
        if one["name"].startswith("outbound|")  # type: ignore[attr-defined]
    ]
    assert cluster["connect_timeout"] == "9s"
    assert len(cluster["circuit_breakers"]["thresholds"]) == 3  # type: ignore[index]


def test_routes_are_found_by_table_host_and_name() -> None:
    def merge(match: InRoutes, timeout: str) -> Patch:
        value = f'{{"route": {{"timeout": "{timeout}"}}}}'
        return Patch(Part.ROUTE, Change.MERGE, Direction.OUTBOUND, routes=match, value=value)

    host = meshes.AUTHORITY
    hits = merge(InRoutes(table=str(meshes.GRPC), host=host, route="default"), "7s")
    misses = [merge(InRoutes(host="other:1"), "1s"), merge(InRoutes(port=1), "2s"), merge(InRoutes(route="x"), "3s")]
    body = patched(meshes.chat_pod(), hits, *misses).type(ROUTE)[str(meshes.GRPC)].body
    (found,) = [one for one in route_pb2.RouteConfiguration.FromString(body).virtual_hosts if one.name == host]
    assert [route.route.timeout.seconds for route in found.routes] == [7]


def test_an_added_cluster_is_there_once() -> None:
    """Also where the patch says nothing of a side."""
    patch = Patch(Part.CLUSTER, Change.ADD, value='{"name": "extra", "type": "STATIC", "connect_timeout": "1s"}')
    assert "extra" in patched(meshes.chat_pod(), patch).type(CLUSTER)
    assert "extra" in captured(meshes.chat_pod(), meshes.chat_placement(), patch).type(CLUSTER)


@pytest.mark.parametrize(
    "patch",
    [
        Patch(Part.CLUSTER, Change.REMOVE, clusters=InClusters(service=meshes.USER)),
        Patch(Part.ROUTE, Change.MERGE, value='{"route": {"cluster": "nowhere"}}'),
    ],
)
def test_a_cluster_that_a_patch_loses_is_no_dangling_reference(patch: Patch) -> None:
    """Envoy takes such a route, and its calls get 503, as in a cluster."""
    assert not captured(meshes.chat_pod(), meshes.chat_placement(), patch).consistent()


def test_a_captured_sidecar_has_the_patches_of_its_app_s_calls() -> None:
    """A dialed name has a listener and a table of its own; patches know them by their names in a cluster."""
    timeout = Patch(
        Part.ROUTE,
        Change.MERGE,
        Direction.OUTBOUND,
        routes=InRoutes(table=str(meshes.GRPC), host=meshes.AUTHORITY),
        value='{"route": {"timeout": "7s"}}',
    )
    at_port = replace(filter_patch(Change.INSERT_FIRST, None), listeners=InListeners(port=meshes.GRPC))
    elsewhere = replace(filter_patch(Change.INSERT_FIRST, None), listeners=InListeners(port=1))
    snapshot = captured(meshes.chat_pod(), meshes.chat_placement(), timeout, at_port, elsewhere)
    assert http_filters(snapshot) == [["buffer", *USUAL]]
    (table,) = snapshot.type(ROUTE).values()
    (host,) = route_pb2.RouteConfiguration.FromString(table.body).virtual_hosts
    assert host.routes[0].route.timeout.seconds == 7
    assert not snapshot.consistent()


def test_a_captured_sidecar_has_the_patches_of_the_calls_that_it_takes() -> None:
    """Beside them the policies stay in their slots; a patched policy does not, for its slot would undo the patch."""
    placement = meshes.user_placement("unix:/run/app.sock")
    policy = AccessPolicy("d", "mesh", Action.DENY, (Rule(),))
    pod = replace(meshes.user_pod(), access=(policy,))
    first = replace(filter_patch(Change.INSERT_FIRST, None), direction=Direction.INBOUND)
    (found,) = http_filters(captured(pod, placement, first))
    slots = ["policy.custom", "policy.jwt", "policy.audit", "policy.deny", "policy.allow"]
    assert found == ["buffer", *slots, *USUAL]
    removed = replace(filter_patch(Change.REMOVE, "envoy.filters.http.rbac", ""), direction=Direction.INBOUND)
    assert http_filters(captured(pod, placement, removed)) == [USUAL]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{"nme": "x"}', "nme"),
        ('{"name": "x", "typed_config": {"@type": "type.googleapis.com/no.such.Type"}}', "no.such.Type"),
        ('{"name": "x", "typed_config": {"@type": "type.googleapis.com/istio.telemetry.Stats"}}', "not locally"),
        (f'{{"name": "x", "typed_config": {{"@type": "{TYPE}.wasm.v3.Wasm"}}}}', "not locally"),
        ('{"connect_timeout": 7}', "connect_timeout"),
    ],
)
def test_a_value_that_envoy_does_not_take_is_a_problem(value: str, words: str) -> None:
    (problem,) = patching.problems([Patch(Part.HTTP_FILTER, Change.ADD, value=value)])
    assert words in problem.what


def envoy_filter(name: str, priority: int, seconds: str, more: str = "", namespace: str = "mesh") -> str:
    patch = f"""
    priority: {priority}
    configPatches:
    - applyTo: CLUSTER
      patch: {{operation: MERGE, value: {{connect_timeout: {seconds}}}}}
    """
    text = istio("EnvoyFilter", name, patch + more, namespace=namespace)
    return text.replace("istio.io/v1\n", "istio.io/v1alpha3\n")


def test_patches_apply_by_priority_then_from_the_root_namespace_then_by_age() -> None:
    """So the last word is that of the highest priority, and of the pod's own namespace."""
    mesh = mesh_of(
        envoy_filter("late", 10, "1s"),
        envoy_filter("early", -10, "2s"),
        envoy_filter("wide", 0, "3s", namespace="istio-system"),
        envoy_filter("a", 0, "4s"),
        envoy_filter("elsewhere", 0, "5s", namespace="other"),
    )
    values = [one.value for one in pod_of(mesh).patches]
    assert values == [f'{{"connect_timeout": "{seconds}"}}' for seconds in ("2s", "3s", "4s", "1s")]
