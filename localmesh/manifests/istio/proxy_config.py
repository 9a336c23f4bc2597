"""ProxyConfig: how the proxies of a mesh, namespace or workload are started (networking.istio.io/v1beta1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from localmesh.manifests.istio.common import LabelSelector
from localmesh.manifests.record import Int32, Record, Resource, empty_map


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyImage(Record):
    """Which of Istio's images."""

    image_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfigSpec(Record):
    """Without a selector it is for all proxies of its namespace; in the root namespace, of the mesh."""

    selector: LabelSelector | None = None
    concurrency: Int32 | None = None
    environment_variables: Mapping[str, str] = empty_map()
    image: ProxyImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig(Resource):
    """A ProxyConfig document."""

    spec: ProxyConfigSpec = field(default_factory=ProxyConfigSpec)
