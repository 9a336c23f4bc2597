"""The mesh in our own words: the still centre between YAML and Envoy.

`resolve` makes a `Mesh` from documents, `xds` makes an Envoy's configuration from a `Mesh` and a pod, `runtime` runs
its pods. Everything here is a frozen value and imports nothing but errors' `Where`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from localmesh.mesh.patches import Patch
from localmesh.mesh.placement import Dial, Placement
from localmesh.mesh.pods import Pod
from localmesh.mesh.security import Authorizer, Edge, Paths
from localmesh.mesh.services import Service
from localmesh.mesh.workloads import Workload


@dataclass(frozen=True)
class Mesh:
    """All services and pods, with every policy attached where Istio would attach it."""

    pods: tuple[Pod, ...]
    services: tuple[Service, ...]
    # What would run these pods; empty where the documents list Pods themselves.
    workloads: tuple[Workload, ...] = ()
    trust_domain: str = "cluster.local"
    # Other trust domains whose identities are as good as ours (MeshConfig.trustDomainAliases).
    trust_domain_aliases: tuple[str, ...] = ()
    root_namespace: str = "istio-system"
    paths: Paths = Paths.BASE
    edge: Edge = Edge()
    # By name; a CUSTOM policy that names no one here denies what it would have asked about.
    authorizers: tuple[Authorizer, ...] = ()
    # All that any pod's configuration is patched with, for its values to be checked once.
    patches: tuple[Patch, ...] = ()
    # TLS secrets by `namespace/name` -> (certificate chain, private key, CA certificates), PEM. Never printed.
    credentials: dict[str, "Credential"] = field(default_factory=dict)

    def pod(self, key: str) -> Pod | None:
        """The pod `namespace/name`."""
        return self.by_key.get(key)

    @property
    def wide(self) -> "Mesh":
        """What is said for the whole mesh, without anything in it: all of it that one pod's configuration reads."""
        return replace(self, pods=(), services=(), workloads=(), patches=(), credentials={})

    def as_run(self, pods: Iterable[Pod]) -> "Mesh":
        """What of it is started: these pods of it, each as it is run, and the names that their programs dial."""
        return replace(self, pods=tuple(pods), authorizers=(), patches=(), credentials={})

    @cached_property
    def by_key(self) -> Mapping[str, Pod]:
        """The pods by `namespace/name`."""
        return {pod.key: pod for pod in self.pods}


@dataclass(frozen=True, slots=True)
class Credential:
    """A TLS Secret that a gateway server or a DestinationRule names. Its repr shows no key.

    A client that shows no certificate needs only whom to believe.
    """

    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    ca: bytes = field(default=b"", repr=False)


__all__ = ["Credential", "Dial", "Mesh", "Placement", "Pod", "Service", "Workload"]
