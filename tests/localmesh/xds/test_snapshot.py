"""A snapshot is a value: equal content, equal version; and it knows what it lacks."""

import subprocess
import sys

from envoy.config.cluster.v3.cluster_pb2 import Cluster

from localmesh.errors import Where
from localmesh.xds.snapshot import CLUSTER, ENDPOINT, LISTENER, Snapshot, resource


def cluster(name: str, *, stat: str = "", needs: tuple[tuple[str, str], ...] = ()) -> Snapshot:
    made = resource(name, Cluster(name=name, alt_stat_name=stat), needs, [Where("a.yaml", 3), None])
    return Snapshot.of({CLUSTER: [made]})


def test_equal_content_has_an_equal_version() -> None:
    assert cluster("a").version == cluster("a").version
    assert cluster("a").version != cluster("a", stat="x").version


def test_the_order_of_making_makes_no_difference() -> None:
    a, b = cluster("a"), cluster("b")
    assert a.merged(b).version == b.merged(a).version
    assert list(a.merged(b).type(CLUSTER)) == ["a", "b"]


def test_what_is_referred_to_and_missing_is_named() -> None:
    lacking = cluster("a", needs=((ENDPOINT, "a"),))
    assert lacking.consistent() == ["Cluster 'a' refers to ClusterLoadAssignment 'a', which does not exist"]
    assert not lacking.consistent(elsewhere=[(ENDPOINT, "a")])


def test_a_resource_knows_the_yaml_that_shaped_it() -> None:
    assert cluster("a").origins(CLUSTER, "a") == (Where("a.yaml", 3),)
    assert cluster("a").origins(LISTENER, "a") == ()


def test_carrying_a_snapshot_does_not_load_the_compiler() -> None:
    """`localmesh.ads` starts without the thousand messages of Envoy's API."""
    loaded = "import sys, localmesh.xds.snapshot; print(any(name.startswith('envoy') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
