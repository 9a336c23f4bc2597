"""The mesh in our own words: the still centre between YAML and Envoy.

`resolve` makes a `Mesh` from documents, `xds` makes an Envoy's configuration from a `Mesh` and a pod, `runtime` runs
its pods. Everything here is a frozen value and imports nothing but errors' `Where`.
"""

from dataclasses import dataclass, field

from localmesh.mesh.placement import Dial, Placement
from localmesh.mesh.pods import Pod
from localmesh.mesh.security import Paths
from localmesh.mesh.services import Service
from localmesh.mesh.workloads import Workload


@dataclass(frozen=True, slots=True)
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
    # TLS secrets by `namespace/name` -> (certificate chain, private key, CA certificates), PEM. Never printed.
    credentials: dict[str, "Credential"] = field(default_factory=dict)

    def pod(self, key: str) -> Pod | None:
        """The pod `namespace/name`."""
        return next((pod for pod in self.pods if pod.key == key), None)


@dataclass(frozen=True, slots=True)
class Credential:
    """A TLS Secret that a gateway server names. Its repr shows no key."""

    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    ca: bytes = field(default=b"", repr=False)


__all__ = ["Credential", "Dial", "Mesh", "Placement", "Pod", "Service", "Workload"]
